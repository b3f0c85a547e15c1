import { check, describe } from '@regimen/core'
import {
  choleskyInto,
  lbfgs,
  type MatrixLike,
  solveLowerInto,
  solveLowerTransposedInto,
  toMatrix,
  type VectorLike,
} from '@regimen/core/math'

/** Options of {@link fitGaussianProcess}. */
export interface GaussianProcessOptions {
  /** Columns that hold category numbers: two rows are at distance 0 or 1 there. @default none */
  categorical?: readonly number[]
  /** Variance of the noise as a share of the variance of y; fitted when omitted. */
  noise?: number
  /** Starts of the fit, from 1. @default 2 */
  restarts?: number
}

/** A fitted Gaussian process as data. */
export interface GaussianProcess {
  readonly n: number
  readonly d: number
  /** Inputs, row-major n × d. */
  readonly x: Float64Array
  /** 1 for a column of categories. */
  readonly categorical: Uint8Array
  /** Scale of each column in the kernel. */
  readonly lengthscales: Float64Array
  /** Variance of the process, and of the noise, of standardized y. */
  readonly signal: number
  readonly noise: number
  readonly mean: number
  readonly deviation: number
  /** Standardized y. */
  readonly y: Float64Array
  /** Factor of K + noise·I, row-major. */
  readonly lower: Float64Array
  /** (K + noise·I)⁻¹ y. */
  readonly alpha: Float64Array
  /** Logarithm of the posterior density of the parameters, up to a constant. */
  readonly logPosterior: number
}

const SQRT5 = Math.sqrt(5)
/** Below this the kernel matrix of nearby points is singular to rounding. */
const LEAST_NOISE = 1e-8
/** Shape of the gamma prior of the length scales, and its rate for up to six columns. */
const LENGTH_SHAPE = 3
const LENGTH_RATE = 6

/** Matérn-5/2 correlation at distance r: (1 + √5 r + 5 r²/3)·e^(−√5 r). */
export function matern52(r: number): number {
  return (1 + SQRT5 * r + (5 / 3) * r * r) * Math.exp(-SQRT5 * r)
}

/**
 * Fits a Gaussian process with the Matérn-5/2 kernel and one length scale per column (ARD) by maximizing the posterior of its
 * parameters with analytic gradients. Inputs should lie in the unit cube. Priors: length scales gamma (3, 6), its mean of
 * ½ growing as √(d / 6) beyond six columns, so that more columns mean a smoother function and not a needle; its exponential tail keeps
 * the model from being sure, after a few points, that a column does not matter. Signal variance log-normal (0, 1); noise log-normal
 * (−6, 4), as shares of the variance of y. O(n³) per step of the fit: for up to about a thousand rows.
 *
 * ```ts
 * import { fitGaussianProcess, predictGaussianProcess } from '@regimen/bayes'
 *
 * const x = [[0], [0.2], [0.4], [0.6], [0.8], [1]]
 * const model = fitGaussianProcess(x, x.map(([v]) => Math.sin(3 * v!)))
 * const { mean, deviation } = predictGaussianProcess(model, [0.5])
 * Math.abs(mean - Math.sin(1.5)) < 0.01 // => true
 * deviation < 0.05 // => true
 * ```
 *
 * Reference: C. Rasmussen & C. Williams, Gaussian Processes for Machine Learning, 2006, eqs. 2.25, 2.26, 5.8, 5.9; C. Hvarfner et
 * al., "Vanilla Bayesian optimization performs great in high dimensions", ICML 2024, for the prior.
 */
export function fitGaussianProcess(
  inputs: MatrixLike,
  targets: VectorLike,
  options: GaussianProcessOptions = {},
): GaussianProcess {
  const where = 'bayes/gp'
  const { rows: n, cols: d, data } = toMatrix(inputs, where)
  const { restarts = 2, noise: fixedNoise } = options
  check(n >= 1 && targets.length === n, where, () => `needs as many targets as rows, got ${targets.length} for ${n}.`)
  check(
    data.every(Number.isFinite) && Array.from(targets).every(Number.isFinite),
    where,
    () => 'inputs and targets must be finite.',
  )
  check(Number.isInteger(restarts) && restarts >= 1, where, () => `restarts must be from 1, got ${describe(restarts)}.`)
  check(
    fixedNoise === undefined || fixedNoise >= 0,
    where,
    () => `noise must be at least 0, got ${describe(fixedNoise)}.`,
  )
  const categorical = new Uint8Array(d)
  for (const column of options.categorical ?? []) categorical[column] = 1
  let mean = 0
  for (let i = 0; i < n; i++) mean += targets[i]! / n
  let square = 0
  for (let i = 0; i < n; i++) square += (targets[i]! - mean) ** 2 / n
  const deviation = Math.sqrt(square) > 1e-12 * Math.max(1, Math.abs(mean)) ? Math.sqrt(square) : 1
  const x = Float64Array.from(data)
  const y = Float64Array.from(targets, (v) => (v - mean) / deviation)
  const posterior = createPosterior(x, y, d, categorical, fixedNoise)
  const width = d + (fixedNoise === undefined ? 2 : 1)
  const lower = new Float64Array(width).fill(Math.log(0.005))
  const upper = new Float64Array(width).fill(Math.log(1000))
  lower[d] = Math.log(0.05)
  upper[d] = Math.log(50)
  if (fixedNoise === undefined) {
    lower[d + 1] = Math.log(LEAST_NOISE)
    upper[d + 1] = 0
  }
  let best: { value: number; x: Float64Array } | undefined
  for (let k = 0; k < restarts; k++) {
    // From short to long: a wiggly function must not be mistaken for noise, nor the other way round.
    const start = new Float64Array(width).fill(Math.log(k % 2 === 0 ? 0.4 * Math.sqrt(d) : 0.15 * 2 ** k))
    start[d] = 0
    if (fixedNoise === undefined) start[d + 1] = Math.log(k % 2 === 0 ? 1e-4 : 1e-2)
    const fit = lbfgs(posterior, start, {
      lower,
      upper,
      maxIterations: 60,
      gradientTolerance: 1e-3,
      valueTolerance: 1e-7,
    })
    if (!best || fit.value < best.value) best = fit
  }
  const theta = best!.x
  const model = {
    n,
    d,
    x,
    categorical,
    lengthscales: Float64Array.from(theta.subarray(0, d), Math.exp),
    signal: Math.exp(theta[d]!),
    noise: Math.max(fixedNoise ?? Math.exp(theta[d + 1]!), LEAST_NOISE),
    mean,
    deviation,
    y,
    logPosterior: -best!.value,
  }
  return condition(model)
}

/** The parts of a model that its inputs, targets and parameters determine. */
export function condition(model: Omit<GaussianProcess, 'lower' | 'alpha'>): GaussianProcess {
  const { n, y, noise } = model
  const lower = covariance(model)
  factor(lower, n, noise)
  const alpha = Float64Array.from(y)
  solveLowerInto(lower, n, alpha, alpha)
  solveLowerTransposedInto(lower, n, alpha, alpha)
  return { ...model, lower, alpha }
}

/** Adds to the diagonal and factors in place; raises the addition until it succeeds. */
function factor(matrix: Float64Array, n: number, diagonal: number): void {
  const kept = Float64Array.from(matrix)
  for (let jitter = diagonal; ; jitter = Math.max(jitter * 10, 1e-10)) {
    if (choleskyInto(kept, n, matrix, jitter)) return
    check(jitter < 1e3, 'bayes/gp', () => 'the covariance is not positive definite.')
  }
}

/** K of a model, without noise. */
export function covariance(
  model: Pick<GaussianProcess, 'n' | 'd' | 'x' | 'categorical' | 'lengthscales' | 'signal'>,
): Float64Array {
  const { n, d, x, categorical, lengthscales, signal } = model
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    out[i * n + i] = signal
    for (let j = 0; j < i; j++) {
      let square = 0
      for (let k = 0; k < d; k++) {
        const gap = difference(x[i * d + k]!, x[j * d + k]!, categorical[k]!) / lengthscales[k]!
        square += gap * gap
      }
      out[i * n + j] = out[j * n + i] = signal * matern52(Math.sqrt(square))
    }
  }
  return out
}

export function difference(a: number, b: number, categorical: number): number {
  return categorical ? (a === b ? 0 : 1) : a - b
}

/** A prediction for the objective itself, without the noise of a single evaluation. */
export interface GaussianPrediction {
  readonly mean: number
  readonly deviation: number
}

/**
 * Predicts the objective at a point: posterior mean m(x) = k*ᵀ(K + σ²I)⁻¹y and deviation √(k** − k*ᵀ(K + σ²I)⁻¹k*), in the
 * units of the targets. O(n²).
 *
 * ```ts
 * import { fitGaussianProcess, predictGaussianProcess } from '@regimen/bayes'
 *
 * const model = fitGaussianProcess([[0], [0.5], [1]], [1, 2, 4], { noise: 0 })
 * predictGaussianProcess(model, [0.5]).mean // ≈ 2
 * ```
 *
 * Reference: C. Rasmussen & C. Williams, 2006, eqs. 2.25 and 2.26.
 */
export function predictGaussianProcess(model: GaussianProcess, x: VectorLike): GaussianPrediction {
  const { n, d, lengthscales, categorical, signal, lower, alpha } = model
  check(x.length === d, 'bayes/gp', () => `the point must have ${d} numbers, got ${x.length}.`)
  const k = new Float64Array(n)
  let mean = 0
  for (let i = 0; i < n; i++) {
    let square = 0
    for (let j = 0; j < d; j++) {
      const gap = difference(x[j]!, model.x[i * d + j]!, categorical[j]!) / lengthscales[j]!
      square += gap * gap
    }
    k[i] = signal * matern52(Math.sqrt(square))
    mean += k[i]! * alpha[i]!
  }
  solveLowerInto(lower, n, k, k)
  let variance = signal
  for (let i = 0; i < n; i++) variance -= k[i]! * k[i]!
  return { mean: model.mean + model.deviation * mean, deviation: model.deviation * Math.sqrt(Math.max(variance, 0)) }
}

/**
 * −ln p(y | θ) − ln p(θ) and its gradient over θ = (ln ℓ₁ … ln ℓ_d, ln s, ln noise), constants of the priors left out. With
 * G = K⁻¹ − ααᵀ the gradient of the likelihood is ½ Σ G ∘ ∂K/∂θ.
 */
export function createPosterior(
  x: Float64Array,
  y: Float64Array,
  d: number,
  categorical: Uint8Array,
  fixedNoise: number | undefined,
): (theta: Float64Array, gradient: Float64Array) => number {
  const n = y.length
  const pairs = (n * (n - 1)) / 2
  const squares = new Float64Array(pairs * d)
  for (let i = 1, p = 0; i < n; i++)
    for (let j = 0; j < i; j++, p++)
      for (let k = 0; k < d; k++) squares[p * d + k] = difference(x[i * d + k]!, x[j * d + k]!, categorical[k]!) ** 2
  const matrix = new Float64Array(n * n)
  const rows = new Float64Array(n * n)
  const inverse = new Float64Array(n * n)
  const slopes = new Float64Array(pairs)
  const rates = new Float64Array(d)
  const alpha = new Float64Array(n)
  const lengthRate = LENGTH_RATE / Math.sqrt(Math.max(1, d / 6))
  return (theta, gradient) => {
    const signal = Math.exp(theta[d]!)
    const noise = Math.max(fixedNoise ?? Math.exp(theta[d + 1]!), LEAST_NOISE)
    for (let k = 0; k < d; k++) rates[k] = Math.exp(-2 * theta[k]!)
    for (let i = 0, p = 0; i < n; i++) {
      matrix[i * n + i] = signal
      for (let j = 0; j < i; j++, p++) {
        let square = 0
        for (let k = 0; k < d; k++) square += squares[p * d + k]! * rates[k]!
        const r = SQRT5 * Math.sqrt(square)
        const decay = signal * Math.exp(-r)
        matrix[i * n + j] = decay * (1 + r + (r * r) / 3)
        // ∂k/∂ln ℓ_k = this · Δ²_k / ℓ²_k
        slopes[p] = decay * (5 / 3) * (1 + r)
      }
    }
    if (!choleskyInto(matrix, n, matrix, noise)) return Number.POSITIVE_INFINITY
    alpha.set(y)
    solveLowerInto(matrix, n, alpha, alpha)
    let value = 0.5 * n * Math.log(2 * Math.PI)
    for (let i = 0; i < n; i++) value += 0.5 * alpha[i]! * alpha[i]! + Math.log(matrix[i * n + i]!)
    solveLowerTransposedInto(matrix, n, alpha, alpha)
    invertInto(matrix, n, rows, inverse)
    gradient.fill(0)
    let trace = 0
    for (let i = 0, p = 0; i < n; i++) {
      trace += inverse[i * n + i]! - alpha[i]! * alpha[i]!
      for (let j = 0; j < i; j++, p++) {
        const weight = (inverse[i * n + j]! - alpha[i]! * alpha[j]!) * slopes[p]!
        for (let k = 0; k < d; k++) gradient[k]! += weight * squares[p * d + k]!
      }
    }
    for (let k = 0; k < d; k++) gradient[k]! *= rates[k]!
    // ½ Σ G ∘ K = ½ (n − yᵀα) − noise · ½ tr G, for K + noise·I times its inverse is the identity.
    let fit = 0
    for (let i = 0; i < n; i++) fit += y[i]! * alpha[i]!
    gradient[d] = 0.5 * (n - fit) - 0.5 * noise * trace
    const prior = (k: number, location: number, scale: number): void => {
      const gap = (theta[k]! - location) / scale
      value += 0.5 * gap * gap
      gradient[k]! += gap / scale
    }
    for (let k = 0; k < d; k++) {
      const length = Math.exp(theta[k]!)
      value += lengthRate * length - (LENGTH_SHAPE - 1) * theta[k]!
      gradient[k]! += lengthRate * length - (LENGTH_SHAPE - 1)
    }
    prior(d, 0, 1)
    if (fixedNoise === undefined) {
      gradient[d + 1] = Math.exp(theta[d + 1]!) > LEAST_NOISE ? 0.5 * noise * trace : 0
      prior(d + 1, -6, 4)
    }
    return value
  }
}

/** The lower triangle of (L·Lᵀ)⁻¹, by rows only: first L⁻¹, then the sum of its rows' outer products. */
function invertInto(lower: Float64Array, n: number, rows: Float64Array, out: Float64Array): void {
  for (let i = 0; i < n; i++) {
    const at = i * n
    for (let j = 0; j < i; j++) rows[at + j] = 0
    for (let k = 0; k < i; k++) {
      const factor = lower[at + k]!
      const from = k * n
      for (let j = 0; j <= k; j++) rows[at + j]! += factor * rows[from + j]!
    }
    const pivot = 1 / lower[at + i]!
    for (let j = 0; j < i; j++) rows[at + j]! *= -pivot
    rows[at + i] = pivot
  }
  out.fill(0)
  for (let k = 0; k < n; k++) {
    const at = k * n
    for (let i = 0; i <= k; i++) {
      const factor = rows[at + i]!
      const to = i * n
      for (let j = 0; j <= i; j++) out[to + j]! += factor * rows[at + j]!
    }
  }
}
