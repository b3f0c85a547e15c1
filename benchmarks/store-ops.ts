import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { arrayLeaf, createRng, createSnapshot, encodeSnapshot, type Snapshot } from '@regimen/core'
import { type LogHead, type LogLine, openStore, type Store, sqliteMetadata } from '@regimen/store'
import { bench, type Figure, interleave, timing } from './harness.ts'

const WEIGHTS = 131_072
const ROUNDS = 40

export default bench({
  name: 'store-ops',
  description: 'Publishing 1 MB snapshots, moving aliases and loading, with 100 and 100,000 versions (--versions N)',
  async run(context) {
    const many = context.number('versions', 100_000)
    const figures: { [name: string]: Figure } = {}
    for (const versions of [100, many]) {
      const folder = mkdtempSync(join(tmpdir(), 'store-ops-'))
      try {
        context.log(`a store of ${versions} versions`)
        for (const [name, figure] of Object.entries(await measure(folder, versions)))
          figures[`${name}_at_${versions}`] = figure
      } finally {
        rmSync(folder, { recursive: true })
      }
    }
    const mlflow = await mlflowFigures(context)
    return { figures, peers: { mlflow } }
  },
})

/** Fills a store, then measures on top of it. */
async function measure(folder: string, versions: number): Promise<{ [name: string]: Figure }> {
  await fill(folder, versions)
  const openBegin = performance.now()
  let store = await openStore(folder)
  const openMs = performance.now() - openBegin
  const model = store.model('m')
  const rng = createRng(versions)
  const snapshots = Array.from({ length: ROUNDS + 5 }, (): Snapshot => {
    const w = arrayLeaf('float64', [WEIGHTS], rng.fillNormal(new Float64Array(WEIGHTS)))
    return createSnapshot({ id: 'bench/weights', version: 1, config: {}, state: { w } })
  })
  const bytes = encodeSnapshot(snapshots[0]!)
  let next = 0
  let bare = 0
  const raw = (): void => {
    const file = openSync(join(folder, `bare-${bare++}`), 'w')
    writeSync(file, bytes)
    fsyncSync(file)
    closeSync(file)
  }
  const { timings, ratios } = await interleave(
    {
      bare: raw,
      publish: () => model.publish({ snapshot: snapshots[next++]!, reason: 'A refit.' }),
      hash: () => createHash('sha256').update(bytes).digest(),
      floor: () => {
        // What no content-addressed store can go below: encode, hash, write, fsync.
        createHash('sha256').update(encodeSnapshot(snapshots[0]!)).digest()
        raw()
      },
    },
    { runs: ROUNDS, warmup: 5 },
  )
  const latest = model.latest
  const moves = await each(200, async (i) => {
    await model.promote(latest - (i % 20), 'champion', { reason: 'A better one.' })
  })
  const lookups = await each(200, async () => {
    await model.at('champion').number()
  })
  const warm = await each(60, async () => {
    await model.at(latest).snapshot()
  })
  const pages = await each(50, async (i) => {
    await model.list({ limit: 50, before: latest - i })
  })
  await store.close()
  store = await openStore(folder, { cacheBytes: 0 })
  const cold = await each(30, async (i) => {
    await store
      .model('m')
      .at(latest - i)
      .snapshot()
  })
  const gcMs = await collect(store)
  await store.close()
  const rate = (times: readonly number[], unit: string): Figure => {
    const { median, spread } = timing(times)
    return { value: 1_000 / median, unit, spread }
  }
  return {
    publish_per_s: rate(timings.publish.times, '1 MB/s'),
    fsync_ratio: { value: ratios.publish, note: 'publish over bare write + fsync' },
    sha256_ratio: { value: ratios.hash, note: 'sha-256 of the content alone, over bare write + fsync' },
    fsync_ratio_hashed: {
      value: timings.publish.median / timings.floor.median,
      note: 'publish over encode + sha-256 + write + fsync',
    },
    alias_moves_per_s: rate(moves, '1/s'),
    alias_lookup_ms: { value: timing(lookups).median, unit: 'ms', spread: timing(lookups).spread },
    loads_per_s_cold: rate(cold, '1/s'),
    loads_per_s_warm: rate(warm, '1/s'),
    page_ms: { value: timing(pages).median, unit: 'ms', note: '50 versions' },
    open_ms: { value: openMs, unit: 'ms' },
    gc_s: { value: gcMs / 1_000, unit: 's', note: 'half of the versions retired' },
  }
}

/**
 * Publishes small versions fast: a first one through the store, then copies of its record through the driver in batches, each
 * with a blob of its own.
 */
async function fill(folder: string, versions: number): Promise<void> {
  const store = await openStore(folder, { metadata: 'sqlite' })
  const publish = (i: number) =>
    store.model('m').publish({
      snapshot: createSnapshot({ id: 'bench/small', version: 1, config: {}, state: { i } }),
      metrics: { validation: { sharpe: i } },
      tags: { nightly: 'yes' },
      reason: 'A refit.',
    })
  await publish(0)
  const [record] = await store.records({ from: 2, limit: 1 })
  let head: LogHead = store.head
  await store.close()
  const { hash: _, ...template } = record!
  const metadata = sqliteMetadata(join(folder, 'log.sqlite'))
  for (let version = 2; version <= versions; ) {
    const lines: LogLine[] = []
    let end = head
    for (let i = 0; i < 2_000 && version <= versions; i++, version++) {
      const content = Buffer.concat([Buffer.from('RGMB\0'), Buffer.from(`blob ${version}`)])
      const blob = createHash('sha256').update(content.subarray(5)).digest('hex')
      const shard = join(folder, 'blobs', blob.slice(0, 2))
      if (version <= 10_000) mkdirSync(shard, { recursive: true })
      writeFileSync(join(shard, blob), content)
      const seq = end.seq + 1
      const snapshot = { ...(template.data.snapshot as object), blob, size: content.length - 5 }
      const data = { ...template.data, version, snapshot }
      const text = JSON.stringify({ ...template, seq, nonce: `fill-${version}`, data, prev: end.hash })
      lines.push({ seq, text, hash: createHash('sha256').update(text).digest('hex') })
      end = lines.at(-1)!
    }
    if (!(await metadata.append(lines, head))) throw new Error('somebody else wrote')
    head = { seq: end.seq, hash: end.hash }
  }
  await metadata.close()
}

async function collect(store: Store): Promise<number> {
  await store.retain({ keepLast: store.model('m').latest >> 1 })
  const begin = performance.now()
  await store.gc({ grace: 0 })
  return performance.now() - begin
}

async function each(times: number, work: (i: number) => Promise<void>): Promise<number[]> {
  const taken: number[] = []
  for (let i = 0; i < times; i++) {
    const begin = performance.now()
    await work(i)
    taken.push(performance.now() - begin)
  }
  return taken
}

interface Context {
  python<T>(script: string, options: object): Promise<{ absent: string } | { absent: undefined; value: T }>
}

async function mlflowFigures(context: Context): Promise<{ absent: string } | { [name: string]: number }> {
  const source = `import json, os, tempfile, time, mlflow
from mlflow.tracking import MlflowClient
folder = tempfile.mkdtemp()
client = MlflowClient(tracking_uri='file://' + folder, registry_uri='file://' + folder)
client.create_registered_model('m')
run = client.create_run('0')
path = os.path.join(folder, 'w.bin')
times, moves = [], []
for i in range(40):
    open(path, 'wb').write(os.urandom(1 << 20))
    begin = time.perf_counter()
    client.log_artifact(run.info.run_id, path, f'm{i}')
    client.create_model_version('m', f'{run.info.artifact_uri}/m{i}', run.info.run_id)
    times.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    client.set_registered_model_alias('m', 'champion', str(i + 1))
    moves.append(time.perf_counter() - begin)
times.sort(); moves.sort()
print(json.dumps({'publish_per_s': 1 / times[20], 'alias_moves_per_s': 1 / moves[20]}))`
  const answer = await context.python<{ [name: string]: number }>(source, { needs: ['mlflow'] })
  return answer.absent === undefined ? answer.value : { absent: answer.absent }
}
