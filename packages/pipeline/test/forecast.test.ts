import { logSumExp } from '@regimen/core/math'
import { logScoreGaussian } from '@regimen/market'
import { describe, expect, test } from 'vitest'
import { createForecast, logDensity, probabilityBelow } from '../src/index.ts'

describe('a forecast', () => {
  const forecast = createForecast([
    { weight: 3, mean: 1, variance: 4 },
    { weight: 1, mean: -3, variance: 1 },
  ])

  test('moments: mean (3·1 − 3)/4 = 0, variance (3·(4 + 1) + (1 + 9))/4 = 6.25', () => {
    expect(forecast.mean).toBe(0)
    expect(forecast.variance).toBe(6.25)
    expect(forecast.parts.map(({ weight }) => weight)).toEqual([0.75, 0.25])
  })

  test('log density: ln(¾ N(2; 1, 4) + ¼ N(2; −3, 1))', () => {
    // N(2; 1, 4) = e^(−1/8) / (2 √(2π)), N(2; −3, 1) = e^(−25/2) / √(2π)
    const root = Math.sqrt(2 * Math.PI)
    const density = (0.75 * Math.exp(-1 / 8)) / (2 * root) + (0.25 * Math.exp(-12.5)) / root
    expect(logDensity(forecast, 2)).toBeCloseTo(Math.log(density), 14)
  })

  test('one part: the log score of the market package', () => {
    const one = createForecast([{ weight: 1, mean: 0.1, variance: 0.04 }])
    expect(logDensity(one, -0.3)).toBeCloseTo(logScoreGaussian(-0.3, 0.1, 0.2), 14)
  })

  test('far out it stays finite: both densities underflow', () => {
    const far = logDensity(forecast, 200)
    expect(far).toBeCloseTo(
      logSumExp([
        Math.log(0.75) - Math.log(2) - 0.5 * Math.log(2 * Math.PI) - 199 ** 2 / 8,
        Math.log(0.25) - 0.5 * Math.log(2 * Math.PI) - 203 ** 2 / 2,
      ]),
      8,
    )
  })

  test('probability below: the derivative is the density, the ends are 0 and 1', () => {
    const h = 1e-5
    const slope = (probabilityBelow(forecast, 0.7 + h) - probabilityBelow(forecast, 0.7 - h)) / (2 * h)
    expect(slope).toBeCloseTo(Math.exp(logDensity(forecast, 0.7)), 9)
    expect([probabilityBelow(forecast, -600), probabilityBelow(forecast, 600)]).toEqual([0, 1])
  })

  test.each([
    [[], 'the weights must sum to more than 0'],
    [[{ weight: 1, mean: 0, variance: 0 }], 'a variance above 0'],
    [[{ weight: -1, mean: 0, variance: 1 }], 'a weight of at least 0'],
    [[{ weight: 1, mean: Number.NaN, variance: 1 }], 'NaN'],
  ])('%j is refused', (parts, message) => {
    expect(() => createForecast(parts)).toThrow(message)
  })
})
