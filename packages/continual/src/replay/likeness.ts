import { compile, logSoftmax, perSampleGradients } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { FlatNet } from '../flat.ts'
import type { Batch } from '../rows.ts'
import { floats, type Part } from '../steps.ts'

/** Compares the gradients of samples. */
export interface Likeness {
  /** For each row of a batch the largest cosine between its gradient and those of the others. */
  of(vector: Float32Array, batch: Batch, others: Batch): Promise<Float32Array>
  dispose(): Promise<void>
}

/** Opens the measure behind gradient-diverse replay: every sample's own gradient of its loss, at the present parameters. */
export function openLikeness<P>(flat: FlatNet<P>, likelihood: 'softmax' | 'gaussian'): Likeness {
  const compiled = compile((vector: tf.Tensor, batch: Part, others: Part) => {
    const n = batch.x.shape[0]!
    const m = others.x.shape[0]!
    const offsets = tf.expandDims(tf.concat([batch.offsets, others.offsets]), 1)
    const gradients = perSampleGradients(
      (params: P, x: tf.Tensor, y: tf.Tensor) => {
        const made = flat.net.apply(params, x)
        if (likelihood === 'gaussian') return tf.sum(tf.mul(tf.square(tf.sub(made, y)), 0.5), [1, 2])
        const wanted = tf.oneHot(tf.cast(tf.squeeze(y, [2]), 'int32'), offsets.shape[2]!)
        return tf.neg(tf.sum(tf.mul(logSoftmax(tf.add(made, offsets)), tf.cast(wanted, 'float32')), [1, 2]))
      },
      flat.tree(vector),
      tf.concat([batch.x, others.x]),
      tf.concat([batch.y, others.y]),
    )
    const rows = flat.rows(gradients, n + m)
    const size = tf.sqrt(tf.add(tf.sum(tf.square(rows), 1, true), 1e-30))
    const units = tf.div(rows, size) as tf.Tensor2D
    const [own, kept] = tf.split(units, [n, m]) as [tf.Tensor2D, tf.Tensor2D]
    return tf.max(tf.matMul(own, kept, false, true), 1)
  })
  return {
    of: async (vector, { size: _, ...batch }, { size: __, ...others }) => floats(await compiled(vector, batch, others)),
    dispose: () => compiled.dispose(),
  }
}
