import { arrayLeaf, createRng } from '@regimen/core'
import {
  fitInputHmm,
  fitSemiMarkov,
  inputHmmFilter,
  inputHmmTransition,
  type SemiMarkovModel,
  semiMarkovFilter,
  semiMarkovSmooth,
  semiMarkovViterbi,
} from '@regimen/regimes'
import { describe, expect, it } from 'vitest'

const leaf = (shape: number[], data: number[]) => arrayLeaf('float64', shape, data)
const MEANS = [-1, 0.5, 2]
const model: SemiMarkovModel = {
  kind: 'semi-markov',
  states: 3,
  columns: 1,
  maxDuration: 3,
  start: leaf([3], [0.2, 0.5, 0.3]),
  transition: leaf([3, 3], [0, 0.6, 0.4, 0.3, 0, 0.7, 0.9, 0.1, 0]),
  durations: leaf([3, 3], [0.1, 0.3, 0.6, 0.5, 0.5, 0, 0.2, 0.2, 0.6]),
  emission: {
    family: 'gaussian',
    covariance: 'full',
    means: leaf([3, 1], MEANS),
    covariances: leaf([3, 1, 1], [1, 1, 1]),
  },
  logLikelihood: 0,
  history: [],
  converged: true,
  scales: leaf([1], [1]),
  floor: 0,
}

/** Every way of cutting n rows into stays, the last one possibly cut off by the end. */
function* segmentations(n: number, at = 0, last = -1): Generator<{ path: number[]; p: number }> {
  for (let j = 0; j < 3; j++) {
    if (j === last) continue
    const enter = last < 0 ? model.start.data[j]! : model.transition.data[last * 3 + j]!
    for (let stay = 1; stay <= 3; stay++) {
      const p = enter * model.durations.data[j * 3 + stay - 1]!
      const path = new Array<number>(Math.min(stay, n - at)).fill(j)
      if (at + stay >= n) yield { path, p }
      else for (const rest of segmentations(n, at + stay, j)) yield { path: [...path, ...rest.path], p: p * rest.p }
    }
  }
}

describe('semi-Markov inference', () => {
  const x = [-0.8, 0.3, 1.9, 2.2, -1.4, 0.1]
  it.each([1, 2, 3, 6])('equals enumeration of all stays, T = %i', (n) => {
    const rows = x.slice(0, n)
    const density = (t: number, j: number) => Math.exp(-0.5 * (x[t]! - MEANS[j]!) ** 2) / Math.sqrt(2 * Math.PI)
    let total = 0
    let best = { path: [] as number[], p: 0 }
    const smooth = new Float64Array(3 * n)
    for (const { path, p } of segmentations(n)) {
      const joint = path.reduce((product, j, t) => product * density(t, j), p)
      total += joint
      path.forEach((j, t) => {
        smooth[3 * t + j]! += joint
      })
      if (joint > best.p) best = { path, p: joint }
    }
    const { filtered, logLikelihood } = semiMarkovFilter(model, rows)
    expect(logLikelihood).toBeCloseTo(Math.log(total), 11)
    const smoothed = semiMarkovSmooth(model, rows)
    smooth.forEach((p, i) => {
      expect(smoothed[i]).toBeCloseTo(p / total, 11)
    })
    // At the last row there is nothing to look ahead to.
    for (let j = 0; j < 3; j++) expect(filtered[3 * (n - 1) + j]).toBeCloseTo(smooth[3 * (n - 1) + j]! / total, 11)
    const { path, logProbability } = semiMarkovViterbi(model, rows)
    expect([...path]).toEqual(best.path)
    expect(logProbability).toBeCloseTo(Math.log(best.p), 11)
  })

  it('does not underflow far from every state', () => {
    const { filtered, logLikelihood } = semiMarkovFilter(model, [0, 1e5, -1e5, 0])
    expect(Number.isFinite(logLikelihood)).toBe(true)
    expect(filtered.every(Number.isFinite)).toBe(true)
  })
})

describe('fitSemiMarkov', () => {
  const rng = createRng('stays')
  const truth: number[] = []
  // Stays of 8 to 12 rows: a geometric law would put the mode at 1.
  for (let s = 0; truth.length < 600; s++) for (let left = 8 + rng.int(0, 5); left > 0; left--) truth.push(s % 2)
  const x = truth.map((s) => 2.5 * s + rng.normal())

  it('climbs at each iteration and finds the lengths of stays', () => {
    const fitted = fitSemiMarkov(x, { states: 2, maxDuration: 20, durationPrior: 0, tolerance: 0, maxIterations: 30 })
    for (let i = 1; i < fitted.history.length; i++)
      expect(fitted.history[i]! - fitted.history[i - 1]!).toBeGreaterThan(-1e-7)
    for (let s = 0; s < 2; s++) {
      let inside = 0
      for (let stay = 8; stay <= 12; stay++) inside += fitted.durations.data[s * 20 + stay - 1]!
      expect(inside).toBeGreaterThan(0.85)
    }
    const { path } = semiMarkovViterbi(fitted, x)
    expect(path.filter((s, t) => s === truth[t]).length / x.length).toBeGreaterThan(0.95)
  })

  it('refuses the impossible', () => {
    expect(() => fitSemiMarkov(x, { states: 1 })).toThrow('states must be an integer from 2 to 64, got 1')
    expect(() => fitSemiMarkov(x, { states: 2, durationPrior: -1 })).toThrow('durationPrior must be at least 0, got -1')
  })
})

describe('fitInputHmm', () => {
  const rng = createRng('inputs')
  const inputs = Array.from({ length: 3000 }, () => rng.normal())
  // P(change) = 1 / (1 + exp(3 − 2 u)) from both states.
  let state = 0
  const x = inputs.map((u) => {
    if (rng.uniform() < 1 / (1 + Math.exp(3 - 2 * u))) state = 1 - state
    return 4 * state + rng.normal()
  })
  const fitted = fitInputHmm(x, { states: 2, inputs, restarts: 2 })

  it('climbs and finds the coefficients that made the moves', () => {
    for (let i = 1; i < fitted.history.length; i++)
      expect(fitted.history[i]! - fitted.history[i - 1]!).toBeGreaterThan(-1e-6)
    const [, , a, b, c, d] = fitted.coefficients.data
    for (const constant of [a!, c!]) expect(Math.abs(constant + 3)).toBeLessThan(0.4)
    for (const slope of [b!, d!]) expect(Math.abs(slope - 2)).toBeLessThan(0.4)
    // By hand at u = 1: 1 / (1 + e^(−(w₀ + w₁))).
    expect(inputHmmTransition(fitted, [1])[1]).toBeCloseTo(1 / (1 + Math.exp(-(a! + b!))), 12)
  })

  it('filters without looking ahead, with the input of the step itself', () => {
    const { filtered, logLikelihood } = inputHmmFilter(fitted, x, inputs)
    expect(logLikelihood).toBeCloseTo(fitted.logLikelihood, 8)
    const head = inputHmmFilter(fitted, x.slice(0, 50), inputs.slice(0, 50)).filtered
    expect([...head]).toEqual([...filtered.subarray(0, 100)])
    expect(() => inputHmmFilter(fitted, x, [1, 2])).toThrow('a row for each of the 3000 observations, got 2')
  })
})
