import type { Rng } from '@regimen/core'

/** A child's coordinate where the space has bins: one of its parents', or with probability `rate` any other value. */
export function varyCoarse(rng: Rng, a: number, b: number, low: number, high: number, rate: number): number {
  if (rng.uniform() < rate) return rng.uniform(low, high)
  return rng.uniform() < 0.5 ? a : b
}
