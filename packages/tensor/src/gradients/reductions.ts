import * as tf from '@tensorflow/tfjs-core'
import { type GradientTable, kernel, mask, spread, unbroadcast } from './common.ts'

/** Sums, powers, products, running sums and products, largest and smallest. */
export const reductions: GradientTable = {
  Sum: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], { axis }) => ({ x: () => expand(dy, x!.shape, axis as number[] | undefined) }),
  },
  Mean: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], { axis }) => ({
      x: () => expand(tf.mul(dy, Math.max(dy.size, 1) / x!.size), x!.shape, axis as number[] | undefined),
    }),
  },
  Max: {
    inputsToSave: ['x'],
    outputsToSave: [true],
    gradFunc: (dy, [x, y], { reductionIndices }) => ({ x: () => extremum(dy, x!, y!, reductionIndices as number[]) }),
  },
  Min: {
    inputsToSave: ['x'],
    outputsToSave: [true],
    gradFunc: (dy, [x, y], { axis }) => ({ x: () => extremum(dy, x!, y!, axis as number[]) }),
  },
  Pow: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => {
        const exponent = tf.cast(b!, 'float32')
        // 0 · base⁻¹ at base 0 would be NaN where the exponent is 0: use exponent 1 there.
        const isZero = mask(tf.equal(b!, tf.scalar(0, b!.dtype)))
        const lower = tf.add(tf.sub(exponent, tf.scalar(1)), isZero)
        return unbroadcast(tf.mul(dy, tf.mul(exponent, tf.pow(a!, lower))), a!.shape)
      },
      b: () => {
        const positive = tf.greater(a!, 0)
        const base = tf.where(positive, a!, tf.onesLike(a!))
        return unbroadcast(tf.mul(dy, tf.mul(tf.pow(a!, b!), tf.log(base))), b!.shape)
      },
    }),
  },
  Prod: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], { axis }) => ({ x: () => productGradient(dy, x!, axis as number | number[] | undefined) }),
  },
  Cumsum: {
    gradFunc: (dy, _, { axis, exclusive, reverse }) => ({
      x: () => tf.cumsum(dy, axis as number, exclusive as boolean, !reverse),
    }),
  },
  Cumprod: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], { axis, exclusive, reverse }) => ({
      x: () => cumprodGradient(dy, x!, axis as number, Boolean(exclusive), Boolean(reverse)),
    }),
  },
}

function expand(dy: tf.Tensor, shape: number[], axis: number | number[] | undefined): tf.Tensor {
  const axes = tf.util.parseAxisParam(axis as number[], shape)
  return spread(
    tf.reshape(
      dy,
      shape.map((dim, i) => (axes.includes(i) ? 1 : dim)),
    ),
    shape,
  )
}

// As in tfjs every element that attains the extremum receives the whole gradient.
function extremum(dy: tf.Tensor, x: tf.Tensor, y: tf.Tensor, axis: number | number[]): tf.Tensor {
  const shape = keptShape(x.shape, axis)
  const attained = mask(tf.equal(x, tf.reshape(y, shape)))
  return tf.mul(tf.reshape(dy, shape), attained)
}

function keptShape(shape: number[], axis: number | number[]): number[] {
  const axes = tf.util.parseAxisParam(axis, shape)
  return shape.map((size, i) => (axes.includes(i) ? 1 : size))
}

// ∂Πx/∂xᵢ = Π_{k<i} xₖ · Π_{k>i} xₖ, with all reduced axes moved to the end and flattened.
function productGradient(dy: tf.Tensor, x: tf.Tensor, axis: number | number[] | undefined): tf.Tensor {
  const axes = tf.util.parseAxisParam(axis as number[], x.shape)
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i))
  const permutation = [...kept, ...axes]
  const moved = tf.transpose(x, permutation)
  const flat = tf.reshape(moved, [...kept.map((i) => x.shape[i]!), -1])
  const others = tf.mul(tf.cumprod(flat, kept.length, true, false), tf.cumprod(flat, kept.length, true, true))
  const gradient = tf.mul(tf.reshape(dy, [...flat.shape.slice(0, -1), 1]), others)
  return tf.transpose(
    tf.reshape(gradient, moved.shape),
    permutation.map((_, i) => permutation.indexOf(i)),
  )
}

// ∂yⱼ/∂xᵢ is the running product with xᵢ replaced by 1, for every j that contains i. Quadratic in the length, but
// right where x is zero, which dividing by x is not.
function cumprodGradient(dy: tf.Tensor, x: tf.Tensor, axis: number, exclusive: boolean, reverse: boolean): tf.Tensor {
  const at = axis < 0 ? axis + x.rank : axis
  const n = x.shape[at]!
  const inner = [...x.shape.slice(0, at), n, ...x.shape.slice(at)]
  const aligned = (matrix: tf.Tensor) => tf.reshape(matrix, [n, n, ...x.shape.slice(at + 1).map(() => 1)])
  const identity = aligned(tf.eye(n))
  // rows i (which factor is left out), columns k (the running axis)
  const rows = spread(tf.expandDims(x, at), inner)
  const without = tf.add(tf.mul(rows, tf.sub(tf.scalar(1), identity)), identity)
  const products = kernel('Cumprod', { x: without }, { axis: at + 1, exclusive, reverse })
  const reaches = Float32Array.from({ length: n * n }, (_, p) => {
    const ahead = reverse ? Math.floor(p / n) - (p % n) : (p % n) - Math.floor(p / n)
    return ahead > 0 || (ahead === 0 && !exclusive) ? 1 : 0
  })
  const weights = tf.mul(tf.expandDims(dy, at), aligned(tf.tensor(reaches, [n, n])))
  return tf.sum(tf.mul(products, weights), at + 1)
}
