import { check, describe } from '@regimen/core'
import type { Bars } from '../bars.ts'
import type { Panel } from '../panel.ts'

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

/** What the engines trade: one series, several with the same times, or a panel. A missing bar is a row of NaN. */
export type Tradable = Bars | readonly Bars[] | Panel

/** Takes the assets out of what is traded and refuses any that do not line up. */
export function alignedAssets(bars: Tradable, where: string): readonly Bars[] {
  const assets = isList(bars) ? bars : 'fields' in bars ? columnsOf(bars) : [bars]
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
    const stray = asset === first ? -1 : firstDifference(asset.time, first.time)
    check(
      stray < 0,
      where,
      () => `asset ${a} must share the first one's times, got ${describe(asset.time[stray])} in row ${stray}.`,
      'Align the series first; a missing bar is a row of NaN.',
    )
    const bad = firstBadPrice(asset.open, asset.close)
    check(
      bad < 0,
      where,
      () => `prices must be positive and finite, got ${asset.open[bad]} and ${asset.close[bad]} in row ${bad}.`,
    )
  }
  const back = firstStepBack(first.time)
  check(back < 0, where, () => `time must increase strictly, got ${first.time[back]} in row ${back}.`)
  return assets
}

function isList(bars: Tradable): bars is readonly Bars[] {
  return Array.isArray(bars)
}

/** One asset after the other with its missing bars left in, so that all keep the panel's rows. */
function columnsOf({ time, interval, symbols, fields }: Panel): Bars[] {
  const k = symbols.length
  return symbols.map((_, a) => {
    const take = (field: Float64Array): Float64Array => time.map((_, i) => field[i * k + a]!)
    const { open, high, low, close } = fields
    return { time, interval, open: take(open), high: take(high), low: take(low), close: take(close) }
  })
}

// The loops live apart from the messages: a closure made inside them would cost an allocation a row.

function firstDifference(x: Float64Array, y: Float64Array): number {
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return i
  return -1
}

/** NaN is a bar that did not trade. */
function firstBadPrice(open: Float64Array, close: Float64Array): number {
  for (let i = 0; i < open.length; i++) {
    const a = open[i]!
    const b = close[i]!
    if (a <= 0 || b <= 0 || a === Infinity || b === Infinity) return i
  }
  return -1
}

function firstStepBack(time: Float64Array): number {
  for (let i = 1; i < time.length; i++) if (!(time[i]! > time[i - 1]!)) return i
  return -1
}
