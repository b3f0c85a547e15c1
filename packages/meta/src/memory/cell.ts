import type { Rng } from '@regimen/core'
import { type Fetched, initialize } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'

/** Parameters of one step of a long short-term memory, gates in the order i, f, o, g. */
export type CellParams = {
  /** [inputs + hidden, 4 · hidden] */
  readonly kernel: tf.Tensor
  readonly bias: tf.Tensor
}

/** State of the cell, each [n, hidden]. */
export type CellState = { readonly h: tf.Tensor; readonly c: tf.Tensor }

/** Draws the cell's parameters; the forget bias starts at 1. */
export function initCell(inputs: number, hidden: number, rng: Rng): Fetched<CellParams> {
  const bias = initialize('zeros', [4 * hidden], rng)
  bias.data.fill(1, hidden, 2 * hidden)
  return { kernel: initialize('glorotUniform', [inputs + hidden, 4 * hidden], rng.split('cell')), bias }
}

/** One step: c ← f c + i tanh(g), h ← o tanh(c). */
export function stepCell({ kernel, bias }: CellParams, inputs: readonly tf.Tensor[], state: CellState): CellState {
  const hidden = state.h.shape[1]!
  const gates = tf.add(tf.matMul(tf.concat([...inputs, state.h], 1), kernel), bias)
  const [open, candidate] = tf.split(gates, [3 * hidden, hidden], 1)
  const [input, forget, output] = tf.split(tf.sigmoid(open!), 3, 1)
  const c = tf.add(tf.mul(forget!, state.c), tf.mul(input!, tf.tanh(candidate!)))
  return { h: tf.mul(output!, tf.tanh(c)), c }
}
