import { createRng } from '@regimen/core'
import type { TensorLeaf } from '../../src/index.ts'

/** Seeded numbers in a shape, for inputs of tests. */
export function floats(shape: readonly number[], seed: number | string = 1, low = -2, high = 2): TensorLeaf {
  const rng = createRng(seed)
  const size = shape.reduce((a, b) => a * b, 1)
  return { dtype: 'float32', shape, data: Float32Array.from({ length: size }, () => rng.uniform(low, high)) }
}

export function ints(shape: readonly number[], list: readonly number[]): TensorLeaf {
  return { dtype: 'int32', shape, data: Int32Array.from(list) }
}

export function bools(shape: readonly number[], list: readonly number[]): TensorLeaf {
  return { dtype: 'bool', shape, data: Uint8Array.from(list) }
}

/** Largest difference over the norm of what is expected; equal infinities and NaNs count as equal. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY
  let worst = 0
  let norm = 0
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!]
    if (Object.is(a, e) || a === e) {
      if (Number.isFinite(e)) norm = Math.max(norm, Math.abs(e))
      continue
    }
    if (Number.isNaN(a) || Number.isNaN(e) || !Number.isFinite(a - e)) return Number.POSITIVE_INFINITY
    worst = Math.max(worst, Math.abs(a - e))
    norm = Math.max(norm, Math.abs(e))
  }
  return worst === 0 ? 0 : worst / norm
}
