import { describe, expect, test } from 'vitest'
import {
  alignByClose,
  closeTime,
  concatBars,
  createBars,
  createPanel,
  openBarStream,
  panelBars,
  parseInterval,
  resample,
  sliceBars,
} from '../src/index.ts'

const MIN = 60_000
const make = (time: number[], price: number[], interval: number | string = '1m', volume?: number[]) =>
  createBars({ time, open: price, high: price, low: price, close: price, volume, interval })

describe('createBars', () => {
  test('infers the most frequent step', () => {
    const time = [0, 1, 2, 5, 6].map((k) => k * MIN)
    const p = time.map(() => 1)
    expect(createBars({ time, open: p, high: p, low: p, close: p }).interval).toBe(MIN)
  })

  test('refuses what is not clean, with the row', () => {
    expect(() => make([0, 0], [1, 1])).toThrow(/row 1: times must be finite and strictly increasing/)
    expect(() => make([0, MIN], [1, Number.NaN])).toThrow(/row 1: prices/)
    expect(() => make([0, MIN], [1, -1])).toThrow(/row 1: prices/)
    expect(() => make([0, MIN], [1, 1], '1m', [1, -1])).toThrow(/row 1: volume/)
    expect(() => make([0], [1, 2])).toThrow(/open has 2 values where time has 1/)
    const one = [1]
    expect(() => createBars({ time: [0], open: one, high: [2], low: [1.5], close: one, interval: '1m' })).toThrow(
      /row 0: prices/,
    )
    expect(() =>
      createBars({ time: ['0'] as unknown as number[], open: one, high: one, low: one, close: one }),
    ).toThrow(/time\[0\] must be a number, got "0"/)
  })

  test('slices are views, concat copies and checks the order', () => {
    const bars = make([0, MIN, 2 * MIN], [1, 2, 3])
    const part = sliceBars(bars, 1)
    expect(part.close.buffer).toBe(bars.close.buffer)
    expect(Array.from(concatBars([sliceBars(bars, 0, 1), part]).close)).toEqual([1, 2, 3])
    expect(() => concatBars([part, sliceBars(bars, 0, 1)])).toThrow(/row 2/)
    expect(closeTime(bars, 2)).toBe(3 * MIN)
  })
})

test('intervals', () => {
  expect(parseInterval('1w')).toBe(604_800_000)
  expect(parseInterval(250)).toBe(250)
  for (const bad of ['1mo', 'h', 0, -1, 1.5, '0m']) expect(() => parseInterval(bad)).toThrow(/interval must be/)
})

describe('createPanel', () => {
  const a = make([0, MIN, 2 * MIN], [1, 2, 3], '1m', [1, 1, 1])
  const b = make([MIN, 3 * MIN], [20, 40], '1m', [5, 5])

  test('outer join leaves NaN where an asset has no bar', () => {
    const panel = createPanel({ a, b })
    expect(Array.from(panel.time)).toEqual([0, MIN, 2 * MIN, 3 * MIN])
    expect(Array.from(panel.fields.close)).toEqual([1, Number.NaN, 2, 20, 3, Number.NaN, Number.NaN, 40])
    expect(panelBars(panel, 'b')).toEqual(b)
  })

  test('inner join keeps the times that all have', () => {
    const panel = createPanel({ a, b }, { join: 'inner' })
    expect(Array.from(panel.fields.volume!)).toEqual([1, 5])
  })

  test('intervals must agree', () => {
    expect(() => createPanel({ a, c: make([0], [1], '5m') })).toThrow(/c has bars of 300000 ms where a has 60000/)
  })
})

describe('resample', () => {
  test('first open, highest high, lowest low, last close, summed volume', () => {
    const bars = createBars({
      time: [0, 1, 2, 3].map((k) => k * MIN),
      open: [10, 11, 12, 13],
      high: [15, 14, 13, 20],
      low: [9, 8, 11, 12],
      close: [11, 12, 13, 14],
      volume: [1, 2, 3, 4],
    })
    const two = resample(bars, '2m')
    expect([two.open, two.high, two.low, two.close, two.volume!].map((values) => Array.from(values))).toEqual([
      [10, 12],
      [15, 20],
      [8, 11],
      [12, 14],
      [3, 7],
    ])
  })

  test('a bar that straddles the edge belongs to the bucket in which it closes', () => {
    // Opens at 1:30 and closes at 2:30: its close is not known when the bucket 0:00 .. 2:00 closes.
    const bars = make([-30_000, 30_000, 90_000, 150_000, 210_000], [1, 2, 3, 4, 5])
    const two = resample(bars, '2m')
    expect(Array.from(two.time)).toEqual([0, 2 * MIN])
    expect(Array.from(two.open)).toEqual([1, 3])
    expect(Array.from(two.close)).toEqual([2, 4])
  })

  test('partial edges are dropped unless asked for', () => {
    const bars = make([MIN, 2 * MIN, 3 * MIN, 4 * MIN], [1, 2, 3, 4])
    expect(Array.from(resample(bars, '2m').close)).toEqual([3])
    expect(Array.from(resample(bars, '2m', { keepPartial: true }).close)).toEqual([1, 3, 4])
  })

  test('weeks start on Monday', () => {
    const monday = Date.parse('2024-01-01')
    const days = Array.from({ length: 14 }, (_, k) => monday + k * 86_400_000)
    const week = resample(
      make(
        days,
        days.map((_, k) => k + 1),
        '1d',
      ),
      '1w',
    )
    expect(Array.from(week.time)).toEqual([monday, monday + 7 * 86_400_000])
    expect(Array.from(week.close)).toEqual([7, 14])
  })

  test('appending bars never changes an earlier bucket, and none is known before its close', () => {
    const time = Array.from({ length: 40 }, (_, k) => k * MIN).filter((_, k) => k % 7 !== 3)
    const bars = make(
      time,
      time.map((_, k) => k + 1),
    )
    const whole = resample(bars, '5m')
    for (let n = 1; n <= time.length; n++) {
      const part = resample(sliceBars(bars, 0, n), '5m')
      expect(Array.from(part.close)).toEqual(Array.from(whole.close.subarray(0, part.close.length)))
      expect(closeTime(part.time.length ? part : bars, 0)).toBeGreaterThan(0)
      const known = closeTime(bars, n - 1)
      expect(part.time.every((t) => t + part.interval <= known)).toBe(true)
    }
  })

  test('the interval must be a multiple', () => {
    expect(() => resample(make([0], [1], '2m'), '3m')).toThrow(/multiple of the bars' own 120000 ms, got 180000/)
  })
})

test('alignByClose shows a slower bar from its close on, not before', () => {
  const time = Array.from({ length: 6 }, (_, k) => k * MIN)
  const bars = make(time, [1, 2, 3, 4, 5, 6])
  // The bucket 0:00 .. 3:00 is known when the minute that opens at 2:00 closes.
  expect(Array.from(alignByClose(bars, resample(bars, '3m')))).toEqual([-1, -1, 0, 0, 0, 1])
})

describe('openBarStream', () => {
  test('the candle still being built is not used, text is converted', () => {
    const stream = openBarStream({ interval: '1m' })
    expect(
      stream.append(
        [
          [0, '1', '2', '0.5', '1.5', '9'],
          [MIN, 1, 1, 1, 1, 1],
        ],
        MIN + 5,
      ),
    ).toHaveLength(1)
    expect(stream.unclosed?.time).toBe(MIN)
    expect(stream.converted).toBe(5)
    // The exchange repeats the first candle; the second has now closed with another price.
    const added = stream.append(
      [
        [0, 7, 7, 7, 7, 7],
        [MIN, 1, 3, 1, 2, 4],
      ],
      2 * MIN,
    )
    expect(added).toEqual([{ time: MIN, open: 1, high: 3, low: 1, close: 2, volume: 4 }])
    expect(Array.from(stream.bars.close)).toEqual([1.5, 2])
    expect(stream.unclosed).toBeUndefined()
  })

  test('keeps the newest bars when full, from a history on', () => {
    const stream = openBarStream({
      interval: '1m',
      capacity: 3,
      history: make([0, MIN, 2 * MIN, 3 * MIN], [1, 2, 3, 4]),
    })
    for (let k = 4; k < 20; k++) {
      stream.append([{ time: k * MIN, open: k + 1, high: k + 1, low: k + 1, close: k + 1 }], (k + 1) * MIN)
      expect(Array.from(stream.bars.close)).toEqual([k - 1, k, k + 1])
    }
  })

  test('impossible candles are refused', () => {
    const stream = openBarStream({ interval: '1m', volume: false })
    expect(() => stream.append([[0, 1, 1, 2, 1]], MIN)).toThrow(/impossible/)
    expect(() => stream.append([[0, 1, 'x', 1, 1]], MIN)).toThrow(/high of the candle must be a finite number/)
  })
})
