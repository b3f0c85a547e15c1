import * as tf from '@tensorflow/tfjs-core'
import { detached, type GradientTable, mask, zeros } from './common.ts'

/** Kernels that copy, repeat, cut and collect elements. */
export const movement: GradientTable = {
  // tfjs cuts out one copy at a time; here each repeated axis is one sum.
  Tile: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], { reps }) => ({
      x: () =>
        x!.shape.reduce((gradient, size, axis) => {
          const repeats = (reps as number[])[axis]!
          if (repeats === 1) return gradient
          const before = gradient.shape.slice(0, axis)
          const after = gradient.shape.slice(axis + 1)
          const split = [tf.util.sizeFromShape(before), repeats, size * tf.util.sizeFromShape(after)]
          return tf.reshape(tf.sum(tf.reshape(gradient, split), 1), [...before, size, ...after])
        }, dy),
    }),
  },
  SplitV: {
    gradFunc: (dy, _, { axis }) => ({ x: () => tf.concat(asList(dy), axis as number) }),
  },
  Unpack: {
    gradFunc: (dy, _, { axis }) => ({ value: () => tf.stack(asList(dy), axis as number) }),
  },
  MirrorPad: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], { paddings, mode }) => ({
      x: () => {
        const offset = mode === 'reflect' ? 1 : 0
        return (paddings as [number, number][]).reduce((gradient, [before, after], axis) => {
          const source = mirrorSources(x!.shape[axis]!, before, after, offset)
          return before + after === 0 ? gradient : scatterAlong(gradient, source, axis, x!.shape[axis]!)
        }, dy)
      },
    }),
  },
  StridedSlice: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => ({
      x: () => {
        // Where each element came from, asked of the kernel itself: the masks have too many rules to repeat here.
        const size = x!.size
        const origin = detached(() =>
          tf.cast(tf.stridedSlice(tf.reshape(tf.range(0, size), x!.shape), ...sliceArguments(attrs)), 'int32'),
        )
        const scattered = tf.unsortedSegmentSum(tf.reshape(dy, [-1]), tf.reshape(origin, [-1]) as tf.Tensor1D, size)
        return tf.reshape(scattered, x!.shape)
      },
    }),
  },
  GatherV2: {
    inputsToSave: ['x', 'indices'],
    gradFunc: (dy, [x, indices], { axis, batchDims }) => ({
      x: () => gatherGradient(dy, x!, indices!, axis as number, (batchDims as number) ?? 0),
      indices: () => zeros(indices!.shape),
    }),
  },
  UnsortedSegmentSum: {
    inputsToSave: ['segmentIds'],
    gradFunc: (dy, [ids]) => ({
      x: () => {
        const gathered = tf.gather(dy, detached(() => tf.maximum(ids!, tf.zerosLike(ids!))) as tf.Tensor1D)
        const shape = [...ids!.shape, ...new Array<number>(gathered.rank - ids!.rank).fill(1)]
        // a negative id drops its row
        return tf.mul(gathered, mask(tf.reshape(tf.greaterEqual(ids!, tf.scalar(0, 'int32')), shape)))
      },
      segmentIds: () => zeros(ids!.shape),
    }),
  },
  GatherNd: {
    inputsToSave: ['params', 'indices'],
    gradFunc: (dy, [params, indices]) => ({
      params: () => tf.scatterND(indices as tf.Tensor<tf.Rank>, dy, params!.shape),
      indices: () => zeros(indices!.shape),
    }),
  },
  ScatterNd: {
    inputsToSave: ['indices'],
    gradFunc: (dy, [indices]) => ({
      updates: () => tf.gatherND(dy, indices!),
      indices: () => zeros(indices!.shape),
    }),
  },
}

// tfjs hands a single output over bare.
function asList(dy: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
  return Array.isArray(dy) ? dy : [dy]
}

function sliceArguments(attrs: { readonly [name: string]: unknown }) {
  const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attrs as {
    begin: number[]
    end: number[]
    strides: number[]
    beginMask: number
    endMask: number
    ellipsisMask: number
    newAxisMask: number
    shrinkAxisMask: number
  }
  return [begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask] as const
}

// dx = Σ over the positions that read x, per slice along `axis`.
function gatherGradient(dy: tf.Tensor, x: tf.Tensor, indices: tf.Tensor, axis: number, batchDims: number): tf.Tensor {
  const at = axis < 0 ? axis + x.rank : axis
  const n = x.shape[at]!
  const outer = x.shape.slice(0, at)
  const inner = x.shape.slice(at + 1)
  const innerSize = tf.util.sizeFromShape(inner)
  if (batchDims === 0) {
    const outerSize = tf.util.sizeFromShape(outer)
    const flat = tf.reshape(indices, [-1]) as tf.Tensor1D
    const rows = tf.reshape(dy, [outerSize, indices.size, innerSize])
    const summed = tf.unsortedSegmentSum(tf.transpose(rows, [1, 0, 2]), flat, n)
    return tf.reshape(tf.transpose(summed, [1, 0, 2]), x.shape)
  }
  // Each batch owns its own stretch of rows: shift its indices there and scatter once.
  const batch = tf.util.sizeFromShape(x.shape.slice(0, batchDims))
  const between = tf.util.sizeFromShape(x.shape.slice(batchDims, at))
  const perBatch = indices.size / batch
  const ids = detached(() => {
    const offsets = tf.mul(tf.range(0, batch * between, 1, 'int32'), tf.scalar(n, 'int32'))
    const own = tf.reshape(indices, [batch, 1, perBatch])
    return tf.reshape(tf.add(own, tf.reshape(offsets, [batch, between, 1])), [-1])
  }) as tf.Tensor1D
  const rows = tf.reshape(dy, [batch * between * perBatch, innerSize])
  return tf.reshape(tf.unsortedSegmentSum(rows, ids, batch * between * n), x.shape)
}

function mirrorSources(size: number, before: number, after: number, offset: number): number[] {
  return Array.from({ length: before + size + after }, (_, i) => {
    const position = i - before
    if (position < 0) return -position - 1 + offset
    return position < size ? position : 2 * size - 1 - position - offset
  })
}

function scatterAlong(dy: tf.Tensor, source: number[], axis: number, size: number): tf.Tensor {
  const before = dy.shape.slice(0, axis)
  const after = dy.shape.slice(axis + 1)
  const rows = tf.reshape(dy, [tf.util.sizeFromShape(before), source.length, tf.util.sizeFromShape(after)])
  const ids = tf.tensor1d(source, 'int32')
  const summed = tf.unsortedSegmentSum(tf.transpose(rows, [1, 0, 2]), ids, size)
  return tf.reshape(tf.transpose(summed, [1, 0, 2]), [...before, size, ...after])
}
