import { collectEvents, createRng, hashTree } from '@regimen/core'
import {
  fitGaussianMixture,
  fitJumpModel,
  jumpFilter,
  mixtureScore,
  onlineJump,
  onlineMixture,
  openCusum,
  regimeEnsemble,
  regimeRouter,
  switchEvent,
} from '@regimen/regimes'
import { testLive } from '@regimen/testing'
import { describe, expect, it } from 'vitest'
import { leafAt } from './leaf-at.ts'

const rng = createRng('live')
const series = Array.from({ length: 300 }, (_, t) => rng.normal(Math.floor(t / 50) % 2 === 0 ? 0 : 4, 1))
const stream = series.slice(40, 60).map((x) => ({ x: [x] }))

describe('onlineJump', () => {
  const model = fitJumpModel(series, { states: 2, penalty: 8 })

  it('follows the batch filter exactly', () => {
    const live = onlineJump.open({ model })
    const seen = series.map((x) => {
      const state = live.predict([x])
      live.update([x])
      return state
    })
    expect(seen).toEqual([...jumpFilter(model, series)])
    expect(new Set(seen).size).toBe(2)
  })

  it('moves the centroid of the state in force only', () => {
    const live = onlineJump.open({ model, rate: 0.5 })
    const [a, b] = model.centroids.data
    live.update([b! + 1])
    const centroids = leafAt(live.snapshot().state, 'centroids')
    // Half of the way of 1.
    expect(centroids[1]).toBeCloseTo(b! + 0.5, 12)
    expect(centroids[0]).toBe(a)
  })
  testLive('onlineJump', { factory: onlineJump, config: { model, rate: 0.1 }, stream })
})

describe('onlineMixture', () => {
  const model = fitGaussianMixture(series, { components: 2 })

  it('scores as the batch model does and, at rate 0, stays', () => {
    const live = onlineMixture.open({ model, rate: 0 })
    const { logDensity, responsibilities } = mixtureScore(model, series)
    series.slice(0, 80).forEach((x, t) => {
      live.update(x)
      expect(live.logScore).toBeCloseTo(logDensity[t]!, 10)
      expect(live.filtered[0]).toBeCloseTo(responsibilities[2 * t]!, 10)
    })
    expect([...live.predictNext()]).toEqual([...model.weights.data])
  })

  it('takes the step that stochastic EM prescribes', () => {
    // One component: responsibility 1, so mean ← m + r (x − m), variance ← (1 − r)(v + r (x − m)²).
    const one = fitGaussianMixture(series, { components: 1 })
    const m = one.means.data[0]!
    const v = one.covariances.data[0]!
    const live = onlineMixture.open({ model: one, rate: 0.1 })
    live.update(m + 2)
    const { state } = live.snapshot()
    expect(leafAt(state, 'emission', 'means')[0]).toBeCloseTo(m + 0.2, 12)
    expect(leafAt(state, 'emission', 'covariances')[0]).toBeCloseTo(0.9 * (v + 0.4), 12)
  })

  it('follows a stream that has moved', () => {
    const live = onlineMixture.open({ model, rate: 0.02 })
    const before =
      mixtureScore(
        model,
        series.map((x) => x + 2),
      ).logDensity.reduce((a, b) => a + b) / series.length
    for (let pass = 0; pass < 4; pass++) for (const x of series) live.update(x + 2)
    let after = 0
    for (const x of series) {
      live.update(x + 2)
      after += live.logScore / series.length
    }
    expect(after).toBeGreaterThan(before + 0.2)
  })
  testLive('onlineMixture', { factory: onlineMixture, config: { model, rate: 0.05 }, stream })
})

describe('regimeEnsemble', () => {
  const config = {
    regimes: 2,
    members: [
      [0, 1],
      [1, 0],
      [0, 0],
    ],
    memory: 0.5,
  }
  const input = (a: number, b: number) => ({
    probabilities: [
      [a, 1 - a],
      [b, 1 - b],
      [0.5, 0.5],
    ],
    logScores: [-1, -2, -4],
  })

  it('weighs by discounted log-scores, with states mapped', () => {
    const live = regimeEnsemble.open(config)
    // Equal at first: (0.6 + 0.9 + 1) / 3.
    expect(live.predict(input(0.6, 0.1))[0]).toBeCloseTo(2.5 / 3, 12)
    live.update(input(0.6, 0.1))
    live.update(input(0.6, 0.1))
    // Scores −1.5, −3, −6.
    const w = [-1.5, -3, -6].map(Math.exp)
    const expected = (0.6 * w[0]! + 0.9 * w[1]! + w[2]!) / (w[0]! + w[1]! + w[2]!)
    expect(live.predict(input(0.6, 0.1))[0]).toBeCloseTo(expected, 12)
    const equal = regimeEnsemble.open({ ...config, weighting: 'equal' })
    equal.update({ probabilities: input(0.6, 0.1).probabilities })
    expect(equal.predict({ probabilities: input(0.6, 0.1).probabilities })[1]).toBeCloseTo(0.5 / 3, 12)
    expect(() => live.predict({ probabilities: input(0.6, 0.1).probabilities })).toThrow('3 log-scores are needed')
  })
  const inputs = Array.from({ length: 10 }, (_, t) => ({ x: input((t % 3) / 4, (t % 5) / 6) }))
  testLive('regimeEnsemble', { factory: regimeEnsemble, config, stream: inputs })
})

describe('switchEvent', () => {
  const weights = [
    [1, 0],
    [0, 1],
  ]
  const parameters = [{ stop: 2 }, { stop: 4 }]
  it('carries the reason, the hash of its input and the parameters in force', () => {
    const sink = collectEvents()
    const router = regimeRouter.open({ weights, parameters, minimum: 1 })
    ;[0.9, 0.8, 0.3].forEach((p, t) => {
      const input = { probabilities: [p, 1 - p] }
      const event = switchEvent(router.predict(input), input, t)
      router.update(input)
      if (event) sink.emit(event)
    })
    expect(sink.events.map(({ time, reason }) => [time, reason])).toEqual([
      [0, 'Regime 0 is the first in force, at a probability of 0.9000.'],
      [2, 'The probability of regime 1 reached 0.7000.'],
    ])
    expect(sink.events[1]!.data).toEqual({ from: 0, to: 1, novelty: 0, weights: [0, 1], parameters: { stop: 4 } })
    expect(sink.events[1]!.inputs).toEqual({ input: hashTree({ probabilities: [0.3, 0.7] }) })
  })

  it('blends parameters by probability', () => {
    const route = regimeRouter.open({ weights, parameters, mode: 'blend' }).predict({ probabilities: [0.25, 0.75] })
    expect(route.parameters).toEqual({ stop: 0.25 * 2 + 0.75 * 4 })
    expect(() => regimeRouter.open({ weights, parameters: [{ stop: 1 }] })).toThrow('each of the 2 regimes')
  })
})

describe('openCusum', () => {
  it('continues from a snapshot mid-stream exactly as if it had not stopped', () => {
    const rows = series.slice(20, 80)
    const whole = openCusum({ mean: 0, deviation: 1 })
    const alarms = rows.map((x) => whole.update(x))
    const head = openCusum({ mean: 0, deviation: 1 })
    for (const x of rows.slice(0, 31)) head.update(x)
    const tail = openCusum(head.snapshot())
    expect(rows.slice(31).map((x) => tail.update(x))).toEqual(alarms.slice(31))
    expect(alarms.indexOf(true)).toBeGreaterThan(29)
    expect(alarms).toContain(true)
  })
})
