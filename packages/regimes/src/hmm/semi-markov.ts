import { arrayLeaf, check, describe, throwIfAborted } from '@regimen/core'
import { checkCount, type Float64Leaf, type Observations, toObservations } from '../observations.ts'
import type { EmissionModel } from './emission.ts'
import { fitHmm, type HmmOptions } from './hmm.ts'
import { openEmission } from './open-emission.ts'
import { backward, type DurationChain, forward, likeliestPath } from './semi-markov-chain.ts'

/** Options of {@link fitSemiMarkov}. */
export interface SemiMarkovOptions
  extends Pick<HmmOptions, 'emission' | 'restarts' | 'tolerance' | 'floor' | 'seed' | 'signal' | 'onProgress'> {
  /** Number of hidden states, from 2 to 64. */
  states: number
  /** Longest stay in rows, from 1; longer ones count as two. @default 100 */
  maxDuration?: number
  /** Pseudo-stays added to every duration of every state, from 0. @default 0.05 */
  durationPrior?: number
  /** EM iterations at most, from 1. @default 100 */
  maxIterations?: number
}

/** A fitted explicit-duration hidden Markov model as plain data. */
export type SemiMarkovModel = {
  readonly kind: 'semi-markov'
  readonly states: number
  readonly columns: number
  readonly maxDuration: number
  readonly start: Float64Leaf
  /** states × states with a zero diagonal: where a stay's end leads. */
  readonly transition: Float64Leaf
  /** states × maxDuration: P(a stay lasts 1, 2, … rows). */
  readonly durations: Float64Leaf
  readonly emission: EmissionModel
  readonly logLikelihood: number
  /** Log-likelihood plus the logarithm of the prior at each iteration. */
  readonly history: readonly number[]
  readonly converged: boolean
  readonly scales: Float64Leaf
  readonly floor: number
}

const WHERE = 'regimes/semi-markov'

/**
 * Fits a hidden semi-Markov model: each stay in a state draws its length from the state's own distribution over 1 … maxDuration
 * and then moves to another state. Expectation–maximization over pairs (state, rows left), started from `fitHmm`. Choose it over
 * `fitHmm` where regimes have a typical length: a Markov chain's stays are geometric, most likely one row long.
 *
 * Gotchas: time and memory grow with rows × states × maxDuration; the first stay counts from the first row and the last may be
 * cut off by the end of the data.
 *
 * ```ts
 * import { fitSemiMarkov } from '@regimen/regimes'
 *
 * // Stays of exactly three rows.
 * const x = Array.from({ length: 60 }, (_, t) => (Math.floor(t / 3) % 2) * 5 + Math.sin(t * t) / 5)
 * const { durations } = fitSemiMarkov(x, { states: 2, maxDuration: 6, durationPrior: 0 })
 * durations.data[2] // ≈ 1
 * ```
 *
 * Reference: Yu, Hidden semi-Markov models, Artif. Intell. 174 (2010), section 3 (residual-time model).
 */
export function fitSemiMarkov(observations: Observations, options: SemiMarkovOptions): SemiMarkovModel {
  const { states: k, maxDuration: longest = 100, durationPrior = 0.05, maxIterations = 100 } = options
  const { tolerance = 1e-7, signal, onProgress } = options
  checkCount(k, 'states', WHERE, 2, 64)
  checkCount(longest, 'maxDuration', WHERE, 1, 100_000)
  checkCount(maxIterations, 'maxIterations', WHERE)
  check(durationPrior >= 0, WHERE, () => `durationPrior must be at least 0, got ${describe(durationPrior)}.`)
  const x = toObservations(observations, WHERE, true)
  const { states, emission: kind, restarts, floor, seed } = options
  const given = { emission: kind, restarts, floor, seed, signal }
  const base = fitHmm(x, { states, ...Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined)) })
  const emission = openEmission(base)
  const chain = fromMarkov(k, longest, base.start.data, base.transition.data)
  const logB = new Float64Array(x.rows * k)
  const smoothed = new Float64Array(x.rows * k)
  const history: number[] = []
  let logLikelihood = Number.NEGATIVE_INFINITY
  let converged = false
  for (let iteration = 0; ; iteration++) {
    throwIfAborted(signal)
    emission.logDensities(x.data, 0, x.rows, logB, 0)
    const run = forward(chain, logB, x.rows)
    logLikelihood = run.logLikelihood
    let value = logLikelihood
    if (durationPrior > 0) for (const p of chain.durations) value += durationPrior * Math.log(p)
    converged = tolerance > 0 && iteration > 0 && value - history.at(-1)! < tolerance * x.rows
    history.push(value)
    onProgress?.({ done: iteration, total: maxIterations })
    if (converged || iteration === maxIterations) break
    const sums = backward(chain, logB, x.rows, run, smoothed)
    emission.maximize(x, smoothed, [0])
    normalizeRows(sums.moves, k, 0, chain.transition)
    normalizeRows(sums.stays, longest, durationPrior, chain.durations)
    chain.start.set(smoothed.subarray(0, k))
  }
  return {
    kind: 'semi-markov',
    states: k,
    columns: x.cols,
    maxDuration: longest,
    start: arrayLeaf('float64', [k], chain.start),
    transition: arrayLeaf('float64', [k, k], chain.transition),
    durations: arrayLeaf('float64', [k, longest], chain.durations),
    emission: emission.model(),
    logLikelihood,
    history,
    converged,
    scales: base.scales,
    floor: base.floor,
  }
}

/**
 * Filters with a semi-Markov model: P(state at t | rows up to t), rows × states, and the log-likelihood. Causal.
 *
 * ```ts
 * import { fitSemiMarkov, semiMarkovFilter } from '@regimen/regimes'
 *
 * const x = Array.from({ length: 60 }, (_, t) => (Math.floor(t / 3) % 2) * 5 + Math.sin(t * t) / 5)
 * const model = fitSemiMarkov(x, { states: 2, maxDuration: 6 })
 * semiMarkovFilter(model, x).filtered[0]! > 0.99 // => true
 * ```
 */
export function semiMarkovFilter(
  model: SemiMarkovModel,
  observations: Observations,
): { filtered: Float64Array; logLikelihood: number } {
  const { chain, logB, rows } = open(model, observations)
  const { filtered, logLikelihood } = forward(chain, logB, rows)
  return { filtered, logLikelihood }
}

/**
 * Smooths with a semi-Markov model: P(state at t | all rows), rows × states. It looks ahead.
 *
 * ```ts
 * import { fitSemiMarkov, semiMarkovSmooth } from '@regimen/regimes'
 *
 * const x = Array.from({ length: 60 }, (_, t) => (Math.floor(t / 3) % 2) * 5 + Math.sin(t * t) / 5)
 * semiMarkovSmooth(fitSemiMarkov(x, { states: 2, maxDuration: 6 }), x).length // => 120
 * ```
 */
export function semiMarkovSmooth(model: SemiMarkovModel, observations: Observations): Float64Array {
  const { chain, logB, rows } = open(model, observations)
  const smoothed = new Float64Array(rows * model.states)
  backward(chain, logB, rows, forward(chain, logB, rows), smoothed)
  return smoothed
}

/**
 * Finds the likeliest sequence of states and stays given all rows. It looks ahead.
 *
 * ```ts
 * import { fitSemiMarkov, semiMarkovViterbi } from '@regimen/regimes'
 *
 * const x = Array.from({ length: 60 }, (_, t) => (Math.floor(t / 3) % 2) * 5 + Math.sin(t * t) / 5)
 * const { path } = semiMarkovViterbi(fitSemiMarkov(x, { states: 2, maxDuration: 6 }), x)
 * Array.from(path.slice(0, 6)) // => [0, 0, 0, 1, 1, 1]
 * ```
 */
export function semiMarkovViterbi(
  model: SemiMarkovModel,
  observations: Observations,
): { path: Int32Array; logProbability: number } {
  const { chain, logB, rows } = open(model, observations)
  return likeliestPath(chain, logB, rows)
}

function open(model: SemiMarkovModel, observations: Observations) {
  const x = toObservations(observations, WHERE, true)
  const { states: k, columns, maxDuration: longest, start, transition, durations } = model
  check(x.cols === columns, WHERE, () => `the model has ${columns} columns, got ${x.cols}.`)
  const logB = new Float64Array(x.rows * k)
  openEmission(model).logDensities(x.data, 0, x.rows, logB, 0)
  const chain: DurationChain = {
    k,
    longest,
    start: start.data,
    transition: transition.data,
    durations: durations.data,
  }
  return { chain, logB, rows: x.rows }
}

/** Geometric stays, cut at the longest, and the same moves. */
function fromMarkov(k: number, longest: number, start: Float64Array, transition: Float64Array): DurationChain {
  const moves = new Float64Array(k * k)
  const durations = new Float64Array(k * longest)
  for (let i = 0; i < k; i++) {
    const stay = Math.min(transition[i * k + i]!, 0.999)
    for (let r = 0; r < longest; r++) durations[i * longest + r] = stay ** r
    for (let j = 0; j < k; j++) if (j !== i) moves[i * k + j] = transition[i * k + j]! + 1e-3
  }
  normalizeRows(moves, k, 0, moves)
  normalizeRows(durations, longest, 0, durations)
  // A state that began the series for certain must not stay the only one that may.
  const first = start.map((p) => 0.99 * p + 0.01 / k)
  return { k, longest, start: first, transition: moves, durations }
}

function normalizeRows(sums: Float64Array, width: number, prior: number, out: Float64Array): void {
  for (let at = 0; at < sums.length; at += width) {
    let total = prior * width
    for (let j = 0; j < width; j++) total += sums[at + j]!
    if (total > 1e-12) for (let j = 0; j < width; j++) out[at + j] = (sums[at + j]! + prior) / total
  }
}
