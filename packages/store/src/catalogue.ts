import { RegimenError, type Tree } from '@regimen/core'
import type { BlobRef } from './blobs/blobs.ts'
import { dataOf, EMPTY_LOG, type LogHead, type LogRecord } from './log.ts'
import { announcedFormat, FORMAT, upgraded } from './migrations.ts'

/** One input or output of a model: a dtype and a shape, in which null stands for any length. */
export interface TensorSignature {
  readonly dtype: string
  readonly shape: readonly (number | null)[]
}

/** What goes into a model and what comes out, by name. */
export interface ModelSignature {
  readonly inputs: { readonly [name: string]: TensorSignature }
  readonly outputs: { readonly [name: string]: TensorSignature }
}

/** Which data a version was trained on. */
export interface TrainingData {
  /** Hash of the data: `hashTree(bars)`, a file's sha-256, … */
  readonly fingerprint: string
  /** UTC epoch milliseconds of the first bar. */
  readonly from?: number
  /** UTC epoch milliseconds of the last bar. */
  readonly to?: number
  /** Where it came from, for people. */
  readonly source?: string
}

/** Metrics by dataset and name: `{ validation: { sharpe: 1.2 } }`. */
export interface Metrics {
  readonly [dataset: string]: { readonly [metric: string]: number }
}

/** Result of a check that a person or a program ran on a version. */
export interface CheckResult {
  readonly passed: boolean
  readonly detail?: string
}

/** A published version: everything but `metrics` and `checks`, which `measure` may add to, is fixed for ever. */
export interface Version {
  readonly model: string
  /** Number within the model, from 1. */
  readonly version: number
  /** Number of the record in the log. */
  readonly seq: number
  /** UTC epoch milliseconds by the publisher's clock; order is by `version`. */
  readonly time: number
  readonly actor: string
  readonly reason: string
  /** The model itself; undefined for a version that consists of files only. */
  readonly snapshot: (BlobRef & { readonly id: string; readonly version: number; readonly library: string }) | undefined
  readonly files: { readonly [name: string]: BlobRef }
  /** Version of the training code: a commit, a package version. */
  readonly code: string | undefined
  readonly params: Tree
  readonly data: TrainingData | undefined
  readonly metrics: Metrics
  /** Metrics per sample (daily returns, losses per case), for paired tests. */
  readonly samples: { readonly [dataset: string]: { readonly [name: string]: BlobRef } }
  readonly checks: { readonly [name: string]: CheckResult }
  /** Versions that this one was trained from: `spy-direction@3`. */
  readonly parents: readonly string[]
  readonly tags: { readonly [name: string]: string }
  readonly signature: ModelSignature | undefined
  /** Versions of what it ran on: Node, packages, hardware. */
  readonly environment: { readonly [name: string]: string }
  /** The run that produced it. */
  readonly run: string | undefined
}

/** What the index keeps of a version in memory; the rest is read from the log when asked for. */
export interface VersionEntry {
  readonly seq: number
  readonly time: number
  /** Every blob that the version needs, and their sizes summed. */
  readonly blobs: readonly string[]
  readonly bytes: number
  readonly parents: readonly string[]
  /** Records of later measurements. */
  measures: number[]
  deleted: boolean
}

/** Where an alias points and how it came there. */
export interface AliasEntry {
  to: number | null
  /** Where it pointed before, oldest first: the way back. */
  trail: (number | null)[]
  /** Records that moved it. */
  moves: number[]
  /** Versions that it was rolled back from: automatic selection passes them over. */
  readonly fallen: Set<number>
  /** Time of the last move. */
  time: number
  protected: boolean
}

/** A split of traffic between versions. */
export interface Split {
  readonly arms: { readonly [arm: string]: SplitArm }
  /** Salt of the hash: with the same salt and arms every key keeps its arm, in every process. */
  readonly salt: string
}

/** One arm of a {@link Split}. */
export interface SplitArm {
  /** An alias or a version number. */
  readonly ref: string | number
  /** Share of the keys, relative to the other arms; 0 for a shadow. */
  readonly weight: number
  /** A shadow answers every request beside the chosen arm, and nobody acts on it. */
  readonly shadow?: boolean
}

export interface ModelEntry {
  readonly versions: VersionEntry[]
  readonly aliases: Map<string, AliasEntry>
  readonly splits: Map<string, Split>
}

/** How a run stands. */
export type RunStatus = 'running' | 'finished' | 'failed'

export interface RunEntry {
  readonly seq: number
  readonly experiment: string
  readonly chunks: BlobRef[]
  /** Blobs of what it produced. */
  readonly files: string[]
  endSeq: number | undefined
  status: RunStatus
}

/** The index in memory: what the log says, replayed. */
export interface Catalogue {
  head: LogHead
  /** Formats of the log, each from the record on that announces it. */
  readonly eras: { readonly from: number; readonly format: number }[]
  readonly models: Map<string, ModelEntry>
  readonly runs: Map<string, RunEntry>
}

export function emptyCatalogue(): Catalogue {
  return { head: EMPTY_LOG, eras: [], models: new Map(), runs: new Map() }
}

/** The format of the log at a record. */
export function formatAt({ eras }: Catalogue, seq: number): number {
  return eras.findLast(({ from }) => from <= seq)?.format ?? FORMAT
}

/** Advances the index by one record as it was written, and gives it in the layout of this release. Types that it does not know are events of others, kept in the log only. */
export function apply(catalogue: Catalogue, written: LogRecord): LogRecord {
  const record = upgraded(written, formatAt(catalogue, written.seq))
  const { seq, time, hash } = record
  const data = dataOf<RecordData>(record)
  switch (record.type) {
    case 'store/create':
    case 'store/migrate':
      catalogue.eras.push({ from: seq, format: announcedFormat(record) })
      break
    case 'store/publish': {
      const version = dataOf<Version>(record)
      const entry = modelOf(catalogue, version.model)
      if (entry.versions.length !== version.version - 1) throw inconsistent(record, 'numbers its version out of order')
      const refs = refsOf(version)
      entry.versions.push({
        seq,
        time,
        blobs: refs.map((ref) => ref.blob),
        bytes: refs.reduce((sum, ref) => sum + ref.size, 0),
        parents: version.parents ?? [],
        measures: NONE,
        deleted: false,
      })
      break
    }
    case 'store/measure': {
      const entry = modelOf(catalogue, data.model).versions[data.version - 1]
      if (!entry) throw inconsistent(record, 'measures a version that does not exist')
      if (entry.measures === NONE) entry.measures = []
      entry.measures.push(seq)
      break
    }
    case 'store/delete': {
      const entry = modelOf(catalogue, data.model).versions[data.version - 1]
      if (!entry) throw inconsistent(record, 'deletes a version that does not exist')
      entry.deleted = true
      break
    }
    case 'store/alias': {
      const { model, alias, from, to, rollback } = dataOf<AliasMove>(record)
      const entry = modelOf(catalogue, model)
      const target = to === null ? undefined : entry.versions[to - 1]
      const present = aliasOf(entry, alias)
      if (to !== null && (target === undefined || target.deleted)) throw inconsistent(record, 'points at no version')
      if (from !== present.to) throw inconsistent(record, 'moves an alias from where it is not')
      if (rollback) {
        present.trail.pop()
        if (from !== null) present.fallen.add(from)
      } else present.trail.push(from)
      present.to = to
      present.moves.push(seq)
      present.time = time
      break
    }
    case 'store/protect':
      aliasOf(modelOf(catalogue, data.model), data.alias).protected = data.protected
      break
    case 'store/split': {
      const { splits } = modelOf(catalogue, data.model)
      if (data.arms === null) splits.delete(data.split)
      else splits.set(data.split, { arms: data.arms, salt: data.salt })
      break
    }
    case 'store/run':
      catalogue.runs.set(data.run, {
        seq,
        experiment: data.experiment,
        chunks: [],
        files: [],
        endSeq: undefined,
        status: 'running',
      })
      break
    case 'store/steps':
      catalogue.runs.get(data.run)?.chunks.push({ blob: data.blob, size: data.size })
      break
    case 'store/run-end': {
      const run = catalogue.runs.get(data.run)
      if (!run) throw inconsistent(record, 'ends a run that did not start')
      run.endSeq = seq
      run.files.push(...Object.values(data.files ?? {}).map(({ blob }) => blob))
      run.status = data.status
      break
    }
  }
  catalogue.head = { seq, hash }
  return record
}

const NONE: number[] = []

/** What the store's own records hold, whatever their type; each has some of these. */
interface RecordData {
  readonly model: string
  readonly version: number
  readonly alias: string
  readonly protected: boolean
  readonly split: string
  readonly arms: Split['arms'] | null
  readonly salt: string
  readonly run: string
  readonly experiment: string
  readonly status: RunStatus
  readonly blob: string
  readonly size: number
  readonly files?: { readonly [name: string]: BlobRef }
}

/** Looks at typed, plain data as the tree that it is. */
export function asTree(value: object): Tree {
  return value as Tree
}

/** The data of an alias record. */
export interface AliasMove {
  readonly model: string
  readonly alias: string
  readonly from: number | null
  readonly to: number | null
  readonly rollback?: boolean
}

/** Every blob that a version refers to. */
export function refsOf(version: Pick<Version, 'snapshot' | 'files' | 'samples'>): BlobRef[] {
  return [
    ...(version.snapshot ? [version.snapshot] : []),
    ...Object.values(version.files ?? {}),
    ...Object.values(version.samples ?? {}).flatMap((byName) => Object.values(byName)),
  ]
}

function modelOf(catalogue: Catalogue, name: string): ModelEntry {
  let entry = catalogue.models.get(name)
  if (!entry) {
    entry = { versions: [], aliases: new Map(), splits: new Map() }
    catalogue.models.set(name, entry)
  }
  return entry
}

function aliasOf(model: ModelEntry, name: string): AliasEntry {
  let entry = model.aliases.get(name)
  if (!entry) {
    entry = { to: null, trail: [], moves: [], fallen: new Set(), time: Number.NEGATIVE_INFINITY, protected: false }
    model.aliases.set(name, entry)
  }
  return entry
}

function inconsistent(record: LogRecord, problem: string): RegimenError {
  return new RegimenError(`record ${record.seq} (${record.type}) ${problem}.`, {
    code: 'CORRUPT_LOG',
    where: 'store/log',
    hint: 'It was not written by this library; restore the store from a backup.',
  })
}
