import { decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { featureSet, fitScaler, scaleFeatures } from '@regimen/market'
import { describe, expect, test } from 'vitest'
import { filteredRegimes, returnAndRange, scaledFeatures } from '../src/index.ts'
import { barAt } from '../src/prequential.ts'
import { market, momentum } from './toys.ts'

const { bars } = market(200)

test('return and range, in percent and its logarithm; a flat bar has a range of a hundredth of a percent', () => {
  const bar = { time: 0, open: 100, high: 100, low: 100, close: 100 }
  expect(returnAndRange(bar, 80)).toEqual([100 * Math.log(1.25), Math.log(0.01)])
  expect(returnAndRange({ ...bar, high: 110 }, 100)[1]).toBeCloseTo(Math.log(100 * Math.log(1.1)), 14)
})

describe('stages', () => {
  test('scaled features are the batch ones, and none before the warm-up', () => {
    const set = featureSet({ timeframes: ['1d'], volume: false, features: ['ret_1', 'rsi_14'] })
    const table = set.batch(bars)
    const scaler = fitScaler(table, { train: { start: 0, end: 150 } })
    const whole = scaleFeatures(scaler, table)
    const stage = scaledFeatures(set, scaler)() as Awaited<ReturnType<ReturnType<typeof scaledFeatures>>>
    for (let row = 0; row < 200; row++) {
      const values = stage.push(barAt(bars, row))
      expect(values !== undefined).toBe(row >= table.ready)
      if (values) for (const k of [0, 1]) expect(values[k]).toBeCloseTo(whole[row * 2 + k]!, 5)
    }
  })

  test('regimes are shown each return since the close before, the first since its own open, also after a snapshot', async () => {
    const shown: number[] = []
    const open = filteredRegimes((from) => {
      const inner = momentum(from)
      const update = (row: ArrayLike<number>): void => {
        shown.push(row[0]!)
        inner.update(row)
      }
      return { ...inner, filtered: inner.filtered, update }
    })
    const one = await open()
    for (let row = 0; row < 5; row++) one.push(barAt(bars, row))
    const two = await open(decodeSnapshot(encodeSnapshot(one.snapshot())))
    two.push(barAt(bars, 5))
    const expected = [0, 1, 2, 3, 4, 5].map(
      (i) => 100 * Math.log(bars.close[i]! / (i > 0 ? bars.close[i - 1]! : bars.open[0]!)),
    )
    expect(shown).toEqual(expected)
  })
})
