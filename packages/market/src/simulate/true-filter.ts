import { check, createRng, describe } from '@regimen/core'
import type { Bars } from '../bars.ts'
import { BarLikelihood } from './bar-likelihood.ts'
import { regimeChain } from './chain.ts'
import { dynamicsOf, gapShareOf, seasonOf } from './dynamics.ts'
import { exactInference } from './exact-inference.ts'
import type { MarketParameters } from './parameters.ts'
import { particleInference } from './particle-inference.ts'

/** Options of {@link trueFilter}. */
export interface TrueFilterOptions {
  /** The market's ground truth. */
  parameters: MarketParameters
  /** Column of the asset that the bars belong to. @default 0 */
  asset?: number
  /**
   * `bar` learns from close, open, high and low; `close` from closes only, the fair ceiling for methods that see returns
   * only. @default 'bar'
   */
  observe?: 'bar' | 'close'
  /** Particles where there is no closed form (GARCH). From 1; cost grows in proportion. @default 100 */
  particles?: number
  /** Seed of the particle filter's resampling. @default 0 */
  seed?: number | string
}

/** What the true parameters say at each close. Nothing looks ahead. */
export interface TrueFilterResult {
  /** P(regime at t | bars up to t), bars × regimes, row-major. */
  readonly probabilities: Float64Array
  /** P(regime at t + 1 | bars up to t), bars × regimes, row-major. */
  readonly predicted: Float64Array
  /** Mean of the next bar's log return given bars up to t. */
  readonly mean: Float64Array
  /** Variance of the next bar's log return given bars up to t. */
  readonly variance: Float64Array
  /** ln p(log return at t | bars up to t - 1). */
  readonly logScore: Float64Array
  /** True for the closed form, false for the particle filter. */
  readonly exact: boolean
}

/**
 * Filters bars with the parameters that made them: the best that any causal method can know, and so the ceiling against
 * which learners are measured. Without GARCH it is the exact Bayes filter over regime and age,
 * p(s, a | r_1..t) ∝ p(r_t | s, r_{t-1}) Σ p(s, a | s', a') p(s', a' | r_1..t-1); with GARCH, where the variance depends on
 * the whole regime path, a particle filter that weighs every successor of every particle before it resamples.
 *
 * Gotchas: it knows nothing of injected events; assets are filtered one by one, so a joint filter of correlated assets
 * could know more; the first bar's return is measured from its own open.
 *
 * ```ts
 * import { simulate, trueFilter } from '@regimen/market'
 *
 * const { bars, parameters, regimes } = simulate('separable', { bars: 400, seed: 1 })
 * const { probabilities, exact } = trueFilter(bars, { parameters })
 * const k = parameters.regimes.length
 * let right = 0
 * for (let t = 0; t < 400; t++) {
 *   const row = probabilities.subarray(t * k, (t + 1) * k)
 *   if (row.indexOf(Math.max(...row)) === regimes[t]) right++
 * }
 * exact // => true
 * right / 400 > 0.9 // => true
 * ```
 *
 * Reference: Hamilton, Econometrica 57 (1989); Fearnhead and Clifford, JRSS B 65 (2003).
 */
export function trueFilter(bars: Bars, options: TrueFilterOptions): TrueFilterResult {
  const where = 'market/true-filter'
  const { parameters, asset = 0, observe = 'bar', particles = 100, seed = 0 } = options
  check(
    Number.isInteger(asset) && asset >= 0 && asset < parameters.assets.length,
    where,
    () => `asset must be a column from 0 to ${parameters.assets.length - 1}, got ${describe(asset)}.`,
  )
  check(
    Number.isInteger(particles) && particles >= 1,
    where,
    () => `particles must be a whole number from 1, got ${describe(particles)}.`,
  )
  check(
    observe === 'bar' || observe === 'close',
    where,
    () => `observe must be "bar" or "close", got ${describe(observe)}.`,
  )
  const d = dynamicsOf(parameters, asset)
  const chain = regimeChain(parameters)
  const exact = !d.clustered
  const k = chain.size
  const n = bars.time.length
  const result = {
    probabilities: new Float64Array(n * k),
    predicted: new Float64Array(n * k),
    mean: new Float64Array(n),
    variance: new Float64Array(n),
    logScore: new Float64Array(n),
    exact,
  }
  const inference = exact ? exactInference(chain) : particleInference(chain, d, particles, createRng(seed))
  const likelihood = new BarLikelihood(d, observe === 'bar')
  const jumpMean = d.jumpRate * d.jumpMean
  const shockSecond = 1 - d.jumpRate + d.jumpRate * (d.jumpDeviation ** 2 + d.jumpMean ** 2)

  for (let t = 0; t < n; t++) {
    const time = bars.time[t]!
    const previous = t === 0 ? bars.open[t]! : bars.close[t - 1]!
    const r = Math.log(bars.close[t]! / previous)
    check(
      Number.isFinite(r),
      where,
      () => `prices must be positive and finite, got ${describe(bars.close[t])} in row ${t}.`,
      'Repair or drop the bar first.',
    )
    const gapShare = t === 0 ? 0 : gapShareOf(parameters, time, bars.time[t - 1]!)
    likelihood.take(bars, t, previous, r, seasonOf(parameters, time), gapShare)
    result.logScore[t] = inference.observe(likelihood, result.probabilities.subarray(t * k, (t + 1) * k))

    const next = result.predicted.subarray(t * k, (t + 1) * k)
    inference.predict(next)
    const season = seasonOf(parameters, t + 1 < n ? bars.time[t + 1]! : time + bars.interval)
    let mean = 0
    let second = 0
    for (let s = 0; s < k; s++) {
      const p = next[s]!
      if (p === 0) continue
      const spread = d.scale[s]! * season
      const base = d.drift[s]! + d.phi[s]! * (r - d.drift[s]!)
      const jump = spread * inference.root[s]! * jumpMean
      mean += p * (base + jump)
      second += p * (base * base + 2 * base * jump + spread * spread * inference.variance[s]! * shockSecond)
    }
    result.mean[t] = mean
    result.variance[t] = second - mean * mean
  }
  return result
}
