import { solveLowerInto, solveLowerTransposedInto } from '@regimen/core/math'
import { difference, type GaussianProcess } from './gaussian-process.ts'

const SQRT5 = Math.sqrt(5)

/**
 * The posterior at one point after another, in units of the standardized targets, and the way back from what is made of its moments to
 * a gradient over the columns. Its buffers are reused.
 */
export class Posterior {
  readonly #model: GaussianProcess
  readonly #lower: Float64Array
  readonly #k: Float64Array
  readonly #slope: Float64Array
  readonly #v: Float64Array
  readonly #pull: Float64Array
  #point: Float64Array = new Float64Array(0)
  #deviation = 0

  /** `lower` is the factor that the variance is taken from: the model's own, or that of noise-free values. */
  constructor(model: GaussianProcess, lower: Float64Array = model.lower) {
    this.#model = model
    this.#lower = lower
    this.#k = new Float64Array(model.n)
    this.#slope = new Float64Array(model.n)
    this.#v = new Float64Array(model.n)
    this.#pull = new Float64Array(model.n)
  }

  /** Standard deviation at the point of the last `at`. */
  get deviation(): number {
    return this.#deviation
  }

  /** Goes to a point. */
  at(point: Float64Array): void {
    const { n, d, x, lengthscales, categorical, signal } = this.#model
    this.#point = point
    const k = this.#k
    for (let i = 0; i < n; i++) {
      let square = 0
      for (let j = 0; j < d; j++) {
        const gap = difference(point[j]!, x[i * d + j]!, categorical[j]!) / lengthscales[j]!
        square += gap * gap
      }
      const r = SQRT5 * Math.sqrt(square)
      const decay = signal * Math.exp(-r)
      k[i] = decay * (1 + r + (r * r) / 3)
      this.#slope[i] = -decay * (5 / 3) * (1 + r)
    }
    solveLowerInto(this.#lower, n, k, this.#v)
    let variance = signal
    for (let i = 0; i < n; i++) variance -= this.#v[i]! * this.#v[i]!
    this.#deviation = Math.sqrt(Math.max(variance, 1e-12 * signal))
  }

  /** Posterior mean for (K + N)⁻¹y. */
  mean(alpha: Float64Array): number {
    let mean = 0
    for (let i = 0; i < alpha.length; i++) mean += this.#k[i]! * alpha[i]!
    return mean
  }

  /**
   * Adds the gradient of a value whose derivative is `byMean(s)` by the mean of `alphas[s]` and `byDeviation` by the standard deviation. Once a
   * point: it uses the work of `at` up.
   */
  descend(
    alphas: readonly Float64Array[],
    byMean: ArrayLike<number>,
    byDeviation: number,
    gradient: Float64Array,
  ): void {
    const { n, d, x, lengthscales, categorical } = this.#model
    const pull = this.#pull
    const v = this.#v
    const point = this.#point
    // σ dσ = −k*ᵀK⁻¹ dk*, and dm = αᵀ dk*; everything is linear in dk*, so gather its factors.
    solveLowerTransposedInto(this.#lower, n, v, v)
    for (let i = 0; i < n; i++) pull[i] = (-byDeviation / this.#deviation) * v[i]!
    for (const [s, alpha] of alphas.entries()) {
      const factor = byMean[s]!
      for (let i = 0; i < n; i++) pull[i]! += factor * alpha[i]!
    }
    for (let i = 0; i < n; i++) {
      const factor = pull[i]! * this.#slope[i]!
      for (let j = 0; j < d; j++) {
        if (categorical[j]) continue
        gradient[j]! += (factor * (point[j]! - x[i * d + j]!)) / (lengthscales[j]! * lengthscales[j]!)
      }
    }
  }
}
