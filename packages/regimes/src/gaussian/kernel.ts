import { choleskyInto } from '@regimen/core/math'

const BLOCK = 64
const LOG_TWO_PI = 1.8378770664093453

/** How the covariances of the components are restricted. */
export type CovarianceType = 'full' | 'tied' | 'diagonal' | 'spherical'

/**
 * Evaluates and accumulates k Gaussians in d dimensions over blocks of 64 rows. Blocks are transposed once, so that the
 * inner loops run over four rows (or two by two products) held in registers.
 */
export class GaussianKernel {
  readonly k: number
  readonly d: number
  readonly counts: Float64Array
  /** Σ w (x − centre), k × d. */
  readonly first: Float64Array
  /** Σ w (x − centre)(x − centre)ᵀ, k × p × p with d padded to an even p; the lower triangle is filled. */
  readonly second: Float64Array
  readonly #p: number
  readonly #centres: Float64Array
  readonly #precision: Float64Array
  readonly #constants: Float64Array
  readonly #block: Float64Array
  readonly #diff: Float64Array
  readonly #weighted: Float64Array
  readonly #q = new Float64Array(BLOCK)
  readonly #r = new Float64Array(BLOCK)
  readonly #lower: Float64Array
  #diagonal = false

  constructor(k: number, d: number) {
    this.k = k
    this.d = d
    const p = d === 1 ? 1 : d + (d % 2)
    this.#p = p
    this.counts = new Float64Array(k)
    this.first = new Float64Array(k * d)
    this.second = new Float64Array(k * p * p)
    this.#centres = new Float64Array(k * d)
    this.#precision = new Float64Array(k * d * d)
    this.#constants = new Float64Array(k)
    this.#block = new Float64Array(p * BLOCK)
    this.#diff = new Float64Array(p * BLOCK)
    this.#weighted = new Float64Array(p * BLOCK)
    this.#lower = new Float64Array(d * d)
  }

  /** Loads means (k × d) and covariances (k × d × d); false when one is not positive definite. */
  load(means: Float64Array, covariances: Float64Array, diagonal: boolean): boolean {
    const { k, d } = this
    this.#centres.set(means)
    this.#diagonal = diagonal
    const lower = this.#lower
    for (let c = 0; c < k; c++) {
      const at = c * d * d
      if (!choleskyInto(covariances.subarray(at, at + d * d), d, lower)) return false
      let logDet = 0
      const inverse = this.#precision
      // Rows of L⁻¹, so that the Mahalanobis distance is a sum of squares.
      for (let i = 0; i < d; i++) {
        logDet += Math.log(lower[i * d + i]!)
        for (let j = 0; j <= i; j++) {
          let rest = i === j ? 1 : 0
          for (let m = j; m < i; m++) rest -= lower[i * d + m]! * inverse[at + m * d + j]!
          inverse[at + i * d + j] = rest / lower[i * d + i]!
        }
      }
      this.#constants[c] = -0.5 * d * LOG_TWO_PI - logDet
    }
    return Number.isFinite(this.#constants.reduce((a, b) => a + b, 0))
  }

  /** ln normalizing constant of component c. */
  constant(c: number): number {
    return this.#constants[c]!
  }

  /** Writes ln N(x_t; c) for rows [from, to) at out[(t − from)·k + c]; rows with a NaN get 0. */
  logDensities(x: Float64Array, from: number, to: number, out: Float64Array): void {
    this.quadratics(x, from, to, out)
    const { k } = this
    const constants = this.#constants
    for (let i = 0, n = (to - from) * k; i < n; i += k)
      for (let c = 0; c < k; c++) {
        const q = out[i + c]!
        out[i + c] = q < 0 ? 0 : constants[c]! - 0.5 * q
      }
  }

  /** Writes the squared Mahalanobis distances in the same layout; rows with a NaN get −1. */
  quadratics(x: Float64Array, from: number, to: number, out: Float64Array): void {
    const { k, d } = this
    const q = this.#q
    for (let start = from; start < to; start += BLOCK) {
      const n = Math.min(BLOCK, to - start)
      const missing = this.#transpose(x, start, n)
      const base = (start - from) * k
      for (let c = 0; c < k; c++) {
        this.#centre(c)
        if (this.#diagonal || d === 1) this.#quadraticDiagonal(c)
        else this.#quadraticFull(c)
        for (let t = 0; t < n; t++) out[base + t * k + c] = q[t]!
      }
      if (missing)
        for (let t = 0; t < n; t++)
          if (hasNaN(x, (start + t) * d, d)) for (let c = 0; c < k; c++) out[base + t * k + c] = -1
    }
  }

  /** Clears the sums. */
  reset(): void {
    this.counts.fill(0)
    this.first.fill(0)
    this.second.fill(0)
  }

  /** Adds rows [from, to) with weights[(t − from)·k + c] to the sums about the loaded means; rows with a NaN are left out. */
  accumulate(x: Float64Array, from: number, to: number, weights: Float64Array): void {
    const { k, d } = this
    const r = this.#r
    for (let start = from; start < to; start += BLOCK) {
      const n = Math.min(BLOCK, to - start)
      const missing = this.#transpose(x, start, n)
      const base = (start - from) * k
      for (let c = 0; c < k; c++) {
        let total = 0
        for (let t = 0; t < n; t++) {
          const w = missing && hasNaN(x, (start + t) * d, d) ? 0 : weights[base + t * k + c]!
          r[t] = w
          total += w
        }
        if (total === 0) continue
        for (let t = n; t < BLOCK; t++) r[t] = 0
        this.counts[c]! += total
        this.#centre(c)
        this.#sums(c)
      }
    }
  }

  /** Mean of component c from the sums, written to out[at …]. */
  meanInto(c: number, out: Float64Array, at: number): void {
    for (let i = 0; i < this.d; i++)
      out[at + i] = this.#centres[c * this.d + i]! + this.first[c * this.d + i]! / this.counts[c]!
  }

  /** Scatter about the new mean, divided by `divisor`, added to out[at …] (d × d, both triangles). */
  scatterInto(c: number, out: Float64Array, at: number, divisor: number): void {
    const { d } = this
    const p = this.#p
    for (let i = 0; i < d; i++)
      for (let j = 0; j <= i; j++) {
        const s =
          this.second[(c * p + i) * p + j]! - (this.first[c * d + i]! * this.first[c * d + j]!) / this.counts[c]!
        out[at + i * d + j]! += s / divisor
        if (i !== j) out[at + j * d + i]! += s / divisor
      }
  }

  #transpose(x: Float64Array, start: number, n: number): boolean {
    const { d } = this
    const block = this.#block
    let sum = 0
    for (let t = 0, at = start * d; t < n; t++)
      for (let j = 0; j < d; j++, at++) {
        const value = x[at]!
        block[j * BLOCK + t] = value
        sum += value
      }
    if (n < BLOCK) for (let j = 0; j < d; j++) block.fill(0, j * BLOCK + n, (j + 1) * BLOCK)
    if (!Number.isNaN(sum)) return false
    for (let i = 0; i < d * BLOCK; i++) if (Number.isNaN(block[i]!)) block[i] = 0
    return true
  }

  #centre(c: number): void {
    const { d } = this
    const block = this.#block
    const diff = this.#diff
    for (let j = 0; j < d; j++) {
      const mean = this.#centres[c * d + j]!
      for (let i = j * BLOCK, end = i + BLOCK; i < end; i++) diff[i] = block[i]! - mean
    }
  }

  #quadraticDiagonal(c: number): void {
    const { d } = this
    const q = this.#q
    const diff = this.#diff
    q.fill(0)
    for (let i = 0; i < d; i++) {
      const scale = this.#precision[(c * d + i) * d + i]!
      for (let t = 0; t < BLOCK; t++) {
        const y = diff[i * BLOCK + t]! * scale
        q[t]! += y * y
      }
    }
  }

  #quadraticFull(c: number): void {
    const { d } = this
    const q = this.#q
    const diff = this.#diff
    const inverse = this.#precision
    for (let t = 0; t < BLOCK; t += 4) {
      let q0 = 0
      let q1 = 0
      let q2 = 0
      let q3 = 0
      for (let i = 0; i < d; i++) {
        const row = (c * d + i) * d
        let y0 = 0
        let y1 = 0
        let y2 = 0
        let y3 = 0
        for (let j = 0, at = t; j <= i; j++, at += BLOCK) {
          const factor = inverse[row + j]!
          y0 += factor * diff[at]!
          y1 += factor * diff[at + 1]!
          y2 += factor * diff[at + 2]!
          y3 += factor * diff[at + 3]!
        }
        q0 += y0 * y0
        q1 += y1 * y1
        q2 += y2 * y2
        q3 += y3 * y3
      }
      q[t] = q0
      q[t + 1] = q1
      q[t + 2] = q2
      q[t + 3] = q3
    }
  }

  #sums(c: number): void {
    const { d } = this
    const p = this.#p
    const r = this.#r
    const diff = this.#diff
    const weighted = this.#weighted
    for (let j = 0; j < d; j++) {
      let total = 0
      for (let t = 0, at = j * BLOCK; t < BLOCK; t++, at++) {
        const value = r[t]! * diff[at]!
        weighted[at] = value
        total += value
      }
      this.first[c * d + j]! += total
    }
    if (this.#diagonal || d === 1) {
      for (let i = 0; i < d; i++) {
        let total = 0
        for (let at = i * BLOCK, end = at + BLOCK; at < end; at++) total += weighted[at]! * diff[at]!
        this.second[(c * p + i) * p + i]! += total
      }
      return
    }
    for (let i = 0; i < p; i += 2)
      for (let j = 0; j <= i; j += 2) {
        let s00 = 0
        let s01 = 0
        let s10 = 0
        let s11 = 0
        for (let a = i * BLOCK, b = j * BLOCK, end = a + BLOCK; a < end; a++, b++) {
          const w0 = weighted[a]!
          const w1 = weighted[a + BLOCK]!
          const d0 = diff[b]!
          const d1 = diff[b + BLOCK]!
          s00 += w0 * d0
          s01 += w0 * d1
          s10 += w1 * d0
          s11 += w1 * d1
        }
        const at = (c * p + i) * p + j
        this.second[at]! += s00
        this.second[at + 1]! += s01
        this.second[at + p]! += s10
        this.second[at + p + 1]! += s11
      }
  }
}

function hasNaN(x: Float64Array, at: number, d: number): boolean {
  for (let j = 0; j < d; j++) if (Number.isNaN(x[at + j]!)) return true
  return false
}
