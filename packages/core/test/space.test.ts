import { checkPoint, checkSpace, createRng, decode, encode, encodeOneHot, type Space, samplePoint } from '@regimen/core'
import { describe, expect, it } from 'vitest'

const space = {
  width: { type: 'float', low: -1, high: 3 },
  rate: { type: 'float', low: 1e-4, high: 1, log: true },
  drop: { type: 'float', low: 0, high: 0.3, step: 0.1 },
  depth: { type: 'int', low: 1, high: 4 },
  even: { type: 'int', low: 2, high: 9, step: 2 },
  units: { type: 'int', low: 1, high: 1000, log: true },
  kind: { type: 'categorical', choices: ['a', 'b', null, true] },
  fixed: { type: 'float', low: 2, high: 2 },
} as const satisfies Space

describe('search space', () => {
  it('encodes by hand', () => {
    const point = { width: 0, rate: 0.01, drop: 0.1, depth: 3, even: 8, units: 1, kind: null, fixed: 2 }
    const unit = encode(space, point)
    expect(unit[0]).toBe(0.25) // (0 + 1) / 4
    expect(unit[1]).toBeCloseTo(0.5, 15) // halfway from 10⁻⁴ to 1 in decades
    expect(unit[2]).toBe(1.5 / 4) // the second of 0, .1, .2, .3
    expect(unit[3]).toBe(2.5 / 4)
    expect(unit[4]).toBe(3.5 / 4) // 2, 4, 6, 8: 9 is not on the grid
    expect(unit[5]).toBeCloseTo(Math.log(2) / Math.log(2001), 14) // 1 in [½, 1000½], log scale
    expect(unit[6]).toBe(2.5 / 4)
    expect(decode(space, unit)).toEqual({ ...point, rate: expect.closeTo(0.01, 12) })
    expect(Array.from(encodeOneHot(space, point)).slice(6)).toEqual([0, 0, 1, 0, 0.5])
  })

  it('round-trips every sampled point, which always passes the check', () => {
    const rng = createRng(1)
    for (let i = 0; i < 500; i++) {
      const point = checkPoint(space, samplePoint(space, rng))
      const back = decode(space, encode(space, point))
      expect(back.width).toBeCloseTo(point.width, 12)
      expect(back.rate / point.rate).toBeCloseTo(1, 12)
      expect({ ...back, width: 0, rate: 0 }).toEqual({ ...point, width: 0, rate: 0 })
    }
  })

  it('makes uniform coordinates uniform values, log-uniform where asked', () => {
    const rng = createRng(2)
    const counts = { depth: new Float64Array(5), kind: new Map<unknown, number>() }
    let low = 0
    let small = 0
    for (let i = 0; i < 8000; i++) {
      const point = samplePoint(space, rng)
      counts.depth[point.depth]!++
      counts.kind.set(point.kind, (counts.kind.get(point.kind) ?? 0) + 1)
      if (point.rate < 0.01) low++
      if (point.units <= 31) small++
    }
    for (const count of [...counts.depth.slice(1), ...counts.kind.values()])
      expect(Math.abs(count - 2000)).toBeLessThan(5 * Math.sqrt(8000 * 0.25 * 0.75))
    expect(Math.abs(low - 4000)).toBeLessThan(5 * Math.sqrt(2000))
    // P(units ≤ 31) = ln(31.5/.5) / ln(1000.5/.5).
    const p = Math.log(63) / Math.log(2001)
    expect(Math.abs(small - 8000 * p)).toBeLessThan(5 * Math.sqrt(8000 * p * (1 - p)))
  })

  it('clamps coordinates and keeps the ends inside', () => {
    const ends = { x: space.width, r: space.rate, n: space.units, k: space.kind }
    expect(decode(ends, [-1, 0, 0, 0])).toEqual({ x: -1, r: 1e-4, n: 1, k: 'a' })
    expect(decode(ends, [2, 1, 1, 1])).toEqual({ x: 3, r: 1, n: 1000, k: true })
    expect(() => decode(ends, [Number.NaN, 0, 0, 0])).toThrow('the coordinate of x must be a number, got NaN')
  })

  it('refuses spaces that make no sense', () => {
    expect(checkSpace(space)).toBe(space)
    const cases: [Space, string][] = [
      [{}, 'at least one dimension'],
      [{ x: { type: 'float', low: 2, high: 1 } }, '[core/space] x needs finite low ≤ high, got 2 and 1.'],
      [{ x: { type: 'float', low: 0, high: 1, log: true } }, 'x.low must be above 0 on a logarithmic scale, got 0'],
      [{ x: { type: 'int', low: 0.5, high: 1 } }, 'x must have whole low, high and step'],
      [{ x: { type: 'float', low: 0, high: 1, step: 0 } }, 'x.step must be above 0, got 0'],
      [{ x: { type: 'float', low: 1, high: 2, step: 0.1, log: true } }, 'x cannot have both log and step 0.1'],
      [{ x: { type: 'categorical', choices: [] } }, 'x.choices must be different values'],
      [{ x: { type: 'categorical', choices: [1, 1] } }, 'x.choices must be different values'],
    ]
    for (const [bad, message] of cases) expect(() => checkSpace(bad)).toThrow(message)
  })

  it('refuses points outside', () => {
    const small: Space = { x: space.drop, k: space.kind }
    expect(() => checkPoint(small, { x: 0.15, k: 'a' })).toThrow('x must lie on the grid of step 0.1 from 0, got 0.15')
    expect(() => checkPoint(small, { x: 1, k: 'a' })).toThrow('x must be a number from 0 to 0.3, got 1')
    expect(() => checkPoint(small, { x: 0.1, k: 'z' })).toThrow('k must be one of ["a", "b", null, true], got "z"')
    expect(() => checkPoint(small, { x: 0.1, k: 'a', y: 1 })).toThrow('the point has y, which the space has not')
    expect(() => checkPoint(small, { k: 'a' })).toThrow('got undefined')
    expect(() => encode(small, { x: 0.1, k: 'z' })).toThrow('the value must be one of')
  })
})
