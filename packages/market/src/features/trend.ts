import { levelEma, logRatio, rollingSum } from './rolling.ts'
import type { Batch, FeatureFamily } from './types.ts'
import { emaAt, sumAt } from './window.ts'

const DISTANCES = [10, 20, 50, 100]
const SLOPES = [20, 50]
const STEP = 5
const EMAS = [12, 26]
/** Bars over which an exponential average of n bars is taken: the seed's weight is below 1e-4 at the end. */
export const emaWindow = (n: number): number => 6 * n

/** The exponential average of n closes, which trend and MACD share. */
export function closeEma(bars: Batch, n: number): Float64Array {
  return bars.shared(`ema${n}`, (out) => levelEma(bars.close, n, 2 / (n + 1), emaWindow(n), out))
}

/**
 * Where the close stands relative to its averages, and where these are heading:
 * - `smaDistance_n`: ln(C / SMA_n). `smaSlope_n`: ln(SMA_t / SMA_{t−5}) / 5.
 * - `emaDistance_n`: ln(C / EMA_n). `emaSlope_n`: ln(EMA_t / EMA_{t−1}); EMA with α = 2/(n+1) over the last 6n bars.
 */
export const trend: FeatureFamily = {
  features: [
    ...DISTANCES.map((n) => ({ name: `smaDistance_${n}`, warmup: n })),
    ...SLOPES.map((n) => ({ name: `smaSlope_${n}`, warmup: n + STEP })),
    ...EMAS.map((n) => ({ name: `emaDistance_${n}`, warmup: emaWindow(n) })),
    ...EMAS.map((n) => ({ name: `emaSlope_${n}`, warmup: emaWindow(n) + 1 })),
  ],
  own: 2,
  batch(bars, out) {
    const { size, close } = bars
    const mean = bars.temp(0)
    const half = bars.temp(1)
    let summed = 0
    DISTANCES.forEach((n, f) => {
      const s = SLOPES.indexOf(n)
      const distance = out[f]
      const slope = s < 0 ? undefined : out[DISTANCES.length + s]
      if (!distance && !slope) return
      // A window twice as long is the sum of two.
      if (n === 2 * summed) {
        half.set(mean)
        for (let i = n - 1; i < size; i++) mean[i] = half[i]! + half[i - summed]!
      } else rollingSum(close, n, mean)
      summed = n
      if (distance) for (let i = n - 1; i < size; i++) distance[i] = logRatio(close[i]! * n, mean[i]!)
      if (slope) for (let i = n - 1 + STEP; i < size; i++) slope[i] = logRatio(mean[i]!, mean[i - STEP]!) / STEP
    })
    const first = DISTANCES.length + SLOPES.length
    EMAS.forEach((n, f) => {
      const distance = out[first + f]
      const slope = out[first + EMAS.length + f]
      if (!distance && !slope) return
      const average = closeEma(bars, n)
      const begin = emaWindow(n)
      if (distance) for (let i = begin - 1; i < size; i++) distance[i] = logRatio(close[i]!, average[i]!)
      if (slope) for (let i = begin; i < size; i++) slope[i] = logRatio(average[i]!, average[i - 1]!)
    })
  },
  push({ at, close, logClose, own }, out, k) {
    let f = k
    for (const n of DISTANCES) out[f++] = logClose[at]! - Math.log(sumAt(close, at, n) / n)
    for (const n of SLOPES) {
      out[f++] = (Math.log(sumAt(close, at, n) / n) - Math.log(sumAt(close, at - STEP, n) / n)) / STEP
    }
    for (let e = 0; e < EMAS.length; e++) {
      const n = EMAS[e]!
      const series = own[e]!
      series[at] = Math.log(emaAt(close, at, n, 2 / (n + 1), emaWindow(n)))
      out[f + e] = logClose[at]! - series[at]!
      out[f + EMAS.length + e] = series[at]! - series[at - 1]!
    }
  },
}
