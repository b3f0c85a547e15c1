import * as tf from '@tensorflow/tfjs-core'
import { broadcastShapes } from './graph.ts'

/** A kernel's attributes, as tfjs passes them. */
export type Attrs = Readonly<Record<string, unknown>>

/** Shape and dtype of a tensor. */
export interface Info {
  readonly shape: number[]
  readonly dtype: string
}

type Inputs = Readonly<Record<string, tf.TensorInfo>>
type Rule = (inputs: Inputs, attrs: Attrs) => Info[]

/**
 * Says what a kernel would return without running it, for the kernels that nets call most; undefined for the rest, which
 * then run on zeros. Only speed depends on this table: recording a graph costs nothing of the graph's own arithmetic.
 */
export function inferShape(kernel: string, inputs: Inputs, attrs: Attrs): Info[] | undefined {
  return RULES[kernel]?.(inputs, attrs)
}

const same: Rule = ({ x }) => [{ shape: x!.shape, dtype: x!.dtype }]
const float: Rule = ({ x }) => [{ shape: x!.shape, dtype: 'float32' }]
const broadcast: Rule = ({ a, b }) => [{ shape: broadcastShapes(a!.shape, b!.shape), dtype: a!.dtype }]
const comparison: Rule = ({ a, b }) => [{ shape: broadcastShapes(a!.shape, b!.shape), dtype: 'bool' }]
const reduction: Rule = ({ x }, attrs) => {
  const axes = tf.util.parseAxisParam((attrs.axis ?? attrs.reductionIndices) as number | number[], x!.shape)
  const [shape] = tf.backend_util.computeOutAndReduceShapes(x!.shape, axes)
  return [{ shape: attrs.keepDims ? tf.backend_util.expandShapeToKeepDim(shape, axes) : shape, dtype: x!.dtype }]
}

const RULES: Record<string, Rule> = {
  Identity: same,
  Cast: ({ x }, { dtype }) => [{ shape: x!.shape, dtype: dtype as string }],
  Reshape: ({ x }, { shape }) => [
    { shape: tf.util.inferFromImplicitShape(shape as number[], tf.util.sizeFromShape(x!.shape)), dtype: x!.dtype },
  ],
  Transpose: ({ x }, { perm }) => [{ shape: (perm as number[]).map((axis) => x!.shape[axis]!), dtype: x!.dtype }],
  Slice: ({ x }, { begin, size }) => {
    const [, shape] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin as number[], size as number[])
    return [{ shape: shape!, dtype: x!.dtype }]
  },
  BatchMatMul: ({ a, b }, { transposeA, transposeB }) => {
    const rows = a!.shape.at(transposeA ? -1 : -2)!
    const columns = b!.shape.at(transposeB ? -2 : -1)!
    return [
      { shape: [...broadcastShapes(a!.shape.slice(0, -2), b!.shape.slice(0, -2)), rows, columns], dtype: a!.dtype },
    ]
  },
  Select: ({ t }) => [{ shape: t!.shape, dtype: t!.dtype }],
  Fill: (_, { shape, dtype, value }) => [
    { shape: shape as number[], dtype: (dtype as string | undefined) ?? tf.util.inferDtype(value as number) },
  ],
  // tfjs's own kernels answer with a wrong shape: for a negative axis, and for images that are not square.
  Cumsum: ({ x }) => [{ shape: x!.shape, dtype: x!.dtype === 'bool' ? 'int32' : x!.dtype }],
  Cumprod: ({ x }) => [{ shape: x!.shape, dtype: x!.dtype === 'bool' ? 'int32' : x!.dtype }],
  ResizeBilinearGrad: ({ images }) => [{ shape: images!.shape, dtype: 'float32' }],
  AddN: (inputs) => [{ shape: inputs['0']!.shape, dtype: inputs['0']!.dtype }],
  Sum: reduction,
  Max: reduction,
  Min: reduction,
  Mean: (inputs, attrs) => reduction(inputs, attrs).map(({ shape }) => ({ shape, dtype: 'float32' })),
}

for (const kernel of [
  'Neg',
  'Abs',
  'Square',
  'Relu',
  'Step',
  'ZerosLike',
  'OnesLike',
  'ClipByValue',
  'Sign',
  'Floor',
]) {
  RULES[kernel] = same
}
for (const kernel of 'Exp Expm1 Log Log1p Sqrt Rsqrt Sin Cos Tanh Sigmoid Softplus Erf Reciprocal'.split(' ')) {
  RULES[kernel] = float
}
for (const kernel of ['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'SquaredDifference', 'Pow']) {
  RULES[kernel] = broadcast
}
for (const kernel of ['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'LogicalAnd', 'LogicalOr']) {
  RULES[kernel] = comparison
}
RULES.SplitV = ({ x }, { numOrSizeSplits, axis }) => {
  const at = tf.util.parseAxisParam(axis as number, x!.shape)[0]!
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits as number | number[], at)
  return sizes.map((size) => ({ shape: x!.shape.map((dim, i) => (i === at ? size : dim)), dtype: x!.dtype }))
}
RULES.PadV2 = ({ x }, { paddings }) => [
  {
    shape: (paddings as [number, number][]).map(([before, after], i) => before + x!.shape[i]! + after),
    dtype: x!.dtype,
  },
]
RULES.Tile = ({ x }, { reps }) => [{ shape: x!.shape.map((dim, i) => dim * (reps as number[])[i]!), dtype: x!.dtype }]
RULES.ExpandDims = ({ input }, { dim }) => {
  const shape = [...input!.shape]
  const at = dim as number
  shape.splice(at < 0 ? shape.length + at + 1 : at, 0, 1)
  return [{ shape, dtype: input!.dtype }]
}
RULES.GatherV2 = ({ x, indices }, { axis, batchDims }) => {
  const at = tf.util.parseAxisParam(axis as number, x!.shape)[0]!
  const { outputShape } = tf.backend_util.segment_util.collectGatherOpShapeInfo(
    x as tf.Tensor,
    indices as tf.Tensor,
    at,
    (batchDims as number | undefined) ?? 0,
  )
  return [{ shape: outputShape, dtype: x!.dtype }]
}
RULES.OneHot = ({ indices }, { depth, dtype }) => [
  { shape: [...indices!.shape, depth as number], dtype: dtype as string },
]
for (const kernel of ['ArgMax', 'ArgMin']) {
  RULES[kernel] = ({ x }, { axis }) => {
    const at = tf.util.parseAxisParam(axis as number, x!.shape)[0]!
    return [{ shape: x!.shape.filter((_, i) => i !== at), dtype: 'int32' }]
  }
}
RULES.Conv2D = ({ x, filter }, attrs) => {
  const { strides, pad, dataFormat, dilations, dimRoundingMode } = attrs as Partial<tf.Conv2DAttrs>
  const { outShape } = tf.backend_util.computeConv2DInfo(
    x!.shape as [number, number, number, number],
    filter!.shape as [number, number, number, number],
    strides!,
    dilations!,
    pad!,
    dimRoundingMode,
    false,
    tf.backend_util.convertConv2DDataFormat(dataFormat!),
  )
  return [{ shape: outShape, dtype: x!.dtype }]
}
RULES.Conv2DBackpropInput = ({ dy }, { inputShape }) => [{ shape: inputShape as number[], dtype: dy!.dtype }]
RULES.Conv2DBackpropFilter = ({ x }, { filterShape }) => [{ shape: filterShape as number[], dtype: x!.dtype }]
RULES.LogicalNot = ({ x }) => [{ shape: x!.shape, dtype: 'bool' }]
RULES.Softmax = ({ logits }) => [{ shape: logits!.shape, dtype: logits!.dtype }]
RULES.Concat = (inputs, { axis }) => {
  const parts = Object.values(inputs)
  const at = tf.util.parseAxisParam(axis as number, parts[0]!.shape)[0]!
  return [
    {
      shape: tf.backend_util.computeOutShape(
        parts.map((part) => part.shape),
        at,
      ),
      dtype: parts[0]!.dtype,
    },
  ]
}
