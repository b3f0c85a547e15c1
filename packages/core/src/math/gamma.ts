/** ζ(k) − 1 for k = 2, 3, …: the Taylor coefficients of ln Γ(2 + z) are (−1)^k (ζ(k) − 1)/k. */
const ZETA_MINUS_ONE = [
  0.6449340668482264, 0.2020569031595943, 0.08232323371113819, 0.03692775514336993, 0.01734306198444914,
  0.008349277381922827, 0.00407735619794434, 0.0020083928260822143, 0.0009945751278180853, 0.0004941886041194645,
  0.0002460865533080483, 0.00012271334757848915, 6.124813505870483e-5, 3.058823630702049e-5, 1.528225940865187e-5,
  7.637197637899763e-6, 3.81729326499984e-6, 1.908212716553939e-6, 9.539620338727962e-7, 4.769329867878064e-7,
  2.38450502727733e-7, 1.1921992596531106e-7, 5.960818905125948e-8, 2.980350351465228e-8, 1.4901554828365043e-8,
  7.45071178983543e-9, 3.725334024788457e-9, 1.862659723513049e-9,
]
const EULER = 0.5772156649015329
const HALF_LOG_TWO_PI = 0.9189385332046728

/**
 * Computes ln |Γ(x)|: Taylor series about 2, upward or downward recurrence, and Stirling's series from 10 on. Accurate
 * to a few units in the last place for x > 0, also beside the zeros at 1 and 2; for x < 0 by reflection, where digits
 * are lost beside the zeros. Poles give +∞.
 *
 * ```ts
 * import { lgamma } from '@regimen/core/math'
 *
 * lgamma(5) // ≈ 3.1780538303
 * ```
 *
 * Reference: DLMF 5.7.3 and 5.11.1.
 */
export function lgamma(x: number): number {
  if (x >= 10) return (x - 0.5) * Math.log(x) - x + HALF_LOG_TWO_PI + stirlingTail(x)
  if (x >= 1.5) {
    let product = 1
    let z = x
    while (z > 2.5) {
      z -= 1
      product *= z
    }
    return Math.log(product) + taylorAtTwo(z - 2)
  }
  if (x >= 0.5) return taylorAtTwo(x - 1) - Math.log1p(x - 1)
  if (x > 0) return taylorAtTwo(x) - Math.log1p(x) - Math.log(x)
  if (Number.isNaN(x)) return x
  const sine = Math.abs(sinPi(x))
  return sine === 0 ? Number.POSITIVE_INFINITY : Math.log(Math.PI / sine) - lgamma(1 - x)
}

/** ln Γ(2 + z) for |z| ≤ 1/2. */
function taylorAtTwo(z: number): number {
  let series = 0
  for (let k = ZETA_MINUS_ONE.length + 1; k >= 2; k--) series = -z * series + ZETA_MINUS_ONE[k - 2]! / k
  return z * (1 - EULER + z * series)
}

/** ln Γ(x) less Stirling's leading part, for x ≥ 10: Σ B₂ₖ / (2k(2k − 1) x^(2k−1)). */
export function stirlingTail(x: number): number {
  const r = 1 / (x * x)
  return (
    (1 / 12 -
      r *
        (1 / 360 -
          r *
            (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - r * (691 / 360360 - r * (1 / 156 - (r * 3617) / 122400))))))) /
    x
  )
}

/** sin(πx) exactly zero at whole numbers. */
export function sinPi(x: number): number {
  const r = x - 2 * Math.round(x / 2)
  return Math.abs(r) <= 0.5 ? Math.sin(Math.PI * r) : Math.sin(Math.PI * (Math.sign(r) - r))
}

/**
 * Computes the digamma function ψ(x) = d/dx ln Γ(x). Poles give NaN. Beside its zero at 1.4616… the error is
 * absolute, about 1e-16.
 *
 * ```ts
 * import { digamma } from '@regimen/core/math'
 *
 * digamma(1) // ≈ -0.5772156649
 * ```
 *
 * Reference: DLMF 5.11.2 and 5.5.2.
 */
export function digamma(x: number): number {
  if (x <= 0) {
    if (Number.isInteger(x)) return Number.NaN
    return digamma(1 - x) - (Math.PI * sinPi(x + 0.5)) / sinPi(x)
  }
  let shift = 0
  let y = x
  for (; y < 10; y++) shift += 1 / y
  const r = 1 / (y * y)
  const series =
    r *
    (1 / 12 -
      r *
        (1 / 120 -
          r * (1 / 252 - r * (1 / 240 - r * (1 / 132 - r * (691 / 32760 - r * (1 / 12 - (r * 3617) / 8160)))))))
  return Math.log(y) - 0.5 / y - series - shift
}

/**
 * Computes the trigamma function ψ′(x), the variance of the logarithm of a gamma variate. Poles give +∞.
 *
 * ```ts
 * import { trigamma } from '@regimen/core/math'
 *
 * trigamma(1) // ≈ 1.6449340668
 * ```
 *
 * Reference: DLMF 5.15.8 and 5.15.5.
 */
export function trigamma(x: number): number {
  if (x <= 0) {
    if (Number.isInteger(x)) return Number.POSITIVE_INFINITY
    return (Math.PI / sinPi(x)) ** 2 - trigamma(1 - x)
  }
  let shift = 0
  let y = x
  for (; y < 15; y++) shift += 1 / (y * y)
  const r = 1 / (y * y)
  const series =
    r * (1 / 6 - r * (1 / 30 - r * (1 / 42 - r * (1 / 30 - r * (5 / 66 - r * (691 / 2730 - (r * 7) / 6))))))
  return (1 + 0.5 / y + series) / y + shift
}

/**
 * Computes ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b) without the cancellation that the formula has where one
 * argument is large.
 *
 * ```ts
 * import { lbeta } from '@regimen/core/math'
 *
 * lbeta(2, 3) // ≈ -2.4849066498
 * ```
 */
export function lbeta(a: number, b: number): number {
  const small = Math.min(a, b)
  const large = Math.max(a, b)
  if (large < 10) return lgamma(small) + lgamma(large) - lgamma(a + b)
  const ratio = small / (small + large)
  const tail = stirlingTail(large) - stirlingTail(small + large)
  if (small < 10) {
    const rest = (large - 0.5) * Math.log1p(-ratio) - small * Math.log(small + large) + small
    return lgamma(small) + tail + rest
  }
  return (
    HALF_LOG_TWO_PI -
    0.5 * Math.log(large) +
    (small - 0.5) * Math.log(ratio) +
    large * Math.log1p(-ratio) +
    stirlingTail(small) +
    tail
  )
}
