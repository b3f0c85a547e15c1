import { arrayLeaf, check, createSnapshot, describe, restore, schema } from '@regimen/core'
import { createForecast, logDensity } from '../forecast.ts'
import type { Forecaster, Open } from '../forecaster.ts'

/** Options of {@link mixForecasters}. */
export interface MixOptions {
  /** The members by name, in the order of the weights. At least one. */
  members: { readonly [name: string]: Open<Forecaster> }
  /** Share of the weight that is dealt out anew at each bar, from 0 to below 1: how fast another member may take over. @default 0.005 */
  share?: number
  /**
   * First row whose return moves the weights. Where members were trained on the rows before, those rows would favour the one
   * that remembers them best. @default 0
   */
  weighFrom?: number
}

/** A mixture that tells its weights. */
export interface ForecastMixture extends Forecaster {
  /** Present weight of each member, summing to 1. */
  readonly weights: { readonly [name: string]: number }
}

const ID = 'pipeline/forecast-mixture'

/**
 * Mixes forecasters by how well each has forecast so far: w ← w · p(y), then a small share is dealt out anew (fixed share). The
 * mixture's log score falls short of the best member's by at most ln n in all, plus a price for each time the best one changes,
 * so a learner that fails costs little. The members go on learning whatever their weight.
 *
 * ```ts
 * import { mixForecasters, regimeForecaster, volatilityForecaster } from '@regimen/pipeline'
 *
 * const members = { calm: volatilityForecaster(), regimes: regimeForecaster({ regimes: 1, prior: 1 }) }
 * const mixture = await mixForecasters({ members })()
 * const one = Float64Array.of(1)
 * const features = new Float32Array(0)
 * const at = { row: 0, time: 0, features, regimes: one, ahead: one, logScore: Number.NaN, scale: 0.01 }
 * // Returns of half the scale: the second member has learned it after a few, the first keeps to the scale for long.
 * for (let i = 0; i < 60; i++) await mixture.learn(at, i % 2 ? 0.004 : -0.004)
 * mixture.weights.regimes! > 0.9 // => true
 * ```
 *
 * Reference: Herbster and Warmuth, Machine Learning 32 (1998).
 */
export function mixForecasters(
  options: MixOptions,
): (from?: Parameters<Open<Forecaster>>[0]) => Promise<ForecastMixture> {
  const { members, share = 0.005, weighFrom = 0 } = options
  const names = Object.keys(members)
  const n = names.length
  check(n > 0, ID, () => 'members must name at least one forecaster.')
  check(share >= 0 && share < 1, ID, () => `share must be from 0 to below 1, got ${describe(share)}.`)
  const state = schema.object({ weights: schema.leaf('float64', [n]) })
  return async (from) => {
    const saved = from && restore(from, { id: ID, version: 1, state, children: names })
    const open: Forecaster[] = []
    for (const name of names) open.push(await members[name]!(saved?.children[name]))
    const weights = saved ? saved.state.weights.data : new Float64Array(n).fill(1 / n)
    return {
      get weights() {
        return Object.fromEntries(names.map((name, i) => [name, weights[i]!]))
      },
      async forecast(observation) {
        const forecasts = await Promise.all(open.map((member) => member.forecast(observation)))
        const parts = forecasts.flatMap((forecast, i) =>
          forecast.parts.map((part) => ({ ...part, weight: part.weight * weights[i]! })),
        )
        return createForecast(parts)
      },
      async learn(observation, y) {
        const scores: number[] = []
        for (const member of open) {
          scores.push(logDensity(await member.forecast(observation), y))
          await member.learn(observation, y)
        }
        const top = Math.max(...scores)
        if (observation.row < weighFrom || top === Number.NEGATIVE_INFINITY) return
        let sum = 0
        for (let i = 0; i < n; i++) {
          weights[i] = weights[i]! * Math.exp(scores[i]! - top)
          sum += weights[i]!
        }
        for (let i = 0; i < n; i++) weights[i] = ((1 - share) * weights[i]!) / sum + share / n
      },
      async snapshot() {
        const children: { [name: string]: Awaited<ReturnType<Forecaster['snapshot']>> } = {}
        for (const [i, name] of names.entries()) children[name] = await open[i]!.snapshot()
        const leaf = arrayLeaf('float64', [n], weights.slice())
        return createSnapshot({ id: ID, version: 1, config: { share, weighFrom }, state: { weights: leaf }, children })
      },
      async dispose() {
        for (const member of open) await member.dispose()
      },
    }
  }
}
