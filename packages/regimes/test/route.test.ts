import { alignStates, labelStates, regimeRouter, ruleDetector, segmentByRegime } from '@regimen/regimes'
import { testLive } from '@regimen/testing'
import { describe, expect, it } from 'vitest'

const bar = (close: number, wide = 1) => ({ high: close + wide, low: close - wide, close })

describe('rule detector', () => {
  it('tells trend by the slope of the average and volatility by the range', () => {
    // Averages of three rise by 1 a bar on 100: 1 % a bar; ranges of 2 stay at their median.
    const live = ruleDetector.open({ average: 3, range: 2 })
    for (const close of [100, 101, 102]) live.update(bar(close))
    expect(live.predict(bar(103))).toBe('bull-low')
    expect(live.predict(bar(100))).toBe('sideways-low')
    expect(live.predict(bar(99.9))).toBe('bear-low')
    // Wilder: (2 + (20 − 2)/2) = 11 against a median of 2.
    expect(live.predict(bar(103, 10))).toBe('bull-high')
  })

  it('scaled, measures the slope in average true ranges', () => {
    // Closes 100, 101, 102 with ranges of 2. Then 100.5: the average of three moves by 0.5/3 on 101, 0.165 % a bar, a bull's slope in
    // percent. Scaled: the true range is 102 − 99.5 = 2.5, its average 2.25, a tenth of it 0.0224 % of 100.5 … times 10 = 0.224 %.
    const open = (scaled: boolean) => {
      const live = ruleDetector.open({ average: 3, range: 2, scaled })
      for (const close of [100, 101, 102]) live.update(bar(close))
      return live
    }
    expect(open(false).predict(bar(100.5))).toBe('bull-low')
    expect(open(true).predict(bar(100.5))).toBe('sideways-low')
    // 100.8: (0.8/3)/101 = 0.264 % against a tenth of (2 + 2.2)/2 = 2.1 on 100.8, 0.208 %.
    expect(open(true).predict(bar(100.8))).toBe('bull-low')
    // 99.3: −(0.7/3)/101 = −0.231 %, against (2 + 3.7)/2 = 2.85, 0.287 %; 98.6: −0.462 % against 3.2, 0.325 %.
    expect(open(true).predict(bar(99.3))).toBe('sideways-low')
    expect(open(true).predict(bar(98.6))).toBe('bear-high')
    // The same market at a hundredth of its moves: in percent a trend fades, scaled it stays.
    const calm = (scaled: boolean) => {
      const live = ruleDetector.open({ average: 3, range: 2, scaled })
      for (const close of [100, 100.01, 100.02]) live.update(bar(close, 0.01))
      return live.predict(bar(100.03, 0.01))
    }
    expect(calm(false)).toBe('sideways-low')
    expect(calm(true)).toBe('bull-low')
  })

  it('waits until the averages are warm and cuts a series into stretches', () => {
    expect(ruleDetector.open({}).predict(bar(100))).toBeUndefined()
    const close = Array.from({ length: 300 }, (_, t) => 100 + (t < 150 ? t : 300 - t) / 2)
    const wide = close.map((_, t) => (t >= 220 && t < 260 ? 6 : 1))
    const bars = { high: close.map((c, t) => c + wide[t]!), low: close.map((c, t) => c - wide[t]!), close }
    const segments = segmentByRegime(bars)
    expect(segments.map((segment) => segment.label)).toEqual([
      'bull-low',
      'sideways-low',
      'bear-low',
      'bear-high',
      'bear-low',
    ])
    expect(segments.at(-1)!.end).toBe(300)
    const part = segmentByRegime({
      high: bars.high.slice(0, 200),
      low: bars.low.slice(0, 200),
      close: close.slice(0, 200),
    })
    expect(part.slice(0, 2)).toEqual(segments.slice(0, 2))
    expect(() => segmentByRegime({ high: [1], low: [1], close: [1] })).toThrow('too few to warm up')
  })

  const stream = Array.from({ length: 12 }, (_, t) => ({ x: bar(100 + Math.sin(t) * 3, 1 + (t % 3)) }))
  testLive('ruleDetector', {
    factory: ruleDetector,
    config: { average: 3, range: 2, memory: 5 },
    stream,
    view: (label) => label ?? null,
  })
})

describe('router', () => {
  const config = {
    weights: [
      [1, 0],
      [0, 1],
    ],
    minimum: 2,
  }
  const feed = (p: number, logScore = -1) => ({ probabilities: [p, 1 - p], logScore })

  it('switches only for a clear and lasting change', () => {
    const router = regimeRouter.open(config)
    const seen: number[] = []
    for (const p of [0.9, 0.2, 0.45, 0.3, 0.9, 0.9]) {
      const route = router.predict(feed(p))
      router.update(feed(p))
      seen.push(route.regime)
    }
    // 0.2 comes too early, 0.45 is not clear, 0.3 switches; 0.9 must wait for the second bar.
    expect(seen).toEqual([0, 0, 0, 1, 1, 0])
  })

  it('blends', () => {
    const { weights } = regimeRouter.open({ ...config, mode: 'blend' }).predict(feed(0.25))
    expect([...weights]).toEqual([0.25, 0.75])
  })

  it('shelters from a bar like none before, and says why', () => {
    const router = regimeRouter.open({ ...config, shelter: [0.1, 0] })
    for (let t = 0; t < 100; t++) router.update(feed(0.9, -1 + 0.2 * Math.sin(t)))
    const route = router.predict(feed(0.9, -20))
    expect(route.regime).toBe(-1)
    expect(route.switched).toEqual({ from: 0, to: -1, reason: 'novelty' })
    expect([...route.weights]).toEqual([0.1, 0])
  })

  const stream = Array.from({ length: 10 }, (_, t) => ({ x: feed(t % 4 < 2 ? 0.9 : 0.2, -1 - (t % 3)) }))
  testLive('regimeRouter', { factory: regimeRouter, config, stream })
})

describe('alignment and labels', () => {
  it('undoes a permutation of noisy states', () => {
    const before = [
      [0, 1],
      [0.001, 2],
      [-0.002, 3],
    ]
    const order = [2, 0, 1]
    const after = order.map((i) => before[i]!.map((v) => v * 1.05))
    expect(alignStates(before, after)).toEqual([1, 2, 0])
  })

  it('names states by what they emit', () => {
    const labels = labelStates([
      { mean: 0.001, deviation: 0.007, autocorrelation: 0.1 },
      { mean: 0, deviation: 0.012, autocorrelation: -0.1 },
      { mean: -0.002, deviation: 0.025 },
    ])
    expect(labels.map((label) => label.name)).toEqual(['bull-low', 'sideways-low', 'bear-high'])
    expect(labels.map((label) => label.persistence)).toEqual(['trending', 'mean-reverting', 'neither'])
    expect(() => labelStates([{ mean: 0, deviation: 0 }])).toThrow('deviation above 0')
  })
})
