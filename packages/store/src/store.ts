import { randomBytes } from 'node:crypto'
import { link, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, check, createEvent, describe, type EventSink, RegimenError, systemClock } from '@regimen/core'
import { hasSqlite } from '@regimen/core/sqlite'
import { openBlobs } from './blobs/blobs.ts'
import type { BlobDriver } from './blobs/driver.ts'
import { folderBlobs } from './blobs/folder.ts'
import { type BackupResult, copyStore } from './care/backup.ts'
import {
  checkStore,
  type FsckOptions,
  type FsckResult,
  type Verification,
  type VerifyOptions,
  verifyLog,
} from './care/fsck.ts'
import { collectGarbage, type GcOptions, type GcResult } from './care/gc.ts'
import { type RetentionPolicy, retain } from './care/retain.ts'
import { type Engine, openEngine } from './engine.ts'
import { codeOf, explained, type FileOperations, systemFiles, writeAtomically } from './files.ts'
import type { LogHead, LogRecord } from './log.ts'
import type { MetadataDriver } from './metadata/driver.ts'
import { fileMetadata } from './metadata/file.ts'
import { sqliteMetadata } from './metadata/sqlite.ts'
import { type Model, openModel } from './model.ts'
import { openReader } from './reader.ts'
import { type Run, type RunInfo, type RunOptions, readRun, readSteps, type StepMetrics, startRun } from './runs.ts'

/** Drivers of a store that is not a folder. */
export interface StoreDrivers {
  metadata: MetadataDriver
  blobs: BlobDriver
}

/** How {@link openStore} opens. */
export interface StoreOptions {
  /** Only reads. @default false */
  readOnly?: boolean
  /** Who acts, for the audit log: a person, a service. @default 'process PID' */
  actor?: string
  /** @default systemClock */
  clock?: Clock
  /** Where a new folder keeps its log. @default 'sqlite' where there is one, else 'file' */
  metadata?: 'sqlite' | 'file'
  /** Bytes of blobs that are held in memory. @default 67108864 (64 MiB) */
  cacheBytes?: number
  /** Stored bytes over which new content is refused. Counting them takes a listing of all blobs. @default no limit */
  quotaBytes?: number
  /** File operations of a folder, to inject faults in tests. @default the system's */
  files?: FileOperations
}

/** A versioned model store. It is an event sink: what is emitted joins the audit log. */
export interface Store extends EventSink {
  /** A model by name; it need not exist yet. */
  model(name: string): Model
  /** Names of the models that have versions, sorted. */
  models(): string[]
  /** Takes what other processes wrote. Reading methods do so by themselves. */
  refresh(): Promise<void>
  /** Starts a run of an experiment. */
  run(experiment: string, options?: RunOptions): Promise<Run>
  /** Ids of all runs, or of an experiment's, oldest first. */
  runs(experiment?: string): string[]
  runInfo(id: string): Promise<RunInfo>
  steps(id: string): AsyncIterable<StepMetrics>
  /** Waits until all emitted events are in the log; throws the first error that met one. */
  flush(): Promise<void>
  /** End of the audit log. */
  readonly head: LogHead
  /** Records of the audit log, from number `from` on. */
  records(options?: { from?: number; limit?: number }): Promise<LogRecord[]>
  /** The audit log as JSON lines, each with its hash. */
  exportLog(): AsyncIterable<string>
  /** Finds any altered, missing or reordered record. */
  verify(options?: VerifyOptions): Promise<Verification>
  /** Removes blobs that nothing needs. */
  gc(options?: GcOptions): Promise<GcResult>
  /** Marks old versions as deleted, sparing those that an alias, a split or a descendant needs. */
  retain(policy?: RetentionPolicy): Promise<string[]>
  /** Checks everything; repairs blobs from a backup. */
  fsck(options?: FsckOptions): Promise<FsckResult>
  /** Copies the store, while it is in use, to a folder (or to drivers) that `openStore` opens; again: only what is new. */
  backup(target: string | StoreDrivers): Promise<BackupResult>
  /** Verified content of a blob by its sha-256. */
  bytes(blob: string): Promise<Uint8Array>
  close(): Promise<void>
}

const MANIFEST = 'store.json'

/**
 * Opens a versioned model store: a folder, made when it does not exist, or drivers (`postgresMetadata`, `s3Blobs`). Any number
 * of processes may have it open and write. Everything that happens is a record of a hash-chained log; versions never change,
 * aliases such as `champion` move by compare-and-swap with a reason, and every move can be undone.
 *
 * Gotchas: one log record is at most 1 MiB, so bulky data go into files of a version; opening replays the whole log, so keep
 * a store open; the folder must lie on a local disk, not on NFS.
 *
 * ```ts
 * import { mkdtemp } from 'node:fs/promises'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { createSnapshot } from '@regimen/core'
 * import { openStore } from '@regimen/store'
 *
 * const store = await openStore(join(await mkdtemp(join(tmpdir(), 'store-')), 'models'))
 * const model = store.model('spy-direction')
 * const snapshot = createSnapshot({ id: 'example/bias', version: 1, config: {}, state: { bias: 0.3 } })
 * const first = await model.publish({ snapshot, metrics: { validation: { sharpe: 1.1 } }, reason: 'First fit.' })
 * await model.promote(first.version, 'champion', { reason: 'There is no other.' })
 * await model.at('champion').load(({ state }) => state) // => { bias: 0.3 }
 * const { valid } = await store.verify()
 * valid // => true
 * await store.close()
 * ```
 */
export async function openStore(place: string | StoreDrivers, options: StoreOptions = {}): Promise<Store> {
  const { readOnly = false, actor = `process ${process.pid}`, clock = systemClock } = options
  const { cacheBytes = 1 << 26, quotaBytes = Number.POSITIVE_INFINITY } = options
  check(cacheBytes >= 0, 'store', () => `cacheBytes must be at least 0, got ${describe(cacheBytes)}.`)
  check(quotaBytes > 0, 'store', () => `quotaBytes must be above 0, got ${describe(quotaBytes)}.`)
  check(typeof actor === 'string' && actor !== '', 'store', () => `actor must be a name, got ${describe(actor)}.`)
  const drivers = typeof place === 'string' ? await openFolder(place, options) : place
  let engine: Engine
  try {
    const blobs = openBlobs(drivers.blobs, quotaBytes)
    engine = await openEngine({ metadata: drivers.metadata, blobs, clock, actor, readOnly })
  } catch (error) {
    await drivers.metadata.close().catch(() => {})
    throw error
  }
  const reader = openReader(engine, { cacheBytes })
  const pending = new Set<Promise<unknown>>()
  let failure: unknown

  return {
    model: (name) => openModel(name, engine, reader),
    models: () =>
      [...engine.catalogue.models]
        .filter(([, { versions }]) => versions.length > 0)
        .map(([name]) => name)
        .sort(),
    refresh: () => engine.refresh(),
    run: (experiment, runOptions = {}) => startRun(engine, experiment, runOptions),
    runs: (experiment) =>
      [...engine.catalogue.runs]
        .filter(([, run]) => experiment === undefined || run.experiment === experiment)
        .map(([id]) => id),
    runInfo: (id) => readRun(engine, id),
    steps: (id) => readSteps(engine, id),
    emit(event) {
      check(
        !event.type.startsWith('store/'),
        'store/emit',
        () => `events of type ${describe(event.type)} are the store's own.`,
        'Emit under your own package: mine/decision.',
      )
      const checked = createEvent(event)
      const written = engine
        .commit(() => [checked])
        .catch((error: unknown) => {
          failure ??= error
        })
      pending.add(written)
      void written.then(() => pending.delete(written))
    },
    async flush() {
      await Promise.all(pending)
      const error = failure
      failure = undefined
      if (error !== undefined) throw error
    },
    get head() {
      return engine.catalogue.head
    },
    records: ({ from = 1, limit = 1_000 } = {}) => engine.records(from, limit),
    async *exportLog() {
      for (let from = 1; ; ) {
        const records = await engine.records(from, 1_000)
        for (const record of records) yield JSON.stringify(record)
        if (records.length < 1_000) return
        from += records.length
      }
    },
    verify: (verifyOptions) => verifyLog(engine, verifyOptions),
    gc: (gcOptions) => collectGarbage(engine, gcOptions),
    retain: (policy) => retain(engine, policy),
    fsck: (fsckOptions) => checkStore(engine, fsckOptions),
    async backup(target) {
      if (typeof target !== 'string') return copyStore(engine, target)
      // A plain file needs no SQLite wherever the backup is opened one day.
      const opened = await openFolder(target, { metadata: 'file' })
      try {
        return await copyStore(engine, opened)
      } finally {
        await opened.metadata.close()
      }
    },
    bytes: (blob) => engine.blobs.get(blob),
    async close() {
      await Promise.all(pending)
      await engine.close()
      if (failure !== undefined) throw failure
    },
  }
}

/** Finds out, or decides for good, which driver keeps the log of a folder. */
async function openFolder(folder: string, options: StoreOptions): Promise<StoreDrivers> {
  check(folder !== '', 'store', () => 'the folder must have a name.')
  const { readOnly = false, files = systemFiles } = options
  const kind = (await readManifest(folder)) ?? (readOnly ? absent(folder) : await writeManifest(folder, options, files))
  const metadata =
    kind === 'sqlite'
      ? sqliteMetadata(join(folder, 'log.sqlite'), { readOnly })
      : fileMetadata(join(folder, 'log.txt'), { readOnly, files })
  return { metadata, blobs: folderBlobs(join(folder, 'blobs'), { files }) }
}

async function readManifest(folder: string): Promise<'sqlite' | 'file' | undefined> {
  let text: string
  try {
    text = await readFile(join(folder, MANIFEST), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw explained(error, 'store', `${folder} cannot be opened`)
  }
  const problem = (what: string): RegimenError =>
    new RegimenError(`${join(folder, MANIFEST)} ${what}.`, {
      code: 'CORRUPT_MANIFEST',
      where: 'store',
      hint: 'It should read {"format":1,"metadata":"sqlite"} or {"format":1,"metadata":"file"}.',
    })
  let manifest: { format?: unknown; metadata?: unknown }
  try {
    manifest = JSON.parse(text) as typeof manifest
  } catch {
    throw problem('is not JSON')
  }
  if (manifest.metadata !== 'sqlite' && manifest.metadata !== 'file') {
    throw problem(`names the unknown metadata driver ${describe(manifest.metadata)}`)
  }
  return manifest.metadata
}

async function writeManifest(folder: string, options: StoreOptions, files: FileOperations): Promise<'sqlite' | 'file'> {
  const kind = options.metadata ?? (hasSqlite() ? 'sqlite' : 'file')
  const draft = join(folder, `${MANIFEST}.${randomBytes(6).toString('hex')}`)
  try {
    await files.mkdir(folder)
    const text = `${JSON.stringify({ format: 1, metadata: kind })}\n`
    await writeAtomically(files, `${draft}.tmp`, [Buffer.from(text)], async () => draft)
    // Of several processes that open a new folder at once, the first decides.
    await link(draft, join(folder, MANIFEST)).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
    await unlink(draft)
  } catch (error) {
    throw explained(error, 'store', `${folder} cannot be made a store`)
  }
  return (await readManifest(folder)) ?? kind
}

function absent(folder: string): never {
  throw new RegimenError(`${folder} holds no store.`, {
    code: 'NO_STORE',
    where: 'store',
    hint: 'Open it without { readOnly: true } to make one.',
  })
}
