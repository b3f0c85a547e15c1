import * as tf from '@tensorflow/tfjs-core'
import { type Attributes, detached, type GradientTable, kernel, zeros } from './common.ts'

type Pad = 'valid' | 'same' | number | [[number, number], [number, number], [number, number], [number, number]]

// A convolution is linear in each argument, and its three kernels (forward, by input, by filter) are each other's
// derivatives: the set is closed, so any order follows.
const convolutions: GradientTable = {
  Conv2DBackpropFilter: {
    inputsToSave: ['x', 'dy'],
    gradFunc: (ddw, [x, dy], attrs) => ({
      x: () =>
        kernel('Conv2DBackpropInput', { dy: dy!, filter: ddw }, { ...convAttributes(attrs), inputShape: x!.shape }),
      dy: () => kernel('Conv2D', { x: x!, filter: ddw }, { ...convAttributes(attrs), dilations: [1, 1] }),
    }),
  },
  DepthwiseConv2dNativeBackpropFilter: {
    inputsToSave: ['x', 'dy'],
    gradFunc: (ddw, [x, dy], attrs) => ({
      x: () =>
        kernel(
          'DepthwiseConv2dNativeBackpropInput',
          { dy: dy!, filter: ddw },
          { ...depthwiseAttributes(attrs), inputShape: x!.shape },
        ),
      dy: () =>
        kernel('DepthwiseConv2dNative', { x: x!, filter: ddw }, { ...depthwiseAttributes(attrs), dataFormat: 'NHWC' }),
    }),
  },
  DepthwiseConv2dNativeBackpropInput: {
    inputsToSave: ['dy', 'filter'],
    gradFunc: (ddx, [dy, filter], attrs) => ({
      dy: () =>
        kernel(
          'DepthwiseConv2dNative',
          { x: ddx, filter: filter! },
          { ...depthwiseAttributes(attrs), dataFormat: 'NHWC' },
        ),
      filter: () =>
        kernel(
          'DepthwiseConv2dNativeBackpropFilter',
          { x: ddx, dy: dy! },
          { ...depthwiseAttributes(attrs), filterShape: filter!.shape },
        ),
    }),
  },
}

const pools: GradientTable = {
  // AvgPoolGrad divides by the whole window while the forward kernel divides by the part inside the image: the
  // gradient is scaled by their ratio, which is one without padding.
  AvgPool: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => ({
      x: () => {
        const { filterSize, strides, pad } = attrs
        const scaled = tf.mul(dy, windowRatio(x!.shape as Shape4, attrs))
        return kernel('AvgPoolGrad', { dy: scaled, input: x! }, { filterSize, strides, pad })
      },
    }),
  },
  AvgPoolGrad: {
    inputsToSave: ['input'],
    gradFunc: (ddx, [input], attrs) => ({
      dy: () => tf.div(kernel('AvgPool', { x: ddx }, attrs), windowRatio(input!.shape as Shape4, attrs)),
      input: () => zeros(input!.shape),
    }),
  },
  // MaxPoolGrad is linear in dy; where it sends dy is decided by the input alone, so the input's derivative is zero.
  MaxPoolGrad: {
    inputsToSave: ['input'],
    gradFunc: (ddx, [input], attrs) => ({
      dy: () => {
        const chosen = firstMaximum(input!, attrs)
        return tf.sum(tf.mul(windows(ddx, attrs, 0), chosen), 3)
      },
      input: () => zeros(input!.shape),
      output: () => zeros(poolInfo(input!.shape as Shape4, attrs).outShape),
    }),
  },
}

/** Convolutions and pools of tfjs itself, to any order. */
export const windowed: GradientTable = { ...convolutions, ...pools }

type Shape4 = [number, number, number, number]

function convAttributes({ strides, pad, dataFormat, dimRoundingMode }: Attributes): Attributes {
  return { strides, pad, dataFormat, dimRoundingMode }
}

function depthwiseAttributes({ strides, pad, dilations, dimRoundingMode }: Attributes): Attributes {
  return { strides, pad, dilations: dilations ?? [1, 1], dimRoundingMode }
}

function poolInfo(shape: Shape4, attrs: Attributes): tf.backend_util.Conv2DInfo {
  const { filterSize, strides, pad, dimRoundingMode } = attrs as {
    filterSize: [number, number]
    strides: [number, number]
    pad: Pad
    dimRoundingMode?: 'floor' | 'round' | 'ceil'
  }
  return tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode)
}

// For each output position and each place in its window (row-major): the flat position in the image, or -1 outside.
function windowPositions(
  shape: Shape4,
  attrs: Attributes,
): { info: tf.backend_util.Conv2DInfo; positions: Int32Array } {
  const info = poolInfo(shape, attrs)
  const { outHeight, outWidth, filterHeight, filterWidth, strideHeight, strideWidth, inHeight, inWidth, padInfo } = info
  const positions = new Int32Array(outHeight * outWidth * filterHeight * filterWidth)
  let at = 0
  for (let i = 0; i < outHeight; i++) {
    for (let j = 0; j < outWidth; j++) {
      for (let u = 0; u < filterHeight; u++) {
        for (let v = 0; v < filterWidth; v++) {
          const row = i * strideHeight - padInfo.top + u
          const column = j * strideWidth - padInfo.left + v
          const inside = row >= 0 && row < inHeight && column >= 0 && column < inWidth
          positions[at++] = inside ? row * inWidth + column : -1
        }
      }
    }
  }
  return { info, positions }
}

/** [n, outHeight, outWidth, window, channels]; places outside the image hold `outside`. */
function windows(x: tf.Tensor, attrs: Attributes, outside: number): tf.Tensor {
  const [n, height, width, channels] = x.shape as Shape4
  const { info, positions } = windowPositions([n, height, width, channels], attrs)
  const size = height * width
  const padded = tf.pad(
    tf.reshape(x, [n, size, channels]),
    [
      [0, 0],
      [0, 1],
      [0, 0],
    ],
    outside,
  )
  const ids = tf.tensor1d(
    positions.map((p) => (p < 0 ? size : p)),
    'int32',
  )
  const taken = tf.gather(padded, ids, 1)
  return tf.reshape(taken, [n, info.outHeight, info.outWidth, info.filterHeight * info.filterWidth, channels])
}

// MaxPoolGrad routes to the first maximum of the window, in row-major order.
function firstMaximum(input: tf.Tensor, attrs: Attributes): tf.Tensor {
  return detached(() => {
    const values = windows(input, attrs, Number.NEGATIVE_INFINITY)
    const places = values.shape[3]!
    const chosen = tf.oneHot(tf.argMax(values, 3) as tf.Tensor<tf.Rank>, places)
    return tf.transpose(tf.cast(chosen, 'float32'), [0, 1, 2, 4, 3])
  })
}

function windowRatio(shape: Shape4, attrs: Attributes): tf.Tensor {
  const { info, positions } = windowPositions(shape, attrs)
  const window = info.filterHeight * info.filterWidth
  const ratios = Float32Array.from({ length: info.outHeight * info.outWidth }, (_, o) => {
    let inside = 0
    for (let k = 0; k < window; k++) if (positions[o * window + k]! >= 0) inside++
    return window / inside
  })
  return detached(() => tf.tensor(ratios, [1, info.outHeight, info.outWidth, 1]))
}
