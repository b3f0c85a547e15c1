import { check, describe } from '@regimen/core'

/** The columns of bars that regimes are read from. */
export interface BarColumns {
  readonly open: ArrayLike<number>
  readonly high: ArrayLike<number>
  readonly low: ArrayLike<number>
  readonly close: ArrayLike<number>
}

/** Where every function of this family reports from. */
export const BARS = 'regimes/bars'

/** Bars as a random walk sees them: the return, and what the rest of the bar tells about its variance. */
export interface BarSeries {
  readonly rows: number
  /** Log return from close to close; the first bar's from its open. */
  readonly returns: Float64Array
  /** Divided by the bar's variance it is chi-squared with `freedom` degrees. */
  readonly spread: Float64Array
  readonly freedom: Float64Array
}

/**
 * Reduces bars to returns and spreads. Given its return, a Brownian bar's open is a point of a bridge and its high and low are the
 * bridge's extremes: 4 h (h − c) / σ² and 4 l (l − c) / σ² are chi-squared with 2 degrees each (h, l, c: high, low, close from
 * the open), the gap's distance from its share of the return with 1.
 */
export function barSeries(bars: BarColumns, gapShare: number): BarSeries {
  const rows = bars.close.length
  check(
    rows > 0 && bars.open.length === rows && bars.high.length === rows && bars.low.length === rows,
    BARS,
    () => `bars need as many opens, highs, lows and closes, from 1, got ${rows} closes.`,
  )
  const returns = new Float64Array(rows)
  const spread = new Float64Array(rows)
  const freedom = new Float64Array(rows).fill(gapShare > 0 ? 5 : 4)
  freedom[0] = 4
  for (let t = 0; t < rows; t++) {
    const open = bars.open[t]!
    const previous = t > 0 ? bars.close[t - 1]! : open
    const share = t > 0 ? gapShare : 0
    const r = Math.log(bars.close[t]! / previous)
    const gap = Math.log(open / previous)
    const high = Math.log(bars.high[t]! / open)
    const low = Math.log(bars.low[t]! / open)
    const c = r - gap
    const reach = (4 * (Math.max(0, high * (high - c)) + Math.max(0, low * (low - c)))) / (1 - share)
    spread[t] = reach + (share > 0 ? (gap - share * r) ** 2 / (share * (1 - share)) : 0)
    // A rounding error is no reason to refuse a bar.
    const inside = high - Math.max(0, c) > -1e-9 && low - Math.min(0, c) < 1e-9
    if (!(inside && Number.isFinite(r) && Number.isFinite(spread[t]!)))
      check(
        false,
        BARS,
        () =>
          `a bar needs prices above 0 with open and close within its range, got row ${t}: ${describe([open, bars.high[t], bars.low[t], bars.close[t]])}.`,
      )
    returns[t] = r
  }
  return { rows, returns, spread, freedom }
}

/** The share of a bar's variance that lies between the close before and its open; 0 below a hundredth. */
export function gapShareOf(all: readonly BarColumns[]): number {
  let cross = 0
  let square = 0
  for (const { open, close } of all)
    for (let t = 1; t < close.length; t++) {
      const r = Math.log(close[t]! / close[t - 1]!)
      cross += r * Math.log(open[t]! / close[t - 1]!)
      square += r * r
    }
  const share = square > 0 ? cross / square : 0
  return share > 0.01 ? Math.min(share, 0.9) : 0
}
