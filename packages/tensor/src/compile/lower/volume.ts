import * as tf from '@tensorflow/tfjs-core'
import type { GraphBuilder, Value } from '../graph.ts'
import { sizeOf } from '../graph.ts'
import { type Call, input, type Lowering, type LoweringTable } from './call.ts'

type Shape5 = [number, number, number, number, number]
type Triple = [number, number, number]

/** The sizes that tfjs derives for windows over depth, height and width. */
interface Geometry {
  readonly batch: number
  readonly channels: number
  readonly outChannels: number
  readonly input: Triple
  readonly out: Triple
  /** Extent of a window, holes included. */
  readonly reach: Triple
  readonly kernel: Triple
  readonly strides: Triple
  readonly dilations: Triple
  readonly before: Triple
  readonly after: Triple
}

function read(info: ReturnType<typeof tf.backend_util.computeConv3DInfo>): Geometry {
  const { padInfo } = info
  return {
    batch: info.batchSize,
    channels: info.inChannels,
    outChannels: info.outChannels,
    input: [info.inDepth, info.inHeight, info.inWidth],
    out: [info.outDepth, info.outHeight, info.outWidth],
    reach: [info.effectiveFilterDepth, info.effectiveFilterHeight, info.effectiveFilterWidth],
    kernel: [info.filterDepth, info.filterHeight, info.filterWidth],
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    dilations: [info.dilationDepth, info.dilationHeight, info.dilationWidth],
    before: [padInfo.front, padInfo.top, padInfo.left],
    after: [padInfo.back, padInfo.bottom, padInfo.right],
  }
}

interface WindowAttrs {
  readonly filterSize: Triple
  readonly strides: Triple
  readonly pad: 'valid' | 'same' | number
  readonly dilations?: Triple
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil'
}

function convolution(call: Call, inShape: readonly number[], filterShape: readonly number[]): Geometry {
  const { strides, pad, dilations } = call.attrs as unknown as WindowAttrs
  return read(
    tf.backend_util.computeConv3DInfo(
      inShape as Shape5,
      filterShape as Shape5,
      strides,
      dilations ?? 1,
      pad as 'valid' | 'same',
    ),
  )
}

function pooling(call: Call, shape: readonly number[]): Geometry {
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs as unknown as WindowAttrs
  return read(tf.backend_util.computePool3DInfo(shape as Shape5, filterSize, strides, 1, pad, dimRoundingMode))
}

const windows = (g: Geometry): Record<string, readonly number[]> => ({
  strides: g.strides,
  dilations: g.dilations,
  pads: [...g.before, ...g.after],
})
const pools = (g: Geometry): Record<string, readonly number[]> => ({
  kernel_shape: g.kernel,
  strides: g.strides,
  pads: [...g.before, ...g.after],
})

const first = (b: GraphBuilder, x: Value): Value => b.transpose(x, [0, 4, 1, 2, 3])
const last = (b: GraphBuilder, x: Value): Value => b.transpose(x, [0, 2, 3, 4, 1])
const triple = (fn: (axis: 0 | 1 | 2) => number): Triple => [fn(0), fn(1), fn(2)]

const conv3d: Lowering = (call) => {
  const { b } = call
  const [x, filter] = [input(call, 'x'), input(call, 'filter')]
  const g = convolution(call, x.shape, filter.shape)
  const weights = b.transpose(filter, [4, 3, 0, 1, 2])
  const shape = [g.batch, g.outChannels, ...g.out]
  return last(b, b.add('Conv', [first(b, x), weights], shape, x.type, { ...windows(g), group: 1 }))
}

/** A transposed convolution without padding reaches from the first window's start to the last one's end; cut the input out. */
function spread(b: GraphBuilder, y: Value, weights: Value, g: Geometry, group: number, channels: number): Value {
  const reached = triple((i) => (g.out[i] - 1) * g.strides[i] + g.reach[i])
  const attrs = { strides: g.strides, dilations: g.dilations, pads: [0, 0, 0, 0, 0, 0], group }
  const whole = b.add('ConvTranspose', [y, weights], [y.shape[0]!, channels, ...reached], y.type, attrs)
  const grown = b.pad(whole, [
    [0, 0],
    [0, 0],
    ...triple((i) => Math.max(0, g.before[i] + g.input[i] - reached[i])).map((n): [number, number] => [0, n]),
  ])
  return b.slice(
    grown,
    g.before,
    triple((i) => g.before[i] + g.input[i]),
    [2, 3, 4],
  )
}

const conv3dBackpropInput: Lowering = (call) => {
  const { b } = call
  const [dy, filter] = [input(call, 'dy'), input(call, 'filter')]
  const g = convolution(call, call.attrs.inputShape as number[], filter.shape)
  return last(b, spread(b, first(b, dy), b.transpose(filter, [4, 3, 0, 1, 2]), g, 1, g.channels))
}

/** The adjoint in the filter: a convolution over the batch whose stride and dilation have changed places. */
const conv3dBackpropFilter: Lowering = (call) => {
  const { b, attrs } = call
  const [x, dy] = [input(call, 'x'), input(call, 'dy')]
  const g = convolution(call, x.shape, attrs.filterShape as number[])
  const reached = triple((i) => (g.out[i] - 1) * g.strides[i] + g.reach[i])
  const padded = b.pad(first(b, x), [
    [0, 0],
    [0, 0],
    ...triple((i) => i).map((i): [number, number] => [
      g.before[i]!,
      Math.max(0, reached[i]! - g.input[i]! - g.before[i]!),
    ]),
  ])
  const swapped = [1, 0, 2, 3, 4]
  const y = b.add(
    'Conv',
    [b.transpose(b.slice(padded, [0, 0, 0], reached, [2, 3, 4]), swapped), b.transpose(first(b, dy), swapped)],
    [g.channels, g.outChannels, ...g.kernel],
    x.type,
    { strides: g.dilations, dilations: g.strides, pads: [0, 0, 0, 0, 0, 0], group: 1 },
  )
  return b.transpose(y, [2, 3, 4, 0, 1])
}

const pool =
  (op: string): Lowering =>
  (call) => {
    const { b } = call
    const x = input(call, 'x')
    const g = pooling(call, x.shape)
    return last(b, b.add(op, [first(b, x)], [g.batch, g.channels, ...g.out], x.type, pools(g)))
  }

/** Sends each window's gradient to the place of its maximum, which ONNX's MaxPool also tells. */
const maxPoolGrad: Lowering = (call) => {
  const { b } = call
  const [dy, x] = [input(call, 'dy'), input(call, 'input')]
  const g = pooling(call, x.shape)
  const shape = [g.batch, g.channels, ...g.out]
  const images = first(b, x)
  const results = [
    { shape, type: x.type },
    { shape, type: 'int64' as const },
  ]
  const places = b.addMany('MaxPool', [images], results, pools(g))[1]!
  const count = sizeOf(shape)
  const sums = b.add(
    'ScatterElements',
    [b.fill(0, [sizeOf(x.shape)], x.type), b.reshape(places, [count]), b.reshape(first(b, dy), [count])],
    [sizeOf(x.shape)],
    x.type,
    { axis: 0, reduction: 'add' },
  )
  return last(b, b.reshape(sums, images.shape))
}

/** Spreads each window's gradient evenly over its full size, as tfjs does also where a window hangs over. */
const avgPoolGrad: Lowering = (call) => {
  const { b } = call
  const [dy, x] = [input(call, 'dy'), input(call, 'input')]
  const g = pooling(call, x.shape)
  const shares = b.binary('Mul', first(b, dy), b.scalar(1 / sizeOf(g.kernel), x.type))
  const single = b.reshape(shares, [g.batch * g.channels, 1, ...g.out])
  const y = spread(b, single, b.fill(1, [1, 1, ...g.kernel], x.type), g, 1, 1)
  return last(b, b.reshape(y, [g.batch, g.channels, ...g.input]))
}

/** Convolutions and pools over three spatial axes, and their adjoints. */
export const VOLUME: LoweringTable = {
  Conv3D: conv3d,
  Conv3DBackpropInputV2: conv3dBackpropInput,
  Conv3DBackpropFilterV2: conv3dBackpropFilter,
  MaxPool3D: pool('MaxPool'),
  AvgPool3D: pool('AveragePool'),
  MaxPool3DGrad: maxPoolGrad,
  AvgPool3DGrad: avgPoolGrad,
}
