import { simulate } from '@regimen/market'
import { expect, test } from 'vitest'
import { drawdowns, luckOf } from '../src/run/compare.ts'

test('drawdown is what is lost of the highest equity so far', () => {
  expect(Array.from(drawdowns(Float64Array.of(110, 99, 121, 60.5), 100))).toEqual(
    [0, -0.1, 0, -0.5].map((value) => expect.closeTo(value, 12)),
  )
})

test('the band of an equity curve widens with time, holds its end, and is the same for the same seed', () => {
  const { bars } = simulate('equity-daily', { bars: 600, seed: 5 })
  const arm = { equity: bars.close }
  const luck = luckOf(arm, bars, 1)
  const width = (i: number): number => Math.log(luck.equity.high[i]! / luck.equity.low[i]!)
  expect(width(10)).toBeLessThan(width(100))
  expect(width(100)).toBeLessThan(width(599))
  // Paths of the same returns in another order end around where the curve does.
  expect(luck.equity.low[599]!).toBeLessThan(bars.close[599]!)
  expect(luck.equity.high[599]!).toBeGreaterThan(bars.close[599]!)
  // A drawdown is never a gain.
  expect(Math.max(...luck.drawdown.high)).toBeLessThanOrEqual(0)
  expect(luckOf(arm, bars, 1)).toEqual(luck)
})
