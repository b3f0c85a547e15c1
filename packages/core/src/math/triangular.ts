import type { VectorLike } from './matrix.ts'

/**
 * Solves L·x = b by forward substitution into `out` (which may be `b`), without allocating or checking.
 *
 * ```ts
 * import { solveLowerInto } from '@regimen/core/math'
 *
 * Array.from(solveLowerInto(Float64Array.of(2, 0, 1, 2), 2, [4, 6], new Float64Array(2))) // => [2, 2]
 * ```
 */
export function solveLowerInto(lower: Float64Array, n: number, b: VectorLike, out: Float64Array): Float64Array {
  for (let i = 0; i < n; i++) {
    const row = i * n
    let rest = b[i]!
    for (let k = 0; k < i; k++) rest -= lower[row + k]! * out[k]!
    out[i] = rest / lower[row + i]!
  }
  return out
}

/**
 * Solves Lᵀ·x = b by back substitution into `out` (which may be `b`), without allocating or checking.
 *
 * ```ts
 * import { solveLowerTransposedInto } from '@regimen/core/math'
 *
 * Array.from(solveLowerTransposedInto(Float64Array.of(2, 0, 1, 2), 2, [4, 4], new Float64Array(2))) // => [1, 2]
 * ```
 */
export function solveLowerTransposedInto(
  lower: Float64Array,
  n: number,
  b: VectorLike,
  out: Float64Array,
): Float64Array {
  if (b !== out) for (let i = 0; i < n; i++) out[i] = b[i]!
  for (let i = n - 1; i >= 0; i--) {
    const row = i * n
    const x = out[i]! / lower[row + i]!
    out[i] = x
    for (let k = 0; k < i; k++) out[k]! -= lower[row + k]! * x
  }
  return out
}

/**
 * Solves L·X = B for m right-hand sides at once, in place in `b` (n × m, row-major): several times faster than one
 * after another because every inner loop runs along a row.
 *
 * ```ts
 * import { solveLowerManyInto } from '@regimen/core/math'
 *
 * Array.from(solveLowerManyInto(Float64Array.of(2, 0, 1, 2), 2, Float64Array.of(4, 2, 6, 1), 2)) // => [2, 1, 2, 0]
 * ```
 */
export function solveLowerManyInto(lower: Float64Array, n: number, b: Float64Array, m: number): Float64Array {
  for (let i = 0; i < n; i++) {
    const row = i * m
    for (let k = 0; k < i; k++) {
      const factor = lower[i * n + k]!
      const from = k * m
      for (let j = 0; j < m; j++) b[row + j]! -= factor * b[from + j]!
    }
    const inverse = 1 / lower[i * n + i]!
    for (let j = 0; j < m; j++) b[row + j]! *= inverse
  }
  return b
}

/**
 * Solves Lᵀ·X = B for m right-hand sides at once, in place in `b` (n × m, row-major).
 *
 * ```ts
 * import { solveLowerTransposedManyInto } from '@regimen/core/math'
 *
 * Array.from(solveLowerTransposedManyInto(Float64Array.of(2, 0, 1, 2), 2, Float64Array.of(4, 2, 4, 0), 2)) // => [1, 1, 2, 0]
 * ```
 */
export function solveLowerTransposedManyInto(lower: Float64Array, n: number, b: Float64Array, m: number): Float64Array {
  for (let i = n - 1; i >= 0; i--) {
    const row = i * m
    const inverse = 1 / lower[i * n + i]!
    for (let j = 0; j < m; j++) b[row + j]! *= inverse
    for (let k = 0; k < i; k++) {
      const factor = lower[i * n + k]!
      const into = k * m
      for (let j = 0; j < m; j++) b[into + j]! -= factor * b[row + j]!
    }
  }
  return b
}
