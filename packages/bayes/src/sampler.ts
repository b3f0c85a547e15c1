import type { Dimension, Direction, Rng } from '@regimen/core'
import type { TrialRecord } from './entries.ts'
import type { Params, ParamValue } from './space.ts'

/** What a sampler sees of its study. */
export interface SamplerContext {
  readonly directions: readonly Direction[]
  /** All trials so far, by number. */
  readonly trials: readonly TrialRecord[]
  /** Those that are being evaluated now. */
  readonly running: Iterable<TrialRecord>
  /** Every parameter seen so far and its dimension. */
  readonly space: ReadonlyMap<string, Dimension>
  /** The stream of one trial; it depends on the study's seed, the number and the label only, so a resumed study continues. */
  rng(number: number, label?: string): Rng
}

/**
 * A sampler at work on one study. It hears of every start and finish in the storage's order, so that all processes that share
 * a study have the same sampler state.
 */
export interface SamplerSession {
  started?(trial: TrialRecord): void
  finished?(trial: TrialRecord): void
  /** Values decided together when a trial starts; names that the objective never asks for are ignored. */
  joint?(trial: TrialRecord): Params
  /** One value that was not decided at the start. */
  suggest(trial: TrialRecord, name: string, dimension: Dimension): ParamValue
}

/** A way to choose what is tried next; made by `tpe()`, `gp()`, `randomSampler()` and others. */
export interface Sampler {
  readonly name: string
  open(context: SamplerContext): SamplerSession
}

/** A rule that stops hopeless trials early. */
export interface Pruner {
  readonly name: string
  /** Whether the trial should stop, judged by what it and the others reported. `direction` says which values are better. */
  prune(trial: TrialRecord, context: PrunerContext): boolean
}

/** What a pruner sees. */
export interface PrunerContext {
  readonly direction: Direction
  readonly trials: readonly TrialRecord[]
}
