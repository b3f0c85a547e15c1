import * as tf from '@tensorflow/tfjs-core'
import type { GraphBuilder, Value } from '../graph.ts'
import { type Call, input, type Lowering, type LoweringTable } from './call.ts'
import { readWindows, spread } from './windows.ts'

type Shape3 = [number, number, number]
type Shape4 = [number, number, number, number]

interface ResponseAttrs {
  readonly depthRadius: number
  readonly bias: number
  readonly alpha: number
  readonly beta: number
}

/** Sums over the neighbouring channels: a product with a band of ones. */
function neighbours(b: GraphBuilder, x: Value, radius: number): Value {
  const c = x.shape.at(-1)!
  const band = Float32Array.from({ length: c * c }, (_, i) => (Math.abs((i % c) - Math.floor(i / c)) <= radius ? 1 : 0))
  return b.matmul(x, b.value([c, c], 'float32', band))
}

/** bias + alpha · (sum of squares of the neighbouring channels). */
function response(call: Call, x: Value): Value {
  const { b } = call
  const { depthRadius, bias, alpha } = call.attrs as unknown as ResponseAttrs
  const sums = neighbours(b, b.binary('Mul', x, x), depthRadius)
  return b.binary('Add', b.binary('Mul', sums, b.scalar(alpha, 'float32')), b.scalar(bias, 'float32'))
}

const localResponse: Lowering = (call) => {
  const { b } = call
  const x = input(call, 'x')
  const { beta } = call.attrs as unknown as ResponseAttrs
  return b.binary('Mul', x, b.binary('Pow', response(call, x), b.scalar(-beta, 'float32')))
}

/** dx = dy · s^-β - 2αβ · x · Σ over neighbours of (dy · y / s), with s the {@link response}. */
const localResponseGrad: Lowering = (call) => {
  const { b } = call
  const [x, y, dy] = [input(call, 'x'), input(call, 'y'), input(call, 'dy')]
  const { depthRadius, alpha, beta } = call.attrs as unknown as ResponseAttrs
  const s = response(call, x)
  const own = b.binary('Mul', dy, b.binary('Pow', s, b.scalar(-beta, 'float32')))
  const spread = neighbours(b, b.binary('Div', b.binary('Mul', dy, y), s), depthRadius)
  const others = b.binary('Mul', b.binary('Mul', x, spread), b.scalar(2 * alpha * beta, 'float32'))
  return b.binary('Sub', own, others)
}

type Geometry = ReturnType<typeof tf.backend_util.computeDilation2DInfo>

/** Far below every sum, so that what lies beyond the image is never the largest. */
const OUTSIDE = -1e30

/** x + filter at every place of the window: one image [n, oh, ow, c] for each of the window's places. */
function shifted(call: Call): { g: Geometry; sums: Value[] } {
  const { b } = call
  const [x, filter] = [input(call, 'x'), input(call, 'filter')]
  const { strides, pad, dilations } = call.attrs as unknown as {
    strides: [number, number]
    pad: 'valid' | 'same'
    dilations: [number, number]
  }
  const g = tf.backend_util.computeDilation2DInfo(
    x.shape as Shape4,
    filter.shape as Shape3,
    strides,
    pad,
    'NHWC',
    dilations,
  )
  const rows = (g.outHeight - 1) * g.strideHeight + 1
  const columns = (g.outWidth - 1) * g.strideWidth + 1
  const { top, left } = g.padInfo
  const padded = b.pad(
    x,
    [
      [0, 0],
      [top, Math.max(0, rows + g.effectiveFilterHeight - 1 - g.inHeight - top)],
      [left, Math.max(0, columns + g.effectiveFilterWidth - 1 - g.inWidth - left)],
      [0, 0],
    ],
    OUTSIDE,
  )
  const sums: Value[] = []
  for (let p = 0; p < g.filterHeight; p++) {
    for (let q = 0; q < g.filterWidth; q++) {
      const from = [p * g.dilationHeight, q * g.dilationWidth]
      const to = [from[0]! + rows, from[1]! + columns]
      const part = b.slice(padded, from, to, [1, 2], [g.strideHeight, g.strideWidth])
      const weight = b.reshape(b.slice(filter, [p, q], [p + 1, q + 1], [0, 1]), [g.inChannels])
      sums.push(b.binary('Add', part, weight))
    }
  }
  return { g, sums }
}

/** The gradient of each place of the window: dy where that place held the first maximum, [places, n, oh, ow, c]. */
function routed(call: Call): { g: Geometry; parts: Value } {
  const { b } = call
  const { g, sums } = shifted(call)
  const stack = b.concat(
    sums.map((part) => b.reshape(part, [1, ...part.shape])),
    0,
  )
  const best = b.add('ArgMax', [stack], stack.shape.slice(1), 'int64', { axis: 0, keepdims: 0, select_last_index: 0 })
  const numbers = b.value(
    [sums.length, 1, 1, 1, 1],
    'int32',
    Int32Array.from(sums, (_, i) => i),
  )
  const hit = b.compare('Equal', b.cast(best, 'int32'), numbers)
  return { g, parts: b.where(hit, input(call, 'dy'), b.scalar(0, 'float32')) }
}

/** Puts every place's gradient where the place looked: a transposed convolution whose filters hold a single one each. */
const dilationGradOfInput: Lowering = (call) => {
  const { b } = call
  const { g, parts } = routed(call)
  const places = parts.shape[0]!
  const images = g.batchSize * g.inChannels
  const y = b.reshape(b.transpose(parts, [1, 4, 0, 2, 3]), [images, places, g.outHeight, g.outWidth])
  const ones = Float32Array.from({ length: places * places }, (_, i) => (i % (places + 1) === 0 ? 1 : 0))
  const filters = b.value([places, 1, g.filterHeight, g.filterWidth], 'float32', ones)
  const cut = spread(call, y, filters, readWindows(g), 1)
  return b.transpose(b.reshape(cut, [g.batchSize, g.inChannels, g.inHeight, g.inWidth]), [0, 2, 3, 1])
}

/** Kernels that look at neighbours in ways of their own: response normalization and grey-scale dilation. */
export const LOCAL: LoweringTable = {
  LRN: localResponse,
  LRNGrad: localResponseGrad,
  Dilation2D: (call) => shifted(call).sums.reduce((most, part) => call.b.binary('Max', most, part)),
  Dilation2DBackpropInput: dilationGradOfInput,
  Dilation2DBackpropFilter: (call) => {
    const { g, parts } = routed(call)
    const sums = call.b.reduce('ReduceSum', parts, [1, 2, 3], false)
    return call.b.reshape(sums, [g.filterHeight, g.filterWidth, g.inChannels])
  },
}
