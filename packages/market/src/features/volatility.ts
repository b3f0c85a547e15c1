import { rollingSum, rollingSums, rollingVariance } from './rolling.ts'
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
  batch(bars, out) {
    const { size, ret, logOpen, logHigh, logLow, logClose } = bars
    const [vol20, vol60, ratio, parkinson, garmanKlass, yangZhang] = out
    const a = bars.temp(0)
    const b = bars.temp(1)
    const c = bars.temp(2)
    const d = bars.temp(3)
    for (let i = 0; i < size; i++) {
      a[i] = ret[i]! * ret[i]!
      b[i] = rogersSatchell(logOpen[i]!, logHigh[i]!, logLow[i]!, logClose[i]!)
    }
    // One window of 20 is the sum of two of 10, and one of 60 that of three of 20.
    if (ratio) rollingSum(a, 10, c)
    if (ratio) for (let i = 0; i < size; i++) ratio[i] = c[i]!
    rollingSums(a, b, W, c, d)
    if (vol20) for (let i = 0; i < size; i++) vol20[i] = Math.sqrt(c[i]! / W)
    if (vol60 || ratio) {
      for (let i = 3 * W - 1; i < size; i++) {
        const mean = (c[i]! + c[i - W]! + c[i - 2 * W]!) / (3 * W)
        if (vol60) vol60[i] = Math.sqrt(mean)
        if (ratio) ratio[i] = halfLog(ratio[i]! / 10, mean)
      }
    }
    if (yangZhang) for (let i = 0; i < size; i++) yangZhang[i] = (1 - K) * positive(d[i]! / W)
    if (parkinson || garmanKlass) {
      for (let i = 0; i < size; i++) {
        const high = logHigh[i]! - logLow[i]!
        const day = logClose[i]! - logOpen[i]!
        a[i] = high * high
        b[i] = day * day
      }
      rollingSums(a, b, W, c, d)
      if (parkinson) for (let i = 0; i < size; i++) parkinson[i] = Math.sqrt(c[i]! * (PARKINSON / W))
      if (garmanKlass) {
        for (let i = 0; i < size; i++) garmanKlass[i] = Math.sqrt(positive((0.5 * c[i]! - GK * d[i]!) / W))
      }
    }
    if (!yangZhang) return
    a[0] = 0
    for (let i = 1; i < size; i++) a[i] = logOpen[i]! - logClose[i - 1]!
    rollingVariance(a, W, c, d)
    for (let i = 0; i < size; i++) a[i] = logClose[i]! - logOpen[i]!
    rollingVariance(a, W, c, b)
    const sample = W / (W - 1)
    for (let i = 0; i < size; i++) yangZhang[i] = Math.sqrt(sample * (d[i]! + K * b[i]!) + yangZhang[i]!)
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
