import { add, div, eq, gt, keep, lag, logRatio, lt, mul, ratio, select, sqrt, sub, where } from './kernel/expression.ts'
import { merge, moments, rollingSum } from './kernel/windows.ts'
import type { FeatureFamily } from './types.ts'
import { meanAt, sumAt, varianceAt } from './window.ts'

const W = 20
const MFI = 14
const BLOCKS = [5, 4]
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
  formulas({ high, low, close, volume: traded }) {
    const twenty = moments(traded, BLOCKS)
    const sixty = merge(traded, twenty, 3)
    const total = keep(rollingSum(traded, W))
    const move = sub(close, lag(close, 1))
    const sign = sub(where(gt(move, 0), traded), where(lt(move, 0), traded))
    const price = keep(div(add(add(high, low), close), 3))
    const flow = keep(mul(price, traded))
    const positive = rollingSum(where(gt(price, lag(price, 1)), flow), MFI)
    const negative = rollingSum(where(lt(price, lag(price, 1)), flow), MFI)
    return [
      ...[twenty, sixty].map(({ count, offset, powers: [square] }) =>
        select(eq(square!, 0), 0, div(mul(-Math.sqrt(count), offset), sqrt(square!))),
      ),
      ratio(rollingSum(sign, W), total, 0),
      ratio(mul(100, positive), add(positive, negative), 50),
      select(eq(total, 0), 0, logRatio(mul(close, total), rollingSum(flow, W))),
    ]
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
