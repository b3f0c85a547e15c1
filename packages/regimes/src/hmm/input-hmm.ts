import { arrayLeaf, check, describe, throwIfAborted } from '@regimen/core'
import { type Dense, lbfgs } from '@regimen/core/math'
import { checkCount, type Float64Leaf, type Observations, toObservations } from '../observations.ts'
import { filterChain, smoothChain } from './chain.ts'
import type { EmissionModel } from './emission.ts'
import { fitHmm, type HmmOptions } from './hmm.ts'
import { openEmission } from './open-emission.ts'

/** Options of {@link fitInputHmm}. */
export interface InputHmmOptions
  extends Pick<HmmOptions, 'emission' | 'restarts' | 'tolerance' | 'floor' | 'seed' | 'signal' | 'onProgress'> {
  /** Number of hidden states, from 2 to 64. */
  states: number
  /** What moves the transitions, a row for each observation: row t acts on the step from t − 1 to t. Standardize. */
  inputs: Observations
  /** Half the inverse prior variance of the coefficients, from 0; keeps them finite. @default 0.001 */
  ridge?: number
  /** EM iterations at most, from 1. @default 200 */
  maxIterations?: number
}

/** A fitted hidden Markov model with input-driven transitions as plain data. */
export type InputHmmModel = {
  readonly kind: 'input-hmm'
  readonly states: number
  readonly columns: number
  readonly inputs: number
  readonly start: Float64Leaf
  /** states × states × (1 + inputs): logits of i → j, the constant first; the diagonal is 0. */
  readonly coefficients: Float64Leaf
  readonly emission: EmissionModel
  readonly logLikelihood: number
  /** Log-likelihood less the ridge at each iteration. */
  readonly history: readonly number[]
  readonly converged: boolean
  readonly scales: Float64Leaf
  readonly floor: number
}

const WHERE = 'regimes/input-hmm'

/**
 * Fits a hidden Markov model whose transitions follow inputs: P(i → j | u) = softmax_j(w_ij · (1, u)), by expectation–maximization
 * with a weighted logistic regression for each state in the M-step, started from `fitHmm`. Choose it where something known in
 * advance (a spread, a calendar, an indicator of the bar before) makes regimes end; `fitMarkovSwitching` does the same for
 * regressions.
 *
 * Gotchas: row t of the inputs must be known before row t of the observations, else the model looks ahead.
 *
 * ```ts
 * import { fitInputHmm, inputHmmTransition } from '@regimen/regimes'
 *
 * // The state changes where the input is 1.
 * const inputs = Array.from({ length: 200 }, (_, t) => (t % 10 === 0 ? 1 : 0))
 * const x = inputs.map((_, t) => (Math.floor(t / 10) % 2) * 5 + Math.sin(t * t))
 * const model = fitInputHmm(x, { states: 2, inputs })
 * inputHmmTransition(model, [1])[1]! > 0.8 // => true
 * inputHmmTransition(model, [0])[1]! < 0.1 // => true
 * ```
 *
 * Reference: Bengio and Frasconi, IEEE Trans. Neural Netw. 7 (1996); Diebold, Lee and Weinbach (1994).
 */
export function fitInputHmm(observations: Observations, options: InputHmmOptions): InputHmmModel {
  const { states: k, ridge = 1e-3, maxIterations = 200, tolerance = 1e-8, signal, onProgress } = options
  checkCount(k, 'states', WHERE, 2, 64)
  checkCount(maxIterations, 'maxIterations', WHERE)
  check(ridge >= 0, WHERE, () => `ridge must be at least 0, got ${describe(ridge)}.`)
  const x = toObservations(observations, WHERE, true)
  const u = inputsOf(options.inputs, x.rows)
  const { emission: kind, restarts, floor, seed } = options
  const given = { emission: kind, restarts, floor, seed, signal }
  const base = fitHmm(x, { states: k, ...Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined)) })
  const emission = openEmission(base)
  const width = 1 + u.cols
  const coefficients = new Float64Array(k * k * width)
  for (let i = 0; i < k; i++)
    for (let j = 0; j < k; j++) {
      const odds = (base.transition.data[i * k + j]! + 1e-3) / (base.transition.data[i * k + i]! + 1e-3)
      if (j !== i) coefficients[(i * k + j) * width] = Math.log(odds)
    }
  const start = base.start.data.slice()
  const n = x.rows
  const [logB, predicted, filtered, smoothed] = Array.from({ length: 4 }, () => new Float64Array(n * k)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  const transition = new Float64Array(n * k * k)
  const pairs = new Float64Array(n * k * k)
  const history: number[] = []
  let logLikelihood = Number.NEGATIVE_INFINITY
  let converged = false
  for (let iteration = 0; ; iteration++) {
    throwIfAborted(signal)
    transitionsInto(k, coefficients, u, transition)
    emission.logDensities(x.data, 0, n, logB, 0)
    const chain = { k, start, transition, stride: k * k }
    logLikelihood = filterChain(chain, logB, 0, n, predicted, filtered)
    const value = logLikelihood - ridge * coefficients.reduce((sum, w) => sum + w * w, 0)
    converged = tolerance > 0 && iteration > 0 && value - history.at(-1)! < tolerance * n
    history.push(value)
    onProgress?.({ done: iteration, total: maxIterations })
    if (converged || iteration === maxIterations) break
    pairs.fill(0)
    smoothChain(chain, 0, n, predicted, filtered, smoothed, pairs)
    for (let at = 0; at < pairs.length; at++) pairs[at]! *= transition[at]!
    emission.maximize(x, smoothed, [0])
    for (let i = 0; i < k; i++) regress(k, i, u, pairs, ridge, coefficients)
    start.set(smoothed.subarray(0, k))
  }
  return {
    kind: 'input-hmm',
    states: k,
    columns: x.cols,
    inputs: u.cols,
    start: arrayLeaf('float64', [k], start),
    coefficients: arrayLeaf('float64', [k, k, width], coefficients),
    emission: emission.model(),
    logLikelihood,
    history,
    converged,
    scales: base.scales,
    floor: base.floor,
  }
}

/**
 * Filters with input-driven transitions: P(state at t | rows up to t and inputs up to t), rows × states. Causal.
 *
 * ```ts
 * import { fitInputHmm, inputHmmFilter } from '@regimen/regimes'
 *
 * const inputs = Array.from({ length: 200 }, (_, t) => (t % 10 === 0 ? 1 : 0))
 * const x = inputs.map((_, t) => (Math.floor(t / 10) % 2) * 5 + Math.sin(t * t))
 * const model = fitInputHmm(x, { states: 2, inputs })
 * inputHmmFilter(model, x, inputs).filtered[0]! > 0.9 // => true
 * ```
 */
export function inputHmmFilter(
  model: InputHmmModel,
  observations: Observations,
  inputs: Observations,
): { filtered: Float64Array; predicted: Float64Array; logLikelihood: number } {
  const x = toObservations(observations, WHERE, true)
  const u = inputsOf(inputs, x.rows)
  const { states: k, columns, coefficients, start } = model
  check(x.cols === columns, WHERE, () => `the model has ${columns} columns, got ${x.cols}.`)
  check(u.cols === model.inputs, WHERE, () => `the model has ${model.inputs} inputs, got ${u.cols}.`)
  const transition = new Float64Array(x.rows * k * k)
  transitionsInto(k, coefficients.data, u, transition)
  const logB = new Float64Array(x.rows * k)
  openEmission(model).logDensities(x.data, 0, x.rows, logB, 0)
  const predicted = new Float64Array(x.rows * k)
  const filtered = new Float64Array(x.rows * k)
  const chain = { k, start: start.data, transition, stride: k * k }
  const logLikelihood = filterChain(chain, logB, 0, x.rows, predicted, filtered)
  return { filtered, predicted, logLikelihood }
}

/**
 * Computes the transition matrix (states × states) at an input.
 *
 * ```ts
 * import { fitInputHmm, inputHmmTransition } from '@regimen/regimes'
 *
 * const inputs = Array.from({ length: 200 }, (_, t) => (t % 10 === 0 ? 1 : 0))
 * const x = inputs.map((_, t) => (Math.floor(t / 10) % 2) * 5 + Math.sin(t * t))
 * const row = inputHmmTransition(fitInputHmm(x, { states: 2, inputs }), [1])
 * row[0]! + row[1]! // ≈ 1
 * ```
 */
export function inputHmmTransition(model: InputHmmModel, input: ArrayLike<number>): Float64Array {
  check(input.length === model.inputs, WHERE, () => `the model has ${model.inputs} inputs, got ${input.length}.`)
  const { states: k, coefficients } = model
  const out = new Float64Array(k * k)
  transitionsInto(k, coefficients.data, { rows: 1, cols: input.length, data: Float64Array.from(input) }, out)
  return out
}

function inputsOf(inputs: Observations, rows: number): Dense {
  const u = toObservations(inputs, WHERE)
  check(u.rows === rows, WHERE, () => `inputs need a row for each of the ${rows} observations, got ${u.rows}.`)
  return u
}

function transitionsInto(k: number, coefficients: Float64Array, u: Dense, out: Float64Array): void {
  for (let t = 0; t < u.rows; t++)
    for (let i = 0; i < k; i++) softmaxRow(k, i, coefficients, i * k * (1 + u.cols), u, t, out, (t * k + i) * k)
}

/** Writes P(i → · | u_t) at out[to …] from the coefficients of state i, which lie at `from`. */
function softmaxRow(
  k: number,
  i: number,
  w: Float64Array,
  from: number,
  u: Dense,
  t: number,
  out: Float64Array,
  to: number,
): void {
  const width = 1 + u.cols
  let top = Number.NEGATIVE_INFINITY
  for (let j = 0; j < k; j++) {
    const at = from + j * width
    let logit = 0
    if (j !== i) {
      logit = w[at]!
      for (let m = 0; m < u.cols; m++) logit += w[at + 1 + m]! * u.data[t * u.cols + m]!
    }
    out[to + j] = logit
    top = Math.max(top, logit)
  }
  let total = 0
  for (let j = 0; j < k; j++) total += out[to + j] = Math.exp(out[to + j]! - top)
  for (let j = 0; j < k; j++) out[to + j]! /= total
}

/** Maximizes Σ_t Σ_j ξ_t(i, j) ln P(i → j | u_t) − ridge ‖w_i‖², with its gradient Σ_t (ξ_t(i, j) − ξ_t(i) P) (1, u_t) − 2 ridge w. */
function regress(k: number, i: number, u: Dense, pairs: Float64Array, ridge: number, coefficients: Float64Array): void {
  const width = 1 + u.cols
  const base = i * k * width
  const p = new Float64Array(k)
  const own = coefficients.slice(base, base + k * width)
  const { x: best } = lbfgs(
    (w, gradient) => {
      let loss = 0
      for (let at = 0; at < w.length; at++) {
        const fixed = Math.floor(at / width) === i
        gradient[at] = fixed ? 0 : 2 * ridge * w[at]!
        if (!fixed) loss += ridge * w[at]! * w[at]!
      }
      for (let t = 1; t < u.rows; t++) {
        const row = (t * k + i) * k
        let mass = 0
        for (let j = 0; j < k; j++) mass += pairs[row + j]!
        if (mass < 1e-12) continue
        softmaxRow(k, i, w, 0, u, t, p, 0)
        for (let j = 0; j < k; j++) {
          const xi = pairs[row + j]!
          if (xi > 0) loss -= xi * Math.log(Math.max(p[j]!, 1e-300))
          if (j === i) continue
          const slope = mass * p[j]! - xi
          gradient[j * width]! += slope
          for (let m = 0; m < u.cols; m++) gradient[j * width + 1 + m]! += slope * u.data[t * u.cols + m]!
        }
      }
      return loss
    },
    own,
    { maxIterations: 30, gradientTolerance: 1e-7 },
  )
  coefficients.set(best, base)
}
