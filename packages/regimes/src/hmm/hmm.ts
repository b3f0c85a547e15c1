import { arrayLeaf, check, createRng, describe, type LongTaskOptions, throwIfAborted } from '@regimen/core'
import { checkCount, columnScales, type Float64Leaf, type Observations, toObservations } from '../observations.ts'
import { smoothChain, stationaryOf } from './chain.ts'
import type { EmissionModel, EmissionOptions } from './emission.ts'
import { openEmission } from './open-emission.ts'
import { polishRun } from './polish.ts'
import { beginsOf, blank, filterAll, HMM, logPrior, type Plan, type Run, Workspace } from './run.ts'
import { seedRun } from './seeds.ts'

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

function runFrom(model: HmmModel, k: number): Run {
  check(model.states === k, HMM, () => `the model to start from has ${model.states} states, not ${k}.`)
  return blank(model.start.data.slice(), model.transition.data.slice(), openEmission(model))
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
