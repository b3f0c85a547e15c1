import * as tf from '@tensorflow/tfjs-core'
import { type InitializerName, initialize } from './initializers.ts'
import { checkSize, defineNet, type Net } from './net.ts'

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** Number of different symbols, ≥ 1. */
  symbols: number
  /** Size of each vector, ≥ 1. */
  outputs: number
  /** How the vectors are drawn. @default 'uniform' (±0.05, as Keras) */
  initializer?: InitializerName
}

/** Parameters of {@link embedding}. */
export type EmbeddingParams = {
  /** [symbols, outputs] */
  table: tf.Tensor
}

/**
 * Makes a table of learned vectors: int32 indices [n, …] become [n, …, outputs].
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { embedding } from '@regimen/tensor'
 *
 * const net = embedding({ symbols: 3, outputs: 1 })
 * const y = net.apply({ table: tf.tensor2d([[5], [6], [7]]) }, tf.tensor1d([2, 0], 'int32'))
 * Array.from(y.dataSync()) // => [7, 5]
 * ```
 */
export function embedding({ symbols, outputs, initializer = 'uniform' }: EmbeddingOptions): Net<EmbeddingParams> {
  checkSize('tensor/embedding', 'symbols', symbols)
  checkSize('tensor/embedding', 'outputs', outputs)
  return defineNet<EmbeddingParams>({
    init: (rng) => ({ table: initialize(initializer, [symbols, outputs], rng.split('table')) }),
    taskAxis: ({ table }) => table.rank === 3,
    apply({ table }, x) {
      const indices = tf.cast(x, 'int32')
      if (table.rank === 2) return tf.gather(table, indices)
      // Each task owns a stretch of rows of one long table.
      const tasks = table.shape[0]!
      const starts = tf.tensor(
        Int32Array.from({ length: tasks }, (_, i) => i * symbols),
        [tasks, ...new Array<number>(x.rank - 1).fill(1)],
      )
      return tf.gather(tf.reshape(table, [tasks * symbols, outputs]), tf.add(indices, starts))
    },
  })
}
