import { highest, lowest, position } from './oscillators.ts'
import { rollingMax, rollingMin, rollingVariance } from './rolling.ts'
import type { FeatureFamily } from './types.ts'
import { maxAt, meanAt, minAt, varianceAt } from './window.ts'

const RANGES = [20, 60]
const DRAWDOWNS = [60, 250]
const BAND = 20

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
  batch(bars, out) {
    const { size, high, low, close, logClose } = bars
    const top = bars.temp(0)
    const bottom = bars.temp(1)
    RANGES.forEach((n, f) => {
      const column = out[f]
      if (!column) return
      if (n < 28) {
        // Two windows of 14 that overlap cover 15 to 28 bars.
        const high14 = highest(bars)
        const low14 = lowest(bars)
        const back = n - 14
        for (let i = back; i < size; i++) {
          const a = high14[i]!
          const b = high14[i - back]!
          const c = low14[i]!
          const d = low14[i - back]!
          column[i] = position(close[i]!, Math.min(c, d), Math.max(a, b))
        }
        return
      }
      rollingMax(high, n, top)
      rollingMin(low, n, bottom)
      for (let i = 0; i < size; i++) column[i] = position(close[i]!, bottom[i]!, top[i]!)
    })
    DRAWDOWNS.forEach((n, f) => {
      const column = out[RANGES.length + f]
      if (!column) return
      rollingMax(logClose, n, top)
      for (let i = 0; i < size; i++) column[i] = logClose[i]! - top[i]!
    })
    const [percent, width] = out.slice(RANGES.length + DRAWDOWNS.length)
    if (!percent && !width) return
    rollingVariance(close, BAND, top, bottom)
    for (let i = 0; i < size; i++) {
      const sigma = Math.sqrt(bottom[i]!)
      if (percent) percent[i] = band(close[i]!, top[i]!, sigma)
      if (width) width[i] = (4 * sigma) / top[i]!
    }
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
