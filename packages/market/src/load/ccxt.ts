import { type Clock, check, describe, systemClock } from '@regimen/core'
import { type Interval, parseInterval } from '../interval.ts'
import { collectRows, finish, type LoadedBars, type LoadOptions } from './raw.ts'

/** Options of {@link loadCcxt}. */
export interface LoadCcxtOptions extends LoadOptions {
  /** Length of a candle, as passed to `fetchOHLCV`: `'1m'`, `'1h'`, … */
  interval: Interval
  /**
   * Tells what time it is: a candle that has not closed yet is left out.
   * @default systemClock
   */
  clock?: Clock | undefined
}

const WHERE = 'market/load-ccxt'

/**
 * Loads the rows of ccxt's `fetchOHLCV`: `[timestamp, open, high, low, close, volume]`. Exchanges return the candle that
 * is still being built as the last row; it changes until it closes, so it is left out.
 *
 * ```ts
 * import { manualClock } from '@regimen/core'
 * import { loadCcxt } from '@regimen/market'
 *
 * const rows = [[0, 10, 12, 9, 11, 5], [60_000, 11, 13, 10, 12, 3]]
 * const { bars } = loadCcxt(rows, { interval: '1m', clock: manualClock(90_000) })
 * bars.time.length // => 1
 * ```
 */
export function loadCcxt(rows: readonly (readonly unknown[])[], options: LoadCcxtOptions): LoadedBars {
  check(Array.isArray(rows) && rows.length > 0, WHERE, () => `rows must be a non-empty array, got ${describe(rows)}.`)
  const interval = parseInterval(options.interval)
  const now = (options.clock ?? systemClock).now()
  const withVolume = rows.some((row) => row?.[5] !== undefined && row[5] !== null)
  const closed = rows.filter((row) => {
    check(Array.isArray(row) && row.length >= 5, WHERE, () => `every row must be an array of 6, got ${describe(row)}.`)
    return !(Number(row[0]) + interval > now)
  })
  check(closed.length > 0, WHERE, () => `none of the ${rows.length} candle(s) has closed by ${now}.`)
  const raw = collectRows(WHERE, closed.length, (row, k) => closed[row]![k], withVolume, { timeUnit: 'ms', ...options })
  return finish(raw, { ...options, interval })
}
