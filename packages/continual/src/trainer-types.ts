import type { Clock, LongTaskOptions, Snapshot } from '@regimen/core'
import type { Fetched, Net, UpdateRule } from '@regimen/tensor'
import type { UpdateCost } from './metrics.ts'
import type { ReplayBuffer } from './replay/store.ts'
import type { TaskData } from './rows.ts'
import type { Strategy } from './strategy.ts'

/** Options of `openTrainer`. */
export interface TrainerOptions<P> {
  net: Net<P>
  /** Numbers in an input, or its shape. */
  inputs: number | readonly number[]
  /** Numbers that the net puts out: classes, or targets. */
  outputs: number
  /** How forgetting is prevented. @default {} (fine-tuning) */
  strategy?: Strategy
  /** Classes with cross-entropy, or numbers with squared error. @default 'softmax' */
  likelihood?: 'softmax' | 'gaussian'
  /** @default adam() */
  rule?: UpdateRule
  /** Learning rate, above 0. @default 1e-3 */
  rate?: number
  /** New samples in an update, ≥ 1. @default 32 */
  batchSize?: number
  /** Forget the rule's moments when a task begins. @default true */
  resetRule?: boolean
  /** @default 0 */
  seed?: number | string
  /** Parameters to start from. @default net.init */
  params?: Fetched<P>
  /** Measures what updates cost. @default systemClock */
  clock?: Clock
}

/** What came of an update. */
export interface StepReport {
  /** Loss on the new samples before the update. */
  readonly loss: number
  /** False where the update ended in NaN or infinity: nothing was changed. */
  readonly accepted: boolean
}

/** A net that learns one task after the other. */
export interface Trainer<P> {
  /** Tasks that were learned. */
  readonly tasks: number
  /** Samples set aside because a number in them was not finite. */
  readonly refused: number
  /** The memory of samples, where the strategy has one. */
  readonly replay: ReplayBuffer | undefined
  /** Bytes of parameters, moments, penalty and memories. */
  readonly bytes: number
  /** Memory, and what the updates so far have taken. */
  readonly cost: UpdateCost
  params(): Fetched<P>
  /** Learns a task in epochs and then consolidates it. */
  learn(
    task: TaskData,
    options?: LongTaskOptions & { epochs?: number },
  ): Promise<{ readonly loss: number; readonly updates: number }>
  /**
   * One update on at most `batchSize` samples, without any boundary: for streams. `keep` is asked with the new parameters in
   * place; where it says no the old ones return, and the samples are remembered all the same.
   */
  step(batch: TaskData, keep?: () => Promise<boolean>): Promise<StepReport>
  /** Protects what was learned up to here: measures importances on these samples and anchors the penalty. */
  consolidate(task: TaskData): Promise<void>
  /** The net's outputs, row-major. A task-incremental net needs the classes to choose from, or the number of a task it has learned. */
  predict(x: ArrayLike<number>, classes?: readonly number[] | number): Promise<Float32Array>
  /** Share of right classes. */
  accuracy(task: TaskData): Promise<number>
  /** Loss on samples, without learning. */
  loss(batch: TaskData): Promise<number>
  snapshot(): Snapshot
  /** Goes back to a snapshot of a trainer of the same options. */
  restore(snapshot: Snapshot): void
  dispose(): Promise<void>
}
