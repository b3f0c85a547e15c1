import {
  add,
  div,
  type Expression,
  eq,
  integerAdd,
  keep,
  lag,
  le,
  logRatio,
  lookup,
  max,
  min,
  mul,
  select,
  square,
  sub,
  words,
} from './kernel/expression.ts'
import { fold, type Moments, moments, rollingSum } from './kernel/windows.ts'
import type { FeatureFamily } from './types.ts'

const W = 50
const BLOCKS = [5, 5, 2]
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
  formulas({ ret, level, close }) {
    const windows = moments(ret, BLOCKS)
    const [one, two, eight, sixteen] = SCALES.map((tau) => rollingSum(square(sub(level, lag(level, tau))), HURST - tau))
    const counts = keep(fold(integerAdd, patternOf(lag(close, 2), lag(close, 1), close), PATTERNS))
    const terms = Array.from({ length: 6 }, (_, pattern) => lookup(counts, pattern)).reduce(add)
    return [
      ...LAGS.map((k) => autocorrelation(ret, windows, k)),
      hurst(one!, two!, eight!, sixteen!),
      mul(sub(LOG_PATTERNS, mul(terms, 1 / PATTERNS)), 1 / LOG_6),
    ]
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
export const ENTROPY_TERMS: Float64Array = Float64Array.from({ length: 61 }, (_, c) =>
  c === 0 ? 0 : Math.round(c * Math.log(c) * 2 ** 40) / 2 ** 40,
)
const LOG_PATTERNS = ENTROPY_TERMS[PATTERNS]! / PATTERNS

function entropyOf(counts: Int32Array): number {
  const s =
    ENTROPY_TERMS[counts[0]!]! +
    ENTROPY_TERMS[counts[1]!]! +
    ENTROPY_TERMS[counts[2]!]! +
    ENTROPY_TERMS[counts[3]!]! +
    ENTROPY_TERMS[counts[4]!]! +
    ENTROPY_TERMS[counts[5]!]!
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

/** {@link pattern} as a formula, whose value is one in the byte of that pattern: sums of it count all six at once. */
function patternOf(a: Expression, b: Expression, c: Expression): Expression {
  const [p0, p1, p2, p3, p4, p5] = Array.from({ length: 6 }, (_, p) =>
    p < 4 ? words(1 << (8 * p), 0) : words(0, 1 << (8 * (p - 4))),
  )
  const rising = select(le(b, c), p0!, select(le(a, c), p1!, p2!))
  return select(le(a, b), rising, select(le(a, c), p3!, select(le(b, c), p4!, p5!)))
}

/** {@link hurstOf} as a formula. */
function hurst(sum1: Expression, sum2: Expression, sum8: Expression, sum16: Expression): Expression {
  const far = mul(square(mul(sum16, HURST - 1)), mul(sum8, HURST - 2))
  const near = mul(square(mul(sum1, HURST - 16)), mul(sum2, HURST - 8))
  const slope = mul(0.05 / Math.LN2, logRatio(far, near))
  const held = select(eq(sum2, 0), 1, max(0, min(1, slope)))
  return select(eq(sum1, 0), 0.5, select(eq(min(sum8, sum16), 0), 0, held))
}

/**
 * Σ (r_t − m)(r_{t−k} − m) = V − ½ (what the first and the last k values add to V + Σ (r_t − r_{t−k})²), where V = Σ (r_t − m)²: no
 * term is much larger than V, so nothing cancels.
 */
function autocorrelation(ret: Expression, { offset, powers }: Moments, k: number): Expression {
  const kept = keep(offset)
  const total = keep(powers[0]!)
  const ends = Array.from({ length: 2 * k }, (_, j) => {
    const back = j < k ? j : W - 1 - (j - k)
    return square(back === 0 ? kept : sub(sub(lag(ret, back), ret), kept))
  }).reduce(add)
  const moves = rollingSum(square(sub(ret, lag(ret, k))), W - k)
  return select(eq(total, 0), 0, sub(1, div(add(ends, moves), mul(2, total))))
}
