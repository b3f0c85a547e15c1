import { erfcx, normalLogCdf } from '@regimen/core/math'

const HALF_LOG_2PI = 0.5 * Math.log(2 * Math.PI)
const SQRT_HALF_PI = Math.sqrt(Math.PI / 2)

/**
 * Computes ln h(z) with h(z) = φ(z) + z·Φ(z), the logarithm of the expected improvement in units of the standard deviation;
 * ln EI(x) = ln σ + ln h((best − μ) / σ) when minimizing. Accurate to about 1e-12 relative over the whole line: for z < −1 the
 * difference of nearly equal terms is taken through the scaled complementary error function, below −50 through the series
 * h(z) = φ(z)·(z⁻² − 3 z⁻⁴ + 15 z⁻⁶ − …). EI itself underflows near z = −38; its logarithm never does.
 *
 * ```ts
 * import { logExpectedImprovement } from '@regimen/bayes'
 *
 * logExpectedImprovement(0) // ≈ -0.9189385332
 * logExpectedImprovement(-1000) // ≈ -500014.7344520
 * ```
 *
 * Reference: S. Ament et al., "Unexpected improvements to expected improvement for Bayesian optimization", NeurIPS 2023, eq. 9.
 */
export function logExpectedImprovement(z: number): number {
  if (z > -1) return Math.log(Math.exp(-0.5 * z * z - HALF_LOG_2PI) + z * Math.exp(normalLogCdf(z)))
  const a = -z
  if (a > 50) {
    const q = 1 / (z * z)
    return -0.5 * z * z - HALF_LOG_2PI + Math.log(q) + Math.log1p(q * (-3 + q * (15 - q * 105)))
  }
  return -0.5 * z * z - HALF_LOG_2PI + Math.log1p(-a * SQRT_HALF_PI * erfcx(a / Math.SQRT2))
}

/** d ln h / dz = Φ(z) / h(z). */
export function logExpectedImprovementSlope(z: number, value: number = logExpectedImprovement(z)): number {
  return Math.exp(normalLogCdf(z) - value)
}
