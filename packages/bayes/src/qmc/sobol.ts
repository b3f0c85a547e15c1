import { check, describe, Rng } from '@regimen/core'
import { JOE_KUO_DIMENSIONS, joeKuo } from './joe-kuo.ts'

/** Options of {@link sobol}. */
export interface SobolOptions {
  /** Points left out at the beginning; the first is the origin. @default 0 */
  skip?: number
  /** Randomizes by a digital shift with this seed, which keeps the even cover and removes the origin. @default none */
  seed?: number | string
}

/**
 * Generates the first points of Sobol's sequence in [0, 1)^d, row-major: every stretch of 2^k points covers the cube evenly.
 * In up to 128 dimensions; beyond, and for points that are added one at a time without a power of two in mind, see `halton`.
 *
 * ```ts
 * import { sobol } from '@regimen/bayes'
 *
 * Array.from(sobol(4, 2)) // => [0, 0, 0.5, 0.5, 0.75, 0.25, 0.25, 0.75]
 * ```
 *
 * Reference: S. Joe & F. Kuo, "Constructing Sobol sequences with better two-dimensional projections", 2008; P. Bratley & B. Fox,
 * algorithm 659, 1988, for the Gray-code order.
 */
export function sobol(count: number, dimensions: number, options: SobolOptions = {}): Float64Array {
  const where = 'bayes/sobol'
  const { skip = 0, seed } = options
  check(
    Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= JOE_KUO_DIMENSIONS,
    where,
    () => `dimensions must be from 1 to ${JOE_KUO_DIMENSIONS}, got ${describe(dimensions)}.`,
    'Take halton for more.',
  )
  check(
    Number.isInteger(count) && count >= 0 && Number.isInteger(skip) && skip >= 0 && count + skip <= 2 ** 31,
    where,
    () =>
      `count and skip must be whole numbers of together at most 2^31, got ${describe(count)} and ${describe(skip)}.`,
  )
  const shift = new Uint32Array(dimensions)
  if (seed !== undefined) {
    const rng = new Rng(seed)
    for (let j = 0; j < dimensions; j++) shift[j] = rng.int(0, 2 ** 32)
  }
  const directions = Array.from({ length: dimensions }, (_, j) => directionNumbers(j))
  const out = new Float64Array(count * dimensions)
  for (let i = 0; i < count; i++) {
    const index = skip + i
    const gray = index ^ (index >>> 1)
    for (let j = 0; j < dimensions; j++) {
      let bits = shift[j]!
      for (let b = 0, rest = gray; rest !== 0; b++, rest >>>= 1) if (rest & 1) bits ^= directions[j]![b]!
      out[i * dimensions + j] = (bits >>> 0) / 2 ** 32
    }
  }
  return out
}

/** v_k = m_k·2^(32−k), by the recurrence m_k = 2a₁m_{k−1} ⊕ … ⊕ 2^s m_{k−s} ⊕ m_{k−s}. */
function directionNumbers(dimension: number): Uint32Array {
  const out = new Uint32Array(32)
  if (dimension === 0) {
    for (let k = 0; k < 32; k++) out[k] = 2 ** (31 - k)
    return out
  }
  const [polynomial, ...m] = joeKuo()[dimension - 1]! as [number, ...number[]]
  const s = m.length
  // Without its outer bits, which are always set.
  const a = (polynomial >>> 1) & (2 ** (s - 1) - 1)
  for (let k = 0; k < 32; k++) {
    if (k < s) {
      out[k] = m[k]! * 2 ** (31 - k)
      continue
    }
    let v = out[k - s]! ^ (out[k - s]! >>> s)
    for (let i = 1; i < s; i++) if ((a >>> (s - 1 - i)) & 1) v ^= out[k - i]!
    out[k] = v
  }
  return out
}
