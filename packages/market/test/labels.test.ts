import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Bars, type LabelRule, labelBars, openDelayedLabels, simulate } from '../src/index.ts'

function barsOf(rows: readonly (readonly [high: number, low: number, close: number])[]): Bars {
  const column = (c: number): Float64Array => Float64Array.from(rows, (row) => row[c]!)
  const time = Float64Array.from(rows, (_, i) => i)
  return { time, open: column(2), high: column(0), low: column(1), close: column(2), interval: 1 }
}

const head = (bars: Bars, n: number): Bars => ({
  time: bars.time.slice(0, n),
  open: bars.open.slice(0, n),
  high: bars.high.slice(0, n),
  low: bars.low.slice(0, n),
  close: bars.close.slice(0, n),
  interval: bars.interval,
})

const bars = barsOf([
  [100, 100, 100],
  [103, 99, 102],
  [104, 97, 98],
  [99, 96, 97],
  [110, 97, 108],
])

const RULES: readonly LabelRule[] = [
  { kind: 'return', horizon: 3 },
  { kind: 'direction', horizon: 4, deadZone: 0.01 },
  { kind: 'triple-barrier', horizon: 6, takeProfit: 0.02, stopLoss: 0.015 },
  { kind: 'volatility', horizon: 5 },
]

describe('worked by hand', () => {
  test('forward return over two bars', () => {
    const { values, end } = labelBars(bars, { rule: { kind: 'return', horizon: 2 } })
    expect(values[0]).toBeCloseTo(Math.log(98 / 100), 12)
    expect(values[2]).toBeCloseTo(Math.log(108 / 98), 12)
    expect(Array.from(values.subarray(3))).toEqual([Number.NaN, Number.NaN])
    expect(Array.from(end)).toEqual([2, 3, 4, -1, -1])
  })

  test('direction with a dead zone of 2.5 %', () => {
    // Log returns of one bar: 1.98 %, -4.0 %, -1.03 %, 10.7 %.
    const { values } = labelBars(bars, { rule: { kind: 'direction', horizon: 1, deadZone: 0.025 } })
    expect(Array.from(values)).toEqual([0, -1, 0, 1, Number.NaN])
    // In units of a scale of 0.1 the zone is 0.25 %; a row whose scale is 0 has no label.
    const scaled = labelBars(bars, {
      rule: { kind: 'direction', horizon: 1, deadZone: 0.025 },
      scale: [0.1, 0.1, 0.1, 0, 0.1],
    })
    expect(Array.from(scaled.values)).toEqual([1, -1, -1, Number.NaN, Number.NaN])
  })

  test('triple barrier: highs and lows touch, the loss comes first, time runs out', () => {
    const rule = { kind: 'triple-barrier', horizon: 2, takeProfit: 0.0295, stopLoss: 0.03 } as const
    const { values, end } = labelBars(bars, { rule })
    // Row 0: bar 1's high of 103 is 2.956 % up. Row 1 at 102: bar 2's low of 97 is down 5 %. Row 2 at 98: bar 3 touches
    // neither (96 is -2.06 %), bar 4's high does. Row 3 at 97: bar 4. Row 4 has no future.
    expect(Array.from(values)).toEqual([1, -1, 1, 1, Number.NaN])
    expect(Array.from(end)).toEqual([1, 2, 4, 4, -1])
    const both = labelBars(bars, { rule: { ...rule, takeProfit: 0.01, stopLoss: 0.005 } })
    expect(both.values[0]).toBe(-1)
    const wide = labelBars(bars, { rule: { ...rule, takeProfit: 1, stopLoss: 1 } })
    expect(Array.from(wide.values)).toEqual([0, 0, 0, Number.NaN, Number.NaN])
  })

  test('realized volatility of the next two bars', () => {
    const { values } = labelBars(bars, { rule: { kind: 'volatility', horizon: 2 } })
    expect(values[0]).toBeCloseTo(Math.hypot(Math.log(1.02), Math.log(98 / 102)), 12)
  })

  test('refuses what has no label', () => {
    expect(() => labelBars(bars, { rule: { kind: 'return', horizon: 0 } })).toThrow('horizon must be a whole number')
    expect(() => labelBars(bars, { rule: { kind: 'direction', horizon: 1, deadZone: -1 } })).toThrow('deadZone')
    expect(() => labelBars({ ...bars, close: Float64Array.of(1, 1, 0, 1, 1) }, { rule: RULES[0]! })).toThrow('in row 2')
    expect(() => labelBars(bars, { rule: RULES[0]!, scale: [1] })).toThrow('one value for each of 5 bars, got 1')
  })
})

test('appending bars never changes a label that was known', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 79 }), fc.constantFrom(...RULES), (seed, n, rule) => {
      const all = simulate('crypto-daily', { bars: 80, seed }).bars
      const whole = labelBars(all, { rule })
      const early = labelBars(head(all, n), { rule })
      for (let i = 0; i < n; i++) {
        if (early.end[i] === -1) expect(whole.end[i] === -1 || whole.end[i]! >= n).toBe(true)
        else expect([whole.end[i], whole.values[i]]).toEqual([early.end[i], early.values[i]])
      }
    }),
    { numRuns: 80, seed: 3 },
  )
})

test('the queue releases exactly the batch labels, each at the close that settles it', () => {
  for (const rule of RULES) {
    const { bars: all } = simulate('equity-daily', { bars: 120, seed: 9 })
    const { values, end } = labelBars(all, { rule })
    let queue = openDelayedLabels<number[]>({ rule })
    const seen = new Set<number>()
    for (let i = 0; i < 120; i++) {
      if (i === 60) queue = openDelayedLabels({ rule }, JSON.parse(JSON.stringify(queue.state())))
      const bar = { high: all.high[i]!, low: all.low[i]!, close: all.close[i]! }
      for (const { row, x, y } of queue.update(bar, [i])) {
        expect([row, y]).toEqual([x[0], values[row]])
        expect(end[row]).toBe(i)
        seen.add(row)
      }
    }
    expect(seen.size).toBe(end.filter((e) => e >= 0).length)
    expect(seen.size + queue.size).toBe(120)
  }
})
