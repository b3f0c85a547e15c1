import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { createRng } from '@regimen/core'
import { hasSqlite } from '@regimen/core/sqlite'
import { describe, expect, it } from 'vitest'
import { openStore } from '../src/index.ts'
import { bundled, codeOf, freshFolder, weights } from './support.ts'

const FULL = process.env.REGIMEN_FULL === '1'
const WORKERS = 4
const KINDS = hasSqlite() ? (['sqlite', 'file'] as const) : (['file'] as const)

interface Worker {
  readonly committed: { version: number; blob: string }[]
  /** Records of the promotions that it was told are done. */
  readonly moves: number[]
  readonly errors: string[]
  kill(): Promise<void>
  /** Resolves at the next line. */
  heard(): Promise<void>
}

const program = await bundled('worker.mts')

function startWorker(folder: string, id: string): Worker {
  const child = spawn(process.execPath, [program, folder, id], { stdio: ['ignore', 'pipe', 'pipe'] })
  const committed: Worker['committed'] = []
  const moves: number[] = []
  const errors: string[] = []
  const listeners: (() => void)[] = []
  const tell = (): void => {
    for (const listener of listeners.splice(0)) listener()
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [kind, version, blob] = line.split(' ')
    // The last line may be cut by the kill, but not a line that has its end.
    if (kind === 'v' && blob?.length === 64) committed.push({ version: Number(version), blob })
    if (kind === 'a' && blob === '.') moves.push(Number(version))
    tell()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const closed = new Promise<void>((done) =>
    child.on('close', () => {
      listeners.push(done)
      tell()
    }),
  )
  return {
    committed,
    moves,
    errors,
    heard: () => new Promise((done) => listeners.push(done)),
    async kill() {
      child.kill('SIGKILL')
      await closed
    },
  }
}

describe.each(KINDS)('several processes over a log in %s', (metadata) => {
  it('lose nothing that was committed when they are killed', { timeout: FULL ? 3_600_000 : 60_000 }, async () => {
    const folder = freshFolder()
    await (await openStore(folder, { metadata })).close()
    const rng = createRng(metadata)
    const all: Worker[] = []
    const start = (): Worker => {
      const worker = startWorker(folder, `w${all.length}`)
      all.push(worker)
      return worker
    }
    const count = (): number => all.reduce((sum, { committed }) => sum + committed.length, 0)
    const running = Array.from({ length: WORKERS }, start)
    try {
      await Promise.all(running.map((worker) => worker.heard()))
      while (running.length > 0) {
        const which = rng.int(0, running.length)
        const victim = running[which]!
        // A random number of commits, and then a random moment within the next one.
        const lines = rng.int(1, 6)
        for (let i = 0; i < lines; i++) await victim.heard()
        const turns = rng.int(0, 200)
        for (let i = 0; i < turns; i++) await new Promise((done) => setImmediate(done))
        await victim.kill()
        running.splice(which, 1)
        // In full each victim has a successor until a thousand versions are committed; the sample kills each once.
        if (FULL && count() < 1_000) running.push(start())
      }
    } finally {
      for (const worker of running) await worker.kill()
    }

    const store = await openStore(folder, { cacheBytes: 0 })
    const model = store.model('m')
    expect(all.flatMap(({ errors }) => errors)).toEqual([])
    const committed = all.flatMap((worker) => worker.committed)
    expect(committed.length).toBeGreaterThan(WORKERS)
    expect(new Set(committed.map(({ version }) => version)).size).toBe(committed.length)
    for (const { version, blob } of committed) {
      expect((await model.at(version).info()).snapshot?.blob).toBe(blob)
    }
    const { clean, problems } = await store.fsck()
    expect([clean, problems]).toEqual([true, []])
    expect((await store.verify()).valid).toBe(true)
    await model.at('champion').snapshot()
    const history = await model.history('champion')
    for (const [i, { from }] of history.entries()) expect(from).toBe(history[i - 1]?.to ?? null)
    const promoted = all.flatMap(({ moves }) => moves)
    expect(promoted.length).toBeGreaterThan(0)
    expect(history.map(({ seq }) => seq)).toEqual(expect.arrayContaining(promoted))
    await model.publish({ snapshot: weights(1), reason: 'It goes on.' })
    await store.close()
  })

  it('let exactly one promote from the same position', async () => {
    const folder = freshFolder()
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(folder, { metadata })))
    const models = stores.map((store) => store.model('m'))
    for (let seed = 1; seed <= 4; seed++) await models[0]!.publish({ snapshot: weights(seed), reason: 'x' })
    let expected: number | null = null
    for (let round = 0; round < 10; round++) {
      const codes = await Promise.all(
        models.map((model, i) =>
          codeOf(model.promote(((i + round) % 4) + 1, 'champion', { reason: 'x', expect: expected })),
        ),
      )
      await models[0]!.at('champion').number()
      const now = models[0]!.aliases.champion!
      // To promote what is champion already changes nothing, so it is no second winner.
      const winners = codes.filter((code, i) => code === 'none' && ((i + round) % 4) + 1 !== expected)
      expect(winners.length).toBe(1)
      expect(codes.filter((code) => code !== 'none').every((code) => code === 'ALIAS_MOVED')).toBe(true)
      expected = now
    }
    expect((await models[3]!.history('champion')).length).toBe(10)
    for (const store of stores) await store.close()
  })
})
