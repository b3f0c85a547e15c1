import { add, type Expression, keep, lag, logRatio, mul, sub } from './kernel/expression.ts'
import { exponential, fold, rollingSum } from './kernel/windows.ts'
import type { Series } from './series.ts'
import type { FeatureFamily } from './types.ts'
import { emaAt, sumAt } from './window.ts'

const DISTANCES = [10, 20, 50, 100]
const SLOPES = [20, 50]
const STEP = 5
const EMAS = [12, 26]
/** Bars over which an exponential average of n bars is taken: the seed's weight is below 1e-4 at the end. */
export const emaWindow = (n: number): number => 6 * n

/** The exponential average of n closes, which trend and MACD share. */
export function closeEma({ close }: Series, n: number): Expression {
  return keep(exponential(close, n, 2 / (n + 1), emaWindow(n)))
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
  formulas(series) {
    const { close, level } = series
    const ten = keep(rollingSum(close, 10))
    const fifty = keep(fold(add, ten, 5, 10))
    const sums = [ten, keep(fold(add, ten, 2, 10)), fifty, fold(add, fifty, 2, 50)]
    const toMean = sums.map((sum, k) => logRatio(mul(close, DISTANCES[k]!), sum))
    const toEma = EMAS.map((n) => logRatio(close, closeEma(series, n)))
    // The logarithm of an average is that of the close less its distance: it needs no logarithm of its own.
    const change = (distance: Expression, rows: number): Expression => {
      const average = sub(level, distance)
      return mul(sub(average, lag(average, rows)), 1 / rows)
    }
    return [
      ...toMean,
      ...SLOPES.map((n) => change(toMean[DISTANCES.indexOf(n)]!, STEP)),
      ...toEma,
      ...toEma.map((distance) => change(distance, 1)),
    ]
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
