import { add, div, eq, keep, lag, max, min, mul, select, sqrt, sub } from './kernel/expression.ts'
import { fold, moments, rollingMax } from './kernel/windows.ts'
import { highest, lowest, position, positionOf } from './oscillators.ts'
import type { FeatureFamily } from './types.ts'
import { maxAt, meanAt, minAt, varianceAt } from './window.ts'

const RANGES = [20, 60]
const DRAWDOWNS = [60, 250]
const BAND = 20
const BLOCKS = [5, 4]

/**
 * Where the close stands in what was seen lately:
 * - `rangePosition_n`: 0 at the lowest low of n bars, 1 at the highest high; ½ where they are the same.
 * - `drawdown_n`: ln(C / highest close of n bars), at most 0.
 * - `bollinger_20`: %b of Bollinger's bands, (C − (SMA − 2σ)) / 4σ with the population σ of 20 closes; ½ where σ = 0.
 * - `bollingerWidth_20`: 4σ / SMA.
 */
export const range: FeatureFamily = {
  features: [
    ...RANGES.map((n) => ({ name: `rangePosition_${n}`, warmup: n })),
    ...DRAWDOWNS.map((n) => ({ name: `drawdown_${n}`, warmup: n })),
    { name: `bollinger_${BAND}`, warmup: BAND },
    { name: `bollingerWidth_${BAND}`, warmup: BAND },
  ],
  formulas(series) {
    const { close, level } = series
    // Two windows of 14 that overlap cover 20.
    const top = keep(fold(max, highest(series), 2, RANGES[0]! - 14))
    const bottom = keep(fold(min, lowest(series), 2, RANGES[0]! - 14))
    const fifty = keep(rollingMax(level, 50))
    const { offset, powers } = moments(close, BLOCKS)
    const sigma = sqrt(mul(powers[0]!, 1 / BAND))
    return [
      positionOf(close, bottom, top),
      positionOf(close, fold(min, bottom, 3, 20), fold(max, top, 3, 20)),
      sub(level, max(fifty, lag(fifty, 10))),
      sub(level, fold(max, fifty, 5, 50)),
      select(eq(sigma, 0), 0.5, sub(0.5, div(offset, mul(4, sigma)))),
      div(mul(4, sigma), add(close, offset)),
    ]
  },
  push({ at, high, low, close, logClose }, out, k) {
    let f = k
    for (const n of RANGES) {
      out[f++] = position(close[at]!, minAt(low, at, n), maxAt(high, at, n))
    }
    for (const n of DRAWDOWNS) out[f++] = logClose[at]! - maxAt(logClose, at, n)
    const mean = meanAt(close, at, BAND)
    const sigma = Math.sqrt(varianceAt(close, at, BAND))
    out[f++] = band(close[at]!, mean, sigma)
    out[f] = (4 * sigma) / mean
  },
}

function band(price: number, mean: number, sigma: number): number {
  return sigma === 0 ? 0.5 : (price - mean) / (4 * sigma) + 0.5
}
