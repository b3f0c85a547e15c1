import type { Rng } from '@regimen/core'
import { initialize, lstm, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { Weights } from '../learner.ts'
import { UNKNOWN } from './metric.ts'

type Cell = { readonly kernel: tf.Tensor; readonly recurrent: tf.Tensor; readonly bias: tf.Tensor }
type State = { readonly h: tf.Tensor; readonly c: tf.Tensor }

/** Parameters of the full-context embeddings: g reads the support in both directions, f reads a query against it. */
export interface ContextParams {
  readonly forward: Cell
  readonly backward: Cell
  readonly query: Cell
}

/** Draws them; the query's cell reads its state and what it attended to, side by side. */
export function initContext(embedding: number, rng: Rng): Weights {
  const net = lstm({ inputs: embedding, hidden: embedding })
  const cell = (name: string): Weights => net.init(rng.split(name)) as Weights
  const recurrent = initialize('orthogonal', [2 * embedding, 4 * embedding], rng.split('attend'))
  return {
    forward: cell('forward'),
    backward: cell('backward'),
    query: { ...(cell('query') as { readonly [leaf: string]: Weights }), recurrent },
  }
}

/** Tells a part of the meta-parameters for these. */
export function asContext(params: TensorTree): ContextParams {
  return params as unknown as ContextParams
}

/**
 * Embeds each support sample in the light of the others, g(xᵢ) = h→ᵢ + h←ᵢ + g′(xᵢ). A sample of weight zero is stepped over
 * in both directions. Inputs [T, n, d], presence [T, n].
 */
export function embedSupport({ forward, backward }: ContextParams, z: tf.Tensor, present: tf.Tensor): tf.Tensor {
  const [tasks, , width] = z.shape as [number, number, number]
  const marks = tf.unstack(tf.expandDims(present, -1), 1)
  const read = (cell: Cell, order: <T>(list: T[]) => T[]): tf.Tensor => {
    const steps = order(tf.unstack(tf.add(times(z, cell.kernel), cell.bias), 1))
    const masks = order([...marks])
    let state: State = { h: tf.zeros([tasks, width]), c: tf.zeros([tasks, width]) }
    const states = steps.map((projection, i) => {
      const next = step(tf.add(projection, tf.matMul(state.h, cell.recurrent)), state.c)
      const mix = (fresh: tf.Tensor, old: tf.Tensor): tf.Tensor => tf.add(old, tf.mul(masks[i]!, tf.sub(fresh, old)))
      state = { h: mix(next.h, state.h), c: mix(next.c, state.c) }
      return state.h
    })
    return tf.stack(order(states), 1)
  }
  const ahead = read(forward, (list) => list)
  const back = read(backward, (list) => [...list].reverse())
  return tf.add(tf.add(ahead, back), z)
}

/**
 * Embeds a query by K steps of an LSTM that attends to the support: ĥₖ, cₖ = LSTM(f′(x), [hₖ₋₁, rₖ₋₁], cₖ₋₁), hₖ = ĥₖ + f′(x),
 * rₖ₋₁ = Σ softmax(hₖ₋₁ · g(xᵢ)) g(xᵢ), from h₀ = f′(x) and c₀ = 0. Inputs [T, q, d], keys [T, n, d], log weights [T, n].
 */
export function embedQuery(
  { query }: ContextParams,
  z: tf.Tensor,
  { keys, logWeights, steps }: { readonly keys: tf.Tensor; readonly logWeights: tf.Tensor; readonly steps: number },
): tf.Tensor {
  const projection = tf.add(times(z, query.kernel), query.bias)
  const shift = tf.expandDims(logWeights, 1)
  let h = z
  let c: tf.Tensor = tf.zerosLike(z)
  for (let k = 0; k < steps; k++) {
    const attention = tf.softmax(tf.add(tf.matMul(h, keys, false, true), shift))
    const read = tf.matMul(attention, keys)
    const next = step(tf.add(projection, times(tf.concat([h, read], 2), query.recurrent)), c)
    h = tf.add(next.h, z)
    c = next.c
  }
  return h
}

/** Log weight of each sample, [n]; far below all others where it is zero. */
export function logWeights(weights: tf.Tensor): tf.Tensor {
  const absent = tf.cast(tf.lessEqual(weights, 0), 'float32')
  return tf.sub(tf.log(tf.maximum(weights, 1e-30)), tf.mul(absent, UNKNOWN))
}

// Gates in the order of tensor's lstm: input, forget, output, candidate.
function step(gates: tf.Tensor, c: tf.Tensor): State {
  const axis = gates.rank - 1
  const width = gates.shape[axis]! / 4
  const [open, candidate] = tf.split(gates, [3 * width, width], axis)
  const [input, forget, output] = tf.split(tf.sigmoid(open!), 3, axis)
  const next = tf.add(tf.mul(forget!, c), tf.mul(input!, tf.tanh(candidate!)))
  return { h: tf.mul(output!, tf.tanh(next)), c: next }
}

function times(x: tf.Tensor, kernel: tf.Tensor): tf.Tensor {
  const product = tf.matMul(tf.reshape(x, [-1, x.shape.at(-1)!]), kernel)
  return tf.reshape(product, [...x.shape.slice(0, -1), kernel.shape[1]!])
}
