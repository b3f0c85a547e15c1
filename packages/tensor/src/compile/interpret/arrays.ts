import { broadcastShapes, sizeOf } from '../graph.ts'

/** An array of the interpreter: doubles whatever the element type, row-major. */
export interface DoubleArray {
  readonly shape: readonly number[]
  readonly data: Float64Array
}

export function array(shape: readonly number[], data: Float64Array = new Float64Array(sizeOf(shape))): DoubleArray {
  return { shape, data }
}

/** How far apart neighbours along each axis lie. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let step = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step
    step *= shape[i]!
  }
  return strides
}

/** Reads an array in any regular order: element (i, j, …) of the result is at `offset + i·strides[0] + j·strides[1] + …`. */
export function view(
  data: Float64Array,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): DoubleArray {
  const out = new Float64Array(sizeOf(shape))
  if (out.length === 0) return { shape, data: out }
  const rank = shape.length
  const index = new Array<number>(rank).fill(0)
  let at = offset
  for (let i = 0; i < out.length; i++) {
    out[i] = data[at]!
    for (let axis = rank - 1; axis >= 0; axis--) {
      at += strides[axis]!
      if (++index[axis]! < shape[axis]!) break
      at -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return { shape, data: out }
}

export function expandTo(x: DoubleArray, shape: readonly number[]): DoubleArray {
  if (x.data.length === sizeOf(shape) && x.shape.length === shape.length) return x
  const own = stridesOf(x.shape)
  const extra = shape.length - x.shape.length
  const strides = shape.map((_, i) => (i < extra || x.shape[i - extra] === 1 ? 0 : own[i - extra]!))
  return view(x.data, shape, strides)
}

export function transposed(x: DoubleArray, perm: readonly number[]): DoubleArray {
  const strides = stridesOf(x.shape)
  return view(
    x.data,
    perm.map((axis) => x.shape[axis]!),
    perm.map((axis) => strides[axis]!),
  )
}

export function zip(a: DoubleArray, b: DoubleArray, fn: (x: number, y: number) => number): DoubleArray {
  const shape = broadcastShapes(a.shape, b.shape)
  const x = expandTo(a, shape).data
  const y = expandTo(b, shape).data
  return { shape, data: x.map((value, i) => fn(value, y[i]!)) }
}

/** Error function to double precision: the series near zero, Lentz's continued fraction of erfc beyond. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x
  const z = Math.abs(x)
  if (z > 6) return Math.sign(x)
  if (z < 2.5) {
    let term = z
    let sum = z
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (-z * z) / n
      sum += term / (2 * n + 1)
      if (n > 200) break
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI)
  }
  let fraction = 0
  for (let k = 60; k >= 1; k--) fraction = k / 2 / (z + fraction)
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction))
}
