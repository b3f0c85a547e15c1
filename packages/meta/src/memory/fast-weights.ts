import { check, describe } from '@regimen/core'
import { type DenseParams, dense, initialize, layerNorm, type NormParams, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { onePass } from '../context/one-pass.ts'
import { checkCounts, checkVectors, readAnswers, type TargetOptions, toldTargets, weightsOf } from '../context/sets.ts'
import type { MetaLearner, SetTensors } from '../learner.ts'

/** Options of {@link fastWeights}. */
export interface FastWeightsOptions extends TargetOptions {
  /** Features of a sample, ≥ 1. */
  inputs: number
  /** Hidden units, ≥ 1; a task owns a square matrix of them. @default 64 */
  hidden?: number
  /** How often a state is compared with the past before it counts, ≥ 1. @default 2 */
  settle?: number
  /** Share λ of the fast weights that a sample leaves, from 0 to 1. @default 0.95 */
  decay?: number
  /** Rate η at which a state is added to them, > 0. A larger one drowns the sample at hand in the past. @default 0.5 / hidden */
  rate?: number
}

interface FastParams {
  /** From the sample and its target. */
  readonly sample: DenseParams
  /** [hidden, hidden]: the slow recurrent weights. */
  readonly recurrent: tf.Tensor
  readonly norm: NormParams
  readonly output: DenseParams
}

/** What a task owns. */
type Trace = {
  /** Fast weights, [T, hidden, hidden]. */
  readonly fast: tf.Tensor
  /** State after the last sample, [T, hidden]. */
  readonly state: tf.Tensor
}

/**
 * Makes a recurrent net with fast weights: beside its slow recurrent weights W it has a matrix A that every state is written into,
 * A ← λ A + η h hᵀ, and that attracts new states to similar ones of the recent past,
 *
 *     h₀ = relu(W h + C x)   hₛ₊₁ = relu(norm(W h + C x + A hₛ)),   S times.
 *
 * So the support is remembered in a matrix of fixed size instead of a list. A query is a step without a target after the support. Of the
 * learners that read samples one by one the smallest; {@link mann} keeps single samples apart better. `adapted.observe` goes on from
 * where the support ended. A sample of weight 0 leaves no trace, one between 0 and 1 moves the state by that share, weights above 1
 * count as 1.
 *
 * ```ts
 * import { fastWeights } from '@regimen/meta'
 *
 * const learner = fastWeights({ inputs: 13, ways: 6 })
 * learner.steps // => 1
 * ```
 *
 * Reference: Ba, Hinton, Mnih, Leibo and Ionescu 2016.
 */
export function fastWeights(options: FastWeightsOptions): MetaLearner {
  const where = 'meta/fast-weights'
  const answers = readAnswers(where, options)
  const { inputs, hidden = 64, settle = 2, decay = 0.95, rate = 0.5 / hidden } = options
  checkCounts(where, { inputs, hidden, settle })
  check(decay >= 0 && decay <= 1, where, () => `decay must be from 0 to 1, got ${describe(decay)}.`)
  check(
    rate > 0 && rate < Number.POSITIVE_INFINITY,
    where,
    () => `rate must be finite and above 0, got ${describe(rate)}.`,
  )
  const sample = dense({ inputs: inputs + answers.told, outputs: hidden, initializer: 'heUniform' })
  const norm = layerNorm({ features: hidden })
  const output = dense({ inputs: hidden, outputs: answers.outputs })

  /** States [T, m, hidden] of m steps that each follow the trace. */
  const follow = (params: FastParams, { fast, state }: Trace, told: tf.Tensor): tf.Tensor => {
    const slow = tf.expandDims(tf.matMul(state, params.recurrent), 1)
    const drive = tf.add(sample.apply(params.sample, told), slow)
    let h = tf.relu(drive)
    // A is symmetric, so rows may be multiplied from the left.
    for (let s = 0; s < settle; s++) h = tf.relu(norm.apply(params.norm, tf.add(drive, tf.matMul(h, fast))))
    return h
  }
  const read = (params: FastParams, start: Trace, set: SetTensors): Trace => {
    checkVectors(where, set.x, inputs)
    const shares = set.weights && tf.unstack(tf.minimum(weightsOf(set), 1), 1)
    const told = tf.concat([set.x, toldTargets(where, answers, set.y)], -1)
    return tf.split(told, told.shape[1]!, 1).reduce<Trace>((trace, one, i) => {
      const h = follow(params, trace, one)
      const state = tf.squeeze(h, [1])
      const fast = tf.add(tf.mul(trace.fast, decay), tf.mul(tf.matMul(h, h, true, false), rate))
      if (!shares) return { fast, state }
      const moved = (old: tf.Tensor, next: tf.Tensor): tf.Tensor => {
        const share = tf.reshape(shares[i]!, [old.shape[0]!, ...old.shape.slice(1).map(() => 1)])
        return tf.add(old, tf.mul(share, tf.sub(next, old)))
      }
      return { fast: moved(trace.fast, fast), state: moved(trace.state, state) }
    }, start)
  }
  return onePass({
    id: where,
    answers,
    config: { inputs, outputs: answers.outputs, hidden, settle, decay, rate },
    init(rng) {
      const recurrent = initialize('zeros', [hidden, hidden], rng)
      // A twentieth of the identity, so that a ReLU net forgets gently at first.
      for (let i = 0; i < hidden; i++) recurrent.data[i * hidden + i] = 0.05
      return {
        sample: sample.init(rng.split('sample')),
        recurrent,
        norm: norm.init(rng),
        output: output.init(rng.split('output')),
      }
    },
    read(params, set) {
      const tasks = set.x.shape[0]!
      const start = { fast: tf.zeros([tasks, hidden, hidden]), state: tf.zeros([tasks, hidden]) }
      return read(params as unknown as FastParams, start, set)
    },
    answer(params, own, x) {
      checkVectors(where, x, inputs)
      const p = params as unknown as FastParams
      const untold = tf.concat([x, tf.zeros([...x.shape.slice(0, 2), answers.told])], -1)
      return output.apply(p.output, follow(p, own as Trace, untold))
    },
    absorb(params, own, set, keep): TensorTree {
      const { fast, state } = own as Trace
      return read(params as unknown as FastParams, { fast: tf.mul(fast, keep), state: tf.mul(state, keep) }, set)
    },
  })
}
