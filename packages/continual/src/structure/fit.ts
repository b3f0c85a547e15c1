import { check, type LongTaskOptions, RegimenError, type Rng } from '@regimen/core'
import { compile, type TensorLeaf, type UpdateRule, valueAndGradient } from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import { type Batch, createBatch, fillRows, finiteVector, type RowShape, type TaskData } from '../rows.ts'
import { floats, type Part } from '../steps.ts'
import { maskedMove } from './masked-rule.ts'

/** Tensors that a loss needs beside the vector and the batch: frozen columns, a teacher. */
export type Extra<T = tf.Tensor> = { readonly [name: string]: T }
export type ExtraData = Extra<Float32Array | TensorLeaf>

/** Learns one vector by a loss, in epochs. */
export interface Fit {
  /** The new vector, the mean loss of the last epoch, and how many updates it took. The given vector is left as it is. */
  learn(start: Float32Array, lesson: Lesson): Promise<{ vector: Float32Array; loss: number; updates: number }>
  /** Mean loss on rows, without learning. */
  loss(vector: Float32Array, lesson: Pick<Lesson, 'data' | 'rows' | 'shift' | 'extra'>): Promise<number>
  dispose(): Promise<void>
}

/** What is learned. */
export interface Lesson extends LongTaskOptions {
  readonly data: TaskData
  /** Rows of the data to learn. */
  readonly rows: Int32Array
  /** Added to the outputs of every row. */
  readonly shift: Float32Array
  readonly epochs: number
  readonly rng: Rng
  /** Parameters with 0 stay as they are, bit for bit. */
  readonly mask?: Float32Array
  readonly extra?: ExtraData
}

interface FitOptions {
  readonly shapes: RowShape
  readonly rule: UpdateRule
  readonly rate: number
  readonly batchSize: number
  readonly where: string
}

/** Compiles a loss and its update. */
export function openFit(
  lossOf: (vector: tf.Tensor, batch: Part, extra: Extra) => tf.Tensor,
  { shapes, rule, rate, batchSize, where }: FitOptions,
): Fit {
  type Slots = { readonly [slot: string]: tf.Tensor }
  const train = compile(
    (vector: tf.Tensor, state: Slots, batch: Part, extra: Extra, mask: tf.Tensor | null, speed: tf.Tensor) => {
      const { value, gradient } = valueAndGradient((v: tf.Tensor) => lossOf(v, batch, extra), vector)
      const next = maskedMove(rule, vector, { gradients: gradient, state, rate: speed }, mask)
      return { loss: value, vector: next.params, state: next.state }
    },
  )
  const evaluate = compile((vector: tf.Tensor, batch: Part, extra: Extra) => lossOf(vector, batch, extra))
  const batch: Batch = createBatch(batchSize, shapes)
  const diverged = (loss: number): never => {
    throw new RegimenError(`an update ended in a number that is not finite (loss ${loss}).`, {
      code: 'DIVERGED',
      where,
      hint: 'Lower the rate.',
    })
  }
  return {
    async learn(start, { data, rows, shift, epochs, rng, mask, extra = {}, signal, onProgress }) {
      let vector = start
      let state: { readonly [slot: string]: TensorLeaf } = {
        ...rule.init({ dtype: 'float32', shape: [start.length], data: start }),
      }
      const batches = Math.ceil(rows.length / batchSize)
      let sum = 0
      for (let epoch = 0; epoch < epochs; epoch++) {
        const order = rng.shuffle(rows.slice())
        sum = 0
        for (let b = 0; b < batches; b++) {
          signal?.throwIfAborted()
          const chosen = order.subarray(b * batchSize, (b + 1) * batchSize)
          fillRows(batch, data, chosen, shapes, shift)
          const made = await train(vector, state, batch, extra, mask ?? null, rate)
          const loss = floats(made.loss)[0]!
          const after = floats(made.vector)
          if (!Number.isFinite(loss) || !finiteVector(after)) diverged(loss)
          vector = after
          state = made.state
          sum += loss
          onProgress?.({ done: epoch * batches + b + 1, total: epochs * batches })
        }
      }
      return { vector, loss: sum / batches, updates: epochs * batches }
    },
    async loss(vector, { data, rows, shift, extra = {} }) {
      check(rows.length > 0, where, () => 'there is no row to measure the loss on.')
      let sum = 0
      for (let at = 0; at < rows.length; at += batchSize) {
        const chosen = rows.subarray(at, at + batchSize)
        fillRows(batch, data, chosen, shapes, shift)
        sum += floats(await evaluate(vector, batch, extra))[0]! * chosen.length
      }
      return sum / rows.length
    },
    async dispose() {
      await train.dispose()
      await evaluate.dispose()
    },
  }
}
