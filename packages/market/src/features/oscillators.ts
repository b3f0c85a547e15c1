import { levelEma, rollingEmas, rollingMax, rollingMin } from './rolling.ts'
import { closeEma, emaWindow } from './trend.ts'
import type { Batch, FeatureFamily } from './types.ts'
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
  batch(bars, out) {
    const { size, close } = bars
    const gain = bars.temp(0)
    const loss = bars.temp(1)
    const up = bars.temp(2)
    const down = bars.temp(3)
    gain[0] = 0
    loss[0] = 0
    for (let i = 1; i < size; i++) {
      const d = close[i]! - close[i - 1]!
      gain[i] = Math.max(d, 0)
      loss[i] = d < 0 ? -d : 0
    }
    RSI.forEach((n, f) => {
      const column = out[f]
      if (!column) return
      rollingEmas(gain, loss, n, 1 / n, wilderWindow(n), up, down, bars.temp(4), bars.temp(5))
      for (let i = 0; i < size; i++) column[i] = share(up[i]!, down[i]!)
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
  batch(bars, out) {
    const { size, close } = bars
    const line = bars.temp(0)
    const smooth = bars.temp(1)
    const fast = closeEma(bars, FAST)
    const slow = closeEma(bars, SLOW)
    const begin = Math.min(size, emaWindow(SLOW) - 1)
    for (let i = begin; i < size; i++) line[i] = fast[i]! - slow[i]!
    levelEma(line.subarray(begin), SIGNAL, 2 / (SIGNAL + 1), emaWindow(SIGNAL), smooth.subarray(begin))
    const [value, signal, histogram] = out
    for (let i = begin; i < size; i++) {
      const scale = 1 / close[i]!
      if (value) value[i] = line[i]! * scale
      if (signal) signal[i] = smooth[i]! * scale
      if (histogram) histogram[i] = (line[i]! - smooth[i]!) * scale
    }
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
  batch(bars, out) {
    const { size, close } = bars
    const [k, d] = out
    const top = highest(bars)
    const bottom = lowest(bars)
    const raw = k ?? bars.temp(0)
    for (let i = 0; i < size; i++) raw[i] = 100 * position(close[i]!, bottom[i]!, top[i]!)
    if (d) for (let i = SMOOTH - 1; i < size; i++) d[i] = (raw[i - 2]! + raw[i - 1]! + raw[i]!) / SMOOTH
  },
  push({ at, high, low, close, own }, out, k) {
    const series = own[0]!
    series[at] = 100 * position(close[at]!, minAt(low, at, STOCHASTIC), maxAt(high, at, STOCHASTIC))
    out[k] = series[at]!
    out[k + 1] = sumAt(series, at, SMOOTH) / SMOOTH
  },
}

/** Highest high of 14 bars; wider windows are joined from it. */
export function highest(bars: Batch): Float64Array {
  return bars.shared('highest', (out) => rollingMax(bars.high, STOCHASTIC, out))
}

/** Lowest low of 14 bars. */
export function lowest(bars: Batch): Float64Array {
  return bars.shared('lowest', (out) => rollingMin(bars.low, STOCHASTIC, out))
}

/** Where a price stands between bottom (0) and top (1); one half where they are the same. */
export function position(price: number, bottom: number, top: number): number {
  return top === bottom ? 0.5 : (price - bottom) / (top - bottom)
}

function share(up: number, down: number): number {
  return up + down === 0 ? 50 : (100 * up) / (up + down)
}
