/** Sum of the last `w` values up to index `at`. */
export function sumAt(x: Float64Array, at: number, w: number): number {
  let s = 0
  for (let i = at - w + 1; i <= at; i++) s += x[i]!
  return s
}

/** Largest of the last `w` values. */
export function maxAt(x: Float64Array, at: number, w: number): number {
  let m = x[at]!
  for (let i = at - w + 1; i < at; i++) if (x[i]! > m) m = x[i]!
  return m
}

/** Smallest of the last `w` values. */
export function minAt(x: Float64Array, at: number, w: number): number {
  let m = x[at]!
  for (let i = at - w + 1; i < at; i++) if (x[i]! < m) m = x[i]!
  return m
}

/** Mean of the last `w` values, taken relative to the last one so that a constant window gives that constant. */
export function meanAt(x: Float64Array, at: number, w: number): number {
  const anchor = x[at]!
  let s = 0
  for (let i = at - w + 1; i <= at; i++) s += x[i]! - anchor
  return anchor + s / w
}

/** Population variance of the last `w` values. */
export function varianceAt(x: Float64Array, at: number, w: number): number {
  const anchor = x[at]!
  let s = 0
  for (let i = at - w + 1; i <= at; i++) s += x[i]! - anchor
  const m = s / w
  let q = 0
  for (let i = at - w + 1; i <= at; i++) {
    const d = x[i]! - anchor - m
    q += d * d
  }
  return q / w
}

/** The recursion of {@link rollingEma}, step by step over the last `w` values. */
export function emaAt(x: Float64Array, at: number, n: number, alpha: number, w: number): number {
  let i = at - w + 1
  let e = 0
  for (const end = i + n; i < end; i++) e += x[i]!
  e /= n
  for (; i <= at; i++) e += alpha * (x[i]! - e)
  return e
}
