import { hashTree } from '@regimen/core'
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
const FROZEN: { readonly [name in PresetName]: readonly [parameters: string, path: string] } = {
  'equity-daily': ['e1a0dc6596665cd0', '23e6b8bf902f836b'],
  'forex-daily': ['d2e7f182cbb6798a', '1dc07d3dcab8bdc2'],
  'commodity-daily': ['0f5603cb7fcdf939', 'cb759c66d44f301a'],
  'crypto-daily': ['0be2846ddbba1b7f', '075bf0f85d9ec291'],
  'equity-hourly': ['31d2061146a60799', '4c495db1db51660d'],
  'forex-hourly': ['8b2d211cd8b7f1fe', '13dfecb6d837912f'],
  'commodity-hourly': ['9818730a130dea33', '0179e200438ea5aa'],
  'crypto-hourly': ['5c55f10c4fdc0072', 'eb7a2be3d61ddce6'],
  'equity-basket-daily': ['efa3acb4ec33b078', 'b2c7d61434a1ac24'],
  'no-regimes-daily': ['33ae4d0907b4e9b9', 'd25c09a4a634398e'],
  'random-walk': ['fb2e438d9f44dfa8', '4a08e237adff859c'],
  separable: ['43d56b287d21c7dd', '3d4db5cbd477f842'],
}

describe('the presets are frozen', () => {
  test.each(presetNames)('%s', (name) => {
    const { assets, regimes, parameters } = simulate(name, { bars: 400, seed: 'frozen' })
    const path = assets.flatMap(({ time, open, high, low, close, volume }) =>
      [time, open, high, low, close, volume!].map((column) => Array.from(column, (v) => v.toPrecision(9)).join()),
    )
    const hashes = [hashTree(JSON.parse(JSON.stringify(parameters))), hashTree([...path, Array.from(regimes).join()])]
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

  // 32 years leave a standard error of about 0.18, so the short sample may miss the range by almost two of them.
  test.each(daily)('%s, short sample', (name) => {
    const earned = ceiling(name, 2, 16, 15)
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
