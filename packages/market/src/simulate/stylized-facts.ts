import { check, describe } from '@regimen/core'

/** Options of {@link stylizedFacts}. */
export interface StylizedFactsOptions {
  /** Longest lag of the correlation of absolute returns. From 1, below a quarter of the series. @default 20 */
  maxLag?: number
}

/** One stylized fact: what was measured, what counts as present, and the verdict. */
export interface StylizedFact {
  readonly name: 'fat tails' | 'little linear autocorrelation' | 'volatility clustering' | 'leverage effect'
  readonly statistic: string
  readonly value: number
  /** The value beyond which the fact counts as present, or for linear autocorrelation below which. */
  readonly threshold: number
  readonly holds: boolean
}

/** The battery's report for one series of returns. */
export interface StylizedFactsReport {
  readonly count: number
  readonly mean: number
  readonly deviation: number
  readonly skewness: number
  readonly excessKurtosis: number
  /** Autocorrelation of returns at lags 1 to maxLag. */
  readonly autocorrelation: Float64Array
  /** Autocorrelation of absolute returns at lags 1 to maxLag. */
  readonly absoluteAutocorrelation: Float64Array
  /** Correlation of a return with the squared returns 1 to maxLag bars later. */
  readonly leverage: Float64Array
  readonly facts: readonly StylizedFact[]
  /** Whether all four hold. */
  readonly holds: boolean
}

/**
 * Measures what real returns have in common (Cont, 2001): fat tails (excess kurtosis above 0.5), little linear
 * autocorrelation (mean absolute correlation at lags 1 to 5 below 0.1), volatility clustering (mean correlation of
 * absolute returns at lags 1 to maxLag above 0.05) and the leverage effect (mean correlation of a return with the next
 * 10 bars' squared returns below 0). Use it on a simulated series before trusting it and on real data before modelling
 * it: a series without clustering offers nothing to a volatility model.
 *
 * Gotchas: some thousand returns are needed for the leverage effect to show; a constant series is an error.
 *
 * ```ts
 * import { simulate, stylizedFacts } from '@regimen/market'
 *
 * const { returns } = simulate('equity-daily', { bars: 8000, seed: 1 })
 * stylizedFacts(returns).facts.map((fact) => fact.holds) // => [true, true, true, true]
 * ```
 *
 * Reference: Cont, "Empirical properties of asset returns: stylized facts and statistical issues", Quantitative Finance 1
 * (2001).
 */
export function stylizedFacts(returns: ArrayLike<number>, options: StylizedFactsOptions = {}): StylizedFactsReport {
  const where = 'market/stylized-facts'
  const { maxLag = 20 } = options
  const n = returns.length
  check(
    Number.isInteger(maxLag) && maxLag >= 1,
    where,
    () => `maxLag must be a whole number from 1, got ${describe(maxLag)}.`,
  )
  check(n > 4 * maxLag, where, () => `returns must hold more than ${4 * maxLag} values, got ${n}.`)
  let mean = 0
  for (let i = 0; i < n; i++) {
    const r = returns[i]!
    if (!Number.isFinite(r)) check(false, where, () => `returns must be finite, got ${r} in row ${i}.`)
    mean += r
  }
  mean /= n
  const centred = new Float64Array(n)
  const absolute = new Float64Array(n)
  const squared = new Float64Array(n)
  let m2 = 0
  let m3 = 0
  let m4 = 0
  for (let i = 0; i < n; i++) {
    const x = returns[i]! - mean
    centred[i] = x
    absolute[i] = Math.abs(x)
    squared[i] = x * x
    m2 += x ** 2
    m3 += x ** 3
    m4 += x ** 4
  }
  m2 /= n
  check(m2 > 0, where, () => 'returns must vary, got a constant series.')
  const lags = Array.from({ length: maxLag }, (_, k) => k + 1)
  const autocorrelation = Float64Array.from(lags, (lag) => crossCorrelation(centred, centred, lag))
  const absoluteAutocorrelation = Float64Array.from(lags, (lag) => crossCorrelation(absolute, absolute, lag))
  const leverage = Float64Array.from(lags, (lag) => crossCorrelation(centred, squared, lag))
  const excessKurtosis = m4 / n / m2 ** 2 - 3
  const linear = average(autocorrelation.subarray(0, 5).map(Math.abs))
  const clustering = average(absoluteAutocorrelation)
  const lever = average(leverage.subarray(0, 10))
  const facts: StylizedFact[] = [
    {
      name: 'fat tails',
      statistic: 'excess kurtosis',
      value: excessKurtosis,
      threshold: 0.5,
      holds: excessKurtosis > 0.5,
    },
    {
      name: 'little linear autocorrelation',
      statistic: 'mean absolute autocorrelation of returns, lags 1 to 5',
      value: linear,
      threshold: 0.1,
      holds: linear < 0.1,
    },
    {
      name: 'volatility clustering',
      statistic: `mean autocorrelation of absolute returns, lags 1 to ${maxLag}`,
      value: clustering,
      threshold: 0.05,
      holds: clustering > 0.05,
    },
    {
      name: 'leverage effect',
      statistic: 'mean correlation of a return with later squared returns, lags 1 to 10',
      value: lever,
      threshold: 0,
      holds: lever < 0,
    },
  ]
  return {
    count: n,
    mean,
    deviation: Math.sqrt(m2),
    skewness: m3 / n / m2 ** 1.5,
    excessKurtosis,
    autocorrelation,
    absoluteAutocorrelation,
    leverage,
    facts,
    holds: facts.every((fact) => fact.holds),
  }
}

/** Correlation of x_t with y_{t + lag}, with the whole series' means and variances. */
function crossCorrelation(x: Float64Array, y: Float64Array, lag: number): number {
  const meanX = average(x)
  const meanY = average(y)
  let xy = 0
  let xx = 0
  let yy = 0
  for (let i = 0; i < x.length; i++) {
    const dx = x[i]! - meanX
    const dy = y[i]! - meanY
    xx += dx * dx
    yy += dy * dy
    if (i + lag < y.length) xy += dx * (y[i + lag]! - meanY)
  }
  return xy / Math.sqrt(xx * yy)
}

function average(x: Float64Array): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i]!
  return sum / x.length
}
