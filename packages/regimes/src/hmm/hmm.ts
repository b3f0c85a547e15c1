import { arrayLeaf, check, createRng, describe, type LongTaskOptions, type Rng, throwIfAborted } from '@regimen/core'
import { type Dense, lbfgs, numericalGradient, quantiles } from '@regimen/core/math'
import { plusPlus, squared } from '../cluster/k-means.ts'
import { checkCount, columnScales, type Float64Leaf, type Observations, toObservations } from '../observations.ts'
import { filterChain, smoothChain, stationaryOf } from './chain.ts'
import type { Emission, EmissionModel, EmissionOptions } from './emission.ts'
import { createEmission, openEmission } from './open-emission.ts'

/** Options of {@link fitHmm}. */
export interface HmmOptions extends LongTaskOptions {
  /** Number of hidden states, from 1 to 64. */
  states: number
  /** What the states emit. @default { family: 'gaussian' } */
  emission?: EmissionOptions
  /** Rows of each sequence where the observations hold several. @default one sequence */
  lengths?: readonly number[]
  /** Whether the first state's distribution is fitted or the one that the transitions leave unchanged. @default 'free' */
  startFrom?: 'free' | 'stationary'
  /** Pseudo-transitions added to every pair, from 0. @default 0 */
  transitionPrior?: number
  /** Pseudo-transitions added from every state to itself, from 0: longer regimes. @default 0 */
  sticky?: number
  /** Starts, from 1; the one with the highest penalized likelihood wins. @default 8 */
  restarts?: number
  /** EM iterations at most, from 1. @default 500 */
  maxIterations?: number
  /** Stops when the penalized log-likelihood of a row grows by less. 0 runs all iterations. @default 1e-9 */
  tolerance?: number
  /** Whether a quasi-Newton search finishes what EM began; for some thousand rows at most. @default false */
  polish?: boolean
  /** Smallest variance relative to the columns' variances. From 0 to 1. @default 0.001 */
  floor?: number
  /** Parts that keep their starting values; needs `start`. @default none */
  fixed?: readonly ('start' | 'transition' | 'emission')[]
  /** Model to start from instead of random starts. @default none */
  start?: HmmModel
  /** @default 0 */
  seed?: number | string
}

/** A fitted hidden Markov model as plain data. */
export type HmmModel = {
  readonly kind: 'hmm'
  readonly states: number
  readonly columns: number
  readonly start: Float64Leaf
  /** states × states, rows sum to 1. */
  readonly transition: Float64Leaf
  readonly emission: EmissionModel
  readonly logLikelihood: number
  /** Log-likelihood plus the logarithm of the priors. */
  readonly penalized: number
  /** Penalized log-likelihood at each iteration of the winning run. */
  readonly history: readonly number[]
  readonly converged: boolean
  readonly rows: number
  readonly parameters: number
  readonly bic: number
  readonly aic: number
  /** States that no row belongs to any more; their parameters are those of the last iteration in which one did. */
  readonly vanished: readonly number[]
  /** Variances of the training columns, to which the floor is relative. */
  readonly scales: Float64Leaf
  readonly floor: number
}

/** Where every function of this family reports from. */
export const HMM = 'regimes/hmm'

/**
 * Fits a hidden Markov model by Baum–Welch: states follow each other by a transition matrix and each emits observations of its
 * own distribution. The E-step needs only the filter's results (Kim's smoother), so nothing underflows, however long
 * the series. NaN marks a missing row, several sequences are told by `lengths`. States are ordered by their first column's
 * mean, so that state 0 is the lowest. Then `hmmFilter` for what was known at the time, `hmmSmooth` and `hmmViterbi` for hindsight,
 * `onlineHmm` for a running market.
 *
 * Gotchas: the surface has many maxima, hence `restarts`; `startFrom: 'stationary'` makes the M-step of the transitions
 * approximate; a million rows take about 60 bytes × states a row.
 *
 * ```ts
 * import { fitHmm } from '@regimen/regimes'
 *
 * const calm = [0.1, -0.2, 0, 0.1, -0.1, 0.2, 0, -0.1]
 * const model = fitHmm([...calm, ...calm.map((x) => x + 5), ...calm], { states: 2 })
 * model.emission.family // => 'gaussian'
 * model.transition.data[0]! > 0.9 // => true
 * ```
 *
 * Reference: Baum, Petrie, Soules and Weiss, Ann. Math. Statist. 41 (1970); Kim, J. Econometrics 60 (1994).
 */
export function fitHmm(observations: Observations, options: HmmOptions): HmmModel {
  const { states: k, emission: kind = { family: 'gaussian' }, startFrom = 'free', restarts = 8, seed = 0 } = options
  const { transitionPrior = 0, sticky = 0, maxIterations = 500, tolerance = 1e-9, floor = 1e-3, start } = options
  const { fixed = [], polish = false, signal, onProgress } = options
  const x = toObservations(observations, HMM, true)
  checkCount(k, 'states', HMM, 1, 64)
  checkCount(restarts, 'restarts', HMM)
  checkCount(maxIterations, 'maxIterations', HMM)
  check(transitionPrior >= 0 && sticky >= 0, HMM, () => 'transitionPrior and sticky must be at least 0.')
  check(floor >= 0 && floor < 1, HMM, () => `floor must be at least 0 and below 1, got ${describe(floor)}.`)
  check(fixed.length === 0 || start !== undefined, HMM, () => 'fixed needs the values to keep.', 'Pass start.')
  check(x.rows >= k, HMM, () => `${k} states need at least ${k} rows, got ${x.rows}.`)
  const begins = beginsOf(x.rows, options.lengths)
  const { variances } = columnScales(x)
  const rng = createRng(seed)
  const plan: Plan = { x, begins, k, startFrom, transitionPrior, sticky, fixed }
  const work = new Workspace(x.rows, k)
  let best: Run | undefined
  const starts = start ? 1 : restarts
  for (let r = 0; r < starts; r++) {
    throwIfAborted(signal)
    const run = start ? runFrom(start, k) : seedRun(plan, kind, floor, variances, r, rng.split(r))
    climb(plan, run, work, starts > 1 ? Math.min(maxIterations, 60) : maxIterations, tolerance, signal)
    if (best === undefined || run.penalized > best.penalized) best = run
    onProgress?.({ done: r + 1, total: starts })
  }
  const winner = best!
  if (starts > 1 && !winner.converged) climb(plan, winner, work, maxIterations, tolerance, signal)
  if (polish) polishRun(plan, winner, work)
  if (!start) order(winner)
  const free = (part: 'start' | 'transition' | 'emission', n: number): number => (fixed.includes(part) ? 0 : n)
  const parameters =
    free('start', startFrom === 'free' ? k - 1 : 0) +
    free('transition', k * (k - 1)) +
    free('emission', winner.emission.parameters)
  return {
    kind: 'hmm',
    states: k,
    columns: x.cols,
    start: arrayLeaf('float64', [k], winner.start),
    transition: arrayLeaf('float64', [k, k], winner.transition),
    emission: winner.emission.model(),
    logLikelihood: winner.logLikelihood,
    penalized: winner.penalized,
    history: winner.history,
    converged: winner.converged,
    rows: x.rows,
    parameters,
    bic: -2 * winner.logLikelihood + parameters * Math.log(x.rows),
    aic: -2 * winner.logLikelihood + 2 * parameters,
    vanished: winner.vanished,
    scales: arrayLeaf('float64', [x.cols], variances),
    floor,
  }
}

interface Plan {
  x: Dense
  begins: readonly number[]
  k: number
  startFrom: 'free' | 'stationary'
  transitionPrior: number
  sticky: number
  fixed: readonly string[]
}

interface Run {
  start: Float64Array
  transition: Float64Array
  emission: Emission
  logLikelihood: number
  penalized: number
  history: number[]
  converged: boolean
  vanished: readonly number[]
}

class Workspace {
  readonly logB: Float64Array
  readonly predicted: Float64Array
  readonly filtered: Float64Array
  readonly smoothed: Float64Array

  constructor(rows: number, k: number) {
    this.logB = new Float64Array(rows * k)
    this.predicted = new Float64Array(rows * k)
    this.filtered = new Float64Array(rows * k)
    this.smoothed = new Float64Array(rows * k)
  }
}

/** First row of every sequence. */
export function beginsOf(rows: number, lengths: readonly number[] | undefined): number[] {
  if (lengths === undefined) return [0]
  const total = lengths.reduce((a, b) => a + b, 0)
  check(
    total === rows && lengths.every((n) => Number.isInteger(n) && n > 0),
    HMM,
    () => `lengths must be positive integers that add up to ${rows}, got ${describe(lengths)}.`,
  )
  const begins: number[] = []
  let at = 0
  for (const n of lengths) {
    begins.push(at)
    at += n
  }
  return begins
}

/** Filters every sequence; returns the log-likelihood. */
export function filterAll(
  k: number,
  start: Float64Array,
  transition: Float64Array,
  emission: Emission,
  x: Dense,
  begins: readonly number[],
  work: { logB: Float64Array; predicted: Float64Array; filtered: Float64Array },
): number {
  const chain = { k, start, transition, stride: 0 }
  let total = 0
  begins.forEach((begin, s) => {
    const end = begins[s + 1] ?? x.rows
    emission.logDensities(x.data, begin, end, work.logB, begin)
    total += filterChain(chain, work.logB, begin, end, work.predicted, work.filtered)
  })
  return total
}

function climb(
  plan: Plan,
  run: Run,
  work: Workspace,
  maxIterations: number,
  tolerance: number,
  signal: AbortSignal | undefined,
): void {
  const { x, begins, k, fixed, startFrom } = plan
  for (let iteration = 0; ; iteration++) {
    throwIfAborted(signal)
    run.logLikelihood = filterAll(k, run.start, run.transition, run.emission, x, begins, work)
    const before = run.penalized
    run.penalized = run.logLikelihood + logPrior(plan, run.transition)
    run.history.push(run.penalized)
    run.converged = tolerance > 0 && Number.isFinite(before) && run.penalized - before < tolerance * x.rows
    if (iteration === maxIterations || run.converged) return
    const pairs = new Float64Array(k * k)
    const chain = { k, start: run.start, transition: run.transition, stride: 0 }
    begins.forEach((begin, s) => {
      smoothChain(chain, begin, begins[s + 1] ?? x.rows, work.predicted, work.filtered, work.smoothed, pairs)
    })
    if (!fixed.includes('emission')) run.vanished = run.emission.maximize(x, work.smoothed, begins)
    if (!fixed.includes('transition')) {
      for (let i = 0; i < k; i++) {
        let total = 0
        for (let j = 0; j < k; j++) {
          const at = i * k + j
          pairs[at] = pairs[at]! * run.transition[at]! + plan.transitionPrior + (i === j ? plan.sticky : 0)
          total += pairs[at]!
        }
        if (total > 1e-12) for (let j = 0; j < k; j++) run.transition[i * k + j] = pairs[i * k + j]! / total
      }
    }
    if (fixed.includes('start')) continue
    if (startFrom === 'stationary') run.start.set(stationaryOf(run.transition, k))
    else {
      run.start.fill(0)
      for (const begin of begins)
        for (let j = 0; j < k; j++) run.start[j]! += work.smoothed[begin * k + j]! / begins.length
    }
  }
}

function logPrior(plan: Plan, transition: Float64Array): number {
  const { k, transitionPrior, sticky } = plan
  if (transitionPrior === 0 && sticky === 0) return 0
  let total = 0
  for (let i = 0; i < k; i++)
    for (let j = 0; j < k; j++) {
      const weight = transitionPrior + (i === j ? sticky : 0)
      if (weight > 0) total += weight * Math.log(transition[i * k + j]!)
    }
  return total
}

function runFrom(model: HmmModel, k: number): Run {
  check(model.states === k, HMM, () => `the model to start from has ${model.states} states, not ${k}.`)
  return blank(model.start.data.slice(), model.transition.data.slice(), openEmission(model))
}

function blank(start: Float64Array, transition: Float64Array, emission: Emission): Run {
  const none = Number.NEGATIVE_INFINITY
  return {
    start,
    transition,
    emission,
    logLikelihood: none,
    penalized: none,
    history: [],
    converged: false,
    vanished: [],
  }
}

function seedRun(plan: Plan, kind: EmissionOptions, floor: number, scales: Float64Array, r: number, rng: Rng): Run {
  const { x, begins, k } = plan
  const labels = [labelsByCluster, labelsByTurbulence, labelsByBlock][r % 3]!(x, k, scales, rng)
  const weights = new Float64Array(x.rows * k)
  for (let t = 0; t < x.rows; t++)
    for (let j = 0; j < k; j++) weights[t * k + j] = j === labels[t] ? 0.9 + 0.1 / k : 0.1 / k
  const emission = createEmission(x, k, kind, floor, scales, rng)
  emission.maximize(x, weights, begins)
  const stay = k === 1 ? 1 : [0.9, 0.95, 0.8][r % 3]!
  const transition = new Float64Array(k * k).fill(k === 1 ? 1 : (1 - stay) / (k - 1))
  for (let j = 0; j < k; j++) transition[j * k + j] = stay
  return blank(new Float64Array(k).fill(1 / k), transition, emission)
}

function labelsByCluster(x: Dense, k: number, scales: Float64Array, rng: Rng): Int32Array {
  const { rows: n, cols: d, data } = x
  const scaled = data.map((value, i) => (Number.isNaN(value) ? 0 : value / Math.sqrt(scales[i % d]!)))
  const centres = plusPlus(scaled, n, d, k, rng)
  const labels = new Int32Array(n)
  for (let pass = 0; pass < 10; pass++) {
    const sums = new Float64Array(k * d)
    const counts = new Float64Array(k)
    for (let t = 0; t < n; t++) {
      let best = Number.POSITIVE_INFINITY
      for (let c = 0; c < k; c++) {
        const q = squared(scaled, t * d, centres, c * d, d)
        if (q < best) {
          best = q
          labels[t] = c
        }
      }
      counts[labels[t]!]!++
      for (let j = 0; j < d; j++) sums[labels[t]! * d + j]! += scaled[t * d + j]!
    }
    for (let c = 0; c < k; c++)
      if (counts[c]! > 0) for (let j = 0; j < d; j++) centres[c * d + j] = sums[c * d + j]! / counts[c]!
  }
  return labels
}

/** Splits by how large the observations around a row are, which separates calm from wild at equal means. */
function labelsByTurbulence(x: Dense, k: number, scales: Float64Array, rng: Rng): Int32Array {
  const { rows: n, cols: d, data } = x
  const { means } = columnScales(x)
  const width = rng.int(2, Math.max(3, Math.min(30, Math.floor(n / (4 * k)) + 3)))
  const size = new Float64Array(n)
  let level = 0
  for (let t = 0; t < n; t++) {
    let q = 0
    for (let j = 0; j < d; j++) {
      const delta = data[t * d + j]! - means[j]!
      if (!Number.isNaN(delta)) q += (delta * delta) / scales[j]!
    }
    level += (q - level) / Math.min(t + 1, width)
    size[t] = level
  }
  const cuts = quantiles(
    size,
    Array.from({ length: k - 1 }, (_, j) => (j + 1) / k),
  )
  return Int32Array.from(size, (value) => {
    let label = 0
    while (label < k - 1 && value > cuts[label]!) label++
    return label
  })
}

function labelsByBlock(x: Dense, k: number, _scales: Float64Array, rng: Rng): Int32Array {
  const labels = new Int32Array(x.rows)
  const length = Math.max(1, Math.floor(x.rows / (6 * k)))
  let label = 0
  for (let t = 0; t < x.rows; t++) {
    if (t % length === 0) label = rng.int(0, k)
    labels[t] = label
  }
  return labels
}

/** Maximizes over the logits of the transitions and the emissions' natural numbers; the start stays as EM left it. */
function polishRun(plan: Plan, run: Run, work: Workspace): void {
  const { x, begins, k } = plan
  const moves = plan.fixed.includes('transition') ? 0 : k * (k - 1)
  const { values } = plan.fixed.includes('emission') ? { values: new Float64Array(0) } : run.emission.natural()
  const size = Float64Array.from(values, (v) => Math.max(Math.abs(v), 1e-3))
  const from = new Float64Array(moves + values.length)
  for (let i = 0, at = 0; at < moves; i++)
    for (let j = 0; j < k; j++)
      if (j !== i)
        from[at++] = Math.log(Math.max(run.transition[i * k + j]!, 1e-12) / Math.max(run.transition[i * k + i]!, 1e-12))
  for (let i = 0; i < values.length; i++) from[moves + i] = values[i]! / size[i]!
  const apply = (v: Float64Array): boolean => {
    for (let i = 0, at = 0; at < moves; i++) {
      let total = 1
      for (let j = 0; j < k; j++) if (j !== i) total += run.transition[i * k + j] = Math.exp(v[at++]!)
      run.transition[i * k + i] = 1
      for (let j = 0; j < k; j++) run.transition[i * k + j]! /= total
    }
    if (plan.startFrom === 'stationary') run.start.set(stationaryOf(run.transition, k))
    return values.length === 0 || run.emission.adopt(v.slice(moves).map((value, i) => value * size[i]!))
  }
  const loss = (v: Float64Array): number =>
    apply(v)
      ? -filterAll(k, run.start, run.transition, run.emission, x, begins, work) - logPrior(plan, run.transition)
      : Number.NaN
  const before = run.penalized
  const { x: to, value } = lbfgs(
    (v, gradient) => {
      numericalGradient(loss, v, gradient)
      return loss(v)
    },
    from,
    { maxIterations: 200, gradientTolerance: 1e-5 },
  )
  apply(-value > before ? to : from)
  run.logLikelihood = filterAll(k, run.start, run.transition, run.emission, x, begins, work)
  run.penalized = run.logLikelihood + logPrior(plan, run.transition)
  run.history.push(run.penalized)
}

/** Orders the states by the mean of the first column, then by its variance. */
function order(run: Run): void {
  const k = run.start.length
  const moments = Array.from({ length: k }, (_, j) => run.emission.moments(j))
  const to = Array.from({ length: k }, (_, j) => j).sort(
    (a, b) =>
      moments[a]!.mean[0]! - moments[b]!.mean[0]! || moments[a]!.covariance[0]! - moments[b]!.covariance[0]! || a - b,
  )
  const { start, transition } = { start: run.start.slice(), transition: run.transition.slice() }
  to.forEach((from, i) => {
    run.start[i] = start[from]!
    to.forEach((target, j) => {
      run.transition[i * k + j] = transition[from * k + target]!
    })
  })
  run.emission.reorder(to)
  run.vanished = run.vanished.map((state) => to.indexOf(state))
}
