/** Yeo and Johnson's power transform of one number. */
export function yeoJohnson(y: number, power: number): number {
  if (y >= 0) return Math.abs(power) < 1e-9 ? Math.log1p(y) : ((1 + y) ** power - 1) / power
  const rest = 2 - power
  return Math.abs(rest) < 1e-9 ? -Math.log1p(-y) : -((1 - y) ** rest - 1) / rest
}

/**
 * Straightens skewed losses: standardizes them and applies the Yeo–Johnson transform whose power makes them most normal (largest
 * likelihood among 41 powers from −2 to 4). The order stays. A process with one length scale per column cannot follow
 * both a deep narrow well and the plain around it; after the transform it need not.
 *
 * Reference: A. Cowen-Rivers et al., "HEBO: pushing the limits of sample-efficient hyper-parameter optimisation", JAIR 2022.
 */
export function straighten(losses: readonly number[]): number[] {
  const n = losses.length
  const mean = losses.reduce((a, b) => a + b, 0) / n
  const deviation = Math.sqrt(losses.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n)
  if (!(deviation > 1e-12 * Math.max(1, Math.abs(mean)))) return [...losses]
  const y = losses.map((v) => (v - mean) / deviation)
  let logs = 0
  for (const v of y) logs += Math.sign(v) * Math.log1p(Math.abs(v))
  let best = 1
  let bestLikelihood = Number.NEGATIVE_INFINITY
  for (let k = 0; k <= 40; k++) {
    const power = -2 + 0.15 * k
    const t = y.map((v) => yeoJohnson(v, power))
    const center = t.reduce((a, b) => a + b, 0) / n
    const variance = t.reduce((sum, v) => sum + (v - center) ** 2, 0) / n
    const likelihood = -0.5 * n * Math.log(variance) + (power - 1) * logs
    if (likelihood > bestLikelihood) {
      bestLikelihood = likelihood
      best = power
    }
  }
  return y.map((v) => yeoJohnson(v, best))
}
