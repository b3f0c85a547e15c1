import { createRng, toSegments } from '@regimen/core'
import { preset, simulate } from '@regimen/market'
import { describe, expect, test } from 'vitest'
import {
  chartPatternNames,
  chartPatterns,
  checkDisjoint,
  checkTask,
  curriculum,
  harmonics,
  prefetch,
  regimeCeiling,
  regimeReturns,
  regimeWindows,
  sampleEpisodes,
  sampleFamily,
  sampleSegments,
  sinusoids,
  sinusoidsAndLines,
  stackTasks,
  type TaskSampler,
  varyMarket,
} from '../src/index.ts'
import { column, labels, setOf } from './support/learners.ts'

describe('bad tasks are refused before any training', () => {
  const good = setOf([1, 2], [3, 4])

  test('mismatched shapes', () => {
    expect(() => checkTask({ support: setOf([1, 2], [3]), query: good })).toThrow('support.y must hold 2 samples')
    const wide = { x: { ...column([1, 2]), shape: [1, 2] }, y: column([1]) }
    expect(() => checkTask({ support: good, query: wide })).toThrow('support.x and query.x must be alike')
    const short = { x: { ...column([1, 2]), shape: [3, 1] }, y: column([1, 2, 3]) }
    expect(() => checkTask({ support: short, query: good })).toThrow('support.x must hold 3 numbers')
  })

  test('NaN and infinite features', () => {
    expect(() => checkTask({ support: setOf([1, Number.NaN], [1, 2]), query: good })).toThrow(
      'support.x must be finite, got NaN in sample 1',
    )
    expect(() => checkTask({ support: good, query: setOf([1], [Number.POSITIVE_INFINITY]) })).toThrow(
      'query.y must be finite, got Infinity in sample 0',
    )
  })

  test('a class without support', () => {
    const support = { x: column([1, 2]), y: labels([0, 1]) }
    const query = { x: column([1]), y: labels([2]) }
    expect(() => checkTask({ support, query })).toThrow('class 2 is in the query but has no support')
  })

  test('weights that are negative, missing or all zero', () => {
    const weigh = (...weights: number[]) => ({ support: { ...good, weights: Float32Array.from(weights) }, query: good })
    expect(() => checkTask(weigh(1, -1))).toThrow('weights must be finite and ≥ 0, got -1')
    expect(() => checkTask(weigh(1))).toThrow('weights must hold 2 numbers, got 1')
    expect(() => checkTask(weigh(0, 0))).toThrow('must not all be zero')
  })

  test('a query that is not strictly later, and training that reaches into the test', () => {
    const at = (...time: number[]) => ({ ...setOf(time, time), time: Float64Array.from(time) })
    expect(() => checkTask({ support: at(1, 2), query: at(2, 3) })).toThrow('strictly after the support')
    const [early, late] = [
      { support: at(1), query: at(3) },
      { support: at(2), query: at(4) },
    ]
    expect(() => checkDisjoint([early], [late])).toThrow('training reaches 3, the test begins at 2')
    expect(() => checkDisjoint([early], [{ support: good, query: good }])).toThrow('carries no times')
  })

  test('too few samples for the shots asked', () => {
    const x = column([1, 2, 3])
    expect(() => sampleEpisodes({ x, labels: [0, 0, 1] }, { ways: 2, shots: 1, queries: 1 })).toThrow(
      'class 1 has 1 samples, but 1 shots and 1 queries need 2',
    )
    expect(() => sampleEpisodes({ x, labels: [0, 0, 0] }, { ways: 2, shots: 1 })).toThrow('from 2 to the 1 classes')
    const series = { x, y: x, time: Float64Array.of(1, 2, 3) }
    expect(() => sampleSegments(series, toSegments([0, 0, 1]), { shots: 1 })).toThrow('regime 1 has 1 rows')
    const empty = [{ start: 1, end: 1, label: 'calm' }]
    expect(() => sampleSegments(series, empty, { shots: 1 })).toThrow('a segment of regime calm is empty')
    const bad = { x: column([1, Number.NaN]), labels: [0, 1] }
    expect(() => sampleEpisodes(bad, { ways: 2, shots: 1, replacement: true })).toThrow('must be finite, got NaN')
  })
})

test('stacking pads short tasks with weight 0', () => {
  const { support, query } = stackTasks([
    { support: setOf([1], [10]), query: setOf([5], [50]) },
    { support: setOf([2, 3], [20, 30]), query: setOf([6], [60]) },
  ])
  expect([...support.x.data]).toEqual([1, 0, 2, 3])
  expect([...support.weights!.data]).toEqual([1, 0, 1, 1])
  expect(query.weights).toBeNull()
  const other = { x: { ...column([1, 2]), shape: [1, 2] }, y: column([1]) }
  const first = { support: setOf([1], [10]), query: setOf([5], [50]) }
  expect(() => stackTasks([first, { support: other, query: other }])).toThrow('task 1 has support.x float32 [1, 2]')
})

describe('samplers', () => {
  test('a finite family visits every task before any repeats, with fresh samples', async () => {
    const sampler = sampleFamily(sinusoids({ shots: 3 }), { tasks: 5, seed: 3 })
    const first = (await sampler.batch(0, 5)).map(({ difficulty }) => difficulty!)
    const second = (await sampler.batch(1, 5)).map(({ difficulty }) => difficulty!)
    expect(new Set(first).size).toBe(5)
    expect([...second].sort()).toEqual([...first].sort())
    const xs = async (index: number) =>
      new Set((await sampler.batch(index, 5)).flatMap(({ support }) => [...support.x.data]))
    const [a, b] = [await xs(0), await xs(1)]
    expect([...a].some((x) => b.has(x))).toBe(false)
  })

  test('a batch depends on its number alone, prefetched or not', async () => {
    const plain = sampleFamily(harmonics({ shots: 2 }), { seed: 5 })
    const asked: number[] = []
    const counted: TaskSampler = {
      batch(index, count) {
        asked.push(index)
        return plain.batch(index, count)
      },
    }
    const ahead = prefetch(counted, { ahead: 2 })
    expect(await ahead.batch(4, 2)).toEqual(await plain.batch(4, 2))
    expect(asked).toEqual([4, 5, 6])
    expect(await ahead.batch(5, 2)).toEqual(await plain.batch(5, 2))
    // Batch 5 was ready; only one more is made.
    await Promise.resolve()
    expect(asked).toEqual([4, 5, 6, 7])
  })

  test('the curriculum begins with easy tasks and ends with all', async () => {
    const sampler = curriculum(sampleFamily(sinusoids({ shots: 2 })), { over: 10 })
    const mean = async (index: number) =>
      (await sampler.batch(index, 400)).reduce((sum, { difficulty }) => sum + difficulty! / 400, 0)
    // The least of four uniform numbers on [0.1, 5] has mean 0.1 + 4.9 / 5 = 1.08, any of them 2.55; four standard errors of 400
    // draws are 0.16 and 0.28.
    expect(Math.abs((await mean(0)) - 1.08)).toBeLessThan(0.16)
    expect(Math.abs((await mean(10)) - 2.55)).toBeLessThan(0.28)
  })

  test('episodes: no sample twice in a task, labels renumbered', async () => {
    const x = column([1, 2, 3, 11, 12, 13, 21, 22, 23])
    const sampler = sampleEpisodes(
      { x, labels: [5, 5, 5, 6, 6, 6, 7, 7, 7] },
      { ways: 2, shots: 2, queries: 1, seed: 1 },
    )
    for (const { support, query } of await sampler.batch(0, 20)) {
      const all = [...support.x.data, ...query.x.data]
      expect(new Set(all).size).toBe(6)
      expect([...support.y.data, ...query.y.data]).toEqual([0, 0, 1, 1, 0, 1])
      const decade = (i: number) => Math.floor(support.x.data[i]! / 10)
      expect(decade(0)).toBe(decade(1))
      expect(decade(0)).not.toBe(decade(2))
    }
  })

  test('segments: one regime, query after support, the gap left out', async () => {
    const n = 60
    const regimes = Array.from({ length: n }, (_, i) => Math.floor(i / 10) % 2)
    const x = column(Array.from({ length: n }, (_, i) => i))
    const sampler = sampleSegments(
      { x, y: x, time: Float64Array.from({ length: n }, (_, i) => 1000 * i) },
      toSegments(regimes),
      { shots: 4, queries: 3, gap: 2 },
    )
    const seen = new Set<string>()
    for (const task of await sampler.batch(0, 40)) {
      seen.add(task.label!)
      const rows = [...task.support.x.data, ...task.query.x.data]
      expect(rows.every((row) => String(regimes[row]) === task.label)).toBe(true)
      expect(Math.min(...task.query.time!)).toBeGreaterThanOrEqual(Math.max(...task.support.time!) + 3000)
    }
    expect([...seen].sort()).toEqual(['0', '1'])
  })
})

describe('families', () => {
  test('sine waves and lines are what their parameters say', () => {
    const family = sinusoidsAndLines({ shots: 4 })
    const line = family.task({ slope: -2, intercept: 0.5 }, createRng(1)).support
    line.x.data.forEach((x, i) => {
      expect(line.y.data[i]).toBeCloseTo(-2 * x + 0.5, 5)
    })
    const wave = family.task({ amplitude: 3, phase: 1 }, createRng(1)).query
    wave.x.data.forEach((x, i) => {
      expect(wave.y.data[i]).toBeCloseTo(3 * Math.sin(x + 1), 5)
    })
  })

  test('chart patterns without noise are told apart by the nearest window', () => {
    const family = chartPatterns({ shots: 1, queries: 3, ways: 4, noise: [0, 0], warp: [0, 0], span: [1, 1] })
    const rng = createRng(2)
    const spec = { ...family.draw(rng), patterns: chartPatternNames.slice(0, 4), trend: 0 }
    const { support, query } = family.task(spec, rng)
    const row = (set: typeof support, i: number) => set.x.data.subarray(64 * i, 64 * (i + 1)) as Float32Array
    for (let i = 0; i < 12; i++) {
      const distances = [0, 1, 2, 3].map((k) =>
        row(query, i).reduce((sum, value, t) => sum + (value - row(support, k)[t]!) ** 2, 0),
      )
      expect(distances.indexOf(Math.min(...distances))).toBe(query.y.data[i])
    }
  })

  test('a pattern lies anywhere in its window, and the price roams around it', () => {
    // A quarter of 64 bars: 16 bars that begin at bar 0 to 48. A spike's highest knot is in its middle.
    const spec = { patterns: ['spike-top', 'v-bottom'], noise: 0, warp: 0, trend: 0 } as const
    const { support } = chartPatterns({ shots: 40, ways: 2, span: [0.25, 0.25] }).task(spec, createRng(1))
    const rowOf = (i: number) => Array.from(support.x.data.subarray(64 * i, 64 * (i + 1)))
    const early = Array.from({ length: 40 }, (_, i) => {
      const begin = rowOf(i).slice(0, 16)
      return begin.indexOf(Math.max(...begin))
    }).filter((peak) => peak >= 7 && peak <= 9)
    // If all began at bar 0 all would have their peak there; a walk's highest of 16 bars lies there in fewer than one of five.
    expect(early.length).toBeLessThan(16)
    // Somewhere in each window the price rises for eight bars and falls for eight, as a spike does.
    const spikes = Array.from({ length: 40 }, (_, i) => {
      const row = rowOf(i)
      return row.some((top, t) => t >= 8 && t < 56 && top - row[t - 7]! > 0.5 && top - row[t + 7]! > 0.5)
    })
    expect(spikes.filter(Boolean).length).toBeGreaterThan(30)
    // Each window has mean 0 and deviation 1.
    const first = rowOf(0)
    expect(first.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 4)
    expect(first.reduce((a, b) => a + b * b, 0) / 64).toBeCloseTo(1, 4)
    expect(() => chartPatterns({ shots: 1, span: [0.5, 1.5] })).toThrow('span must be a range within [0.1, 1]')
  })

  test('drawn patterns are zigzags that begin at 0, others in each task', () => {
    const family = chartPatterns({ shots: 2, ways: 30, patterns: 'drawn' })
    const rng = createRng(6)
    const [one, two] = [family.draw(rng), family.draw(rng)]
    const knots = one.patterns.map((template) => template as readonly number[])
    expect(new Set(knots.map(({ length }) => length))).toEqual(new Set([4, 5, 6, 7, 8, 9]))
    for (const template of knots) {
      expect(template[0]).toBe(0)
      const legs = template.slice(1).map((price, i) => Math.abs(price - template[i]!))
      expect(legs.every((leg) => leg >= 0.4 && leg < 3)).toBe(true)
    }
    expect(two.patterns).not.toEqual(one.patterns)
    expect(checkTask(family.task(one, rng)).support.x.shape).toEqual([60, 64])
  })

  test('regime tasks: the features of a moment, by hand', () => {
    const family = regimeWindows({ market: preset('separable'), shots: 2, queries: 1 })
    const spec = family.draw(createRng(3))
    const { support } = family.task(spec, createRng(4))
    const { bars, returns } = simulate(spec.parameters, { bars: 1024, seed: spec.seed })
    const end = Array.from(bars.time).findIndex((time) => time + bars.interval === support.time![0])
    const last = (h: number, value: (i: number) => number) =>
      Array.from({ length: h }, (_, i) => value(end - i)).reduce((a, b) => a + b, 0)
    const scale = Math.sqrt(Array.from(returns.slice(0, 512)).reduce((sum, r) => sum + r * r, 0) / 512)
    const garmanKlass = (i: number) =>
      0.5 * Math.log(bars.high[i]! / bars.low[i]!) ** 2 -
      (2 * Math.LN2 - 1) * Math.log(bars.close[i]! / bars.open[i]!) ** 2
    const closes = Array.from({ length: 80 }, (_, i) => bars.close[end - i]!)
    const expected = [
      ...[5, 10, 20, 40, 80].flatMap((h) => [
        last(h, (i) => returns[i]!) / (scale * Math.sqrt(h)),
        Math.log(Math.sqrt(last(h, garmanKlass) / h) / scale),
      ]),
      last(40, (i) => returns[i]! * returns[i - 1]!) / last(40, (i) => returns[i]! ** 2),
      Math.log(Math.max(...closes) / closes[0]!) / (scale * Math.sqrt(80)),
      Math.log(closes[0]! / Math.min(...closes)) / (scale * Math.sqrt(80)),
    ]
    expected.forEach((value, i) => {
      expect(support.x.data[i]).toBeCloseTo(value, 4)
    })
  })

  test('regime tasks: other horizons give other sums, and the longest one the range', () => {
    const market = preset('separable')
    const options = { market, shots: 2, queries: 1 }
    const [plain, wide] = [regimeWindows(options), regimeWindows({ ...options, horizons: [10, 80, 3] })]
    const spec = plain.draw(createRng(3))
    const rows = [plain, wide].map((family) => family.task(spec, createRng(4)).support.x)
    expect(rows[1]!.shape).toEqual([6, 9])
    // Of the same moment: the return and volatility over 10 and 80 bars, and what follows the horizons, are the plain family's.
    const [a, b] = [rows[0]!.data, rows[1]!.data]
    expect([...b.slice(0, 4), ...b.slice(6, 9)]).toEqual([a[2], a[3], a[8], a[9], ...a.slice(10, 13)])
    // Echoes stand after the horizons: 40 is the plain family's.
    const echoes = regimeWindows({ ...options, horizons: [80], echoes: [20, 40] }).task(spec, createRng(4)).support.x
    expect(echoes.shape).toEqual([6, 6])
    expect([...echoes.data.slice(0, 2), ...echoes.data.slice(3, 6)]).toEqual([a[8], a[9], ...a.slice(10, 13)])
    expect(() => regimeWindows({ ...options, echoes: [1] })).toThrow('echoes must be integers ≥ 2, got 1')
    expect(() => regimeWindows({ ...options, horizons: [] })).toThrow('horizons must not be empty')
    expect(() => regimeWindows({ ...options, horizons: [5, 0.5] })).toThrow('horizons must be an integer ≥ 1, got 0.5')
  })

  test('regime tasks: no bar of a query window is in the half of the support', () => {
    const family = regimeWindows({ market: preset('separable'), shots: 2, queries: 4, window: 12 })
    const spec = family.draw(createRng(3))
    const { bars } = simulate(spec.parameters, { bars: 1024, seed: spec.seed })
    const indexOf = (time: number) => Math.round((time - bars.interval - bars.time[0]!) / bars.interval)
    const rng = createRng(5)
    const tasks = Array.from({ length: 80 }, () => family.task(spec, rng))
    const cut = indexOf(bars.time[512]! + bars.interval)
    const first = tasks.map(({ query }) => Math.min(...Array.from(query.time!, indexOf)))
    const last = tasks.map(({ support }) => Math.max(...Array.from(support.time!, indexOf)))
    expect(Math.min(...first) - 11).toBeGreaterThanOrEqual(cut)
    expect(Math.max(...last)).toBeLessThan(cut)
  })

  test('regime tasks: later queries, and a ceiling that the true filter reaches', () => {
    const family = regimeWindows({ market: preset('separable'), shots: 3, queries: 4, window: 12 })
    const spec = family.draw(createRng(3))
    const task = checkTask(family.task(spec, createRng(4)))
    expect([...task.support.y.data]).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2])
    expect(regimeCeiling(spec, task.query)).toBeGreaterThan(0.9)
  })

  test('return tasks: the target is the next bar of the input, in the same units', () => {
    const family = regimeReturns({ market: preset('separable'), shots: 6, queries: 2, lags: 3 })
    const { support } = checkTask(family.task(family.draw(createRng(3)), createRng(4)))
    // The newest lag of row i + 1 is the target of row i.
    for (let i = 0; i < 5; i++) expect(support.x.data[(i + 1) * 4 + 2]).toBe(support.y.data[i])
    const [a, b, c, level] = support.x.data.slice(0, 4)
    expect(level).toBeCloseTo(0.5 * Math.log((a! ** 2 + b! ** 2 + c! ** 2) / 3), 4)
  })

  test('varied markets differ in volatility and drift alone', () => {
    const market = preset('crypto-daily')
    const same = varyMarket(market, createRng(1), { volatility: 0, drift: 0 })
    expect(same).toEqual(market)
    expect(() => varyMarket(market, createRng(1), { drift: -1 })).toThrow('drift must be finite and ≥ 0')
  })
})
