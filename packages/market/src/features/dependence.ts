import { rollingSum } from './rolling.ts'
import type { FeatureFamily } from './types.ts'

const W = 50
const LAGS = [1, 5]
const HURST = 128
const SCALES = [1, 2, 4, 8, 16]
const MEAN_LOG = SCALES.reduce((sum, tau) => sum + Math.log(tau), 0) / SCALES.length
const SPREAD = SCALES.reduce((sum, tau) => sum + (Math.log(tau) - MEAN_LOG) ** 2, 0)
const WEIGHTS = SCALES.map((tau) => (0.5 * (Math.log(tau) - MEAN_LOG)) / SPREAD)

/**
 * Memory of the last moves:
 * - `autocorr_k`: autocorrelation of 50 returns at lag k, Σ (r_t − m)(r_{t−k} − m) / Σ (r_t − m)², 0 where returns do not vary.
 * - `hurst_128`: generalized Hurst exponent of order 2 (Di Matteo 2007): half the slope of ln E|x_{t+τ} − x_t|² over ln τ for
 *   τ = 1, 2, 4, 8, 16 in 128 log closes, held within [0, 1]; ½ (a random walk) where prices do not move.
 * - `entropy_60`: permutation entropy of order 3 (Bandt and Pompe 2002) of 60 closes, 0 = one pattern, 1 = all alike;
 *   equal prices rank by time, so a flat stretch has 0.
 */
export const dependence: FeatureFamily = {
  features: [
    ...LAGS.map((lag) => ({ name: `autocorr_${lag}`, warmup: W + 1 })),
    { name: `hurst_${HURST}`, warmup: HURST },
    { name: 'entropy_60', warmup: 60 },
  ],
  batch(bars, out) {
    const { size, ret, logClose, close } = bars
    const [short, long, hurst, entropy] = out
    const d = new Float64Array(W)
    for (let i = W - 1; i < size; i++) {
      // Relative to a return of the window, so that the mean is exact even where returns hardly differ.
      const anchor = ret[i]!
      let m = 0
      for (let j = 0, t = i - W + 1; j < W; j++, t++) {
        d[j] = ret[t]! - anchor
        m += d[j]!
      }
      m /= W
      let total = 0
      let a = 0
      let b = 0
      for (let j = 0; j < W; j++) {
        const x = d[j]! - m
        d[j] = x
        total += x * x
        if (j > 0) a += x * d[j - 1]!
        if (j > 4) b += x * d[j - 5]!
      }
      short![i] = total === 0 ? 0 : a / total
      long![i] = total === 0 ? 0 : b / total
    }
    const term = bars.temp(0)
    const sum = bars.temp(1)
    hurst!.fill(0)
    SCALES.forEach((tau, s) => {
      for (let i = 0; i < tau && i < size; i++) term[i] = 0
      for (let i = tau; i < size; i++) term[i] = (logClose[i]! - logClose[i - tau]!) ** 2
      rollingSum(term, HURST - tau, sum)
      const weight = WEIGHTS[s]!
      for (let i = 0; i < size; i++) hurst![i] = hurst![i]! + weight * Math.log(mean2(sum[i]!, tau))
    })
    // `sum` still holds the widest scale; where even single moves are zero everything is flat.
    for (let i = 0; i < size; i++) term[i] = Math.abs(ret[i]!)
    rollingSum(term, HURST - 1, sum)
    for (let i = 0; i < size; i++) hurst![i] = sum[i] === 0 ? 0.5 : within(hurst![i]!)
    const code = new Uint8Array(size)
    const counts = new Int32Array(6)
    for (let i = 2; i < size; i++) {
      code[i] = pattern(close[i - 2]!, close[i - 1]!, close[i]!)
      counts[code[i]!]!++
      if (i >= 60) counts[code[i - 58]!]!--
      entropy![i] = entropyOf(counts)
    }
  },
  push({ at, ret, logClose, close }, out, k) {
    const anchor = ret[at]!
    let mean = 0
    for (let i = at - W + 1; i <= at; i++) mean += ret[i]! - anchor
    mean /= W
    let total = 0
    liveSums.fill(0)
    for (let i = at - W + 1; i <= at; i++) {
      const d = ret[i]! - anchor - mean
      total += d * d
      for (let f = 0; f < LAGS.length; f++) {
        const j = i - LAGS[f]!
        if (j > at - W) liveSums[f] = liveSums[f]! + d * (ret[j]! - anchor - mean)
      }
    }
    for (let f = 0; f < LAGS.length; f++) out[k + f] = total === 0 ? 0 : liveSums[f]! / total
    let slope = 0
    let moved = false
    for (let s = 0; s < SCALES.length; s++) {
      const tau = SCALES[s]!
      let square = 0
      for (let i = at - HURST + 1 + tau; i <= at; i++) square += (logClose[i]! - logClose[i - tau]!) ** 2
      if (tau === 1) moved = square > 0
      slope += WEIGHTS[s]! * Math.log(mean2(square, tau))
    }
    out[k + 2] = moved ? within(slope) : 0.5
    liveCounts.fill(0)
    for (let i = at - 57; i <= at; i++) liveCounts[pattern(close[i - 2]!, close[i - 1]!, close[i]!)]!++
    out[k + 3] = entropyOf(liveCounts)
  },
}

const liveCounts = new Int32Array(6)
const liveSums = new Float64Array(LAGS.length)

// c ln c for every possible count of 58 patterns.
const CLOGC = Float64Array.from({ length: 61 }, (_, c) => (c === 0 ? 0 : c * Math.log(c)))

function entropyOf(counts: Int32Array): number {
  let n = 0
  let s = 0
  for (let c = 0; c < 6; c++) {
    n += counts[c]!
    s += CLOGC[counts[c]!]!
  }
  return n === 0 ? 0 : (Math.log(n) - s / n) / Math.log(6)
}

function pattern(a: number, b: number, c: number): number {
  if (a <= b) return b <= c ? 0 : a <= c ? 1 : 2
  return a <= c ? 3 : b <= c ? 4 : 5
}

/** Mean square of moves over tau, kept off zero so that a series that always returns has a slope of minus infinity, held at 0. */
function mean2(sum: number, tau: number): number {
  return sum / (HURST - tau) + 1e-300
}

function within(slope: number): number {
  return slope < 0 ? 0 : slope > 1 ? 1 : slope
}
