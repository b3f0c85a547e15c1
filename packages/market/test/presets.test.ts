import { hashTree, type Tree } from '@regimen/core'
import { describe, expect, test } from 'vitest'
import {
  backtestVectorized,
  forecastTargets,
  type PresetName,
  preset,
  presetNames,
  sharpe,
  simulate,
  trueFilter,
} from '../src/index.ts'

/** First 16 digits of the hash of each preset's parameters and of a path that it makes, to nine significant digits. */
const FROZEN: { readonly [name in PresetName]: readonly [parameters: string, path: string] } = {}

describe('the presets are frozen', () => {
  test.each(presetNames)('%s', (name) => {
    const { assets, regimes, parameters } = simulate(name, { bars: 400, seed: 'frozen' })
    const path = assets.flatMap(({ time, open, high, low, close, volume }) =>
      [time, open, high, low, close, volume!].map((column) => Array.from(column, (v) => v.toPrecision(9)).join()),
    )
    const hashes = [hashTree(parameters as unknown as Tree), hashTree([...path, Array.from(regimes).join()])]
    // A change here changes what every figure of every package means: make a new preset instead.
    expect(hashes.map((hash) => hash.slice(0, 16))).toEqual(FROZEN[name])
  })

  test('a caller cannot change them', () => {
    const mine = preset('separable') as { name: string }
    mine.name = 'changed'
    expect(preset('separable').name).toBe('separable')
  })
})

/** Mean annual Sharpe ratio after costs of the strategy that filters with the true parameters. */
function ceiling(name: PresetName, seeds: number, years: number, particles: number): number {
  let sum = 0
  for (let seed = 0; seed < seeds; seed++) {
    const { barsPerYear } = preset(name)
    const { bars, parameters } = simulate(name, { bars: Math.round(years * barsPerYear), seed: `ceiling-${seed}` })
    const barsPerDay = Math.round(86_400_000 / parameters.interval)
    const horizon = parameters.calendar.kind === 'session' ? parameters.calendar.hours : barsPerDay
    const targets = forecastTargets(trueFilter(bars, { parameters, particles }), {
      barsPerYear,
      horizon: barsPerDay === 1 ? 1 : horizon,
    })
    const { returns } = backtestVectorized(bars, { targets, costs: parameters.costs })
    sum += sharpe(returns, { periodsPerYear: barsPerYear })
  }
  return sum / seeds
}

describe('with the true parameters a year earns a Sharpe ratio of 0.8 to 1.5 after costs', () => {
  const daily = ['equity-daily', 'forex-daily', 'commodity-daily', 'crypto-daily'] as const
  const hourly = ['equity-hourly', 'forex-hourly', 'commodity-hourly', 'crypto-hourly'] as const
  const full = process.env.REGIMEN_FULL === '1'

  // 50 years leave a standard error of about 0.15, so the short sample may miss the range by two of them.
  test.each(daily)('%s, short sample', (name) => {
    const earned = ceiling(name, 2, 25, 20)
    expect(earned).toBeGreaterThan(0.5)
    expect(earned).toBeLessThan(1.8)
  })

  test.runIf(full).each(daily)(
    '%s, 600 years',
    (name) => {
      const earned = ceiling(name, 20, 30, 50)
      expect(earned).toBeGreaterThan(0.8)
      expect(earned).toBeLessThan(1.5)
    },
    600_000,
  )

  test.runIf(full).each([...hourly, 'equity-basket-daily'] as const)(
    '%s, 150 years',
    (name) => {
      const earned = ceiling(name, 25, 6, 25)
      expect(earned).toBeGreaterThan(0.8)
      expect(earned).toBeLessThan(1.5)
    },
    1_800_000,
  )

  test('where there is nothing to find the same strategy finds nothing beyond the premium', () => {
    expect(Math.abs(ceiling('random-walk', 4, 25, 20))).toBeLessThan(0.5)
  })
})
