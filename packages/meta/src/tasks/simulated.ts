import { check, describe, type Rng } from '@regimen/core'
import { type MarketParameters, type SimulatedMarket, simulate } from '@regimen/market'

/** How far the parameters of a drawn market lie from those of its preset. */
export interface MarketSpread {
  /** Deviation of the logarithm of each regime's volatility, ≥ 0. @default 0.15 */
  volatility?: number
  /** Deviation of the logarithm of the factor on all drifts, ≥ 0. @default 0.2 */
  drift?: number
}

/**
 * Draws a market near another one: every regime's volatility and the drifts are multiplied by random factors. Use separate
 * streams for training and test, and the test's parameters have never been seen.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { preset } from '@regimen/market'
 * import { varyMarket } from '@regimen/meta'
 *
 * const market = preset('equity-daily')
 * const varied = varyMarket(market, createRng(1))
 * varied.regimes[0]!.volatility === market.regimes[0]!.volatility // => false
 * varied.regimes[0]!.duration === market.regimes[0]!.duration // => true
 * ```
 */
export function varyMarket(market: MarketParameters, rng: Rng, spread: MarketSpread = {}): MarketParameters {
  const { volatility = 0.15, drift = 0.2 } = spread
  for (const [name, value] of Object.entries({ volatility, drift })) {
    check(
      value >= 0 && value < Number.POSITIVE_INFINITY,
      'meta/vary-market',
      () => `${name} must be finite and ≥ 0, got ${describe(value)}.`,
    )
  }
  const drifts = Math.exp(rng.normal(0, drift))
  return {
    ...market,
    regimes: market.regimes.map((regime) => ({
      ...regime,
      drift: regime.drift * drifts,
      volatility: regime.volatility * Math.exp(rng.normal(0, volatility)),
    })),
  }
}

/** A drawn market and its path. */
export interface SimulatedTask {
  readonly parameters: MarketParameters
  readonly seed: string
}

/** Longest path that a task may need. */
export const LONGEST = 131_072

/** Draws the market of one task. */
export function drawMarket(market: MarketParameters, rng: Rng, spread: MarketSpread): SimulatedTask {
  return { parameters: varyMarket(market, rng, spread), seed: String(rng.int(0, 2 ** 31)) }
}

/**
 * The shortest path, of 1,024 bars and its doubles, of which `read` can make something. Kept for as long as the task is: a
 * sampler that revisits its tasks simulates each of them once.
 */
export function pathCache<T>(
  read: (source: SimulatedMarket) => T | undefined,
  fail: (parameters: MarketParameters) => never,
): (spec: SimulatedTask) => T {
  const known = new WeakMap<SimulatedTask, T>()
  return (spec) => {
    let found = known.get(spec)
    for (let bars = 1024; found === undefined && bars <= LONGEST; bars *= 2) {
      found = read(simulate(spec.parameters, { bars, seed: spec.seed }))
    }
    if (found === undefined) return fail(spec.parameters)
    known.set(spec, found)
    return found
  }
}
