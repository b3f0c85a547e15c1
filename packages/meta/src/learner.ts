import type { Rng } from '@regimen/core'
import type { LossOptions, NetContext, TensorLeaf, TensorTree, UpdateRule } from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'

/** Parameters as plain data: any arrangement of records and lists. */
export type Weights = TensorLeaf | readonly Weights[] | { readonly [name: string]: Weights }

/** What a meta-learner needs of a net; every net of `@regimen/tensor` is one. */
export interface MetaNet {
  init(rng: Rng): unknown
  apply(params: TensorTree, x: tf.Tensor, context?: NetContext): tf.Tensor
}

/** A loss as `@regimen/tensor` has them: mean over samples by weight, or one number a task. */
export type TaskLoss = (prediction: tf.Tensor, target: tf.Tensor, options: LossOptions) => tf.Tensor

/** Samples inside a compiled function, [T, n, …], or [n, …] without a task axis. */
export interface SetTensors {
  readonly x: tf.Tensor
  readonly y: tf.Tensor
  readonly weights: tf.Tensor | null
}

/** What may change from one meta-iteration to the next without compiling anew; `secondOrder` has a graph for each value. */
export interface Controls {
  /** Factor on the inner step: the rate itself, or the scale of learned rates. */
  readonly innerRate: tf.Tensor
  /** Weight of the query loss after each inner step, [steps]. */
  readonly stepWeights: tf.Tensor
  readonly secondOrder: boolean
}

/** What one pass over a batch of tasks gives. */
export interface MetaGradient {
  /** Mean query loss after adaptation. */
  readonly loss: tf.Tensor
  /** A tree of the form of the parameters. */
  readonly gradient: TensorTree
  /** Share of inner gradients that were cut to the bound, 0 to 1. */
  readonly bounded: tf.Tensor
  /** New values of batch norm's running statistics, by their path in the parameters; they follow no gradient. */
  readonly statistics: { readonly [path: string]: tf.Tensor }
}

/** An adaptation: what the task owns after 0, 1, … steps. */
export interface Adaptation {
  /** The task's own parameters after each number of steps; the last is the result. */
  readonly path: readonly TensorTree[]
  readonly bounded: tf.Tensor
}

/** How {@link MetaLearner.adapt} is to run. */
export interface AdaptationSettings {
  readonly steps: number
  readonly innerRate: tf.Tensor
  /** Length of the leading task axis; absent for a single task without one. */
  readonly tasks?: number
}

/** How {@link MetaLearner.predict} is to run. */
export interface PredictSettings {
  readonly tasks: boolean
  readonly steps: number
}

/** Values that a schedule gives for one iteration. */
export interface IterationControls {
  readonly stepWeights: Float32Array
  readonly secondOrder: boolean
}

/**
 * A way of learning to adapt, as pure functions over parameter trees: everything else (training, evaluation, adaptation,
 * tuning, snapshots) is common to all of them.
 */
export interface MetaLearner {
  /** Registered name, `meta/maml`. */
  readonly id: string
  /** What the learner was configured with, as plain data, kept in snapshots. */
  readonly config: { readonly [name: string]: string | number | boolean }
  /** Inner steps in training, and the default of `adapt`. */
  readonly steps: number
  /** Inner rate in training, and the default of `adapt`; 1 where rates are learned. */
  readonly innerRate: number
  readonly loss: TaskLoss
  /** Classes that it can tell apart: labels at or above are an error. Absent for regression, or where the net decides. */
  readonly ways?: number
  /** Reads supports that describe their classes instead of holding samples. @default false */
  readonly describes?: boolean
  /** Updates the meta-parameters. @default Adam */
  readonly rule?: UpdateRule
  init(rng: Rng): Weights
  /** Controls of iteration `iteration` out of `iterations`. */
  controls(iteration: number, iterations: number): IterationControls
  metaGradient(
    params: TensorTree,
    batch: { readonly support: SetTensors; readonly query: SetTensors },
    controls: Controls,
  ): MetaGradient
  adapt(params: TensorTree, support: SetTensors, settings: AdaptationSettings): Adaptation
  /**
   * The net's output with what a task owns after so many inner steps; `tasks` says that inputs and own parameters have the task
   * axis.
   */
  predict(params: TensorTree, own: TensorTree, x: tf.Tensor, at: PredictSettings): tf.Tensor
  /** Loss on the support itself; absent where `predict` can read the support's inputs. */
  supportLoss?(params: TensorTree, own: TensorTree, support: SetTensors): tf.Tensor
  /**
   * Takes newly labelled samples into what a task owns, without gradients; what was known before keeps the share `keep` of its
   * weight. Absent where a task can only be adapted anew.
   */
  absorb?(params: TensorTree, own: TensorTree, set: SetTensors, keep: tf.Tensor): TensorTree
}
