import * as tf from '@tensorflow/tfjs-core'
import { type InitializerName, initialize } from './initializers.ts'
import { affine, checkInput, checkSize, defineNet, type InnerContext, type Net } from './net.ts'

/** Options of {@link lstm} and {@link gru}. */
export interface RecurrentOptions {
  /** Features of each step, ≥ 1. */
  inputs: number
  /** Size of the hidden state, ≥ 1. */
  hidden: number
  /** Return the state after every step, [n, steps, hidden], instead of the last, [n, hidden]. @default false */
  sequences?: boolean
  /** Squashes the gates; Keras draws the cheap line clip(0.2 x + 0.5, 0, 1) by default. @default 'sigmoid' */
  gateActivation?: 'sigmoid' | 'hardSigmoid'
  /** How the input kernel is drawn. @default 'glorotUniform' */
  initializer?: InitializerName
  /** How the recurrent kernel is drawn. @default 'orthogonal' */
  recurrentInitializer?: InitializerName
}

/** Parameters of {@link lstm} and {@link gru}; the gates lie side by side in the last axis. */
export type RecurrentParams = {
  /** [inputs, gates · hidden] */
  kernel: tf.Tensor
  /** [hidden, gates · hidden] */
  recurrent: tf.Tensor
  /** [gates · hidden] */
  bias: tf.Tensor
}

/**
 * Makes a long short-term memory over inputs [n, steps, features]:
 *
 *     i, f, o = σ(x Wᵢ + h Uᵢ + bᵢ), …   g = tanh(x W_g + h U_g + b_g)   c ← f c + i g   h ← o tanh(c)
 *
 * The gates are stored in the order i, f, o, g, so that one sigmoid serves three, and the inputs of all steps are
 * projected in one product. The forget bias starts at 1. The recursion is unrolled: a compiled graph grows with the
 * steps.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { lstm } from '@regimen/tensor'
 *
 * const zero = { kernel: tf.zeros([1, 4]), recurrent: tf.zeros([1, 4]), bias: tf.tensor1d([0, 0, 0, 1]) }
 * // c = σ(0) tanh(1), h = σ(0) tanh(c)
 * lstm({ inputs: 1, hidden: 1 }).apply(zero, tf.zeros([1, 1, 1])).dataSync()[0] // ≈ 0.1816997
 * ```
 *
 * Reference: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 for the forget gate.
 */
export function lstm(options: RecurrentOptions): Net<RecurrentParams> {
  const { hidden } = options
  const squash = gateFunction(options)
  return recurrent('lstm', options, {
    gates: 4,
    bias: Float32Array.from({ length: 4 * hidden }, (_, i) => (i >= hidden && i < 2 * hidden ? 1 : 0)),
    run({ recurrent: kernel }, projections, zero) {
      const axis = zero.rank - 1
      let h: tf.Tensor | undefined
      let c: tf.Tensor | undefined
      return projections.map((projection) => {
        const gates = h ? tf.add(projection, tf.matMul(h, kernel)) : projection
        const [open, candidate] = tf.split(gates, [3 * hidden, hidden], axis)
        const [input, forget, output] = tf.split(squash(open!), 3, axis)
        const fresh = tf.mul(input!, tf.tanh(candidate!))
        c = c ? tf.add(tf.mul(forget!, c), fresh) : fresh
        h = tf.mul(output!, tf.tanh(c))
        return h
      })
    },
  })
}

/** Options of {@link gru}. */
export interface GruOptions extends RecurrentOptions {
  /**
   * Where the reset gate acts: after the recurrent product, n = tanh(x Wₙ + r (h Uₙ)), as PyTorch and cuDNN do, or before
   * it, n = tanh(x Wₙ + (r h) Uₙ), as in the paper.
   * @default true
   */
  resetAfter?: boolean
}

/**
 * Makes a gated recurrent unit over inputs [n, steps, features]:
 *
 *     z, r = σ(x W + h U + b)   n = tanh(x Wₙ + r (h Uₙ) + bₙ)   h ← (1 − z) n + z h
 *
 * Three quarters of an LSTM's parameters and often as good. Gates are stored in the order z, r, n.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { gru } from '@regimen/tensor'
 *
 * const params = { kernel: tf.zeros([1, 3]), recurrent: tf.zeros([1, 3]), bias: tf.tensor1d([0, 0, 1]) }
 * // h = (1 − σ(0)) tanh(1)
 * gru({ inputs: 1, hidden: 1 }).apply(params, tf.zeros([1, 1, 1])).dataSync()[0] // ≈ 0.3807971
 * ```
 *
 * Reference: Cho et al. 2014.
 */
export function gru(options: GruOptions): Net<RecurrentParams> {
  const { hidden, resetAfter = true } = options
  const squash = gateFunction(options)
  return recurrent('gru', options, {
    gates: 3,
    bias: new Float32Array(3 * hidden),
    run({ recurrent: kernel }, projections, zero) {
      const axis = zero.rank - 1
      const [kernelGates, kernelCandidate] = tf.split(kernel, [2 * hidden, hidden], axis)
      let h: tf.Tensor | undefined
      return projections.map((projection) => {
        const [gates, candidate] = tf.split(projection, [2 * hidden, hidden], axis)
        if (!h) {
          const update = tf.slice(
            squash(gates!),
            zero.shape.map(() => 0),
            zero.shape,
          )
          const fresh = tf.tanh(candidate!)
          h = tf.sub(fresh, tf.mul(update, fresh))
          return h
        }
        const before: tf.Tensor = h
        const [through, recalled] = resetAfter
          ? tf.split(tf.matMul(before, kernel), [2 * hidden, hidden], axis)
          : [tf.matMul(before, kernelGates!)]
        const [update, reset] = tf.split(squash(tf.add(gates!, through!)), 2, axis)
        const memory = recalled ? tf.mul(reset!, recalled) : tf.matMul(tf.mul(reset!, before), kernelCandidate!)
        const fresh = tf.tanh(tf.add(candidate!, memory))
        h = tf.add(fresh, tf.mul(update!, tf.sub(before, fresh)))
        return h
      })
    },
  })
}

function gateFunction({ gateActivation = 'sigmoid' }: RecurrentOptions): (x: tf.Tensor) => tf.Tensor {
  if (gateActivation === 'sigmoid') return (x) => tf.sigmoid(x)
  return (x) => tf.clipByValue(tf.add(tf.mul(x, 0.2), 0.5), 0, 1)
}

interface Cell {
  gates: number
  bias: Float32Array
  /** States after each step; `projections` are x W + b by step, the state before the first is zero. */
  run(params: RecurrentParams, projections: tf.Tensor[], zero: { rank: number; shape: number[] }): tf.Tensor[]
}

function recurrent(name: string, options: RecurrentOptions, cell: Cell): Net<RecurrentParams> {
  const { inputs, hidden, sequences = false } = options
  checkSize(`tensor/${name}`, 'inputs', inputs)
  checkSize(`tensor/${name}`, 'hidden', hidden)
  const width = cell.gates * hidden
  return defineNet<RecurrentParams>({
    init: (rng) => ({
      kernel: initialize(options.initializer ?? 'glorotUniform', [inputs, width], rng.split('kernel')),
      recurrent: initialize(options.recurrentInitializer ?? 'orthogonal', [hidden, width], rng.split('recurrent')),
      bias: { dtype: 'float32', shape: [width], data: cell.bias.slice() },
    }),
    taskAxis: ({ kernel }) => kernel.rank === 3,
    apply(params, x, { tasks }: InnerContext) {
      const { kernel, bias } = params
      checkInput(`tensor/${name}`, x, inputs, kernel.rank === 3 ? kernel.shape[0]! : undefined)
      // Shared parameters see tasks as a longer batch.
      const merged = tasks && kernel.rank === 2
      const batch = merged ? tf.reshape(x, [-1, ...x.shape.slice(2)]) : x
      const axis = batch.rank - 2
      // Time first, so that each step is one stretch of memory.
      const timeFirst = tf.transpose(batch, axis === 1 ? [1, 0, 2] : [0, 2, 1, 3])
      const projected = affine(timeFirst, kernel, bias)
      const steps = tf.unstack(projected, axis - 1)
      const shape = [...batch.shape.slice(0, axis), hidden]
      const states = cell.run(params, steps, { rank: shape.length, shape })
      const y = sequences ? tf.stack(states, axis) : states.at(-1)!
      return merged ? tf.reshape(y, [...x.shape.slice(0, 2), ...y.shape.slice(1)]) : y
    },
  })
}

/** Parameters of {@link bidirectional}. */
export type BidirectionalParams<P> = { forward: P; backward: P }

/**
 * Makes a net that reads a sequence in both directions with two recurrent nets of the same kind and joins their outputs.
 * It looks ahead inside its window: use it on windows that lie wholly in the past.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { bidirectional, lstm } from '@regimen/tensor'
 *
 * const params = bidirectional(lstm({ inputs: 3, hidden: 4 })).init(createRng(1))
 * params.backward.kernel.shape // => [3, 16]
 * ```
 *
 * Reference: Schuster and Paliwal 1997.
 */
export function bidirectional<P>(net: Net<P>): Net<BidirectionalParams<P>> {
  return defineNet<BidirectionalParams<P>>({
    init: (rng) => ({ forward: net.init(rng.split('forward')), backward: net.init(rng.split('backward')) }) as never,
    taskAxis: ({ forward }) => net.taskAxis(forward),
    apply: ({ forward, backward }, x, context) => {
      const time = x.rank - 2
      const ahead = net.apply(forward, x, context)
      const reversed = net.apply(backward, tf.reverse(x, time), context)
      const back = reversed.rank === x.rank ? tf.reverse(reversed, time) : reversed
      return tf.concat([ahead, back], ahead.rank - 1)
    },
  })
}
