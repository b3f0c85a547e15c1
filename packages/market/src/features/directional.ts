import { wilderWindow } from './oscillators.ts'
import { rollingEma, rollingEmas } from './rolling.ts'
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
  batch(bars, out) {
    const { size, close, high, low, trueRange } = bars
    const [atr, spread, adx] = out
    const seed = bars.temp(0)
    const up = bars.temp(1)
    const down = bars.temp(2)
    const smoothUp = bars.temp(3)
    const smoothDown = bars.temp(4)
    const range = bars.temp(5)
    if (atr || spread) rollingEma(trueRange, N, 1 / N, W, range, seed)
    if (atr) for (let i = 0; i < size; i++) atr[i] = range[i]! / close[i]!
    if (!spread && !adx) return
    up[0] = 0
    down[0] = 0
    for (let i = 1; i < size; i++) {
      const rise = high[i]! - high[i - 1]!
      const fall = low[i - 1]! - low[i]!
      up[i] = rise > fall && rise > 0 ? rise : 0
      down[i] = fall > rise && fall > 0 ? fall : 0
    }
    rollingEmas(up, down, N, 1 / N, W, smoothUp, smoothDown, seed, bars.temp(6))
    if (spread) for (let i = 0; i < size; i++) spread[i] = ratio(smoothUp[i]! - smoothDown[i]!, range[i]!)
    if (!adx) return
    for (let i = 0; i < size; i++) up[i] = Math.abs(ratio(smoothUp[i]! - smoothDown[i]!, smoothUp[i]! + smoothDown[i]!))
    // The averages over bars 1 … W are the first without the first bar, which has no bar before it.
    up[W - 1] = Number.NaN
    rollingEma(up, N, 1 / N, W, adx, seed)
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
    out[k + 1] = ratio(smoothUp - smoothDown, range)
    dx![at] = Math.abs(ratio(smoothUp - smoothDown, smoothUp + smoothDown))
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

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole
}
