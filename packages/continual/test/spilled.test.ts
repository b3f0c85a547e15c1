import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ArrayLeaf, createRng, decodeSnapshot, encodeSnapshot, hashBytes, type Snapshot } from '@regimen/core'
import { chiSquarePValue } from '@regimen/core/math'
import { testSnapshot } from '@regimen/testing'
import { describe, expect, it } from 'vitest'
import { type SpillBlobs, type SpilledReplay, spilledReplay } from '../src/index.ts'
import { folderBlobs, openSpilled, sampleOf, spilled } from './spilled-run.ts'

function memoryBlobs() {
  const disk = new Map<string, Uint8Array>()
  const counts = { reads: 0, writes: 0 }
  const blobs: SpillBlobs = {
    async read(name) {
      counts.reads++
      return disk.get(name)
    },
    async write(name, bytes) {
      counts.writes++
      disk.set(name, bytes.slice())
    },
    remove: async (name) => void disk.delete(name),
  }
  return { disk, blobs, counts }
}

const stateOf = ({ state }: Snapshot) =>
  state as { readonly pages: readonly string[]; readonly rows: ArrayLeaf<'float32'> }

async function feed(buffer: SpilledReplay, until: number): Promise<void> {
  while (buffer.seen < until) await buffer.add(sampleOf(buffer.seen))
}

/** All samples that the buffer keeps, by many draws. */
async function kept(buffer: SpilledReplay): Promise<Set<number>> {
  const found = new Set<number>()
  for (let i = 0; i < 60; i++) for (const [at, x] of (await buffer.draw(64)).x.entries()) if (at % 4 === 0) found.add(x)
  return found
}

const shared = memoryBlobs()
testSnapshot('spilledReplay', {
  id: 'continual/spilled-replay',
  open: (from) => (from ? spilledReplay({ blobs: shared.blobs, snapshot: from }) : openSpilled(shared.blobs)),
  steps: 14,
  async step(buffer, i) {
    for (let k = 0; k < 11; k++) await buffer.add(sampleOf(11 * i + k))
    const draw = await buffer.draw(5)
    return [...draw.x, ...draw.y, ...draw.groups, buffer.size, buffer.share]
  },
  snapshot: (buffer) => buffer.snapshot(),
})

describe('spilledReplay', () => {
  it('gives back what was put in, bit by bit, from memory and from pages', async () => {
    const { blobs, disk } = memoryBlobs()
    const buffer = await spilledReplay({ bytes: 1000, width: 2, targets: 2, extras: 1, page: 4, blobs })
    const made = Array.from({ length: 11 }, (_, i) => ({
      x: [i, 0.1 * i],
      y: [-i, i / 3],
      extra: [1 / (i + 1)],
      group: i,
    }))
    for (const one of made) expect(await buffer.add(one)).toBe(true)
    // 24 bytes a sample: ten pages of four; two are full, three samples wait.
    expect([buffer.capacity, buffer.size, disk.size, buffer.share]).toEqual([40, 11, 2, 1])
    const draw = await buffer.draw(400)
    for (let i = 0; i < 400; i++) {
      const one = made[draw.groups[i]!]!
      expect([...draw.x.subarray(2 * i, 2 * i + 2)]).toEqual(one.x.map(Math.fround))
      expect([...draw.y.subarray(2 * i, 2 * i + 2)]).toEqual(one.y.map(Math.fround))
      expect(draw.extra[i]).toBe(Math.fround(one.extra[0]!))
    }
  })

  it('keeps every sample of the stream with the same probability (χ²)', async () => {
    // 64 fit in pages of 8; 200 samples are thinned twice, sometimes three times.
    const counts = new Float64Array(200)
    let total = 0
    const runs = 400
    for (let run = 0; run < runs; run++) {
      const { blobs, disk } = memoryBlobs()
      const buffer = await spilledReplay({ ...spilled, seed: run, blobs })
      await feed(buffer, 200)
      const { pages, rows } = stateOf(await buffer.snapshot())
      const bytes = pages.map((name) => new Float32Array(disk.get(name)!.slice(0, 8 * 5 * 4).buffer))
      for (const values of [...bytes, rows.data]) for (let i = 0; i < values.length; i += 5) counts[values[i]!]!++
      total += buffer.size
      expect(buffer.size).toBeLessThanOrEqual(64)
    }
    expect(counts.reduce((a, b) => a + b)).toBe(total)
    const expected = total / 200
    // Each count is of runs draws of probability expected / runs, which narrows it.
    const statistic = counts.reduce((sum, n) => sum + (n - expected) ** 2 / (expected * (1 - expected / runs)), 0)
    expect(chiSquarePValue(statistic, 199)).toBeGreaterThan(0.001)
  })

  it('draws every kept sample as often as any other, from few pages a draw', async () => {
    const { blobs, counts } = memoryBlobs()
    const buffer = await spilledReplay({ ...spilled, blobs, resident: 1, spread: 2 })
    await feed(buffer, 60)
    const times = new Map<number, number>()
    const before = counts.reads
    const n = 3000
    for (let i = 0; i < n; i++)
      for (const x of (await buffer.draw(2)).x.filter((_, at) => at % 4 === 0)) times.set(x, (times.get(x) ?? 0) + 1)
    expect(counts.reads - before).toBeLessThanOrEqual(2 * n)
    const each = (2 * n) / 60
    const statistic = Array.from({ length: 60 }, (_, i) => ((times.get(i) ?? 0) - each) ** 2 / each).reduce(
      (a, b) => a + b,
    )
    expect(chiSquarePValue(statistic, 59)).toBeGreaterThan(0.001)
  })

  it('takes constant memory and a page written for about every page kept', async () => {
    const { blobs, counts, disk } = memoryBlobs()
    const buffer = await spilledReplay({ ...spilled, blobs })
    const { bytes } = buffer
    for (let k = 1; k <= 20; k++) {
      await feed(buffer, 200 * k)
      expect(buffer.bytes).toBe(bytes)
      await buffer.sweep()
      // Eight pages fit; one of them is the tail.
      expect(disk.size).toBeLessThanOrEqual(7)
      expect([...disk.values()].reduce((sum, page) => sum + page.length, 0)).toBeLessThanOrEqual(spilled.bytes)
    }
    // 4,000 samples: 64, then about 32 for each halving (six of them), twice over with the rewriting, in pages of eight.
    expect(buffer.share).toBeLessThanOrEqual(1 / 32)
    expect(counts.writes).toBeLessThan(80)
  })

  it('a write that fails or is cut short leaves the last snapshot readable, and goes on', async () => {
    const { blobs, disk } = memoryBlobs()
    const whole = memoryBlobs()
    const reference = await openSpilled(whole.blobs)
    await feed(reference, 160)
    for (let failing = 0; failing < 24; failing++) {
      disk.clear()
      let writes = 0
      const weak: SpillBlobs = {
        ...blobs,
        async write(name, bytes) {
          if (writes++ !== failing) return blobs.write(name, bytes)
          // Half of the bytes are there under the name, and the power is gone.
          disk.set(name, bytes.slice(0, bytes.length / 2))
          throw new Error('no power')
        },
      }
      const buffer = await openSpilled(weak)
      let saved = decodeSnapshot(encodeSnapshot(await buffer.snapshot()))
      const died = await (async () => {
        while (buffer.seen < 160) {
          await buffer.add(sampleOf(buffer.seen))
          if (buffer.seen % 16 > 0) continue
          saved = decodeSnapshot(encodeSnapshot(await buffer.snapshot()))
          await buffer.sweep()
        }
      })().catch((error: Error) => error.message)
      const next = await spilledReplay({ blobs, snapshot: saved })
      if (next.size > 0) expect((await kept(await spilledReplay({ blobs, snapshot: saved }))).size).toBe(next.size)
      await feed(next, 160)
      expect({ ...((await next.snapshot()).state as object), retired: [] }, `write ${failing}: ${died}`).toEqual({
        ...((await reference.snapshot()).state as object),
        retired: [],
      })
      expect(await kept(next)).toEqual(
        await kept(await spilledReplay({ blobs: whole.blobs, snapshot: await reference.snapshot() })),
      )
      // Where the process did not die it goes on by itself.
      if (died === 'no power') {
        await feed(buffer, 160)
        expect(buffer.size).toBe(reference.size)
      }
    }
  })

  it('says which page is missing or damaged, and refuses what does not fit', async () => {
    const { blobs, disk } = memoryBlobs()
    const buffer = await openSpilled(blobs)
    await expect(buffer.draw(1)).rejects.toThrow('empty')
    expect(() => buffer.add({ x: [1], y: 0 })).toThrow('x must hold 4 numbers, got 1')
    expect(() => buffer.add({ ...sampleOf(1), group: -1 })).toThrow('group must be')
    expect(await buffer.add({ x: [1, 2, 3, Number.NaN], y: 0 })).toBe(false)
    expect([buffer.refused, buffer.seen]).toEqual([1, 0])
    await feed(buffer, 12)
    const saved = await buffer.snapshot()
    const [name, bytes] = [...disk][0]!
    expect(hashBytes(bytes)).toBe(name)
    const reopened = async (): Promise<unknown> => (await spilledReplay({ blobs, snapshot: saved })).draw(64)
    disk.set(
      name,
      bytes.map((byte) => byte ^ 1),
    )
    await expect(reopened()).rejects.toThrow(`page ${name} is damaged`)
    disk.delete(name)
    await expect(reopened()).rejects.toThrow(`page ${name} is missing`)
    await expect(spilledReplay({ ...spilled, blobs, bytes: 200 })).rejects.toThrow('too small for two pages of 8')
    await expect(spilledReplay({ ...spilled, blobs, page: 0 })).rejects.toThrow('page must be an integer from 1, got 0')
    expect(() => buffer.draw(0)).toThrow('count must be an integer from 1, got 0')
  })

  it('killed by the system anywhere, ends where a life without a death ends', { timeout: 3_600_000 }, async () => {
    const kills = process.env.REGIMEN_FULL === '1' ? 100 : 1
    const samples = 200 + 20 * kills
    const folder = mkdtempSync(join(tmpdir(), 'regimen-spill-'))
    const [file, pages] = [join(folder, 'buffer.snapshot'), join(folder, 'pages')]
    const rng = createRng('kills')
    const child = fileURLToPath(new URL('./spilled-child.ts', import.meta.url))
    const live = (killAfter: number | undefined): Promise<NodeJS.Signals | null> =>
      new Promise((resolve, reject) => {
        const wait = rng.uniform(0, 4)
        const life = spawn(
          process.execPath,
          ['--conditions=@regimen/source', '--import', 'tsx', child, file, pages, String(samples)],
          { stdio: ['ignore', 'pipe', 'inherit'] },
        )
        let done = 0
        life.stdout.setEncoding('utf8').on('data', (text: string) => {
          const before = done
          done += text.length
          if (killAfter !== undefined && before < killAfter && done >= killAfter)
            setTimeout(() => life.kill('SIGKILL'), wait)
        })
        life.on('error', reject)
        life.on('close', (_, signal) => resolve(signal))
      })
    try {
      for (let kill = 0; kill < kills; kill++) {
        await live(rng.int(1, 4))
        // Whatever was going on, the last snapshot opens and all its pages are whole.
        if (!existsSync(file)) continue
        const buffer = await spilledReplay({ blobs: folderBlobs(pages), snapshot: decodeSnapshot(readFileSync(file)) })
        if (buffer.size > 0) expect((await kept(buffer)).size).toBe(buffer.size)
      }
      expect(await live(undefined)).toBe(null)
      const whole = await openSpilled(memoryBlobs().blobs)
      while (whole.seen < samples) {
        for (let i = 0; i < 10; i++) await whole.add(sampleOf(whole.seen))
        await whole.draw(3)
        await whole.snapshot()
        await whole.sweep()
      }
      const { retired: _, ...ended } = decodeSnapshot(readFileSync(file)).state as { [name: string]: unknown }
      const { retired: __, ...wanted } = decodeSnapshot(encodeSnapshot(await whole.snapshot())).state as typeof ended
      expect(ended).toEqual(wanted)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
