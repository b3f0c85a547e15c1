import { check, describe, Rng } from '@regimen/core'

/** Options of {@link halton}. */
export interface HaltonOptions {
  /** Points left out at the beginning. @default 0 */
  skip?: number
  /** Permutes the digits of every base with this seed, which breaks the stripes of high dimensions. @default none */
  seed?: number | string
}

/**
 * Generates the first points of Halton's sequence, row-major: coordinate j of point i is the radical inverse of i + 1 in the
 * j-th prime base. It has no limit of dimensions and any number of points covers the cube; Sobol's is more even in
 * powers of two.
 *
 * ```ts
 * import { halton } from '@regimen/bayes'
 *
 * const points = halton(2, 2)
 * points[0] // ≈ 0.5
 * points[3] // ≈ 0.666666667
 * ```
 *
 * Reference: J. Halton, "Algorithm 247: Radical-inverse quasi-random point sequence", 1964.
 */
export function halton(count: number, dimensions: number, options: HaltonOptions = {}): Float64Array {
  const { skip = 0, seed } = options
  for (const [name, value] of Object.entries({ count, dimensions, skip }))
    check(
      Number.isInteger(value) && value >= 0,
      'bayes/halton',
      () => `${name} must be a whole number from 0, got ${describe(value)}.`,
    )
  const bases = primes(dimensions)
  const digits = bases.map((base) => permutation(base, seed))
  const out = new Float64Array(count * dimensions)
  for (let i = 0; i < count; i++)
    for (let j = 0; j < dimensions; j++) out[i * dimensions + j] = radicalInverse(skip + i + 1, bases[j]!, digits[j]!)
  return out
}

function radicalInverse(index: number, base: number, digits: Int32Array): number {
  let value = 0
  let scale = 1 / base
  for (let rest = index; rest > 0; rest = Math.floor(rest / base), scale /= base) value += digits[rest % base]! * scale
  return value
}

/** Zero stays zero, so that the endless zeros in front stay worthless. */
function permutation(base: number, seed: number | string | undefined): Int32Array {
  const out = Int32Array.from({ length: base }, (_, i) => i)
  if (seed === undefined) return out
  const rest = out.slice(1)
  new Rng(`${seed}/${base}`).shuffle(rest)
  out.set(rest, 1)
  return out
}

function primes(count: number): number[] {
  const out: number[] = []
  for (let n = 2; out.length < count; n++) if (out.every((p) => n % p !== 0)) out.push(n)
  return out
}
