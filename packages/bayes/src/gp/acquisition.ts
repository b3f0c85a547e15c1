import type { Rng } from '@regimen/core'
import { choleskyInto, solveLowerInto, solveLowerTransposedInto } from '@regimen/core/math'
import { covariance, type GaussianProcess } from './gaussian-process.ts'
import { logExpectedImprovement, logExpectedImprovementSlope } from './log-ei.ts'
import { Posterior } from './posterior.ts'

/** Logarithm of the expected improvement over the incumbent, with its gradient; larger is better. */
export interface Acquisition {
  /** Writes the gradient over the columns unless it is undefined. */
  evaluate(x: Float64Array, gradient?: Float64Array): number
}

/**
 * Expected improvement of a fitted process, minimizing. With `samples` > 1 the incumbent is not taken for granted: values of
 * the objective at all evaluated points are drawn from their joint posterior, and the improvement over the best of each draw
 * is averaged (noisy EI, after Letham et al. 2019). All draws share one factor, so each costs a mean, not a variance. Rows that are
 * not `eligible` (infeasible ones) shape the model and are never the incumbent.
 */
export function expectedImprovement(
  model: GaussianProcess,
  rng: Rng,
  samples: number,
  eligible: (row: number) => boolean = () => true,
): Acquisition {
  const { n } = model
  let lower = model.lower
  let alphas: Float64Array[]
  let bests: number[]
  const gram = covariance(model)
  if (samples <= 1) {
    alphas = [model.alpha]
    bests = [bestPosteriorMean(gram, model, eligible)]
  } else {
    const { values, clean } = drawValues(gram, model, rng, samples)
    lower = clean
    alphas = values
    bests = values.map((row) =>
      row.reduce((best, v, i) => (v < best && eligible(i) ? v : best), Number.POSITIVE_INFINITY),
    )
    for (const row of alphas) {
      solveLowerInto(lower, n, row, row)
      solveLowerTransposedInto(lower, n, row, row)
    }
  }
  const posterior = new Posterior(model, lower)
  const shares = new Float64Array(alphas.length)
  const scores = new Float64Array(alphas.length)
  const byMean = new Float64Array(alphas.length)
  return {
    evaluate(point, gradient) {
      posterior.at(point)
      const { deviation } = posterior
      let top = Number.NEGATIVE_INFINITY
      for (const [s, alpha] of alphas.entries()) {
        scores[s] = (bests[s]! - posterior.mean(alpha)) / deviation
        shares[s] = logExpectedImprovement(scores[s]!)
        if (shares[s]! > top) top = shares[s]!
      }
      let sum = 0
      for (let s = 0; s < shares.length; s++) sum += Math.exp(shares[s]! - top)
      const value = Math.log(deviation) + top + Math.log(sum / shares.length)
      if (!gradient) return value
      // d ln EI = Σ share·slope·dz + d ln σ, with dz = −dm/σ − z·dσ/σ.
      let byDeviation = 1 / deviation
      for (let s = 0; s < shares.length; s++) {
        const weight = (Math.exp(shares[s]! - top) / sum) * logExpectedImprovementSlope(scores[s]!, shares[s]!)
        byDeviation -= (weight * scores[s]!) / deviation
        byMean[s] = -weight / deviation
      }
      gradient.fill(0)
      posterior.descend(alphas, byMean, byDeviation, gradient)
      return value
    },
  }
}

/** The lowest posterior mean among the evaluated points: an incumbent that one lucky evaluation does not set. */
export function bestPosteriorMean(
  gram: Float64Array,
  model: GaussianProcess,
  eligible: (row: number) => boolean = () => true,
): number {
  const { n, alpha } = model
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < n; i++) {
    if (!eligible(i)) continue
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
