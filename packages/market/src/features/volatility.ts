import { add, eq, keep, logRatio, max, mul, select, sqrt, square, sub } from './kernel/expression.ts'
import { fold, rollingSum, variation } from './kernel/windows.ts'
import type { FeatureFamily } from './types.ts'
import { varianceAt } from './window.ts'

const W = 20
const PARKINSON = 1 / (4 * Math.LN2)
const GK = 2 * Math.LN2 - 1
// Yang and Zhang (2000), equation 20.
const K = 0.34 / (1.34 + (W + 1) / (W - 1))

/**
 * Volatility per bar, by what it reads of each bar:
 * - `vol_20`, `vol_60`: realized, √(mean r²) of log returns.
 * - `volRatio_10_60`: ln of realized volatility over 10 bars relative to 60; 0 where prices do not move.
 * - `parkinson_20`: √(mean (ln H/L)² / (4 ln 2)) (Parkinson 1980).
 * - `garmanKlass_20`: √(mean [½ (ln H/L)² − (2 ln 2 − 1)(ln C/O)²]) (Garman and Klass 1980).
 * - `yangZhang_20`: √(σ²_overnight + k σ²_open-close + (1 − k) σ²_Rogers-Satchell), k = 0.34 / (1.34 + (n+1)/(n−1)).
 */
export const volatility: FeatureFamily = {
  features: [
    { name: 'vol_20', warmup: 21 },
    { name: 'vol_60', warmup: 61 },
    { name: 'volRatio_10_60', warmup: 61 },
    { name: 'parkinson_20', warmup: W },
    { name: 'garmanKlass_20', warmup: W },
    { name: 'yangZhang_20', warmup: W + 1 },
  ],
  formulas({ ret, logOpen, logHigh, logLow }) {
    const ten = keep(rollingSum(square(ret), 10))
    const twenty = keep(fold(add, ten, 2, 10))
    const sixty = fold(add, twenty, 3, W)
    const range = rollingSum(square(sub(logHigh, logLow)), W)
    const day = rollingSum(square(logOpen), W)
    const rogersSatchell = add(mul(logHigh, sub(logHigh, logOpen)), mul(logLow, sub(logLow, logOpen)))
    const overnight = add(logOpen, ret)
    const moved = add(variation(overnight, W), mul(K, variation(logOpen, W)))
    return [
      sqrt(mul(twenty, 1 / W)),
      sqrt(mul(sixty, 1 / (3 * W))),
      select(eq(ten, 0), 0, mul(0.5, logRatio(mul(ten, 6), sixty))),
      sqrt(mul(range, PARKINSON / W)),
      sqrt(max(0, sub(mul(0.5 / W, range), mul(GK / W, day)))),
      sqrt(add(mul(moved, 1 / (W - 1)), mul(max(0, rollingSum(rogersSatchell, W)), (1 - K) / W))),
    ]
  },
  push({ at, ret, logOpen, logHigh, logLow, logClose }, out, k) {
    const squares = (w: number): number => {
      let s = 0
      for (let i = at - w + 1; i <= at; i++) s += ret[i]! * ret[i]!
      return s / w
    }
    const slow = squares(60)
    out[k] = Math.sqrt(squares(20))
    out[k + 1] = Math.sqrt(slow)
    out[k + 2] = halfLog(squares(10), slow)
    let range = 0
    let gk = 0
    let rs = 0
    for (let i = at - W + 1; i <= at; i++) {
      const r = (logHigh[i]! - logLow[i]!) ** 2
      range += r
      gk += 0.5 * r - GK * (logClose[i]! - logOpen[i]!) ** 2
      rs += rogersSatchell(logOpen[i]!, logHigh[i]!, logLow[i]!, logClose[i]!)
    }
    out[k + 3] = Math.sqrt((range / W) * PARKINSON)
    out[k + 4] = Math.sqrt(positive(gk / W))
    for (let j = 0, i = at - W + 1; j < W; j++, i++) {
      overnightMoves[j] = logOpen[i]! - logClose[i - 1]!
      dayMoves[j] = logClose[i]! - logOpen[i]!
    }
    const sample = W / (W - 1)
    const variance = varianceAt(overnightMoves, W - 1, W) + K * varianceAt(dayMoves, W - 1, W)
    out[k + 5] = Math.sqrt(sample * variance + (1 - K) * positive(rs / W))
  },
}

const overnightMoves = new Float64Array(W)
const dayMoves = new Float64Array(W)

function rogersSatchell(o: number, h: number, l: number, c: number): number {
  return (h - c) * (h - o) + (l - c) * (l - o)
}

function halfLog(fast: number, slow: number): number {
  return fast === 0 || slow === 0 ? 0 : 0.5 * Math.log(fast / slow)
}

function positive(x: number): number {
  return Math.max(x, 0)
}
