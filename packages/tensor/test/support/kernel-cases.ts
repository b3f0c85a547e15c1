import * as tf from '@tensorflow/tfjs-core'
import type { TensorLeaf } from '../../src/index.ts'
import { bools, floats, ints } from './arrays.ts'

/** One use of a kernel: what to call, on what. */
export interface KernelCase {
  readonly kernel: string
  readonly note?: string
  readonly fn: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[]
  readonly inputs: readonly TensorLeaf[]
}

const odd = floats([2, 3, 5])
const positive = floats([2, 3, 5], 2, 0.1, 3)
const unit = floats([3, 7], 3, -0.9, 0.9)
const rows = floats([4, 6], 5)
const image = floats([2, 7, 6, 3], 6)
const filter = floats([3, 2, 3, 4], 7)
const depthFilter = floats([3, 2, 3, 2], 8)
const table = floats([5, 3], 9)
const wholes = ints([2, 4], [-7, 5, 3, -2, 8, 0, -1, 6])
const divisors = ints([2, 4], [2, -3, 4, 5, -2, 3, 7, 6])
const flags = bools([2, 4], [1, 0, 1, 1, 0, 0, 1, 0])
const otherFlags = bools([4], [1, 1, 0, 0])
const specials: TensorLeaf = {
  dtype: 'float32',
  shape: [4],
  data: Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, -1, Number.NEGATIVE_INFINITY),
}

type Image = tf.Tensor4D
const run = (kernel: string, inputs: Record<string, tf.Tensor>, attrs: tf.NamedAttrMap = {}): tf.Tensor =>
  tf.engine().runKernel(kernel, inputs, attrs) as tf.Tensor

function unary(kernel: string, fn: (x: tf.Tensor) => tf.Tensor, input: TensorLeaf = odd): KernelCase {
  return { kernel, fn: (x) => fn(x!), inputs: [input] }
}

function binary(
  kernel: string,
  fn: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  a: TensorLeaf,
  b: TensorLeaf,
): KernelCase {
  return { kernel, fn: (x, y) => fn(x!, y!), inputs: [a, b] }
}

const elementwise: KernelCase[] = [
  unary('Abs', tf.abs),
  unary('Acos', tf.acos, unit),
  unary('Acosh', tf.acosh, floats([5], 4, 1.1, 4)),
  unary('Asin', tf.asin, unit),
  unary('Asinh', tf.asinh),
  unary('Atan', tf.atan),
  unary('Atanh', tf.atanh, unit),
  unary('Ceil', tf.ceil),
  unary('Cos', tf.cos),
  unary('Cosh', tf.cosh),
  unary('Elu', tf.elu),
  unary('Erf', tf.erf),
  unary('Exp', tf.exp),
  unary('Expm1', tf.expm1),
  { ...unary('Expm1', tf.expm1, floats([9], 11, -1e-4, 1e-4)), note: 'near zero' },
  unary('Floor', tf.floor),
  { ...unary('Floor', (x) => run('Floor', { x }), wholes), note: 'of whole numbers' },
  unary('IsNan', tf.isNaN, specials),
  unary('IsInf', tf.isInf, specials),
  unary('IsFinite', tf.isFinite, specials),
  { ...unary('IsFinite', tf.isFinite, wholes), note: 'of whole numbers' },
  unary('LeakyRelu', (x) => tf.leakyRelu(x, 0.3)),
  unary('Log', tf.log, positive),
  unary('Log1p', tf.log1p, positive),
  { ...unary('Log1p', tf.log1p, floats([9], 12, -1e-4, 1e-4)), note: 'near zero' },
  unary('LogicalNot', tf.logicalNot, flags),
  unary('Neg', tf.neg),
  { ...unary('Neg', tf.neg, wholes), note: 'of whole numbers' },
  unary('OnesLike', (x) => run('OnesLike', { x })),
  unary('ZerosLike', (x) => run('ZerosLike', { x })),
  unary('Reciprocal', tf.reciprocal, positive),
  unary('Relu', tf.relu),
  unary('Relu6', tf.relu6, floats([9], 4, -3, 9)),
  unary('Round', tf.round, { dtype: 'float32', shape: [6], data: Float32Array.of(0.5, 1.5, 2.5, -0.5, -1.5, 0.7) }),
  unary('Rsqrt', tf.rsqrt, positive),
  unary('Selu', tf.selu),
  unary('Sigmoid', tf.sigmoid),
  unary('Sign', tf.sign),
  unary('Sin', tf.sin),
  unary('Sinh', tf.sinh),
  unary('Softplus', tf.softplus),
  unary('Sqrt', tf.sqrt, positive),
  unary('Square', tf.square),
  unary('Step', (x) => tf.step(x)),
  { ...unary('Step', (x) => tf.step(x, 0.2)), note: 'with a slope' },
  unary('Tan', tf.tan, unit),
  unary('Tanh', tf.tanh),
  unary('ClipByValue', (x) => tf.clipByValue(x, -0.5, 1)),
  unary('Identity', tf.clone),
  unary('Cast', (x) => tf.cast(x, 'int32')),
  { ...unary('Cast', (x) => tf.cast(x, 'float32'), flags), note: 'of truth values' },
  { ...unary('Cast', (x) => tf.cast(x, 'bool'), wholes), note: 'to truth values' },
  binary('Add', tf.add, odd, floats([3, 1], 20)),
  { ...binary('Add', tf.add, wholes, divisors), note: 'of whole numbers' },
  binary('Sub', tf.sub, floats([5], 21), odd),
  binary('Multiply', tf.mul, odd, floats([2, 1, 5], 22)),
  { ...binary('Multiply', tf.mul, floats([0, 3]), floats([1, 3])), note: 'of nothing' },
  binary('RealDiv', tf.div, odd, positive),
  binary('FloorDiv', tf.floorDiv, wholes, divisors),
  binary('Mod', tf.mod, wholes, divisors),
  { ...binary('Mod', tf.mod, odd, floats([5], 23, -1, -0.3)), note: 'of fractions' },
  binary('Maximum', tf.maximum, odd, floats([1, 5], 24)),
  binary('Minimum', tf.minimum, odd, floats([3, 5], 25)),
  binary('Pow', tf.pow, positive, floats([5], 26)),
  binary('SquaredDifference', tf.squaredDifference, odd, positive),
  binary('Atan2', tf.atan2, odd, floats([2, 3, 5], 27)),
  {
    ...binary('Atan2', tf.atan2, floats([5], 1, 1, 2), { dtype: 'float32', shape: [5], data: new Float32Array(5) }),
    note: 'on the axis',
  },
  binary('BitwiseAnd', (a, b) => run('BitwiseAnd', { a, b }), ints([3], [6, 12, 7]), ints([3], [3, 10, 7])),
  binary('Equal', tf.equal, wholes, ints([4], [-7, 0, 3, 6])),
  binary('NotEqual', tf.notEqual, flags, otherFlags),
  binary('Greater', tf.greater, odd, positive),
  binary('GreaterEqual', tf.greaterEqual, wholes, divisors),
  binary('Less', tf.less, odd, floats([1], 28)),
  binary('LessEqual', tf.lessEqual, wholes, divisors),
  binary('LogicalAnd', tf.logicalAnd, flags, otherFlags),
  binary('LogicalOr', tf.logicalOr, flags, otherFlags),
  binary('Prelu', tf.prelu, odd, floats([3, 5], 29)),
  binary('EluGrad', (dy, y) => run('EluGrad', { dy, y }), odd, floats([2, 3, 5], 30, -0.9, 2)),
  { kernel: 'AddN', fn: (a, b, c) => tf.addN([a!, b!, c!]), inputs: [odd, positive, odd] },
  { kernel: 'Select', fn: (c, a, b) => tf.where(c!, a!, b!), inputs: [flags, floats([2, 4], 31), floats([2, 4], 32)] },
]

const reductions: KernelCase[] = [
  unary('Sum', (x) => tf.sum(x, [0, -1])),
  { ...unary('Sum', (x) => tf.sum(x, 1, true)), note: 'keeping the axis' },
  { ...unary('Sum', (x) => tf.sum(x)), note: 'of everything' },
  { ...unary('Sum', (x) => tf.sum(x, [])), note: 'over no axes' },
  { ...unary('Sum', (x) => tf.sum(x, 0), floats([0, 3])), note: 'of nothing' },
  { ...unary('Sum', (x) => tf.sum(x), flags), note: 'of truth values' },
  unary('Mean', (x) => tf.mean(x, -2)),
  unary('Max', (x) => tf.max(x, [1, 2])),
  unary('Min', (x) => tf.min(x, 0, true)),
  unary('Prod', (x) => tf.prod(x, 1)),
  unary('All', (x) => tf.all(x, 0), flags),
  unary('Any', (x) => tf.any(x, -1), flags),
  unary('ArgMax', (x) => tf.argMax(x, -1)),
  unary('ArgMin', (x) => tf.argMin(x, 1)),
  unary('Softmax', (x) => tf.softmax(x)),
  unary('Cumsum', (x) => tf.cumsum(x, 1)),
  { ...unary('Cumsum', (x) => tf.cumsum(x, 2, true, true)), note: 'exclusive from the end' },
  unary('Cumprod', (x) => tf.cumprod(x, 2)),
  { ...unary('Cumprod', (x) => tf.cumprod(x, 0, true, true)), note: 'exclusive from the end' },
  {
    kernel: 'TopK',
    fn: (x) => {
      const { values, indices } = tf.topk(x!, 3)
      return [values, indices]
    },
    inputs: [odd],
  },
]

const shapes: KernelCase[] = [
  unary('Reshape', (x) => tf.reshape(x, [5, -1])),
  unary('ExpandDims', (x) => tf.expandDims(x, -1)),
  unary('Transpose', (x) => tf.transpose(x, [2, 0, 1])),
  unary('Slice', (x) => tf.slice(x, [0, 1, 2], [2, -1, 2])),
  unary('StridedSlice', (x) => tf.stridedSlice(x, [0, 2, 4], [2, -4, 0], [1, -1, -2])),
  {
    ...unary('StridedSlice', (x) => tf.stridedSlice(x, [1, 0, 2], [2, 3, 5], [1, 2, 1], 2, 4)),
    note: 'with masks',
  },
  unary('Reverse', (x) => tf.reverse(x, [0, -1])),
  unary('FlipLeftRight', (x) => tf.image.flipLeftRight(x as Image), image),
  { kernel: 'Concat', fn: (a, b) => tf.concat([a!, b!], -1), inputs: [odd, floats([2, 3, 2], 40)] },
  {
    kernel: 'Concat',
    note: 'with an empty part',
    fn: (a, b) => tf.concat([a!, b!], 0),
    inputs: [rows, floats([0, 6])],
  },
  { kernel: 'Pack', fn: (a, b) => tf.stack([a!, b!], 1), inputs: [rows, floats([4, 6], 41)] },
  { kernel: 'Unpack', fn: (x) => tf.unstack(x!, 1), inputs: [odd] },
  { kernel: 'SplitV', fn: (x) => tf.split(x!, [1, 3, 2], 1), inputs: [rows] },
  unary('PadV2', (x) =>
    tf.pad(
      x,
      [
        [0, 1],
        [2, 0],
        [1, 1],
      ],
      0.5,
    ),
  ),
  unary('MirrorPad', (x) =>
    tf.mirrorPad(
      x,
      [
        [1, 1],
        [0, 2],
        [2, 1],
      ],
      'reflect',
    ),
  ),
  {
    ...unary('MirrorPad', (x) =>
      tf.mirrorPad(
        x,
        [
          [1, 2],
          [0, 3],
          [2, 1],
        ],
        'symmetric',
      ),
    ),
    note: 'symmetric',
  },
  unary('Tile', (x) => tf.tile(x, [2, 1, 3])),
  { ...unary('Tile', (x) => tf.tile(x, [1, 4]), floats([3, 1])), note: 'as broadcast' },
  unary('DepthToSpace', (x) => tf.depthToSpace(x as Image, 2, 'NHWC'), floats([2, 3, 2, 8], 42)),
  unary(
    'SpaceToBatchND',
    (x) =>
      tf.spaceToBatchND(
        x,
        [2, 3],
        [
          [1, 0],
          [0, 3],
        ],
      ),
    floats([2, 5, 6, 2], 43),
  ),
  unary(
    'BatchToSpaceND',
    (x) =>
      tf.batchToSpaceND(
        x,
        [2, 2],
        [
          [0, 1],
          [1, 0],
        ],
      ),
    floats([8, 3, 2, 2], 44),
  ),
  { kernel: 'Fill', fn: (x) => tf.add(x!, tf.fill([4, 6], 2.5)), inputs: [rows] },
  { kernel: 'Range', fn: (x) => tf.mul(x!, tf.range(6, 0, -1)), inputs: [rows] },
  { kernel: 'LinSpace', fn: (x) => tf.mul(x!, tf.linspace(-1, 2, 6)), inputs: [rows] },
]

const gathers: KernelCase[] = [
  { kernel: 'GatherV2', fn: (x, i) => tf.gather(x!, i!), inputs: [table, ints([2, 2], [4, 0, 3, 4])] },
  { kernel: 'GatherV2', note: 'inner axis', fn: (x, i) => tf.gather(x!, i!, -1), inputs: [odd, ints([3], [4, 0, 1])] },
  {
    kernel: 'GatherV2',
    note: 'with batch axes',
    fn: (x, i) => tf.gather(x!, i!, 2, 1),
    inputs: [odd, ints([2, 3], [4, 0, 1, 2, 2, 3])],
  },
  { kernel: 'GatherNd', fn: (x, i) => tf.gatherND(x!, i!), inputs: [odd, ints([3, 2], [0, 1, 1, 2, 0, 0])] },
  {
    kernel: 'ScatterNd',
    fn: (i, u) => tf.scatterND(i!, u!, [5, 2]),
    inputs: [ints([3, 1], [4, 1, 4]), floats([3, 2], 50)],
  },
  {
    kernel: 'TensorScatterUpdate',
    fn: (t, i, u) => tf.tensorScatterUpdate(t!, i!, u!),
    inputs: [table, ints([2, 1], [3, 0]), floats([2, 3], 51)],
  },
  {
    kernel: 'SparseToDense',
    fn: (i, v, d) => tf.sparseToDense(i!, v!, [4, 3], d as tf.Scalar),
    inputs: [ints([2, 2], [0, 1, 3, 2]), floats([2], 52), floats([], 53)],
  },
  {
    kernel: 'SparseToDense',
    note: 'from one axis',
    fn: (i, v) => tf.sparseToDense(i!, v!, [6]),
    inputs: [ints([2], [1, 4]), floats([], 54)],
  },
  {
    kernel: 'UnsortedSegmentSum',
    fn: (x, i) => tf.unsortedSegmentSum(x!, i as tf.Tensor1D, 3),
    inputs: [rows, ints([4], [2, -1, 0, 2])],
  },
  { kernel: 'OneHot', fn: (i) => tf.oneHot(i!, 4), inputs: [ints([2, 2], [0, 3, 5, -1])] },
  { kernel: 'OneHot', note: 'own values', fn: (i) => tf.oneHot(i!, 3, 2, -1, 'float32'), inputs: [ints([2], [0, 2])] },
  {
    kernel: 'Bincount',
    fn: (x, w) => tf.bincount(x as tf.Tensor1D, w as tf.Tensor1D, 4),
    inputs: [ints([5], [0, 3, 1, 3, 3]), floats([5], 55)],
  },
  {
    kernel: 'DenseBincount',
    fn: (x, w) => tf.denseBincount(x as tf.Tensor2D, w as tf.Tensor2D, 4),
    inputs: [ints([2, 3], [0, 3, 1, 3, 3, 9]), floats([2, 3], 56)],
  },
  {
    kernel: 'SearchSorted',
    fn: (s, v) => [tf.searchSorted(s!, v!, 'left'), tf.searchSorted(s!, v!, 'right')],
    inputs: [ints([2, 4], [1, 3, 3, 5, 0, 2, 4, 6]), ints([2, 3], [3, 0, 9, 2, 5, -1])],
  },
  { kernel: 'Diag', fn: (x) => tf.diag(x!), inputs: [floats([2, 3], 57)] },
]

const products: KernelCase[] = [
  { kernel: 'BatchMatMul', fn: (a, b) => tf.matMul(a!, b!), inputs: [rows, floats([6, 3], 60)] },
  {
    kernel: 'BatchMatMul',
    note: 'transposed',
    fn: (a, b) => tf.matMul(a!, b!, true, true),
    inputs: [floats([2, 6, 4], 61), floats([2, 3, 6], 62)],
  },
  {
    kernel: 'BatchMatMul',
    note: 'broadcast',
    fn: (a, b) => tf.matMul(a!, b!),
    inputs: [floats([2, 3, 4, 6], 63), floats([1, 1, 6, 2], 64)],
  },
  {
    kernel: '_FusedMatMul',
    fn: (a, b, bias) => tf.fused.matMul({ a: a!, b: b!, bias: bias!, activation: 'relu' }),
    inputs: [rows, floats([6, 3], 65), floats([3], 66)],
  },
  {
    kernel: 'Einsum',
    fn: (a, b) => tf.einsum('bij,bjk->bik', a!, b!),
    inputs: [floats([2, 3, 4], 67), floats([2, 4, 5], 68)],
  },
]

const convolutions: KernelCase[] = [
  { kernel: 'Conv2D', fn: (x, w) => tf.conv2d(x as Image, w as Image, [2, 1], 'same'), inputs: [image, filter] },
  {
    kernel: 'Conv2D',
    note: 'dilated',
    fn: (x, w) => tf.conv2d(x as Image, w as Image, 1, 'valid', 'NHWC', [2, 3]),
    inputs: [image, filter],
  },
  {
    kernel: 'Conv2D',
    note: 'one axis',
    fn: (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 1, 'same'),
    inputs: [floats([2, 9, 3], 70), floats([3, 3, 4], 71)],
  },
  {
    kernel: 'FusedConv2D',
    fn: (x, w, b) =>
      tf.fused.conv2d({ x: x as Image, filter: w as Image, strides: 1, pad: 'valid', bias: b!, activation: 'relu6' }),
    inputs: [image, filter, floats([4], 72)],
  },
  {
    kernel: 'DepthwiseConv2dNative',
    fn: (x, w) => tf.depthwiseConv2d(x as Image, w as Image, 1, 'same'),
    inputs: [image, depthFilter],
  },
  {
    kernel: 'FusedDepthwiseConv2D',
    fn: (x, w, b) =>
      tf.fused.depthwiseConv2d({
        x: x as Image,
        filter: w as Image,
        strides: 1,
        pad: 'valid',
        bias: b!,
        activation: 'elu',
      }),
    inputs: [image, depthFilter, floats([6], 73)],
  },
  ...(['same', 'valid'] as const).flatMap((pad): KernelCase[] =>
    ([1, 2, 3] as const).flatMap((stride): KernelCase[] => [
      {
        kernel: 'Conv2DBackpropInput',
        note: `${pad}, stride ${stride}`,
        fn: (x, w) => tf.grad((v: tf.Tensor) => tf.conv2d(v as Image, w as Image, stride, pad))(x!),
        inputs: [image, filter],
      },
      {
        kernel: 'Conv2DBackpropFilter',
        note: `${pad}, stride ${stride}`,
        fn: (x, w) => tf.grad((v: tf.Tensor) => tf.square(tf.conv2d(x as Image, v as Image, stride, pad)))(w!),
        inputs: [image, filter],
      },
      {
        kernel: 'DepthwiseConv2dNativeBackpropInput',
        note: `${pad}, stride ${stride}`,
        fn: (x, w) => tf.grad((v: tf.Tensor) => tf.depthwiseConv2d(v as Image, w as Image, stride, pad))(x!),
        inputs: [image, depthFilter],
      },
      {
        kernel: 'DepthwiseConv2dNativeBackpropFilter',
        note: `${pad}, stride ${stride}`,
        fn: (x, w) => tf.grad((v: tf.Tensor) => tf.square(tf.depthwiseConv2d(x as Image, v as Image, stride, pad)))(w!),
        inputs: [image, depthFilter],
      },
      {
        kernel: 'MaxPoolGrad',
        note: `${pad}, stride ${stride}`,
        fn: (x) => tf.grad((v: tf.Tensor) => tf.square(tf.maxPool(v as Image, [2, 3], stride, pad)))(x!),
        inputs: [image],
      },
    ]),
  ),
  {
    kernel: 'AvgPoolGrad',
    fn: (x) => tf.grad((v: tf.Tensor) => tf.square(tf.avgPool(v as Image, 2, 2, 'valid')))(x!),
    inputs: [image],
  },
  { kernel: 'MaxPool', fn: (x) => tf.maxPool(x as Image, 3, 2, 'same'), inputs: [image] },
  { kernel: 'AvgPool', fn: (x) => tf.avgPool(x as Image, [3, 2], 2, 'same'), inputs: [image] },
  {
    kernel: 'FusedBatchNorm',
    fn: (x, mean, variance, offset, scale) =>
      tf.batchNorm(x!, mean as tf.Tensor1D, variance as tf.Tensor1D, offset as tf.Tensor1D, scale as tf.Tensor1D, 1e-3),
    inputs: [rows, floats([6], 80), floats([6], 81, 0.5, 2), floats([6], 82), floats([6], 83)],
  },
]

type Volume = tf.Tensor5D
const volume = floats([2, 5, 6, 4, 3], 90)
const volumeFilter = floats([2, 3, 2, 3, 4], 91)

const volumes: KernelCase[] = (['same', 'valid'] as const).flatMap((pad) =>
  [1, 2].flatMap((stride): KernelCase[] => {
    const note = `${pad}, stride ${stride}`
    const conv = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => tf.conv3d(x as Volume, w as Volume, stride, pad)
    return [
      { kernel: 'Conv3D', note, fn: (x, w) => conv(x!, w!), inputs: [volume, volumeFilter] },
      {
        kernel: 'Conv3DBackpropInputV2',
        note,
        fn: (x, w) => tf.grad((v: tf.Tensor) => tf.square(conv(v, w!)))(x!),
        inputs: [volume, volumeFilter],
      },
      {
        kernel: 'Conv3DBackpropFilterV2',
        note,
        fn: (x, w) => tf.grad((v: tf.Tensor) => tf.square(conv(x!, v)))(w!),
        inputs: [volume, volumeFilter],
      },
      { kernel: 'MaxPool3D', note, fn: (x) => tf.maxPool3d(x as Volume, 2, stride, pad), inputs: [volume] },
      { kernel: 'AvgPool3D', note, fn: (x) => tf.avgPool3d(x as Volume, 2, stride, pad), inputs: [volume] },
      {
        kernel: 'MaxPool3DGrad',
        note,
        fn: (x) => tf.grad((v: tf.Tensor) => tf.square(tf.maxPool3d(v as Volume, 2, stride, pad)))(x!),
        inputs: [volume],
      },
      {
        kernel: 'AvgPool3DGrad',
        note,
        fn: (x) => tf.grad((v: tf.Tensor) => tf.square(tf.avgPool3d(v as Volume, 2, stride, pad)))(x!),
        inputs: [volume],
      },
    ]
  }),
)

const resized: KernelCase[] = [
  [false, false],
  [true, false],
  [false, true],
].flatMap(([corners, half]): KernelCase[] => {
  const note = corners ? 'corners aligned' : half ? 'half pixels' : 'plain'
  const sizes: [number, number][] = [
    [4, 11],
    [9, 3],
  ]
  return sizes.flatMap((size): KernelCase[] => {
    const bilinear = (x: tf.Tensor): tf.Tensor => tf.image.resizeBilinear(x as Image, size, corners, half)
    const nearest = (x: tf.Tensor): tf.Tensor => tf.image.resizeNearestNeighbor(x as Image, size, corners, half)
    const how = `${note}, to ${size.join(' by ')}`
    const forward: KernelCase[] = [
      { ...unary('ResizeBilinear', bilinear, image), note: how },
      { ...unary('ResizeNearestNeighbor', nearest, image), note: how },
    ]
    // The gradient is right in eager tfjs only where images are square and pixels are whole.
    const square = floats([2, 6, 6, 3], 96)
    if (half) return forward
    return [
      ...forward,
      { ...unary('ResizeBilinearGrad', (x) => tf.grad((v) => tf.square(bilinear(v)))(x), square), note: how },
    ]
  })
})

// No sample of theirs lies halfway between two pixels, where float32 and float64 may round apart.
const boxes: TensorLeaf = {
  dtype: 'float32',
  shape: [4, 4],
  data: Float32Array.of(0, 0, 1, 1, 0.9, 0.13, 0.2, 0.72, -0.3, 0.22, 0.6, 1.4, 0.1, 0.13, 0.8, 0.8),
}
const spots = floats([2, 7, 6, 2], 92)
const spotFilter = floats([3, 2, 2], 93)
const dilate = (x: tf.Tensor, w: tf.Tensor, pad: 'same' | 'valid'): tf.Tensor =>
  tf.dilation2d(x as Image, w as tf.Tensor3D, [2, 1], pad, [1, 2])

const images: KernelCase[] = [
  ...resized,
  ...[false, true].map((corners): KernelCase => {
    const shrink = (x: tf.Tensor): tf.Tensor => tf.image.resizeNearestNeighbor(x as Image, [4, 4], corners)
    return {
      kernel: 'ResizeNearestNeighborGrad',
      note: corners ? 'corners aligned' : 'plain',
      fn: (x) => tf.grad((v) => tf.square(shrink(v)))(x!),
      // Of a batch, eager tfjs reads the gradient at wrong places: see the test of the adjoint.
      inputs: [floats([1, 8, 6, 3], 97)],
    }
  }),
  ...(['bilinear', 'nearest'] as const).map(
    (method): KernelCase => ({
      kernel: 'CropAndResize',
      note: method,
      fn: (x, b, i) =>
        tf.image.cropAndResize(x as Image, b as tf.Tensor2D, i as tf.Tensor1D, [3, 5], method, -7) as tf.Tensor,
      inputs: [image, boxes, ints([4], [1, 0, 0, 2])],
    }),
  ),
  {
    kernel: 'CropAndResize',
    note: 'to one pixel',
    fn: (x, b, i) => tf.image.cropAndResize(x as Image, b as tf.Tensor2D, i as tf.Tensor1D, [1, 1]),
    inputs: [image, boxes, ints([4], [1, 0, 0, 1])],
  },
  unary('RotateWithOffset', (x) => tf.image.rotateWithOffset(x as Image, 0.7, [1, 2, 3], [0.4, 0.6]), image),
  { ...unary('RotateWithOffset', (x) => tf.image.rotateWithOffset(x as Image, -2, 9, 0.5), image), note: 'one fill' },
  unary('LRN', (x) => tf.localResponseNormalization(x as Image, 1, 0.8, 0.6, 0.4), floats([2, 3, 2, 5], 94)),
  unary(
    'LRNGrad',
    (x) => tf.grad((v) => tf.square(tf.localResponseNormalization(v as Image, 1, 0.8, 0.6, 0.4)))(x),
    floats([2, 3, 2, 5], 95),
  ),
  ...(['same', 'valid'] as const).flatMap((pad): KernelCase[] => [
    { kernel: 'Dilation2D', note: pad, fn: (x, w) => dilate(x!, w!, pad), inputs: [spots, spotFilter] },
    {
      kernel: 'Dilation2DBackpropInput',
      note: pad,
      fn: (x, w) => tf.grad((v) => tf.square(dilate(v, w!, pad)))(x!),
      inputs: [spots, spotFilter],
    },
    {
      kernel: 'Dilation2DBackpropFilter',
      note: pad,
      fn: (x, w) => tf.grad((v) => tf.square(dilate(x!, v, pad)))(w!),
      inputs: [spots, spotFilter],
    },
  ]),
  ...[false, true].map(
    (batch): KernelCase => ({
      kernel: 'MaxPoolWithArgmax',
      note: batch ? 'numbered through the batch' : 'numbered by image',
      fn: (x) => {
        const { result, indexes } = tf.maxPoolWithArgmax(x as Image, [2, 3], 2, 'same', batch)
        return [result!, indexes!]
      },
      inputs: [image],
    }),
  ),
  {
    kernel: 'BroadcastArgs',
    fn: (s0, s1) => run('BroadcastArgs', { s0: s0!, s1: s1! }),
    inputs: [ints([3], [4, 1, 3]), ints([2], [5, 1])],
  },
]

/** At least one case for every kernel that has a lowering. */
export const KERNEL_CASES: readonly KernelCase[] = [
  ...elementwise,
  ...reductions,
  ...shapes,
  ...gathers,
  ...products,
  ...convolutions,
  ...volumes,
  ...images,
]
