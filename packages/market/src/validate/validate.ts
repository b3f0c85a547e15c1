import { check, describe } from '@regimen/core'
import { type Bars, inferInterval } from '../bars.ts'
import { type Interval, parseInterval } from '../interval.ts'
import type { RawBars } from '../load/raw.ts'
import { type Calendar, expectedBars } from './calendar.ts'
import type { IssueKind, ValidationIssue, ValidationReport } from './report.ts'
import { MAX_ROWS, ROW_KINDS, type RowScan, rowProblem, scanRows, takeRows, timeOrder } from './rows.ts'
import { findBadTicks, findFlat, findGaps, findSplits } from './series.ts'

/** Options of {@link validateBars}. */
export interface ValidateOptions {
  /**
   * Length of a bar: milliseconds or a name such as `'1h'`.
   * @default the most frequent step
   */
  interval?: Interval | undefined
  /**
   * When bars are expected.
   * @default 'auto'
   */
  calendar?: Calendar | undefined
  /**
   * Expected bars that may be absent in a row without counting as a gap (holidays).
   * @default 0 in a market that never closes, else one day's bars
   */
  gapTolerance?: number | undefined
  /**
   * Typical moves from which a bar that comes back at once is a bad tick.
   * @default 12
   */
  badTickSigmas?: number | undefined
  /**
   * Typical moves from which a lasting jump by a split's ratio is a split.
   * @default 8
   */
  splitSigmas?: number | undefined
  /**
   * Bars without movement in a row from which they are reported.
   * @default 5
   */
  flatRun?: number | undefined
}

const WHERE = 'market/validate'

const WHAT: { readonly [kind in IssueKind]: string } = {
  strings: 'numbers arrived as text and were converted',
  unparsable: 'cells are neither a number nor a known word for "missing"',
  badTime: 'rows have no readable time',
  unsorted: 'rows are older than the row before',
  duplicates: 'rows repeat the time of another',
  gaps: 'holes where the calendar expects bars',
  missing: 'rows lack a price',
  nonPositive: 'rows have a price of zero or less',
  highBelowLow: 'rows have a high below the low',
  outside: 'rows have an open or close outside low … high',
  badVolume: 'rows have a missing or negative volume',
  flat: 'bars do not move at all',
  badTicks: 'bars leap and come back at once',
  splits: 'jumps look like unadjusted splits',
}

/**
 * Looks for everything that is commonly wrong with price data and reports it without changing anything: numbers that
 * arrived as text, unsorted rows, duplicates, gaps against a calendar or a fixed step, missing and non-positive prices,
 * high below low, open or close outside, flat stretches, bad ticks (a leap that comes back at once) and split-like jumps.
 * Use {@link repairBars} to act on it. Bad ticks and splits need the bar after them, so they look ahead: report with
 * them, never trade on them.
 *
 * ```ts
 * import { validateBars } from '@regimen/market'
 *
 * const p = Float64Array.of(100, 101, 50, 51)
 * const time = Float64Array.of(0, 60_000, 120_000, 300_000)
 * const report = validateBars({ time, open: p, high: p, low: p, close: p }, { calendar: 'always' })
 * report.issues.map((issue) => issue.kind) // => ['gaps', 'splits']
 * report.gaps[0]?.missing // => 2
 * ```
 */
export function validateBars(raw: RawBars | Bars, options: ValidateOptions = {}): ValidationReport {
  checkRaw(raw)
  const scan = scanRows(raw)
  const order = timeOrder(raw, scan.order)
  const clean: number[] = []
  const total = order?.length ?? raw.time.length
  let previous = Number.NEGATIVE_INFINITY
  for (let k = 0; k < total; k++) {
    const row = order ? order[k]! : k
    if (rowProblem(raw, row) === 0 && raw.time[row]! > previous) {
      clean.push(row)
      previous = raw.time[row]!
    }
  }
  const rows = clean.length === raw.time.length && !order ? undefined : Int32Array.from(clean)
  return buildReport(raw, scan, findDuplicates(raw, order), rows ? takeRows(raw, rows) : raw, rows, options)
}

/** Assembles the report; `clean` are the usable rows in order and `rows` where they stood in the input. */
export function buildReport(
  raw: RawBars,
  scan: RowScan,
  duplicates: readonly number[],
  clean: RawBars,
  rows: Int32Array | undefined,
  options: ValidateOptions,
): ValidationReport {
  const given = options.interval ?? raw.interval
  const interval = given === undefined ? inferInterval(clean.time) : parseInterval(given)
  const expected = expectedBars(options.calendar ?? 'auto', interval, clean.time)
  const origin = (row: number): number => (rows ? rows[row]! : row)
  const gaps = findGaps(clean, interval, expected, options.gapTolerance ?? expected.perDay).map((gap) => ({
    ...gap,
    row: origin(gap.row),
  }))
  const splits = findSplits(clean, options.splitSigmas ?? 8).map((split) => ({ ...split, row: origin(split.row) }))
  const issues: ValidationIssue[] = []
  const add = (kind: IssueKind, count: number, found: readonly number[]): void => {
    if (count === 0) return
    const first = found[0]
    const line = first === undefined ? undefined : raw.line?.[first]
    const place = first === undefined ? '' : `, first row ${first}${line === undefined ? '' : ` (line ${line})`}`
    issues.push({ kind, count, rows: found.slice(0, MAX_ROWS), message: `${count} ${WHAT[kind]}${place}.` })
  }
  add('strings', raw.converted ?? 0, [])
  const unparsable = raw.unparsable ?? []
  add(
    'unparsable',
    unparsable.length,
    unparsable.map((cell) => cell.row),
  )
  add('unsorted', scan.unsortedCount, scan.unsorted)
  add('duplicates', duplicates.length, duplicates)
  for (let code = 1; code < ROW_KINDS.length; code++) add(ROW_KINDS[code]!, scan.counts[code]!, scan.rows[code]!)
  add(
    'gaps',
    gaps.length,
    gaps.map((gap) => gap.row),
  )
  const flat = findFlat(clean, options.flatRun ?? 5).map(origin)
  add('flat', flat.length, flat)
  const ticks = findBadTicks(clean, options.badTickSigmas ?? 12).map(origin)
  add('badTicks', ticks.length, ticks)
  add(
    'splits',
    splits.length,
    splits.map((split) => split.row),
  )
  return {
    rows: raw.time.length,
    interval,
    order: scan.order,
    converted: raw.converted ?? 0,
    issues,
    gaps,
    splits,
    repairs: [],
  }
}

/** Rows whose time an earlier one already has. */
export function findDuplicates(raw: RawBars, order: Int32Array | undefined): number[] {
  const { time } = raw
  const found: number[] = []
  const n = order?.length ?? time.length
  let previous = Number.NaN
  for (let k = 0; k < n; k++) {
    const row = order ? order[k]! : k
    const t = time[row]!
    if (t === previous) found.push(row)
    if (!Number.isNaN(t)) previous = t
  }
  return found
}

/** Refuses columns that are no columns. */
export function checkRaw(raw: RawBars): void {
  for (const name of ['time', 'open', 'high', 'low', 'close', 'volume'] as const) {
    const values = raw?.[name]
    if (name === 'volume' && values === undefined) continue
    check(
      values instanceof Float64Array && values.length === raw.time.length,
      WHERE,
      () => `${name} must be a Float64Array of ${raw?.time?.length} values, got ${describe(values)}.`,
    )
  }
}
