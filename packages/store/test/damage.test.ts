import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasSqlite, openSqlite } from '@regimen/core/sqlite'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemFiles } from '../src/files.ts'
import { type FileOperations, openStore, type Store } from '../src/index.ts'
import { bundled, codeOf, freshFolder, noise, weights } from './support.ts'

/** A small closed store whose log is a file. */
async function made(metadata: 'file' | 'sqlite' = 'file'): Promise<string> {
  const folder = freshFolder()
  const store = await openStore(folder, { metadata })
  const model = store.model('m')
  for (const seed of [1, 2, 3]) await model.publish({ snapshot: weights(seed), reason: `Seed ${seed}.` })
  for (const version of [1, 2, 3]) await model.promote(version, 'champion', { reason: 'x' })
  await store.close()
  return folder
}

function blobsOf(folder: string): string[] {
  const found: string[] = []
  for (const shard of readdirSync(join(folder, 'blobs'))) {
    if (shard.length !== 2) continue
    for (const name of readdirSync(join(folder, 'blobs', shard))) found.push(join(folder, 'blobs', shard, name))
  }
  return found
}

function flip(path: string, bit: number): () => void {
  const before = readFileSync(path)
  const bytes = Buffer.from(before)
  bytes[bit >> 3]! ^= 1 << (bit & 7)
  writeFileSync(path, bytes)
  return () => writeFileSync(path, before)
}

describe('damage', () => {
  it('names the blob in which any bit was flipped', async () => {
    const folder = await made()
    const paths = blobsOf(folder)
    const store = await openStore(folder, { readOnly: true, cacheBytes: 0 })
    await fc.assert(
      fc.asyncProperty(fc.nat(paths.length - 1), fc.nat(), async (which, position) => {
        const path = paths[which]!
        const undo = flip(path, position % (statSync(path).size * 8))
        const { problems } = await store.fsck()
        undo()
        expect(problems).toHaveLength(1)
        expect(problems[0]).toMatchObject({ kind: 'damaged-blob', blob: path.slice(-64), repaired: false })
        expect(problems[0]!.versions).toHaveLength(1)
        expect(problems[0]!.problem).toContain(path.slice(-64))
      }),
      { seed: 5, numRuns: 60 },
    )
    expect((await store.fsck()).clean).toBe(true)
    await store.close()
  })

  it('names the place in the log where any bit was flipped', async () => {
    const folder = await made()
    const path = join(folder, 'log.txt')
    const size = statSync(path).size
    await fc.assert(
      fc.asyncProperty(fc.nat(size * 8 - 1), async (bit) => {
        const undo = flip(path, bit)
        let message = ''
        try {
          await openStore(folder, { readOnly: true })
        } catch (error) {
          message = String(error)
        }
        undo()
        expect(message).toMatch(/byte \d+: (the line after record \d was altered|record \d does not continue)/)
      }),
      { seed: 6, numRuns: 150 },
    )
    const store = await openStore(folder, { readOnly: true })
    expect((await store.verify()).valid).toBe(true)
    await store.close()
  })

  it('finds records that were removed, swapped, rewritten, or cut off behind an anchor', async () => {
    const folder = await made()
    const path = join(folder, 'log.txt')
    const intact = readFileSync(path, 'utf8')
    const lines = intact.split('\n').filter(Boolean)
    const open = await openStore(folder, { readOnly: true })
    const anchor = open.head
    await open.close()
    const attempt = async (changed: string[]): Promise<string> => {
      writeFileSync(path, changed.map((line) => `\n${line}\n`).join(''))
      try {
        const store = await openStore(folder, { readOnly: true })
        const { problems } = await store.verify({ anchor })
        await store.close()
        return problems.join('; ') || 'nothing'
      } catch (error) {
        return String(error)
      }
    }
    expect(await attempt(lines)).toBe('nothing')
    for (let i = 1; i < lines.length - 1; i++) {
      expect(await attempt(lines.toSpliced(i, 1)), `without ${i}`).toMatch(/record \d does not continue record \d/)
      expect(await attempt(lines.with(i, lines[i + 1]!).with(i + 1, lines[i]!)), `swapped ${i}`).toMatch(
        /does not continue/,
      )
    }
    expect(await attempt(lines.slice(0, -1))).toContain('the log ends at record 6, before the anchored record 7')
    // Somebody who rewrites the last record with the right hash is found by the anchor alone.
    const body = lines[6]!.replace(/^\S+ \d+ /, '').replace('"reason":"x"', '"reason":"y"')
    const hash = createHash('sha256').update(body).digest('hex')
    expect(await attempt(lines.with(6, `${hash} ${body.length} ${body}`))).toBe(
      'record 7 is not the one that was anchored',
    )
  })

  it.runIf(hasSqlite())('finds a record that was altered in SQLite', async () => {
    const folder = await made('sqlite')
    const store = await openStore(folder, { readOnly: true })
    const database = openSqlite(join(folder, 'log.sqlite'))
    database.exec(`UPDATE log SET text = replace(text, 'Seed 2', 'Seed 9') WHERE seq = 3`)
    expect((await store.verify()).problems[0]).toContain('record 3 does not match its hash')
    expect(await codeOf(openStore(folder))).toBe('CORRUPT_LOG')
    database.exec(`UPDATE log SET text = replace(text, 'Seed 9', 'Seed 2') WHERE seq = 3`)
    expect((await store.verify()).valid).toBe(true)
    // Somebody who sets the right hash, too, breaks the link of the record after.
    const row = database.prepare('SELECT hash, text FROM log WHERE seq = 3').get()!
    const forged = String(row.text).replace('Seed 2', 'Seed 9')
    const update = database.prepare('UPDATE log SET hash = ?, text = ? WHERE seq = 3')
    update.run(createHash('sha256').update(forged).digest('hex'), forged)
    expect((await store.verify()).problems[0]).toContain('record 4 does not continue record 3')
    update.run(row.hash!, row.text!)
    database.exec('DELETE FROM log WHERE seq = 4')
    expect((await store.verify()).problems[0]).toContain('records are missing or out of order')
    database.close()
    await store.close()
  })

  it.runIf(hasSqlite())('finds a flipped bit of the SQLite file, unless the flip changed nothing', async () => {
    const folder = await made('sqlite')
    const path = join(folder, 'log.sqlite')
    const bits = statSync(path).size * 8
    const intact = await openStore(folder, { readOnly: true })
    const { head } = intact
    await intact.close()
    let found = 0
    await fc.assert(
      fc.asyncProperty(fc.nat(bits - 1), async (bit) => {
        const undo = flip(path, bit)
        try {
          const store = await openStore(folder, { readOnly: true })
          const { valid, problems } = await store.verify({ anchor: head })
          if (!valid) {
            found++
            expect(problems[0]).toMatch(/record \d+|SQLite/)
          } else expect([store.head, store.model('m').aliases]).toEqual([head, { champion: 3 }])
          await store.close()
        } catch (error) {
          found++
          expect(String(error)).toMatch(/record \d+|log\.sqlite/)
        }
        undo()
      }),
      { seed: 7, numRuns: 150 },
    )
    expect(found).toBeGreaterThan(20)
  })

  it('ignores the rest of a write that was cut short, and goes on behind it', async () => {
    const folder = await made()
    const path = join(folder, 'log.txt')
    const last = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)!.length
    for (const cut of [2, 10, last - 70, last - 2]) {
      const bytes = readFileSync(path)
      truncateSync(path, bytes.length - cut)
      const store = await openStore(folder)
      expect(store.model('m').aliases.champion, `cut by ${cut}`).toBe(2)
      await store.model('m').promote(1, 'other', { reason: 'x' })
      const { clean, notes } = await store.fsck()
      expect([clean, notes.length]).toEqual([true, 1])
      await store.close()
      const again = await openStore(folder)
      expect(again.model('m').aliases).toEqual({ champion: 2, other: 1 })
      await again.close()
      writeFileSync(path, bytes)
    }
  })

  it('puts damaged blobs aside and fetches them, and missing ones, from a backup', async () => {
    const folder = await made()
    const store = await openStore(folder, { cacheBytes: 0 })
    const target = join(freshFolder(), 'backup')
    await store.backup(target)
    const backup = await openStore(target, { readOnly: true })
    const [first, second] = blobsOf(folder)
    flip(first!, 300)
    rmSync(second!)
    const without = await store.fsck({ repair: false })
    expect(without.problems.map(({ kind }) => kind).sort()).toEqual(['damaged-blob', 'missing-blob'])
    const repaired = await store.fsck({ repair: true, from: backup })
    expect([repaired.clean, repaired.problems.length]).toEqual([true, 2])
    expect((await store.fsck()).problems).toEqual([])
    for (const version of [1, 2, 3]) expect(await store.model('m').at(version).snapshot()).toEqual(weights(version))
    expect(readdirSync(join(folder, 'blobs', 'quarantine')).length).toBe(1)
    await backup.close()
    await store.close()
  })
})

describe('disks that fail', () => {
  /** File operations that fail at the n-th write or fsync, after half of the bytes. */
  const failing = (at: number, code: string, kind: 'write' | 'sync') => {
    let count = 0
    const error = (): Error => Object.assign(new Error(`${code}: injected`), { code })
    const files: FileOperations = {
      ...systemFiles,
      async write(file, bytes) {
        if (kind === 'write' && ++count === at) {
          await systemFiles.write(file, bytes.subarray(0, bytes.length >> 1))
          throw error()
        }
        await systemFiles.write(file, bytes)
      },
      async sync(file) {
        if (kind === 'sync' && ++count === at) throw error()
        await systemFiles.sync(file)
      },
    }
    return { files, reached: () => count >= at }
  }

  it.each([
    ['write', 'ENOSPC', 'DISK_FULL'],
    ['sync', 'EIO', 'STORE_IO'],
  ] as const)('keeps what was committed when a %s fails with %s, wherever', async (kind, code, expected) => {
    let reached = true
    let rounds = 0
    for (let at = 1; reached; at++) {
      const folder = await made()
      const faulty = failing(at, code, kind)
      const store: Store = await openStore(folder, { files: faulty.files })
      const model = store.model('m')
      const published = await codeOf(model.publish({ snapshot: weights(4), reason: 'x' }))
      const promoted = await codeOf(model.promote(1, 'champion', { reason: 'x' }))
      reached = faulty.reached()
      expect([published, promoted].includes(expected)).toBe(reached)
      if (reached) rounds++
      await store.close()

      const again = await openStore(folder)
      const after = again.model('m')
      expect(after.latest).toBeGreaterThanOrEqual(published === 'none' ? 4 : 3)
      if (promoted === 'none') expect(after.aliases.champion).toBe(1)
      else expect([1, 3]).toContain(after.aliases.champion)
      for (let version = 1; version <= after.latest; version++) {
        expect(await after.at(version).snapshot()).toEqual(weights(version))
      }
      expect((await again.fsck()).clean).toBe(true)
      await after.publish({ snapshot: weights(5), reason: 'It works again.' })
      await again.close()
    }
    expect(rounds).toBeGreaterThan(2)
  })

  it('forces a blob, its folder and then the record that names it to disk, in this order', async () => {
    const folder = freshFolder()
    const paths = new Map<number, string>()
    const done: string[] = []
    const short = (path: string): string =>
      path
        .slice(folder.length + 1)
        .replace(/[0-9a-f]{64}|[0-9a-f]{18}/, 'NAME')
        .replace(/\b[0-9a-f]{2}(?=$|\/)/, 'SHARD')
    const files: FileOperations = {
      ...systemFiles,
      async open(path, flags) {
        const file = await systemFiles.open(path, flags)
        paths.set(file, short(path))
        return file
      },
      async write(file, bytes) {
        await systemFiles.write(file, bytes)
        done.push(`write ${paths.get(file)}`)
      },
      async sync(file) {
        await systemFiles.sync(file)
        done.push(`sync ${paths.get(file)}`)
      },
      async rename(from, to) {
        await systemFiles.rename(from, to)
        done.push(`rename ${short(from)} ${short(to)}`)
      },
    }
    const store = await openStore(folder, { metadata: 'file', files })
    const model = store.model('m')
    // Files, whose hashes and so whose shards stay the same from release to release.
    const fileOf = (size: number) => ({ w: new Uint8Array(noise(size, size).buffer) })
    await model.publish({ files: fileOf(8), reason: 'x' })
    for (const size of [16, 40_000]) {
      done.length = 0
      await model.publish({ files: fileOf(size), reason: 'x' })
      expect(done.filter((step, i) => step !== done[i - 1])).toEqual([
        'write blobs/tmp/NAME',
        'sync blobs/tmp/NAME',
        // The shard is new.
        'sync blobs',
        'rename blobs/tmp/NAME blobs/SHARD/NAME',
        'sync blobs/SHARD',
        'write log.txt',
        'sync log.txt',
      ])
    }
    await store.close()
  })

  const kinds = hasSqlite() ? (['file', 'sqlite'] as const) : (['file'] as const)
  it.each(kinds)(
    'opens a read-only folder (%s) for reading, and says clearly that it cannot write',
    async (metadata) => {
      const folder = await made(metadata)
      const program = await bundled('reader.mts')
      const paths = [folder, ...readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)))]
      for (const path of paths) chmodSync(path, statSync(path).isDirectory() ? 0o555 : 0o444)
      const { stdout, stderr } = spawnSync(process.execPath, [program, folder], { encoding: 'utf8' })
      for (const path of paths) if (statSync(path).isDirectory()) chmodSync(path, 0o755)
      expect(stderr).toBe('')
      expect(JSON.parse(stdout)).toEqual([3, 'READ_ONLY', 'READ_ONLY', 'READ_ONLY'])
    },
  )
})
