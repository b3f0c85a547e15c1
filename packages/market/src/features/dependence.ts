import type { FeatureFamily } from './types.ts'

const W = 50
const LAGS = [1, 5]
const HURST = 128
// The middle one of the scales 1, 2, 4, 8, 16 has no weight in the slope of a line through evenly spaced points.
const SCALES = [1, 2, 8, 16]
const PATTERNS = 58
const LOG_6 = Math.log(6)

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
    if (short) rollingAutocorrelation(ret, W, LAGS[0]!, short)
    if (long) rollingAutocorrelation(ret, W, LAGS[1]!, long)
    if (hurst) {
      const [m1, m2, m8, m16] = SCALES.map((tau, s) => {
        const sum = bars.temp(s)
        rollingSquares(logClose, tau, HURST - tau, sum)
        return sum
      })
      for (let i = HURST - 1; i < size; i++) hurst[i] = hurstOf(m1![i]!, m2![i]!, m8![i]!, m16![i]!)
    }
    if (!entropy) return
    const counts = new Int32Array(6)
    const patterns = new Uint8Array(size)
    let sum = 0
    for (let i = 2; i < size; i++) {
      const now = pattern(close[i - 2]!, close[i - 1]!, close[i]!)
      patterns[i] = now
      const more = counts[now]!
      counts[now] = more + 1
      sum += CLOGC[more + 1]! - CLOGC[more]!
      if (i >= PATTERNS + 2) {
        const old = patterns[i - PATTERNS]!
        const less = counts[old]!
        counts[old] = less - 1
        sum += CLOGC[less - 1]! - CLOGC[less]!
      }
      entropy[i] = (LOG_PATTERNS - sum / PATTERNS) / LOG_6
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
    for (let s = 0; s < SCALES.length; s++) {
      const tau = SCALES[s]!
      let square = 0
      for (let i = at - HURST + 1 + tau; i <= at; i++) square += (logClose[i]! - logClose[i - tau]!) ** 2
      liveSquares[s] = square
    }
    out[k + 2] = hurstOf(liveSquares[0]!, liveSquares[1]!, liveSquares[2]!, liveSquares[3]!)
    liveCounts.fill(0)
    for (let i = at - PATTERNS + 1; i <= at; i++) liveCounts[pattern(close[i - 2]!, close[i - 1]!, close[i]!)]!++
    out[k + 3] = entropyOf(liveCounts)
  },
}

const liveCounts = new Int32Array(6)
const liveSquares = new Float64Array(SCALES.length)
const liveSums = new Float64Array(LAGS.length)

// c ln c for every possible count of 58 patterns, in multiples of 2^-40: sums and differences of them are exact, so a
// running one does not drift.
const CLOGC = Float64Array.from({ length: 61 }, (_, c) =>
  c === 0 ? 0 : Math.round(c * Math.log(c) * 2 ** 40) / 2 ** 40,
)
const LOG_PATTERNS = CLOGC[PATTERNS]! / PATTERNS

function entropyOf(counts: Int32Array): number {
  const s =
    CLOGC[counts[0]!]! +
    CLOGC[counts[1]!]! +
    CLOGC[counts[2]!]! +
    CLOGC[counts[3]!]! +
    CLOGC[counts[4]!]! +
    CLOGC[counts[5]!]!
  return (LOG_PATTERNS - s / PATTERNS) / LOG_6
}

function pattern(a: number, b: number, c: number): number {
  if (a <= b) return b <= c ? 0 : a <= c ? 1 : 2
  return a <= c ? 3 : b <= c ? 4 : 5
}

/**
 * Least-squares slope of ½ ln(mean square move) over ln τ: with τ = 1, 2, 4, 8, 16 the weights are −2, −1, 0, 1, 2 over
 * 10 ln 2, so one logarithm does.
 */
function hurstOf(sum1: number, sum2: number, sum8: number, sum16: number): number {
  if (sum1 === 0) return 0.5
  if (sum8 === 0 || sum16 === 0) return 0
  if (sum2 === 0) return 1
  const wide = (sum16 * (HURST - 1)) / (sum1 * (HURST - 16))
  const near = (sum8 * (HURST - 2)) / (sum2 * (HURST - 8))
  const slope = (0.05 / Math.LN2) * Math.log(wide * wide * near)
  return slope < 0 ? 0 : Math.min(slope, 1)
}

/** Rolling sum over `w` moves of the square of x_i − x_{i−lag}, as `rollingSum` would have it. */
function rollingSquares(x: Float64Array, lag: number, w: number, out: Float64Array): void {
  const suffix = new Float64Array(w + 1)
  out.fill(Number.NaN, 0, lag)
  for (let b = lag; b < x.length; b += w) {
    if (b === lag) suffix.fill(Number.NaN)
    else {
      for (let j = w - 1, s = 0; j > 0; j--) {
        const d = x[b - w + j]! - x[b - w + j - lag]!
        suffix[j] = s += d * d
      }
    }
    suffix[w] = 0
    const end = Math.min(b + w, x.length)
    for (let i = b, s = 0; i < end; i++) {
      const d = x[i]! - x[i - lag]!
      s += d * d
      out[i] = s + suffix[i - b + 1]!
    }
  }
}

/**
 * Rolling autocorrelation at one lag in O(1) a value: sums of d_t, d_{t−k}, d_t d_{t−k} and d_t² over the pairs of the
 * window, as a suffix of the block before and a prefix of this one, relative to the return at the block's start. The mean
 * and the squares take in the first k returns of the window, which have no partner.
 */
function rollingAutocorrelation(x: Float64Array, w: number, lag: number, out: Float64Array): void {
  const m = w - lag
  const sums = [0, 1, 2, 3].map(() => new Float64Array(m + 1))
  const [now, then, cross, square] = sums
  out.fill(Number.NaN, 0, lag)
  for (let b = lag; b < x.length; b += m) {
    const anchor = x[b]!
    let s1 = 0
    let s2 = 0
    let s3 = 0
    let s4 = 0
    if (b === lag) for (const values of sums) values.fill(Number.NaN)
    else {
      for (let j = m - 1; j > 0; j--) {
        const d = x[b - m + j]! - anchor
        const e = x[b - m + j - lag]! - anchor
        now![j] = s1 += d
        then![j] = s2 += e
        cross![j] = s3 += d * e
        square![j] = s4 += d * d
      }
    }
    for (const values of sums) values[m] = 0
    s1 = s2 = s3 = s4 = 0
    const end = Math.min(b + m, x.length)
    for (let i = b; i < end; i++) {
      const d = x[i]! - anchor
      const e = x[i - lag]! - anchor
      s1 += d
      s2 += e
      s3 += d * e
      s4 += d * d
      const j = i - b + 1
      const a = s1 + now![j]!
      let total = a
      let squares = s4 + square![j]!
      for (let k = i - w + 1; k <= i - m; k++) {
        const f = x[k]! - anchor
        total += f
        squares += f * f
      }
      const mean = total / w
      const variation = squares - total * mean
      const shared = s3 + cross![j]! - mean * (a + s2 + then![j]!) + m * mean * mean
      out[i] = variation <= 0 ? 0 : shared / variation
    }
  }
}
