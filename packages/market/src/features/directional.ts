import { abs, add, both, div, type Expression, gt, lag, mul, ratio, sub, where } from './kernel/expression.ts'
import { exponential } from './kernel/windows.ts'
import { wilderWindow } from './oscillators.ts'
import type { Columns, FeatureFamily } from './types.ts'
import { emaAt } from './window.ts'

const N = 14
const W = wilderWindow(N)

/**
 * Wilder's directional system over 14 bars, each average over the last 140: `atr_14` = average true range / C;
 * `diSpread_14` = +DI − −DI in percent of the true range; `adx_14`, the Wilder average of DX = 100 |+DI − −DI| / (+DI + −DI),
 * which is 0 where nothing moved.
 */
export const directional: FeatureFamily = {
  features: [
    { name: 'atr_14', warmup: W + 1 },
    { name: 'diSpread_14', warmup: W + 1 },
    { name: 'adx_14', warmup: 2 * W },
  ],
  own: 3,
  formulas({ high, low, close, trueRange }) {
    const rise = sub(high, lag(high, 1))
    const fall = sub(lag(low, 1), low)
    const smooth = (value: Expression): Expression => exponential(value, N, 1 / N, W)
    const range = smooth(trueRange)
    const up = smooth(where(both(gt(rise, fall), gt(rise, 0)), rise))
    const down = smooth(where(both(gt(fall, rise), gt(fall, 0)), fall))
    const spread = mul(100, sub(up, down))
    return [div(range, close), ratio(spread, range, 0), smooth(abs(ratio(spread, add(up, down), 0)))]
  },
  push(bars, out, k) {
    const { at, close, trueRange, own } = bars
    const [up, down, dx] = own
    up![at] = plusMove(bars, at)
    down![at] = minusMove(bars, at)
    const range = emaAt(trueRange, at, N, 1 / N, W)
    const smoothUp = emaAt(up!, at, N, 1 / N, W)
    const smoothDown = emaAt(down!, at, N, 1 / N, W)
    out[k] = range / close[at]!
    out[k + 1] = percent(smoothUp - smoothDown, range)
    dx![at] = Math.abs(percent(smoothUp - smoothDown, smoothUp + smoothDown))
    out[k + 2] = emaAt(dx!, at, N, 1 / N, W)
  },
}

function plusMove({ high, low }: Columns, i: number): number {
  const up = high[i]! - high[i - 1]!
  const down = low[i - 1]! - low[i]!
  return up > down && up > 0 ? up : 0
}

function minusMove({ high, low }: Columns, i: number): number {
  const up = high[i]! - high[i - 1]!
  const down = low[i - 1]! - low[i]!
  return down > up && down > 0 ? down : 0
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole
}
