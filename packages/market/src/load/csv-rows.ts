import { describe } from '@regimen/core'
import type { Layout, Role } from './layout.ts'
import { ascii, coerceNumber, parseNumber } from './number.ts'
import { openScan, SCAN_REACH, scanNumber, scanTime } from './scan.ts'
import { clock, type DateOrder, NEEDS_ORDER, parseTime, revealedOrder, type TimeUnit } from './time.ts'

const NAMES = ['', 'time', 'open', 'high', 'low', 'close', 'volume', 'adjusted close', 'time of day']
const TIME = 1
const TIME_OF_DAY = 8

/** How cells are read that can be read in several ways. */
export interface CellRules {
  readonly unit: TimeUnit | undefined
  /** Whether a bare number may count from the midnight of a given day. */
  readonly ofDay: boolean
}

/** Rows read so far, in columns by role that grow by doubling, and what was remarkable about them. */
export interface RowTable {
  columns: Float64Array[]
  lines: Int32Array
  rows: number
  /** Number of the last line read, from 1. */
  line: number
  converted: number
  readonly unparsable: { row: number; column: string; text: string }[]
  /** Rows with a date that can be read in two ways, met before the order was known: read as day first, … */
  readonly doubtful: number[]
  /** … and what to add to their times if the month comes first. */
  readonly monthFirst: number[]
  /** The order of day and month, given or given away by a date that has only one. */
  order: DateOrder | undefined
}

export function openRowTable(capacity: number, layout: Layout, order: DateOrder | undefined): RowTable {
  const { roles, line } = layout
  const columns = Array.from(
    { length: TIME_OF_DAY + 1 },
    (_, role) => new Float64Array(role > 0 && roles.includes(role) ? capacity : 0),
  )
  return {
    columns,
    lines: new Int32Array(capacity),
    rows: 0,
    line: line - 1,
    converted: 0,
    unparsable: [],
    doubtful: [],
    monthFirst: [],
    order,
  }
}

/**
 * Reads the lines that begin in `bytes` from `start` on into the table. Cells of the common forms are read while looking for
 * their end; the others are looked at again, by everything that is known about how people write times and numbers.
 */
export function readRows(bytes: Uint8Array, start: number, layout: Layout, rules: CellRules, table: RowTable): void {
  const { delimiter, decimal, roles } = layout
  const size = bytes.length
  const width = roles.length
  const split = roles.includes(TIME_OF_DAY)
  const plainTimes = rules.unit === undefined
  const scan = openScan()
  let { columns, lines, rows: row, line } = table
  let capacity = lines.length
  let p = start
  while (p < size) {
    line++
    const head = bytes[p]!
    if (head === 10 || head === 13) {
      p++
      if (head === 13 && p < size && bytes[p] === 10) p++
      continue
    }
    if (head === 35) {
      const end = bytes.indexOf(10, p)
      p = end < 0 ? size : end + 1
      continue
    }
    if (row === capacity) {
      capacity *= 2
      columns = columns.map((values) => (values.length === 0 ? values : grow(values, new Float64Array(capacity))))
      lines = grow(lines, new Int32Array(capacity))
      table.columns = columns
      table.lines = lines
    }
    let filled = 0
    let column = 0
    for (;;) {
      const role = column < width ? roles[column]! : 0
      scan.end = -1
      if (role !== 0 && p + SCAN_REACH < size) {
        if (role > TIME && role < TIME_OF_DAY) {
          columns[role]![row] = scanNumber(bytes, p, delimiter, decimal, scan)
        } else if (role === TIME && plainTimes) columns[role]![row] = scanTime(bytes, p, delimiter, scan)
      }
      if (scan.end >= 0) {
        p = scan.end
        filled++
      } else {
        const from = p
        p = skipCell(bytes, p, delimiter)
        if (role !== 0 && readCell(bytes, from, p, role as Role, row, layout, rules, table)) filled++
      }
      column++
      if (p >= size || bytes[p] !== delimiter) break
      p++
    }
    if (p < size && bytes[p] === 13) p++
    if (p < size && bytes[p] === 10) p++
    if (filled === 0) continue
    for (; column < width; column++) columns[roles[column]!]![row] = Number.NaN
    if (split) columns[TIME]![row] = columns[TIME]![row]! + columns[TIME_OF_DAY]![row]!
    lines[row++] = line
  }
  table.rows = row
  table.line = line
}

/** The position of the delimiter or line end after the cell; inside quotes delimiters do not count. */
function skipCell(bytes: Uint8Array, start: number, delimiter: number): number {
  const size = bytes.length
  let p = start
  while (delimiter !== 32 && p < size && bytes[p] === 32) p++
  if (p < size && bytes[p] === 34) {
    p++
    while (p < size && bytes[p] !== 34 && bytes[p] !== 10) p++
  }
  while (p < size && bytes[p] !== delimiter && bytes[p] !== 10 && bytes[p] !== 13) p++
  return p
}

/** Reads a cell in whatever form it is, into the table; false for an empty one. */
function readCell(
  bytes: Uint8Array,
  from: number,
  to: number,
  role: Role,
  row: number,
  layout: Layout,
  rules: CellRules,
  table: RowTable,
): boolean {
  let start = from
  let end = to
  while (start < end && bytes[start] === 32) start++
  const quoted = bytes[start] === 34 && start < end
  if (quoted) {
    const closing = bytes.subarray(++start, end).indexOf(34)
    if (closing >= 0) end = start + closing
  }
  while (end > start && bytes[end - 1] === 32) end--
  const into = table.columns[role]!
  if (role === TIME) into[row] = readTime(bytes, start, end, row, rules, table)
  else if (role === TIME_OF_DAY) into[row] = end > start ? clock(bytes, start, end) : Number.NaN
  else {
    const value = parseNumber(bytes, start, end, layout.decimal)
    into[row] = value
    if (!Number.isNaN(value)) table.converted += quoted ? 1 : 0
    else into[row] = readForeign(ascii(bytes, start, end), role, row, quoted, layout, table)
  }
  return end > start
}

function readTime(
  bytes: Uint8Array,
  start: number,
  end: number,
  row: number,
  rules: CellRules,
  table: RowTable,
): number {
  let value = parseTime(bytes, start, end, table.order, rules.unit)
  if (value === NEEDS_ORDER) {
    value = parseTime(bytes, start, end, 'dmy', rules.unit)
    table.doubtful.push(row)
    table.monthFirst.push(parseTime(bytes, start, end, 'mdy', rules.unit) - value)
  } else table.order ??= revealedOrder(bytes, start, end)
  return Number.isNaN(value) && rules.ofDay ? parseNumber(bytes, start, end, 46) : value
}

/** Reads a number as people write it; what is none is noted down. */
function readForeign(text: string, role: Role, row: number, quoted: boolean, layout: Layout, table: RowTable): number {
  const value = coerceNumber(text, layout.decimal === 44 ? ',' : '.')
  if (value === undefined) {
    if (table.unparsable.length < 100) table.unparsable.push({ row, column: NAMES[role]!, text: describe(text) })
    return Number.NaN
  }
  if (!Number.isNaN(value) && (quoted || !/^[+-]?[\d.]+e[+-]?\d+$/i.test(text))) table.converted++
  return value
}

function grow<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from)
  return to
}
