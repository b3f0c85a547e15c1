import * as tf from '@tensorflow/tfjs-core'
import type { GraphBuilder, Value } from '../graph.ts'
import { type Call, input, type Lowering, type LoweringTable } from './call.ts'
import { finish } from './matmul.ts'
import { fit, readWindows, spread } from './windows.ts'

type Shape4 = [number, number, number, number]
type Geometry = ReturnType<typeof tf.backend_util.computeConv2DInfo>

/** The sizes, paddings and strides that tfjs derives from the same attributes. */
function geometry(
  call: Call,
  inShape: readonly number[],
  filterShape: readonly number[],
  depthwise: boolean,
): Geometry {
  const { strides, pad, dataFormat, dilations, dimRoundingMode } = call.attrs as {
    strides: [number, number]
    pad: 'valid' | 'same' | number
    dataFormat?: 'NHWC' | 'NCHW'
    dilations?: [number, number]
    dimRoundingMode?: 'floor' | 'round' | 'ceil'
  }
  return tf.backend_util.computeConv2DInfo(
    inShape as Shape4,
    filterShape as Shape4,
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    depthwise,
    tf.backend_util.convertConv2DDataFormat(dataFormat ?? 'NHWC'),
  )
}

const attributes = (g: Geometry): Record<string, number | readonly number[]> => ({
  strides: [g.strideHeight, g.strideWidth],
  dilations: [g.dilationHeight, g.dilationWidth],
  pads: [g.padInfo.top, g.padInfo.left, g.padInfo.bottom, g.padInfo.right],
})

const NHWC_TO_NCHW = [0, 3, 1, 2]
const NCHW_TO_NHWC = [0, 2, 3, 1]

const channelsFirst = (b: GraphBuilder, x: Value, g: Geometry): Value =>
  g.dataFormat === 'channelsLast' ? b.transpose(x, NHWC_TO_NCHW) : x
const channelsBack = (b: GraphBuilder, x: Value, g: Geometry): Value =>
  g.dataFormat === 'channelsLast' ? b.transpose(x, NCHW_TO_NHWC) : x

function conv2d(call: Call): Value {
  const { b } = call
  const [x, filter] = [input(call, 'x'), input(call, 'filter')]
  const g = geometry(call, x.shape, filter.shape, false)
  const shape = [g.batchSize, g.outChannels, g.outHeight, g.outWidth]
  const group = g.inChannels / filter.shape[2]!
  const weights = b.transpose(filter, [3, 2, 0, 1])
  const y = b.add('Conv', [channelsFirst(b, x, g), weights], shape, x.type, { ...attributes(g), group })
  return channelsBack(b, y, g)
}

function depthwise(call: Call): Value {
  const { b } = call
  const [x, filter] = [input(call, 'x'), input(call, 'filter')]
  const g = geometry(call, x.shape, filter.shape, true)
  const [h, w, channels, multiplier] = filter.shape as Shape4
  const weights = b.reshape(b.transpose(filter, [2, 3, 0, 1]), [channels * multiplier, 1, h, w])
  const shape = [g.batchSize, g.outChannels, g.outHeight, g.outWidth]
  const y = b.add('Conv', [channelsFirst(b, x, g), weights], shape, x.type, { ...attributes(g), group: channels })
  return channelsBack(b, y, g)
}

/** The adjoint of a convolution in its input is ONNX's ConvTranspose with the same geometry. */
function backToInput(call: Call, g: Geometry, dy: Value, weights: Value, group: number): Value {
  const { b } = call
  const shape = [g.batchSize, g.inChannels, g.inHeight, g.inWidth]
  const reached = (size: number, stride: number, effective: number, before: number, after: number): number =>
    (size - 1) * stride + effective - before - after
  const rows = reached(g.outHeight, g.strideHeight, g.effectiveFilterHeight, g.padInfo.top, g.padInfo.bottom)
  const columns = reached(g.outWidth, g.strideWidth, g.effectiveFilterWidth, g.padInfo.left, g.padInfo.right)
  const core = b.add(
    'ConvTranspose',
    [channelsFirst(b, dy, g), weights],
    [...shape.slice(0, 2), rows, columns],
    dy.type,
    {
      ...attributes(g),
      group,
    },
  )
  // Inputs that no window reached come back as zeros; what lies beyond the input is cut.
  const padded = b.pad(core, [
    [0, 0],
    [0, 0],
    [0, Math.max(0, g.inHeight - rows)],
    [0, Math.max(0, g.inWidth - columns)],
  ])
  const exact = padded.shape[2] === g.inHeight && padded.shape[3] === g.inWidth
  return channelsBack(b, exact ? padded : b.slice(padded, [0, 0], [g.inHeight, g.inWidth], [2, 3]), g)
}

const conv2dBackpropInput: Lowering = (call) => {
  const [dy, filter] = [input(call, 'dy'), input(call, 'filter')]
  const g = geometry(call, call.attrs.inputShape as number[], filter.shape, false)
  return backToInput(call, g, dy, call.b.transpose(filter, [3, 2, 0, 1]), 1)
}

const depthwiseBackpropInput: Lowering = (call) => {
  const [dy, filter] = [input(call, 'dy'), input(call, 'filter')]
  const g = geometry(call, call.attrs.inputShape as number[], filter.shape, true)
  const [h, w, channels, multiplier] = filter.shape as Shape4
  const weights = call.b.reshape(call.b.transpose(filter, [2, 3, 0, 1]), [channels * multiplier, 1, h, w])
  if (call.gpu)
    return channelsBack(call.b, spread(call, channelsFirst(call.b, dy, g), weights, readWindows(g), channels), g)
  return backToInput(call, g, dy, weights, channels)
}

/** The adjoint in the filter: a convolution over the batch whose stride and dilation have changed places. */
const conv2dBackpropFilter: Lowering = (call) => {
  const { b, attrs } = call
  const [x, dy] = [input(call, 'x'), input(call, 'dy')]
  const g = geometry(call, x.shape, attrs.filterShape as number[], false)
  const images = fit(b, channelsFirst(b, x, g), readWindows(g))
  const swapped = [1, 0, 2, 3]
  const shape = [g.inChannels, g.outChannels, g.filterHeight, g.filterWidth]
  const y = b.add(
    'Conv',
    [b.transpose(images, swapped), b.transpose(channelsFirst(b, dy, g), swapped)],
    shape,
    x.type,
    {
      strides: [g.dilationHeight, g.dilationWidth],
      dilations: [g.strideHeight, g.strideWidth],
      pads: [0, 0, 0, 0],
      group: 1,
    },
  )
  return b.transpose(y, [2, 3, 0, 1])
}

const depthwiseBackpropFilter: Lowering = (call) => {
  const { b, attrs } = call
  const [x, dy] = [input(call, 'x'), input(call, 'dy')]
  const [h, w, channels, multiplier] = attrs.filterShape as Shape4
  const g = geometry(call, x.shape, attrs.filterShape as number[], true)
  const images = fit(b, channelsFirst(b, x, g), readWindows(g))
  const [rows, columns] = [images.shape[2]!, images.shape[3]!]
  // One group per image and channel; the batch is summed afterwards.
  const groups = g.batchSize * channels
  const y = b.add(
    'Conv',
    [
      b.reshape(images, [1, groups, rows, columns]),
      b.reshape(channelsFirst(b, dy, g), [groups * multiplier, 1, g.outHeight, g.outWidth]),
    ],
    [1, groups * multiplier, h, w],
    x.type,
    {
      strides: [g.dilationHeight, g.dilationWidth],
      dilations: [g.strideHeight, g.strideWidth],
      pads: [0, 0, 0, 0],
      group: groups,
    },
  )
  const summed = b.reduce('ReduceSum', b.reshape(y, [g.batchSize, channels, multiplier, h, w]), [0], false)
  return b.transpose(summed, [2, 3, 0, 1])
}

/** A fused kernel's bias sits on the channel axis, which is the last one unless the layout is NCHW. */
const fused =
  (product: (call: Call) => Value): Lowering =>
  (call) => {
    const bias = call.inputs.bias
    const onChannels = bias && call.attrs.dataFormat === 'NCHW' && bias.shape.length === 1
    return finish(call, product(call), onChannels ? call.b.reshape(bias, [...bias.shape, 1, 1]) : bias)
  }

const batchNorm: Lowering = (call) => {
  const { b, attrs } = call
  const [x, mean, variance] = [input(call, 'x'), input(call, 'mean'), input(call, 'variance')]
  const spread = b.unary('Sqrt', b.binary('Add', variance, b.scalar(attrs.varianceEpsilon as number, x.type)))
  let y = b.binary('Div', b.binary('Sub', x, mean), spread)
  if (call.inputs.scale) y = b.binary('Mul', y, call.inputs.scale)
  return call.inputs.offset ? b.binary('Add', y, call.inputs.offset) : y
}

/** Convolutions, their adjoints, and batch normalization. */
export const CONVOLUTION: LoweringTable = {
  Conv2D: conv2d,
  FusedConv2D: fused(conv2d),
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2D: fused(depthwise),
  Conv2DBackpropInput: conv2dBackpropInput,
  Conv2DBackpropFilter: conv2dBackpropFilter,
  DepthwiseConv2dNativeBackpropInput: depthwiseBackpropInput,
  DepthwiseConv2dNativeBackpropFilter: depthwiseBackpropFilter,
  FusedBatchNorm: batchNorm,
}
