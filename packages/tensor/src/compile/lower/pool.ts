import * as tf from '@tensorflow/tfjs-core'
import type { GraphBuilder, Value } from '../graph.ts'
import { sizeOf } from '../graph.ts'
import { type Call, input, type Lowering, type LoweringTable } from './call.ts'

type Shape4 = [number, number, number, number]
type Geometry = ReturnType<typeof tf.backend_util.computePool2DInfo>

function geometry(call: Call, shape: readonly number[]): Geometry {
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs as {
    filterSize: [number, number]
    strides: [number, number]
    pad: 'valid' | 'same' | number
    dimRoundingMode?: 'floor' | 'round' | 'ceil'
  }
  return tf.backend_util.computePool2DInfo(shape as Shape4, filterSize, strides, 1, pad, dimRoundingMode)
}

const attributes = (g: Geometry): Record<string, number | readonly number[]> => ({
  kernel_shape: [g.filterHeight, g.filterWidth],
  strides: [g.strideHeight, g.strideWidth],
  pads: [g.padInfo.top, g.padInfo.left, g.padInfo.bottom, g.padInfo.right],
})

const first = (b: GraphBuilder, x: Value): Value => b.transpose(x, [0, 3, 1, 2])
const last = (b: GraphBuilder, x: Value): Value => b.transpose(x, [0, 2, 3, 1])

const forward =
  (op: string): Lowering =>
  (call) => {
    const { b } = call
    const x = input(call, 'x')
    const g = geometry(call, x.shape)
    const shape = [g.batchSize, g.outChannels, g.outHeight, g.outWidth]
    return last(b, b.add(op, [first(b, x)], shape, x.type, attributes(g)))
  }

/** Sends each window's gradient to the place of its maximum, which ONNX's MaxPool also tells. */
const maxPoolGrad: Lowering = (call) => {
  const { b } = call
  const [dy, x] = [input(call, 'dy'), input(call, 'input')]
  const g = geometry(call, x.shape)
  const shape = [g.batchSize, g.outChannels, g.outHeight, g.outWidth]
  const images = first(b, x)
  const [, places] = b.addMany(
    'MaxPool',
    [images],
    [
      { shape, type: x.type },
      { shape, type: 'int64' },
    ],
    attributes(g),
  )
  const count = sizeOf(shape)
  const into = b.fill(0, [sizeOf(x.shape)], x.type)
  const flat = b.add(
    'ScatterElements',
    [into, b.reshape(places!, [count]), b.reshape(first(b, dy), [count])],
    into.shape,
    x.type,
    { axis: 0, reduction: 'add' },
  )
  return last(b, b.reshape(flat, images.shape))
}

/** Values, and where each came from: ONNX numbers places through [n, c, h, w], tfjs through [h, w, c]. */
const maxPoolWithArgmax: Lowering = (call) => {
  const { b } = call
  const x = input(call, 'x')
  const g = geometry(call, x.shape)
  const [n, c] = [g.batchSize, g.outChannels]
  const shape = [n, c, g.outHeight, g.outWidth]
  const results = [
    { shape, type: x.type },
    { shape, type: 'int64' as const },
  ]
  const [values, found] = b.addMany('MaxPool', [first(b, x)], results, attributes(g))
  const area = g.inHeight * g.inWidth
  const planes = b.value(
    [n, c, 1, 1],
    'int32',
    Int32Array.from({ length: n * c }, (_, i) => i * area),
  )
  const own = b.value(
    [n, c, 1, 1],
    'int32',
    Int32Array.from(
      { length: n * c },
      (_, i) => (i % c) + (call.attrs.includeBatchInIndex ? Math.floor(i / c) * area * c : 0),
    ),
  )
  const inPlane = b.binary('Sub', b.cast(found!, 'int32'), planes)
  const places = b.binary('Add', b.binary('Mul', inPlane, b.scalar(c, 'int32')), own)
  return [last(b, values!), last(b, places)]
}

/** Spreads each window's gradient evenly: a transposed convolution with a filter of ones, channel by channel. */
const avgPoolGrad: Lowering = (call) => {
  const { b } = call
  const [dy, x] = [input(call, 'dy'), input(call, 'input')]
  const g = geometry(call, x.shape)
  const images = g.batchSize * g.outChannels
  // As in tfjs every window divides by its full size; the gradient of AvgPool corrects that where windows hang over.
  const share = b.constant(new Float32Array([1 / (g.filterHeight * g.filterWidth)]), [1], 'float32')
  const shares = b.binary('Mul', first(b, dy), share)
  const ones = b.fill(1, [1, 1, g.filterHeight, g.filterWidth], x.type)
  const rows = (g.outHeight - 1) * g.strideHeight + g.filterHeight
  const columns = (g.outWidth - 1) * g.strideWidth + g.filterWidth
  const spread = b.add(
    'ConvTranspose',
    [b.reshape(shares, [images, 1, g.outHeight, g.outWidth]), ones],
    [images, 1, rows, columns],
    x.type,
    { strides: [g.strideHeight, g.strideWidth], pads: [0, 0, 0, 0] },
  )
  const grown = b.pad(spread, [
    [0, 0],
    [0, 0],
    [0, Math.max(0, g.padInfo.top + g.inHeight - rows)],
    [0, Math.max(0, g.padInfo.left + g.inWidth - columns)],
  ])
  const { top, left } = g.padInfo
  const cut = b.slice(grown, [top, left], [top + g.inHeight, left + g.inWidth], [2, 3])
  return last(b, b.reshape(cut, [g.batchSize, g.outChannels, g.inHeight, g.inWidth]))
}

/** Pooling over two spatial axes, and its gradients. */
export const POOL: LoweringTable = {
  MaxPool: forward('MaxPool'),
  MaxPoolWithArgmax: maxPoolWithArgmax,
  AvgPool: forward('AveragePool'),
  MaxPoolGrad: maxPoolGrad,
  AvgPoolGrad: avgPoolGrad,
}
