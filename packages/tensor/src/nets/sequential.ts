import { check } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { random } from '../random.ts'
import type { Fetched } from '../tree.ts'
import { type ActivationName, activate } from './activations.ts'
import { defineNet, type Net } from './net.ts'

/**
 * Makes a net of nets applied one after the other. The parameters are the list of theirs.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { activation, dense, sequential } from '@regimen/tensor'
 *
 * const net = sequential([dense({ inputs: 1, outputs: 1, bias: false }), activation('relu')])
 * net.apply([{ kernel: tf.tensor2d([[-2]]) }, []], tf.tensor2d([[3]])).dataSync()[0] // => 0
 * ```
 */
export function sequential<P extends readonly unknown[]>(
  nets: readonly [...{ readonly [K in keyof P]: Net<P[K]> }],
): Net<P> {
  check(nets.length > 0, 'tensor/sequential', () => 'the list of nets is empty.', 'Pass at least one net.')
  const list: readonly Net<unknown>[] = nets
  return defineNet<P>({
    init: (rng) => list.map((net, i) => net.init(rng.split(i))) as never,
    taskAxis: (params) => firstDefined(list.map((net, i) => net.taskAxis(params[i]))),
    apply: (params, x, context) => list.reduce((y, net, i) => net.apply(params[i], y, context), x),
  })
}

/**
 * Makes a net that adds its input to another net's output: x + f(x). A projection may bring x to the output's size.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { dense, residual } from '@regimen/tensor'
 *
 * const net = residual(dense({ inputs: 1, outputs: 1, bias: false }))
 * net.apply({ inner: { kernel: tf.tensor2d([[2]]) } }, tf.tensor2d([[3]])).dataSync()[0] // => 9
 * ```
 */
export function residual<P, Q = never>(inner: Net<P>, projection?: Net<Q>): Net<ResidualParams<P, Q>> {
  return defineNet<ResidualParams<P, Q>>({
    init: (rng) =>
      ({
        inner: inner.init(rng.split('inner')),
        ...(projection ? { projection: projection.init(rng.split('projection')) } : {}),
      }) as Fetched<ResidualParams<P, Q>>,
    taskAxis: (params) => firstDefined([inner.taskAxis(params.inner), projection?.taskAxis(params.projection!)]),
    apply: (params, x, context) => {
      const shortcut = projection ? projection.apply(params.projection!, x, context) : x
      return tf.add(shortcut, inner.apply(params.inner, x, context))
    },
  })
}

/** Parameters of {@link residual}. */
export type ResidualParams<P, Q> = { inner: P; projection?: Q }

/**
 * Makes a net that runs one inner net, with the same weights, over each of several branches and joins the outputs along
 * the last axis: [n, branches, …] becomes [n, branches · outputs]. All branches go through in one batch.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { branches, dense } from '@regimen/tensor'
 *
 * const net = branches(dense({ inputs: 2, outputs: 1, bias: false }))
 * const x = tf.tensor3d([[[1, 2], [3, 4]]])
 * Array.from(net.apply({ kernel: tf.tensor2d([[1], [10]]) }, x).dataSync()) // => [21, 43]
 * ```
 */
export function branches<P>(inner: Net<P>): Net<P> {
  return defineNet<P>({
    init: inner.init,
    taskAxis: inner.taskAxis,
    apply: (params, x, context) => {
      const at = context.tasks ? 1 : 0
      const lead = x.shape.slice(0, at)
      const [n, count] = x.shape.slice(at, at + 2) as [number, number]
      const merged = tf.reshape(x, [...lead, n * count, ...x.shape.slice(at + 2)])
      const y = inner.apply(params, merged, context)
      return tf.reshape(y, [...lead, n, count * tf.util.sizeFromShape(y.shape.slice(at + 1))])
    },
  })
}

/**
 * Makes a net that only applies an activation; it has no parameters.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { activation } from '@regimen/tensor'
 *
 * activation('relu').apply([], tf.tensor1d([-1])).dataSync()[0] // => 0
 * ```
 */
export function activation(name: ActivationName): Net<[]> {
  return withoutParameters((x) => activate(name, x))
}

/**
 * Makes a net that drops elements at a rate while training and scales the rest by 1 / (1 − rate); otherwise it passes the
 * input on. It draws from the stream of `compile(fn, { seed })` or of `withRandom`.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { dropout, withRandom } from '@regimen/tensor'
 *
 * const y = withRandom(1, () => dropout(0.5).apply([], tf.ones([1000]), { training: true }))
 * Array.from(new Set(y.dataSync())).sort() // => [0, 2]
 * ```
 */
export function dropout(rate: number): Net<[]> {
  check(rate >= 0 && rate < 1, 'tensor/dropout', () => `rate must be from 0 up to 1, got ${rate}.`)
  return withoutParameters((x, { training }) => (training ? random.dropout(x, rate) : x))
}

/**
 * Makes a net that flattens everything after the batch axis (and the task axis, if there is one).
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { flatten } from '@regimen/tensor'
 *
 * flatten().apply([], tf.zeros([5, 2, 3])).shape // => [5, 6]
 * flatten().apply([], tf.zeros([4, 5, 2, 3]), { tasks: true }).shape // => [4, 5, 6]
 * ```
 */
export function flatten(): Net<[]> {
  return withoutParameters((x, { tasks }) => {
    const lead = x.shape.slice(0, tasks ? 2 : 1)
    return tf.reshape(x, [...lead, tf.util.sizeFromShape(x.shape.slice(lead.length))])
  })
}

/** A net without parameters. */
export function withoutParameters(
  fn: (x: tf.Tensor, context: { readonly training?: boolean; readonly tasks: boolean }) => tf.Tensor,
): Net<[]> {
  return defineNet<[]>({ init: () => [], taskAxis: () => undefined, apply: (_, x, context) => fn(x, context) })
}

/** The first answer among several nets. */
export function firstDefined(values: readonly (boolean | undefined)[]): boolean | undefined {
  return values.find((value) => value !== undefined)
}
