import * as tf from '@tensorflow/tfjs-core'

/** One differentiable op with inputs at which it is smooth. */
export interface OpCase {
  readonly name: string
  readonly apply: (...inputs: tf.Tensor[]) => tf.Tensor
  /** Shape and interval of every input; values are spread over the interval without ties. */
  readonly inputs: readonly { readonly shape: readonly number[]; readonly low: number; readonly high: number }[]
}

type Input = OpCase['inputs'][number]

const wide = (...shape: number[]): Input => ({ shape, low: -1.5, high: 1.5 })
const positive = (...shape: number[]): Input => ({ shape, low: 0.4, high: 2 })
const unit = (...shape: number[]): Input => ({ shape, low: -0.8, high: 0.8 })
const over1 = (...shape: number[]): Input => ({ shape, low: 1.3, high: 3 })

const image = wide(2, 5, 4, 3)
const filter = unit(3, 2, 3, 4)
const depthwise = unit(3, 3, 3, 2)

type Apply = OpCase['apply']
const unary = (name: string, input: Input, apply: Apply): OpCase => ({ name, apply, inputs: [input] })
const binary = (name: string, a: Input, b: Input, apply: Apply): OpCase => ({ name, apply, inputs: [a, b] })
const as4 = (x: tf.Tensor) => x as tf.Tensor4D

/** Every differentiable tfjs op that Regimen's packages may use. */
export const opCases: readonly OpCase[] = [
  unary('abs', wide(2, 3), (x) => tf.mul(x, tf.abs(x))),
  unary('acos', unit(2, 3), (x) => tf.acos(x)),
  unary('acosh', over1(2, 3), (x) => tf.acosh(x)),
  unary('asin', unit(2, 3), (x) => tf.asin(x)),
  unary('asinh', wide(2, 3), (x) => tf.asinh(x)),
  unary('atan', wide(2, 3), (x) => tf.atan(x)),
  unary('atanh', unit(2, 3), (x) => tf.atanh(x)),
  unary('cos', wide(2, 3), (x) => tf.cos(x)),
  unary('cosh', wide(2, 3), (x) => tf.cosh(x)),
  unary('elu', wide(2, 3), (x) => tf.elu(x)),
  unary('erf', wide(2, 3), (x) => tf.erf(x)),
  unary('exp', wide(2, 3), (x) => tf.exp(x)),
  unary('expm1', wide(2, 3), (x) => tf.expm1(x)),
  unary('leakyRelu', wide(2, 3), (x) => tf.square(tf.leakyRelu(x, 0.1))),
  unary('log', positive(2, 3), (x) => tf.log(x)),
  unary('log1p', positive(2, 3), (x) => tf.log1p(x)),
  unary('logSigmoid', wide(2, 3), (x) => tf.logSigmoid(x)),
  unary('neg', wide(2, 3), (x) => tf.square(tf.neg(x))),
  unary('reciprocal', positive(2, 3), (x) => tf.reciprocal(x)),
  unary('relu', wide(2, 3), (x) => tf.relu(x)),
  unary('relu6', { shape: [2, 3], low: -3, high: 9 }, (x) => tf.relu6(x)),
  unary('rsqrt', positive(2, 3), (x) => tf.rsqrt(x)),
  unary('selu', wide(2, 3), (x) => tf.selu(x)),
  unary('sigmoid', wide(2, 3), (x) => tf.sigmoid(x)),
  unary('x · sigmoid(x)', wide(2, 3), (x) => tf.mul(x, tf.sigmoid(x))),
  unary('sin', wide(2, 3), (x) => tf.sin(x)),
  unary('sinh', wide(2, 3), (x) => tf.sinh(x)),
  unary('softplus', wide(2, 3), (x) => tf.softplus(x)),
  unary('sqrt', positive(2, 3), (x) => tf.sqrt(x)),
  unary('square', wide(2, 3), (x) => tf.square(x)),
  unary('step, sign, floor, ceil, round', wide(2, 3), (x) =>
    tf.mul(x, tf.addN([tf.step(x), tf.sign(x), tf.floor(x), tf.ceil(x), tf.round(x)])),
  ),
  unary('tan', unit(2, 3), (x) => tf.tan(x)),
  unary('tanh', wide(2, 3), (x) => tf.tanh(x)),
  unary('cast and clone', wide(2, 3), (x) => tf.square(tf.clone(tf.cast(x, 'float32')))),
  unary('clipByValue', wide(2, 3), (x) => tf.square(tf.clipByValue(x, -0.7, 0.9))),
  unary('comparisons', wide(2, 3), (x) =>
    tf.mul(
      tf.square(x),
      tf.addN([
        tf.cast(tf.greater(x, 0), 'float32'),
        tf.cast(tf.lessEqual(x, 0.5), 'float32'),
        tf.cast(tf.logicalAnd(tf.less(x, 1), tf.greaterEqual(x, -1)), 'float32'),
        tf.cast(tf.logicalOr(tf.equal(x, 0), tf.logicalNot(tf.notEqual(x, 1))), 'float32'),
      ]),
    ),
  ),

  binary('add, broadcast', wide(2, 3), wide(3), (a, b) => tf.square(tf.add(a, b))),
  binary('addN', wide(2, 3), wide(2, 3), (a, b) => tf.square(tf.addN([a, b, a]))),
  binary('atan2', positive(2, 3), positive(2, 3), (a, b) => tf.atan2(a, b)),
  binary('div, broadcast', wide(2, 3), positive(2, 1), (a, b) => tf.div(a, b)),
  binary('divNoNan', wide(2, 3), positive(2, 3), (a, b) => tf.divNoNan(a, b)),
  binary('maximum, broadcast', wide(2, 3), unit(3), (a, b) => tf.square(tf.maximum(a, b))),
  binary('minimum, broadcast', wide(2, 3), unit(3), (a, b) => tf.square(tf.minimum(a, b))),
  binary('mod', over1(2, 3), positive(3), (a, b) => tf.square(tf.mod(a, b))),
  binary('mul, broadcast', wide(2, 1, 3), wide(4, 1), (a, b) => tf.mul(a, b)),
  binary('pow', positive(2, 3), wide(3), (a, b) => tf.pow(a, b)),
  unary('pow 2', wide(2, 3), (x) => tf.pow(x, 2)),
  binary('prelu', wide(2, 3), unit(3), (x, alpha) => tf.prelu(tf.mul(x, x.rank), alpha)),
  binary('squaredDifference, broadcast', wide(2, 3), wide(3), (a, b) => tf.square(tf.squaredDifference(a, b))),
  binary('sub, broadcast', wide(2, 3), wide(2, 1), (a, b) => tf.square(tf.sub(a, b))),
  binary('where', wide(2, 3), wide(2, 3), (a, b) => tf.where(tf.greater(a, b), tf.square(a), tf.mul(a, b))),

  unary('cumprod', wide(2, 4), (x) => tf.cumprod(x, 1)),
  unary('cumprod, first axis, exclusive, reverse', wide(4, 2), (x) => tf.cumprod(x, 0, true, true)),
  unary('cumsum', wide(2, 4), (x) => tf.square(tf.cumsum(x, 1))),
  unary('cumsum, middle axis, exclusive, reverse', wide(2, 3, 3), (x) => tf.square(tf.cumsum(x, 1, true, true))),
  unary('logSumExp', wide(2, 3), (x) => tf.logSumExp(x, 1)),
  unary('max', wide(2, 3), (x) => tf.square(tf.max(x, 0))),
  unary('min', wide(2, 3), (x) => tf.square(tf.min(x, 1, true))),
  unary('mean', wide(2, 3, 2), (x) => tf.square(tf.mean(x, [0, 2]))),
  unary('moments', wide(2, 3), (x) => tf.moments(x, 1).variance),
  unary('norm', wide(2, 3), (x) => tf.norm(x, 2, 1)),
  unary('prod', wide(2, 3, 2), (x) => tf.prod(x, [0, 2])),
  unary('prod of everything', wide(2, 2), (x) => tf.prod(x)),
  unary('softmax', wide(2, 3), (x) => tf.softmax(x)),
  unary('sum', wide(2, 3, 2), (x) => tf.square(tf.sum(x, 1, true))),

  binary('matMul', wide(2, 3), wide(3, 4), (a, b) => tf.matMul(a, b)),
  binary('matMul, a transposed', wide(3, 2), wide(3, 4), (a, b) => tf.matMul(a, b, true)),
  binary('matMul, b transposed', wide(2, 3), wide(4, 3), (a, b) => tf.matMul(a, b, false, true)),
  binary('matMul, both transposed', wide(3, 2), wide(4, 3), (a, b) => tf.matMul(a, b, true, true)),
  binary('matMul, batched', wide(2, 2, 3), wide(2, 3, 2), (a, b) => tf.matMul(a, b)),
  binary('matMul, broadcast batch', wide(2, 2, 2, 3), wide(2, 3, 2), (a, b) => tf.matMul(a, b)),
  binary('dot', wide(3), wide(3), (a, b) => tf.dot(a, b)),
  binary('einsum', wide(2, 3), wide(3, 4), (a, b) => tf.einsum('ij,jk->ki', a, b)),
  binary('einsum, outer', wide(2, 3), wide(2, 4), (a, b) => tf.square(tf.einsum('bi,bj->bij', a, b))),
  binary('einsum, batched', wide(2, 2, 3), wide(2, 4, 3), (a, b) => tf.einsum('bqd,bkd->bqk', a, b)),
  binary('einsum, row by row', wide(2, 3), wide(2, 3), (a, b) => tf.square(tf.einsum('bi,bi->b', a, b))),
  unary('einsum, transposed', wide(2, 3, 2), (x) => tf.square(tf.einsum('bij->bji', x))),

  unary('batchToSpaceND', wide(4, 2, 2, 1), (x) =>
    tf.square(
      tf.batchToSpaceND(
        x,
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
    ),
  ),
  unary('broadcastTo', wide(1, 3), (x) => tf.square(tf.broadcastTo(x, [2, 3]))),
  binary('concat', wide(2, 3), wide(2, 1), (a, b) => tf.square(tf.concat([a, b], 1))),
  unary('expandDims, squeeze, reshape', wide(2, 3), (x) =>
    tf.square(tf.reshape(tf.squeeze(tf.expandDims(x, 1)), [3, 2])),
  ),
  unary('gather', wide(4, 3), (x) => tf.square(tf.gather(x, tf.tensor1d([2, 0, 2], 'int32')))),
  unary('gather, last axis', wide(2, 4), (x) =>
    tf.square(
      tf.gather(
        x,
        tf.tensor2d(
          [
            [2, 0],
            [2, 1],
          ],
          [2, 2],
          'int32',
        ),
        -1,
      ),
    ),
  ),
  unary('gather, batched', wide(2, 3, 2), (x) =>
    tf.square(
      tf.gather(
        x,
        tf.tensor2d(
          [
            [2, 0],
            [1, 1],
          ],
          [2, 2],
          'int32',
        ),
        1,
        1,
      ),
    ),
  ),
  unary('gatherND', wide(3, 2), (x) =>
    tf.square(
      tf.gatherND(
        x,
        tf.tensor2d(
          [
            [2, 0],
            [1, 1],
            [2, 0],
          ],
          [3, 2],
          'int32',
        ),
      ),
    ),
  ),
  unary('mirrorPad, reflect', wide(3, 3), (x) =>
    tf.square(
      tf.mirrorPad(
        x,
        [
          [1, 2],
          [2, 0],
        ],
        'reflect',
      ),
    ),
  ),
  unary('mirrorPad, symmetric', wide(3, 3), (x) =>
    tf.square(
      tf.mirrorPad(
        x,
        [
          [1, 2],
          [2, 3],
        ],
        'symmetric',
      ),
    ),
  ),
  unary('pad', wide(2, 3), (x) =>
    tf.square(
      tf.pad(
        x,
        [
          [1, 0],
          [0, 2],
        ],
        0.5,
      ),
    ),
  ),
  unary('reverse', wide(2, 3), (x) => tf.mul(x, tf.reverse(x, [1]))),
  unary('scatterND', wide(3), (x) => tf.square(tf.scatterND(tf.tensor2d([[0], [2], [0]], [3, 1], 'int32'), x, [4]))),
  unary('slice', wide(3, 4), (x) => tf.square(tf.slice(x, [1, 0], [2, -1]))),
  unary('spaceToBatchND', wide(1, 4, 4, 1), (x) =>
    tf.square(
      tf.spaceToBatchND(
        x,
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
    ),
  ),
  unary('split', wide(2, 6), (x) => {
    const [a, b, c] = tf.split(x, [1, 2, 3], 1)
    return tf.add(tf.mul(a!, b!), tf.sum(tf.square(c!), 1, true))
  }),
  unary('split in one', wide(2, 3), (x) => tf.square(tf.split(x, [3], 1)[0]!)),
  binary('stack', wide(2, 3), wide(2, 3), (a, b) => tf.square(tf.stack([a, b], 1))),
  unary('stridedSlice', wide(4, 5), (x) => tf.square(tf.stridedSlice(x, [3, 0], [0, 5], [-2, 2]))),
  unary('tile', wide(2, 3), (x) => tf.square(tf.tile(x, [2, 3]))),
  unary('transpose', wide(2, 3, 2), (x) => tf.square(tf.transpose(x, [2, 0, 1]))),
  unary('unsortedSegmentSum', wide(4, 2), (x) =>
    tf.square(tf.unsortedSegmentSum(x, tf.tensor1d([0, 2, -1, 0], 'int32'), 3)),
  ),
  unary('unstack', wide(2, 3), (x) => {
    const [a, b] = tf.unstack(x, 0)
    return tf.mul(a!, tf.square(b!))
  }),
  unary('unstack in one', wide(1, 3), (x) => tf.square(tf.unstack(x, 0)[0]!)),

  unary('avgPool', image, (x) => tf.square(tf.avgPool(as4(x), 2, 1, 'valid'))),
  unary('avgPool, same', image, (x) => tf.square(tf.avgPool(as4(x), [3, 2], 2, 'same'))),
  unary('maxPool', image, (x) => tf.square(tf.maxPool(as4(x), 2, 2, 'valid'))),
  unary('maxPool, same, overlapping', image, (x) => tf.square(tf.maxPool(as4(x), 3, 2, 'same'))),
  binary('conv1d', wide(2, 6, 2), unit(3, 2, 3), (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 1, 'same')),
  binary('conv2d', image, filter, (x, w) => tf.conv2d(as4(x), as4(w), 1, 'same')),
  binary('conv2d, strided', image, filter, (x, w) => tf.conv2d(as4(x), as4(w), [2, 1], 'valid')),
  binary('conv2dTranspose', wide(2, 3, 3, 2), unit(3, 3, 4, 2), (x, w) =>
    tf.conv2dTranspose(as4(x), as4(w), [2, 6, 6, 4], 2, 'same'),
  ),
  binary('depthwiseConv2d', image, depthwise, (x, w) => tf.depthwiseConv2d(as4(x), as4(w), 1, 'same')),
  {
    name: 'batchNorm',
    apply: (x, mean, variance, offset, scale) => tf.square(tf.batchNorm(x!, mean!, variance!, offset!, scale!)),
    inputs: [wide(4, 3), unit(3), positive(3), unit(3), wide(3)],
  },
  {
    name: 'LSTM cell, two steps',
    apply: (x, w, u, b) => {
      let h = tf.zeros([2, 3])
      let c = tf.zeros([2, 3])
      for (const input of tf.unstack(x!, 1)) {
        const gates = tf.add(tf.add(tf.matMul(input, w!), tf.matMul(h, u!)), b!)
        const [i, f, g, o] = tf.split(gates, 4, 1)
        c = tf.add(tf.mul(tf.sigmoid(f!), c), tf.mul(tf.sigmoid(i!), tf.tanh(g!)))
        h = tf.mul(tf.sigmoid(o!), tf.tanh(c))
      }
      return h
    },
    inputs: [wide(2, 2, 2), wide(2, 12), wide(3, 12), wide(12)],
  },
  {
    name: 'attention',
    apply: (q, k, v) => tf.matMul(tf.softmax(tf.matMul(q!, k!, false, true)), v!),
    inputs: [wide(2, 3, 2), wide(2, 3, 2), wide(2, 3, 2)],
  },
]

/** Distinct values over the interval in a fixed scrambled order: no ties for max, none near an edge of a step. */
export function spread({ shape, low, high }: Input, salt: number): tf.Tensor {
  const size = tf.util.sizeFromShape([...shape])
  const order = Array.from({ length: size }, (_, i) => i).sort(
    (a, b) => ((a * 7919 + salt * 104729) % 1009) - ((b * 7919 + salt * 104729) % 1009),
  )
  const values = Float32Array.from(order, (rank) => low + ((rank + 0.37 + 0.1 * salt) / (size + 0.5)) * (high - low))
  return tf.tensor(values, [...shape])
}
