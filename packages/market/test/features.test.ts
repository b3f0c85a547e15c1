import { createRng, snapshotFromJson, snapshotToJson } from '@regimen/core'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Bars, createBars, featureSet, featureStream, sliceBars } from '../src/index.ts'

const FULL = process.env.REGIMEN_FULL === '1'
const MIN = 60_000

/** A random walk with intrabar range, some flat bars, some without volume, and holes in time. */
function walk(n: number, seed: number, { start = 0, level = 100, holes = true } = {}): Bars {
  const rng = createRng(seed)
  const columns = {
    time: [] as number[],
    open: [] as number[],
    high: [] as number[],
    low: [] as number[],
    close: [] as number[],
    volume: [] as number[],
  }
  let price = level
  let time = start
  for (let i = 0; i < n; i++) {
    const still = i % 97 < 6
    const open = still ? price : price * (1 + 0.0005 * rng.normal())
    const close = still ? price : open * (1 + 0.002 * rng.normal())
    columns.time.push(time)
    columns.open.push(open)
    columns.high.push(Math.max(open, close) * (still ? 1 : 1 + 0.001 * rng.uniform()))
    columns.low.push(Math.min(open, close) * (still ? 1 : 1 - 0.001 * rng.uniform()))
    columns.close.push(close)
    columns.volume.push(still ? 0 : Math.round(1000 * rng.uniform()))
    price = close
    time += holes && rng.uniform() < 0.01 ? MIN * Math.ceil(7 * rng.uniform()) : MIN
  }
  return createBars({ ...columns, interval: MIN })
}

const bar = (bars: Bars, i: number) => ({
  time: bars.time[i]!,
  open: bars.open[i]!,
  high: bars.high[i]!,
  low: bars.low[i]!,
  close: bars.close[i]!,
  ...(bars.volume ? { volume: bars.volume[i]! } : {}),
})

/** Largest difference beyond 1e-9 (absolute, or relative to values above 1), with its place; NaN equals only NaN. */
function mismatch(a: ArrayLike<number>, b: ArrayLike<number>): string | undefined {
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!
    const y = b[i]!
    if (Number.isNaN(x) && Number.isNaN(y)) continue
    if (!(Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x)))) return `row ${i}: ${x} and ${y}`
  }
  return undefined
}

const set = featureSet({ timeframes: ['1m', '5m'] })

test('there are at least 45 features a timeframe, with and without volume, and 8 that cross', () => {
  const count = (options: { volume?: boolean }) => featureSet({ timeframes: ['1m'], ...options }).names.length
  expect(count({})).toBe(62)
  expect(count({ volume: false })).toBe(57)
  expect(set.names.length).toBe(2 * 62 + 8)
  expect(new Set(set.names).size).toBe(set.names.length)
})

test('a chosen few are the same columns as among all, in batch, live and resumed', () => {
  const bars = walk(2_400, 9)
  const features = ['rsi_14', 'ret_1', 'vol_60', 'adx_14', 'entropy_60', 'smaSlope_50', 'rsiSpread']
  const few = featureSet({ timeframes: ['1m', '5m'], features })
  expect(few.names).toEqual(set.names.filter((name) => features.includes(name.split('.')[1]!)))
  const whole = set.batch(bars)
  const part = few.batch(bars, { from: 300 })
  part.names.forEach((name, k) => {
    const column = whole.columns[set.names.indexOf(name)]!.subarray(300)
    // The relation is there as soon as what it needs is: earlier than among all.
    const first = name.includes('/') ? column.findIndex((value) => !Number.isNaN(value)) : 0
    expect(`${name}: ${mismatch(column.subarray(first), part.columns[k]!.subarray(first))}`).toBe(`${name}: undefined`)
  })
  const live = few.open()
  for (let i = 0; i < 2_000; i++) live.push(bar(bars, i))
  const again = featureStream.open(live.snapshot())
  for (let i = 2_000; i < 2_010; i++) {
    const row = live.push(bar(bars, i))
    expect(again.push(bar(bars, i))).toEqual(row)
    expect(
      mismatch(
        row,
        part.columns.map((column) => column[i - 300]!),
      ),
    ).toBeUndefined()
  }
  expect(() => set.open(live.snapshot())).toThrow(/same algorithm and configuration/)
  expect(() => featureSet({ timeframes: ['1m'], features: ['rsi'] })).toThrow(/features must be some of/)
  expect(() => featureSet({ timeframes: ['1m'], features: ['rsiSpread'] })).toThrow(/features must be some of/)
  expect(featureSet({ timeframes: ['1m'], features: ['ret_5'] }).warmup).toBe(6)
})

describe('push and batch', () => {
  const bars = walk(2_400, 7)
  const table = set.batch(bars)

  test('agree to 1e-9 in every row and column, before and after the warm-up', () => {
    const live = set.open()
    const rows: Float64Array[] = []
    for (let i = 0; i < bars.time.length; i++) rows.push(live.push(bar(bars, i)).slice())
    set.names.forEach((name, k) => {
      expect(
        `${name}: ${mismatch(
          table.columns[k]!,
          Float64Array.from(rows, (row) => row[k]!),
        )}`,
      ).toBe(`${name}: undefined`)
    })
    expect(live.ready).toBe(true)
  })

  test('each feature is NaN exactly before its declared warm-up', () => {
    const one = featureSet({ timeframes: ['1m'] })
    const { columns, ready } = one.batch(bars)
    one.features.forEach(({ name, warmup }, k) => {
      const first = columns[k]!.findIndex((value) => !Number.isNaN(value))
      expect([name, first]).toEqual([name, warmup - 1])
      expect(columns[k]!.subarray(first).every(Number.isFinite)).toBe(true)
    })
    expect(ready).toBe(one.warmup - 1)
    expect(table.ready).toBeLessThan(set.warmup)
    expect(table.columns.every((column) => column.subarray(table.ready).every(Number.isFinite))).toBe(true)
  })

  test('a snapshot taken mid-stream continues identically, through JSON as well', () => {
    const live = set.open()
    for (let i = 0; i < 1_700; i++) live.update(bar(bars, i))
    const saved = live.snapshot()
    const again = [set.open(saved), featureStream.open(snapshotFromJson(snapshotToJson(saved)))]
    const before = again[0]!.snapshot()
    for (let i = 1_700; i < 2_300; i++) {
      const row = live.push(bar(bars, i)).slice()
      for (const other of again) expect(Array.from(other.update(bar(bars, i)) ?? row)).toEqual(Array.from(row))
    }
    for (const other of again) expect(other.snapshot()).toEqual(live.snapshot())
    // The snapshot itself was not touched by what went on.
    expect(before).toEqual(saved)
  })

  test('predict shows the row of a bar without learning from it', () => {
    const live = set.open()
    for (let i = 0; i < 500; i++) live.update(bar(bars, i))
    const preview = live.predict(bar(bars, 500)).slice()
    expect(Array.from(live.push(bar(bars, 500)))).toEqual(Array.from(preview))
  })
})

describe('nothing depends on the range that was asked for', () => {
  const bars = walk(6_000, 11)
  const table = set.batch(bars)

  test('appending bars never changes earlier features', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_999 }), (n) => {
        const part = set.batch(sliceBars(bars, 0, n))
        set.names.forEach((name, k) => {
          const same = mismatch(table.columns[k]!.subarray(0, n), part.columns[k]!)
          if (same !== undefined) throw new Error(`${name}, ${n} bars: ${same}`)
        })
      }),
      { numRuns: FULL ? 200 : 8, seed: 1 },
    )
  })

  test('a later start gives the same once warm', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000 }), (start) => {
        const part = set.batch(sliceBars(bars, start))
        const first = part.ready
        expect(first).toBeLessThan(set.warmup)
        set.names.forEach((name, k) => {
          const same = mismatch(table.columns[k]!.subarray(start + first), part.columns[k]!.subarray(first))
          if (same !== undefined) throw new Error(`${name} from ${start}: ${same}`)
        })
      }),
      { numRuns: FULL ? 200 : 8, seed: 2 },
    )
  })

  test('a range of rows is computed with the bars before it as warm-up', () => {
    const range = set.batch(bars, { from: 3_000, to: 3_100 })
    expect(range.ready).toBe(0)
    expect(range.time[0]).toBe(bars.time[3_000])
    set.names.forEach((name, k) => {
      expect(`${name}: ${mismatch(table.columns[k]!.subarray(3_000, 3_100), range.columns[k]!)}`).toBe(
        `${name}: undefined`,
      )
    })
    expect(set.batch(bars, { from: 6_000 }).time.length).toBe(0)
  })
})

test('a slower timeframe is not seen before its close', () => {
  const bars = walk(2_000, 3, { holes: false })
  const table = set.batch(bars)
  const k = set.names.indexOf('5m.ret_1')
  const column = table.columns[k]!
  for (let i = 1_000; i < 1_100; i++) {
    // The value changes at the minute whose close is the five-minute close, and at no other.
    const changes = column[i] !== column[i - 1]
    expect(changes && (bars.time[i]! + MIN) % (5 * MIN) !== 0).toBe(false)
    if ((bars.time[i]! + MIN) % (5 * MIN) === 0) {
      expect(column[i]).toBeCloseTo(Math.log(bars.close[i]! / bars.close[i - 5]!), 12)
    }
  }
})

describe('degenerate prices give neutral values, never NaN', () => {
  const neutral: { [name: string]: number } = {
    ret_20: 0,
    vol_20: 0,
    volRatio_10_60: 0,
    parkinson_20: 0,
    garmanKlass_20: 0,
    yangZhang_20: 0,
    rsi_14: 50,
    stochK_14: 50,
    stochD_14_3: 50,
    diSpread_14: 0,
    adx_14: 0,
    atr_14: 0,
    bollinger_20: 0.5,
    bollingerWidth_20: 0,
    rangePosition_60: 0.5,
    drawdown_250: 0,
    skew_60: 0,
    kurtosis_60: 0,
    efficiency_20: 0,
    upShare_20: 0.5,
    autocorr_1: 0,
    hurst_128: 0.5,
    entropy_60: 0,
    body: 0,
    volumeZ_20: 0,
    obvChange_20: 0,
    mfi_14: 50,
    vwapDistance_20: 0,
    macdHistogram: 0,
  }
  const flat = (n: number, level: number, volume = 0) => {
    const p = new Float64Array(n).fill(level)
    const time = p.map((_, i) => i * MIN)
    return createBars({ time, open: p, high: p, low: p, close: p, volume: new Float64Array(n).fill(volume) })
  }

  test.each([0.1, 1.2345, 54_321.1])('flat at %d', (level) => {
    const { columns, names, ready } = set.batch(flat(2_000, level))
    expect(ready).toBeLessThan(2_000)
    for (const [name, value] of Object.entries(neutral)) {
      expect([name, Number(columns[names.indexOf(`1m.${name}`)]![1_999]!.toFixed(9)) + 0]).toEqual([name, value])
    }
  })

  test('a flat stretch after a wild one forgets it exactly', () => {
    const wild = walk(700, 5, { holes: false })
    const level = wild.close[699]!
    const join = (a: Float64Array, value: number) => Float64Array.from([...a, ...new Array(400).fill(value)])
    const bars = createBars({
      time: Float64Array.from({ length: 1_100 }, (_, i) => i * MIN),
      open: join(wild.open, level),
      high: join(wild.high, level),
      low: join(wild.low, level),
      close: join(wild.close, level),
      volume: join(wild.volume!, 0),
    })
    const one = featureSet({ timeframes: ['1m'] })
    const { columns, names } = one.batch(bars)
    for (const [name, value] of Object.entries(neutral)) {
      expect([name, Number(columns[names.indexOf(`1m.${name}`)]![1_099]!.toFixed(9)) + 0]).toEqual([name, value])
    }
  })

  test('up and down, steady growth, one huge price: finite everywhere, and push agrees', () => {
    const shapes: ((i: number) => number)[] = [
      (i) => (i % 2 ? 101 : 100),
      (i) => 1.001 ** i,
      (i) => (i === 900 ? 1e9 : 100),
      (i) => 100 + i,
      (i) => 1e-6 * (1 + (i % 3)),
    ]
    const one = featureSet({ timeframes: ['1m'], volume: false })
    for (const shape of shapes) {
      const p = Float64Array.from({ length: 1_300 }, (_, i) => shape(i))
      const bars = createBars({ time: p.map((_, i) => i * MIN), open: p, high: p, low: p, close: p })
      const table = one.batch(bars)
      const live = one.open()
      for (let i = 0; i < 1_300; i++) {
        const row = live.push(bar(bars, i))
        if (i < one.warmup) continue
        for (let k = 0; k < row.length; k++) {
          if (!(Math.abs(row[k]! - table.columns[k]![i]!) <= 1e-9 * Math.max(1, Math.abs(row[k]!)))) {
            throw new Error(`${one.names[k]} at ${i} of ${shape}: ${row[k]} and ${table.columns[k]![i]}`)
          }
        }
      }
    }
  })
})

describe('at the door', () => {
  const bars = walk(50, 1)
  const { volume: _, ...without } = bars
  test('volume is asked for or left out, never invented', () => {
    expect(() => featureSet({ timeframes: ['1m'] }).batch(without)).toThrow(/no volume.*volume: false/)
    const live = featureSet({ timeframes: ['1m'] }).open()
    expect(() => live.push(bar(without, 0))).toThrow(/not clean/)
    expect(
      featureSet({ timeframes: ['1m'], volume: false }).names.some((name) => /volume|obv|mfi|vwap/.test(name)),
    ).toBe(false)
  })
  test('timeframes, ranges, order and foreign snapshots', () => {
    expect(() => featureSet({ timeframes: [] })).toThrow(/timeframes must be names/)
    expect(() => featureSet({ timeframes: ['5m', '1m'] })).toThrow(/must grow/)
    expect(() => featureSet({ timeframes: ['1h'] }).batch(bars)).toThrow(/the bars have 60000 ms/)
    expect(() => set.batch(bars, { from: 5, to: 51 })).toThrow(/range within 50 bars/)
    const live = set.open()
    live.push(bar(bars, 1))
    expect(() => live.push(bar(bars, 0))).toThrow(/not newer/)
    expect(() => featureSet({ timeframes: ['1m'] }).open(live.snapshot())).toThrow(/the snapshot is of/)
    live.dispose()
    expect(() => live.push(bar(bars, 2))).toThrow(/disposed/)
  })
})

test('bars that are not clean are refused, wherever they lie', () => {
  const bars = walk(400, 2)
  const spoiled = (column: 'open' | 'high' | 'low' | 'close' | 'volume', i: number, value: number): Bars => ({
    ...bars,
    [column]: bars[column]!.map((x, k) => (k === i ? value : x)),
  })
  const one = featureSet({ timeframes: ['1m'], features: ['ret_1', 'hourSin'] })
  const cases = [
    ['open', 0, 0],
    ['close', 399, Number.NaN],
    ['high', 200, Number.POSITIVE_INFINITY],
    ['high', 201, 1],
    ['low', 7, -1],
    ['volume', 398, -1],
    ['volume', 3, Number.NaN],
  ] as const
  for (const [column, i, value] of cases) {
    const message = new RegExp(`the bar at ${bars.time[i]} is not clean`)
    expect(() => one.batch(spoiled(column, i, value))).toThrow(message)
    if (column === 'volume') continue
    expect(() => featureSet({ timeframes: ['1m'], volume: false }).batch(spoiled(column, i, value))).toThrow(message)
  }
  expect(one.batch(bars).ready).toBe(1)
})

test('a time that is none yields no season, and an end', () => {
  const bars = walk(20, 4)
  const features = ['hourSin', 'hourCos', 'weekdaySin', 'quarterCos']
  const { columns } = featureSet({ timeframes: ['1m'], features }).batch({
    ...bars,
    time: bars.time.map((t, i) => (i === 7 ? Number.NaN : t)),
  })
  for (const column of columns) {
    column.forEach((x, i) => {
      expect(Number.isNaN(x)).toBe(i === 7)
    })
  }
})
