import { normalLogCdf } from '@regimen/core/math'
import type { Acquisition } from './acquisition.ts'
import type { GaussianProcess } from './gaussian-process.ts'
import { Posterior } from './posterior.ts'

const HALF_LOG_2PI = 0.5 * Math.log(2 * Math.PI)

/**
 * Logarithm of the probability that a point is feasible: Σ ln Φ(−μ/σ) over one process for each constraint, whose targets are violations, at
 * most 0 where it holds.
 *
 * Reference: J. Gardner et al., "Bayesian optimization with inequality constraints", ICML 2014, eq. 6.
 */
export function logFeasibility(models: readonly GaussianProcess[]): Acquisition {
  const posteriors = models.map((model) => new Posterior(model))
  const byMean = new Float64Array(1)
  return {
    evaluate(point, gradient) {
      gradient?.fill(0)
      let value = 0
      for (const [c, model] of models.entries()) {
        const posterior = posteriors[c]!
        posterior.at(point)
        const { deviation } = posterior
        const z = -(model.mean / model.deviation + posterior.mean(model.alpha)) / deviation
        const log = normalLogCdf(z)
        value += log
        if (!gradient) continue
        // d ln Φ / dz = φ / Φ
        const slope = Math.exp(-0.5 * z * z - HALF_LOG_2PI - log)
        byMean[0] = -slope / deviation
        posterior.descend([model.alpha], byMean, (-slope * z) / deviation, gradient)
      }
      return value
    },
  }
}

/** The sum of two logarithms: improvement times probability of feasibility. */
export function together(a: Acquisition, b: Acquisition): Acquisition {
  let other = new Float64Array(0)
  return {
    evaluate(point, gradient) {
      if (!gradient) return a.evaluate(point) + b.evaluate(point)
      if (other.length !== gradient.length) other = new Float64Array(gradient.length)
      const value = a.evaluate(point, gradient) + b.evaluate(point, other)
      for (let j = 0; j < gradient.length; j++) gradient[j]! += other[j]!
      return value
    },
  }
}

/**
 * Violations drawn together without moving their sign: sgn(v)·ln(1 + |v|/s), s being their root mean square.
 *
 * Reference: D. Eriksson & M. Poloczek, "Scalable constrained Bayesian optimization", AISTATS 2021, for the bilog transform.
 */
export function temper(violations: readonly number[]): number[] {
  const scale = Math.sqrt(violations.reduce((sum, v) => sum + v * v, 0) / violations.length) || 1
  return violations.map((v) => Math.sign(v) * Math.log1p(Math.abs(v) / scale))
}
