import { type DenseParams, dense, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { MetaLearner, SetTensors, Weights } from '../learner.ts'
import { logWeights } from './attention.ts'
import { onePass } from './one-pass.ts'
import { checkCounts, checkVectors, readAnswers, type TargetOptions, toldTargets, weightsOf } from './sets.ts'

/** Options of {@link snail}. */
export interface SnailOptions extends TargetOptions {
  /** Features of a sample, ≥ 1. */
  inputs: number
  /** Support samples that the convolutions reach back over, ≥ 1; attention reaches all in any case. @default 32 */
  samples?: number
  /** Features that a convolution adds, ≥ 1. @default 32 */
  filters?: number
  /** Size of keys and values that an attention compares and adds, ≥ 1. @default 32 */
  width?: number
  /** Pairs of convolutions and attention, ≥ 1. @default 2 */
  layers?: number
}

type Attention = { readonly query: DenseParams; readonly key: DenseParams; readonly value: DenseParams }

interface SnailParams {
  readonly embed: DenseParams
  /** [2 · features, 2 · filters] each: now and `dilation` steps ago, to the candidate and its gate. */
  readonly convolutions: readonly (readonly DenseParams[])[]
  readonly attentions: readonly Attention[]
  readonly output: DenseParams
}

/** What a task owns, layer after layer. */
interface Heard {
  /** The support's features so many samples before its end, [T, 1, features], by dilation. */
  readonly past: readonly (readonly tf.Tensor[])[]
  readonly seen: readonly { readonly keys: tf.Tensor; readonly values: tf.Tensor }[]
  /** Logarithms of the samples' weights, [T, 1, n]. */
  readonly bias: tf.Tensor
}

/**
 * Makes SNAIL: dilated causal convolutions, which gather what went before, alternate with causal attention, which picks out what
 * matters, over the sequence of the support followed by the query. A convolution of dilation d adds features
 * tanh(x W₁) ∘ σ(x W₂) of x = [xₜ₋d, xₜ], d = 1, 2, 4, … until the support is spanned; an attention adds softmax(q kᵀ / √d) v.
 *
 * For supports whose order means something (bars of one regime in time order); {@link inContext} is invariant to order, has fewer
 * parameters and is the choice for sets. Adaptation is one pass, and each query is the next step after the support. Samples of weight 0
 * are taken out of the sequence; other weights count in attention.
 *
 * ```ts
 * import { snail } from '@regimen/meta'
 *
 * const learner = snail({ inputs: 13, ways: 6, samples: 30 })
 * learner.steps // => 1
 * ```
 *
 * Reference: Mishra, Rohaninejad, Chen and Abbeel 2018.
 */
export function snail(options: SnailOptions): MetaLearner {
  const where = 'meta/snail'
  const answers = readAnswers(where, options)
  const { inputs, samples = 32, filters = 32, width = 32, layers = 2 } = options
  checkCounts(where, { inputs, samples, filters, width, layers })
  const dilations = Array.from({ length: Math.ceil(Math.log2(samples + 1)) }, (_, i) => 2 ** i)
  const embed = dense({ inputs: inputs + answers.told, outputs: width })
  // Every part appends its features to what came in.
  const grown = filters * dilations.length + width
  const convolutions = Array.from({ length: layers }, (_, i) =>
    dilations.map((_, j) => dense({ inputs: 2 * (width + i * grown + j * filters), outputs: 2 * filters })),
  )
  const attentions = Array.from({ length: layers }, (_, i) =>
    dense({ inputs: width + (i + 1) * grown - width, outputs: width }),
  )
  const output = dense({ inputs: width + layers * grown, outputs: answers.outputs })

  const convolve = (layer: number, index: number, params: SnailParams, ago: tf.Tensor, now: tf.Tensor): tf.Tensor => {
    const net = convolutions[layer]![index]!
    const [candidate, gate] = tf.split(net.apply(params.convolutions[layer]![index]!, tf.concat([ago, now], -1)), 2, -1)
    return tf.concat([now, tf.mul(tf.tanh(candidate!), tf.sigmoid(gate!))], -1)
  }
  const read = (params: SnailParams, set: SetTensors): Heard => {
    checkVectors(where, set.x, inputs)
    const { order, present, weights } = flushEnd(weightsOf(set))
    const samples = tf.concat([set.x, toldTargets(where, answers, set.y)], -1)
    // What stands before the first sample is silence, at every depth.
    const quiet = (x: tf.Tensor): tf.Tensor => tf.mul(x, present)
    let x = quiet(embed.apply(params.embed, tf.matMul(order, samples)))
    const n = x.shape[1]!
    const bias = tf.expandDims(logWeights(weights), 1)
    const past: tf.Tensor[][] = []
    const seen: Heard['seen'][number][] = []
    attentions.forEach((attention, layer) => {
      past.push([])
      dilations.forEach((dilation, i) => {
        const ago = earlier(x, dilation)
        past[layer]!.push(ago.at)
        x = quiet(convolve(layer, i, params, ago.all, x))
      })
      const p = params.attentions[layer]!
      const [queries, keys, values] = [p.query, p.key, p.value].map((one) => attention.apply(one, x))
      const scores = tf.mul(tf.matMul(queries!, keys!, false, true), 1 / Math.sqrt(width))
      const mixed = tf.matMul(tf.softmax(tf.add(tf.add(scores, bias), later(n))), values!)
      x = quiet(tf.concat([x, mixed], -1))
      seen.push({ keys: keys!, values: values! })
    })
    return { past, seen, bias }
  }
  const answer = (params: SnailParams, own: Heard, inputsOf: tf.Tensor): tf.Tensor => {
    checkVectors(where, inputsOf, inputs)
    const [tasks, m] = inputsOf.shape as [number, number]
    const untold = tf.zeros([tasks, m, answers.told])
    let x = embed.apply(params.embed, tf.concat([inputsOf, untold], -1))
    attentions.forEach((attention, layer) => {
      dilations.forEach((_, i) => {
        const ago = own.past[layer]![i]!
        x = convolve(layer, i, params, tf.add(ago, tf.zeros([1, m, 1])), x)
      })
      const p = params.attentions[layer]!
      const [query, key, value] = [p.query, p.key, p.value].map((one) => attention.apply(one, x))
      const { keys, values } = own.seen[layer]!
      const toSupport = tf.add(tf.mul(tf.matMul(query!, keys, false, true), 1 / Math.sqrt(width)), own.bias)
      // As everything in the sequence, a query sees itself, too.
      const toItself = tf.mul(tf.sum(tf.mul(query!, key!), -1, true), 1 / Math.sqrt(width))
      const [support, itself] = tf.split(tf.softmax(tf.concat([toSupport, toItself], -1)), [keys.shape[1]!, 1], -1)
      x = tf.concat([x, tf.add(tf.matMul(support!, values), tf.mul(itself!, value!))], -1)
    })
    return output.apply(params.output, x)
  }
  return onePass({
    id: where,
    answers,
    config: { inputs, outputs: answers.outputs, samples, filters, width, layers },
    init: (rng): Weights => ({
      embed: embed.init(rng.split('embed')),
      convolutions: convolutions.map((list, i) =>
        list.map((net, j) => net.init(rng.split('convolution').split(i).split(j))),
      ),
      attentions: attentions.map((net, i) => {
        const own = rng.split('attention').split(i)
        return {
          query: net.init(own.split('query')),
          key: net.init(own.split('key')),
          value: net.init(own.split('value')),
        }
      }),
      output: output.init(rng.split('output')),
    }),
    read: (params, set) => read(params as unknown as SnailParams, set) as unknown as TensorTree,
    answer: (params, own, x) => answer(params as unknown as SnailParams, own as unknown as Heard, x),
  })
}

/**
 * Moves the samples that are there to the end of the sequence, in their order: `order` [T, n, n] does it, `present` [T, n, 1] and
 * `weights` [T, n] tell what stands at each place then.
 */
function flushEnd(weights: tf.Tensor): { order: tf.Tensor; present: tf.Tensor; weights: tf.Tensor } {
  const n = weights.shape[1]!
  const there = tf.cast(tf.greater(weights, 0), 'float32')
  // The last one goes to place n − 1, whoever follows k others from the end to n − 1 − k.
  const following = tf.tensor2d(
    Float32Array.from({ length: n * n }, (_, p) => (Math.floor(p / n) > p % n ? 1 : 0)),
    [n, n],
  )
  const place = tf.sub(n - 1, tf.matMul(there, following))
  const places = tf.reshape(tf.range(0, n), [1, n, 1])
  const order = tf.mul(tf.cast(tf.equal(places, tf.expandDims(place, 1)), 'float32'), tf.expandDims(there, 1))
  return {
    order,
    present: tf.sum(order, 2, true),
    weights: tf.squeeze(tf.matMul(order, tf.expandDims(weights, 2)), [2]),
  }
}

/** What was `back` samples earlier, silence before the first: for every sample, and for the one after the last. */
function earlier(x: tf.Tensor, back: number): { all: tf.Tensor; at: tf.Tensor } {
  const [tasks, n, features] = x.shape as [number, number, number]
  if (back >= n) {
    const at = back > n ? tf.zeros([tasks, 1, features]) : tf.slice(x, [0, 0, 0], [tasks, 1, features])
    return { all: tf.zerosLike(x), at }
  }
  const kept = tf.slice(x, [0, 0, 0], [tasks, n - back, features])
  return {
    all: tf.concat([tf.zeros([tasks, back, features]), kept], 1),
    at: tf.slice(x, [0, n - back, 0], [tasks, 1, features]),
  }
}

// Finite, as in `logWeights`, and larger: even where all that went before is silence the future stays out.
function later(n: number): tf.Tensor {
  const mask = Float32Array.from({ length: n * n }, (_, p) => (p % n > Math.floor(p / n) ? -4e9 : 0))
  return tf.tensor2d(mask, [n, n])
}
