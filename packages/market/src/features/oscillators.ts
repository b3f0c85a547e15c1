import { add, div, type Expression, keep, lag, max, mul, ratio, sub } from './kernel/expression.ts'
import { exponential, rollingMax, rollingMin, rollingSum } from './kernel/windows.ts'
import type { Series } from './series.ts'
import { closeEma, emaWindow } from './trend.ts'
import type { FeatureFamily } from './types.ts'
import { emaAt, maxAt, minAt, sumAt } from './window.ts'

const RSI = [7, 14]
/** Bars over which Wilder's average (α = 1/n) is taken: the seed's weight is below 1.3e-4 at the end. */
export const wilderWindow = (n: number): number => 10 * n

/**
 * `rsi_n`: Wilder's relative strength index, 100 · G / (G + L) with Wilder averages G and L of gains and losses over the
 * last 10n changes, seeded by the mean of the first n as Wilder does; 50 where the close did not move at all.
 */
export const rsi: FeatureFamily = {
  features: RSI.map((n) => ({ name: `rsi_${n}`, warmup: wilderWindow(n) + 1 })),
  own: 2,
  formulas({ close }) {
    const move = sub(close, lag(close, 1))
    const gain = keep(max(move, 0))
    const loss = keep(max(sub(0, move), 0))
    return RSI.map((n) => {
      const [up, down] = [gain, loss].map((side) => exponential(side, n, 1 / n, wilderWindow(n)))
      return ratio(mul(100, up!), add(up!, down!), 50)
    })
  },
  push({ at, close, own }, out, k) {
    const [gain, loss] = own
    const d = close[at]! - close[at - 1]!
    gain![at] = Math.max(d, 0)
    loss![at] = d < 0 ? -d : 0
    for (let f = 0; f < RSI.length; f++) {
      const n = RSI[f]!
      const w = wilderWindow(n)
      out[k + f] = share(emaAt(gain!, at, n, 1 / n, w), emaAt(loss!, at, n, 1 / n, w))
    }
  },
}

const FAST = 12
const SLOW = 26
const SIGNAL = 9

/**
 * MACD relative to the close: `macd` = (EMA_12 − EMA_26) / C, `macdSignal` = EMA_9 of the difference, over C, and
 * `macdHistogram`, what lies between. Each average is seeded by a plain mean, as charting packages do.
 */
export const macd: FeatureFamily = {
  features: [
    { name: 'macd', warmup: emaWindow(SLOW) },
    { name: 'macdSignal', warmup: emaWindow(SLOW) + emaWindow(SIGNAL) - 1 },
    { name: 'macdHistogram', warmup: emaWindow(SLOW) + emaWindow(SIGNAL) - 1 },
  ],
  own: 1,
  formulas(series) {
    const line = keep(sub(closeEma(series, FAST), closeEma(series, SLOW)))
    const signal = exponential(line, SIGNAL, 2 / (SIGNAL + 1), emaWindow(SIGNAL))
    const scale = div(1, series.close)
    return [line, signal, sub(line, signal)].map((value) => mul(value, scale))
  },
  push({ at, close, own }, out, k) {
    const line = own[0]!
    const fast = emaAt(close, at, FAST, 2 / (FAST + 1), emaWindow(FAST))
    line[at] = fast - emaAt(close, at, SLOW, 2 / (SLOW + 1), emaWindow(SLOW))
    out[k] = line[at]! / close[at]!
    const signal = emaAt(line, at, SIGNAL, 2 / (SIGNAL + 1), emaWindow(SIGNAL))
    out[k + 1] = signal / close[at]!
    out[k + 2] = (line[at]! - signal) / close[at]!
  },
}

const STOCHASTIC = 14
const SMOOTH = 3

/**
 * Lane's stochastic: `stochK_14` = 100 (C − L_14) / (H_14 − L_14), 50 where the range is empty, and `stochD_14_3`, its
 * mean over 3 bars.
 */
export const stochastic: FeatureFamily = {
  features: [
    { name: 'stochK_14', warmup: STOCHASTIC },
    { name: 'stochD_14_3', warmup: STOCHASTIC + SMOOTH - 1 },
  ],
  own: 1,
  formulas(series) {
    const { close } = series
    const raw = keep(mul(100, positionOf(close, lowest(series), highest(series))))
    return [raw, mul(rollingSum(raw, SMOOTH), 1 / SMOOTH)]
  },
  push({ at, high, low, close, own }, out, k) {
    const series = own[0]!
    series[at] = 100 * position(close[at]!, minAt(low, at, STOCHASTIC), maxAt(high, at, STOCHASTIC))
    out[k] = series[at]!
    out[k + 1] = sumAt(series, at, SMOOTH) / SMOOTH
  },
}

/** Highest high of 14 bars; wider windows are joined from it. */
export function highest({ high }: Series): Expression {
  return keep(rollingMax(high, STOCHASTIC))
}

/** Lowest low of 14 bars. */
export function lowest({ low }: Series): Expression {
  return keep(rollingMin(low, STOCHASTIC))
}

/** Where a price stands between bottom (0) and top (1); one half where they are the same. */
export function position(price: number, bottom: number, top: number): number {
  return top === bottom ? 0.5 : (price - bottom) / (top - bottom)
}

/** {@link position} as a formula. */
export function positionOf(price: Expression, bottom: Expression, top: Expression): Expression {
  return ratio(sub(price, bottom), sub(top, bottom), 0.5)
}

function share(up: number, down: number): number {
  return up + down === 0 ? 50 : (100 * up) / (up + down)
}
