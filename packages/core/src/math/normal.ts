import { erfc, erfcx } from './erf.ts'

/**
 * Computes the standard normal density.
 *
 * ```ts
 * import { normalPdf } from '@regimen/core/math'
 *
 * normalPdf(0) // ≈ 0.3989422804
 * ```
 */
export function normalPdf(z: number): number {
  return 0.3989422804014327 * Math.exp(-0.5 * z * z)
}

/**
 * Computes the standard normal distribution function, exact to the far left tail; the right tail is `normalCdf(-z)`.
 *
 * ```ts
 * import { normalCdf } from '@regimen/core/math'
 *
 * normalCdf(-10) // ≈ 7.61985302416e-24
 * ```
 */
export function normalCdf(z: number): number {
  return 0.5 * erfc(-z * Math.SQRT1_2)
}

/**
 * Computes the logarithm of the standard normal distribution function, finite for every finite z.
 *
 * ```ts
 * import { normalLogCdf } from '@regimen/core/math'
 *
 * normalLogCdf(-100) // ≈ -5005.5242086942
 * ```
 */
export function normalLogCdf(z: number): number {
  if (z > -1) return Math.log1p(-0.5 * erfc(z * Math.SQRT1_2))
  return Math.log(0.5 * erfcx(-z * Math.SQRT1_2)) - 0.5 * z * z
}

// The three rational approximations of Wichura's AS 241 (PPND16), highest power first.
const CENTRE = [
  2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946, 1971.5909503065513,
  133.14166789178438, 3.3871328727963665,
]
const CENTRE_BELOW = [
  5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751, 687.1870074920579,
  42.31333070160091, 1,
]
const MIDDLE = [
  0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045,
  5.769497221460691, 4.630337846156546, 1.4234371107496835,
]
const MIDDLE_BELOW = [
  1.0507500716444169e-9, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008, 0.6897673349851,
  1.6763848301838038, 2.053191626637759, 1,
]
const TAIL = [
  2.0103343992922881e-7, 2.7115555687434876e-5, 0.0012426609473880784, 0.026532189526576124, 0.29656057182850487,
  1.7848265399172913, 5.463784911164114, 6.657904643501103,
]
const TAIL_BELOW = [
  2.0442631033899397e-15, 1.421511758316446e-7, 1.8463183175100548e-5, 0.0007868691311456133, 0.014875361290850615,
  0.1369298809227358, 0.599832206555888, 1,
]

/**
 * Inverts the standard normal distribution function: the z with `normalCdf(z) = p`. 0 and 1 give ∓∞, other values
 * outside [0, 1] NaN.
 *
 * ```ts
 * import { normalQuantile } from '@regimen/core/math'
 *
 * normalQuantile(0.975) // ≈ 1.9599639845
 * ```
 *
 * Reference: M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", 1988.
 */
export function normalQuantile(p: number): number {
  const q = p - 0.5
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q
    return (q * horner(CENTRE, r)) / horner(CENTRE_BELOW, r)
  }
  const tail = q < 0 ? p : 1 - p
  if (!(tail > 0)) return tail === 0 ? Math.sign(q) * Number.POSITIVE_INFINITY : Number.NaN
  const r = Math.sqrt(-Math.log(tail))
  const size =
    r <= 5 ? horner(MIDDLE, r - 1.6) / horner(MIDDLE_BELOW, r - 1.6) : horner(TAIL, r - 5) / horner(TAIL_BELOW, r - 5)
  return q < 0 ? -size : size
}

/**
 * Inverts the error function: the x with `erf(x) = y`, for y in (−1, 1); ±1 gives ±∞.
 *
 * ```ts
 * import { erfInverse } from '@regimen/core/math'
 *
 * erfInverse(0.5) // ≈ 0.4769362762
 * ```
 */
export function erfInverse(y: number): number {
  // (y + 1)/2 would round a small y away; the central approximation takes q = y/2 directly.
  if (Math.abs(y) <= 0.85) {
    const q = y / 2
    const r = 0.180625 - q * q
    return (Math.SQRT1_2 * q * horner(CENTRE, r)) / horner(CENTRE_BELOW, r)
  }
  return -Math.sign(y) * Math.SQRT1_2 * normalQuantile((1 - Math.abs(y)) / 2)
}

function horner(coefficients: readonly number[], x: number): number {
  let value = 0
  for (let i = 0; i < coefficients.length; i++) value = value * x + coefficients[i]!
  return value
}
