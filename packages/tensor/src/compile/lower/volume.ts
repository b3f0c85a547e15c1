import * as tf from '@tensorflow/tfjs-core'
import { type Call, input, type Lowering, type LoweringTable } from './call.ts'
import { first, fit, last, readWindows, spread, type Windows } from './windows.ts'

type Shape5 = [number, number, number, number, number]
type Triple = [number, number, number]

function windows(call: Call, inShape: readonly number[], filterShape: readonly number[]): Windows {
  const { strides, pad, dilations } = call.attrs as unknown as {
    strides: Triple
    pad: 'valid' | 'same'
    dilations?: Triple
  }
  return readWindows(
    tf.backend_util.computeConv3DInfo(inShape as Shape5, filterShape as Shape5, strides, dilations ?? 1, pad),
  )
}

const conv3d: Lowering = (call) => {
  const { b } = call
  const [x, filter] = [input(call, 'x'), input(call, 'filter')]
  const g = windows(call, x.shape, filter.shape)
  const weights = b.transpose(filter, [4, 3, 0, 1, 2])
  const attrs = { strides: g.strides, dilations: g.dilations, pads: [...g.before, ...g.after], group: 1 }
  return last(b, b.add('Conv', [first(b, x), weights], [g.batch, g.outChannels, ...g.out], x.type, attrs))
}

const conv3dBackpropInput: Lowering = (call) => {
  const { b } = call
  const [dy, filter] = [input(call, 'dy'), input(call, 'filter')]
  const g = windows(call, call.attrs.inputShape as number[], filter.shape)
  return last(b, spread(call, first(b, dy), b.transpose(filter, [4, 3, 0, 1, 2]), g, 1))
}

/** The adjoint in the filter: a convolution over the batch whose stride and dilation have changed places. */
const conv3dBackpropFilter: Lowering = (call) => {
  const { b, attrs } = call
  const [x, dy] = [input(call, 'x'), input(call, 'dy')]
  const g = windows(call, x.shape, attrs.filterShape as number[])
  const swapped = [1, 0, 2, 3, 4]
  const y = b.add(
    'Conv',
    [b.transpose(fit(b, first(b, x), g), swapped), b.transpose(first(b, dy), swapped)],
    [g.channels, g.outChannels, ...g.kernel],
    x.type,
    { strides: g.dilations, dilations: g.strides, pads: [0, 0, 0, 0, 0, 0], group: 1 },
  )
  return b.transpose(y, [2, 3, 4, 0, 1])
}

/** Convolutions over three spatial axes, and their adjoints. */
export const VOLUME: LoweringTable = {
  Conv3D: conv3d,
  Conv3DBackpropInputV2: conv3dBackpropInput,
  Conv3DBackpropFilterV2: conv3dBackpropFilter,
}
