import type { Rng } from '@regimen/core'
import type { MarketParameters } from './parameters.ts'

/**
 * The regime process in the form that sampling and filtering share: a regime that has lasted `a` bars ends after its next
 * one with probability `hazard[a]`; ages beyond the table keep its last entry.
 */
export interface RegimeChain {
  readonly size: number
  /** Ages that are told apart. */
  readonly ages: number
  /** regimes × ages, row-major. */
  readonly hazard: Float64Array
  /** regimes × regimes, row-major. */
  readonly transitions: Float64Array
  /** Long-run probability of each regime and age, regimes × ages, row-major. */
  readonly stationary: Float64Array
}

/** Stays are 1 + the sum of `r` geometric variables; the tail of the table is geometric. */
export function regimeChain(parameters: MarketParameters): RegimeChain {
  const { regimes, durationShape: shape } = parameters
  const size = regimes.length
  const transitions = Float64Array.from(size > 1 ? parameters.transitions.flat() : [1])
  let ages = 1
  if (shape > 1) {
    // Beyond three mean stays the hazard of a negative binomial is close to its limit.
    for (const { duration } of regimes) ages = Math.max(ages, Math.ceil(3 * duration))
  }
  const hazard = new Float64Array(size * ages)
  for (let s = 0; s < size; s++) {
    const mean = regimes[s]!.duration
    if (shape === 1) {
      hazard[s] = size > 1 ? 1 / mean : 0
      continue
    }
    const p = shape / (shape + mean - 1)
    let mass = p ** shape
    let surviving = 1
    for (let a = 0; a < ages; a++) {
      hazard[s * ages + a] = size > 1 ? Math.min(1, surviving > 1e-12 ? mass / surviving : p) : 0
      surviving -= mass
      mass *= ((a + shape) / (a + 1)) * (1 - p)
    }
  }
  return { size, ages, hazard, transitions, stationary: stationaryAges(size, ages, hazard, transitions) }
}

function stationaryAges(size: number, ages: number, hazard: Float64Array, transitions: Float64Array): Float64Array {
  // Entry rates are the embedded chain's stationary vector; halving the step makes even periodic chains converge.
  let entry = new Float64Array(size).fill(1 / size)
  for (let k = 0; k < 2000; k++) {
    const next = new Float64Array(size)
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) next[j] = next[j]! + 0.5 * entry[i]! * transitions[i * size + j]!
      next[i] = next[i]! + 0.5 * entry[i]!
    }
    entry = next
  }
  const stationary = new Float64Array(size * ages)
  let total = 0
  for (let s = 0; s < size; s++) {
    let surviving = entry[s]!
    for (let a = 0; a < ages; a++) {
      const h = hazard[s * ages + a]!
      const mass = a < ages - 1 ? surviving : h > 0 ? surviving / h : surviving
      stationary[s * ages + a] = mass
      total += mass
      surviving *= 1 - h
    }
  }
  for (let i = 0; i < stationary.length; i++) stationary[i] = stationary[i]! / total
  return stationary
}

/** Draws regime after regime. The first bar is in the long-run state, at an age of its own. */
export function sampleRegimes(chain: RegimeChain, n: number, rng: Rng): Uint8Array {
  const { size, ages, hazard, transitions, stationary } = chain
  const path = new Uint8Array(n)
  const first = pick(stationary, 0, stationary.length, rng.uniform())
  let s = Math.floor(first / ages)
  let a = first % ages
  for (let t = 0; t < n; t++) {
    path[t] = s
    if (size > 1 && rng.uniform() < hazard[s * ages + a]!) {
      s = pick(transitions, s * size, size, rng.uniform())
      a = 0
    } else if (a < ages - 1) a++
  }
  return path
}

function pick(weights: Float64Array, from: number, length: number, u: number): number {
  let left = u
  let last = 0
  for (let i = 0; i < length; i++) {
    const w = weights[from + i]!
    if (w > 0) last = i
    left -= w
    if (left < 0 && w > 0) return i
  }
  return last
}
