/**
 * Rolling sums in O(1) a value without drift. A window of `w` values that ends in the block starting at `b` is a suffix
 * of the block before plus a prefix of this one, so only values inside the window are ever added: nothing is
 * subtracted, a flat window sums to exactly that, and the result does not depend on where the series began (van Herk 1992).
 * The first `w - 1` values are NaN.
 */
export function rollingSum(x: Float64Array, w: number, out: Float64Array): void {
  const suffix = new Float64Array(w + 1)
  for (let b = 0; b < x.length; b += w) {
    if (b === 0) suffix.fill(Number.NaN)
    else for (let j = w - 1, s = 0; j > 0; j--) suffix[j] = s += x[b - w + j]!
    suffix[w] = 0
    const end = Math.min(b + w, x.length)
    for (let i = b, s = 0; i < end; i++) {
      s += x[i]!
      out[i] = s + suffix[i - b + 1]!
    }
  }
}

/** {@link rollingSum} of two series at once: their chains of additions run side by side. */
export function rollingSums(x: Float64Array, y: Float64Array, w: number, outX: Float64Array, outY: Float64Array): void {
  const sx = new Float64Array(w + 1)
  const sy = new Float64Array(w + 1)
  for (let b = 0; b < x.length; b += w) {
    if (b === 0) {
      sx.fill(Number.NaN)
      sy.fill(Number.NaN)
    } else {
      for (let j = w - 1, s = 0, t = 0; j > 0; j--) {
        sx[j] = s += x[b - w + j]!
        sy[j] = t += y[b - w + j]!
      }
    }
    sx[w] = 0
    sy[w] = 0
    const end = Math.min(b + w, x.length)
    for (let i = b, s = 0, t = 0; i < end; i++) {
      s += x[i]!
      t += y[i]!
      outX[i] = s + sx[i - b + 1]!
      outY[i] = t + sy[i - b + 1]!
    }
  }
}

/** Rolling maximum in O(1) a value (van Herk 1992). The first `w - 1` values are NaN. */
export function rollingMax(x: Float64Array, w: number, out: Float64Array): void {
  const suffix = new Float64Array(w + 1)
  for (let b = 0; b < x.length; b += w) {
    if (b > 0) {
      for (let j = w - 1, m = Number.NEGATIVE_INFINITY; j > 0; j--) {
        if (x[b - w + j]! > m) m = x[b - w + j]!
        suffix[j] = m
      }
    }
    suffix[w] = Number.NEGATIVE_INFINITY
    const end = Math.min(b + w, x.length)
    for (let i = b, m = Number.NEGATIVE_INFINITY; i < end; i++) {
      if (x[i]! > m) m = x[i]!
      const s = suffix[i - b + 1]!
      out[i] = Math.max(s, m)
    }
  }
  out.fill(Number.NaN, 0, w - 1)
}

/** Rolling minimum in O(1) a value (van Herk 1992). The first `w - 1` values are NaN. */
export function rollingMin(x: Float64Array, w: number, out: Float64Array): void {
  const suffix = new Float64Array(w + 1)
  for (let b = 0; b < x.length; b += w) {
    if (b > 0) {
      for (let j = w - 1, m = Number.POSITIVE_INFINITY; j > 0; j--) {
        if (x[b - w + j]! < m) m = x[b - w + j]!
        suffix[j] = m
      }
    }
    suffix[w] = Number.POSITIVE_INFINITY
    const end = Math.min(b + w, x.length)
    for (let i = b, m = Number.POSITIVE_INFINITY; i < end; i++) {
      if (x[i]! < m) m = x[i]!
      const s = suffix[i - b + 1]!
      out[i] = Math.min(s, m)
    }
  }
  out.fill(Number.NaN, 0, w - 1)
}

/**
 * Rolling mean and population variance in O(1) a value. Values are taken relative to the one at the block's start, which
 * lies in every window of the block, so that the sum of squares cancels against the squared mean by a factor of `w` at most:
 * a constant window has a variance of exactly 0, whatever its level.
 */
export function rollingVariance(x: Float64Array, w: number, mean: Float64Array, variance: Float64Array): void {
  const s1 = new Float64Array(w + 1)
  const s2 = new Float64Array(w + 1)
  for (let b = 0; b < x.length; b += w) {
    const anchor = x[b]!
    if (b === 0) s1.fill(Number.NaN)
    else {
      for (let j = w - 1, a = 0, q = 0; j > 0; j--) {
        const d = x[b - w + j]! - anchor
        s1[j] = a += d
        s2[j] = q += d * d
      }
    }
    s1[w] = 0
    s2[w] = 0
    const end = Math.min(b + w, x.length)
    for (let i = b, a = 0, q = 0; i < end; i++) {
      const d = x[i]! - anchor
      a += d
      q += d * d
      const m = (a + s1[i - b + 1]!) / w
      const v = (q + s2[i - b + 1]!) / w - m * m
      mean[i] = anchor + m
      variance[i] = v > 0 || Number.isNaN(v) ? v : 0
    }
  }
}

/** Rolling population skewness and excess kurtosis, 0 for a constant window; anchored like {@link rollingVariance}. */
export function rollingShape(x: Float64Array, w: number, skew: Float64Array, kurtosis: Float64Array): void {
  const s1 = new Float64Array(w + 1)
  const s2 = new Float64Array(w + 1)
  const s3 = new Float64Array(w + 1)
  const s4 = new Float64Array(w + 1)
  for (let b = 0; b < x.length; b += w) {
    const anchor = x[b]!
    if (b === 0) s1.fill(Number.NaN)
    else {
      for (let j = w - 1, a1 = 0, a2 = 0, a3 = 0, a4 = 0; j > 0; j--) {
        const d = x[b - w + j]! - anchor
        const dd = d * d
        s1[j] = a1 += d
        s2[j] = a2 += dd
        s3[j] = a3 += dd * d
        s4[j] = a4 += dd * dd
      }
    }
    s1[w] = s2[w] = s3[w] = s4[w] = 0
    const end = Math.min(b + w, x.length)
    for (let i = b, a1 = 0, a2 = 0, a3 = 0, a4 = 0; i < end; i++) {
      const d = x[i]! - anchor
      const dd = d * d
      a1 += d
      a2 += dd
      a3 += dd * d
      a4 += dd * dd
      const j = i - b + 1
      const m = (a1 + s1[j]!) / w
      const r2 = (a2 + s2[j]!) / w
      const r3 = (a3 + s3[j]!) / w
      const r4 = (a4 + s4[j]!) / w
      const m2 = r2 - m * m
      const m3 = r3 - m * (3 * r2 - 2 * m * m)
      const m4 = r4 - m * (4 * r3 - m * (6 * r2 - 3 * m * m))
      const still = m2 <= 0
      skew[i] = still ? 0 : m3 / (m2 * Math.sqrt(m2))
      kurtosis[i] = still ? 0 : m4 / (m2 * m2) - 3
    }
  }
}

/**
 * Exponential average over the last `w` values, seeded as in the classic definitions: the plain mean of the first `n` of
 * them, then e ← e + α(x − e). With r = 1 − α and m = w − n it is α Σ_{j<m} r^j x_{t−j} + r^m · mean(seed), where the sum
 * is again a prefix plus a decayed suffix. Unlike the endless recursion it forgets: older values have no weight at all.
 */
export function rollingEma(
  x: Float64Array,
  n: number,
  alpha: number,
  w: number,
  out: Float64Array,
  seed: Float64Array,
): void {
  rollingSum(x, n, seed)
  const m = w - n
  const r = 1 - alpha
  const power = Float64Array.from({ length: m + 1 }, (_, j) => r ** j)
  const last = power[m]! / n
  const suffix = new Float64Array(m + 1)
  for (let b = 0; b < x.length; b += m) {
    if (b === 0) suffix.fill(Number.NaN)
    else for (let j = m - 1, s = 0; j > 0; j--) suffix[j] = s += power[m - 1 - j]! * x[b - m + j]!
    suffix[m] = 0
    const end = Math.min(b + m, x.length)
    for (let i = b, s = 0; i < end; i++) {
      s = s * r + x[i]!
      const j = i - b + 1
      out[i] = i < w - 1 ? Number.NaN : alpha * (s + power[j]! * suffix[j]!) + last * seed[i - m]!
    }
  }
}

/** {@link rollingEma} of two series at once. */
export function rollingEmas(
  x: Float64Array,
  y: Float64Array,
  n: number,
  alpha: number,
  w: number,
  outX: Float64Array,
  outY: Float64Array,
  seedX: Float64Array,
  seedY: Float64Array,
): void {
  rollingSums(x, y, n, seedX, seedY)
  const m = w - n
  const r = 1 - alpha
  const power = Float64Array.from({ length: m + 1 }, (_, j) => r ** j)
  const last = power[m]! / n
  const sx = new Float64Array(m + 1)
  const sy = new Float64Array(m + 1)
  outX.fill(Number.NaN, 0, w - 1)
  outY.fill(Number.NaN, 0, w - 1)
  for (let b = 0; b < x.length; b += m) {
    if (b > 0) {
      for (let j = m - 1, s = 0, t = 0; j > 0; j--) {
        const p = power[m - 1 - j]!
        sx[j] = s += p * x[b - m + j]!
        sy[j] = t += p * y[b - m + j]!
      }
    }
    sx[m] = 0
    sy[m] = 0
    const end = Math.min(b + m, x.length)
    let s = 0
    let t = 0
    let i = b
    for (const cold = Math.min(w - 1, end); i < cold; i++) {
      s = s * r + x[i]!
      t = t * r + y[i]!
    }
    for (; i < end; i++) {
      s = s * r + x[i]!
      t = t * r + y[i]!
      const j = i - b + 1
      const p = power[j]!
      outX[i] = alpha * (s + p * sx[j]!) + last * seedX[i - m]!
      outY[i] = alpha * (t + p * sy[j]!) + last * seedY[i - m]!
    }
  }
}

/**
 * {@link rollingEma} of prices, as one recursion: with h the weights of the window, e_t − r e_{t−1} = Σ (h_j − r h_{j−1}) x_{t−j}
 * has few terms. What leaves the window is subtracted, at a weight below 1e-3 and with an error that decays; right for levels,
 * whose averages are never near 0, and not for what may be exactly 0.
 */
export function levelEma(x: Float64Array, n: number, alpha: number, w: number, out: Float64Array): void {
  const m = w - n
  const r = 1 - alpha
  const tail = r ** m / n
  const atM = tail - alpha * r ** m
  const within = tail * alpha
  const leaving = tail * r
  if (x.length < w) {
    out.fill(Number.NaN)
    return
  }
  out.fill(Number.NaN, 0, w - 1)
  let e = 0
  let sum = 0
  for (let i = 0; i < n; i++) e += x[i]!
  e /= n
  for (let i = n; i < w; i++) e += alpha * (x[i]! - e)
  for (let i = 1; i < n; i++) sum += x[i]!
  out[w - 1] = e
  // At bar i the values at age m + 1 … w − 1 are x[i − w + 1] … x[i − m − 1].
  for (let i = w; i < x.length; i++) {
    const old = x[i - w]!
    e = r * e + (alpha * x[i]! + atM * x[i - m]! + within * sum - leaving * old)
    out[i] = e
    sum += x[i - m]! - x[i - w + 1]!
  }
}

/**
 * ln(a / b) of positive numbers. Near 1, where ratios of prices are, by 2 artanh((a − b) / (a + b)), whose series to the ninth
 * power is then exact to the last digit and several times faster; exactly 0 where a = b.
 */
export function logRatio(a: number, b: number): number {
  const z = (a - b) / (a + b)
  const q = z * z
  // 2 z q^5 / 11, the first term left out, is below 1e-17 of the result.
  if (q < 3e-4) return 2 * z * (1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9)))))
  return Math.log(a / b)
}
