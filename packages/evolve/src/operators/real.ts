import type { Rng } from '@regimen/core'

/**
 * Crosses two real genomes by simulated binary crossover within bounds: each coordinate with probability ½ is spread around
 * the parents as one-point crossover spreads bits; a larger `eta` keeps the children closer to the parents. Use it with
 * {@link polynomialMutation}; {@link blendCrossover} explores more and keeps less. Writes into both children.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { sbxCrossover } from '@regimen/evolve'
 *
 * const [lower, upper] = [Float64Array.of(0, 0), Float64Array.of(1, 1)]
 * const [a, b] = [Float64Array.of(0.2, 0.5), Float64Array.of(0.6, 0.5)]
 * const [c, d] = [new Float64Array(2), new Float64Array(2)]
 * sbxCrossover(createRng(1), a, b, c, d, lower, upper, 15)
 * c[1] // => 0.5
 * ```
 *
 * Reference: K. Deb & R. Agrawal, "Simulated binary crossover for continuous search space", 1995.
 */
export function sbxCrossover(
  rng: Rng,
  a: Float64Array,
  b: Float64Array,
  childA: Float64Array,
  childB: Float64Array,
  lower: Float64Array,
  upper: Float64Array,
  eta: number,
): void {
  const power = 1 / (eta + 1)
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!
    const y = b[i]!
    const gap = Math.abs(x - y)
    if (gap <= 1e-14 || rng.uniform() < 0.5) {
      childA[i] = x
      childB[i] = y
      continue
    }
    const low = Math.min(x, y)
    const high = Math.max(x, y)
    const l = lower[i]!
    const u = upper[i]!
    const r = rng.uniform()
    const first = 0.5 * (low + high - spreadFactor(r, (low - l) / gap, eta, power) * gap)
    const second = 0.5 * (low + high + spreadFactor(r, (u - high) / gap, eta, power) * gap)
    const swap = rng.uniform() < 0.5
    childA[i] = clamp(swap ? second : first, l, u)
    childB[i] = clamp(swap ? first : second, l, u)
  }
}

/** β_q of the bounded operator: `room` is the distance to the bound in gaps between the parents. */
function spreadFactor(r: number, room: number, eta: number, power: number): number {
  const alpha = 2 - (1 + 2 * room) ** -(eta + 1)
  return r <= 1 / alpha ? (r * alpha) ** power : (1 / (2 - r * alpha)) ** power
}

/**
 * Mutates a real genome in place by Deb's polynomial: each coordinate with the given probability moves by a share of its range
 * that is small most of the time; a larger `eta` makes it smaller. Stays within the bounds.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { polynomialMutation } from '@regimen/evolve'
 *
 * const genome = Float64Array.of(0.5)
 * polynomialMutation(createRng(1), genome, Float64Array.of(0), Float64Array.of(1), 20, 1)
 * Math.abs(genome[0] - 0.5) < 0.5 // => true
 * ```
 *
 * Reference: K. Deb & M. Goyal, "A combined genetic adaptive search (GeneAS) for engineering design", 1996.
 */
export function polynomialMutation(
  rng: Rng,
  genome: Float64Array,
  lower: Float64Array,
  upper: Float64Array,
  eta: number,
  probability: number,
): void {
  const power = 1 / (eta + 1)
  for (let i = 0; i < genome.length; i++) {
    if (rng.uniform() >= probability) continue
    const l = lower[i]!
    const range = upper[i]! - l
    const x = (genome[i]! - l) / range
    const r = rng.uniform()
    const shift =
      r < 0.5
        ? (2 * r + (1 - 2 * r) * (1 - x) ** (eta + 1)) ** power - 1
        : 1 - (2 * (1 - r) + 2 * (r - 0.5) * x ** (eta + 1)) ** power
    genome[i] = clamp(genome[i]! + shift * range, l, upper[i]!)
  }
}

/**
 * Crosses two real genomes by BLX-α: each coordinate is uniform on the interval of the parents, widened by `alpha` of its
 * length on both sides. At 0.5 it neither shrinks nor widens the population on average. Writes into both children.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { blendCrossover } from '@regimen/evolve'
 *
 * const [c, d] = [new Float64Array(1), new Float64Array(1)]
 * const [lower, upper] = [Float64Array.of(-9), Float64Array.of(9)]
 * blendCrossover(createRng(1), Float64Array.of(1), Float64Array.of(2), c, d, lower, upper, 0.5)
 * c[0] >= 0.5 && c[0] <= 2.5 // => true
 * ```
 *
 * Reference: L. Eshelman & J. Schaffer, "Real-coded genetic algorithms and interval-schemata", 1993.
 */
export function blendCrossover(
  rng: Rng,
  a: Float64Array,
  b: Float64Array,
  childA: Float64Array,
  childB: Float64Array,
  lower: Float64Array,
  upper: Float64Array,
  alpha: number,
): void {
  for (let i = 0; i < a.length; i++) {
    const low = Math.min(a[i]!, b[i]!)
    const high = Math.max(a[i]!, b[i]!)
    const extra = alpha * (high - low)
    childA[i] = clamp(rng.uniform(low - extra, high + extra), lower[i]!, upper[i]!)
    childB[i] = clamp(rng.uniform(low - extra, high + extra), lower[i]!, upper[i]!)
  }
}

/**
 * Crosses two genomes of any kind coordinate by coordinate: each is exchanged with the given probability. The crossover for
 * whole numbers and choices, where values between the parents mean nothing. Writes into both children.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { uniformCrossover } from '@regimen/evolve'
 *
 * const [c, d] = [new Float64Array(2), new Float64Array(2)]
 * uniformCrossover(createRng(1), Float64Array.of(1, 2), Float64Array.of(3, 4), c, d, 0.5)
 * c[0] + d[0] // => 4
 * ```
 */
export function uniformCrossover(
  rng: Rng,
  a: Float64Array,
  b: Float64Array,
  childA: Float64Array,
  childB: Float64Array,
  probability: number,
): void {
  for (let i = 0; i < a.length; i++) {
    const swap = rng.uniform() < probability
    childA[i] = swap ? b[i]! : a[i]!
    childB[i] = swap ? a[i]! : b[i]!
  }
}

/**
 * Mutates a real genome in place by normal noise: each coordinate with the given probability moves by a normal step whose
 * deviation is `sigma` times its range. The plain alternative to {@link polynomialMutation}.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { gaussianMutation } from '@regimen/evolve'
 *
 * const genome = Float64Array.of(0.5)
 * gaussianMutation(createRng(1), genome, Float64Array.of(0), Float64Array.of(1), 0.1, 0)
 * genome[0] // => 0.5
 * ```
 */
export function gaussianMutation(
  rng: Rng,
  genome: Float64Array,
  lower: Float64Array,
  upper: Float64Array,
  sigma: number,
  probability: number,
): void {
  for (let i = 0; i < genome.length; i++) {
    if (rng.uniform() >= probability) continue
    genome[i] = clamp(genome[i]! + rng.normal(0, sigma * (upper[i]! - lower[i]!)), lower[i]!, upper[i]!)
  }
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : Math.min(value, high)
}
