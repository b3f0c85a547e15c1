import type { Rng } from '@regimen/core'
import { normalCdf } from '@regimen/core/math'

const SQRT_2PI = Math.sqrt(2 * Math.PI)

/** A sum of normal kernels, each cut off at 0 and 1 and renormalized. Its buffers are reused from fit to fit. */
export interface Mixture {
  size: number
  mu: Float64Array
  sigma: Float64Array
  /** Sum to 1. */
  weight: Float64Array
  /** weight / Z, Z being the kernel's mass inside [0, 1]. */
  share: Float64Array
  /** Factor of e^(−z²/2): share / (σ·√2π), or the share itself where kernels have equal heights. */
  coefficient: Float64Array
}

export function createMixture(capacity: number): Mixture {
  return {
    size: 0,
    mu: new Float64Array(capacity),
    sigma: new Float64Array(capacity),
    weight: new Float64Array(capacity),
    share: new Float64Array(capacity),
    coefficient: new Float64Array(capacity),
  }
}

/** Mass of N(μ, σ) between a and b. */
export function massBetween(mu: number, sigma: number, a: number, b: number): number {
  const left = (a - mu) / sigma
  const right = (b - mu) / sigma
  if (left > 8.5 || right < -8.5) return 0
  return normalCdf(right) - normalCdf(left)
}

/** Mass of N(μ, σ) inside [0, 1]. */
export function insideMass(mu: number, sigma: number): number {
  const nearest = Math.min(mu, 1 - mu)
  return nearest > 8.5 * sigma ? 1 : massBetween(mu, sigma, 0, 1)
}

/**
 * Widths of one-dimensional kernels by the distance to their neighbours: σᵢ is the larger gap to the left and the right
 * neighbour (the prior's kernel in the middle counts as one), at least 1 / min(100, n + 1) ("magic clip") and at most 1. `mu`
 * must rise; the kernel at `prior` gets σ = 1.
 */
export function neighbourWidths(mixture: Mixture, prior: number, observations: number, magicClip: boolean): void {
  const { size: n, mu, sigma } = mixture
  const least = magicClip ? 1 / Math.min(100, observations + 2) : 1e-12
  for (let i = 0; i < n; i++) {
    const left = i > 0 ? mu[i]! - mu[i - 1]! : 0
    const right = i < n - 1 ? mu[i + 1]! - mu[i]! : 0
    sigma[i] = i === prior ? 1 : Math.min(Math.max(left, right, least), 1)
  }
}

/**
 * Normalizes the weights and prepares the coefficients. With equal heights every kernel counts in proportion to its width, so
 * that the sum is a density up to a constant, with the narrow kernels held back.
 */
export function finishMixture(mixture: Mixture, equalHeights: boolean): void {
  const { size: n, mu, sigma, weight, share, coefficient } = mixture
  let total = 0
  for (let i = 0; i < n; i++) total += weight[i]!
  for (let i = 0; i < n; i++) {
    weight[i]! /= total
    share[i] = weight[i]! / insideMass(mu[i]!, sigma[i]!)
    coefficient[i] = equalHeights ? share[i]! : share[i]! / (sigma[i]! * SQRT_2PI)
  }
}

/** The density at x. */
export function densityAt(mixture: Mixture, x: number): number {
  const { size: n, mu, sigma, coefficient } = mixture
  let total = 0
  for (let i = 0; i < n; i++) {
    const z = (x - mu[i]!) / sigma[i]!
    const square = z * z
    if (square < 72) total += coefficient[i]! * Math.exp(-0.5 * square)
  }
  return total
}

/** The probability of the stretch from a to b. */
export function massAt(mixture: Mixture, a: number, b: number): number {
  const { size: n, mu, sigma, share } = mixture
  let total = 0
  for (let i = 0; i < n; i++) {
    const mass = massBetween(mu[i]!, sigma[i]!, a, b)
    if (mass > 0) total += share[i]! * mass
  }
  return total
}

/** Draws from a kernel by rejection; its centre lies in [0, 1], so at least about a third is accepted. */
export function drawTruncated(rng: Rng, mu: number, sigma: number): number {
  for (;;) {
    const x = rng.normal(mu, sigma)
    if (x >= 0 && x <= 1) return x
  }
}

/** Picks a kernel in proportion to its weight (weights sum to 1). */
export function pickKernel(rng: Rng, weight: Float64Array, size: number): number {
  let rest = rng.uniform()
  for (let i = 0; i < size - 1; i++) {
    rest -= weight[i]!
    if (rest < 0) return i
  }
  return size - 1
}
