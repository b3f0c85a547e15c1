import {
  arrayLeaf,
  check,
  createRng,
  describe,
  type LongTaskOptions,
  RegimenError,
  type Rng,
  throwIfAborted,
} from '@regimen/core'
import { cholesky, type Dense } from '@regimen/core/math'
import { plusPlus, squared } from '../cluster/k-means.ts'
import { type CovarianceType, GaussianKernel, isDiagonal } from '../gaussian/kernel.ts'
import { type CovarianceGuard, covarianceParameters, maximizeGaussians } from '../gaussian/maximize.ts'
import { checkCount, columnScales, type Float64Leaf, type Observations, toObservations } from '../observations.ts'

/** Parameters of a mixture, for a warm start. */
export interface MixtureStart {
  /** Weights of the components; need not sum to 1. */
  readonly weights: ArrayLike<number>
  /** components × columns, row-major. */
  readonly means: ArrayLike<number>
  /** components × columns × columns, row-major, whatever the type. */
  readonly covariances: ArrayLike<number>
}

/** Options of {@link fitGaussianMixture}. */
export interface GaussianMixtureOptions extends LongTaskOptions {
  /** Number of components, from 1 to the number of rows. */
  components: number
  /** How the covariances are restricted. @default 'full' */
  covariance?: CovarianceType
  /** Short runs from k-means++ starts; the best three are run to the end. From 1. @default 12 */
  restarts?: number
  /** EM iterations at most, from 1. @default 500 */
  maxIterations?: number
  /** Stops when the mean log-likelihood of a row grows by less. 0 runs all iterations. @default 1e-9 */
  tolerance?: number
  /** Smallest variance in any direction, relative to the columns' variances; kept at every M-step. From 0. @default 0.001 */
  floor?: number
  /** Added to every variance, in squared units; what scikit-learn calls `reg_covar` (with `floor: 0`). @default 0 */
  regularization?: number
  /** Parameters, or an earlier model, to start from instead of random starts. @default none */
  start?: MixtureStart | GaussianMixture
  /** @default 0 */
  seed?: number | string
}

/** A fitted mixture as plain data. */
export type GaussianMixture = {
  readonly kind: 'gaussian-mixture'
  readonly components: number
  readonly columns: number
  readonly covariance: CovarianceType
  readonly weights: Float64Leaf
  readonly means: Float64Leaf
  /** components × columns × columns, whatever the type. */
  readonly covariances: Float64Leaf
  readonly logLikelihood: number
  /** Log-likelihood at each iteration of the winning run. */
  readonly history: readonly number[]
  readonly converged: boolean
  readonly rows: number
  /** −2 ln L + parameters · ln rows; lower is better. */
  readonly bic: number
  /** −2 ln L + 2 · parameters. */
  readonly aic: number
  /** BIC + 2 · entropy of the assignments: prefers components that are apart. */
  readonly icl: number
  /** Covariances that the floor held up in the last iteration. */
  readonly floored: number
  /** Components that starved and were placed anew, over the winning run. */
  readonly reseeded: number
  /** Columns that hold one value only; they carry no information. */
  readonly constantColumns: readonly number[]
}

const WHERE = 'regimes/gaussian-mixture'

/**
 * Fits p(x) = Σ w_k N(x; μ_k, Σ_k) by expectation–maximization, from many short runs of which the best are finished. A covariance
 * may not get thinner than `floor` in any direction, so that no component collapses on a few equal rows; a component that
 * starves is placed on the worst explained rows. Compare numbers of components by `bic` or `icl`. For regimes that last use
 * `fitHmm`, which also learns how they follow each other.
 *
 * Gotchas: cost per iteration rows × components × columns²; with the floor binding (`floored` > 0) the maximum is a
 * constrained one.
 *
 * ```ts
 * import { fitGaussianMixture } from '@regimen/regimes'
 *
 * const model = fitGaussianMixture([-1.1, -1, -0.9, 4.8, 5, 5.2], { components: 2 })
 * const means = [...model.means.data].sort((a, b) => a - b)
 * means[0] // ≈ -1
 * means[1] // ≈ 5
 * ```
 *
 * Reference: Dempster, Laird and Rubin, JRSS B 39 (1977); Biernacki, Celeux and Govaert, CSDA 41 (2003) for short runs.
 */
export function fitGaussianMixture(observations: Observations, options: GaussianMixtureOptions): GaussianMixture {
  const { components: k, covariance = 'full', restarts = 12, maxIterations = 500, tolerance = 1e-9, start } = options
  const { floor = 1e-3, regularization = 0, seed = 0, signal, onProgress } = options
  const x = toObservations(observations, WHERE)
  checkCount(k, 'components', WHERE, 1, 4096)
  checkCount(restarts, 'restarts', WHERE)
  checkCount(maxIterations, 'maxIterations', WHERE)
  check(x.rows >= k, WHERE, () => `${k} components need at least ${k} rows, got ${x.rows}.`)
  check(floor >= 0 && floor < 1, WHERE, () => `floor must be at least 0 and below 1, got ${describe(floor)}.`)
  check(regularization >= 0, WHERE, () => `regularization must be at least 0, got ${describe(regularization)}.`)
  const { variances, constant } = columnScales(x)
  const guard: CovarianceGuard = { type: covariance, floor, regularization, scales: variances }
  const rng = createRng(seed)
  const run = new MixtureRun(x, k, guard)
  let best: MixtureState
  if (start) best = run.climb(run.from(start), maxIterations, tolerance, signal)
  else {
    const short: MixtureState[] = []
    for (let r = 0; r < restarts; r++) {
      throwIfAborted(signal)
      short.push(run.climb(run.seed(rng.split(r)), Math.min(maxIterations, 40), Math.max(tolerance, 1e-6), signal))
      onProgress?.({ done: r + 1, total: restarts })
    }
    short.sort((a, b) => b.logLikelihood - a.logLikelihood)
    const long = short.slice(0, 3).map((state) => run.climb(state, maxIterations, tolerance, signal))
    best = long.reduce((a, b) => (b.logLikelihood > a.logLikelihood ? b : a))
  }
  const { weights, means, covariances, logLikelihood, history, converged, floored, reseeded } = best
  const d = x.cols
  const parameters = k - 1 + k * d + covarianceParameters(covariance, k, d)
  const bic = -2 * logLikelihood + parameters * Math.log(x.rows)
  return {
    kind: 'gaussian-mixture',
    components: k,
    columns: d,
    covariance,
    weights: arrayLeaf('float64', [k], weights),
    means: arrayLeaf('float64', [k, d], means),
    covariances: arrayLeaf('float64', [k, d, d], covariances),
    logLikelihood,
    history,
    converged,
    rows: x.rows,
    bic,
    aic: -2 * logLikelihood + 2 * parameters,
    icl: bic + 2 * run.entropy(best),
    floored,
    reseeded,
    constantColumns: constant,
  }
}

/**
 * Computes ln p(x_t) of every row, and the components' responsibilities p(k | x_t), rows × components.
 *
 * ```ts
 * import { fitGaussianMixture, mixtureScore } from '@regimen/regimes'
 *
 * const model = fitGaussianMixture([-1.1, -1, -0.9, 4.8, 5, 5.2], { components: 2 })
 * const { responsibilities } = mixtureScore(model, [5])
 * Math.max(...responsibilities) // ≈ 1
 * ```
 */
export function mixtureScore(
  model: GaussianMixture,
  observations: Observations,
): { logDensity: Float64Array; responsibilities: Float64Array } {
  const x = toObservations(observations, WHERE)
  const { components: k, columns: d } = model
  check(x.cols === d, WHERE, () => `the model has ${d} columns, got ${x.cols}.`)
  const kernel = new GaussianKernel(k, d, isDiagonal(model.covariance))
  kernel.load(model.means.data, model.covariances.data)
  const responsibilities = new Float64Array(x.rows * k)
  const logDensity = new Float64Array(x.rows)
  kernel.expect(x.data, 0, x.rows, logWeights(model.weights.data), logDensity, false, responsibilities)
  return { logDensity, responsibilities }
}

interface MixtureState {
  weights: Float64Array
  means: Float64Array
  covariances: Float64Array
  logLikelihood: number
  history: number[]
  converged: boolean
  floored: number
  reseeded: number
}

const CHUNK = 1024

class MixtureRun {
  readonly #x: Dense
  readonly #k: number
  readonly #guard: CovarianceGuard
  readonly #kernel: GaussianKernel
  readonly #work: Float64Array
  readonly #rowScores: Float64Array

  constructor(x: Dense, k: number, guard: CovarianceGuard) {
    this.#x = x
    this.#k = k
    this.#guard = guard
    this.#kernel = new GaussianKernel(k, x.cols, isDiagonal(guard.type))
    this.#work = new Float64Array(CHUNK * k)
    this.#rowScores = new Float64Array(CHUNK)
  }

  from(start: MixtureStart | GaussianMixture): MixtureState {
    const plain = 'kind' in start
    const weights = Float64Array.from(plain ? start.weights.data : start.weights)
    const means = Float64Array.from(plain ? start.means.data : start.means)
    const covariances = Float64Array.from(plain ? start.covariances.data : start.covariances)
    const k = this.#k
    const d = this.#x.cols
    check(
      weights.length === k && means.length === k * d && covariances.length === k * d * d,
      WHERE,
      () => `start must hold ${k} weights, ${k * d} means and ${k * d * d} covariances.`,
    )
    const total = weights.reduce((a, b) => a + b, 0)
    check(
      total > 0 && weights.every((w) => w >= 0),
      WHERE,
      () => 'the weights must be at least 0, with a positive sum.',
    )
    for (let c = 0; c < k; c++) {
      weights[c]! /= total
      cholesky({ rows: d, cols: d, data: covariances.slice(c * d * d, (c + 1) * d * d) })
    }
    return state(weights, means, covariances)
  }

  seed(rng: Rng): MixtureState {
    const { rows: n, cols: d, data } = this.#x
    const k = this.#k
    const scaled = data.slice()
    const { scales } = this.#guard
    for (let t = 0; t < n; t++) for (let j = 0; j < d; j++) scaled[t * d + j]! /= Math.sqrt(scales[j]!)
    const centres = plusPlus(scaled, n, d, k, rng)
    // Three Lloyd passes, then one M-step from the hard assignment.
    const hard = new Float64Array(n * k)
    for (let pass = 0; pass < 4; pass++) {
      hard.fill(0)
      const sums = new Float64Array(k * d)
      const counts = new Float64Array(k)
      for (let t = 0; t < n; t++) {
        let label = 0
        let best = Number.POSITIVE_INFINITY
        for (let c = 0; c < k; c++) {
          const q = squared(scaled, t * d, centres, c * d, d)
          if (q < best) {
            best = q
            label = c
          }
        }
        hard[t * k + label] = 1
        counts[label]!++
        for (let j = 0; j < d; j++) sums[label * d + j]! += scaled[t * d + j]!
      }
      for (let c = 0; c < k; c++)
        if (counts[c]! > 0) for (let j = 0; j < d; j++) centres[c * d + j] = sums[c * d + j]! / counts[c]!
    }
    const weights = new Float64Array(k).fill(1 / k)
    const means = new Float64Array(k * d)
    const covariances = new Float64Array(k * d * d)
    for (let c = 0; c < k; c++)
      for (let j = 0; j < d; j++) {
        means[c * d + j] = centres[c * d + j]! * Math.sqrt(scales[j]!)
        covariances[(c * d + j) * d + j] = scales[j]!
      }
    const kernel = this.#kernel
    kernel.load(means, covariances)
    kernel.reset()
    kernel.accumulate(data, 0, n, hard)
    // A cluster of one or two rows keeps the overall covariance until EM has given it more.
    maximizeGaussians(kernel, this.#guard, means, covariances, Math.min(d, 2) + 0.5)
    for (let c = 0; c < k; c++) weights[c] = Math.max(kernel.counts[c]!, 1) / n
    const total = weights.reduce((a, b) => a + b, 0)
    for (let c = 0; c < k; c++) weights[c]! /= total
    return state(weights, means, covariances)
  }

  climb(from: MixtureState, maxIterations: number, tolerance: number, signal: AbortSignal | undefined): MixtureState {
    const { rows: n, cols: d, data } = this.#x
    const k = this.#k
    const kernel = this.#kernel
    const weights = from.weights.slice()
    const means = from.means.slice()
    const covariances = from.covariances.slice()
    const history = from.history.slice()
    let { floored, reseeded } = from
    let converged = false
    let logLikelihood = Number.NEGATIVE_INFINITY
    for (let iteration = 0; ; iteration++) {
      throwIfAborted(signal)
      if (!kernel.load(means, covariances)) {
        throw new RegimenError('a covariance became singular.', {
          code: 'SINGULAR_COVARIANCE',
          where: WHERE,
          hint: 'Raise floor or regularization above 0, or drop collinear columns.',
        })
      }
      kernel.reset()
      const last = iteration === maxIterations
      const { total, worst } = this.#expect(logWeights(weights), last)
      const gain = (total - logLikelihood) / n
      logLikelihood = total
      history.push(total)
      converged = tolerance > 0 && gain < tolerance
      if (last || converged) break
      floored = maximizeGaussians(kernel, this.#guard, means, covariances)
      for (let c = 0; c < k; c++) weights[c] = kernel.counts[c]! / n
      for (let c = 0; c < k; c++) {
        if (kernel.counts[c]! > 1e-6 || reseeded >= 5 * k) continue
        // The component starved: it moves to the worst explained row with the overall covariance.
        reseeded++
        means.set(data.subarray(worst * d, worst * d + d), c * d)
        covariances.fill(0, c * d * d, (c + 1) * d * d)
        for (let j = 0; j < d; j++) covariances[(c * d + j) * d + j] = this.#guard.scales[j]!
        weights[c] = 1 / n
        logLikelihood = Number.NEGATIVE_INFINITY
        history.length = 0
      }
      const sum = weights.reduce((a, b) => a + b, 0)
      for (let c = 0; c < k; c++) weights[c]! /= sum
    }
    return { weights, means, covariances, logLikelihood, history, converged, floored, reseeded }
  }

  entropy({ weights, means, covariances }: MixtureState): number {
    const { rows: n, data } = this.#x
    const k = this.#k
    this.#kernel.load(means, covariances)
    const logs = logWeights(weights)
    let total = 0
    for (let start = 0; start < n; start += CHUNK) {
      const end = Math.min(n, start + CHUNK)
      this.#kernel.expect(data, start, end, logs, this.#rowScores, false, this.#work)
      for (let i = 0; i < (end - start) * k; i++)
        if (this.#work[i]! > 0) total -= this.#work[i]! * Math.log(this.#work[i]!)
    }
    return total
  }

  #expect(logs: Float64Array, scoreOnly: boolean): { total: number; worst: number } {
    const { rows: n, data } = this.#x
    let total = 0
    let worst = 0
    let least = Number.POSITIVE_INFINITY
    for (let start = 0; start < n; start += CHUNK) {
      const end = Math.min(n, start + CHUNK)
      this.#kernel.expect(data, start, end, logs, this.#rowScores, !scoreOnly)
      for (let t = 0; t < end - start; t++) {
        const score = this.#rowScores[t]!
        total += score
        if (score < least) {
          least = score
          worst = start + t
        }
      }
    }
    return { total, worst }
  }
}

function state(weights: Float64Array, means: Float64Array, covariances: Float64Array): MixtureState {
  const logLikelihood = Number.NEGATIVE_INFINITY
  return { weights, means, covariances, logLikelihood, history: [], converged: false, floored: 0, reseeded: 0 }
}

function logWeights(weights: Float64Array): Float64Array {
  return weights.map((w) => (w > 0 ? Math.log(w) : -1e300))
}
