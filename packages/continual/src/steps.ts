import {
  type Compiled,
  compile,
  type Fetched,
  logSoftmax,
  meanSquaredError,
  softmaxCrossEntropy,
  type TensorLeaf,
  type UpdateRule,
  valueAndGradient,
} from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { FlatNet } from './flat.ts'
import { denseLayers } from './importance/kronecker.ts'
import { kroneckerPull } from './importance/kronecker-penalty.ts'

/** A batch inside a graph. `offsets` are added to the outputs, `weights` are 0 for padding. */
export interface Part<T = tf.Tensor> {
  readonly x: T
  readonly y: T
  readonly offsets: T
  readonly weights: T
}

/** Everything that a step may weigh beside the new samples; null leaves it out of the graph. */
export interface Beside {
  /** With `errors` the loss of each remembered sample comes back. */
  readonly labels: (Part & { weight: tf.Tensor; errors: boolean }) | null
  readonly logits: (Part & { weight: tf.Tensor; wanted: tf.Tensor }) | null
  /** `heads` [outputs, outputs] has ones where two outputs belong to the same softmax of the teacher. */
  readonly teacher: { vector: tf.Tensor; weight: tf.Tensor; temperature: tf.Tensor; heads: tf.Tensor } | null
}

/** What comes beside the gradient. */
interface Side {
  readonly loss: tf.Tensor
  readonly outputs: tf.Tensor
  readonly errors: tf.Tensor | null
}

type State = { readonly [slot: string]: tf.Tensor }
interface Pull {
  /** A number for each parameter, or the factors of each dense layer. */
  readonly importance: tf.Tensor | null
  readonly factors: readonly { readonly inputs: tf.Tensor; readonly outputs: tf.Tensor }[] | null
  readonly anchor: tf.Tensor
  readonly lambda: tf.Tensor
}

type Train = (
  vector: tf.Tensor,
  state: State,
  batch: Part,
  beside: Beside,
  pull: Pull | null,
  path: tf.Tensor | null,
  rate: tf.Tensor,
) => { vector: tf.Tensor; state: State; path: tf.Tensor | null } & Side
type Slope = (vector: tf.Tensor, batch: Part, beside: Beside) => { gradient: tf.Tensor } & Side
type Apply = (
  vector: tf.Tensor,
  state: State,
  gradient: tf.Tensor,
  rate: tf.Tensor,
) => { vector: tf.Tensor; state: State }
type Predict = (vector: tf.Tensor, x: tf.Tensor) => tf.Tensor

type CompiledAs<F extends (...args: never[]) => unknown> = Compiled<Parameters<F>, Fetched<ReturnType<F>>>

/** The graphs of a trainer. */
export interface Steps {
  /** A whole update in one graph. */
  readonly train: CompiledAs<Train>
  /** Its two halves, for gradients that are projected between them. */
  readonly slope: CompiledAs<Slope>
  readonly apply: CompiledAs<Apply>
  readonly predict: CompiledAs<Predict>
  dispose(): Promise<void>
}

/** The numbers of a float32 result. */
export function floats({ data }: TensorLeaf): Float32Array {
  if (data instanceof Float32Array) return data
  throw new TypeError(`the net must give float32 numbers, got ${data.constructor.name}.`)
}

/** The mean loss of a batch: cross-entropy, or half the squared error. */
export function batchLoss(
  outputs: tf.Tensor,
  { y, offsets, weights }: Part,
  likelihood: 'softmax' | 'gaussian',
): tf.Tensor {
  return likelihood === 'softmax'
    ? softmaxCrossEntropy(tf.add(outputs, offsets), tf.cast(tf.squeeze(y, [1]), 'int32'), { weights })
    : tf.mul(meanSquaredError(outputs, y, { weights }), 0.5)
}

/** Compiles the update: loss of the new samples, what stands beside it, the pull of the penalty, and the rule. */
export function compileSteps<P>(flat: FlatNet<P>, rule: UpdateRule, likelihood: 'softmax' | 'gaussian'): Steps {
  const outputsOf = (tree: P, part: Part): tf.Tensor => flat.net.apply(tree, part.x, { training: true })
  const lossOf = (outputs: tf.Tensor, part: Part): tf.Tensor => batchLoss(outputs, part, likelihood)
  /** The loss of each sample, without a gradient. */
  const eachLoss = (outputs: tf.Tensor, { y, offsets }: Part): tf.Tensor => {
    if (likelihood === 'gaussian') return tf.mul(tf.mean(tf.square(tf.sub(outputs, y)), -1), 0.5)
    const wanted = tf.oneHot(tf.cast(tf.squeeze(y, [1]), 'int32'), outputs.shape[1]!)
    return tf.neg(tf.sum(tf.mul(logSoftmax(tf.add(outputs, offsets)), tf.cast(wanted, 'float32')), -1))
  }
  const total = (vector: tf.Tensor, batch: Part, beside: Beside): [tf.Tensor, Side] => {
    const tree = flat.tree(vector)
    const outputs = outputsOf(tree, batch)
    const loss = lossOf(outputs, batch)
    let sum = loss
    const { labels, logits, teacher } = beside
    let errors: tf.Tensor | null = null
    if (labels) {
      const remembered = outputsOf(tree, labels)
      sum = tf.add(sum, tf.mul(labels.weight, lossOf(remembered, labels)))
      if (labels.errors) errors = eachLoss(remembered, labels)
    }
    if (logits) {
      const distance = meanSquaredError(outputsOf(tree, logits), logits.wanted, { weights: logits.weights })
      sum = tf.add(sum, tf.mul(logits.weight, distance))
    }
    if (teacher) {
      const before = outputsOf(flat.tree(teacher.vector), batch)
      const gap =
        likelihood === 'softmax'
          ? softened(outputs, before, batch.weights, teacher)
          : meanSquaredError(outputs, before, { weights: batch.weights })
      sum = tf.add(sum, tf.mul(teacher.weight, gap))
    }
    return [sum, { loss, outputs, errors }]
  }
  const pullOf = (vector: tf.Tensor, { importance, factors, anchor }: Pull): tf.Tensor => {
    const delta = tf.sub(vector, anchor)
    return importance ? tf.mul(importance, delta) : kroneckerPull(denseLayers(flat), delta, factors ?? [])
  }
  const slope: Slope = (vector, batch, beside) => {
    const { gradient, aux } = valueAndGradient((v: tf.Tensor) => total(v, batch, beside), vector)
    return { gradient, ...aux }
  }
  const train: Train = (vector, state, batch, beside, pull, path, rate) => {
    const { gradient, ...side } = slope(vector, batch, beside)
    const pulled = pull ? tf.add(gradient, tf.mul(pull.lambda, pullOf(vector, pull))) : gradient
    const next = rule.apply(vector, { gradients: pulled, state, rate })
    const walked = path && tf.sub(path, tf.mul(gradient, tf.sub(next.params, vector)))
    return { vector: next.params, state: next.state, path: walked, ...side }
  }
  const apply: Apply = (vector, state, gradient, rate) => {
    const next = rule.apply(vector, { gradients: gradient, state, rate })
    return { vector: next.params, state: next.state }
  }
  const predict: Predict = (vector, x) => flat.net.apply(flat.tree(vector), x)
  const all = {
    train: compile(train),
    slope: compile(slope),
    apply: compile(apply),
    predict: compile(predict, { maxSignatures: 64 }),
  }
  return {
    ...all,
    async dispose() {
      for (const one of Object.values(all)) await one.dispose()
    },
  }
}

/** T² times the cross-entropy of the softened outputs to the softened outputs from before, as a mean over the heads. */
function softened(
  outputs: tf.Tensor,
  before: tf.Tensor,
  weights: tf.Tensor,
  { temperature, heads }: { readonly temperature: tf.Tensor; readonly heads: tf.Tensor },
): tf.Tensor {
  const logP = (logits: tf.Tensor): tf.Tensor => {
    const cool = tf.div(logits, temperature) as tf.Tensor2D
    const low = tf.sub(cool, tf.max(cool, -1, true)) as tf.Tensor2D
    // A column of zeros (an output that is in no head) must not become log 0.
    return tf.sub(low, tf.log(tf.add(tf.matMul(tf.exp(low), heads as tf.Tensor2D), 1e-30)))
  }
  // Each head of k outputs holds k² ones, each of its outputs k of them: 1 / (k · heads) adds up to 1.
  const inHead = tf.minimum(tf.sum(heads, 0), 1)
  const share = tf.sum(tf.div(inHead, tf.maximum(tf.sum(heads, 0), 1)))
  const wanted = tf.mul(tf.exp(logP(before)), inHead)
  const each = tf.neg(tf.sum(tf.mul(wanted, logP(outputs)), -1))
  const mean = tf.div(tf.sum(tf.mul(each, weights)), tf.maximum(tf.sum(weights), 1e-12))
  return tf.div(tf.mul(tf.square(temperature), mean), tf.maximum(share, 1))
}
