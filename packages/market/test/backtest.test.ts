import { createRng, RegimenError, type RegimenEvent } from '@regimen/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Bars, backtestEvents, backtestVectorized, createPanel, type Strategy, simulate } from '../src/index.ts'

const DAY = 86_400_000

function barsOf(rows: readonly (readonly [open: number, high: number, low: number, close: number])[]): Bars {
  const column = (c: number): Float64Array => Float64Array.from(rows, (row) => row[c]!)
  return {
    time: Float64Array.from(rows, (_, i) => i * DAY),
    open: column(0),
    high: column(1),
    low: column(2),
    close: column(3),
    interval: DAY,
  }
}

const head = (bars: Bars, n: number): Bars => ({
  time: bars.time.slice(0, n),
  open: bars.open.slice(0, n),
  high: bars.high.slice(0, n),
  low: bars.low.slice(0, n),
  close: bars.close.slice(0, n),
  interval: bars.interval,
})

const replay =
  (targets: Float64Array, k: number): Strategy =>
  ({ index }) =>
    k === 1 ? targets[index]! : targets.subarray(index * k, (index + 1) * k)

describe('worked by hand', () => {
  const bars = barsOf([
    [100, 101, 99, 100],
    [102, 106, 101, 105],
    [104, 111, 103, 110],
    [108, 109, 98, 99],
  ])

  test('a round trip with commission, spread and slippage', () => {
    const costs = { commission: 0.001, spread: 0.002, slippage: 0.001 }
    const result = backtestVectorized(bars, { targets: [1, 1, 0, 0], initialCash: 10_000, costs })
    // Sized at close 0: 10000 / 100 = 100 units. Bought at open 1 of 102, 0.2 % worse: 102.204; fee 0.1 % of 10220.4.
    // cash = 10000 - 10220.4 - 10.2204 = -230.6204; equity at close 1: -230.6204 + 100 · 105 = 10269.3796.
    expect(result.equity[0]).toBe(10_000)
    expect(result.equity[1]).toBeCloseTo(10_269.3796, 9)
    expect(result.equity[2]).toBeCloseTo(10_769.3796, 9)
    // Sold at open 3 of 108, 0.2 % worse: 107.784; fee 10.7784. cash = -230.6204 + 10778.4 - 10.7784 = 10537.0012.
    expect(result.equity[3]).toBeCloseTo(10_537.0012, 9)
    expect(result.fills.map((fill) => [fill.index, fill.units, fill.price])).toEqual([
      [1, 100, expect.closeTo(102.204, 9)],
      [3, -100, expect.closeTo(107.784, 9)],
    ])
    expect(result.costs.commission).toBeCloseTo(20.9988, 9)
    expect(result.costs.slippage).toBeCloseTo(0.002 * (10_200 + 10_800), 9)
    expect(result.turnover[1]).toBeCloseTo(1.02204, 9)
    expect(result.exposure[1]).toBeCloseTo(10_500 / 10_269.3796, 9)
  })

  test('a short position earns the fall and pays the borrow fee', () => {
    const costs = { borrowRate: 0.36525 }
    const result = backtestVectorized(bars, { targets: [0, 0, -0.5, -0.5], initialCash: 11_000, costs })
    // Sized at close 2: 0.5 · 11000 / 110 = 50 units, sold at 108: cash 16400. At close 3 the notional is 50 · 99 = 4950;
    // a day's fee is 0.36525 / 365.25 = 0.1 % of it, 4.95. equity = 16400 - 4.95 - 4950 = 11445.05.
    expect(result.equity[3]).toBeCloseTo(11_445.05, 9)
    expect(result.costs.financing).toBeCloseTo(4.95, 9)
  })

  test('leverage pays interest on negative cash', () => {
    const costs = { financingRate: 0.36525 }
    const result = backtestVectorized(bars, { targets: [2, 2, 2, 2], maxLong: 2, initialCash: 1000, costs })
    // 20 units at 102: cash 1000 - 2040 = -1040; a day's interest at close 1 is 1.04.
    expect(result.equity[1]).toBeCloseTo(-1041.04 + 20 * 105, 9)
  })

  test('limits clip targets, NaN holds, and the band suppresses small trades', () => {
    const result = backtestVectorized(bars, { targets: [5, Number.NaN, -3, 0], maxShort: 0, initialCash: 1000 })
    expect(result.units[1]).toBe(10)
    expect(result.units[2]).toBe(10)
    expect(result.units[3]).toBe(0)
    const still = backtestVectorized(bars, { targets: [0.5, 0.52, 0.54, 0], band: 0.1, initialCash: 1000 })
    expect(still.fills).toHaveLength(1)
  })

  test('ruin closes everything and ends trading', () => {
    const fall = barsOf([
      [100, 100, 100, 100],
      [100, 100, 40, 45],
      [45, 60, 45, 60],
      [60, 60, 60, 60],
    ])
    const options = { maxLong: 2, initialCash: 1000 }
    const result = backtestVectorized(fall, { ...options, targets: [2, 2, 2, 2] })
    // 20 units bought at 100: cash -1000; at 45 the account is worth -100.
    expect(result.ruinedAt).toBe(1)
    expect(Array.from(result.equity)).toEqual([1000, -100, -100, -100])
    expect(result.fills.at(-1)?.reason).toBe('ruin')
    expect(backtestEvents(fall, { ...options, strategy: () => 2 })).toEqual({
      ...result,
      fills: [expect.objectContaining({ units: 20 }), expect.objectContaining({ units: -20, reason: 'ruin' })],
    })
  })
})

describe('protective exits', () => {
  const guarded = (rows: Parameters<typeof barsOf>[0], protection: object, side = 1) =>
    backtestEvents(barsOf(rows), { strategy: () => side, protection, initialCash: 1000 })

  test('a stop fills at its price inside the bar and at the open after a gap', () => {
    const inside = guarded(
      [
        [100, 100, 100, 100],
        [100, 101, 94, 96],
        [96, 97, 95, 97],
      ],
      { stopLoss: 0.05 },
    )
    expect(inside.fills[1]).toMatchObject({ index: 1, units: -10, price: 95, reason: 'stop-loss' })
    const gap = guarded(
      [
        [100, 100, 100, 100],
        [100, 101, 99, 100],
        [90, 92, 89, 91],
      ],
      { stopLoss: 0.05 },
    )
    expect(gap.fills[1]).toMatchObject({ index: 2, price: 90, reason: 'stop-loss' })
  })

  test('a short is stopped above and takes profit below', () => {
    const stopped = guarded(
      [
        [100, 100, 100, 100],
        [100, 106, 99, 101],
      ],
      { stopLoss: 0.05 },
      -1,
    )
    expect(stopped.fills[1]).toMatchObject({ units: 10, price: 105 })
    const won = guarded(
      [
        [100, 100, 100, 100],
        [100, 101, 88, 95],
      ],
      { takeProfit: 0.1 },
      -1,
    )
    expect(won.fills[1]).toMatchObject({ units: 10, price: 90, reason: 'take-profit' })
  })

  test('where one bar touches both, the loss is taken', () => {
    const both = guarded(
      [
        [100, 100, 100, 100],
        [100, 112, 94, 100],
      ],
      { stopLoss: 0.05, takeProfit: 0.1 },
    )
    expect(both.fills[1]).toMatchObject({ price: 95, reason: 'stop-loss' })
  })

  test('a trailing stop follows the best price of the bars before', () => {
    const rows = [
      [100, 100, 100, 100],
      [100, 120, 99, 118],
      [118, 119, 107, 110],
    ] as const
    // The high of 120 counts from the next bar on: 120 · 0.9 = 108.
    expect(guarded(rows, { trailing: 0.1 }).fills[1]).toMatchObject({ index: 2, price: 108, reason: 'trailing-stop' })
  })

  test('the asset stays flat until the target changes', () => {
    const rows = Array.from({ length: 6 }, (_, i) => [100, 101, i === 1 ? 90 : 99, 100] as const)
    const targets = [1, 1, 1, 0.5, 0.5, 0.5]
    const result = backtestEvents(barsOf(rows), {
      strategy: ({ index }) => targets[index]!,
      protection: { stopLoss: 0.05 },
      initialCash: 1000,
    })
    expect(result.fills.map((fill) => fill.index)).toEqual([1, 1, 4])
  })
})

test('limit and stop orders: traded through, touched, gapped', () => {
  const bars = barsOf([
    [100, 101, 99, 100],
    [100, 103, 98, 101],
    [95, 104, 94, 103],
    [110, 111, 109, 110],
  ])
  const events: RegimenEvent[] = []
  const result = backtestEvents(bars, {
    initialCash: 1000,
    events: { emit: (event) => events.push(event) },
    strategy: ({ index, submit }) => {
      if (index === 0) {
        submit({ units: 1, type: 'limit', price: 98 })
        submit({ units: 2, type: 'stop', price: 102 })
        submit({ units: -3, type: 'limit', price: 107 })
      }
      return undefined
    },
  })
  // Bar 1 only touches 98, so the limit waits and gets the better open of bar 2; the stop triggers at 102 inside bar 1;
  // the sell limit of 107 is passed by the gap to 110.
  expect(result.fills.map(({ index, units, price, reason }) => ({ index, units, price, reason }))).toEqual([
    { index: 1, units: 2, price: 102, reason: 'order' },
    { index: 2, units: 1, price: 95, reason: 'order' },
    { index: 3, units: -3, price: 110, reason: 'order' },
  ])
  expect(events.map((event) => event.type)).toEqual([
    'market/submit',
    'market/submit',
    'market/submit',
    'market/fill',
    'market/fill',
    'market/fill',
  ])
})

const costs = {
  commission: 0.0005,
  fixedCommission: 0.5,
  spread: 0.0004,
  slippage: 0.0002,
  borrowRate: 0.03,
  financingRate: 0.06,
  cashRate: 0.02,
}

test('both engines agree to 1e-9 on random markets, targets and rules', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.boolean(), (seed, k, often, holes) => {
      const rng = createRng(seed)
      const { assets } = simulate('equity-basket-daily', { bars: 120, seed })
      const bars = assets.slice(0, k)
      const targets = new Float64Array(120 * k)
      for (let i = 0; i < targets.length; i++) {
        const u = rng.uniform()
        targets[i] = u < 0.3 ? Number.NaN : u < 0.5 && i >= k ? targets[i - k]! : rng.uniform(-3, 3)
      }
      if (holes) {
        for (let i = 0; i < 10; i++) {
          const row = rng.int(0, 120)
          const asset = bars[rng.int(0, k)]!
          for (const column of [asset.open, asset.high, asset.low, asset.close]) column[row] = Number.NaN
        }
      }
      const rules = {
        costs,
        maxLong: 2,
        maxShort: 1.5,
        maxGross: 2.5,
        band: rng.uniform() < 0.5 ? 0 : 0.1,
        rebalance: often ? 'every-bar' : 'on-change',
      } as const
      const fast = backtestVectorized(bars, { ...rules, targets })
      const slow = backtestEvents(bars, { ...rules, strategy: replay(targets, k) })
      expect(slow.ruinedAt).toBe(fast.ruinedAt)
      expect(slow.fills.length).toBe(fast.fills.length)
      for (const column of ['equity', 'returns', 'units', 'exposure', 'turnover'] as const) {
        for (let i = 0; i < fast[column].length; i++) {
          const a = fast[column][i]!
          const gap = Math.abs(slow[column][i]! - a)
          if (!(gap <= 1e-9 * Math.max(1, Math.abs(a)))) expect.fail(`${column}[${i}]: ${slow[column][i]} against ${a}`)
        }
      }
      expect(slow.costs.financing).toBeCloseTo(fast.costs.financing, 6)
      expect(slow.costs.slippage).toBeCloseTo(fast.costs.slippage, 6)
    }),
    { numRuns: process.env.REGIMEN_FULL === '1' ? 2000 : 60, seed: 1 },
  )
})

test('appending bars never changes earlier fills or equity', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 2, max: 79 }), (seed, n) => {
      const rng = createRng(seed)
      const { bars } = simulate('crypto-daily', { bars: 80, seed })
      const targets = Float64Array.from({ length: 80 }, () => rng.uniform(-1, 1))
      const rules = { costs, protection: { stopLoss: 0.03, trailing: 0.05, takeProfit: 0.06 } }
      const part = head(bars, n)
      const whole = backtestVectorized(bars, { costs, targets })
      const early = backtestVectorized(part, { costs, targets: targets.slice(0, n) })
      expect(whole.fills.filter((fill) => fill.index < n)).toEqual(early.fills)
      expect(whole.equity.slice(0, n)).toEqual(early.equity)
      const wholeStops = backtestEvents(bars, { ...rules, strategy: replay(targets, 1) })
      const earlyStops = backtestEvents(part, { ...rules, strategy: replay(targets, 1) })
      expect(wholeStops.fills.filter((fill) => fill.index < n)).toEqual(earlyStops.fills)
      expect(wholeStops.equity.slice(0, n)).toEqual(earlyStops.equity)
    }),
    { numRuns: 50, seed: 2 },
  )
})

test('a panel is traded with its gaps: an order waits until its asset has a bar again', () => {
  const a = barsOf([1, 2, 3, 4].map((p) => [p, p, p, p] as const))
  const full = barsOf([10, 20, 40, 80].map((p) => [p, p, p, p] as const))
  const keep = (column: Float64Array): Float64Array => column.filter((_, i) => i !== 1)
  const b = {
    ...full,
    time: keep(full.time),
    open: keep(full.open),
    high: keep(full.high),
    low: keep(full.low),
    close: keep(full.close),
  }
  const panel = createPanel({ A: a, B: b })
  const targets = [0.5, 0.5, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN]
  const result = backtestVectorized(panel, { targets, initialCash: 1000 })
  // 500 of A at its close of 1, 50 units of B at 10; A fills at 2 in row 1, B, absent there, at 40 in row 2.
  expect(result.fills.map(({ index, asset, units, price }) => [index, asset, units, price])).toEqual([
    [1, 0, 500, 2],
    [2, 1, 50, 40],
  ])
  expect(Array.from(result.equity)).toEqual([1000, 1000, 1500, 4000])
  const events: RegimenEvent[] = []
  const strategy: Strategy = ({ index }) => (index === 0 ? [0.5, 0.5] : undefined)
  const slow = backtestEvents(panel, { strategy, initialCash: 1000, events: { emit: (event) => events.push(event) } })
  expect(slow.equity).toEqual(result.equity)
  expect(events.map((event) => event.data.symbol)).toEqual(['A', 'B', 'A', 'B'])
})

test('cash and units account for every cent', () => {
  const { bars } = simulate('equity-daily', { bars: 400, seed: 5 })
  const rng = createRng(5)
  const targets = Float64Array.from({ length: 400 }, () => rng.uniform(-1, 1))
  const result = backtestVectorized(bars, { targets, costs: { commission: 0.001, spread: 0.002 } })
  let cash = result.initialCash
  let units = 0
  for (const fill of result.fills) {
    cash -= fill.units * fill.price + fill.commission
    units += fill.units
  }
  expect(result.equity[399]).toBeCloseTo(cash + units * bars.close[399]!, 6)
  const compounded = result.returns.reduce((value, r) => value * (1 + r), result.initialCash)
  expect(compounded).toBeCloseTo(result.equity[399]!, 6)
})

test('a strategy cannot see past the bar that has closed', () => {
  const { bars } = simulate('random-walk', { bars: 20, seed: 1 })
  backtestEvents(bars, {
    strategy: ({ index, history, close, time }) => {
      expect(history().close.length).toBe(index + 1)
      expect(close(0)).toBe(bars.close[index])
      expect(close(-1)).toBeNaN()
      expect(close(index + 1)).toBeNaN()
      expect(time).toBe(bars.time[index]! + bars.interval)
      return undefined
    },
  })
})

test('refuses what cannot be meant', () => {
  const bars = barsOf([
    [1, 1, 1, 1],
    [1, 1, 1, 1],
  ])
  const targets = [0, 0]
  expect(() => backtestVectorized(bars, { targets: [1] })).toThrow('targets must hold bars × assets = 2 numbers, got 1')
  expect(() => backtestVectorized(bars, { targets, costs: { commission: 5 } })).toThrow('commission')
  expect(() => backtestVectorized(bars, { targets, initialCash: 0 })).toThrow('initialCash must be above 0, got 0')
  expect(() => backtestVectorized(bars, { targets, maxShort: -1 })).toThrow('maxShort must be 0 or more')
  expect(() => backtestVectorized({ ...bars, close: Float64Array.of(1, 0) }, { targets })).toThrow('in row 1')
  expect(() => backtestVectorized({ ...bars, time: Float64Array.of(1, 1) }, { targets })).toThrow('increase strictly')
  expect(() => backtestVectorized([bars, head(bars, 1)], { targets })).toThrow(RegimenError)
  expect(() => backtestEvents(bars, { strategy: () => 1, protection: { stopLoss: -1 } })).toThrow('stopLoss')
  expect(() => backtestEvents(bars, { strategy: () => [1, 2] })).toThrow('must return 1 targets, got 2')
})
