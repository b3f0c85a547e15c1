import type { Rng } from '@regimen/core'
import { choleskyInto, solveLowerInto, solveLowerTransposedInto } from '@regimen/core/math'
import { covariance, difference, type GaussianProcess } from './gaussian-process.ts'
import { logExpectedImprovement, logExpectedImprovementSlope } from './log-ei.ts'

const SQRT5 = Math.sqrt(5)

/** Logarithm of the expected improvement over the incumbent, with its gradient; larger is better. */
export interface Acquisition {
  /** Writes the gradient over the columns unless it is undefined. */
  evaluate(x: Float64Array, gradient?: Float64Array): number
}

/**
 * Expected improvement of a fitted process, minimizing. With `samples` > 1 the incumbent is not taken for granted: values of
 * the objective at all evaluated points are drawn from their joint posterior, and the improvement over the best of each draw
 * is averaged (noisy EI, after Letham et al. 2019). All draws share one factor, so each costs a mean, not a variance.
 */
export function expectedImprovement(model: GaussianProcess, rng: Rng, samples: number): Acquisition {
  const { n, d, x, lengthscales, categorical, signal } = model
  let lower = model.lower
  let alphas: Float64Array[]
  let bests: number[]
  const gram = covariance(model)
  if (samples <= 1) {
    alphas = [model.alpha]
    bests = [bestPosteriorMean(gram, model)]
  } else {
    const { values, clean } = drawValues(gram, model, rng, samples)
    lower = clean
    alphas = values
    bests = values.map((row) => Math.min(...row))
    for (const row of alphas) {
      solveLowerInto(lower, n, row, row)
      solveLowerTransposedInto(lower, n, row, row)
    }
  }
  const k = new Float64Array(n)
  const slope = new Float64Array(n)
  const v = new Float64Array(n)
  const means = new Float64Array(alphas.length)
  const shares = new Float64Array(alphas.length)
  const pull = new Float64Array(n)
  return {
    evaluate(point, gradient) {
      for (let i = 0; i < n; i++) {
        let square = 0
        for (let j = 0; j < d; j++) {
          const gap = difference(point[j]!, x[i * d + j]!, categorical[j]!) / lengthscales[j]!
          square += gap * gap
        }
        const r = SQRT5 * Math.sqrt(square)
        const decay = signal * Math.exp(-r)
        k[i] = decay * (1 + r + (r * r) / 3)
        slope[i] = -decay * (5 / 3) * (1 + r)
      }
      solveLowerInto(lower, n, k, v)
      let variance = signal
      for (let i = 0; i < n; i++) variance -= v[i]! * v[i]!
      const deviation = Math.sqrt(Math.max(variance, 1e-12 * signal))
      let top = Number.NEGATIVE_INFINITY
      for (const [s, alpha] of alphas.entries()) {
        let mean = 0
        for (let i = 0; i < n; i++) mean += k[i]! * alpha[i]!
        means[s] = mean
        shares[s] = logExpectedImprovement((bests[s]! - mean) / deviation)
        if (shares[s]! > top) top = shares[s]!
      }
      let sum = 0
      for (let s = 0; s < shares.length; s++) sum += Math.exp(shares[s]! - top)
      const value = Math.log(deviation) + top + Math.log(sum / shares.length)
      if (!gradient) return value
      // d ln EI = Σ share·slope·dz + d ln σ, with dz = −dm/σ − z·dσ/σ; everything is linear in dk, so gather its factors.
      solveLowerTransposedInto(lower, n, v, v)
      let forDeviation = 1 / deviation
      pull.fill(0)
      for (const [s, alpha] of alphas.entries()) {
        const z = (bests[s]! - means[s]!) / deviation
        const weight = (Math.exp(shares[s]! - top) / sum) * logExpectedImprovementSlope(z, shares[s]!)
        forDeviation -= (weight * z) / deviation
        for (let i = 0; i < n; i++) pull[i]! -= (weight / deviation) * alpha[i]!
      }
      // σ dσ = −k*ᵀK⁻¹ dk*
      for (let i = 0; i < n; i++) pull[i]! -= (forDeviation / deviation) * v[i]!
      gradient.fill(0)
      for (let i = 0; i < n; i++) {
        const factor = pull[i]! * slope[i]!
        for (let j = 0; j < d; j++) {
          if (categorical[j]) continue
          gradient[j]! += (factor * (point[j]! - x[i * d + j]!)) / (lengthscales[j]! * lengthscales[j]!)
        }
      }
      return value
    },
  }
}

/** The lowest posterior mean among the evaluated points: an incumbent that one lucky evaluation does not set. */
export function bestPosteriorMean(gram: Float64Array, model: GaussianProcess): number {
  const { n, alpha } = model
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < n; i++) {
    let mean = 0
    for (let j = 0; j < n; j++) mean += gram[i * n + j]! * alpha[j]!
    if (mean < best) best = mean
  }
  return best
}

/** Draws of the objective at the evaluated points, and the factor of their noise-free covariance. */
function drawValues(
  gram: Float64Array,
  model: GaussianProcess,
  rng: Rng,
  samples: number,
): { values: Float64Array[]; clean: Float64Array } {
  const { n, lower, alpha, signal } = model
  // Posterior covariance K − K (K + N)⁻¹ K = K − WᵀW with W = L⁻¹K.
  const w = new Float64Array(n * n)
  for (let j = 0; j < n; j++)
    solveLowerInto(lower, n, gram.subarray(j * n, (j + 1) * n), w.subarray(j * n, (j + 1) * n))
  const posterior = new Float64Array(n * n)
  const mean = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let product = 0
      for (let k = 0; k < n; k++) product += w[i * n + k]! * w[j * n + k]!
      posterior[i * n + j] = gram[i * n + j]! - product
    }
    for (let j = 0; j < n; j++) mean[i]! += gram[i * n + j]! * alpha[j]!
  }
  const root = new Float64Array(n * n)
  for (let jitter = 1e-8 * signal; !choleskyInto(posterior, n, root, jitter); jitter *= 10);
  const clean = new Float64Array(n * n)
  for (let jitter = 1e-6 * signal; !choleskyInto(gram, n, clean, jitter); jitter *= 10);
  const z = new Float64Array(n)
  const values = Array.from({ length: samples }, () => {
    rng.fillNormal(z)
    const row = Float64Array.from(mean)
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) row[i]! += root[i * n + j]! * z[j]!
    return row
  })
  return { values, clean }
}
