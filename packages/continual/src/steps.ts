import {
  type Compiled,
  compile,
  type Fetched,
  logSoftmax,
  meanSquaredError,
  softmaxCrossEntropy,
  type UpdateRule,
  valueAndGradient,
} from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { FlatNet } from './flat.ts'

/** A batch inside a graph. `offsets` are added to the outputs, `weights` are 0 for padding. */
export interface Part<T = tf.Tensor> {
  readonly x: T
  readonly y: T
  readonly offsets: T
  readonly weights: T
}

/** Everything that a step may weigh beside the new samples; null leaves it out of the graph. */
export interface Beside {
  readonly labels: (Part & { weight: tf.Tensor }) | null
  readonly logits: (Part & { weight: tf.Tensor; wanted: tf.Tensor }) | null
  readonly teacher: { vector: tf.Tensor; weight: tf.Tensor; temperature: tf.Tensor } | null
}

type State = { readonly [slot: string]: tf.Tensor }
interface Pull {
  readonly importance: tf.Tensor
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
) => { vector: tf.Tensor; state: State; loss: tf.Tensor; outputs: tf.Tensor; path: tf.Tensor | null }
type Slope = (
  vector: tf.Tensor,
  batch: Part,
  beside: Beside,
) => { loss: tf.Tensor; gradient: tf.Tensor; outputs: tf.Tensor }
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

/** Compiles the update: loss of the new samples, what stands beside it, the pull of the penalty, and the rule. */
export function compileSteps<P>(flat: FlatNet<P>, rule: UpdateRule, likelihood: 'softmax' | 'gaussian'): Steps {
  const outputsOf = (tree: P, part: Part): tf.Tensor =>
    tf.add(flat.net.apply(tree, part.x, { training: true }), part.offsets)
  const lossOf = (outputs: tf.Tensor, { y, weights }: Part): tf.Tensor =>
    likelihood === 'softmax'
      ? softmaxCrossEntropy(outputs, tf.cast(tf.squeeze(y, [1]), 'int32'), { weights })
      : tf.mul(meanSquaredError(outputs, y, { weights }), 0.5)
  const total = (
    vector: tf.Tensor,
    batch: Part,
    beside: Beside,
  ): [tf.Tensor, { loss: tf.Tensor; outputs: tf.Tensor }] => {
    const tree = flat.tree(vector)
    const outputs = outputsOf(tree, batch)
    const loss = lossOf(outputs, batch)
    let sum = loss
    const { labels, logits, teacher } = beside
    if (labels) sum = tf.add(sum, tf.mul(labels.weight, lossOf(outputsOf(tree, labels), labels)))
    if (logits) {
      const distance = meanSquaredError(flat.net.apply(tree, logits.x, { training: true }), logits.wanted, {
        weights: logits.weights,
      })
      sum = tf.add(sum, tf.mul(logits.weight, distance))
    }
    if (teacher) {
      const before = outputsOf(flat.tree(teacher.vector), batch)
      const gap =
        likelihood === 'softmax'
          ? softened(outputs, before, batch.weights, teacher.temperature)
          : meanSquaredError(outputs, before, { weights: batch.weights })
      sum = tf.add(sum, tf.mul(teacher.weight, gap))
    }
    return [sum, { loss, outputs }]
  }
  const slope: Slope = (vector, batch, beside) => {
    const { gradient, aux } = valueAndGradient((v: tf.Tensor) => total(v, batch, beside), vector)
    return { loss: aux.loss, gradient, outputs: aux.outputs }
  }
  const train: Train = (vector, state, batch, beside, pull, path, rate) => {
    const { loss, gradient, outputs } = slope(vector, batch, beside)
    const pulled = pull
      ? tf.add(gradient, tf.mul(pull.lambda, tf.mul(pull.importance, tf.sub(vector, pull.anchor))))
      : gradient
    const next = rule.apply(vector, { gradients: pulled, state, rate })
    const walked = path && tf.sub(path, tf.mul(gradient, tf.sub(next.params, vector)))
    return { vector: next.params, state: next.state, loss, outputs, path: walked }
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

/** T² times the cross-entropy of the softened outputs to the softened outputs from before. */
function softened(outputs: tf.Tensor, before: tf.Tensor, weights: tf.Tensor, temperature: tf.Tensor): tf.Tensor {
  const wanted = tf.exp(logSoftmax(tf.div(before, temperature)))
  const each = tf.neg(tf.sum(tf.mul(wanted, logSoftmax(tf.div(outputs, temperature))), -1))
  const mean = tf.div(tf.sum(tf.mul(each, weights)), tf.maximum(tf.sum(weights), 1e-12))
  return tf.mul(tf.square(temperature), mean)
}
