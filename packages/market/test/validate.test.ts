import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { loadCsv, type RawBars, repairBars, validateBars } from '../src/index.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const raw = (rows: number[][]): RawBars => {
  const column = (k: number) => Float64Array.from(rows, (row) => row[k]!)
  const volume = rows[0]!.length > 5 ? column(5) : undefined
  return { time: column(0), open: column(1), high: column(2), low: column(3), close: column(4), volume }
}
const flat = (times: number[], prices: number[] = times.map(() => 10)): RawBars =>
  raw(times.map((time, i) => [time, prices[i]!, prices[i]!, prices[i]!, prices[i]!]))
const kinds = (data: RawBars, options = {}) =>
  Object.fromEntries(
    validateBars(data, { interval: HOUR, calendar: 'always', flatRun: 99, ...options }).issues.map((issue) => [
      issue.kind,
      issue.rows,
    ]),
  )

describe('each kind is found at its row', () => {
  test('unsorted and duplicates', () => {
    expect(kinds(flat([0, 2, 1, 1, 3].map((k) => k * HOUR)))).toEqual({ unsorted: [2], duplicates: [3] })
  })
  test('missing, non-positive, high below low, outside, volume, time', () => {
    const data = raw(
      [
        [0, 10, 11, 9, 10, 1],
        [1, 10, Number.NaN, 9, 10, 1],
        [2, 10, 11, 0, 10, 1],
        [3, 10, 9, 11, 10, 1],
        [4, 10, 11, 9, 12, 1],
        [5, 10, 11, 9, 10, -1],
        [Number.NaN, 10, 11, 9, 10, 1],
      ].map(([k, ...rest]) => [k! * HOUR, ...rest]),
    )
    const found = kinds(data, { gapTolerance: 9 })
    expect(found).toEqual({
      badTime: [6],
      missing: [1],
      nonPositive: [2],
      highBelowLow: [3],
      outside: [4],
      badVolume: [5],
    })
  })
  test('a leap that comes back is a bad tick, one that stays is not', () => {
    const calm = Array.from({ length: 60 }, (_, i) => 100 + (i % 3) * 0.1)
    const spike = calm.with(30, 140)
    expect(
      kinds(
        flat(
          spike.map((_, i) => i * HOUR),
          spike,
        ),
      ),
    ).toEqual({ badTicks: [30] })
    const step = calm.map((price, i) => (i >= 30 ? price * 1.18 : price))
    expect(
      kinds(
        flat(
          step.map((_, i) => i * HOUR),
          step,
        ),
      ),
    ).toEqual({})
  })
  test('a lasting jump by a simple ratio is a split; adjust scales what came before', () => {
    const prices = Array.from({ length: 40 }, (_, i) => (i < 20 ? 200 : 100) * (1 + 0.001 * (i % 2)))
    const data = flat(
      prices.map((_, i) => i * HOUR),
      prices,
    )
    expect(validateBars(data).splits).toEqual([{ row: 20, time: 20 * HOUR, ratio: 0.5 }])
    const { bars, report } = repairBars(data, { repair: { splits: 'adjust' } })
    expect([bars.close[0], bars.close[19], bars.close[20]]).toEqual([100, 100.1, 100])
    expect(report.repairs).toEqual([{ kind: 'splits', policy: 'adjust', count: 1 }])
  })
  test('flat stretches', () => {
    expect(kinds(flat([0, 1, 2, 3].map((k) => k * HOUR)), { flatRun: 3 })).toEqual({ flat: [1, 2, 3] })
  })
})

describe('calendars', () => {
  const monday = Date.parse('2024-01-01')
  const weekdays = Array.from({ length: 70 }, (_, k) => monday + k * DAY).filter(
    (t) => ![0, 6].includes(new Date(t).getUTCDay()),
  )
  const gaps = (times: number[], options: object) =>
    validateBars(flat(times), { interval: DAY, ...options }).gaps.map((gap) => gap.missing)

  test('auto learns that weekends are closed, and tolerates one holiday', () => {
    expect(gaps(weekdays, {})).toEqual([])
    expect(gaps(weekdays, { calendar: 'always' })).toHaveLength(9)
    expect(gaps(weekdays.toSpliced(12, 1), {})).toEqual([])
    expect(gaps(weekdays.toSpliced(12, 3), {})).toEqual([3])
    expect(gaps(weekdays.toSpliced(12, 1), { calendar: 'weekdays', gapTolerance: 0 })).toEqual([1])
  })
  test('auto counts every week: a Saturday of three in five weeks is a trading day', () => {
    // Sunday 2024-01-07 begins the first week. Monday to Friday always, Saturday in the first, second and fourth week.
    const time: number[] = []
    for (let day = 0; day < 34; day++) {
      const [week, weekday] = [Math.floor(day / 7), day % 7]
      if (weekday === 0 || (weekday === 6 && ![0, 1, 3].includes(week))) continue
      time.push(Date.UTC(2024, 0, 7 + day))
    }
    const p = new Float64Array(time.length).fill(10)
    const raw = { time: Float64Array.from(time), open: p, high: p, low: p, close: p }
    const { gaps } = validateBars(raw, { interval: '1d', gapTolerance: 0 })
    // The Saturday of the third week.
    expect(gaps.map(({ from, missing }) => [from, missing])).toEqual([[Date.UTC(2024, 0, 27), 1]])
  })

  test('stated hours and holidays', () => {
    // Monday to Friday 09:00-12:00, with Wednesday 2024-01-03 closed.
    const times = weekdays
      .slice(0, 10)
      .filter((_, k) => k !== 2)
      .flatMap((day) => [9, 10, 11].map((h) => day + h * HOUR))
    const hours = { days: [1, 2, 3, 4, 5], from: 540, to: 720 }
    const count = (calendar: object, list = times) =>
      validateBars(flat(list), { interval: HOUR, gapTolerance: 0, ...{ calendar: calendar as typeof hours } }).gaps.map(
        (gap) => gap.missing,
      )
    expect(count(hours)).toEqual([3])
    expect(count({ ...hours, holidays: ['2024-01-03'] })).toEqual([])
    expect(count({ ...hours, holidays: ['2024-01-03'] }, times.toSpliced(4, 1))).toEqual([1])
  })
  test('a hole of decades at one-millisecond bars does not hang', () => {
    expect(validateBars(flat([0, 1, 2, 1.7e12]), {}).gaps[0]?.missing).toBe(1.7e12 - 3)
    expect(() => repairBars(flat([0, 1, 2, 1.7e12]), { repair: { gaps: 'fill' } })).toThrow(/would need/)
  })
})

describe('repair', () => {
  test('every wrong row is an error with its number unless a policy covers it', () => {
    const bad: [RawBars, RegExp][] = [
      [flat([0, 0]), /row 1: duplicates/],
      [flat([0, HOUR], [1, Number.NaN]), /row 1: missing/],
      [flat([0, HOUR], [1, 0]), /row 1: nonPositive/],
      [raw([[0, 1, 2, 3, 1]]), /row 0: highBelowLow/],
      [raw([[0, 1, 2, 1, 3]]), /row 0: outside/],
      [flat([0, Number.NaN]), /row 1: badTime/],
    ]
    for (const [data, message] of bad) expect(() => repairBars(data, { interval: HOUR })).toThrow(message)
    expect(() => repairBars(flat([HOUR, 0]), { repair: { unsorted: 'error' } })).toThrow(/unsorted/)
  })
  test('first or last of the rows that share a time', () => {
    const data = flat([0, HOUR, HOUR, 2 * HOUR], [1, 2, 3, 4])
    expect(Array.from(repairBars(data, { repair: { duplicates: 'first' } }).bars.close)).toEqual([1, 2, 4])
    expect(Array.from(repairBars(data, { repair: { duplicates: 'last' } }).bars.close)).toEqual([1, 3, 4])
  })
  test('swap, widen and zero change only what is wrong', () => {
    const data = raw([
      [0, 10, 9, 11, 10, 1],
      [HOUR, 10, 11, 9, 12, Number.NaN],
      [2 * HOUR, 10, 11, 9, 10, Number.NaN],
    ])
    const { bars, report } = repairBars(data, { repair: { highBelowLow: 'swap', outside: 'widen', badVolume: 'zero' } })
    expect(Array.from(bars.high)).toEqual([11, 12, 11])
    expect(Array.from(bars.low)).toEqual([9, 9, 9])
    expect(Array.from(bars.volume!)).toEqual([1, 0, 0])
    expect(report.repairs.map((repair) => [repair.kind, repair.count])).toEqual([
      ['highBelowLow', 1],
      ['outside', 1],
      ['badVolume', 2],
    ])
    expect(Array.from(data.high)).toEqual([9, 11, 11])
    expect(
      repairBars(data, { repair: { highBelowLow: 'swap', outside: 'widen', badVolume: 'omit' } }).bars.volume,
    ).toBeUndefined()
  })
  test('filled gaps are flat, without volume, and only where the calendar expects bars', () => {
    const { bars, report } = repairBars(
      raw([
        [0, 1, 1, 1, 1, 5],
        [3 * HOUR, 2, 2, 2, 2, 6],
      ]),
      { interval: HOUR, calendar: 'always', repair: { gaps: 'fill' } },
    )
    expect(Array.from(bars.close)).toEqual([1, 1, 1, 2])
    expect(Array.from(bars.volume!)).toEqual([5, 0, 0, 6])
    expect(report.repairs).toEqual([{ kind: 'gaps', policy: 'fill', count: 2 }])
  })
  test('policies that do not exist are refused', () => {
    expect(() => repairBars(flat([0, 1]), { repair: { missing: 'zero' as 'drop' } })).toThrow(
      /repair.missing must be one of/,
    )
    expect(() => repairBars(flat([0, 1]), { repair: { typo: 'drop' } as object })).toThrow(/no policy for "typo"/)
  })
})

describe('real files', () => {
  const folder = process.env.REGIMEN_DATA ?? fileURLToPath(new URL('../../../../shared/data', import.meta.url))
  const report = (name: string) => loadCsv(readFileSync(`${folder}/market/${name}`)).report
  const there = existsSync(`${folder}/market/goog_daily_adj.csv`)
  const real = test.skipIf(!there)
  if (!there) console.log('validate.test: skipped the real files, REGIMEN_DATA is absent')

  real('goog still holds the split of 2014-04-03', () => {
    expect(
      report('goog_daily_adj.csv').splits.map((split) => [
        new Date(split.time).toISOString().slice(0, 10),
        split.ratio,
      ]),
    ).toEqual([['2014-04-03', 0.5]])
  })
  real('gbpusd has a hole of 265 days that ends on 2018-03-18', () => {
    const gap = report('gbpusd_d_mid.csv').gaps.toSorted((a, b) => b.missing - a.missing)[0]!
    expect(new Date(gap.to).toISOString().slice(0, 10)).toBe('2018-03-18')
    expect((gap.to - gap.from) / DAY + 1).toBe(265)
  })
  real('btcusd has 8 gaps, the longest of 21 days', () => {
    const { gaps } = report('btcusd_coinbase_daily.csv')
    expect(gaps).toHaveLength(8)
    expect(Math.max(...gaps.map((gap) => (gap.to - gap.from) / DAY + 1))).toBe(21)
  })
  real('ibm is clean but for the closed days of September 2001 and two more', () => {
    expect(report('ibm_daily_adj.csv').gaps.map((gap) => gap.missing)).toEqual([4, 2, 2])
  })
})
