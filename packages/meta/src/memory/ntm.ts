import { check, type Rng } from '@regimen/core'
import { type DenseParams, dense, initialize, type Net, useHigherOrderGradients } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { checkCounts } from '../context/sets.ts'
import { type Address, address, rollMatrix } from './addressing.ts'
import { type CellParams, initCell, stepCell } from './cell.ts'

/** Options of {@link ntm}. */
export interface NtmOptions {
  /** Features of each step, ≥ 1. */
  inputs: number
  /** Numbers of each answer, ≥ 1. */
  outputs: number
  /** Hidden units of the controller, ≥ 1. @default 100 */
  hidden?: number
  /** Rows of the memory, above 2 · reach. The memory never grows beyond them. @default 128 */
  slots?: number
  /** Numbers in a row, ≥ 1. @default 20 */
  width?: number
  /** Heads that read, ≥ 1. @default 1 */
  readHeads?: number
  /** Heads that write, ≥ 1. @default 1 */
  writeHeads?: number
  /** Rows that a head can move in one step, ≥ 1. @default 1 */
  reach?: number
}

/** Parameters of {@link ntm}. */
export type NtmParams = {
  /** The controller's; inputs are the step's and what was read before. */
  controller: CellParams
  /** [hidden] each: the controller's first state. */
  hidden: tf.Tensor
  cell: tf.Tensor
  /** From the controller to what the heads want. */
  heads: DenseParams
  /** [readHeads · width]: what counts as read before the first step. */
  reads: tf.Tensor
  /** [heads, slots]: logits of the first weightings, those that read before those that write. */
  weights: tf.Tensor
  /** From the controller and what was read to the answer. */
  output: DenseParams
}

/**
 * Makes a neural Turing machine over sequences [n, steps, inputs]: an LSTM with an external memory of a fixed size, which heads
 * address by content (cosine to a key) and by location (interpolation with the last weighting, shift, sharpening). The answer at
 * every step is [n, steps, outputs]. In each step heads first write, M ← M (1 − w eᵀ) + w aᵀ, then read, r = wᵀ M, both with
 * weightings that address the memory as it was before the step.
 *
 * Take it where a procedure over stored items must be learned (copy, recall, sort) and carry over to longer sequences;
 * {@link lstm} is faster and enough where a summary of the past will do. The memory starts as a constant, which decides whether
 * training converges, and all heads start on the first row. The recursion is unrolled: a compiled graph has some two hundred
 * operations a step, so pad sequences to a few lengths and weigh the padding 0. Parameters take no task axis.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { createRng } from '@regimen/core'
 * import { ntm } from '@regimen/meta'
 * import { toTensors } from '@regimen/tensor'
 *
 * const net = ntm({ inputs: 9, outputs: 8, hidden: 16, slots: 32, width: 8 })
 * net.apply(toTensors(net.init(createRng(1))), tf.zeros([2, 5, 9])).shape // => [2, 5, 8]
 * ```
 *
 * References: Graves, Wayne and Danihelka 2014; Collier and Beel 2018 for the constant start of the memory.
 */
export function ntm(options: NtmOptions): Net<NtmParams> {
  const where = 'meta/ntm'
  const { inputs, outputs, hidden = 100, slots = 128, width = 20, readHeads = 1, writeHeads = 1, reach = 1 } = options
  checkCounts(where, { inputs, outputs, hidden, slots, width, readHeads, writeHeads, reach })
  check(slots > 2 * reach, where, () => `slots must be above 2 · reach = ${2 * reach}, got ${slots}.`)
  const heads = readHeads + writeHeads
  const shifts = 2 * reach + 1
  /** What heads want: of all heads key, strength, gate, sharpening and shifts; of those that write erase and add, too. */
  const sizes = [heads * width, heads, heads, heads, heads * shifts, writeHeads * width, writeHeads * width]
  const wants = dense({ inputs: hidden, outputs: sizes.reduce((a, b) => a + b, 0) })
  const output = dense({ inputs: hidden + readHeads * width, outputs })

  const run = (params: NtmParams, x: tf.Tensor): tf.Tensor => {
    const n = x.shape[0]!
    const spread = (row: tf.Tensor): tf.Tensor =>
      tf.add(tf.expandDims(row, 0), tf.zeros([n, ...row.shape.map(() => 1)]))
    const rolls = rollMatrix(slots, reach)
    let memory: tf.Tensor = tf.fill([n, slots, width], START)
    let state = { h: spread(params.hidden), c: spread(params.cell) }
    let reads = spread(params.reads)
    let weights = spread(tf.softmax(params.weights))
    const seen = tf.unstack(x, 1).map((step) => {
      state = stepCell(params.controller, [step, reads], state)
      const [key, strength, gate, sharpen, shift, erase, add] = tf.split(wants.apply(params.heads, state.h), sizes, 1)
      const perHead = (t: tf.Tensor, of = heads): tf.Tensor => tf.reshape(t, [n, of, -1])
      const at: Address = {
        key: perHead(tf.tanh(key!)),
        strength: perHead(tf.softplus(strength!)),
        gate: perHead(tf.sigmoid(gate!)),
        shift: tf.softmax(perHead(shift!)),
        sharpen: perHead(tf.add(tf.softplus(sharpen!), 1)),
      }
      weights = address(memory, weights, at, rolls)
      const [reading, writing] = tf.split(weights, [readHeads, writeHeads], 1)
      memory = write(memory, writing!, perHead(tf.sigmoid(erase!), writeHeads), perHead(tf.tanh(add!), writeHeads))
      reads = tf.reshape(tf.matMul(reading!, memory), [n, readHeads * width])
      return tf.concat([state.h, reads], 1)
    })
    return output.apply(params.output, tf.stack(seen, 1))
  }
  return {
    init: (rng: Rng) => ({
      controller: initCell(inputs + readHeads * width, hidden, rng.split('controller')),
      hidden: initialize('zeros', [hidden], rng),
      cell: initialize('zeros', [hidden], rng),
      heads: wants.init(rng.split('heads')),
      reads: initialize('zeros', [readHeads * width], rng),
      weights: firstRow(heads, slots),
      output: output.init(rng.split('output')),
    }),
    taskAxis: () => false,
    apply(params, x, context = {}) {
      useHigherOrderGradients()
      const rank = context.tasks ? 4 : 3
      check(
        x.rank === rank && x.shape[rank - 1] === inputs,
        where,
        () => `the input must be ${context.tasks ? '[T, n' : '[n'}, steps, ${inputs}], got [${x.shape.join(', ')}].`,
      )
      if (!context.tasks) return run(params, x)
      const y = run(params, tf.reshape(x, [-1, ...x.shape.slice(2)]))
      return tf.reshape(y, [...x.shape.slice(0, 3), outputs])
    },
  }
}

/** First value of every number in the memory. */
const START = 1e-6

/** All heads erase what they write on together, then all add: M ← M ∏ (1 − w eᵀ) + Σ w aᵀ. */
function write(memory: tf.Tensor, weights: tf.Tensor, erase: tf.Tensor, add: tf.Tensor): tf.Tensor {
  const rows = tf.split(weights, weights.shape[1]!, 1)
  const erases = tf.split(erase, rows.length, 1)
  const kept = rows
    .map((row, i) => tf.sub(1, tf.matMul(row, erases[i]!, true, false)))
    .reduce((left, one) => tf.mul(left, one), memory)
  return tf.add(kept, tf.matMul(weights, add, true, false))
}

/** Logits that put nearly all weight on the first row: equal rows would stay equal, whatever is learned. */
function firstRow(heads: number, slots: number): { dtype: 'float32'; shape: number[]; data: Float32Array } {
  const data = new Float32Array(heads * slots)
  for (let i = 0; i < heads; i++) data[i * slots] = 10
  return { dtype: 'float32', shape: [heads, slots], data }
}
