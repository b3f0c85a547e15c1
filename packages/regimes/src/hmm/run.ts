import { check, describe } from '@regimen/core'
import type { Dense } from '@regimen/core/math'
import { filterChain } from './chain.ts'
import type { Emission } from './emission.ts'

/** Where every function of this family reports from. */
export const HMM = 'regimes/hmm'

/** What to fit and to what. */
export interface Plan {
  x: Dense
  begins: readonly number[]
  k: number
  startFrom: 'free' | 'stationary'
  transitionPrior: number
  sticky: number
  fixed: readonly string[]
}

/** A fit under way. */
export interface Run {
  start: Float64Array
  transition: Float64Array
  emission: Emission
  logLikelihood: number
  penalized: number
  history: number[]
  converged: boolean
  vanished: readonly number[]
}

/** Room for one pass over the rows. */
export class Workspace {
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

/** Logarithm of the transitions' Dirichlet priors, without its constant. */
export function logPrior(plan: Plan, transition: Float64Array): number {
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

/** A run that has not begun. */
export function blank(start: Float64Array, transition: Float64Array, emission: Emission): Run {
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
