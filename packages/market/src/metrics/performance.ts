import { check, describe } from '@regimen/core'
import { quantile } from '@regimen/core/math'

/** Options of metrics that are stated per year. */
export interface AnnualOptions {
  /** Returns in a year: 252 for trading days, 365.25 around the clock. Above 0. @default 252 */
  periodsPerYear?: number
  /** Return per period that counts as riskless, or as the least acceptable one. @default 0 */
  target?: number
}

function readReturns(returns: ArrayLike<number>, where: string, least: number): void {
  check(returns.length >= least, where, () => `returns must hold at least ${least} values, got ${returns.length}.`)
  for (let i = 0; i < returns.length; i++) {
    if (!Number.isFinite(returns[i])) {
      check(
        false,
        where,
        () => `returns must be finite, got ${describe(returns[i])} in row ${i}.`,
        'Drop warm-up rows.',
      )
    }
  }
}

function readAnnual(options: AnnualOptions, where: string): { periods: number; target: number } {
  const { periodsPerYear: periods = 252, target = 0 } = options
  check(periods > 0 && periods < Infinity, where, () => `periodsPerYear must be above 0, got ${describe(periods)}.`)
  check(Number.isFinite(target), where, () => `target must be finite, got ${describe(target)}.`)
  return { periods, target }
}

function meanOf(x: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i]!
  return sum / x.length
}

/**
 * Computes the annual Sharpe ratio, mean(r - target) / deviation(r) · √periodsPerYear, with the sample deviation (n - 1).
 * Judge a figure together with {@link bootstrapInterval} and, after a search, {@link deflatedSharpe}. A series without
 * variation has the ratio 0.
 *
 * ```ts
 * import { sharpe } from '@regimen/market'
 *
 * sharpe([0.01, 0.03, -0.01, 0.01], { periodsPerYear: 1 }) // ≈ 0.6123724357
 * ```
 *
 * Reference: Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994).
 */
export function sharpe(returns: ArrayLike<number>, options: AnnualOptions = {}): number {
  const { periods, target } = readAnnual(options, 'market/sharpe')
  readReturns(returns, 'market/sharpe', 2)
  const mean = meanOf(returns)
  let squares = 0
  for (let i = 0; i < returns.length; i++) squares += (returns[i]! - mean) ** 2
  const deviation = Math.sqrt(squares / (returns.length - 1))
  // A constant series leaves a deviation of rounding errors only.
  return deviation <= 1e-14 * Math.max(1, Math.abs(mean)) ? 0 : ((mean - target) / deviation) * Math.sqrt(periods)
}

/**
 * Computes the annual Sortino ratio, mean(r - target) / √(mean(min(r - target, 0)²)) · √periodsPerYear: like
 * {@link sharpe}, but only what falls short of the target counts as risk. Without any shortfall it is Infinity for a
 * positive mean and 0 otherwise.
 *
 * ```ts
 * import { sortino } from '@regimen/market'
 *
 * sortino([0.01, 0.03, -0.02, 0.02], { periodsPerYear: 1 }) // ≈ 1
 * ```
 *
 * Reference: Sortino and Price, "Performance Measurement in a Downside Risk Framework", Journal of Investing 3 (1994).
 */
export function sortino(returns: ArrayLike<number>, options: AnnualOptions = {}): number {
  const { periods, target } = readAnnual(options, 'market/sortino')
  readReturns(returns, 'market/sortino', 1)
  const mean = meanOf(returns) - target
  let squares = 0
  for (let i = 0; i < returns.length; i++) squares += Math.min(returns[i]! - target, 0) ** 2
  if (squares === 0) return mean > 0 ? Infinity : 0
  return (mean / Math.sqrt(squares / returns.length)) * Math.sqrt(periods)
}

/** A fall of the account from its highest value. */
export interface Drawdown {
  /** Largest fall as a fraction of the peak before it, from 0 to 1. */
  readonly depth: number
  /** Rows of that peak and of the trough; the peak is -1 where it is the starting value. */
  readonly peak: number
  readonly trough: number
  /** Longest stretch below a former peak, in periods; one that has not ended counts up to the last row. */
  readonly duration: number
}

/**
 * Finds the maximum drawdown of compounded returns and the longest time under water.
 *
 * ```ts
 * import { maxDrawdown } from '@regimen/market'
 *
 * maxDrawdown([0.1, -0.5, 0.2, 1]).depth // => 0.5
 * ```
 */
export function maxDrawdown(returns: ArrayLike<number>): Drawdown {
  readReturns(returns, 'market/max-drawdown', 1)
  let value = 1
  let high = 1
  let highAt = -1
  let depth = 0
  let peak = -1
  let trough = -1
  let duration = 0
  for (let i = 0; i < returns.length; i++) {
    value *= 1 + returns[i]!
    if (value >= high) {
      high = value
      highAt = i
      continue
    }
    duration = Math.max(duration, i - highAt)
    const fall = 1 - value / high
    if (fall > depth) {
      depth = fall
      peak = highAt
      trough = i
    }
  }
  return { depth, peak, trough, duration }
}

/**
 * Computes the compound annual growth rate of per-period returns; -1 when the account was lost.
 *
 * ```ts
 * import { annualReturn } from '@regimen/market'
 *
 * annualReturn([0.1, 0.1], { periodsPerYear: 1 }) // ≈ 0.1
 * ```
 */
export function annualReturn(returns: ArrayLike<number>, options: AnnualOptions = {}): number {
  const { periods } = readAnnual(options, 'market/annual-return')
  readReturns(returns, 'market/annual-return', 1)
  let log = 0
  for (let i = 0; i < returns.length; i++) {
    if (returns[i]! <= -1) return -1
    log += Math.log1p(returns[i]!)
  }
  return Math.expm1((log * periods) / returns.length)
}

/**
 * Computes the Calmar ratio: annual compound return over maximum drawdown, both over the whole series. Without a
 * drawdown it is Infinity for a gain and 0 otherwise.
 *
 * ```ts
 * import { calmar } from '@regimen/market'
 *
 * calmar([0.5, -0.2, 0.25], { periodsPerYear: 3 }) // ≈ 2.5
 * ```
 */
export function calmar(returns: ArrayLike<number>, options: AnnualOptions = {}): number {
  const gain = annualReturn(returns, options)
  const { depth } = maxDrawdown(returns)
  if (depth === 0) return gain > 0 ? Infinity : 0
  return gain / depth
}

/**
 * Computes the share of positive values among those that are not 0, of per-period returns or of
 * {@link roundTrips | trade} profits. 0 where nothing was won or lost.
 *
 * ```ts
 * import { winRate } from '@regimen/market'
 *
 * winRate([0.02, 0, -0.01, 0.03]) // ≈ 0.6666666667
 * ```
 */
export function winRate(profits: ArrayLike<number>): number {
  readReturns(profits, 'market/win-rate', 0)
  let won = 0
  let decided = 0
  for (let i = 0; i < profits.length; i++) {
    if (profits[i]! > 0) won++
    if (profits[i] !== 0) decided++
  }
  return decided === 0 ? 0 : won / decided
}

/**
 * Computes the sum of gains over the sum of losses, of per-period returns or of {@link roundTrips | trade} profits.
 * Infinity without losses, 0 without gains.
 *
 * ```ts
 * import { profitFactor } from '@regimen/market'
 *
 * profitFactor([30, -10, 20, -15]) // => 2
 * ```
 */
export function profitFactor(profits: ArrayLike<number>): number {
  readReturns(profits, 'market/profit-factor', 0)
  let gains = 0
  let losses = 0
  for (let i = 0; i < profits.length; i++) {
    if (profits[i]! > 0) gains += profits[i]!
    else losses -= profits[i]!
  }
  if (losses === 0) return gains > 0 ? Infinity : 0
  return gains / losses
}

/**
 * Computes the size of the right tail over that of the left, |95 % quantile| / |5 % quantile| (quantiles interpolated
 * linearly): below 1 the losses are the larger surprises. Infinity where the left quantile is 0.
 *
 * ```ts
 * import { tailRatio } from '@regimen/market'
 *
 * const returns = Array.from({ length: 21 }, (_, i) => (i < 10 ? i - 10 : 2 * (i - 10)))
 * tailRatio(returns) // => 2
 * ```
 */
export function tailRatio(returns: ArrayLike<number>): number {
  readReturns(returns, 'market/tail-ratio', 1)
  const sorted = Float64Array.from(returns)
  const left = Math.abs(quantile(sorted, 0.05))
  const right = Math.abs(quantile(sorted, 0.95))
  return left === 0 ? (right === 0 ? 1 : Infinity) : right / left
}
