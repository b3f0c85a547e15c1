const TINY = 1e-280

/** A Markov chain: row-major transitions, one matrix for all steps (stride 0) or one a step (stride k²). */
export interface Chain {
  readonly k: number
  readonly start: Float64Array
  readonly transition: Float64Array
  readonly stride: number
}

/**
 * Folds one observation in: `predicted` = previous · A, `filtered` ∝ predicted · b. Returns ln p(x_t | past), −Infinity for an
 * observation that no state can emit, which then leaves the prediction as it is. Buffers may be subarrays' parents with
 * offsets; `logB[at …]` holds ln b.
 */
export function filterStep(
  k: number,
  logB: Float64Array,
  predicted: Float64Array,
  filtered: Float64Array,
  at: number,
): number {
  let top = Number.NEGATIVE_INFINITY
  for (let j = 0; j < k; j++) if (logB[at + j]! > top) top = logB[at + j]!
  if (top === Number.NEGATIVE_INFINITY) {
    for (let j = 0; j < k; j++) filtered[at + j] = predicted[at + j]!
    return top
  }
  let sum = 0
  for (let j = 0; j < k; j++) {
    const gap = logB[at + j]! - top
    const value = gap === 0 ? predicted[at + j]! : predicted[at + j]! * Math.exp(gap)
    filtered[at + j] = value
    sum += value
  }
  if (sum > TINY) {
    const scale = 1 / sum
    for (let j = 0; j < k; j++) filtered[at + j]! *= scale
    return top + Math.log(sum)
  }
  // The likeliest state is (nearly) unreachable: add up in logarithms.
  let best = Number.NEGATIVE_INFINITY
  for (let j = 0; j < k; j++) best = Math.max(best, Math.log(predicted[at + j]!) + logB[at + j]!)
  if (best === Number.NEGATIVE_INFINITY) {
    for (let j = 0; j < k; j++) filtered[at + j] = predicted[at + j]!
    return best
  }
  sum = 0
  for (let j = 0; j < k; j++) {
    const value = Math.exp(Math.log(predicted[at + j]!) + logB[at + j]! - best)
    filtered[at + j] = value
    sum += value
  }
  for (let j = 0; j < k; j++) filtered[at + j]! /= sum
  return best + Math.log(sum)
}

/** Filters rows [from, to) of one sequence. Returns ln p(x_from … x_to−1). */
export function filterChain(
  chain: Chain,
  logB: Float64Array,
  from: number,
  to: number,
  predicted: Float64Array,
  filtered: Float64Array,
): number {
  const { k, start, transition, stride } = chain
  let total = 0
  // Factors of the likelihood are multiplied up, so that most rows need no logarithm.
  let product = 1
  for (let t = from, at = from * k; t < to; t++, at += k) {
    if (t === from) for (let j = 0; j < k; j++) predicted[at + j] = start[j]!
    else {
      const a = t * stride
      for (let j = 0; j < k; j++) {
        let sum = 0
        for (let i = 0, from = a + j; i < k; i++, from += k) sum += filtered[at - k + i]! * transition[from]!
        predicted[at + j] = sum
      }
    }
    let top = logB[at]!
    for (let j = 1; j < k; j++) if (logB[at + j]! > top) top = logB[at + j]!
    let sum = 0
    for (let j = 0; j < k; j++) {
      const gap = logB[at + j]! - top
      const value = gap === 0 ? predicted[at + j]! : gap < -700 ? 0 : predicted[at + j]! * Math.exp(gap)
      filtered[at + j] = value
      sum += value
    }
    if (!(sum > 1e-100)) {
      total += filterStep(k, logB, predicted, filtered, at)
      continue
    }
    const scale = 1 / sum
    for (let j = 0; j < k; j++) filtered[at + j]! *= scale
    total += top
    product *= sum
    if (product < 1e-200) {
      total += Math.log(product)
      product = 1
    }
  }
  return total + Math.log(product)
}

/**
 * Smooths rows [from, to) backwards from the filter's results alone (Kim 1994), which cannot underflow:
 * s_t(i) = f_t(i) Σ_j a_ij s_t+1(j) / p_t+1(j). Adds the expected transitions f_t(i) s_t+1(j) / p_t+1(j), still without the
 * factor a_ij, to `pairs` (one matrix, or one a step at stride k²).
 */
export function smoothChain(
  chain: Chain,
  from: number,
  to: number,
  predicted: Float64Array,
  filtered: Float64Array,
  smoothed: Float64Array,
  pairs?: Float64Array,
): void {
  const { k, transition, stride } = chain
  const ratio = new Float64Array(k)
  for (let j = 0, at = (to - 1) * k; j < k; j++) smoothed[at + j] = filtered[at + j]!
  for (let t = to - 2; t >= from; t--) {
    const at = t * k
    const a = (t + 1) * stride
    for (let j = 0; j < k; j++) {
      const p = predicted[at + k + j]!
      ratio[j] = p > 0 ? smoothed[at + k + j]! / p : 0
    }
    for (let i = 0; i < k; i++) {
      const f = filtered[at + i]!
      let sum = 0
      for (let j = 0; j < k; j++) {
        const r = ratio[j]!
        sum += transition[a + i * k + j]! * r
        if (pairs !== undefined) pairs[a + i * k + j]! += f * r
      }
      smoothed[at + i] = f * sum
    }
  }
}

/** Finds the likeliest path of rows [from, to), which looks ahead. Returns ln p(x, path). */
export function viterbiChain(chain: Chain, logB: Float64Array, from: number, to: number, path: Int32Array): number {
  const { k, start, transition, stride } = chain
  const log = (p: number): number => (p > 0 ? Math.log(p) : Number.NEGATIVE_INFINITY)
  let logs = Float64Array.from(transition.subarray(0, k * k), log)
  const back = new Uint8Array((to - from) * k)
  let score = Float64Array.from(start, (p, j) => log(p) + logB[from * k + j]!)
  let next = new Float64Array(k)
  for (let t = from + 1; t < to; t++) {
    if (stride > 0) logs = Float64Array.from(transition.subarray(t * stride, t * stride + k * k), log)
    const at = t * k
    for (let j = 0; j < k; j++) {
      let best = Number.NEGATIVE_INFINITY
      let origin = 0
      for (let i = 0; i < k; i++) {
        const value = score[i]! + logs[i * k + j]!
        if (value > best) {
          best = value
          origin = i
        }
      }
      next[j] = best + logB[at + j]!
      back[(t - from) * k + j] = origin
    }
    const held = score
    score = next
    next = held
  }
  let last = 0
  for (let j = 1; j < k; j++) if (score[j]! > score[last]!) last = j
  const value = score[last]!
  for (let t = to - 1; t >= from; t--) {
    path[t] = last
    last = back[(t - from) * k + last]!
  }
  return value
}

/** The distribution that the transitions leave unchanged, by solving (A − I, 1) in the least-squares sense. */
export function stationaryOf(transition: Float64Array, k: number): Float64Array {
  // Grassmann, Taksar and Heyman: eliminates states without a subtraction, so small probabilities stay exact.
  const a = transition.slice(0, k * k)
  for (let n = k - 1; n > 0; n--) {
    let out = 0
    for (let j = 0; j < n; j++) out += a[n * k + j]!
    if (!(out > 0)) continue
    for (let i = 0; i < n; i++) a[i * k + n]! /= out
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * k + j]! += a[i * k + n]! * a[n * k + j]!
  }
  const pi = new Float64Array(k)
  pi[0] = 1
  let total = 1
  for (let n = 1; n < k; n++) {
    let sum = 0
    for (let i = 0; i < n; i++) sum += pi[i]! * a[i * k + n]!
    pi[n] = sum
    total += sum
  }
  for (let n = 0; n < k; n++) pi[n]! /= total
  return pi
}
