import * as tf from '@tensorflow/tfjs-core'
import type { GraphBuilder, Value } from '../graph.ts'
import { type Call, input, type Lowering, type LoweringTable } from './call.ts'

type Shape4 = [number, number, number, number]

/** Where an output row looks in the input, by tfjs's rules of resizing. */
function source(call: Call, from: number, to: number, shift: number): (at: number) => number {
  const { alignCorners, halfPixelCenters } = call.attrs as { alignCorners: boolean; halfPixelCenters?: boolean }
  const ratio = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to
  return (at) => (halfPixelCenters ? ratio * (at + 0.5) - shift : ratio * at)
}

/** The weights of linear interpolation along one axis, [to, from]. */
function linear(call: Call, from: number, to: number): Float32Array {
  const place = source(call, from, to, 0.5)
  const weights = new Float32Array(to * from)
  for (let i = 0; i < to; i++) {
    const at = place(i)
    const low = Math.max(0, Math.floor(at))
    const high = Math.min(from - 1, Math.ceil(at))
    weights[i * from + low]! += 1 - (at - low)
    weights[i * from + high]! += at - low
  }
  return weights
}

function nearest(call: Call, from: number, to: number): number[] {
  const place = source(call, from, to, 0)
  const round = call.attrs.alignCorners ? Math.round : Math.floor
  return Array.from({ length: to }, (_, i) => Math.max(0, Math.min(from - 1, round(place(i)))))
}

/** Weights [to, from] that take what {@link nearest} names. */
function picking(call: Call, from: number, to: number): Float32Array {
  const weights = new Float32Array(to * from)
  nearest(call, from, to).forEach((at, i) => {
    weights[i * from + at] = 1
  })
  return weights
}

function transposed(weights: Float32Array, rows: number, columns: number): Float32Array {
  return weights.map((_, i) => weights[(i % rows) * columns + Math.floor(i / rows)]!)
}

/** Multiplies [H, h] weights onto the rows and [W, w] onto the columns of images [n, h, w, c]. */
function resample(b: GraphBuilder, x: Value, rows: Value, columns: Value): Value {
  const [n, h, w, c] = x.shape as Shape4
  const height = rows.shape.at(-2)!
  const width = columns.shape.at(-2)!
  const tall = b.matmul(rows, b.reshape(x, [n, h, w * c]))
  const each = columns.shape.length === 3 ? b.reshape(columns, [n, 1, width, w]) : columns
  return b.matmul(each, b.reshape(tall, [n, height, w, c]))
}

const bilinear: Lowering = (call) => {
  const { b, outs } = call
  const x = b.cast(input(call, 'images'), 'float32')
  const [, h, w] = x.shape as Shape4
  const [, height, width] = outs[0]!.shape as Shape4
  const rows = b.constant(linear(call, h, height), [height, h], 'float32')
  return resample(b, x, rows, b.constant(linear(call, w, width), [width, w], 'float32'))
}

/** The exact adjoint of the resizing: the same weights, transposed. */
const adjoint =
  (weights: typeof linear): Lowering =>
  (call) => {
    const { b } = call
    const [images, dy] = [input(call, 'images'), input(call, 'dy')]
    const [, h, w] = images.shape as Shape4
    const [, height, width] = dy.shape as Shape4
    const rows = b.constant(transposed(weights(call, h, height), height, h), [h, height], 'float32')
    const columns = b.constant(transposed(weights(call, w, width), width, w), [w, width], 'float32')
    return resample(b, dy, rows, columns)
  }

/** Weights of box rows [boxes, to, from], and whether each row lies inside. */
function boxWeights(call: Call, low: Value, high: Value, from: number, to: number): { weights: Value; inside: Value } {
  const { b, attrs } = call
  const last = b.scalar(from - 1, 'float32')
  const share = Float32Array.from({ length: to }, (_, i) => (to > 1 ? i / (to - 1) : 0.5))
  const span = b.binary('Mul', b.binary('Sub', high, low), b.value([1, to], 'float32', share))
  const at = b.binary('Mul', b.binary('Add', low, span), last)
  // A box that ends on the border must not fall off it by a rounding of float32.
  const slack = from * 1e-6
  const inside = b.compare(
    'And',
    b.compare('GreaterOrEqual', at, b.scalar(-slack, 'float32')),
    b.compare('LessOrEqual', at, b.scalar(from - 1 + slack, 'float32')),
  )
  const clipped = b.add('Clip', [at, b.scalar(0, 'float32'), last], at.shape, 'float32')
  const place = b.reshape(
    attrs.method === 'nearest' ? b.unary('Floor', b.binary('Add', clipped, b.scalar(0.5, 'float32'))) : clipped,
    [at.shape[0]!, to, 1],
  )
  const numbers = b.value(
    [from],
    'float32',
    Float32Array.from({ length: from }, (_, i) => i),
  )
  const distance = b.unary('Abs', b.binary('Sub', place, numbers))
  const weights = b.unary('Relu', b.binary('Sub', b.scalar(1, 'float32'), distance))
  return { weights, inside }
}

const cropAndResize: Lowering = (call) => {
  const { b, attrs } = call
  const [image, boxes, boxInd] = [input(call, 'image'), input(call, 'boxes'), input(call, 'boxInd')]
  const [batch, h, w] = image.shape as Shape4
  const [height, width] = attrs.cropSize as [number, number]
  const n = boxes.shape[0]!
  const corner = (i: number): Value => b.slice(boxes, [i], [i + 1], [1])
  const rows = boxWeights(call, corner(0), corner(2), h, height)
  const columns = boxWeights(call, corner(1), corner(3), w, width)
  const known = b.compare('Less', boxInd, b.scalar(batch, 'int32'))
  const images = b.gather(b.cast(image, 'float32'), b.where(known, boxInd, b.scalar(0, 'int32')), 0)
  const inside = b.compare(
    'And',
    b.reshape(rows.inside, [n, height, 1, 1]),
    b.reshape(columns.inside, [n, 1, width, 1]),
  )
  const crops = b.where(
    inside,
    resample(b, images, rows.weights, columns.weights),
    b.scalar(attrs.extrapolationValue as number, 'float32'),
  )
  return b.where(b.reshape(known, [n, 1, 1, 1]), crops, b.scalar(0, 'float32'))
}

/** The angle is an attribute, so every pixel's source is known ahead. */
const rotate: Lowering = (call) => {
  const { b, attrs } = call
  const x = input(call, 'image')
  const [n, h, w, c] = x.shape as Shape4
  const { radians, fillValue, center } = attrs as {
    radians: number
    fillValue: number | [number, number, number]
    center: number | [number, number]
  }
  const [cx, cy] = tf.backend_util.getImageCenter(center, h, w)
  const [sin, cos] = [Math.sin(radians), Math.cos(radians)]
  const places = new Int32Array(h * w)
  const inside = new Uint8Array(h * w)
  for (let i = 0; i < h * w; i++) {
    const [dx, dy] = [(i % w) - cx, Math.floor(i / w) - cy]
    const col = Math.round(dx * cos - dy * sin + cx)
    const row = Math.round(dx * sin + dy * cos + cy)
    if (col < 0 || col >= w || row < 0 || row >= h) continue
    inside[i] = 1
    places[i] = row * w + col
  }
  const taken = b.gather(b.reshape(x, [n, h * w, c]), b.value([h * w], 'int32', places), 1)
  const fill =
    typeof fillValue === 'number'
      ? b.scalar(fillValue, x.type)
      : // Opaque, as tfjs has it.
        b.cast(
          b.value(
            [c],
            'float32',
            Float32Array.from({ length: c }, (_, i) => (i === 3 ? 255 : fillValue[i]!)),
          ),
          x.type,
        )
  return b.reshape(b.where(b.value([h * w, 1], 'bool', inside), taken, fill), x.shape)
}

/** Kernels that resample images. */
export const IMAGE: LoweringTable = {
  ResizeBilinear: bilinear,
  ResizeBilinearGrad: adjoint(linear),
  ResizeNearestNeighbor: (call) => {
    const { b, outs } = call
    const x = input(call, 'images')
    const [, height, width] = outs[0]!.shape as Shape4
    const tall = b.gather(x, b.ints(nearest(call, x.shape[1]!, height)), 1)
    return b.gather(tall, b.ints(nearest(call, x.shape[2]!, width)), 2)
  },
  ResizeNearestNeighborGrad: adjoint(picking),
  CropAndResize: cropAndResize,
  RotateWithOffset: rotate,
}
