import { choleskyInto, symmetricEigen } from '@regimen/core/math'
import type { CovarianceType, GaussianKernel } from './kernel.ts'

/** What keeps covariances away from singular at every M-step. */
export interface CovarianceGuard {
  readonly type: CovarianceType
  /** Smallest variance in any direction, relative to the columns' variances. */
  readonly floor: number
  /** Added to every variance, in squared units of the data. */
  readonly regularization: number
  /** Variances of the columns of the training data. */
  readonly scales: Float64Array
}

/**
 * Turns the kernel's sums into means and covariances of the asked type. Eigenvalues of the covariance in standardized units
 * below the floor are raised to it, which is the exact constrained maximum, so EM stays monotone. Components with a count
 * below `least` keep what they had. Returns how many covariances were raised.
 */
export function maximizeGaussians(
  kernel: GaussianKernel,
  guard: CovarianceGuard,
  means: Float64Array,
  covariances: Float64Array,
  least = 1e-10,
): number {
  const { k, d, counts } = kernel
  const { type, regularization } = guard
  let raised = 0
  const size = d * d
  const tied = new Float64Array(size)
  let total = 0
  for (let c = 0; c < k; c++) {
    const count = counts[c]!
    if (!(count > least)) continue
    kernel.meanInto(c, means, c * d)
    if (type === 'tied') {
      kernel.scatterInto(c, tied, 0, 1)
      total += count
      continue
    }
    const covariance = covariances.subarray(c * size, (c + 1) * size)
    covariance.fill(0)
    kernel.scatterInto(c, covariance, 0, count)
    if (restrict(covariance, d, guard)) raised++
    for (let i = 0; i < d; i++) covariance[i * d + i]! += regularization
  }
  if (type === 'tied' && total > 0) {
    for (let i = 0; i < size; i++) tied[i]! /= total
    if (restrict(tied, d, guard)) raised++
    for (let i = 0; i < d; i++) tied[i * d + i]! += regularization
    for (let c = 0; c < k; c++) covariances.set(tied, c * size)
  }
  return raised
}

/** Forces a covariance into its type and above the floor; true when the floor did something. */
export function restrict(a: Float64Array, d: number, guard: CovarianceGuard): boolean {
  const { type, floor, scales } = guard
  let raised = false
  if (type === 'diagonal' || type === 'spherical') {
    let trace = 0
    let scale = 0
    for (let i = 0; i < d; i++) {
      trace += a[i * d + i]!
      scale += scales[i]!
    }
    for (let i = 0; i < d; i++) {
      const variance = type === 'spherical' ? trace / d : a[i * d + i]!
      const least = floor * (type === 'spherical' ? scale / d : scales[i]!)
      a.fill(0, i * d, i * d + d)
      a[i * d + i] = Math.max(variance, least)
      raised ||= variance < least
    }
    return raised
  }
  if (floor <= 0) return false
  const standard = new Float64Array(d * d)
  for (let i = 0; i < d; i++)
    for (let j = 0; j < d; j++) standard[i * d + j] = a[i * d + j]! / Math.sqrt(scales[i]! * scales[j]!)
  const shifted = standard.slice()
  for (let i = 0; i < d; i++) shifted[i * d + i]! -= floor
  if (choleskyInto(shifted, d, new Float64Array(d * d))) return false
  const { values, vectors } = symmetricEigen({ rows: d, cols: d, data: standard })
  a.fill(0)
  for (let m = 0; m < d; m++) {
    const value = Math.max(values[m]!, floor)
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++)
        a[i * d + j]! +=
          value * vectors.data[i * d + m]! * vectors.data[j * d + m]! * Math.sqrt(scales[i]! * scales[j]!)
  }
  return true
}

/** Number of free numbers in the covariances. */
export function covarianceParameters(type: CovarianceType, k: number, d: number): number {
  const full = (d * (d + 1)) / 2
  return type === 'full' ? k * full : type === 'tied' ? full : type === 'diagonal' ? k * d : k
}
