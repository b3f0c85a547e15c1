import { check, describe } from '@regimen/core'
import { type DenseParams, dense, initialize, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { onePass } from '../context/one-pass.ts'
import {
  type Answers,
  checkCounts,
  checkVectors,
  readAnswers,
  type TargetOptions,
  toldTargets,
  weightsOf,
} from '../context/sets.ts'
import type { MetaLearner, SetTensors } from '../learner.ts'
import { similarity } from './addressing.ts'
import { type CellParams, type CellState, initCell, stepCell } from './cell.ts'

/** Options of {@link mann}. */
export interface MannOptions extends TargetOptions {
  /** Features of a sample, ≥ 1. */
  inputs: number
  /** Hidden units of the controller, ≥ 1. @default 64 */
  hidden?: number
  /** Rows of the memory, ≥ heads; it never grows beyond them. @default 64 */
  slots?: number
  /** Numbers in a row, ≥ 1. @default 32 */
  width?: number
  /** Heads, each of which reads and writes, ≥ 1. @default 2 */
  heads?: number
  /** Share of a row's usage that a step leaves, from 0 to below 1. @default 0.95 */
  decay?: number
}

interface MannParams {
  readonly controller: CellParams
  readonly keys: DenseParams
  /** [heads]: logits of the share with which a head writes where it last read. */
  readonly gate: tf.Tensor
  readonly output: DenseParams
}

/** What a task owns; [T, …] each. */
type Mind = CellState & {
  /** [T, slots, width] */
  readonly memory: tf.Tensor
  /** How much each row was used of late, [T, slots]. */
  readonly usage: tf.Tensor
  /** Weightings of the last reading, [T, heads, slots]. */
  readonly weights: tf.Tensor
  /** What was read, [T, heads · width]. */
  readonly reads: tf.Tensor
  /** The target of the sample before, [T, told]. */
  readonly told: tf.Tensor
}

/**
 * Makes a memory-augmented net: an LSTM reads the support as a sequence, each sample together with the target of the one before, and
 * keeps what it needs in an external memory of a fixed size. A head reads by content, w_r = softmax(cos(k, M)), and writes its key
 * either where it last read or on the row that was used least, w_w = σ(α) w_r + (1 − σ(α)) w_lu, which is emptied first; usage
 * decays, w_u ← γ w_u + Σ w_r + Σ w_w. A query is the next step of the sequence; each starts from the memory as the support left it.
 *
 * A task owns memory and controller state, whose size does not depend on the support, and `adapted.observe` reads further samples where
 * the support ended: for streams in which samples arrive one by one. The order of the support matters. {@link inContext}
 * sees the whole support at once and is more accurate for sets. The recursion is unrolled: graphs grow with the support. A
 * sample of weight 0 leaves no trace, one between 0 and 1 moves the state by that share, weights above 1 count as 1.
 *
 * ```ts
 * import { mann } from '@regimen/meta'
 *
 * const learner = mann({ inputs: 13, ways: 6, slots: 32 })
 * learner.steps // => 1
 * ```
 *
 * Reference: Santoro, Bartunov, Botvinick, Wierstra and Lillicrap 2016.
 */
export function mann(options: MannOptions): MetaLearner {
  const where = 'meta/mann'
  const answers = readAnswers(where, options)
  const { inputs, hidden = 64, slots = 64, width = 32, heads = 2, decay = 0.95 } = options
  checkCounts(where, { inputs, hidden, slots, width, heads })
  check(slots >= heads, where, () => `slots must be at least the ${heads} heads, got ${slots}.`)
  check(decay >= 0 && decay < 1, where, () => `decay must be from 0 to below 1, got ${describe(decay)}.`)
  const keys = dense({ inputs: hidden, outputs: heads * width, activation: 'tanh' })
  const output = dense({ inputs: hidden + heads * width, outputs: answers.outputs })

  /** One step of the machine on [n, …]. */
  const step = (params: MannParams, mind: Mind, x: tf.Tensor): Mind => {
    const n = x.shape[0]!
    const { h, c } = stepCell(params.controller, [x, mind.told, mind.reads], mind)
    const key = tf.reshape(keys.apply(params.keys, h), [n, heads, width])
    const idle = leastUsed(mind.usage, heads)
    const share = tf.reshape(tf.sigmoid(params.gate), [1, heads, 1])
    const writing = tf.add(idle, tf.mul(share, tf.sub(mind.weights, idle)))
    const emptied = tf.mul(mind.memory, tf.expandDims(tf.sub(1, tf.sum(idle, 1)), 2))
    const memory = tf.add(emptied, tf.matMul(writing, key, true, false))
    const weights = tf.softmax(similarity(key, memory))
    const usage = tf.add(tf.mul(mind.usage, decay), tf.add(tf.sum(weights, 1), tf.sum(writing, 1)))
    const reads = tf.reshape(tf.matMul(weights, memory), [n, heads * width])
    return { h, c, memory, usage, weights, reads, told: mind.told }
  }
  const read = (params: MannParams, start: Mind, set: SetTensors): Mind => {
    checkVectors(where, set.x, inputs)
    const targets = tf.unstack(toldTargets(where, answers, set.y), 1)
    const shares = set.weights && tf.unstack(tf.minimum(weightsOf(set), 1), 1)
    return tf.unstack(set.x, 1).reduce<Mind>((mind, x, i) => {
      const next = { ...step(params, mind, x), told: targets[i]! }
      return shares ? blend(mind, next, shares[i]!) : next
    }, start)
  }
  return onePass({
    id: where,
    answers,
    config: { inputs, outputs: answers.outputs, hidden, slots, width, heads, decay },
    init: (rng) => ({
      controller: initCell(inputs + answers.told + heads * width, hidden, rng.split('controller')),
      keys: keys.init(rng.split('keys')),
      gate: initialize('zeros', [heads], rng),
      output: output.init(rng.split('output')),
    }),
    read: (params, set) =>
      read(params as unknown as MannParams, blank(set.x.shape[0]!, answers, { hidden, slots, width, heads }), set),
    answer(params, own, x) {
      checkVectors(where, x, inputs)
      const [tasks, m] = x.shape as [number, number]
      const p = params as unknown as MannParams
      // Every query continues from a copy of its own.
      const copies = mapMind(own as unknown as Mind, (leaf) => {
        const spread = tf.add(tf.expandDims(leaf, 1), tf.zeros([1, m, ...leaf.shape.slice(1).map(() => 1)]))
        return tf.reshape(spread, [tasks * m, ...leaf.shape.slice(1)])
      })
      const { h, reads } = step(p, copies, tf.reshape(x, [tasks * m, inputs]))
      return tf.reshape(output.apply(p.output, tf.concat([h, reads], 1)), [tasks, m, answers.outputs])
    },
    absorb(params, own, set, keep) {
      const fresh = blank(set.x.shape[0]!, answers, { hidden, slots, width, heads })
      const kept = blend(fresh, own as unknown as Mind, tf.add(keep, tf.zeros([set.x.shape[0]!])))
      return read(params as unknown as MannParams, kept, set) as unknown as TensorTree
    },
  })
}

/** The state before any sample: rows are nearly empty and equally unused. */
function blank(
  n: number,
  { told }: Answers,
  { hidden, slots, width, heads }: { hidden: number; slots: number; width: number; heads: number },
): Mind {
  return {
    h: tf.zeros([n, hidden]),
    c: tf.zeros([n, hidden]),
    memory: tf.fill([n, slots, width], 1e-6),
    usage: tf.zeros([n, slots]),
    weights: tf.fill([n, heads, slots], 1 / slots),
    reads: tf.zeros([n, heads * width]),
    told: tf.zeros([n, told]),
  }
}

/** One row for each head, the least used first, [n, heads, slots]; which it is has no gradient. */
function leastUsed(usage: tf.Tensor, heads: number): tf.Tensor {
  const slots = usage.shape[1]!
  const rows: tf.Tensor[] = []
  let left = usage
  for (let i = 0; i < heads; i++) {
    const row = tf.cast(tf.oneHot(tf.cast(tf.argMin(left, 1), 'int32'), slots), 'float32')
    rows.push(row)
    left = tf.add(left, tf.mul(row, TAKEN))
  }
  return tf.stack(rows, 1)
}

const TAKEN = 1e9

function mapMind(mind: Mind, change: (leaf: tf.Tensor, name: keyof Mind) => tf.Tensor): Mind {
  const { h, c, memory, usage, weights, reads, told } = mind
  return {
    h: change(h, 'h'),
    c: change(c, 'c'),
    memory: change(memory, 'memory'),
    usage: change(usage, 'usage'),
    weights: change(weights, 'weights'),
    reads: change(reads, 'reads'),
    told: change(told, 'told'),
  }
}

/** old + share (next − old), a share for each of [n]. */
function blend(old: Mind, next: Mind, share: tf.Tensor): Mind {
  return mapMind(old, (leaf, name) => {
    const factor = tf.reshape(share, [share.shape[0]!, ...leaf.shape.slice(1).map(() => 1)])
    return tf.add(leaf, tf.mul(factor, tf.sub(next[name], leaf)))
  })
}
