import { choleskyInto } from '@regimen/core/math'
import { type BlockEngine, openBlock } from './block.ts'
import { BLOCK } from './block-simd.ts'

const LOG_TWO_PI = 1.8378770664093453

/** How the covariances of the components are restricted. */
export type CovarianceType = 'full' | 'tied' | 'diagonal' | 'spherical'

/** Whether the covariances of a type are diagonal. */
export function isDiagonal(type: CovarianceType): boolean {
  return type === 'diagonal' || type === 'spherical'
}

/** Evaluates and accumulates k Gaussians in d dimensions over blocks of rows, in WebAssembly where there is any. */
export class GaussianKernel {
  readonly k: number
  readonly d: number
  readonly counts: Float64Array
  readonly #diagonal: boolean
  readonly #engine: BlockEngine
  readonly #constants: Float64Array
  readonly #lower: Float64Array
  readonly #inverse: Float64Array
  readonly #missing = new Uint8Array(BLOCK)

  constructor(k: number, d: number, diagonal: boolean, plain = false) {
    this.k = k
    this.d = d
    this.counts = new Float64Array(k)
    this.#diagonal = diagonal
    this.#engine = openBlock(k, d, diagonal, plain)
    this.#constants = new Float64Array(k)
    this.#lower = new Float64Array(d * d)
    this.#inverse = new Float64Array(d * d)
  }

  /** Loads means (k × d) and covariances (k × d × d); false when one is not positive definite. */
  load(means: Float64Array, covariances: Float64Array): boolean {
    const { k, d } = this
    const { parameters, layout } = this.#engine
    const lower = this.#lower
    const inverse = this.#inverse
    let finite = true
    for (let c = 0; c < k; c++) {
      const at = c * d * d
      if (!choleskyInto(covariances.subarray(at, at + d * d), d, lower)) return false
      let to = c * layout.parameterSize
      let logDet = 0
      for (let i = 0; i < d; i++) parameters[to++] = means[c * d + i]!
      // Rows of L⁻¹, so that the Mahalanobis distance is a sum of squares.
      for (let i = 0; i < d; i++) {
        logDet += Math.log(lower[i * d + i]!)
        for (let j = 0; j <= i; j++) {
          let rest = i === j ? 1 : 0
          for (let m = j; m < i; m++) rest -= lower[i * d + m]! * inverse[m * d + j]!
          const value = rest / lower[i * d + i]!
          inverse[i * d + j] = value
          if (!this.#diagonal || i === j) parameters[to++] = value
        }
      }
      const constant = -0.5 * d * LOG_TWO_PI - logDet
      this.#constants[c] = constant
      finite &&= Number.isFinite(constant)
    }
    return finite
  }

  /** ln normalizing constant of component c. */
  constant(c: number): number {
    return this.#constants[c]!
  }

  /** Writes ln N(x_t; c) for rows [from, to) at out[(t − from)·k + c]; rows with a NaN get 0. */
  logDensities(x: Float64Array, from: number, to: number, out: Float64Array): void {
    this.#evaluate(x, from, to, out, this.#constants, -0.5, 0)
  }

  /** Writes the squared Mahalanobis distances in the same layout; rows with a NaN get −1. */
  quadratics(x: Float64Array, from: number, to: number, out: Float64Array): void {
    this.#evaluate(x, from, to, out, undefined, 1, -1)
  }

  /**
   * Turns rows [from, to) into responsibilities of components with these log-weights: ln Σ_c w_c N(x_t; c) goes to
   * scores[t − from], the responsibilities to `out` where given, and into the sums where asked.
   */
  expect(
    x: Float64Array,
    from: number,
    to: number,
    logWeights: Float64Array,
    scores: Float64Array,
    sums: boolean,
    out?: Float64Array,
  ): void {
    const { k } = this
    const engine = this.#engine
    this.#arm((c) => this.#constants[c]! + logWeights[c]!, -0.5)
    for (let start = from; start < to; start += BLOCK) {
      const n = Math.min(BLOCK, to - start)
      this.#fill(x, start, n)
      for (let c = 0; c < k; c++) engine.evaluate(c)
      engine.softmax()
      for (let t = 0, at = start - from; t < n; t++, at++) scores[at] = engine.top[t]! + Math.log(engine.sum[t]!)
      if (out !== undefined) this.#copy(out, (start - from) * k, n)
      if (!sums) continue
      if (n < BLOCK) for (let c = 0; c < k; c++) engine.work.fill(0, c * BLOCK + n, (c + 1) * BLOCK)
      for (let c = 0; c < k; c++) engine.gather(c)
    }
    this.#count()
  }

  /** Clears the sums. */
  reset(): void {
    this.counts.fill(0)
    this.#engine.sums.fill(0)
  }

  /** Adds rows [from, to) with weights[(t − from)·k + c] to the sums about the loaded means; rows with a NaN are left out. */
  accumulate(x: Float64Array, from: number, to: number, weights: Float64Array): void {
    const { k } = this
    const engine = this.#engine
    const { work } = engine
    for (let start = from; start < to; start += BLOCK) {
      const n = Math.min(BLOCK, to - start)
      const missing = this.#fill(x, start, n)
      for (let t = 0, at = (start - from) * k; t < n; t++)
        for (let c = 0; c < k; c++) work[c * BLOCK + t] = weights[at++]!
      for (let c = 0; c < k; c++) {
        if (n < BLOCK) work.fill(0, c * BLOCK + n, (c + 1) * BLOCK)
        if (missing) for (let t = 0; t < n; t++) if (this.#missing[t] === 1) work[c * BLOCK + t] = 0
        engine.gather(c)
      }
    }
    this.#count()
  }

  /** Mean of component c from the sums, written to out[at …]. */
  meanInto(c: number, out: Float64Array, at: number): void {
    const { sums, parameters, layout } = this.#engine
    const first = c * layout.sumSize + 1
    for (let i = 0; i < this.d; i++)
      out[at + i] = parameters[c * layout.parameterSize + i]! + sums[first + i]! / this.counts[c]!
  }

  /** Scatter about the new mean, divided by `divisor`, added to out[at …] (d × d, both triangles). */
  scatterInto(c: number, out: Float64Array, at: number, divisor: number): void {
    const { d } = this
    const { sums, layout } = this.#engine
    const first = c * layout.sumSize + 1
    let second = first + d
    for (let i = 0; i < d; i++)
      for (let j = this.#diagonal ? i : 0; j <= i; j++) {
        const s = (sums[second++]! - (sums[first + i]! * sums[first + j]!) / this.counts[c]!) / divisor
        out[at + i * d + j]! += s
        if (i !== j) out[at + j * d + i]! += s
      }
  }

  #evaluate(
    x: Float64Array,
    from: number,
    to: number,
    out: Float64Array,
    constants: Float64Array | undefined,
    factor: number,
    absent: number,
  ): void {
    const { k } = this
    const engine = this.#engine
    this.#arm((c) => constants?.[c] ?? 0, factor)
    for (let start = from; start < to; start += BLOCK) {
      const n = Math.min(BLOCK, to - start)
      const missing = this.#fill(x, start, n)
      for (let c = 0; c < k; c++) engine.evaluate(c)
      const base = (start - from) * k
      this.#copy(out, base, n)
      if (missing)
        for (let t = 0; t < n; t++) if (this.#missing[t] === 1) out.fill(absent, base + t * k, base + t * k + k)
    }
  }

  #arm(constant: (c: number) => number, factor: number): void {
    const { parameters, layout } = this.#engine
    for (let c = 0, end = layout.parameterSize; c < this.k; c++, end += layout.parameterSize) {
      parameters[end - 2] = constant(c)
      parameters[end - 1] = factor
    }
  }

  #copy(out: Float64Array, base: number, n: number): void {
    const { k } = this
    const { work } = this.#engine
    for (let t = 0, at = base; t < n; t++) for (let c = 0; c < k; c++) out[at++] = work[c * BLOCK + t]!
  }

  #count(): void {
    const { sums, layout } = this.#engine
    for (let c = 0; c < this.k; c++) this.counts[c] = sums[c * layout.sumSize]!
  }

  /** Lays n rows side by side; a row with a NaN becomes zeros and is marked. Returns whether there was one. */
  #fill(x: Float64Array, start: number, n: number): boolean {
    const { d } = this
    const { rows } = this.#engine
    let sum = 0
    for (let j = 0; j < d; j++)
      for (let t = 0, at = start * d + j, to = j * BLOCK; t < n; t++, at += d, to++) {
        const value = x[at]!
        rows[to] = value
        sum += value
      }
    if (n < BLOCK) for (let j = 0; j < d; j++) rows.fill(0, j * BLOCK + n, (j + 1) * BLOCK)
    // Infinities were refused at the door, but their sum may overflow to a NaN: then the search finds nothing.
    if (!Number.isNaN(sum)) return false
    for (let t = 0; t < n; t++) {
      let absent = 0
      for (let j = 0; j < d; j++) if (Number.isNaN(rows[j * BLOCK + t]!)) absent = 1
      this.#missing[t] = absent
      if (absent === 1) for (let j = 0; j < d; j++) rows[j * BLOCK + t] = 0
    }
    return true
  }
}
