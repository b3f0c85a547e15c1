import type { BarLikelihood } from './bar-likelihood.ts'
import type { RegimeChain } from './chain.ts'

/** A belief about the regime that is conditioned on bars one by one. */
export interface Inference {
  /** Mean of the next bar's variance factor given each regime at that bar, and of its root. Valid after `predict`. */
  readonly variance: Float64Array
  readonly root: Float64Array
  /** Conditions on a bar, writes the filtered regime probabilities and returns the log score of its return. */
  observe(bar: BarLikelihood, probabilities: Float64Array): number
  /** Moves on to the next bar and writes its regime probabilities. */
  predict(predicted: Float64Array): void
}

/** The forward recursion over regime and age. */
export function exactInference(chain: RegimeChain): Inference {
  const { size, ages, hazard, transitions } = chain
  const belief = chain.stationary.slice()
  const logTotal = new Float64Array(size)
  const logReturn = new Float64Array(size)
  const leaving = new Float64Array(size)
  const one = new Float64Array(size).fill(1)
  return {
    variance: one,
    root: one,
    observe(bar, probabilities) {
      let top = -Infinity
      let topReturn = -Infinity
      for (let s = 0; s < size; s++) {
        let prior = 0
        for (let a = 0; a < ages; a++) prior += belief[s * ages + a]!
        probabilities[s] = prior
        bar.weigh(s, 1, 0)
        logReturn[s] = bar.logReturn
        logTotal[s] = bar.logBar
        if (prior === 0) continue
        top = Math.max(top, logTotal[s]!)
        topReturn = Math.max(topReturn, logReturn[s]!)
      }
      let sum = 0
      let sumReturn = 0
      for (let s = 0; s < size; s++) {
        const prior = probabilities[s]!
        if (prior === 0) continue
        probabilities[s] = prior * Math.exp(logTotal[s]! - top)
        sum += probabilities[s]!
        sumReturn += prior * Math.exp(logReturn[s]! - topReturn)
      }
      for (let s = 0; s < size; s++) {
        probabilities[s] = probabilities[s]! / sum
        const factor = probabilities[s] === 0 ? 0 : Math.exp(logTotal[s]! - top) / sum
        for (let a = 0; a < ages; a++) belief[s * ages + a] = belief[s * ages + a]! * factor
      }
      return topReturn + Math.log(sumReturn)
    },
    predict(predicted) {
      for (let s = 0; s < size; s++) {
        const from = s * ages
        let left = 0
        let carried = 0
        for (let a = 0; a < ages; a++) {
          const mass = belief[from + a]!
          const out = mass * hazard[from + a]!
          left += out
          const stay = mass - out
          if (a < ages - 1) {
            belief[from + a] = carried
            carried = stay
          } else belief[from + a] = carried + stay
        }
        leaving[s] = left
      }
      for (let s = 0; s < size; s++) {
        let entered = 0
        for (let j = 0; j < size; j++) entered += leaving[j]! * transitions[j * size + s]!
        belief[s * ages] = belief[s * ages]! + (size > 1 ? entered : 0)
        let total = 0
        for (let a = 0; a < ages; a++) total += belief[s * ages + a]!
        predicted[s] = total
      }
    },
  }
}
