import type { Rng } from '@regimen/core'
import type { RegimeChain } from './chain.ts'
import { type Dynamics, nextVariance } from './dynamics.ts'
import type { Inference } from './exact-inference.ts'

/**
 * Weighs every successor of every particle and keeps `count` different ones by Fearnhead and Clifford's optimal
 * resampling: those heavier than a threshold survive with their weight, of the others a stratified sample.
 */
export function particleInference(chain: RegimeChain, d: Dynamics, count: number, rng: Rng): Inference {
  const { size, ages, hazard, transitions, stationary } = chain
  let now = cloud(count)
  let next = cloud(count)
  let alive = count
  const weight = new Float64Array(count * size)
  const logBar = new Float64Array(count * size)
  const logReturn = new Float64Array(count * size)
  const shock = new Float64Array(count * size)
  const variance = new Float64Array(size)
  const root = new Float64Array(size)
  let started = false

  let reached = 0
  let cell = -1
  for (let i = 0; i < count; i++) {
    const goal = (i + rng.uniform()) / count
    while (cell < 0 || (cell < stationary.length - 1 && reached < goal)) reached += stationary[++cell]!
    now.regime[i] = Math.floor(cell / ages)
    now.age[i] = cell % ages
    now.factor[i] = 1
    now.weight[i] = 1 / count
  }

  const priorOf = (i: number, s: number): number => {
    const own = now.regime[i]!
    if (!started || size === 1) return s === own ? now.weight[i]! : 0
    const h = hazard[own * ages + now.age[i]!]!
    return now.weight[i]! * (s === own ? 1 - h : h * transitions[own * size + s]!)
  }
  const keep = (at: number, c: number, mass: number): void => {
    const i = Math.floor(c / size)
    const s = c % size
    const h = now.factor[i]!
    const age = now.age[i]!
    next.regime[at] = s
    next.age[at] = !started ? age : s === now.regime[i] ? Math.min(age + 1, ages - 1) : 0
    next.factor[at] = nextVariance(d, h, shock[c]! * Math.sqrt(h))
    next.weight[at] = mass
  }

  return {
    variance,
    root,
    observe(bar, probabilities) {
      let top = -Infinity
      let topReturn = -Infinity
      for (let i = 0; i < alive; i++) {
        const h = now.factor[i]!
        const logH = Math.log(h)
        for (let s = 0; s < size; s++) {
          const c = i * size + s
          weight[c] = priorOf(i, s)
          if (weight[c] === 0) continue
          bar.weigh(s, h, logH)
          shock[c] = bar.shock
          logReturn[c] = bar.logReturn
          logBar[c] = bar.logBar
          if (bar.logBar > top) top = bar.logBar
          if (bar.logReturn > topReturn) topReturn = bar.logReturn
        }
      }
      const candidates = alive * size
      let sum = 0
      let sumReturn = 0
      probabilities.fill(0)
      for (let c = 0; c < candidates; c++) {
        const prior = weight[c]!
        if (prior === 0) continue
        sumReturn += prior * Math.exp(logReturn[c]! - topReturn)
        const posterior = prior * Math.exp(logBar[c]! - top)
        weight[c] = posterior
        sum += posterior
        probabilities[c % size] = probabilities[c % size]! + posterior
      }
      for (let s = 0; s < size; s++) probabilities[s] = probabilities[s]! / sum

      const threshold = resamplingThreshold(weight, candidates, count)
      let kept = 0
      let goal = threshold * rng.uniform()
      for (let c = 0; c < candidates; c++) {
        const mass = weight[c]!
        if (mass === 0) continue
        if (mass >= threshold) {
          if (kept < count) keep(kept++, c, mass / sum)
          continue
        }
        goal -= mass
        if (goal < 0) {
          if (kept < count) keep(kept++, c, threshold / sum)
          goal += threshold
        }
      }
      alive = kept
      let total = 0
      for (let i = 0; i < alive; i++) total += next.weight[i]!
      for (let i = 0; i < alive; i++) next.weight[i] = next.weight[i]! / total
      ;[now, next] = [next, now]
      started = true
      return topReturn + Math.log(sumReturn)
    },
    predict(predicted) {
      predicted.fill(0)
      variance.fill(0)
      root.fill(0)
      for (let i = 0; i < alive; i++) {
        const h = now.factor[i]!
        const rootH = Math.sqrt(h)
        for (let s = 0; s < size; s++) {
          const p = priorOf(i, s)
          predicted[s] = predicted[s]! + p
          variance[s] = variance[s]! + p * h
          root[s] = root[s]! + p * rootH
        }
      }
      for (let s = 0; s < size; s++) {
        const p = predicted[s]!
        variance[s] = p > 0 ? variance[s]! / p : 1
        root[s] = p > 0 ? root[s]! / p : 1
      }
    },
  }
}

function cloud(count: number): { regime: Uint8Array; age: Uint16Array; factor: Float64Array; weight: Float64Array } {
  return {
    regime: new Uint8Array(count),
    age: new Uint16Array(count),
    factor: new Float64Array(count),
    weight: new Float64Array(count),
  }
}

/** The κ with Σ min(w / κ, 1) = count, or 0 where no more than `count` weights are above zero. */
function resamplingThreshold(weight: Float64Array, length: number, count: number): number {
  let positive = 0
  let sum = 0
  for (let c = 0; c < length; c++) {
    if (weight[c]! > 0) positive++
    sum += weight[c]!
  }
  if (positive <= count) return 0
  // Each pass moves those that are too heavy to the certain survivors; κ only falls, so this ends.
  let threshold = sum / count
  for (;;) {
    let certain = 0
    let rest = 0
    for (let c = 0; c < length; c++) {
      if (weight[c]! >= threshold) certain++
      else rest += weight[c]!
    }
    const lower = certain < count ? rest / (count - certain) : 0
    if (!(lower < threshold * (1 - 1e-12))) return threshold
    threshold = lower
  }
}
