import { lgamma } from '../math/gamma.ts'

/** The draws that these distributions are made of. */
interface Source {
  uniform(): number
  normal(): number
  exponential(): number
}

/** Gamma with unit scale: Marsaglia & Tsang (2000); below shape 1 by Γ(a) = Γ(a + 1)·U^(1/a). */
export function drawGamma(source: Source, shape: number): number {
  if (shape === 1) return source.exponential()
  if (shape < 1) return drawGamma(source, shape + 1) * Math.exp(-source.exponential() / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = source.normal()
    const root = 1 + c * x
    if (root <= 0) continue
    const v = root * root * root
    const u = 1 - source.uniform()
    if (u < 1 - 0.0331 * x ** 4 || Math.log(u) < 0.5 * x * x + d * (1 - v + Math.log(v))) return d * v
  }
}

/** Beta: Jöhnk's method in logarithms where both shapes are at most 1 (two gammas could both underflow). */
export function drawBeta(source: Source, a: number, b: number): number {
  if (a > 1 || b > 1) {
    const x = drawGamma(source, a)
    return x / (x + drawGamma(source, b))
  }
  for (;;) {
    const logX = -source.exponential() / a
    const logY = -source.exponential() / b
    const top = Math.max(logX, logY)
    const logSum = top + Math.log(Math.exp(logX - top) + Math.exp(logY - top))
    if (logSum <= 0) return Math.exp(logX - logSum)
  }
}

/** Dirichlet: normalized gammas, or a broken stick of betas where every shape is so small that all could underflow. */
export function drawDirichlet(source: Source, alpha: ArrayLike<number>, out: Float64Array): Float64Array {
  const n = alpha.length
  let largest = 0
  let rest = 0
  for (let i = 0; i < n; i++) {
    largest = Math.max(largest, alpha[i]!)
    rest += alpha[i]!
  }
  if (largest >= 0.1) {
    let total = 0
    for (let i = 0; i < n; i++) total += out[i] = drawGamma(source, alpha[i]!)
    for (let i = 0; i < n; i++) out[i]! /= total
    return out
  }
  let stick = 1
  for (let i = 0; i < n; i++) {
    rest -= alpha[i]!
    const piece = i === n - 1 ? 1 : drawBeta(source, alpha[i]!, Math.max(rest, Number.MIN_VALUE))
    out[i] = stick * piece
    stick *= 1 - piece
  }
  return out
}

/** Poisson: sequential search below a mean of 30, else Hörmann's transformed rejection PTRS (1993). */
export function drawPoisson(source: Source, mean: number): number {
  if (mean < 30) {
    const limit = Math.exp(-mean)
    let product = 1 - source.uniform()
    let count = 0
    while (product > limit) {
      product *= 1 - source.uniform()
      count++
    }
    return count
  }
  const b = 0.931 + 2.53 * Math.sqrt(mean)
  const a = -0.059 + 0.02483 * b
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4)
  const acceptance = 0.9277 - 3.6224 / (b - 2)
  for (;;) {
    const u = source.uniform() - 0.5
    const v = 1 - source.uniform()
    const us = 0.5 - Math.abs(u)
    if (us === 0) continue
    const k = Math.floor(((2 * a) / us + b) * u + mean + 0.43)
    if (us >= 0.07 && v <= acceptance) return k
    if (k < 0 || (us < 0.013 && v > us)) continue
    const logRatio = Math.log(v) + Math.log(inverseAlpha) - Math.log(a / (us * us) + b)
    if (logRatio <= k * Math.log(mean) - mean - lgamma(k + 1)) return k
  }
}
