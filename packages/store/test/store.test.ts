import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createEvent, hashSnapshot, manualClock, restore, schema } from '@regimen/core'
import { describe, expect, it } from 'vitest'
import { folderBlobs, memoryBlobs, memoryMetadata, openStore, type Store, type StoreOptions } from '../src/index.ts'
import { codeOf, freshFolder, noise, weights } from './support.ts'

const inMemory = (options: StoreOptions = {}): Promise<Store> =>
  openStore({ metadata: memoryMetadata(), blobs: memoryBlobs(options.clock) }, options)

describe('publishing', () => {
  it('keeps everything that was said about a version, and gives the snapshot back bit for bit', async () => {
    const folder = freshFolder()
    const store = await openStore(folder, { actor: 'ann', clock: manualClock(1_700_000_000_000) })
    const run = await store.run('tune', { params: { grid: 3 } })
    const model = store.model('spy-direction')
    await model.publish({ snapshot: weights(1), reason: 'First.' })
    const published = await model.publish({
      snapshot: weights(2),
      reason: 'Refit on a month more.',
      code: 'a1b2c3',
      params: { lr: 0.01, layers: [8, 4] },
      data: { fingerprint: 'f'.repeat(64), from: 1, to: 2, source: 'SPY daily' },
      metrics: { validation: { sharpe: 1.25 } },
      checks: { 'no-leak': { passed: true } },
      parents: [1],
      tags: { team: 'vol' },
      signature: {
        inputs: { x: { dtype: 'float64', shape: [null, 16] } },
        outputs: { y: { dtype: 'float64', shape: [null] } },
      },
      environment: { node: '20' },
      run: run.id,
      files: { 'model.onnx': new Uint8Array([1, 2, 3]) },
    })
    await store.close()

    const again = await openStore(folder, { readOnly: true })
    const version = await again.model('spy-direction').at(2).info()
    expect(version).toEqual(published)
    expect(version).toMatchObject({
      model: 'spy-direction',
      version: 2,
      actor: 'ann',
      time: 1_700_000_000_000,
      reason: 'Refit on a month more.',
      code: 'a1b2c3',
      params: { lr: 0.01, layers: [8, 4] },
      parents: ['spy-direction@1'],
      metrics: { validation: { sharpe: 1.25 } },
      run: 'tune-1',
    })
    expect(hashSnapshot(await again.model('spy-direction').at(2).snapshot())).toBe(hashSnapshot(weights(2)))
    expect(await again.model('spy-direction').at(2).file('model.onnx')).toEqual(new Uint8Array([1, 2, 3]))
    const state = await again
      .model('spy-direction')
      .at(2)
      .load((snapshot) =>
        restore(snapshot, {
          id: 'example/linear',
          version: 1,
          state: schema.object({ seed: schema.integer(), w: schema.leaf('float64', [16]) }),
        }),
      )
    expect(state.state.seed).toBe(2)
    await again.close()
  })

  it('stores equal content once, and hands out copies', async () => {
    const blobs = memoryBlobs()
    const store = await openStore({ metadata: memoryMetadata(), blobs })
    const model = store.model('m')
    const a = await model.publish({ snapshot: weights(1), reason: 'a' })
    const b = await model.publish({ snapshot: weights(1), reason: 'b' })
    expect(b.snapshot?.blob).toBe(a.snapshot?.blob)
    const names: string[] = []
    for await (const { name } of blobs.list()) names.push(name)
    expect(names).toEqual([a.snapshot?.blob])
    const first = await model.at(1).snapshot()
    const second = await model.at(2).snapshot()
    ;(first as ReturnType<typeof weights>).state.w.data[0] = 99
    expect(second).toEqual(weights(1))
    expect(await model.at(1).snapshot()).toEqual(weights(1))
  })

  it('holds in memory what was used last, as far as there is room', async () => {
    const blobs = memoryBlobs()
    const read: string[] = []
    const counting = { ...blobs, read: (name: string) => blobs.read(read[read.push(name) - 1]!) }
    const store = await openStore({ metadata: memoryMetadata(), blobs: counting }, { cacheBytes: 2_000 })
    const model = store.model('m')
    // More than 667 and less than 1,000 bytes each: two fit, three do not.
    for (const seed of [1, 2, 3]) await model.publish({ snapshot: weights(seed, 64), reason: 'x' })
    for (const version of [1, 2, 1, 3, 1, 3, 2]) await model.at(version).snapshot()
    const names = (await model.list()).map(({ snapshot }) => snapshot!.blob).reverse()
    expect(read.map((name) => names.indexOf(name) + 1)).toEqual([1, 2, 3, 2])
  })

  it('stores anew what garbage collection took between finding it and naming it', async () => {
    const blobs = memoryBlobs()
    // A collector whose look at the blob's age came just before the touch.
    const touch = (name: string) => blobs.remove!(name)
    const store = await openStore({ metadata: memoryMetadata(), blobs: { ...blobs, touch } })
    const model = store.model('m')
    await model.publish({ snapshot: weights(1), reason: 'x' })
    await model.publish({ snapshot: weights(1), reason: 'Again.' })
    expect(await model.at(2).snapshot()).toEqual(weights(1))
  })

  it.each([
    ['compressible', new Uint8Array(400_000).fill(7), 0.1],
    ['noise', new Uint8Array(noise(3, 50_000).buffer), 1.01],
  ] as const)('stores %s bytes whole, streamed or not, under their sha-256', async (_, bytes, share) => {
    const folder = freshFolder()
    const store = await openStore(folder, { cacheBytes: 0 })
    const model = store.model('m')
    const stream = async function* () {
      for (let at = 0; at < bytes.length; at += 70_001) yield bytes.subarray(at, at + 70_001)
    }
    const { files } = await model.publish({ files: { whole: bytes }, reason: 'x' })
    const again = await model.publish({ files: { whole: bytes, streamed: stream() }, reason: 'x' })
    const hash = createHash('sha256').update(bytes).digest('hex')
    expect([files, again.files]).toEqual([
      { whole: { blob: hash, size: 400_000 } },
      { whole: { blob: hash, size: 400_000 }, streamed: { blob: hash, size: 400_000 } },
    ])
    expect(Buffer.compare(await model.at(2).file('streamed'), bytes)).toBe(0)
    const pieces: Uint8Array[] = []
    for await (const piece of model.at(2).stream('whole')) pieces.push(piece)
    expect(Buffer.compare(Buffer.concat(pieces), bytes)).toBe(0)
    expect(statSync(join(folder, 'blobs', hash.slice(0, 2), hash)).size).toBeLessThan(share * bytes.length)
    expect(readdirSync(join(folder, 'blobs', 'tmp'))).toEqual([])
    await store.close()
  })

  it('adds later measurements without changing what was published', async () => {
    const store = await inMemory()
    const model = store.model('m')
    await model.publish({ snapshot: weights(1), metrics: { validation: { loss: 0.5 } }, reason: 'a' })
    await model.measure(1, { metrics: { validation: { auc: 0.7 }, live: { loss: 0.6 } }, reason: 'A month of use.' })
    await model.measure(1, { checks: { audit: { passed: false, detail: 'No document.' } }, reason: 'Reviewed.' })
    const { metrics, checks } = await model.at(1).info()
    expect(metrics).toEqual({ validation: { loss: 0.5, auc: 0.7 }, live: { loss: 0.6 } })
    expect(checks).toEqual({ audit: { passed: false, detail: 'No document.' } })
    const [record] = await store.records({ from: 2, limit: 1 })
    expect(record?.data.metrics).toEqual({ validation: { loss: 0.5 } })
  })

  it('refuses what would not be usable later', async () => {
    const store = await inMemory()
    const model = store.model('m')
    expect(await codeOf(model.publish({ reason: 'nothing' }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(model.publish({ snapshot: weights(1), reason: ' ' }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(model.publish({ snapshot: weights(1), parents: [7], reason: 'x' }))).toBe('UNKNOWN_VERSION')
    expect(await codeOf(model.publish({ snapshot: weights(1), run: 'no-1', reason: 'x' }))).toBe('UNKNOWN_RUN')
    const nan = model.publish({ snapshot: weights(1), metrics: { v: { sharpe: Number.NaN } }, reason: 'x' })
    await expect(nan).rejects.toThrow('metrics.v.sharpe must be a finite number, got NaN')
    const giant = model.publish({ snapshot: weights(1), params: 'x'.repeat(2 ** 20), reason: 'x' })
    expect(await codeOf(giant)).toBe('METADATA_TOO_LARGE')
    expect(model.latest).toBe(0)
  })

  it('accepts no name that could leave the folder or fool JavaScript', async () => {
    const store = await inMemory()
    for (const name of ['', '..', '../x', 'a/b', 'a\\b', '.hidden', 'a\0b', '__proto__', 'ü', 'x'.repeat(129)]) {
      expect(() => store.model(name), name).toThrow('must be 1 to 128 letters')
      const files = Object.fromEntries([[name, new Uint8Array(1)]])
      if (name !== '__proto__')
        expect(await codeOf(store.model('m').publish({ files, reason: 'x' })), name).toBe('INVALID_ARGUMENT')
      expect(await codeOf(store.model('m').promote(1, name, { reason: 'x' })), name).toBe('INVALID_ARGUMENT')
    }
    const blobs = folderBlobs(freshFolder())
    for (const name of ['../../etc/passwd', `${'a'.repeat(62)}/.`, 'A'.repeat(64), '']) {
      expect(await codeOf(blobs.read(name)), name).toBe('INVALID_ARGUMENT')
      expect(await codeOf(blobs.write(name, new Uint8Array(1))), name).toBe('INVALID_ARGUMENT')
      expect(await codeOf(blobs.remove!(name)), name).toBe('INVALID_ARGUMENT')
    }
    for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
      const model = store.model(name)
      expect(model.aliases).toEqual({})
      await model.publish({ files: { [name]: new Uint8Array([7]) }, tags: { [name]: name }, reason: 'x' })
      await model.promote(1, name, { reason: 'x' })
      expect(await model.at(name).file(name)).toEqual(new Uint8Array([7]))
      expect(await codeOf(model.at(name).file('valueOf'))).toBe('NOT_IN_VERSION')
      expect(await codeOf(model.at('valueOf').info())).toBe('UNKNOWN_ALIAS')
    }
  })
})

describe('aliases', () => {
  const three = async (options: StoreOptions = {}) => {
    const store = await inMemory(options)
    const model = store.model('m')
    for (const seed of [1, 2, 3]) await model.publish({ snapshot: weights(seed), reason: `Seed ${seed}.` })
    return { store, model }
  }

  it('rolls back move by move, and moves on from where it came to', async () => {
    const { model } = await three()
    for (const version of [1, 2, 3]) await model.promote(version, 'champion', { reason: `To ${version}.` })
    expect((await model.rollback('champion', { reason: 'Worse.' })).version).toBe(2)
    expect((await model.rollback('champion', { reason: 'Worse still.' })).version).toBe(1)
    expect(await codeOf(model.rollback('champion', { reason: 'Before all.' }))).toBe('NO_EARLIER_VERSION')
    await model.promote(3, 'champion', { reason: 'Fixed.' })
    expect((await model.rollback('champion', { reason: 'Not fixed.' })).version).toBe(1)
    const history = await model.history('champion')
    expect(history.map(({ from, to, rollback }) => [from, to, rollback])).toEqual([
      [null, 1, false],
      [1, 2, false],
      [2, 3, false],
      [3, 2, true],
      [2, 1, true],
      [1, 3, false],
      [3, 1, true],
    ])
    expect(history[3]?.reason).toBe('Worse.')
  })

  it('moves only from where the caller believes it to be', async () => {
    const { model } = await three()
    await model.promote(1, 'champion', { reason: 'x', expect: null })
    expect(await codeOf(model.promote(2, 'champion', { reason: 'x', expect: null }))).toBe('ALIAS_MOVED')
    expect(await codeOf(model.promote(2, 'champion', { reason: 'x', expect: 3 }))).toBe('ALIAS_MOVED')
    await model.promote(2, 'champion', { reason: 'x', expect: 1 })
    expect(model.aliases).toEqual({ champion: 2 })
    await model.unset('champion', { reason: 'Nobody.' })
    expect(model.aliases).toEqual({})
    expect((await model.rollback('champion', { reason: 'Somebody.' })).version).toBe(2)
  })

  it('protects an alias from careless hands', async () => {
    const { model } = await three()
    await model.promote(1, 'champion', { reason: 'x' })
    await model.protect('champion', { reason: 'Live money.' })
    expect(await codeOf(model.promote(2, 'champion', { reason: 'x' }))).toBe('PROTECTED_ALIAS')
    expect(await codeOf(model.rollback('champion', { reason: 'x' }))).toBe('PROTECTED_ALIAS')
    await model.promote(2, 'champion', { reason: 'I am sure.', override: true })
    await model.protect('champion', { reason: 'Paper again.', protected: false })
    await model.promote(3, 'champion', { reason: 'x' })
    expect(model.aliases.champion).toBe(3)
  })

  it('keeps its order when the clock goes backwards', async () => {
    const clock = { now: () => now, monotonic: () => 0 }
    let now = 5_000
    const { store, model } = await three({ clock })
    await model.promote(1, 'champion', { reason: 'At 5 s.' })
    now = 1_000
    await model.promote(2, 'champion', { reason: 'At 1 s, later.' })
    await model.publish({ snapshot: weights(4), reason: 'x' })
    expect(model.aliases.champion).toBe(2)
    expect((await model.list()).map(({ version }) => version)).toEqual([4, 3, 2, 1])
    expect((await model.history('champion')).map(({ time }) => time)).toEqual([5_000, 1_000])
    expect((await store.verify()).valid).toBe(true)
  })

  it('tells watchers, also of what another process did', async () => {
    const folder = freshFolder()
    const [a, b] = [await openStore(folder), await openStore(folder)]
    const mine = a.model('m')
    await mine.publish({ snapshot: weights(1), reason: 'x' })
    await mine.publish({ snapshot: weights(2), reason: 'x' })
    const seen: (number | null)[] = []
    let told = (): void => {}
    const next = (): Promise<void> => new Promise((done) => (told = done))
    const stop = b.model('m').watch(
      'champion',
      (version) => {
        seen.push(version)
        told()
      },
      { interval: 5 },
    )
    for (const version of [1, 2]) {
      const heard = next()
      await mine.promote(version, 'champion', { reason: 'x' })
      await mine.promote(version, 'other', { reason: 'x' })
      await heard
    }
    stop()
    await mine.unset('champion', { reason: 'x' })
    await b.refresh()
    expect(seen).toEqual([1, 2])
    expect((await b.model('m').list()).map(({ version }) => version)).toEqual([2, 1])
    await a.close()
    await b.close()
  })
})

describe('a watcher that throws', () => {
  it('is told so, and the move stands', async () => {
    const store = await inMemory()
    const model = store.model('m')
    await model.publish({ snapshot: weights(1), reason: 'x' })
    const errors: unknown[] = []
    const broken = (): never => {
      throw new Error('The listener is broken.')
    }
    const stop = model.watch('champion', broken, { onError: (error) => errors.push(error) })
    await model.promote(1, 'champion', { reason: 'x' })
    stop()
    expect(errors.map(String)).toEqual(['Error: The listener is broken.'])
    expect(model.aliases).toEqual({ champion: 1 })
  })
})

describe('the catalogue', () => {
  it('pages, filters by tag and knows the family tree', async () => {
    const store = await inMemory()
    const model = store.model('m')
    for (let i = 1; i <= 7; i++) {
      await model.publish({
        snapshot: weights(i),
        reason: 'x',
        tags: { parity: i % 2 ? 'odd' : 'even' },
        parents: i > 2 ? [i - 1, i - 2] : [],
      })
    }
    await store.model('child').publish({ snapshot: weights(9), reason: 'x', parents: ['m@7'] })
    const numbers = async (options: Parameters<typeof model.list>[0]) =>
      (await model.list(options)).map(({ version }) => version)
    expect(await numbers({ limit: 3 })).toEqual([7, 6, 5])
    expect(await numbers({ limit: 3, before: 5 })).toEqual([4, 3, 2])
    expect(await numbers({ tags: { parity: 'odd' } })).toEqual([7, 5, 3, 1])
    expect(model.lineage(4)).toEqual(['m@3', 'm@2', 'm@1'])
    expect(model.lineage(6, 'descendants')).toEqual(['m@7', 'child@1'])
    expect(store.models()).toEqual(['child', 'm'])
  })

  it('keeps runs with their steps, diverging ones too', async () => {
    const store = await inMemory()
    const run = await store.run('tune', { params: { lr: 0.1 }, buffer: 2 })
    for (const [step, loss] of [3, Number.NaN, Number.POSITIVE_INFINITY, 0.5, -0.25].entries())
      await run.log(step, { loss })
    // Two chunks of two are in the log already, the fifth point is still held.
    expect((await store.records({ from: 3 })).map(({ type, data }) => [type, data.count])).toEqual([
      ['store/steps', 2],
      ['store/steps', 2],
    ])
    await run.finish({ metrics: { loss: -0.25 }, files: { 'trace.txt': new Uint8Array([1]) } })
    expect(await codeOf(run.log(9, { loss: 1 }))).toBe('RUN_ENDED')
    const failed = await store.run('tune')
    await failed.finish({ status: 'failed', reason: 'Out of memory.' })
    expect(store.runs('tune')).toEqual(['tune-1', 'tune-2'])
    const losses: number[] = []
    for await (const { metrics } of store.steps('tune-1')) losses.push(metrics.loss!)
    expect(losses).toEqual([3, Number.NaN, Number.POSITIVE_INFINITY, 0.5, -0.25])
    const info = await store.runInfo('tune-1')
    expect(info).toMatchObject({
      experiment: 'tune',
      status: 'finished',
      params: { lr: 0.1 },
      metrics: { loss: -0.25 },
    })
    expect(await store.bytes(info.files['trace.txt']!.blob)).toEqual(new Uint8Array([1]))
    expect(await store.runInfo('tune-2')).toMatchObject({ status: 'failed' })
  })

  it('takes the events of other packages into the audit log', async () => {
    const store = await inMemory({ actor: 'trader' })
    const inputs = { features: 'ab'.repeat(32) }
    store.emit(
      createEvent({ type: 'regimes/switch', time: 7, reason: 'Volatility doubled.', inputs, data: { to: 2, p: -0 } }),
    )
    await store.flush()
    const [record] = await store.records({ from: 2 })
    expect(record).toMatchObject({ seq: 2, actor: 'trader', type: 'regimes/switch', time: 7, inputs })
    expect(record?.data).toEqual({ to: 2, p: { $number: '-0' } })
    const lines: string[] = []
    for await (const line of store.exportLog()) lines.push(line)
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(['store/create', 'regimes/switch'])
    expect(() => store.emit({ type: 'store/alias', time: 0, reason: 'x', data: {} })).toThrow("are the store's own")
  })
})
