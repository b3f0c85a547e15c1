import { symmetricEigenInto } from '@regimen/core/math'

/** The shape of the search distribution: C, and the factors of it that sampling and whitening take. */
export interface Covariance {
  /** What a snapshot keeps: C itself, its principal axes (columns of b), their lengths d, and the product bd. */
  readonly arrays: {
    readonly c: Float64Array
    readonly b: Float64Array
    readonly d: Float64Array
    readonly bd: Float64Array
  }
  /** Where C's diagonal entry i lies in `c`. */
  diagonal(i: number): number
  /** C ← diag(scale²). */
  reset(scale: Float64Array): void
  /** rows[at…] ← mean + sigma·B·D·z. */
  sample(z: Float64Array, mean: Float64Array, sigma: number, rows: Float64Array, at: number): void
  /** out ← C^(−1/2)·v, with the last decomposition. */
  whiten(v: Float64Array, out: Float64Array): void
  /** C ← decay·C + c₁·p·pᵀ + Σ w_k·y_k·y_kᵀ over the first `count` rows of y. */
  update(decay: number, c1: number, p: Float64Array, y: Float64Array, w: Float64Array, count: number): void
  decompose(): void
}

/** A diagonal C: everything takes O(n). */
export function diagonalCovariance(n: number): Covariance {
  const c = new Float64Array(n)
  const d = new Float64Array(n)
  const bd = new Float64Array(n)
  return {
    arrays: { c, b: new Float64Array(0), d, bd },
    diagonal: (i) => i,
    reset(scale) {
      for (let i = 0; i < n; i++) {
        c[i] = scale[i]! ** 2
        d[i] = scale[i]!
      }
      bd.set(d)
    },
    sample(z, mean, sigma, rows, at) {
      for (let i = 0; i < n; i++) rows[at + i] = mean[i]! + sigma * d[i]! * z[i]!
    },
    whiten(v, out) {
      for (let i = 0; i < n; i++) out[i] = v[i]! / d[i]!
    },
    update(decay, c1, p, y, w, count) {
      for (let i = 0; i < n; i++) c[i] = decay * c[i]! + c1 * p[i]! * p[i]!
      for (let k = 0, at = 0; k < count; k++, at += n) {
        const weight = w[k]!
        for (let i = 0; i < n; i++) c[i]! += weight * y[at + i]! * y[at + i]!
      }
    },
    decompose() {
      for (let i = 0; i < n; i++) {
        if (!(c[i]! > 1e-300)) c[i] = 1e-300
        d[i] = Math.sqrt(c[i]!)
      }
      bd.set(d)
    },
  }
}

/** A full C, of which the lower triangle is kept up to date. */
export function fullCovariance(n: number): Covariance {
  const c = new Float64Array(n * n)
  const b = new Float64Array(n * n)
  const d = new Float64Array(n)
  const bd = new Float64Array(n * n)
  const work = new Float64Array(n)
  return {
    arrays: { c, b, d, bd },
    diagonal: (i) => i * n + i,
    reset(scale) {
      c.fill(0)
      b.fill(0)
      bd.fill(0)
      d.set(scale)
      for (let i = 0, at = 0; i < n; i++, at += n + 1) {
        c[at] = scale[i]! ** 2
        b[at] = 1
        bd[at] = scale[i]!
      }
    },
    sample: (z, mean, sigma, rows, at) => transformInto(bd, n, z, mean, sigma, rows, at),
    whiten(v, out) {
      work.fill(0)
      for (let i = 0; i < n; i++) {
        const vi = v[i]!
        for (let j = 0, row = i * n; j < n; j++) work[j]! += b[row + j]! * vi
      }
      for (let j = 0; j < n; j++) work[j]! /= d[j]!
      for (let i = 0; i < n; i++) {
        let sum = 0
        for (let j = 0, row = i * n; j < n; j++) sum += b[row + j]! * work[j]!
        out[i] = sum
      }
    },
    update: (decay, c1, p, y, w, count) => rankUpdate(c, n, decay, c1, p, y, w, count),
    decompose() {
      symmetricEigenInto(c, n, d, b, work)
      // Rounding can push the smallest eigenvalues below 0; lift them all by what is missing.
      const floor = d[n - 1]! * 1e-16
      if (d[0]! < floor) {
        const lift = floor - d[0]!
        for (let i = 0; i < n; i++) {
          d[i]! += lift
          c[i * n + i]! += lift
        }
      }
      for (let j = 0; j < n; j++) d[j] = Math.sqrt(d[j]!)
      for (let i = 0; i < n; i++) for (let j = 0, row = i * n; j < n; j++) bd[row + j] = b[row + j]! * d[j]!
    },
  }
}

/** out[at…] ← mean + sigma·A·z, four sums at a time: one alone would wait for itself. */
function transformInto(
  a: Float64Array,
  n: number,
  z: Float64Array,
  mean: Float64Array,
  sigma: number,
  out: Float64Array,
  at: number,
): void {
  let i = 0
  for (; i + 3 < n; i += 4) {
    const r0 = i * n
    const r1 = r0 + n
    const r2 = r1 + n
    const r3 = r2 + n
    let s0 = 0
    let s1 = 0
    let s2 = 0
    let s3 = 0
    for (let j = 0; j < n; j++) {
      const one = z[j]!
      s0 += a[r0 + j]! * one
      s1 += a[r1 + j]! * one
      s2 += a[r2 + j]! * one
      s3 += a[r3 + j]! * one
    }
    out[at + i] = mean[i]! + sigma * s0
    out[at + i + 1] = mean[i + 1]! + sigma * s1
    out[at + i + 2] = mean[i + 2]! + sigma * s2
    out[at + i + 3] = mean[i + 3]! + sigma * s3
  }
  for (; i < n; i++) {
    let sum = 0
    for (let j = 0, row = i * n; j < n; j++) sum += a[row + j]! * z[j]!
    out[at + i] = mean[i]! + sigma * sum
  }
}

/** C ← decay·C + c₁·p·pᵀ + Σ w_k·y_k·y_kᵀ, four candidates at a time: each entry is then read and written a quarter as often. */
function rankUpdate(
  c: Float64Array,
  n: number,
  decay: number,
  c1: number,
  p: Float64Array,
  y: Float64Array,
  w: Float64Array,
  count: number,
): void {
  for (let i = 0, row = 0; i < n; i++, row += n) {
    const along = c1 * p[i]!
    for (let j = 0; j <= i; j++) c[row + j] = decay * c[row + j]! + along * p[j]!
  }
  let k = 0
  for (; k + 3 < count; k += 4) {
    const k0 = k * n
    const k1 = k0 + n
    const k2 = k1 + n
    const k3 = k2 + n
    const [w0, w1, w2, w3] = [w[k]!, w[k + 1]!, w[k + 2]!, w[k + 3]!]
    for (let i = 0, row = 0; i < n; i++, row += n) {
      const a0 = w0 * y[k0 + i]!
      const a1 = w1 * y[k1 + i]!
      const a2 = w2 * y[k2 + i]!
      const a3 = w3 * y[k3 + i]!
      for (let j = 0; j <= i; j++)
        c[row + j]! += a0 * y[k0 + j]! + a1 * y[k1 + j]! + (a2 * y[k2 + j]! + a3 * y[k3 + j]!)
    }
  }
  for (; k < count; k++) {
    const at = k * n
    for (let i = 0, row = 0; i < n; i++, row += n) {
      const along = w[k]! * y[at + i]!
      for (let j = 0; j <= i; j++) c[row + j]! += along * y[at + j]!
    }
  }
}
