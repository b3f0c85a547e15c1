import { createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { describe, expect, test } from 'vitest'
import {
  adaptingForecaster,
  type Forecaster,
  logDensity,
  mixForecasters,
  type Observation,
  type Open,
  regimeForecaster,
  streamingForecaster,
  volatilityForecaster,
} from '../src/index.ts'
import { observe } from './toys.ts'

/** A learner of the mean, with the face of an online learner; learns with the given rate. */
function meanLearner(rate: number) {
  return (from?: Parameters<Open<Forecaster>>[0]) => {
    let mean = from ? (from.state as { mean: number }).mean : 0
    let id = 0
    return {
      observe: async () => ({ id: id++ }),
      label: async (_: number, y: number) => {
        mean += rate * (y - mean)
      },
      predict: async () => [mean],
      snapshot: () => ({ ...SNAPSHOT, state: { mean } }),
      dispose: () => {},
    }
  }
}
const SNAPSHOT = { id: 'test/mean', version: 1, library: 'test', config: {}, children: {} } as const

const averaging = async ({ y }: { y: { data: Float32Array } }) => {
  const mean = y.data.reduce((a, b) => a + b, 0) / y.data.length
  return { predict: async () => ({ data: [mean, Math.log(4)] }), lossBefore: 2, lossAfter: 1 }
}

const all: readonly (readonly [string, Open<Forecaster>])[] = [
  ['volatility', volatilityForecaster()],
  ['by regime', regimeForecaster({ regimes: 2, inputs: [0], memory: 50 })],
  ['by regime, absolute', regimeForecaster({ regimes: 2, inputs: [0], relative: false })],
  ['streaming', streamingForecaster({ open: meanLearner(0.1) })],
  ['adapting', adaptingForecaster({ adapt: averaging, samples: 4, memory: 12, every: 3 })],
  [
    'mixture',
    mixForecasters({
      members: { calm: volatilityForecaster(), regimes: regimeForecaster({ regimes: 2 }) },
      share: 0.01,
    }),
  ],
]

function stream(seed: number, n: number): { readonly at: Observation; readonly y: number }[] {
  const rng = createRng(seed)
  return Array.from({ length: n }, (_, row) => {
    const p = rng.uniform()
    const features = Float32Array.of(rng.normal())
    return {
      at: observe([p, 1 - p], { row, features, scale: 0.01 }),
      y: 0.01 * (rng.normal() + (p > 0.5 ? 0.5 : -0.5)),
    }
  })
}

describe.each(all)('%s', (_, open) => {
  test('a snapshot through bytes continues to the same forecasts', async () => {
    const one = await open()
    const samples = stream(1, 60)
    for (const { at, y } of samples.slice(0, 40)) await one.learn(at, y)
    const two = await open(decodeSnapshot(encodeSnapshot(await one.snapshot())))
    for (const { at, y } of samples.slice(40)) {
      expect(await two.forecast(at)).toEqual(await one.forecast(at))
      await one.learn(at, y)
      await two.learn(at, y)
    }
    expect(encodeSnapshot(await two.snapshot())).toEqual(encodeSnapshot(await one.snapshot()))
  })

  test('to forecast does not learn', async () => {
    const one = await open()
    for (const { at, y } of stream(2, 20)) await one.learn(at, y)
    const before = encodeSnapshot(await one.snapshot())
    const [{ at }] = stream(3, 1) as [{ at: Observation; y: number }]
    await one.forecast(at)
    expect(encodeSnapshot(await one.snapshot())).toEqual(before)
    expect(await one.forecast(at)).toEqual(await one.forecast(at))
  })

  test('twice the scale and twice the returns: twice the mean, four times the variance', async () => {
    const [one, two] = [await open(), await open()]
    for (const { at, y } of stream(4, 30)) {
      await one.learn(at, y)
      await two.learn({ ...at, scale: 2 * at.scale }, 2 * y)
    }
    const [{ at }] = stream(5, 1) as [{ at: Observation; y: number }]
    const small = await one.forecast(at)
    const large = await two.forecast({ ...at, scale: 2 * at.scale })
    expect(large.mean).toBeCloseTo(2 * small.mean, 12)
    expect(large.variance).toBeCloseTo(4 * small.variance, 12)
  })
})

describe('by regime', () => {
  test('one regime is ridge regression: β = (XᵀX + λI)⁻¹ Xᵀz', async () => {
    // Inputs 1, −1, 2 and returns 2, 0, 3 in units of the scale; λ = 1.
    // XᵀX + I = [[4, 2], [2, 7]], Xᵀz = [5, 8]: β = [(7·5 − 2·8), (4·8 − 2·5)] / 24 = [19, 22] / 24.
    const forecaster = await regimeForecaster({ regimes: 1, inputs: [0], prior: 1 })()
    const at = (x: number): Observation => observe([1], { features: Float32Array.of(x) })
    for (const [x, z] of [
      [1, 2],
      [-1, 0],
      [2, 3],
    ] as const)
      await forecaster.learn(at(x), z)
    expect((await forecaster.forecast(at(0))).mean).toBeCloseTo(19 / 24, 12)
    const forecast = await forecaster.forecast(at(3))
    expect(forecast.mean).toBeCloseTo((19 + 3 * 22) / 24, 12)
    // Σz² = 13, explained βᵀXᵀz = (19·5 + 22·8)/24 = 271/24; with four bars at the scale: (13 − 271/24 + 4) / (3 + 4).
    expect(forecast.variance).toBeCloseTo((17 - 271 / 24) / 7, 12)
  })

  test('a certain regime learns, the other does not', async () => {
    const forecaster = await regimeForecaster({ regimes: 2, prior: 1 })()
    for (let i = 0; i < 50; i++) await forecaster.learn(observe([1, 0]), 0.7)
    const [first] = (await forecaster.forecast(observe([1, 0]))).parts
    const [, second] = (await forecaster.forecast(observe([0, 1]))).parts
    expect(first!.mean).toBeCloseTo((50 * 0.7) / 51, 12)
    expect(second!.mean).toBe(0)
    expect(second!.variance).toBe(1)
  })

  test('what is forgotten: after memory bars an observation counts 1/e', async () => {
    const forecaster = await regimeForecaster({ regimes: 1, prior: 1, memory: 10 })()
    await forecaster.learn(observe([1]), 4)
    for (let i = 0; i < 10; i++) await forecaster.learn(observe([1]), 0)
    // Weights e^(−i/10) for i = 0 … 10; only the oldest, e^(−1), saw 4.
    const weights = Array.from({ length: 11 }, (_, i) => Math.exp(-i / 10))
    const total = weights.reduce((a, b) => a + b, 0)
    expect((await forecaster.forecast(observe([1]))).mean).toBeCloseTo((4 * Math.exp(-1)) / (total + 1), 12)
  })

  test('options', () => {
    expect(() => regimeForecaster({ regimes: 0 })).toThrow('regimes must be a whole number from 1, got 0')
    expect(() => regimeForecaster({ regimes: 2, memory: 1 })).toThrow('memory must be above 1 bar')
    expect(() => regimeForecaster({ regimes: 2, prior: 0 })).toThrow('prior must be above 0')
    expect(() => regimeForecaster({ regimes: 2, inputs: [-1] })).toThrow('inputs must be positions')
  })

  test('the number of regimes and the options of a snapshot must fit', async () => {
    const forecaster = await regimeForecaster({ regimes: 2 })()
    await expect(forecaster.forecast(observe([1]))).rejects.toThrow('2 probabilities are needed, got 1')
    const snapshot = await forecaster.snapshot()
    expect(() => regimeForecaster({ regimes: 2, prior: 5 })(snapshot)).toThrow('other options')
  })
})

describe('streaming', () => {
  test('frozen, it corrects its spread but not its mean', async () => {
    const forecaster = await streamingForecaster({ open: meanLearner(0.5), learn: false })()
    const before = await forecaster.forecast(observe([1]))
    for (let i = 0; i < 30; i++) await forecaster.learn(observe([1]), 3)
    const after = await forecaster.forecast(observe([1]))
    expect(after.mean).toBe(before.mean)
    expect(after.variance).toBeGreaterThan(3 * before.variance)
  })
})

describe('adapting', () => {
  test('adapts on the observations of the same regime, and again when the regime changes', async () => {
    const seen: [number, number, number][] = []
    const supports: number[][] = []
    const forecaster = await adaptingForecaster({
      adapt: (set) => {
        supports.push(Array.from(set.y.data))
        return averaging(set)
      },
      samples: 3,
      every: 1000,
      onAdapt: (...event) => void seen.push(event),
    })()
    const at = (row: number, p: number): Observation => observe([p, 1 - p], { row })
    for (let row = 0; row < 6; row++) await forecaster.learn(at(row, row % 2), row % 2 ? 1 : -1)
    // The first adaptation comes with the third known return; rows 1, 3, 5 are of the first regime.
    expect(seen.map(([row]) => row)).toEqual([2, 3, 4, 5])
    expect(supports.at(-1)).toEqual([1, 1, 1])
    await forecaster.learn(at(6, 0), -1)
    expect(supports.at(-1)).toEqual([-1, -1, -1])
    expect(seen.at(-1)).toEqual([6, 2, 1])
    // The same regime again: no adaptation before `every` bars.
    await forecaster.learn(at(7, 0), -1)
    expect(seen.length).toBe(5)
  })

  test('options', () => {
    expect(() => adaptingForecaster({ adapt: averaging, samples: 1 })).toThrow('samples must be at least 2')
    expect(() => adaptingForecaster({ adapt: averaging, memory: 5 })).toThrow('memory must be at least samples, 32')
    expect(() => adaptingForecaster({ adapt: averaging, every: 0 })).toThrow('every must be at least 1')
  })
})

describe('mixture', () => {
  /** Always forecasts N(mean, 1). */
  const fixed =
    (mean: number): Open<Forecaster> =>
    async () => ({
      forecast: async () => ({ mean, variance: 1, parts: [{ weight: 1, mean, variance: 1 }] }),
      learn: async () => {},
      snapshot: async () => ({ ...SNAPSHOT, state: {} }),
      dispose: async () => {},
    })

  test("weights are Bayes' after one return: e^(−½(1−1)²) against e^(−½(1+1)²)", async () => {
    const mixture = await mixForecasters({ members: { up: fixed(1), down: fixed(-1) }, share: 0 })()
    await mixture.learn(observe([1]), 1)
    expect(mixture.weights.up).toBeCloseTo(1 / (1 + Math.exp(-2)), 14)
    expect((await mixture.forecast(observe([1]))).mean).toBeCloseTo((1 - Math.exp(-2)) / (1 + Math.exp(-2)), 14)
  })

  test('a share dealt out anew keeps every weight above share / n', async () => {
    const mixture = await mixForecasters({ members: { up: fixed(3), down: fixed(-3) }, share: 0.1 })()
    for (let i = 0; i < 100; i++) await mixture.learn(observe([1]), 3)
    expect(mixture.weights.down).toBeGreaterThan(0.0499)
    await mixture.learn(observe([1]), -3)
    expect(mixture.weights.down).toBeGreaterThan(0.9)
  })

  test('its log score is at most ln n below that of its best member', async () => {
    const members = { a: fixed(0), b: fixed(0.5), c: fixed(2) }
    const mixture = await mixForecasters({ members, share: 0 })()
    const singles = await Promise.all(Object.values(members).map((open) => open()))
    let own = 0
    const theirs = [0, 0, 0]
    for (const { at, y } of stream(6, 200)) {
      own += logDensity(await mixture.forecast(at), 100 * y)
      for (const [i, single] of singles.entries()) theirs[i]! += logDensity(await single.forecast(at), 100 * y)
      await mixture.learn(at, 100 * y)
    }
    expect(own).toBeGreaterThan(Math.max(...theirs) - Math.log(3))
    expect(own).toBeLessThan(Math.max(...theirs))
  })

  test('options', () => {
    expect(() => mixForecasters({ members: {} })).toThrow('at least one forecaster')
    expect(() => mixForecasters({ members: { a: fixed(0) }, share: 1 })).toThrow('share must be from 0 to below 1')
  })
})
