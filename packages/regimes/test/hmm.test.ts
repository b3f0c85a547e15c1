import { arrayLeaf, createRng } from '@regimen/core'
import {
  type EmissionOptions,
  fitHmm,
  type HmmModel,
  hmmFilter,
  hmmFixedLagSmooth,
  hmmPredictNext,
  hmmSample,
  hmmScore,
  hmmSmooth,
  hmmStandardErrors,
  hmmStatistics,
  hmmViterbi,
  onlineHmm,
} from '@regimen/regimes'
import { causalChecks, testLive } from '@regimen/testing'
import { describe, expect, it } from 'vitest'
import { reference } from './reference.ts'

const leaf = (shape: number[], data: number[]) => arrayLeaf('float64', shape, data)

/** Two states that see an umbrella (1) or none (0). */
const umbrella: HmmModel = {
  kind: 'hmm',
  states: 2,
  columns: 1,
  start: leaf([2], [0.5, 0.5]),
  transition: leaf([2, 2], [0.7, 0.3, 0.3, 0.7]),
  emission: { family: 'categorical', probabilities: leaf([2, 2], [0.1, 0.9, 0.8, 0.2]) },
  logLikelihood: 0,
  penalized: 0,
  history: [],
  converged: true,
  rows: 0,
  parameters: 0,
  bic: 0,
  aic: 0,
  vanished: [],
  scales: leaf([1], [1]),
  floor: 0,
}
const rng = createRng('hmm')
const series = Array.from({ length: 400 }, (_, t) =>
  Math.floor(t / 50) % 2 === 0 ? rng.normal(0, 1) : rng.normal(3, 2),
)

/** Sums over every path: the definition, in 2^T terms. */
function enumerate(model: HmmModel, logB: (t: number, j: number) => number, n: number) {
  const k = model.states
  let total = 0
  let best = Number.NEGATIVE_INFINITY
  let bestPath: number[] = []
  const smooth = new Float64Array(n * k)
  for (let code = 0; code < k ** n; code++) {
    const path = Array.from({ length: n }, (_, t) => Math.floor(code / k ** t) % k)
    let log = Math.log(model.start.data[path[0]!]!)
    for (let t = 0; t < n; t++)
      log += logB(t, path[t]!) + (t > 0 ? Math.log(model.transition.data[path[t - 1]! * k + path[t]!]!) : 0)
    total += Math.exp(log)
    path.forEach((j, t) => {
      smooth[t * k + j]! += Math.exp(log)
    })
    if (log > best) {
      best = log
      bestPath = path
    }
  }
  return { logLikelihood: Math.log(total), smooth: smooth.map((p) => p / total), best, bestPath }
}

describe('inference', () => {
  it('gives the umbrella world its published values', () => {
    const seen = [1, 1, 0, 1, 1]
    expect(hmmScore(umbrella, seen)).toBeCloseTo(-3.3725, 4)
    const { path, logProbability } = hmmViterbi(umbrella, seen)
    expect([...path]).toEqual([0, 0, 1, 0, 0])
    expect(logProbability).toBeCloseTo(-4.459, 3)
    // By hand: after one umbrella 0.5·0.9 / (0.5·0.9 + 0.5·0.2) = 9/11.
    expect(hmmFilter(umbrella, seen).filtered[0]).toBeCloseTo(9 / 11, 12)
    expect(hmmPredictNext(umbrella, [1, 0], 2)[0]).toBeCloseTo(0.7 * 0.7 + 0.3 * 0.3, 12)
  })

  it.each([1, 2, 4, 6])('equals enumeration of all paths, T = %i, 3 Gaussian states', (n) => {
    const x = series.slice(45, 45 + n)
    const model: HmmModel = {
      ...umbrella,
      states: 3,
      start: leaf([3], [0.2, 0.3, 0.5]),
      transition: leaf([3, 3], [0.8, 0.1, 0.1, 0.25, 0.5, 0.25, 0.05, 0.15, 0.8]),
      emission: {
        family: 'gaussian',
        covariance: 'full',
        means: leaf([3, 1], [-1, 0.5, 4]),
        covariances: leaf([3, 1, 1], [1, 0.5, 3]),
      },
    }
    const m = [-1, 0.5, 4]
    const v = [1, 0.5, 3]
    const logB = (t: number, j: number) => -0.5 * (Math.log(2 * Math.PI * v[j]!) + (x[t]! - m[j]!) ** 2 / v[j]!)
    const brute = enumerate(model, logB, n)
    expect(hmmScore(model, x)).toBeCloseTo(brute.logLikelihood, 10)
    const smooth = hmmSmooth(model, x)
    for (let i = 0; i < n * 3; i++) expect(smooth[i]).toBeCloseTo(brute.smooth[i]!, 10)
    expect([...hmmViterbi(model, x).path]).toEqual(brute.bestPath)
    expect(hmmViterbi(model, x).logProbability).toBeCloseTo(brute.best, 10)
    // With the lag at the series' length, fixed-lag smoothing is smoothing; with 0 it is filtering.
    expect([...hmmFixedLagSmooth(model, x, n)]).toEqual([...smooth])
    const { filtered } = hmmFilter(model, x)
    hmmFixedLagSmooth(model, x, 0).forEach((p, i) => {
      expect(p).toBeCloseTo(filtered[i]!, 12)
    })
  })

  it('skips missing rows by the transitions alone', () => {
    const { filtered } = hmmFilter(umbrella, [1, Number.NaN, 1])
    expect(filtered[2]).toBeCloseTo((9 / 11) * 0.7 + (2 / 11) * 0.3, 12)
  })

  it('does not look ahead', async () => {
    const model = fitHmm(series, { states: 2, restarts: 2 })
    for (const check of Object.values(
      causalChecks({
        series,
        run: (prefix) => hmmFilter(model, prefix).filtered.filter((_, i) => i % 2 === 0),
        prefixes: 6,
      }),
    ))
      await check()
  })
})

describe('fitHmm', () => {
  const options: [string, EmissionOptions][] = [
    ['gaussian', { family: 'gaussian' }],
    ['student-t', { family: 'student-t' }],
    ['mixture', { family: 'mixture', components: 2 }],
    ['autoregressive', { family: 'autoregressive', order: 2 }],
  ]
  it.each(options)('climbs at each iteration: %s', (_, emission) => {
    const model = fitHmm(series, { states: 2, emission, tolerance: 0, maxIterations: 50, restarts: 1 })
    for (let i = 1; i < model.history.length; i++)
      expect(model.history[i]! - model.history[i - 1]!).toBeGreaterThan(-1e-7)
    expect(model.history.at(-1)! - model.history[0]!).toBeGreaterThan(0)
  })

  // Two means of two numbers, a transition of each state and the start: 4 + 2 + 1, and the covariances' own.
  it.each([
    ['full', 6],
    ['tied', 3],
    ['diagonal', 4],
    ['spherical', 2],
  ] as const)('climbs with %s covariances and keeps their form', (covariance, own) => {
    const x = series.map((value, t) => [value, Math.sin(t * t) + 0.5 * value])
    const model = fitHmm(x, {
      states: 2,
      emission: { family: 'gaussian', covariance },
      tolerance: 0,
      maxIterations: 40,
      restarts: 1,
    })
    for (let i = 1; i < model.history.length; i++)
      expect(model.history[i]! - model.history[i - 1]!).toBeGreaterThan(-1e-7)
    expect(model.parameters).toBe(7 + own)
    if (model.emission.family !== 'gaussian') throw new Error('family')
    const [a, b, , c, ...second] = model.emission.covariances.data
    if (covariance === 'tied') expect(second).toEqual([a, b, b, c])
    else expect(second[0]! / a!).toBeGreaterThan(1.5)
    if (covariance === 'diagonal' || covariance === 'spherical') expect(b).toBe(0)
    if (covariance === 'spherical') expect(c).toBe(a)
    if (covariance === 'full') expect(b).toBeGreaterThan(0.1)
  })

  it('climbs with priors, several sequences, gaps, counts and symbols', () => {
    const gaps = series.map((x, t) => (t % 17 === 3 ? Number.NaN : Math.abs(Math.round(3 * x))))
    for (const family of ['poisson', 'categorical'] as const) {
      const model = fitHmm(gaps, {
        states: 2,
        emission: { family },
        lengths: [150, 250],
        transitionPrior: 0.5,
        sticky: 5,
        tolerance: 0,
        maxIterations: 40,
        restarts: 2,
      })
      for (let i = 1; i < model.history.length; i++)
        expect(model.history[i]! - model.history[i - 1]!).toBeGreaterThan(-1e-7)
      expect(model.transition.data.every((p) => p > 0)).toBe(true)
    }
  })

  it('finds the parameters that made a series', () => {
    const truth: HmmModel = {
      ...umbrella,
      transition: leaf([2, 2], [0.97, 0.03, 0.06, 0.94]),
      columns: 2,
      scales: leaf([2], [1, 1]),
      emission: {
        family: 'gaussian',
        covariance: 'full',
        means: leaf([2, 2], [0, 0, 2, -1]),
        covariances: leaf([2, 2, 2], [1, 0.5, 0.5, 1, 2, -0.3, -0.3, 0.4]),
      },
    }
    const { rows } = hmmSample(truth, 6000, 5)
    const model = fitHmm(rows, { states: 2, restarts: 3 })
    if (model.emission.family !== 'gaussian' || truth.emission.family !== 'gaussian') throw new Error('family')
    const expected = truth.emission
    model.emission.means.data.forEach((m, i) => {
      expect(Math.abs(m - expected.means.data[i]!)).toBeLessThan(0.1)
    })
    model.emission.covariances.data.forEach((m, i) => {
      expect(Math.abs(m - expected.covariances.data[i]!)).toBeLessThan(0.15)
    })
    expect(hmmStatistics(model)[0]!.duration).toBeGreaterThan(20)
    expect(hmmStatistics(model)[0]!.share).toBeCloseTo(0.06 / 0.09, 1)
  })

  it('keeps what is fixed and starts where it is told', () => {
    const first = fitHmm(series, { states: 2, restarts: 2 })
    const next = fitHmm(series.slice(0, 200), { states: 2, start: first, fixed: ['emission'] })
    expect(next.emission).toEqual(first.emission)
    expect(next.transition).not.toEqual(first.transition)
  })

  it('does not underflow: rows far from every state, long series', () => {
    const far = [...series.slice(0, 30), 1e6, -1e6, ...series.slice(0, 30)]
    const model = fitHmm(series, { states: 2, restarts: 2 })
    const { filtered, logLikelihood } = hmmFilter(model, far)
    expect(Number.isFinite(logLikelihood)).toBe(true)
    expect(filtered.every(Number.isFinite)).toBe(true)
    expect(hmmSmooth(model, far).every(Number.isFinite)).toBe(true)
    const long = Float64Array.from(
      { length: process.env.REGIMEN_FULL === '1' ? 1_000_000 : 50_000 },
      (_, t) => series[t % 400]!,
    )
    const climbed = fitHmm(long, { states: 2, start: model, maxIterations: 2 })
    expect(climbed.history.every(Number.isFinite)).toBe(true)
    expect(climbed.history[2]!).toBeGreaterThanOrEqual(climbed.history[0]!)
  })

  it('survives constant columns, equal rows and one observation, and refuses the impossible', () => {
    for (const x of [[4, 4, 4, 4], [4]]) {
      const model = fitHmm(x, { states: 1 })
      expect(Number.isFinite(model.logLikelihood)).toBe(true)
    }
    const two = fitHmm([4, 4, 4, 4, 4], { states: 2, restarts: 2 })
    expect(two.transition.data.every(Number.isFinite)).toBe(true)
    expect(() => fitHmm([1], { states: 2 })).toThrow('2 states need at least 2 rows')
    expect(() => fitHmm([1, 2], { states: 2.5 })).toThrow('states must be an integer from 1 to 64, got 2.5')
    expect(() => fitHmm([1, 2.5], { states: 1, emission: { family: 'poisson' } })).toThrow('must be counts, got 2.5')
  })

  // The best of twelve quasi-Newton climbs on the forward recursion, scipy 1.10.1: fixtures/peers.py.
  it.each([
    [1, -333.7782889215028],
    [2, -249.40061699645884],
    [3, -248.06661058720334],
  ])('our own counts, %i Poisson states: %f', (states, expected) => {
    const counts = Array.from({ length: 120 }, (_, t) => ((t * t * 7) % 5) + (t % 30 < 12 ? 8 : 1))
    const model = fitHmm(counts, {
      states,
      emission: { family: 'poisson' },
      polish: states === 3,
      tolerance: 1e-12,
      maxIterations: 2000,
    })
    expect(model.logLikelihood).toBeGreaterThan(expected - 1e-4)
    if (states < 3) expect(model.logLikelihood).toBeCloseTo(expected, 5)
  })

  const earthquakes = reference('earthquakes.json')
  it.skipIf(!earthquakes).each([
    [1, -391.9189],
    [2, -341.8787],
    [3, -328.5275],
  ])('earthquakes, %i Poisson states: %f', (states, expected) => {
    const { counts } = JSON.parse(earthquakes!) as { counts: number[] }
    const model = fitHmm(counts, {
      states,
      emission: { family: 'poisson' },
      polish: states === 3,
      tolerance: 1e-12,
      maxIterations: 2000,
    })
    expect(model.logLikelihood).toBeCloseTo(expected, 4)
  })

  it('gives a Gaussian mean its textbook standard error', () => {
    // One state: se(mean) = s/√n, se(variance) = s² √(2/n).
    const model = fitHmm(series, { states: 1 })
    if (model.emission.family !== 'gaussian') throw new Error('family')
    const s2 = model.emission.covariances.data[0]!
    const { names, errors } = hmmStandardErrors(model, series)
    expect(names).toEqual(['mean[0][0]', 'covariance[0][0][0]'])
    expect(errors.data[0]).toBeCloseTo(Math.sqrt(s2 / 400), 5)
    expect(errors.data[1]).toBeCloseTo(s2 * Math.sqrt(2 / 400), 4)
  })
})

describe('onlineHmm', () => {
  const model = fitHmm(series, { states: 2, restarts: 2 })

  it('follows the batch filter exactly', () => {
    const live = onlineHmm.open({ model })
    const { filtered } = hmmFilter(model, series)
    series.forEach((x, t) => {
      live.update(x)
      expect(live.filtered[0]).toBeCloseTo(filtered[2 * t]!, 12)
    })
    const next = live.predictNext(5)
    const direct = hmmPredictNext(model, live.filtered, 5)
    expect([...next]).toEqual([...direct])
  })

  it('does so for an autoregression, whose first rows condition the rest', () => {
    const ar = fitHmm(series, { states: 2, emission: { family: 'autoregressive', order: 2 }, restarts: 2 })
    const live = onlineHmm.open({ model: ar })
    const { filtered } = hmmFilter(ar, series)
    series.slice(0, 60).forEach((x, t) => {
      live.update(x)
      expect(live.filtered[0]).toBeCloseTo(filtered[2 * t]!, 12)
    })
  })

  it('follows a market that has moved', () => {
    const live = onlineHmm.open({ model, rate: 0.02 })
    for (let pass = 0; pass < 5; pass++) for (const x of series) live.update(x + 1)
    const { emission } = live.snapshot().state as HmmModel
    const state = { ...model, emission }
    const [low, high] = hmmStatistics(state)
    expect(Math.abs(low!.mean[0]! - 1)).toBeLessThan(0.5)
    expect(Math.abs(high!.mean[0]! - 4)).toBeLessThan(0.8)
  })

  const stream = series.slice(40, 60).map((x) => ({ x: [x] }))
  for (const rate of [0, 0.05])
    testLive(`onlineHmm, rate ${rate}`, { factory: onlineHmm, config: { model, rate }, stream })
})
