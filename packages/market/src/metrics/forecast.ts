import { check, describe } from '@regimen/core'
import { lgamma, normalCdf, normalPdf, studentTCdf } from '@regimen/core/math'

function positive(value: number, name: string, where: string): void {
  check(value > 0 && value < Infinity, where, () => `${name} must be above 0, got ${describe(value)}.`)
}

/**
 * Computes the log score ln N(y; mean, deviation²): the natural logarithm of the density that a Gaussian forecast gave to
 * what came. Higher is better; it rewards sharp forecasts and punishes confident errors without bound, so for outliers
 * compare {@link crpsGaussian} too.
 *
 * ```ts
 * import { logScoreGaussian } from '@regimen/market'
 *
 * logScoreGaussian(0, 0, 1) // ≈ -0.9189385332
 * ```
 *
 * Reference: Gneiting and Raftery, "Strictly Proper Scoring Rules", JASA 102 (2007).
 */
export function logScoreGaussian(y: number, mean: number, deviation: number): number {
  positive(deviation, 'deviation', 'market/log-score')
  const z = (y - mean) / deviation
  return -0.5 * z * z - Math.log(deviation) - 0.5 * Math.log(2 * Math.PI)
}

/**
 * Computes the log score of a Student-t forecast with a location and a scale (not its deviation, which is
 * scale · √(df / (df - 2))). Higher is better.
 *
 * ```ts
 * import { logScoreStudentT } from '@regimen/market'
 *
 * // df = 1 is the Cauchy distribution: ln(1 / π).
 * logScoreStudentT(2, { df: 1, location: 2, scale: 1 }) // ≈ -1.1447298858
 * ```
 */
export function logScoreStudentT(y: number, forecast: StudentTForecast): number {
  const { df, location, scale } = forecast
  positive(df, 'df', 'market/log-score')
  positive(scale, 'scale', 'market/log-score')
  const z = (y - location) / scale
  const constant = lgamma((df + 1) / 2) - lgamma(df / 2) - 0.5 * Math.log(df * Math.PI) - Math.log(scale)
  return constant - ((df + 1) / 2) * Math.log1p((z * z) / df)
}

/** A Student-t predictive distribution. */
export interface StudentTForecast {
  /** Degrees of freedom. Above 0; above 1 for the CRPS. */
  df: number
  location: number
  /** Above 0. */
  scale: number
}

/**
 * Computes the continuous ranked probability score of a Gaussian forecast, σ (z (2Φ(z) - 1) + 2φ(z) - 1/√π) with
 * z = (y - μ) / σ, in the unit of y. Lower is better; for a certain forecast it is the absolute error.
 *
 * ```ts
 * import { crpsGaussian } from '@regimen/market'
 *
 * crpsGaussian(0, 0, 1) // ≈ 0.2336949772
 * ```
 *
 * Reference: Gneiting and Raftery, "Strictly Proper Scoring Rules", JASA 102 (2007), equation 21.
 */
export function crpsGaussian(y: number, mean: number, deviation: number): number {
  positive(deviation, 'deviation', 'market/crps')
  const z = (y - mean) / deviation
  return deviation * (z * (2 * normalCdf(z) - 1) + 2 * normalPdf(z) - 1 / Math.sqrt(Math.PI))
}

/**
 * Computes the continuous ranked probability score of a Student-t forecast with more than one degree of freedom:
 * σ (z (2F(z) - 1) + 2 f(z) (ν + z²) / (ν - 1) - 2√ν B(1/2, ν - 1/2) / ((ν - 1) B(1/2, ν/2)²)). Lower is better.
 *
 * ```ts
 * import { crpsGaussian, crpsStudentT } from '@regimen/market'
 *
 * const t = crpsStudentT(0.7, { df: 1e7, location: 0, scale: 1 })
 * Math.abs(t - crpsGaussian(0.7, 0, 1)) < 1e-6 // => true
 * ```
 *
 * Reference: Jordan, Krüger and Lerch, "Evaluating Probabilistic Forecasts with scoringRules", Journal of Statistical
 * Software 90 (2019), appendix A.
 */
export function crpsStudentT(y: number, forecast: StudentTForecast): number {
  const { df, location, scale } = forecast
  check(df > 1, 'market/crps', () => `df must be above 1, got ${describe(df)}.`, 'Below that the score is infinite.')
  positive(scale, 'scale', 'market/crps')
  const z = (y - location) / scale
  const density = Math.exp(
    lgamma((df + 1) / 2) - lgamma(df / 2) - 0.5 * Math.log(df * Math.PI) - ((df + 1) / 2) * Math.log1p((z * z) / df),
  )
  const logBeta = (a: number, b: number): number => lgamma(a) + lgamma(b) - lgamma(a + b)
  const constant = ((2 * Math.sqrt(df)) / (df - 1)) * Math.exp(logBeta(0.5, df - 0.5) - 2 * logBeta(0.5, df / 2))
  return scale * (z * (2 * studentTCdf(z, df) - 1) + (2 * density * (df + z * z)) / (df - 1) - constant)
}

/**
 * Computes the continuous ranked probability score of an ensemble (samples of the forecast),
 * mean|x - y| - ½ mean|x - x'|, exactly for the empirical distribution in O(m log m). Lower is better.
 *
 * ```ts
 * import { crpsEnsemble } from '@regimen/market'
 *
 * // mean|x - 0| = 1, mean|x - x'| = 1 over the four pairs.
 * crpsEnsemble(0, [-1, 1]) // => 0.5
 * ```
 *
 * Reference: Gneiting and Raftery, "Strictly Proper Scoring Rules", JASA 102 (2007), equation 20.
 */
export function crpsEnsemble(y: number, samples: ArrayLike<number>): number {
  const m = samples.length
  check(m >= 1, 'market/crps', () => 'samples must hold at least one value, got none.')
  const sorted = Float64Array.from(samples).sort()
  let error = 0
  let spread = 0
  for (let i = 0; i < m; i++) {
    error += Math.abs(sorted[i]! - y)
    spread += (2 * i - m + 1) * sorted[i]!
  }
  return error / m - spread / (m * m)
}

/**
 * Computes the Brier score of class probabilities: mean over rows of Σ_k (p_k - 1[k is the outcome])², from 0 to 2. Lower
 * is better. For two classes it is twice the score that counts one class only.
 *
 * ```ts
 * import { brierScore } from '@regimen/market'
 *
 * brierScore([0.8, 0.2, 0.4, 0.6], [0, 0]) // ≈ 0.4
 * ```
 *
 * Reference: Brier, "Verification of Forecasts Expressed in Terms of Probability", Monthly Weather Review 78 (1950).
 */
export function brierScore(probabilities: ArrayLike<number>, outcomes: ArrayLike<number>): number {
  const where = 'market/brier-score'
  const n = outcomes.length
  const k = probabilities.length / n
  check(
    n > 0 && Number.isInteger(k) && k >= 2,
    where,
    () => `probabilities must hold rows of 2 or more classes for ${n} outcomes, got ${probabilities.length} values.`,
  )
  let sum = 0
  for (let i = 0; i < n; i++) {
    const outcome = outcomes[i]!
    check(
      Number.isInteger(outcome) && outcome >= 0 && outcome < k,
      where,
      () => `outcomes must be classes from 0 to ${k - 1}, got ${describe(outcome)} in row ${i}.`,
    )
    for (let c = 0; c < k; c++) sum += (probabilities[i * k + c]! - (c === outcome ? 1 : 0)) ** 2
  }
  return sum / n
}

/** One bin of a reliability diagram. */
export interface CalibrationBin {
  readonly from: number
  readonly to: number
  readonly count: number
  /** Mean forecast probability in the bin; 0 in an empty one. */
  readonly forecast: number
  /** Share of the bin's forecasts that came true; 0 in an empty one. */
  readonly observed: number
}

/** Result of {@link calibration}. */
export interface CalibrationReport {
  readonly bins: readonly CalibrationBin[]
  /** Mean distance between forecast and observed frequency, weighted by count (expected calibration error). */
  readonly error: number
}

/**
 * Compares forecast probabilities of an event with how often it came: the reliability diagram as numbers.
 *
 * ```ts
 * import { calibration } from '@regimen/market'
 *
 * calibration([0.1, 0.1, 0.9, 0.9], [0, 0, 1, 0], { bins: 2 }).error // ≈ 0.25
 * ```
 */
export function calibration(
  probabilities: ArrayLike<number>,
  outcomes: ArrayLike<number | boolean>,
  options: {
    /** Number of bins of equal width. From 1. @default 10 */
    bins?: number
  } = {},
): CalibrationReport {
  const where = 'market/calibration'
  const { bins: m = 10 } = options
  const n = probabilities.length
  check(Number.isInteger(m) && m >= 1, where, () => `bins must be a whole number from 1, got ${describe(m)}.`)
  check(n > 0 && n === outcomes.length, where, () => `each of ${n} forecasts needs an outcome, got ${outcomes.length}.`)
  const count = new Float64Array(m)
  const forecast = new Float64Array(m)
  const observed = new Float64Array(m)
  for (let i = 0; i < n; i++) {
    const p = probabilities[i]!
    check(p >= 0 && p <= 1, where, () => `probabilities must lie from 0 to 1, got ${describe(p)} in row ${i}.`)
    const b = Math.min(m - 1, Math.floor(p * m))
    count[b] = count[b]! + 1
    forecast[b] = forecast[b]! + p
    observed[b] = observed[b]! + Number(outcomes[i])
  }
  let error = 0
  const bins = Array.from({ length: m }, (_, b): CalibrationBin => {
    const c = count[b]!
    error += Math.abs(forecast[b]! - observed[b]!) / n
    const share = (x: number): number => (c === 0 ? 0 : x / c)
    return { from: b / m, to: (b + 1) / m, count: c, forecast: share(forecast[b]!), observed: share(observed[b]!) }
  })
  return { bins, error }
}

/** Result of {@link pitReport}. */
export interface PitReport {
  /** Share of values in each bin; all equal for a calibrated forecast. A hump means too wide forecasts, a U too narrow. */
  readonly histogram: Float64Array
  /** Largest distance between the values' distribution and the uniform one (Kolmogorov-Smirnov). */
  readonly distance: number
  /** Asymptotic probability of a larger distance from calibrated, independent forecasts. */
  readonly pValue: number
}

/**
 * Judges a forecaster by its probability integral transform: u_t = F_t(y_t), the forecast distribution function at what
 * came, is uniform when the forecasts are calibrated. Use it for whole distributions and {@link calibration} for
 * probabilities of an event.
 *
 * ```ts
 * import { pitReport } from '@regimen/market'
 *
 * const u = Array.from({ length: 100 }, (_, i) => (i + 0.5) / 100)
 * pitReport(u, { bins: 4 }).distance // ≈ 0.005
 * ```
 *
 * Reference: Gneiting, Balabdaoui and Raftery, JRSS B 69 (2007); Marsaglia, Tsang and Wang, "Evaluating Kolmogorov's
 * Distribution", Journal of Statistical Software 8 (2003), for the limit law.
 */
export function pitReport(
  values: ArrayLike<number>,
  options: {
    /** Number of bins of the histogram. From 1. @default 10 */
    bins?: number
  } = {},
): PitReport {
  const where = 'market/pit'
  const { bins = 10 } = options
  const n = values.length
  check(n > 0, where, () => 'values must hold at least one number, got none.')
  check(Number.isInteger(bins) && bins >= 1, where, () => `bins must be a whole number from 1, got ${describe(bins)}.`)
  const sorted = Float64Array.from(values).sort()
  const histogram = new Float64Array(bins)
  let distance = 0
  for (let i = 0; i < n; i++) {
    const u = sorted[i]!
    check(u >= 0 && u <= 1, where, () => `values must lie from 0 to 1, got ${describe(u)}.`)
    const b = Math.min(bins - 1, Math.floor(u * bins))
    histogram[b] = histogram[b]! + 1 / n
    distance = Math.max(distance, u - i / n, (i + 1) / n - u)
  }
  const x = distance * (Math.sqrt(n) + 0.12 + 0.11 / Math.sqrt(n))
  let pValue = 0
  for (let j = 1; j <= 100; j++) pValue += 2 * (j % 2 === 1 ? 1 : -1) * Math.exp(-2 * j * j * x * x)
  return { histogram, distance, pValue: x < 0.2 ? 1 : Math.min(1, Math.max(0, pValue)) }
}

/**
 * Computes the share of forecasts with the right sign among those where neither the forecast nor the outcome is 0. 0.5 is
 * a coin; with a drift in one direction a constant forecast does better, so compare with that.
 *
 * ```ts
 * import { directionalAccuracy } from '@regimen/market'
 *
 * directionalAccuracy([1, -1, 2, 0], [0.5, 0.2, 0.1, 0.3]) // ≈ 0.6666666667
 * ```
 */
export function directionalAccuracy(forecasts: ArrayLike<number>, outcomes: ArrayLike<number>): number {
  const where = 'market/directional-accuracy'
  const n = forecasts.length
  check(n === outcomes.length, where, () => `each of ${n} forecasts needs an outcome, got ${outcomes.length}.`)
  let right = 0
  let decided = 0
  for (let i = 0; i < n; i++) {
    const product = Math.sign(forecasts[i]!) * Math.sign(outcomes[i]!)
    check(!Number.isNaN(product), where, () => `forecasts and outcomes must be numbers, got NaN in row ${i}.`)
    if (product !== 0) decided++
    if (product > 0) right++
  }
  return decided === 0 ? 0 : right / decided
}
