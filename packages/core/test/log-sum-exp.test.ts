import { logAddExp, logSumExp, softmax } from '@regimen/core/math'
import { describe, expect, it } from 'vitest'

describe('log-sum-exp', () => {
  it('stays finite where exp overflows or underflows', () => {
    // ln(e^1000 + e^1000) = 1000 + ln 2.
    expect(logSumExp([1000, 1000])).toBeCloseTo(1000 + Math.LN2, 12)
    expect(logSumExp([-1e5, -1e5, -1e5])).toBeCloseTo(-1e5 + Math.log(3), 10)
    expect(logAddExp(-1000, -1001)).toBeCloseTo(-1000 + Math.log1p(Math.exp(-1)), 12)
  })

  it('treats −∞ as no mass, +∞ as all of it and passes NaN on', () => {
    expect(logSumExp([Number.NEGATIVE_INFINITY, 0])).toBe(0)
    expect(logSumExp([])).toBe(Number.NEGATIVE_INFINITY)
    expect(logAddExp(Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY)
    expect(logAddExp(Number.NEGATIVE_INFINITY, 3)).toBe(3)
    expect(logSumExp([1, Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY)
    expect(logSumExp([1, Number.NaN, 2])).toBeNaN()
    expect(logSumExp([5, 0, 0, 5], 1, 3)).toBeCloseTo(Math.LN2, 15)
  })

  it('turns scores into probabilities, in place too', () => {
    const x = Float64Array.of(Math.log(1), Math.log(2), Math.log(5))
    softmax(x, x)
    expect(x[0]).toBeCloseTo(0.125, 15)
    expect(x[2]).toBeCloseTo(0.625, 15)
    // Temperature 2 takes square roots of the odds: 1 : 3 of 1 : 9.
    expect(softmax([0, Math.log(9)], new Float64Array(2), 2)[1]).toBeCloseTo(0.75, 15)
    expect(() => softmax([Number.NEGATIVE_INFINITY])).toThrow('must be finite')
  })
})
