import { logRatio, rollingSum, rollingSums, rollingVariance } from './rolling.ts'
import type { FeatureFamily } from './types.ts'
import { meanAt, sumAt, varianceAt } from './window.ts'

const W = 20
const MFI = 14
const SCORES = [20, 60]

/**
 * What volume adds; with volume absent these are left out, never zero by default:
 * - `volumeZ_n`: (V − mean) / σ over n bars, 0 where σ = 0.
 * - `obvChange_20`: change of on-balance volume over 20 bars relative to the volume traded, from −1 to 1; 0 without trade.
 * - `mfi_14`: money flow index, 100 · positive / all flow of typical price × volume over 14 bars; 50 without flow.
 * - `vwapDistance_20`: ln(C / volume-weighted average of typical prices), 0 without trade.
 */
export const volume: FeatureFamily = {
  features: [
    ...SCORES.map((n) => ({ name: `volumeZ_${n}`, warmup: n })),
    { name: 'obvChange_20', warmup: W + 1 },
    { name: 'mfi_14', warmup: MFI + 1 },
    { name: 'vwapDistance_20', warmup: W },
  ],
  volume: true,
  own: 4,
  batch(bars, out) {
    const { size, high, low, close, volume: traded } = bars
    const a = bars.temp(0)
    const b = bars.temp(1)
    const c = bars.temp(2)
    const d = bars.temp(3)
    SCORES.forEach((n, f) => {
      const column = out[f]
      if (!column) return
      rollingVariance(traded, n, a, b)
      for (let i = 0; i < size; i++) column[i] = score(traded[i]!, a[i]!, b[i]!)
    })
    const [obv, mfi, vwap] = out.slice(SCORES.length)
    if (obv || vwap) {
      rollingSum(traded, W, c)
      a[0] = 0
      b[0] = typical(high[0]!, low[0]!, close[0]!) * traded[0]!
      for (let i = 1; i < size; i++) {
        a[i] = signed(close[i]! - close[i - 1]!, traded[i]!)
        b[i] = typical(high[i]!, low[i]!, close[i]!) * traded[i]!
      }
      rollingSums(a, b, W, d, bars.temp(4))
      const flow = bars.temp(4)
      if (obv) for (let i = 0; i < size; i++) obv[i] = c[i] === 0 ? 0 : d[i]! / c[i]!
      if (vwap) for (let i = W - 1; i < size; i++) vwap[i] = c[i] === 0 ? 0 : logRatio(close[i]! * c[i]!, flow[i]!)
    }
    if (!mfi) return
    a[0] = 0
    b[0] = 0
    for (let i = 1, before = typical(high[0]!, low[0]!, close[0]!); i < size; i++) {
      const price = typical(high[i]!, low[i]!, close[i]!)
      const flow = price * traded[i]!
      a[i] = price > before ? flow : 0
      b[i] = price < before ? flow : 0
      before = price
    }
    rollingSums(a, b, MFI, c, d)
    for (let i = 0; i < size; i++) mfi[i] = share(c[i]!, d[i]!)
  },
  push({ at, high, low, close, logClose, volume: traded, own }, out, k) {
    const [flow, positive, negative, sign] = own
    const price = typical(high[at]!, low[at]!, close[at]!)
    const move = price - typical(high[at - 1]!, low[at - 1]!, close[at - 1]!)
    flow![at] = price * traded[at]!
    positive![at] = move > 0 ? flow![at]! : 0
    negative![at] = move < 0 ? flow![at]! : 0
    sign![at] = signed(close[at]! - close[at - 1]!, traded[at]!)
    for (let f = 0; f < SCORES.length; f++) {
      const n = SCORES[f]!
      out[k + f] = score(traded[at]!, meanAt(traded, at, n), varianceAt(traded, at, n))
    }
    const total = sumAt(traded, at, W)
    out[k + 2] = total === 0 ? 0 : sumAt(sign!, at, W) / total
    out[k + 3] = share(sumAt(positive!, at, MFI), sumAt(negative!, at, MFI))
    out[k + 4] = total === 0 ? 0 : logClose[at]! - Math.log(sumAt(flow!, at, W) / total)
  },
}

function typical(high: number, low: number, close: number): number {
  return (high + low + close) / 3
}

function signed(move: number, volume: number): number {
  return move > 0 ? volume : move < 0 ? -volume : 0
}

function score(value: number, mean: number, variance: number): number {
  return variance === 0 ? 0 : (value - mean) / Math.sqrt(variance)
}

function share(up: number, down: number): number {
  return up + down === 0 ? 50 : (100 * up) / (up + down)
}
