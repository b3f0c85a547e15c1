import * as tf from '@tensorflow/tfjs-core'
import { sizeOf, type Value } from '../graph.ts'
import { type Call, input, type Lowering, type LoweringTable } from './call.ts'
import { first, firstMaximum, last, readWindows, spread, type Windows, windowPlaces } from './windows.ts'

type Shape4 = [number, number, number, number]
type Shape5 = [number, number, number, number, number]
type Pair = [number, number]
type Triple = [number, number, number]

/** The windows of a pool; the rank of the images tells two axes from three. */
function windows(call: Call, shape: readonly number[]): Windows {
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs as {
    filterSize: Pair | Triple
    strides: Pair | Triple
    pad: 'valid' | 'same' | number
    dimRoundingMode?: 'floor' | 'round' | 'ceil'
  }
  const { computePool2DInfo, computePool3DInfo } = tf.backend_util
  return readWindows(
    shape.length === 4
      ? computePool2DInfo(shape as Shape4, filterSize as Pair, strides as Pair, 1, pad, dimRoundingMode)
      : computePool3DInfo(shape as Shape5, filterSize as Triple, strides as Triple, 1, pad, dimRoundingMode),
  )
}

const attributes = (g: Windows): Record<string, readonly number[]> => ({
  kernel_shape: g.kernel,
  strides: g.strides,
  pads: [...g.before, ...g.after],
})

const forward =
  (op: string): Lowering =>
  (call) => {
    const { b } = call
    const x = input(call, 'x')
    const g = windows(call, x.shape)
    return last(b, b.add(op, [first(b, x)], [g.batch, g.channels, ...g.out], x.type, attributes(g)))
  }

/** Values, and the places of the maxima as ONNX numbers them: through [n, c, …input]. */
function maxima(call: Call, images: Value, g: Windows): Value[] {
  const shape = [g.batch, g.channels, ...g.out]
  const results = [
    { shape, type: images.type },
    { shape, type: 'int64' as const },
  ]
  return call.b.addMany('MaxPool', [images], results, attributes(g))
}

/** Sends each window's gradient to the place of its maximum. */
const maxPoolGrad: Lowering = (call) => {
  const { b } = call
  const [dy, x] = [input(call, 'dy'), input(call, 'input')]
  const g = windows(call, x.shape)
  const images = first(b, x)
  if (call.gpu) return last(b, routeByPlaces(call, images, first(b, dy), g))
  const places = maxima(call, images, g)[1]!
  const count = sizeOf(places.shape)
  const sums = b.add(
    'ScatterElements',
    [b.fill(0, [sizeOf(x.shape)], x.type), b.reshape(places, [count]), b.reshape(first(b, dy), [count])],
    [sizeOf(x.shape)],
    x.type,
    { axis: 0, reduction: 'add' },
  )
  return last(b, b.reshape(sums, images.shape))
}

/** One image for each place of a window, which holds dy where that place won; then every one moves to its place. */
function routeByPlaces(call: Call, images: Value, dy: Value, g: Windows): Value {
  const { b } = call
  const places = sizeOf(g.kernel)
  const single = [g.batch * g.channels, 1, ...g.out]
  const numbers = b.value(
    [1, places, ...g.out.map(() => 1)],
    'int32',
    Int32Array.from({ length: places }, (_, i) => i),
  )
  const hit = b.compare('Equal', b.reshape(firstMaximum(b, images, g), single), numbers)
  const parts = b.where(hit, b.reshape(dy, single), b.scalar(0, dy.type))
  const ones = Float32Array.from({ length: places * places }, (_, i) => (i % (places + 1) === 0 ? 1 : 0))
  return b.reshape(spread(call, parts, b.value([places, 1, ...g.kernel], 'float32', ones), g, 1), images.shape)
}

/** Values, and where each came from: tfjs numbers places through [h, w, c] of an image, or of the batch. */
const maxPoolWithArgmax: Lowering = (call) => {
  const { b } = call
  const x = input(call, 'x')
  const g = windows(call, x.shape)
  const [n, c] = [g.batch, g.channels]
  const area = sizeOf(g.input)
  const own = b.value(
    [n, c, 1, 1],
    'int32',
    Int32Array.from(
      { length: n * c },
      (_, i) => (i % c) + (call.attrs.includeBatchInIndex ? Math.floor(i / c) * area * c : 0),
    ),
  )
  const images = first(b, x)
  const [values, inPlane] = call.gpu ? maximaByPlaces(call, images, g) : maximaInPlane(call, images, g)
  const places = b.binary('Add', b.binary('Mul', inPlane, b.scalar(c, 'int32')), own)
  return [last(b, values), last(b, places)]
}

function maximaInPlane(call: Call, images: Value, g: Windows): readonly [Value, Value] {
  const { b } = call
  const [values, found] = maxima(call, images, g)
  const planes = b.value(
    [g.batch, g.channels, 1, 1],
    'int32',
    Int32Array.from({ length: g.batch * g.channels }, (_, i) => i * sizeOf(g.input)),
  )
  return [values!, b.binary('Sub', b.cast(found!, 'int32'), planes)]
}

/** Place in the plane = start of the window + offset inside it, both looked up in short lists. */
function maximaByPlaces(call: Call, images: Value, g: Windows): readonly [Value, Value] {
  const { b } = call
  const [rows, columns] = g.out as Pair
  const width = g.input[1]!
  const starts = Int32Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns) * g.strides[0]! - g.before[0]!
    return row * width + (i % columns) * g.strides[1]! - g.before[1]!
  })
  const offsets = Int32Array.from(windowPlaces(g), ([row, column]) => row! * width + column!)
  const values = b.add('MaxPool', [images], [g.batch, g.channels, ...g.out], images.type, attributes(g))
  const best = firstMaximum(b, images, g)
  const offset = b.gather(b.value([offsets.length], 'int32', offsets), best, 0)
  return [values, b.binary('Add', offset, b.value([1, 1, rows, columns], 'int32', starts))]
}

/** Spreads each window's gradient evenly over its full size, as tfjs does also where a window hangs over. */
const avgPoolGrad: Lowering = (call) => {
  const { b } = call
  const [dy, x] = [input(call, 'dy'), input(call, 'input')]
  const g = windows(call, x.shape)
  const shares = b.binary('Mul', first(b, dy), b.scalar(1 / sizeOf(g.kernel), x.type))
  const single = b.reshape(shares, [g.batch * g.channels, 1, ...g.out])
  const spreadOut = spread(call, single, b.fill(1, [1, 1, ...g.kernel], x.type), g, 1)
  return last(b, b.reshape(spreadOut, [g.batch, g.channels, ...g.input]))
}

/** Pooling over two or three spatial axes, and its gradients. */
export const POOL: LoweringTable = {
  MaxPool: forward('MaxPool'),
  MaxPool3D: forward('MaxPool'),
  MaxPoolWithArgmax: maxPoolWithArgmax,
  AvgPool: forward('AveragePool'),
  AvgPool3D: forward('AveragePool'),
  MaxPoolGrad: maxPoolGrad,
  MaxPool3DGrad: maxPoolGrad,
  AvgPoolGrad: avgPoolGrad,
  AvgPool3DGrad: avgPoolGrad,
}
