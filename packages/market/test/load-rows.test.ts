import { readFileSync } from 'node:fs'
import { manualClock } from '@regimen/core'
import { expect, test } from 'vitest'
import { loadCcxt, loadParquet, loadRows } from '../src/index.ts'

test('objects under any usual names, strings converted and counted', () => {
  const rows = [
    { timestamp: new Date(60_000), open: '1', high: 2, low: '0.5', close: 1.5, volume: 10n },
    { timestamp: new Date(0), open: 1, high: 2, low: 0.5, close: 1, volume: 3 },
  ]
  const { bars, report } = loadRows(rows)
  expect(Array.from(bars.close)).toEqual([1, 1.5])
  expect(Array.from(bars.volume!)).toEqual([3, 10])
  expect(report.converted).toBe(2)
  expect(report.issues[0]).toMatchObject({ kind: 'strings', count: 2 })
})

test('unusual names are given, absent ones are an error', () => {
  const rows = [{ when: '2024-01-01', first: 1, top: 1, bottom: 1, final: 1 }]
  const columns = { time: 'when', open: 'first', high: 'top', low: 'bottom', close: 'final' }
  expect(loadRows(rows, { columns, interval: '1d' }).bars.close[0]).toBe(1)
  expect(() => loadRows(rows)).toThrow(/no property of the first row holds time: when, first/)
  expect(() => loadRows([])).toThrow(/non-empty array/)
})

test('values that are no numbers are refused with their row', () => {
  const good = { t: 0, o: 1, h: 1, l: 1, c: 1 }
  for (const bad of [Number.NaN, null, undefined, 'abc', {}, Number.POSITIVE_INFINITY]) {
    expect(() => loadRows([good, { ...good, t: 1_600_000_000, h: bad }], { interval: '1h', timeUnit: 's' })).toThrow(
      /row 1: missing/,
    )
  }
})

test('ccxt: the last candle is left out while it is being built', () => {
  const rows = [
    [0, 1, 1, 1, 1, 5],
    [60_000, 1, 2, 1, '2', 6],
    [120_000, 2, 3, 2, 3, 1],
  ]
  const at = (now: number) => loadCcxt(rows, { interval: '1m', clock: manualClock(now) }).bars.time.length
  expect([at(179_999), at(180_000)]).toEqual([2, 3])
  expect(() => at(1)).toThrow(/none of the 3 candle/)
  expect(loadCcxt(rows, { interval: '1m', clock: manualClock(1e9) }).report.converted).toBe(1)
})

test('Parquet', async () => {
  // Three hourly rows from hyparquet-writer 0.17.0: int64 milliseconds, doubles, an int64 volume, Snappy.
  const file = readFileSync(new URL('./fixtures/bars.parquet', import.meta.url))
  const { bars, report } = await loadParquet(file)
  expect(Array.from(bars.time, (t) => (t - Date.parse('2024-01-01')) / 3_600_000)).toEqual([0, 1, 2])
  expect(Array.from(bars.close)).toEqual([11, 12, 13])
  expect(Array.from(bars.volume!)).toEqual([5, 6, 7])
  expect(report.issues).toEqual([])
})

test('bytes that are no Parquet file are refused', async () => {
  await expect(loadParquet(new Uint8Array(50))).rejects.toThrow(/cannot be read/)
  await expect(loadParquet('x' as unknown as ArrayBuffer)).rejects.toThrow(/must be an ArrayBuffer/)
})
