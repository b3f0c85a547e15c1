import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { downsample } from '../src/index.ts'

describe('downsample', () => {
  // Eight inner points in (6 − 2) / 2 = 2 buckets: [1, 9, 1, 0] keeps its low at 4 and its high at 2, [−7, 0, 1, 0] its
  // low at 5 and its high at 7; the ends 0 and 9 are always kept.
  test('keeps the low and the high of every bucket, by hand', () => {
    expect(downsample([0, 1, 9, 1, 0, -7, 0, 1, 0, 2], { maxPoints: 6 })).toEqual([0, 2, 4, 5, 7, 9])
  })

  // Two buckets [1, 2] and [3, 4]. From point 0 = (0, 0) with the mean of bucket two at (3.5, 1): candidate 1 = (1, 0) has
  // twice the area |(0 − 3.5)(0 − 0) − (0 − 1)(1 − 0)| = 1, candidate 2 = (2, 5) has |−3.5·5 + 2·1| = 15.5, so 2 is kept.
  // From (2, 5) with the last point (5, 0): 3 = (3, 0): |(2 − 5)(0 − 5) − (2 − 3)(0 − 5)| = 10; 4 = (4, 2): |9 − 10| = 1.
  test('largest-triangle-three-buckets, by hand', () => {
    expect(downsample([0, 0, 5, 0, 2, 0], { method: 'lttb', maxPoints: 4 })).toEqual([0, 2, 3, 5])
  })

  test('leaves short series and method none alone', () => {
    expect(downsample([3, 1, 2])).toEqual([0, 1, 2])
    expect(downsample(new Float64Array(5000), { method: 'none' })).toHaveLength(5000)
  })

  test('one spike among 100,000 points survives minmax, and so does a gap', () => {
    const y = new Float64Array(100_000)
    y[61_803] = -1
    y[31_415] = Number.NaN
    const kept = downsample(y, { maxPoints: 200 })
    expect(kept.length).toBeLessThanOrEqual(202)
    expect(kept).toContain(61_803)
    expect(kept).toContain(31_415)
  })

  test('any series: indices ascend, ends and extremes are kept', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 9, maxLength: 300 }), (y) => {
        const kept = downsample(y, { maxPoints: 8 })
        expect(kept[0]).toBe(0)
        expect(kept.at(-1)).toBe(y.length - 1)
        expect(kept.every((i, k) => k === 0 || i > (kept[k - 1] as number))).toBe(true)
        const values = kept.map((i) => y[i] as number)
        expect(Math.max(...values)).toBe(Math.max(...y))
        expect(Math.min(...values)).toBe(Math.min(...y))
      }),
      { seed: 7, numRuns: 200 },
    )
  })

  test('refuses a size below four and x of another length', () => {
    expect(() => downsample([1], { maxPoints: 3 })).toThrow(
      '[report/downsample] sampling.maxPoints must be an integer from 4, got 3.',
    )
    expect(() => downsample([1, 2], { x: [1] })).toThrow('[report/downsample] x has 1 values, y has 2.')
  })
})
