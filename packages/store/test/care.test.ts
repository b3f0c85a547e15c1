import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { manualClock } from '@regimen/core'
import { hasSqlite } from '@regimen/core/sqlite'
import { describe, expect, it } from 'vitest'
import { memoryBlobs, memoryMetadata, openStore } from '../src/index.ts'
import { FORMAT } from '../src/migrations.ts'
import { codeOf, freshFolder, noise, weights } from './support.ts'

const DAY = 86_400_000

async function open() {
  const clock = manualClock(100 * DAY)
  const blobs = memoryBlobs(clock)
  const store = await openStore({ metadata: memoryMetadata(), blobs }, { clock })
  return { store, model: store.model('m'), clock, blobs }
}

describe('retention and garbage collection', () => {
  it('frees what is neither recent nor needed, after the grace period, and tells first when asked', async () => {
    const { store, model, clock } = await open()
    for (let seed = 1; seed <= 8; seed++) {
      await model.publish({ snapshot: weights(seed), reason: 'x', parents: seed === 4 ? [1] : [] })
    }
    await model.promote(2, 'champion', { reason: 'x' })
    await model.promote(4, 'champion', { reason: 'x' })
    await model.split('s', { a: { ref: 5, weight: 1 } }, { reason: 'x' })
    expect(await codeOf(model.remove(4, { reason: 'x' }))).toBe('VERSION_IN_USE')
    expect(await codeOf(model.remove(1, { reason: 'x' }))).toBe('VERSION_IN_USE')
    expect(await codeOf(model.remove(5, { reason: 'x' }))).toBe('VERSION_IN_USE')
    // 7, 8: recent. 4: champion. 2: the way back. 1: parent of 4. 5: in a split.
    const policy = { keepLast: 2 }
    expect(await store.retain({ ...policy, dryRun: true })).toEqual(['m@3', 'm@6'])
    expect((await model.list()).length).toBe(8)
    expect(await store.retain(policy)).toEqual(['m@3', 'm@6'])
    expect(await store.retain(policy)).toEqual([])
    expect((await model.list()).map(({ version }) => version)).toEqual([8, 7, 5, 4, 2, 1])
    expect(await codeOf(model.at(3).info())).toBe('DELETED_VERSION')
    expect(await codeOf(model.promote(3, 'x', { reason: 'x' }))).toBe('DELETED_VERSION')

    expect(await store.gc()).toMatchObject({ removed: [], spared: 2 })
    clock.advance(2 * DAY)
    expect((await store.gc({ dryRun: true })).removed.length).toBe(2)
    expect((await store.gc()).removed.length).toBe(2)
    expect((await store.gc()).removed).toEqual([])
    for (const version of [1, 2, 4, 5, 7, 8]) expect(await model.at(version).snapshot()).toEqual(weights(version))
    expect((await store.fsck()).clean).toBe(true)
    // Equal content published anew is stored anew.
    expect((await model.publish({ snapshot: weights(3), reason: 'Again.' })).version).toBe(9)
    expect(await model.at(9).snapshot()).toEqual(weights(3))
  })

  it('spares a blob that a publish has found again', async () => {
    const { store, model, clock } = await open()
    await model.publish({ snapshot: weights(1), reason: 'x' })
    await model.publish({ snapshot: weights(2), reason: 'x' })
    await model.remove(1, { reason: 'x' })
    clock.advance(2 * DAY)
    await model.publish({ snapshot: weights(1), reason: 'Again.' })
    await model.remove(3, { reason: 'x' })
    expect(await store.gc()).toMatchObject({ removed: [], spared: 1 })
  })

  it.each(['a folder', 'memory'])('holds the quota in %s: over snapshots, files, streams and runs', async (where) => {
    const drivers = () => ({ metadata: memoryMetadata(), blobs: memoryBlobs() })
    const place = where === 'memory' ? drivers() : freshFolder()
    const store = await openStore(place, { quotaBytes: 3_000 })
    const model = store.model('m')
    await model.publish({ snapshot: weights(1, 200), reason: 'x' })
    const bytes = new Uint8Array(noise(2, 300).buffer)
    expect(await codeOf(model.publish({ snapshot: weights(2, 200), reason: 'x' }))).toBe('QUOTA_EXCEEDED')
    expect(await codeOf(model.publish({ files: { bytes }, reason: 'x' }))).toBe('QUOTA_EXCEEDED')
    expect(await codeOf(model.publish({ files: { bytes: inPieces(bytes) }, reason: 'x' }))).toBe('QUOTA_EXCEEDED')
    const run = await store.run('tune')
    expect(await codeOf(run.finish({ files: { bytes } }))).toBe('QUOTA_EXCEEDED')
    expect(model.latest).toBe(1)
    // What is there already takes no room, and what fits is let in.
    await model.publish({ snapshot: weights(1, 200), reason: 'Again.' })
    await model.publish({ files: { little: inPieces(bytes.subarray(0, 400)) }, reason: 'x' })
    expect(await model.at(3).file('little')).toEqual(bytes.slice(0, 400))
    const { clean, notes, blobs } = await store.fsck()
    expect([clean, notes, blobs]).toEqual([true, [], 2])
    await store.close()
  })
})

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100)
}

describe('backup', () => {
  it('copies a store in use, then only what is new, and the copy proves to be one', async () => {
    const store = await openStore(freshFolder())
    const model = store.model('m')
    const target = join(freshFolder(), 'backup')
    await model.publish({ snapshot: weights(1), reason: 'x' })
    const first = await store.backup(target)
    expect(first).toMatchObject({ records: 2, blobs: 1, head: store.head })
    await Promise.all([
      store.backup(target),
      model.publish({ snapshot: weights(2), reason: 'While it runs.' }),
      model.promote(1, 'champion', { reason: 'While it runs.' }),
    ])
    const last = await store.backup(target)
    expect(last.head).toEqual(store.head)

    const copy = await openStore(target)
    expect(copy.head).toEqual(store.head)
    expect(await copy.model('m').at(2).snapshot()).toEqual(weights(2))
    expect((await copy.fsck()).clean).toBe(true)
    // Once somebody has written to the copy it is a store of its own.
    await copy.model('m').promote(2, 'champion', { reason: 'x' })
    await copy.close()
    expect(await codeOf(store.backup(target))).toBe('NOT_A_COPY')
    for (const version of [1, 2, 1]) await model.promote(version, 'other', { reason: 'Longer than the copy.' })
    expect(await codeOf(store.backup(target))).toBe('NOT_A_COPY')
    await store.close()
  })
})

describe('formats', () => {
  /** A folder with the log that a release of an earlier format wrote. */
  const written = (format: number): string => {
    const folder = freshFolder()
    writeFileSync(join(folder, 'store.json'), '{"format":1,"metadata":"file"}\n')
    writeFileSync(join(folder, 'log.txt'), readFileSync(new URL(`./fixtures/store-v${format}.txt`, import.meta.url)))
    return folder
  }

  it.each(Array.from({ length: FORMAT + 1 }, (_, format) => format))('reads format %i as it is', async (format) => {
    const store = await openStore(written(format), { readOnly: true })
    const model = store.model('m')
    expect(store.models()).toEqual(['m'])
    expect(model.aliases).toEqual({ champion: 1 })
    expect((await model.list()).map(({ reason }) => reason)).toEqual(['Second.', 'First.'])
    expect((await model.history('champion')).map(({ from, to, rollback }) => [from, to, rollback])).toEqual([
      [null, 1, false],
      [1, 2, false],
      [2, 1, true],
    ])
    expect(await codeOf(model.at(1).snapshot())).toBe('MISSING_BLOB')
    const { valid, records } = await store.verify()
    expect([valid, records]).toEqual([true, format === 0 ? 8 : 6])
    await store.close()
  })

  it('migrates format 0 forward, and leaves what was written then as it was', async () => {
    const folder = written(0)
    const before = readFileSync(join(folder, 'log.txt'))
    for (let round = 0; round < 2; round++) {
      const store = await openStore(folder)
      // One record says so, however often the store is opened.
      expect((await store.records({ from: 9 })).map(({ type, data }) => [type, data])).toEqual([
        ['store/migrate', { format: 1 }],
      ])
      await store.close()
    }
    const store = await openStore(folder)
    const model = store.model('m')
    expect(await model.at(2).info()).toMatchObject({
      metrics: { validation: { sharpe: 0.75, drawdown: 0.125 } },
      parents: ['m@1'],
      files: {},
      checks: {},
    })
    expect(model.lineage(2)).toEqual(['m@1'])
    const [event] = await store.records({ from: 8, limit: 1 })
    expect(event?.data).toEqual({ metrics: { p: 0.5 }, version: 9 })
    await model.publish({ snapshot: weights(3), metrics: { live: { sharpe: 1 } }, parents: [2], reason: 'Third.' })
    await model.promote(3, 'champion', { reason: 'Newest.' })
    await model.rollback('champion', { reason: 'Back.' })
    expect((await model.at(3).info()).metrics).toEqual({ live: { sharpe: 1 } })
    expect(model.aliases.champion).toBe(1)
    expect((await store.verify()).valid).toBe(true)
    await store.close()
    expect(readFileSync(join(folder, 'log.txt')).subarray(0, before.length).equals(before)).toBe(true)
  })

  it('refuses a store of a later release, and a manifest that is none', async () => {
    const metadata = memoryMetadata()
    const { chain, EMPTY_LOG } = await import('../src/log.ts')
    const data = { format: FORMAT + 1 }
    await metadata.append([chain({ type: 'store/create', time: 0, reason: 'x', data }, EMPTY_LOG, 'a', 'n')], EMPTY_LOG)
    expect(await codeOf(openStore({ metadata, blobs: memoryBlobs() }))).toBe('STORE_FORMAT')
    const folder = freshFolder()
    writeFileSync(join(folder, 'store.json'), '{"format":1,"metadata":"clay tablets"}')
    expect(await codeOf(openStore(folder))).toBe('CORRUPT_MANIFEST')
    expect(await codeOf(openStore(join(folder, 'none'), { readOnly: true }))).toBe('NO_STORE')
  })

  it.runIf(hasSqlite())('stays with the driver that a folder began with', async () => {
    const folder = freshFolder()
    const store = await openStore(folder, { metadata: 'file' })
    await store.model('m').publish({ snapshot: weights(1), reason: 'x' })
    await store.close()
    const again = await openStore(folder, { metadata: 'sqlite' })
    expect(again.models()).toEqual(['m'])
    await again.close()
  })
})
