import { check, describe } from '@regimen/core'
import type { TradingCosts } from '../backtest/costs.ts'

/** One regime's ground truth. Rates are annual, so that they can be judged; the simulator converts them to bars. */
export interface RegimeParameters {
  /** For example `bull-low`: trend and volatility. */
  readonly name: string
  /** Drift of the log price per year. */
  readonly drift: number
  /** Deviation of the diffusive log return per year. Above 0. */
  readonly volatility: number
  /** Weight of the bar before: above 0 trending, below 0 mean-reverting. Above -1 and below 1. */
  readonly autoregression: number
  /** Mean stay in bars. 1 or more. */
  readonly duration: number
}

/** Volatility clustering inside a regime: GJR-GARCH(1,1) with unit variance, on top of the regime's own volatility. */
export interface GarchParameters {
  readonly alpha: number
  readonly beta: number
  /** Leverage: extra weight of a negative shock. */
  readonly gamma: number
  /** Squared standardized shocks above this move the variance no further. */
  readonly cap: number
}

/** A market's complete ground truth: plain data, from which {@link simulate} makes bars and the true filter its ceiling. */
export interface MarketParameters {
  readonly name: string
  /** Milliseconds from a bar's open to its close. */
  readonly interval: number
  readonly barsPerYear: number
  /** Where bars lie: around the clock, on weekdays around the clock, or on weekdays within a session (UTC hours). */
  readonly calendar:
    | { readonly kind: 'continuous' }
    | { readonly kind: 'weekdays' }
    | { readonly kind: 'session'; readonly openHour: number; readonly hours: number }
  readonly regimes: readonly RegimeParameters[]
  /** Where a regime goes when it ends, row-stochastic with a zero diagonal; one regime needs none. */
  readonly transitions: readonly (readonly number[])[]
  /**
   * Shape of the stays: 1 is geometric (a Markov chain); r above 1 adds r geometric stages (semi-Markov), so that young
   * regimes seldom end. A whole number from 1.
   */
  readonly durationShape: number
  readonly innovations: {
    /** Student-t degrees of freedom; absent means Gaussian. Above 2. */
    readonly degreesOfFreedom?: number
    readonly garch?: GarchParameters
    /** With this many a year a bar's shock is drawn from N(mean, deviation²), in units of the bar's own volatility. */
    readonly jumps?: { readonly perYear: number; readonly mean: number; readonly deviation: number }
  }
  /** Share of a day's variance that falls between a close and the next session's open. From 0 to below 1. */
  readonly overnight: number
  /** Relative volatility and volume by UTC hour of the bar's open (24 numbers each); absent means flat. */
  readonly seasonality?: { readonly volatility: readonly number[]; readonly volume: readonly number[] }
  readonly volume: {
    /** Typical volume of a bar. */
    readonly level: number
    /** Memory of its logarithm. From 0 to below 1. */
    readonly persistence: number
    /** Deviation of its logarithm's innovation. */
    readonly noise: number
    /** How strongly it answers to the size of the bar's return. */
    readonly response: number
  }
  readonly assets: readonly {
    readonly symbol: string
    /** Price before the first bar. */
    readonly price: number
    /** Multiplies every regime's volatility. */
    readonly volatilityScale: number
    /** Multiplies every regime's drift. */
    readonly driftScale: number
  }[]
  /** Correlation of the assets' shocks. From 0 to below 1. */
  readonly correlation: number
  /** What trading this market costs. */
  readonly costs: TradingCosts
}

/** Refuses parameters that describe no market. */
export function checkParameters(parameters: MarketParameters): void {
  const where = 'market/simulate'
  const { regimes, transitions, innovations, durationShape, overnight, correlation, assets } = parameters
  const k = regimes.length
  check(k > 0, where, () => 'regimes must hold at least one regime, got none.')
  check(parameters.barsPerYear > 0, where, () => `barsPerYear must be above 0, got ${parameters.barsPerYear}.`)
  check(parameters.interval > 0, where, () => `interval must be above 0, got ${parameters.interval}.`)
  for (const { name, drift, volatility, autoregression, duration } of regimes) {
    check(Number.isFinite(drift), where, () => `drift of ${name} must be finite, got ${describe(drift)}.`)
    check(volatility > 0, where, () => `volatility of ${name} must be above 0, got ${describe(volatility)}.`)
    check(
      Math.abs(autoregression) < 1,
      where,
      () => `autoregression of ${name} must lie between -1 and 1, got ${describe(autoregression)}.`,
    )
    check(duration >= 1, where, () => `duration of ${name} must be 1 bar or more, got ${describe(duration)}.`)
  }
  if (k > 1) {
    check(transitions.length === k, where, () => `transitions must have ${k} rows, got ${transitions.length}.`)
    for (const [i, row] of transitions.entries()) {
      const sum = row.reduce((a, b) => a + b, 0)
      check(
        row.length === k && row[i] === 0 && row.every((p) => p >= 0) && Math.abs(sum - 1) < 1e-9,
        where,
        () =>
          `row ${i} of transitions must be ${k} probabilities with sum 1 and 0 on the diagonal, got ${row.join(' ')}.`,
        'How long a regime stays is its duration, not part of this matrix.',
      )
    }
  }
  check(
    Number.isInteger(durationShape) && durationShape >= 1,
    where,
    () => `durationShape must be a whole number from 1, got ${describe(durationShape)}.`,
  )
  const { degreesOfFreedom, garch, jumps } = innovations
  check(
    degreesOfFreedom === undefined || degreesOfFreedom > 2,
    where,
    () => `degreesOfFreedom must be above 2, got ${describe(degreesOfFreedom)}.`,
    'Leave it out for Gaussian shocks.',
  )
  if (garch) {
    const { alpha, beta, gamma, cap } = garch
    check(
      alpha >= 0 && beta >= 0 && alpha + gamma >= 0 && alpha + beta + gamma / 2 < 1 && cap > 0,
      where,
      () => `garch must satisfy alpha + beta + gamma / 2 < 1 with cap > 0, got ${[alpha, beta, gamma, cap].join(' ')}.`,
    )
  }
  check(
    jumps === undefined || (jumps.perYear >= 0 && jumps.perYear < parameters.barsPerYear && jumps.deviation > 0),
    where,
    () => 'jumps must come at most once a bar and have a deviation above 0.',
  )
  check(overnight >= 0 && overnight < 1, where, () => `overnight must lie from 0 to below 1, got ${overnight}.`)
  check(correlation >= 0 && correlation < 1, where, () => `correlation must lie from 0 to below 1, got ${correlation}.`)
  check(assets.length > 0, where, () => 'assets must hold at least one asset, got none.')
  for (const { symbol, price, volatilityScale } of assets) {
    check(price > 0 && volatilityScale > 0, where, () => `price and volatilityScale of ${symbol} must be above 0.`)
  }
}
