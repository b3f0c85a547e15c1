import { check, describe } from '@regimen/core'
import type { Bars } from '../bars.ts'

/** One executed order, or a part of one. */
export interface Fill {
  /** Row of the bar in which it was executed. */
  readonly index: number
  /** UTC epoch milliseconds of that bar's open. */
  readonly time: number
  /** Column of the asset. */
  readonly asset: number
  /** Units bought (positive) or sold (negative). */
  readonly units: number
  /** Price paid or received, spread and slippage included. */
  readonly price: number
  /** Commission in account currency. */
  readonly commission: number
  /** What led to it. */
  readonly reason: 'target' | 'order' | 'stop-loss' | 'take-profit' | 'trailing-stop' | 'ruin'
}

/** What each kind of cost took, in account currency over the whole run. */
export interface CostTotals {
  readonly commission: number
  /** Half spreads and slippage: the distance of fill prices from quoted prices. */
  readonly slippage: number
  /** Borrow fees and interest paid, less interest earned. */
  readonly financing: number
}

/** A backtest's path, bar by bar, marked at each close. Both engines return it. */
export interface BacktestResult {
  /** The bars' opening times, UTC epoch milliseconds. */
  readonly time: Float64Array
  readonly interval: number
  /** Account value at each close. */
  readonly equity: Float64Array
  /** Simple return of the equity over each bar; the first is measured from the initial cash. */
  readonly returns: Float64Array
  /** Units held at each close, bars × assets, row-major. */
  readonly units: Float64Array
  /** Gross notional at each close divided by equity. */
  readonly exposure: Float64Array
  /** Notional traded during each bar divided by the equity before it. */
  readonly turnover: Float64Array
  readonly fills: readonly Fill[]
  readonly costs: CostTotals
  readonly initialCash: number
  /** Row at whose close the equity fell to zero or below and everything was closed; -1 if never. */
  readonly ruinedAt: number
}

/** Accepts one series or several aligned ones and refuses any that do not line up. */
export function alignedAssets(bars: Bars | readonly Bars[], where: string): readonly Bars[] {
  const assets = Array.isArray(bars) ? (bars as readonly Bars[]) : [bars as Bars]
  check(assets.length > 0, where, () => 'bars must hold at least one series, got none.')
  const first = assets[0]!
  const n = first.time.length
  check(n > 0, where, () => 'bars must hold at least one bar, got none.')
  for (const [a, asset] of assets.entries()) {
    for (const column of ['time', 'open', 'high', 'low', 'close'] as const) {
      check(
        asset[column].length === n,
        where,
        () => `column ${column} of asset ${a} must have ${n} rows, got ${asset[column].length}.`,
        'Align the series first; a missing bar is a row of NaN.',
      )
    }
    const stray = firstRow(n, (i) => asset.time[i] !== first.time[i])
    check(
      stray < 0,
      where,
      () => `asset ${a} must share the first one's times, got ${describe(asset.time[stray])} in row ${stray}.`,
      'Align the series first; a missing bar is a row of NaN.',
    )
    const bad = firstRow(n, (i) => !isPrice(asset.open[i]!) || !isPrice(asset.close[i]!))
    check(
      bad < 0,
      where,
      () => `prices must be positive and finite, got ${asset.open[bad]} and ${asset.close[bad]} in row ${bad}.`,
    )
  }
  const back = firstRow(n, (i) => i > 0 && !(first.time[i]! > first.time[i - 1]!))
  check(back < 0, where, () => `time must increase strictly, got ${first.time[back]} in row ${back}.`)
  return assets
}

/** NaN is a bar that did not trade. */
function isPrice(x: number): boolean {
  return !(x <= 0 || x === Infinity)
}

// The loop lives apart from the messages: a closure made inside it would cost an allocation a row.
function firstRow(n: number, holds: (row: number) => boolean): number {
  for (let i = 0; i < n; i++) if (holds(i)) return i
  return -1
}
