import { type Dimension, type Direction, RegimenError } from '@regimen/core'
import type { ParamValue } from './space.ts'

/** Plain data that can be attached to a study or a trial. */
export type Attribute = null | boolean | number | string | readonly Attribute[] | { readonly [key: string]: Attribute }

/** Where a trial stands. `waiting` ones were enqueued and have not started. */
export type TrialState = 'waiting' | 'running' | 'complete' | 'pruned' | 'failed'

/** A trial as data. */
export interface TrialRecord {
  readonly number: number
  readonly state: TrialState
  readonly params: { readonly [name: string]: ParamValue }
  readonly space: { readonly [name: string]: Dimension }
  /** One value an objective; absent unless complete. */
  readonly values: readonly number[] | undefined
  /** Feasible where none is above 0. */
  readonly violations: readonly number[]
  /** What was reported on the way, by step. */
  readonly reports: ReadonlyMap<number, number>
  readonly attributes: { readonly [key: string]: Attribute }
  /** Why it failed. */
  readonly error: string | undefined
  readonly worker: string
  /** UTC epoch milliseconds. */
  readonly started: number
  readonly finished: number | undefined
}

/**
 * One line of a study's history. A study is nothing but its entries in order: every process that reads the same entries has
 * the same study. The n-th `start` is trial n, which is why numbers can neither be given twice nor be lost.
 */
export type StudyEntry =
  | {
      readonly t: 'study'
      readonly format: 1
      readonly name: string
      readonly directions: readonly Direction[]
      readonly time: number
    }
  | { readonly t: 'start'; readonly worker: string; readonly key: number; readonly time: number }
  | {
      readonly t: 'params'
      readonly n: number
      readonly params: { readonly [name: string]: ParamValue }
      readonly space: { readonly [name: string]: Dimension }
    }
  | { readonly t: 'report'; readonly n: number; readonly step: number; readonly value: number | string }
  | {
      readonly t: 'finish'
      readonly n: number
      readonly state: 'complete' | 'pruned' | 'failed'
      readonly values?: readonly number[]
      readonly violations?: readonly number[]
      readonly error?: string
      readonly time: number
    }
  | {
      readonly t: 'queue'
      readonly params: { readonly [name: string]: ParamValue }
      readonly attributes: { readonly [key: string]: Attribute }
    }
  | { readonly t: 'attribute'; readonly n?: number; readonly key: string; readonly value: Attribute }
  | { readonly t: 'beat'; readonly worker: string; readonly time: number }
  | {
      readonly t: 'import'
      readonly params: { readonly [name: string]: ParamValue }
      readonly space: { readonly [name: string]: Dimension }
      readonly values: readonly number[]
      readonly violations: readonly number[]
      readonly attributes: { readonly [key: string]: Attribute }
      readonly time: number
    }

export type MutableTrial = {
  -readonly [K in keyof TrialRecord]: K extends 'params'
    ? { [name: string]: ParamValue }
    : K extends 'space'
      ? { [name: string]: Dimension }
      : K extends 'reports'
        ? Map<number, number>
        : K extends 'attributes'
          ? { [key: string]: Attribute }
          : TrialRecord[K]
}

/** What follows from the entries. */
export interface History {
  header: Extract<StudyEntry, { t: 'study' }> | undefined
  readonly trials: MutableTrial[]
  /** Running trials by number. */
  readonly running: Map<number, MutableTrial>
  readonly queue: { params: { readonly [name: string]: ParamValue }; attributes: { [key: string]: Attribute } }[]
  readonly attributes: { [key: string]: Attribute }
  /** Last sign of life of each worker. */
  readonly alive: Map<string, number>
}

export function emptyHistory(): History {
  return { header: undefined, trials: [], running: new Map(), queue: [], attributes: {}, alive: new Map() }
}

/** What an entry did: a trial that it started or finished, if any. */
export interface Change {
  readonly started?: MutableTrial
  readonly finished?: MutableTrial
}

const NOTHING: Change = {}

/** Applies one entry. The outcome depends on the entries alone, never on who reads them. */
export function applyEntry(history: History, entry: StudyEntry): Change {
  if (history.header === undefined && entry.t !== 'study') return foreign(`it begins with ${JSON.stringify(entry.t)}`)
  switch (entry.t) {
    case 'study':
      if (entry.format !== 1) return foreign(`its format is ${entry.format}, this release knows 1`)
      // Two processes may open a new study at once; the first header counts.
      history.header ??= entry
      return NOTHING
    case 'start': {
      const queued = history.queue.shift()
      const trial = createTrial(history.trials.length, entry.worker, entry.time)
      if (queued) {
        Object.assign(trial.attributes, queued.attributes)
        trial.attributes.fixed = queued.params
      }
      history.trials.push(trial)
      history.running.set(trial.number, trial)
      history.alive.set(entry.worker, Math.max(entry.time, history.alive.get(entry.worker) ?? entry.time))
      return { started: trial }
    }
    case 'params': {
      const trial = history.running.get(entry.n)
      if (trial) {
        Object.assign(trial.params, entry.params)
        Object.assign(trial.space, entry.space)
      }
      return NOTHING
    }
    case 'report':
      history.running.get(entry.n)?.reports.set(entry.step, Number(entry.value))
      return NOTHING
    case 'finish': {
      // Whoever finishes first wins: a trial that was given up as dead stays so.
      const trial = history.running.get(entry.n)
      if (!trial) return NOTHING
      history.running.delete(entry.n)
      trial.state = entry.state
      trial.values = entry.values
      trial.violations = entry.violations ?? []
      trial.error = entry.error
      trial.finished = entry.time
      return { finished: trial }
    }
    case 'queue':
      history.queue.push({ params: entry.params, attributes: { ...entry.attributes } })
      return NOTHING
    case 'attribute':
      if (entry.n === undefined) history.attributes[entry.key] = entry.value
      else if (history.trials[entry.n]) history.trials[entry.n]!.attributes[entry.key] = entry.value
      return NOTHING
    case 'beat':
      history.alive.set(entry.worker, Math.max(entry.time, history.alive.get(entry.worker) ?? entry.time))
      return NOTHING
    case 'import': {
      const trial = createTrial(history.trials.length, 'import', entry.time)
      Object.assign(trial.params, entry.params)
      Object.assign(trial.space, entry.space)
      Object.assign(trial.attributes, entry.attributes)
      trial.state = 'complete'
      trial.values = entry.values
      trial.violations = entry.violations
      trial.finished = entry.time
      history.trials.push(trial)
      return { started: trial, finished: trial }
    }
    default:
      return foreign(`it holds an entry of the unknown kind ${JSON.stringify((entry as { t?: unknown }).t)}`)
  }
}

function createTrial(number: number, worker: string, time: number): MutableTrial {
  return {
    number,
    state: 'running',
    params: {},
    space: {},
    values: undefined,
    violations: [],
    reports: new Map(),
    attributes: {},
    error: undefined,
    worker,
    started: time,
    finished: undefined,
  }
}

function foreign(why: string): never {
  throw new RegimenError(`the storage holds no study: ${why}.`, {
    code: 'FOREIGN_STUDY',
    where: 'bayes/study',
    hint: 'Pass a file that a study of this library wrote, or a new path.',
  })
}
