import { createRng } from '@regimen/core'
import { describe, expect, it } from 'vitest'
import { describeTask } from '../src/index.ts'

describe('describeTask', () => {
  it('worked by hand for a regression', () => {
    // x = 1, 3, 5 and 0, 0, 3; y = 2, 6, 1. Means 3, 1, 3; Σ(x − 3)² = 8, Σ(x₂ − 1)² = 6, Σ(y − 3)² = 1 + 9 + 4 = 14;
    // Σ(x − 3)(y − 3) = 2 + 0 − 4 = −2; Σ(x₂ − 1)(y − 3) = 1 − 3 − 4 = −6.
    const made = describeTask(
      { x: [1, 0, 3, 0, 5, 3], y: [2, 6, 1] },
      { inputs: 2, outputs: 1, likelihood: 'gaussian' },
    )
    const expected = [
      3,
      Math.log(1 + Math.sqrt(8 / 3)),
      1,
      Math.log(1 + Math.sqrt(2)),
      3,
      -2 / Math.sqrt(8 * 14),
      -6 / Math.sqrt(6 * 14),
    ]
    for (const [i, value] of expected.entries()) expect(made[i]).toBeCloseTo(value, 12)
    expect(made).toHaveLength(expected.length)
  })

  it('is the same for any order and any number of copies, and leaves out what is not finite', () => {
    const rng = createRng('rows')
    const rows = Array.from({ length: 20 }, () => ({ x: [rng.normal(), 1e6 + rng.normal()], y: rng.int(0, 3) }))
    const of = (list: typeof rows) =>
      describeTask({ x: list.flatMap(({ x }) => x), y: list.map(({ y }) => y) }, { inputs: 2, outputs: 3 })
    const made = of(rows)
    const other = of(rng.shuffle([...rows, ...rows, { x: [Number.NaN, 0], y: 1 }, { x: [0, 0], y: Number.NaN }]))
    for (let i = 0; i < made.length; i++) expect(other[i]).toBeCloseTo(made[i]!, 7)
    // Far from zero the moments still hold: a sum of squares would have lost them.
    expect(made[3]).toBeLessThan(1.2)
  })

  it('tells turned labels apart, and what never varies has no correlation', () => {
    const one = describeTask({ x: [-1, 1], y: [0, 1] }, { inputs: 1, outputs: 2 })
    const turned = describeTask({ x: [-1, 1], y: [1, 0] }, { inputs: 1, outputs: 2 })
    expect(turned[3]).toBe(-one[3]!)
    expect(Array.from(describeTask({ x: [2, 2], y: [0, 0] }, { inputs: 1, outputs: 2 }))).toEqual([2, 0, 1, 0, 0, 0])
    expect(() => describeTask({ x: [1], y: [0] }, { inputs: 2, outputs: 2 })).toThrow('rows of 2, got 1')
    expect(() => describeTask({ x: [1], y: [] }, { inputs: 1, outputs: 2 })).toThrow('y must hold 1')
    expect(() => describeTask({ x: [Number.NaN], y: [0] }, { inputs: 1, outputs: 2 })).toThrow('none of the 1 samples')
    expect(() => describeTask({ x: [1], y: [0] }, { inputs: 1, outputs: 0 })).toThrow('outputs must be')
  })
})
