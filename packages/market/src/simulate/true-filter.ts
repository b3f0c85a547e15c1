import { check, createRng, describe, type Rng } from '@regimen/core'
import type { Bars } from '../bars.ts'
import { type RegimeChain, regimeChain } from './chain.ts'
import { type Dynamics, dynamicsOf, gapShareOf, nextVariance, seasonOf, shockDensity } from './dynamics.ts'
import type { MarketParameters } from './parameters.ts'

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

/** How likely one bar is under a regime and a variance factor. Reused from bar to bar. */
class BarLikelihood {
  /** The bar's standardized shock, ln p(return), and ln p(open, high, low, return): set by `weigh`. */
  shock = 0
  logReturn = 0
  logBar = 0
  readonly #d: Dynamics
  readonly #density: (z: number) => number
  readonly #logScale: Float64Array
  readonly #shaped: boolean
  #r = 0
  #lagged = Number.NaN
  #season = 1
  #logSeason = 0
  #gapShare = 0
  #gapDistance = 0
  #reach = 0

  constructor(d: Dynamics, shaped: boolean) {
    this.#d = d
    this.#density = shockDensity(d)
    this.#logScale = d.scale.map(Math.log)
    this.#shaped = shaped
  }

  take(bars: Bars, t: number, previous: number, r: number, season: number, gapShare: number): void {
    this.#lagged = t === 0 ? Number.NaN : this.#r
    this.#r = r
    this.#season = season
    this.#logSeason = Math.log(season)
    this.#gapShare = gapShare
    if (!this.#shaped) return
    const open = bars.open[t]!
    const gap = Math.log(open / previous)
    const high = Math.log(bars.high[t]! / open)
    const low = Math.log(bars.low[t]! / open)
    const c = r - gap
    this.#gapDistance = (gap - gapShare * r) ** 2
    this.#reach = high * (high - c) + low * (low - c)
  }

  /**
   * Weighs regime `s` with variance factor `h`, whose logarithm the caller knows. Given the return, the open is a point of
   * a Brownian bridge and high and low are its extremes, P(max > m | end c) = exp(-2 m (m - c) / σ²); terms that are the
   * same for all hypotheses are left out of `logBar`.
   */
  weigh(s: number, h: number, logH: number): void {
    const mu = this.#d.drift[s]!
    const lagged = this.#lagged
    const carried = !Number.isNaN(lagged) ? this.#d.phi[s]! * (lagged - mu) : 0
    const scale = this.#d.scale[s]! * Math.sqrt(h) * this.#season
    const logScale = this.#logScale[s]! + 0.5 * logH + this.#logSeason
    this.shock = (this.#r - mu - carried) / scale
    this.logReturn = this.#density(this.shock) - logScale
    this.logBar = this.logReturn
    if (!this.#shaped) return
    const w = this.#gapShare
    const square = scale * scale
    this.logBar -= (2 * this.#reach) / (square * (1 - w)) + 4 * logScale
    if (w > 0) this.logBar -= (0.5 * this.#gapDistance) / (square * w * (1 - w)) + logScale
  }
}

interface Inference {
  /** Mean of the next bar's variance factor given each regime at that bar, and of its root. Valid after `predict`. */
  readonly variance: Float64Array
  readonly root: Float64Array
  /** Conditions on a bar, writes the filtered regime probabilities and returns the log score of its return. */
  observe(bar: BarLikelihood, probabilities: Float64Array): number
  /** Moves on to the next bar and writes its regime probabilities. */
  predict(predicted: Float64Array): void
}

/** The forward recursion over regime and age. */
function exactInference(chain: RegimeChain): Inference {
  const { size, ages, hazard, transitions } = chain
  const belief = chain.stationary.slice()
  const logTotal = new Float64Array(size)
  const logReturn = new Float64Array(size)
  const leaving = new Float64Array(size)
  const one = new Float64Array(size).fill(1)
  return {
    variance: one,
    root: one,
    observe(bar, probabilities) {
      let top = -Infinity
      let topReturn = -Infinity
      for (let s = 0; s < size; s++) {
        let prior = 0
        for (let a = 0; a < ages; a++) prior += belief[s * ages + a]!
        probabilities[s] = prior
        bar.weigh(s, 1, 0)
        logReturn[s] = bar.logReturn
        logTotal[s] = bar.logBar
        if (prior === 0) continue
        top = Math.max(top, logTotal[s]!)
        topReturn = Math.max(topReturn, logReturn[s]!)
      }
      let sum = 0
      let sumReturn = 0
      for (let s = 0; s < size; s++) {
        const prior = probabilities[s]!
        if (prior === 0) continue
        probabilities[s] = prior * Math.exp(logTotal[s]! - top)
        sum += probabilities[s]!
        sumReturn += prior * Math.exp(logReturn[s]! - topReturn)
      }
      for (let s = 0; s < size; s++) {
        probabilities[s] = probabilities[s]! / sum
        const factor = probabilities[s] === 0 ? 0 : Math.exp(logTotal[s]! - top) / sum
        for (let a = 0; a < ages; a++) belief[s * ages + a] = belief[s * ages + a]! * factor
      }
      return topReturn + Math.log(sumReturn)
    },
    predict(predicted) {
      for (let s = 0; s < size; s++) {
        const from = s * ages
        let left = 0
        let carried = 0
        for (let a = 0; a < ages; a++) {
          const mass = belief[from + a]!
          const out = mass * hazard[from + a]!
          left += out
          const stay = mass - out
          if (a < ages - 1) {
            belief[from + a] = carried
            carried = stay
          } else belief[from + a] = carried + stay
        }
        leaving[s] = left
      }
      for (let s = 0; s < size; s++) {
        let entered = 0
        for (let j = 0; j < size; j++) entered += leaving[j]! * transitions[j * size + s]!
        belief[s * ages] = belief[s * ages]! + (size > 1 ? entered : 0)
        let total = 0
        for (let a = 0; a < ages; a++) total += belief[s * ages + a]!
        predicted[s] = total
      }
    },
  }
}

/**
 * Weighs every successor of every particle and keeps `count` different ones by Fearnhead and Clifford's optimal
 * resampling: those heavier than a threshold survive with their weight, of the others a stratified sample.
 */
function particleInference(chain: RegimeChain, d: Dynamics, count: number, rng: Rng): Inference {
  const { size, ages, hazard, transitions, stationary } = chain
  let now = cloud(count)
  let next = cloud(count)
  let alive = count
  const weight = new Float64Array(count * size)
  const logBar = new Float64Array(count * size)
  const logReturn = new Float64Array(count * size)
  const shock = new Float64Array(count * size)
  const variance = new Float64Array(size)
  const root = new Float64Array(size)
  let started = false

  let reached = 0
  let cell = -1
  for (let i = 0; i < count; i++) {
    const goal = (i + rng.uniform()) / count
    while (cell < 0 || (cell < stationary.length - 1 && reached < goal)) reached += stationary[++cell]!
    now.regime[i] = Math.floor(cell / ages)
    now.age[i] = cell % ages
    now.factor[i] = 1
    now.weight[i] = 1 / count
  }

  const priorOf = (i: number, s: number): number => {
    const own = now.regime[i]!
    if (!started || size === 1) return s === own ? now.weight[i]! : 0
    const h = hazard[own * ages + now.age[i]!]!
    return now.weight[i]! * (s === own ? 1 - h : h * transitions[own * size + s]!)
  }
  const keep = (at: number, c: number, mass: number): void => {
    const i = Math.floor(c / size)
    const s = c % size
    const h = now.factor[i]!
    const age = now.age[i]!
    next.regime[at] = s
    next.age[at] = !started ? age : s === now.regime[i] ? Math.min(age + 1, ages - 1) : 0
    next.factor[at] = nextVariance(d, h, shock[c]! * Math.sqrt(h))
    next.weight[at] = mass
  }

  return {
    variance,
    root,
    observe(bar, probabilities) {
      let top = -Infinity
      let topReturn = -Infinity
      for (let i = 0; i < alive; i++) {
        const h = now.factor[i]!
        const logH = Math.log(h)
        for (let s = 0; s < size; s++) {
          const c = i * size + s
          weight[c] = priorOf(i, s)
          if (weight[c] === 0) continue
          bar.weigh(s, h, logH)
          shock[c] = bar.shock
          logReturn[c] = bar.logReturn
          logBar[c] = bar.logBar
          if (bar.logBar > top) top = bar.logBar
          if (bar.logReturn > topReturn) topReturn = bar.logReturn
        }
      }
      const candidates = alive * size
      let sum = 0
      let sumReturn = 0
      probabilities.fill(0)
      for (let c = 0; c < candidates; c++) {
        const prior = weight[c]!
        if (prior === 0) continue
        sumReturn += prior * Math.exp(logReturn[c]! - topReturn)
        const posterior = prior * Math.exp(logBar[c]! - top)
        weight[c] = posterior
        sum += posterior
        probabilities[c % size] = probabilities[c % size]! + posterior
      }
      for (let s = 0; s < size; s++) probabilities[s] = probabilities[s]! / sum

      const threshold = resamplingThreshold(weight, candidates, count)
      let kept = 0
      let goal = threshold * rng.uniform()
      for (let c = 0; c < candidates; c++) {
        const mass = weight[c]!
        if (mass === 0) continue
        if (mass >= threshold) {
          if (kept < count) keep(kept++, c, mass / sum)
          continue
        }
        goal -= mass
        if (goal < 0) {
          if (kept < count) keep(kept++, c, threshold / sum)
          goal += threshold
        }
      }
      alive = kept
      let total = 0
      for (let i = 0; i < alive; i++) total += next.weight[i]!
      for (let i = 0; i < alive; i++) next.weight[i] = next.weight[i]! / total
      ;[now, next] = [next, now]
      started = true
      return topReturn + Math.log(sumReturn)
    },
    predict(predicted) {
      predicted.fill(0)
      variance.fill(0)
      root.fill(0)
      for (let i = 0; i < alive; i++) {
        const h = now.factor[i]!
        const rootH = Math.sqrt(h)
        for (let s = 0; s < size; s++) {
          const p = priorOf(i, s)
          predicted[s] = predicted[s]! + p
          variance[s] = variance[s]! + p * h
          root[s] = root[s]! + p * rootH
        }
      }
      for (let s = 0; s < size; s++) {
        const p = predicted[s]!
        variance[s] = p > 0 ? variance[s]! / p : 1
        root[s] = p > 0 ? root[s]! / p : 1
      }
    },
  }
}

function cloud(count: number): { regime: Uint8Array; age: Uint16Array; factor: Float64Array; weight: Float64Array } {
  return {
    regime: new Uint8Array(count),
    age: new Uint16Array(count),
    factor: new Float64Array(count),
    weight: new Float64Array(count),
  }
}

/** The κ with Σ min(w / κ, 1) = count, or 0 where no more than `count` weights are above zero. */
function resamplingThreshold(weight: Float64Array, length: number, count: number): number {
  let positive = 0
  let sum = 0
  for (let c = 0; c < length; c++) {
    if (weight[c]! > 0) positive++
    sum += weight[c]!
  }
  if (positive <= count) return 0
  // Each pass moves those that are too heavy to the certain survivors; κ only falls, so this ends.
  let threshold = sum / count
  for (;;) {
    let certain = 0
    let rest = 0
    for (let c = 0; c < length; c++) {
      if (weight[c]! >= threshold) certain++
      else rest += weight[c]!
    }
    const lower = certain < count ? rest / (count - certain) : 0
    if (!(lower < threshold * (1 - 1e-12))) return threshold
    threshold = lower
  }
}
