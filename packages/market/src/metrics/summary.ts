import { yearsOf } from '../backtest/costs.ts'
import type { BacktestResult } from '../backtest/result.ts'
import { annualReturn, calmar, maxDrawdown, profitFactor, sharpe, sortino, tailRatio, winRate } from './performance.ts'
import { roundTrips } from './trades.ts'

/** A backtest in numbers. Ratios are annual. */
export interface PerformanceSummary {
  readonly bars: number
  /** Bars in a year, as found in the result's times. */
  readonly periodsPerYear: number
  readonly totalReturn: number
  readonly annualReturn: number
  readonly annualVolatility: number
  readonly sharpe: number
  readonly sortino: number
  readonly calmar: number
  /** From 0 to 1. */
  readonly maxDrawdown: number
  /** Longest time under water, in bars. */
  readonly drawdownDuration: number
  readonly trades: number
  /** Of closed round trips. */
  readonly winRate: number
  /** Of closed round trips. */
  readonly profitFactor: number
  readonly tailRatio: number
  /** Mean gross exposure at the close, as a fraction of equity. */
  readonly exposure: number
  /** Notional traded in a year, in multiples of equity. */
  readonly turnover: number
  /** All costs as a fraction of the initial cash. */
  readonly costs: number
}

/**
 * Sums a backtest up: returns and their ratios, drawdown, trades, exposure, turnover and costs, annualized by the bars'
 * own times.
 *
 * ```ts
 * import { backtestVectorized, simulate, summarize } from '@regimen/market'
 *
 * const { bars, parameters } = simulate('no-regimes-daily', { bars: 522, seed: 1 })
 * const result = backtestVectorized(bars, { targets: new Float64Array(522).fill(1), costs: parameters.costs })
 * const { periodsPerYear, trades } = summarize(result)
 * Math.round(periodsPerYear) // => 261
 * trades // => 0
 * ```
 */
export function summarize(result: BacktestResult): PerformanceSummary {
  const { time, interval, returns, equity, exposure, turnover, initialCash, fills, costs } = result
  const n = time.length
  const years = yearsOf(time[n - 1]! - time[0]! + (n > 1 ? (time[n - 1]! - time[0]!) / (n - 1) : interval))
  const periodsPerYear = n / years
  const annual = { periodsPerYear }
  const profits = roundTrips(fills).map((trip) => trip.profit)
  const drawdown = maxDrawdown(returns)
  let mean = 0
  let held = 0
  let traded = 0
  for (let i = 0; i < n; i++) {
    mean += returns[i]! / n
    held += exposure[i]! / n
    traded += turnover[i]!
  }
  let squares = 0
  for (let i = 0; i < n; i++) squares += (returns[i]! - mean) ** 2
  return {
    bars: n,
    periodsPerYear,
    totalReturn: equity[n - 1]! / initialCash - 1,
    annualReturn: annualReturn(returns, annual),
    annualVolatility: n > 1 ? Math.sqrt((squares / (n - 1)) * periodsPerYear) : 0,
    sharpe: n > 1 ? sharpe(returns, annual) : 0,
    sortino: sortino(returns, annual),
    calmar: calmar(returns, annual),
    maxDrawdown: drawdown.depth,
    drawdownDuration: drawdown.duration,
    trades: profits.length,
    winRate: winRate(profits),
    profitFactor: profitFactor(profits),
    tailRatio: tailRatio(returns),
    exposure: held,
    turnover: traded / years,
    costs: (costs.commission + costs.slippage + costs.financing) / initialCash,
  }
}
