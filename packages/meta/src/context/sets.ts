import { check, describe } from '@regimen/core'
import { softmaxCrossEntropy } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { SetTensors, TaskLoss } from '../learner.ts'

/** What a learner that reads support sets answers with. */
export interface TargetOptions {
  /** Classes of a task, ≥ 2; labels are 0 … ways − 1. Leave out for regression. */
  ways?: number
  /** Numbers of a target in regression, ≥ 1. @default 1 */
  targets?: number
  /** Numbers of a prediction, ≥ 1: more than targets where the loss wants a scale, too. @default ways, else targets */
  outputs?: number
  /** Judges predictions. @default softmaxCrossEntropy for classes; needed in regression */
  loss?: TaskLoss
}

/** {@link TargetOptions} with everything decided. */
export interface Answers {
  readonly ways: number | undefined
  /** Numbers that tell a sample's target: one a class, or the target itself. */
  readonly told: number
  readonly outputs: number
  readonly loss: TaskLoss
}

/** Reads and checks what a learner answers with. */
export function readAnswers(where: string, options: TargetOptions): Answers {
  const { ways, targets = 1, loss } = options
  check(
    ways === undefined || (Number.isInteger(ways) && ways >= 2),
    where,
    () => `ways must be an integer ≥ 2, got ${describe(ways)}.`,
  )
  const told = ways ?? targets
  const outputs = options.outputs ?? told
  checkCounts(where, { targets, outputs })
  check(
    ways === undefined || outputs === ways,
    where,
    () => `outputs must be the ${ways} ways where there are classes, got ${describe(outputs)}.`,
    'Leave outputs out.',
  )
  check(
    loss !== undefined || ways !== undefined,
    where,
    () => 'neither ways nor a loss is given.',
    'Pass { ways } for classes, or { targets, loss: meanSquaredError } for regression.',
  )
  return { ways, told, outputs, loss: loss ?? softmaxCrossEntropy }
}

/** Fails unless every number is a whole one of at least one. */
export function checkCounts(where: string, counts: { readonly [name: string]: number }): void {
  for (const [name, value] of Object.entries(counts)) {
    check(Number.isInteger(value) && value >= 1, where, () => `${name} must be an integer ≥ 1, got ${describe(value)}.`)
  }
}

/** Gives a set the task axis where it has none: [n, …] becomes [1, n, …]. */
export function withTaskAxis(set: SetTensors, tasks: boolean): SetTensors {
  if (tasks) return set
  const lift = (leaf: tf.Tensor): tf.Tensor => tf.expandDims(leaf, 0)
  return { x: lift(set.x), y: lift(set.y), weights: set.weights && lift(set.weights) }
}

/** Targets as numbers, [T, n, told]: classes one-hot. */
export function toldTargets(where: string, { ways, told }: Answers, y: tf.Tensor): tf.Tensor {
  if (ways !== undefined) return tf.cast(tf.oneHot(tf.cast(y, 'int32'), ways), 'float32')
  check(
    y.dtype === 'float32' && y.rank === 3 && y.shape[2] === told,
    where,
    () => `targets must be float32 with ${told} numbers a sample, got ${y.dtype} [${y.shape.join(', ')}].`,
    'Pass { targets } as the tasks have them, or { ways } for classes.',
  )
  return y
}

/** Weights of the samples, [T, n]: ones where there are none. */
export function weightsOf({ x, weights }: SetTensors): tf.Tensor {
  return weights ?? tf.ones([x.shape[0]!, x.shape[1]!])
}

/** Fails unless samples are vectors of so many numbers, [T, n, inputs]. */
export function checkVectors(where: string, x: tf.Tensor, inputs: number): void {
  check(
    x.rank === 3 && x.shape[2] === inputs,
    where,
    () => `samples must be vectors of ${inputs} numbers, got shape [${x.shape.slice(2).join(', ')}].`,
    'Set inputs to the number of features, or embed them first.',
  )
}
