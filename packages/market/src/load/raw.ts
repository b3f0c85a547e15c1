import { check, describe } from '@regimen/core'
import type { Bars } from '../bars.ts'
import type { Interval } from '../interval.ts'
import { type RepairOptions, repairBars } from '../validate/repair.ts'
import type { ValidationReport } from '../validate/report.ts'
import { coerceNumber } from './number.ts'
import { type DateOrder, parseTime, type TimeUnit } from './time.ts'

/** Columns as they came from outside: in any order, possibly with NaN where a cell was missing or no number. */
export interface RawBars {
  readonly time: Float64Array
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
  readonly volume?: Float64Array | undefined
  /** Bar length where the source says it. */
  readonly interval?: Interval | undefined
  /** Line of each row in its file, from 1. */
  readonly line?: Int32Array | undefined
  /** Numbers that arrived as text and were converted. */
  readonly converted?: number | undefined
  /** Cells that are neither a number nor a known word for "missing" (the first hundred). */
  readonly unparsable?: readonly { readonly row: number; readonly column: string; readonly text: string }[] | undefined
}

/** What every loader takes beside its own options. */
export interface LoadOptions extends RepairOptions {
  /**
   * Length of a bar: milliseconds or a name such as `'1h'`.
   * @default the most frequent step between rows
   */
  interval?: Interval | undefined
  /**
   * Unit of numeric times.
   * @default told apart by the number of digits
   */
  timeUnit?: TimeUnit | undefined
  /**
   * Whether 03/04/2020 is the 3rd of April (`dmy`) or the 4th of March (`mdy`).
   * @default what the other rows give away; an error where none does
   */
  dateOrder?: DateOrder | undefined
}

/** Bars with the report of what was found in them and what was repaired. */
export interface LoadedBars {
  readonly bars: Bars
  readonly report: ValidationReport
}

/** Validates and repairs raw columns: the last step of every loader. */
export function finish(raw: RawBars, options: LoadOptions): LoadedBars {
  return repairBars({ ...raw, interval: options.interval ?? raw.interval }, options)
}

/** Collects rows of foreign values into raw columns, converting and counting what arrives as text. */
export function collectRows(
  where: string,
  count: number,
  cell: (row: number, column: number) => unknown,
  withVolume: boolean,
  options: LoadOptions,
): RawBars {
  const columns = Array.from({ length: withVolume ? 6 : 5 }, () => new Float64Array(count))
  const names = ['time', 'open', 'high', 'low', 'close', 'volume']
  const unparsable: { row: number; column: string; text: string }[] = []
  let converted = 0
  for (let row = 0; row < count; row++) {
    for (let k = 0; k < columns.length; k++) {
      const value = cell(row, k)
      let number: number | undefined
      if (k === 0) {
        number = readTime(where, row, value, options)
        if (typeof value === 'string') converted += /^\d+$/.test(value) ? 1 : 0
      } else if (typeof value === 'number') number = value
      else if (typeof value === 'bigint') number = Number(value)
      else if (value === undefined || value === null) number = Number.NaN
      else if (typeof value === 'string') {
        number = coerceNumber(value)
        if (number !== undefined && !Number.isNaN(number)) converted++
      }
      if (number === undefined && unparsable.length < 100) {
        unparsable.push({ row, column: names[k]!, text: describe(value) })
      }
      columns[k]![row] = number ?? Number.NaN
    }
  }
  const [time, open, high, low, close, volume] = columns
  return { time: time!, open: open!, high: high!, low: low!, close: close!, volume, converted, unparsable }
}

const encoder = new TextEncoder()

function readTime(where: string, row: number, value: unknown, options: LoadOptions): number {
  if (value instanceof Date) return value.getTime()
  if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'string') return Number.NaN
  const bytes = encoder.encode(String(value).trim())
  const time = parseTime(bytes, 0, bytes.length, options.dateOrder, options.timeUnit)
  check(
    time !== Number.NEGATIVE_INFINITY,
    where,
    () => `row ${row}: day and month of ${describe(value)} cannot be told apart.`,
    "Pass { dateOrder: 'dmy' } or { dateOrder: 'mdy' }.",
  )
  return time
}
