import { arrayLeaf, check, createRng } from '@regimen/core'
import { cholesky, choleskyInverse, type Dense, numericalHessian } from '@regimen/core/math'
import { checkCount, type Float64Leaf, type Observations, toObservations } from '../observations.ts'
import { smoothChain, viterbiChain } from './chain.ts'
import type { Emission } from './emission.ts'
import type { HmmModel } from './hmm.ts'
import { openEmission } from './open-emission.ts'
import { beginsOf, filterAll, HMM } from './run.ts'

/** Probabilities of the states at each row, rows × states, row-major. */
export interface HmmBeliefs {
  /** P(state at t | rows up to t). */
  readonly filtered: Float64Array
  /** P(state at t | rows before t). */
  readonly predicted: Float64Array
  readonly logLikelihood: number
}

/**
 * Filters: P(state at t | rows up to t) at each row, what was known at the time. Appending rows changes nothing before them.
 *
 * ```ts
 * import { fitHmm, hmmFilter } from '@regimen/regimes'
 *
 * const x = [0, 1, 0, 1, 9, 8, 9, 8, 0, 1, 0, 1]
 * const { filtered } = hmmFilter(fitHmm(x, { states: 2 }), x)
 * filtered[0]! > 0.99 // => true
 * filtered[4 * 2]! < 0.01 // => true
 * ```
 *
 * Reference: Rabiner, Proc. IEEE 77 (1989), equations 18 to 20.
 */
export function hmmFilter(model: HmmModel, observations: Observations, lengths?: readonly number[]): HmmBeliefs {
  const { work, logLikelihood } = run(model, observations, lengths)
  return { filtered: work.filtered, predicted: work.predicted, logLikelihood }
}

/**
 * Predicts the state `h` rows after a belief: p · Aʰ.
 *
 * ```ts
 * import { fitHmm, hmmPredictNext } from '@regimen/regimes'
 *
 * const model = fitHmm([0, 1, 0, 1, 9, 8, 9, 8, 0, 1, 0, 1], { states: 2 })
 * const next = hmmPredictNext(model, [1, 0], 3)
 * next[0]! + next[1]! // ≈ 1
 * ```
 */
export function hmmPredictNext(model: HmmModel, belief: ArrayLike<number>, h = 1): Float64Array {
  checkCount(h, 'h', HMM, 0)
  const { states: k, transition } = model
  check(belief.length === k, HMM, () => `the belief needs ${k} probabilities, got ${belief.length}.`)
  let p: Float64Array = Float64Array.from(belief)
  for (let step = 0; step < h; step++) {
    const next = new Float64Array(k)
    for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) next[j]! += p[i]! * transition.data[i * k + j]!
    p = next
  }
  return p
}

/**
 * Smooths: P(state at t | all rows), rows × states. It looks ahead: use it to study the past, never to trade it.
 *
 * ```ts
 * import { fitHmm, hmmSmooth } from '@regimen/regimes'
 *
 * const x = [0, 1, 0, 1, 9, 8, 9, 8, 0, 1, 0, 1]
 * hmmSmooth(fitHmm(x, { states: 2 }), x).length // => 24
 * ```
 *
 * Reference: Kim, J. Econometrics 60 (1994).
 */
export function hmmSmooth(model: HmmModel, observations: Observations, lengths?: readonly number[]): Float64Array {
  const { work, begins, x } = run(model, observations, lengths)
  const smoothed = new Float64Array(x.rows * model.states)
  begins.forEach((begin, s) => {
    smoothChain(chainOf(model), begin, begins[s + 1] ?? x.rows, work.predicted, work.filtered, smoothed)
  })
  return smoothed
}

/**
 * Smooths with a fixed delay: row t holds P(state at t | rows up to t + lag), so it is known `lag` rows later. Steadier than the
 * filter, and honest as long as it is used at t + lag. The last rows use what there is.
 *
 * ```ts
 * import { fitHmm, hmmFixedLagSmooth } from '@regimen/regimes'
 *
 * const x = [0, 1, 0, 1, 9, 8, 9, 8, 0, 1, 0, 1]
 * hmmFixedLagSmooth(fitHmm(x, { states: 2 }), x, 2).length // => 24
 * ```
 */
export function hmmFixedLagSmooth(model: HmmModel, observations: Observations, lag: number): Float64Array {
  checkCount(lag, 'lag', HMM, 0)
  const { work, x } = run(model, observations, undefined)
  const { states: k } = model
  const out = new Float64Array(x.rows * k)
  const smoothed = new Float64Array(x.rows * k)
  for (let t = 0; t < x.rows; t++) {
    smoothChain(chainOf(model), t, Math.min(x.rows, t + lag + 1), work.predicted, work.filtered, smoothed)
    out.set(smoothed.subarray(t * k, t * k + k), t * k)
  }
  return out
}

/**
 * Finds the likeliest sequence of states given all rows. It looks ahead; its past changes when rows are added.
 *
 * ```ts
 * import { fitHmm, hmmViterbi } from '@regimen/regimes'
 *
 * const x = [0, 1, 0, 1, 9, 8, 9, 8, 0, 1, 0, 1]
 * Array.from(hmmViterbi(fitHmm(x, { states: 2 }), x).path) // => [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]
 * ```
 *
 * Reference: Viterbi, IEEE Trans. Inf. Theory 13 (1967).
 */
export function hmmViterbi(
  model: HmmModel,
  observations: Observations,
  lengths?: readonly number[],
): { path: Int32Array; logProbability: number } {
  const x = observe(model, observations)
  const begins = beginsOf(x.rows, lengths)
  const emission = openEmission(model)
  const logB = new Float64Array(x.rows * model.states)
  const path = new Int32Array(x.rows)
  let logProbability = 0
  begins.forEach((begin, s) => {
    const end = begins[s + 1] ?? x.rows
    emission.logDensities(x.data, begin, end, logB, begin)
    logProbability += viterbiChain(chainOf(model), logB, begin, end, path)
  })
  return { path, logProbability }
}

/**
 * Computes the log-likelihood ln p(x_1 … x_T) of rows under a model.
 *
 * ```ts
 * import { fitHmm, hmmScore } from '@regimen/regimes'
 *
 * const x = [0, 1, 0, 1, 9, 8, 9, 8, 0, 1, 0, 1]
 * const model = fitHmm(x, { states: 2 })
 * hmmScore(model, x) - model.logLikelihood // ≈ 0
 * ```
 */
export function hmmScore(model: HmmModel, observations: Observations, lengths?: readonly number[]): number {
  return run(model, observations, lengths).logLikelihood
}

/**
 * Draws states and rows from a model.
 *
 * ```ts
 * import { fitHmm, hmmSample } from '@regimen/regimes'
 *
 * const model = fitHmm([0, 1, 0, 1, 9, 8, 9, 8, 0, 1, 0, 1], { states: 2 })
 * hmmSample(model, 50, 1).rows.length // => 50
 * ```
 */
export function hmmSample(
  model: HmmModel,
  length: number,
  seed: number | string,
): { states: Int32Array; rows: number[][] } {
  checkCount(length, 'length', HMM)
  const rng = createRng(seed)
  const emission = openEmission(model)
  const { states: k, transition } = model
  const states = new Int32Array(length)
  const rows: number[][] = []
  for (let t = 0; t < length; t++) {
    const from = t === 0 ? model.start.data : transition.data.subarray(states[t - 1]! * k, (states[t - 1]! + 1) * k)
    states[t] = rng.categorical(from)
    rows.push(emission.sample(states[t]!, rng, rows))
  }
  return { states, rows }
}

/** What a regime is like: how long it lasts, how often it occurs, what it emits. */
export interface RegimeStatistics {
  /** Expected rows in the regime once it has begun: 1 / (1 − a_ii). */
  readonly duration: number
  /** Long-run share of rows. */
  readonly share: number
  /** Mean of the emissions, a number a column. */
  readonly mean: readonly number[]
  /** Standard deviation of the emissions, a number a column. */
  readonly deviation: readonly number[]
}

/**
 * Summarizes each state: expected duration, long-run share, mean and deviation of what it emits.
 *
 * ```ts
 * import { fitHmm, hmmStatistics } from '@regimen/regimes'
 *
 * const model = fitHmm([0, 1, 0, 1, 9, 8, 9, 8, 0, 1, 0, 1], { states: 2 })
 * hmmStatistics(model).map((state) => state.mean[0]! > 4) // => [false, true]
 * ```
 */
export function hmmStatistics(model: HmmModel): RegimeStatistics[] {
  const emission = openEmission(model)
  const { states: k, transition } = model
  let share = new Float64Array(k).fill(1 / k)
  // Averaging a step with standing still keeps periodic chains from oscillating.
  for (let i = 0; i < 2000; i++) {
    const next = hmmPredictNext(model, share)
    share = share.map((p, j) => 0.5 * (p + next[j]!))
  }
  return Array.from({ length: k }, (_, j) => {
    const { mean, covariance } = emission.moments(j)
    const d = mean.length
    return {
      duration: 1 / (1 - transition.data[j * k + j]!),
      share: share[j]!,
      mean: Array.from(mean),
      deviation: Array.from(mean, (_m, i) => Math.sqrt(covariance[i * d + i]!)),
    }
  })
}

/** Estimates with their standard errors. */
export interface StandardErrors {
  readonly names: readonly string[]
  readonly values: Float64Leaf
  /** NaN where the likelihood is flat or the estimate lies on its bound. */
  readonly errors: Float64Leaf
}

/**
 * Computes standard errors from the observed information: the square roots of the diagonal of the inverse of −∂² ln L at the
 * estimates, by finite differences. Transition probabilities at 0 or 1 are left out and get NaN. Costs 2 · parameters² filter
 * runs.
 *
 * ```ts
 * import { fitHmm, hmmStandardErrors } from '@regimen/regimes'
 *
 * const x = Array.from({ length: 60 }, (_, t) => Math.sin(t * t) + (t % 20 < 10 ? 0 : 4))
 * const { names } = hmmStandardErrors(fitHmm(x, { states: 2 }), x)
 * names.slice(0, 3) // => ['transition[0][0]', 'transition[1][0]', 'mean[0][0]']
 * ```
 */
export function hmmStandardErrors(
  model: HmmModel,
  observations: Observations,
  lengths?: readonly number[],
): StandardErrors {
  const x = observe(model, observations)
  const begins = beginsOf(x.rows, lengths)
  const { states: k } = model
  const emission = openEmission(model)
  const own = emission.natural()
  const names: string[] = []
  const values: number[] = []
  for (let i = 0; i < k; i++)
    for (let j = 0; j < k - 1; j++) {
      names.push(`transition[${i}][${j}]`)
      values.push(model.transition.data[i * k + j]!)
    }
  const moves = values.length
  names.push(...own.names)
  values.push(...own.values)
  const free = values.map((v, i) => i >= moves || (v > 1e-3 && v < 1 - 1e-3))
  const open = values.flatMap((_, i) => (free[i] ? [i] : []))
  const work = workspace(x.rows, k)
  const transition = model.transition.data.slice()
  const size = (i: number): number => Math.max(Math.abs(values[i]!), 1e-2)
  const full = Float64Array.from(values)
  const loss = (v: Float64Array): number => {
    open.forEach((i, at) => {
      full[i] = v[at]! * size(i)
    })
    for (let i = 0, at = 0; i < k; i++) {
      let rest = 1
      for (let j = 0; j < k - 1; j++) rest -= transition[i * k + j] = full[at++]!
      transition[i * k + k - 1] = Math.max(rest, 0)
    }
    if (!emission.adopt(full.slice(moves))) return Number.NaN
    return -filterAll(k, model.start.data, transition, emission, x, begins, work)
  }
  const hessian = numericalHessian(
    loss,
    open.map((i) => values[i]! / size(i)),
  )
  const errors = new Float64Array(values.length).fill(Number.NaN)
  if (hessian.data.every(Number.isFinite)) {
    const inverse = choleskyInverse(cholesky(hessian))
    open.forEach((i, at) => {
      errors[i] = Math.sqrt(inverse.data[at * open.length + at]!) * size(i)
    })
  }
  return {
    names,
    values: arrayLeaf('float64', [values.length], values),
    errors: arrayLeaf('float64', [values.length], errors),
  }
}

function chainOf(model: HmmModel) {
  return { k: model.states, start: model.start.data, transition: model.transition.data, stride: 0 }
}

function observe(model: HmmModel, observations: Observations): Dense {
  const x = toObservations(observations, HMM, true)
  check(x.cols === model.columns, HMM, () => `the model has ${model.columns} columns, got ${x.cols}.`)
  return x
}

function workspace(rows: number, k: number) {
  return {
    logB: new Float64Array(rows * k),
    predicted: new Float64Array(rows * k),
    filtered: new Float64Array(rows * k),
  }
}

function run(model: HmmModel, observations: Observations, lengths: readonly number[] | undefined) {
  const x = observe(model, observations)
  const begins = beginsOf(x.rows, lengths)
  const work = workspace(x.rows, model.states)
  const emission: Emission = openEmission(model)
  const { start, transition, states: k } = model
  const logLikelihood = filterAll(k, start.data, transition.data, emission, x, begins, work)
  return { x, begins, work, logLikelihood }
}
