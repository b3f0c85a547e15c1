import * as tf from '@tensorflow/tfjs-core'
import { type GradientTable, type KernelGradient, kernel, unbroadcast, zeros } from './common.ts'

type Derivative = (dy: tf.Tensor, x: tf.Tensor) => tf.Tensor

function unary(derivative: Derivative): KernelGradient {
  return { inputsToSave: ['x'], gradFunc: (dy, [x]) => ({ x: () => derivative(dy, x!) }) }
}

function binary(
  left: (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  right: (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
): KernelGradient {
  return {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => unbroadcast(left(dy, a!, b!), a!.shape),
      b: () => unbroadcast(right(dy, a!, b!), b!.shape),
    }),
  }
}

const functions: GradientTable = {
  Acos: unary((dy, x) => tf.neg(tf.div(dy, tf.sqrt(tf.sub(1, tf.square(x)))))),
  Acosh: unary((dy, x) => tf.div(dy, tf.sqrt(tf.sub(tf.square(x), 1)))),
  Asin: unary((dy, x) => tf.div(dy, tf.sqrt(tf.sub(1, tf.square(x))))),
  Asinh: unary((dy, x) => tf.div(dy, tf.sqrt(tf.add(1, tf.square(x))))),
  Atan: unary((dy, x) => tf.div(dy, tf.add(tf.square(x), 1))),
  Atanh: unary((dy, x) => tf.div(dy, tf.sub(1, tf.square(x)))),
  Cos: unary((dy, x) => tf.mul(tf.neg(tf.sin(x)), dy)),
  Cosh: unary((dy, x) => tf.mul(tf.sinh(x), dy)),
  Erf: unary((dy, x) => tf.mul(dy, tf.mul(tf.exp(tf.neg(tf.square(x))), 2 / Math.sqrt(Math.PI)))),
  Expm1: unary((dy, x) => tf.mul(dy, tf.exp(x))),
  Log: unary((dy, x) => tf.div(dy, x)),
  Log1p: unary((dy, x) => tf.div(dy, tf.add(x, 1))),
  Neg: unary((dy) => tf.neg(dy)),
  Reciprocal: unary((dy, x) => tf.div(dy, tf.neg(tf.square(x)))),
  Rsqrt: unary((dy, x) => tf.neg(tf.div(dy, tf.mul(tf.pow(x, 1.5), 2)))),
  Sin: unary((dy, x) => tf.mul(tf.cos(x), dy)),
  Sinh: unary((dy, x) => tf.mul(tf.cosh(x), dy)),
  Softplus: unary((dy, x) => tf.mul(dy, tf.sigmoid(x))),
  Sqrt: unary((dy, x) => tf.div(dy, tf.mul(tf.sqrt(x), 2))),
  Square: unary((dy, x) => tf.mul(dy, tf.mul(x, 2))),
  Tan: unary((dy, x) => tf.div(dy, tf.square(tf.cos(x)))),
  Identity: unary((dy) => tf.cast(dy, 'float32')),
  Cast: unary((dy) => tf.clone(dy)),
}

const arithmetic: GradientTable = {
  Add: binary(
    (dy) => dy,
    (dy) => dy,
  ),
  Sub: binary(
    (dy) => dy,
    (dy) => tf.neg(dy),
  ),
  Multiply: binary(
    (dy, _, b) => tf.mul(dy, tf.cast(b, 'float32')),
    (dy, a) => tf.mul(dy, tf.cast(a, 'float32')),
  ),
  RealDiv: binary(
    (dy, _, b) => tf.div(dy, tf.cast(b, 'float32')),
    (dy, a, b) => tf.neg(tf.div(tf.mul(dy, a), tf.square(b))),
  ),
  Atan2: binary(
    (dy, a, b) => tf.mul(dy, tf.div(b, tf.add(tf.square(a), tf.square(b)))),
    (dy, a, b) => tf.neg(tf.mul(dy, tf.div(a, tf.add(tf.square(a), tf.square(b))))),
  ),
  AddN: {
    saveAllInputs: true,
    gradFunc: (dy, saved) => Object.fromEntries(saved.map((_, i) => [i, () => tf.clone(dy)])),
  },
}

const shapes: GradientTable = {
  Reshape: unary((dy, x) => tf.reshape(dy, x.shape)),
  ExpandDims: {
    inputsToSave: ['input'],
    gradFunc: (dy, [input]) => ({ input: () => tf.reshape(dy, input!.shape) }),
  },
  Transpose: {
    gradFunc: (dy, _, { perm }) => ({
      x: () => tf.transpose(dy, tf.backend_util.getUndoAxesPermutation(perm as number[])),
    }),
  },
  Reverse: { gradFunc: (dy, _, { dims }) => ({ x: () => tf.reverse(dy, dims as number[]) }) },
  Concat: {
    saveAllInputs: true,
    gradFunc: (dy, saved, { axis }) => {
      const at = tf.util.parseAxisParam(axis as number, saved[0]!.shape)[0]!
      const sizes = saved.map((part) => part.shape[at]!)
      const parts = tf.split(dy, sizes, at)
      return Object.fromEntries(parts.map((part, i) => [i, () => part]))
    },
  },
  Pack: {
    saveAllInputs: true,
    gradFunc: (dy, _, { axis }) => Object.fromEntries(tf.unstack(dy, axis as number).map((part, i) => [i, () => part])),
  },
  Slice: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], { begin, size }) => ({
      x: () => {
        const [starts, sizes] = tf.slice_util.parseSliceParams(x!, begin as number[], size as number[]) as [
          number[],
          number[],
        ]
        const paddings = x!.shape.map((dim, i): [number, number] => [starts[i]!, dim - starts[i]! - sizes[i]!])
        return tf.pad(dy, paddings)
      },
    }),
  },
  PadV2: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], { paddings }) => ({
      x: () =>
        tf.slice(
          dy,
          (paddings as [number, number][]).map(([before]) => before),
          x!.shape,
        ),
    }),
  },
  SpaceToBatchND: {
    gradFunc: (dy, _, { blockShape, paddings }) => ({
      x: () => tf.batchToSpaceND(dy, blockShape as number[], paddings as number[][]),
    }),
  },
  BatchToSpaceND: {
    gradFunc: (dy, _, { blockShape, crops }) => ({
      x: () => tf.spaceToBatchND(dy, blockShape as number[], crops as number[][]),
    }),
  },
  OneHot: { inputsToSave: ['indices'], gradFunc: (_, [indices]) => ({ indices: () => zeros(indices!.shape) }) },
}

const layers: GradientTable = {
  Conv2D: {
    inputsToSave: ['x', 'filter'],
    gradFunc: (dy, [x, filter], { strides, pad, dataFormat, dimRoundingMode, dilations }) => {
      tf.util.assert(
        (Array.isArray(dilations) ? dilations : [dilations]).every((d) => d === 1),
        () => `The gradient of conv2d needs dilations of 1, got ${dilations}. Use conv2d of @regimen/tensor.`,
      )
      const attributes = { strides, pad, dataFormat, dimRoundingMode }
      return {
        x: () => kernel('Conv2DBackpropInput', { dy, filter: filter! }, { ...attributes, inputShape: x!.shape }),
        filter: () => kernel('Conv2DBackpropFilter', { x: x!, dy }, { ...attributes, filterShape: filter!.shape }),
      }
    },
  },
  Conv2DBackpropInput: {
    inputsToSave: ['dy', 'filter'],
    gradFunc: (ddx, [dy, filter], { strides, pad, dataFormat, dimRoundingMode }) => {
      const attributes = { strides, pad, dataFormat, dimRoundingMode }
      return {
        dy: () => kernel('Conv2D', { x: ddx, filter: filter! }, { ...attributes, dilations: 1 }),
        filter: () =>
          kernel('Conv2DBackpropFilter', { x: ddx, dy: dy! }, { ...attributes, filterShape: filter!.shape }),
      }
    },
  },
  DepthwiseConv2dNative: {
    inputsToSave: ['x', 'filter'],
    gradFunc: (dy, [x, filter], { strides, pad, dilations, dimRoundingMode }) => {
      const attributes = { strides, pad, dilations: dilations ?? [1, 1], dimRoundingMode }
      return {
        x: () =>
          kernel(
            'DepthwiseConv2dNativeBackpropInput',
            { dy, filter: filter! },
            { ...attributes, inputShape: x!.shape },
          ),
        filter: () =>
          kernel('DepthwiseConv2dNativeBackpropFilter', { x: x!, dy }, { ...attributes, filterShape: filter!.shape }),
      }
    },
  },
  MaxPool: {
    inputsToSave: ['x'],
    outputsToSave: [true],
    gradFunc: (dy, [x, y], { filterSize, strides, pad, dimRoundingMode }) => ({
      x: () => kernel('MaxPoolGrad', { dy, input: x!, output: y! }, { filterSize, strides, pad, dimRoundingMode }),
    }),
  },
  FusedBatchNorm: {
    inputsToSave: ['x', 'mean', 'variance', 'scale'],
    gradFunc: (dy, [x, mean, variance, scale], { varianceEpsilon }) => {
      const inverse = () => tf.rsqrt(tf.add(variance!, varianceEpsilon as number))
      const scaled = () => (scale ? tf.mul(dy, scale) : dy)
      const centred = () => tf.sub(x!, mean!)
      const cube = () => tf.mul(tf.square(inverse()), inverse())
      return {
        x: () => tf.mul(scaled(), inverse()),
        mean: () => unbroadcast(tf.neg(tf.mul(scaled(), inverse())), mean!.shape),
        variance: () => unbroadcast(tf.mul(tf.mul(scaled(), centred()), tf.mul(cube(), -0.5)), variance!.shape),
        scale: () => unbroadcast(tf.mul(dy, tf.mul(centred(), inverse())), mean!.shape),
        offset: () => unbroadcast(dy, mean!.shape),
      }
    },
  },
}

/**
 * Gradients that `@tensorflow/tfjs` registers and `@tensorflow/tfjs-core` alone does not. They are right to any order as
 * they are, so they only fill what is missing.
 */
export const basics: GradientTable = { ...functions, ...arithmetic, ...shapes, ...layers }
