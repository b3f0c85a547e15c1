import { createRng } from '@regimen/core'
import { bayesianChangePoints, hindsightChangePoints, openCusum } from '@regimen/regimes'
import { describe, expect, it } from 'vitest'

const rng = createRng('changes')
const steps = Array.from({ length: 300 }, (_, t) => (t < 100 ? 0 : t < 180 ? 4 : -2) + rng.normal(0, 0.5))
const calmThenWild = Array.from({ length: 400 }, (_, t) => rng.normal(0, t < 250 ? 0.3 : 3))

describe('PELT', () => {
  it('finds constructed changes of mean at their index and of variance nearby', () => {
    expect(hindsightChangePoints(steps, { penalty: 5 })).toEqual([100, 180])
    const found = hindsightChangePoints(calmThenWild, { cost: 'normal', penalty: 20 })
    expect(found.length).toBe(1)
    expect(Math.abs(found[0]! - 250)).toBeLessThanOrEqual(2)
  })

  it('equals the minimum over all segmentations', () => {
    const x = Array.from({ length: 11 }, () => rng.normal(0, 2))
    for (const penalty of [0.5, 3, 10]) {
      let best = Number.POSITIVE_INFINITY
      let where: number[] = []
      for (let code = 0; code < 1024; code++) {
        const cuts = [0, ...Array.from({ length: 10 }, (_, i) => i + 1).filter((i) => (code >> (i - 1)) & 1), 11]
        let total = penalty * (cuts.length - 2)
        for (let i = 1; i < cuts.length; i++) {
          const part = x.slice(cuts[i - 1]!, cuts[i]!)
          const mean = part.reduce((a, b) => a + b, 0) / part.length
          total += part.reduce((a, b) => a + (b - mean) ** 2, 0)
        }
        if (total < best) {
          best = total
          where = cuts.slice(1, -1)
        }
      }
      expect(hindsightChangePoints(x, { penalty, minimum: 1 })).toEqual(where)
    }
  })
})

describe('Bayesian online change points', () => {
  it('resets the run length where the series changes, and not before', () => {
    const { runLength, recent } = bayesianChangePoints(steps, { rate: 0.25 })
    expect(runLength[99]).toBe(100)
    expect(runLength[110]).toBe(11)
    expect(runLength[190]).toBe(11)
    expect(recent[98]!).toBeLessThan(0.2)
    expect(recent[102]!).toBeGreaterThan(0.9)
    const part = bayesianChangePoints(steps.slice(0, 120), { rate: 0.25 })
    expect([...part.runLength]).toEqual([...bayesianChangePoints(steps, { rate: 0.25 }).runLength.slice(0, 120)])
  })

  it('scores its first row by the Student-t prior', () => {
    // Two degrees of freedom at scale² = rate (strength + 1)/(shape strength) = 2: t density at 0 is 1/(2√2 · √2).
    const { logScore } = bayesianChangePoints([0], { strength: 1, shape: 1, rate: 1 })
    expect(logScore[0]).toBeCloseTo(Math.log(1 / (2 * Math.SQRT2 * Math.SQRT2)), 12)
  })
})

describe('CUSUM', () => {
  it('raises false alarms about every 465 rows at k = 0.5, h = 5, and sees a shift of one deviation in about 10', () => {
    const detector = openCusum({ mean: 0, deviation: 1 })
    let alarms = 0
    for (let t = 0; t < 100_000; t++) if (detector.update(rng.normal())) alarms++
    expect(100_000 / alarms).toBeGreaterThan(400)
    expect(100_000 / alarms).toBeLessThan(540)
    let delay = 0
    for (let trial = 0; trial < 400; trial++) {
      const fresh = openCusum({ mean: 0, deviation: 1 })
      do delay++
      while (!fresh.update(rng.normal(1)))
    }
    expect(delay / 400).toBeCloseTo(10.4, 0)
  })

  it('continues from a snapshot', () => {
    const a = openCusum({ mean: 0, deviation: 1 })
    for (const x of [1, 2, 1]) a.update(x)
    const b = openCusum(a.snapshot())
    expect([2, 2, 2].map((x) => b.update(x))).toEqual([2, 2, 2].map((x) => a.update(x)))
    expect(() => a.update(Number.NaN)).toThrow('a row must be finite')
  })
})
