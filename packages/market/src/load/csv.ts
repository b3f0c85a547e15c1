import { check, describe, RegimenError } from '@regimen/core'
import { detectLayout, type Layout } from './layout.ts'
import { ascii, coerceNumber, parseNumber } from './number.ts'
import { finish, type LoadedBars, type LoadOptions, type RawBars } from './raw.ts'
import { clock, type DateOrder, NEEDS_ORDER, parseTime, revealedOrder } from './time.ts'

/** Options of {@link loadCsv}. */
export interface LoadCsvOptions extends LoadOptions {
  /**
   * Who wrote the file, where that cannot be seen in it. `lean`: prices of QuantConnect's equity files are ten-thousandths.
   * @default 'auto'
   */
  layout?: 'auto' | 'lean' | undefined
  /**
   * The character between cells.
   * @default found among tab, semicolon, bar, comma and space
   */
  delimiter?: string | undefined
  /**
   * A name for every column, in place of the header: `time`, `open`, `high`, `low`, `close`, `volume`, or `''` to skip.
   * @default from the header, or time, open, high, low, close, volume
   */
  columns?: readonly string[] | undefined
  /**
   * Use the adjusted close, where there is one (Yahoo), and scale open, high and low by the same factor.
   * @default false
   */
  adjusted?: boolean | undefined
  /**
   * UTC epoch milliseconds added to times that count from midnight (Lean's minute files, named by their day).
   * @default 0
   */
  date?: number | undefined
  /**
   * Minutes that the file's clock is ahead of UTC; constant, so files in local time with summer time need converting.
   * @default 0
   */
  utcOffset?: number | undefined
}

const WHERE = 'market/load-csv'
const NAMES = ['', 'time', 'open', 'high', 'low', 'close', 'volume', 'adjusted close', 'time of day']

/**
 * Loads bars from CSV text or bytes in one pass over the bytes: no string is made for a cell that is a plain number or a
 * common time. Finds the delimiter, the header or its absence, decimal commas, the forms of time (several in one file are
 * fine) and newest-first order by itself; Yahoo, Binance klines, MetaTrader, HistData, Lean and plain headerless files load as
 * they are. Returns the bars together with the {@link validateBars} report; what the chosen repair policies
 * do not cover is an error that names the line.
 *
 * ```ts
 * import { loadCsv } from '@regimen/market'
 *
 * const { bars, report } = loadCsv('Date,Open,High,Low,Close\n02/01/2024,11,13,10,12\n31/12/2023,10,12,9,11\n')
 * Array.from(bars.close) // => [11, 12]
 * report.order // => 'descending'
 * ```
 */
export function loadCsv(input: string | Uint8Array, options: LoadCsvOptions = {}): LoadedBars {
  check(
    typeof input === 'string' || input instanceof Uint8Array,
    WHERE,
    () => `input must be text or a Uint8Array, got ${describe(input)}.`,
    'Read the file first.',
  )
  const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    throw new RegimenError('the input is gzip.', {
      code: 'COMPRESSED',
      where: WHERE,
      hint: 'Pass loadCsv(await gunzip(bytes)).',
    })
  }
  const layout = detectLayout(bytes, options)
  let raw = parseRows(bytes, layout, options, options.dateOrder)
  if (raw.ambiguous >= 0) {
    if (raw.revealed === undefined) {
      throw new RegimenError(`line ${raw.ambiguous}: day and month cannot be told apart in any row of the file.`, {
        code: 'AMBIGUOUS_DATE',
        where: WHERE,
        hint: "Pass { dateOrder: 'dmy' } or { dateOrder: 'mdy' }.",
      })
    }
    raw = parseRows(bytes, layout, options, raw.revealed)
  }
  check(raw.time.length > 0, WHERE, () => 'the file holds no row of data.')
  return finish(raw, options)
}

type ParsedRows = RawBars & { ambiguous: number; revealed: DateOrder | undefined }

function parseRows(
  bytes: Uint8Array,
  layout: Layout,
  options: LoadCsvOptions,
  givenOrder: DateOrder | undefined,
): ParsedRows {
  const { delimiter, decimal, roles } = layout
  const size = bytes.length
  const width = roles.length
  const unit = options.timeUnit
  const cells = new Float64Array(9)
  const unparsable: { row: number; column: string; text: string }[] = []
  let order = givenOrder
  let revealed: DateOrder | undefined
  let ambiguous = -1
  let converted = 0
  let capacity = estimateRows(bytes, layout.start)
  let columns = allocate(capacity)
  let lines = new Int32Array(capacity)
  let row = 0
  let line = layout.line - 1
  let p = layout.start
  while (p < size) {
    line++
    const head = bytes[p]!
    if (head === 10 || head === 13) {
      p++
      if (head === 13 && bytes[p] === 10) p++
      continue
    }
    if (head === 35) {
      while (p < size && bytes[p] !== 10) p++
      p++
      continue
    }
    cells.fill(Number.NaN)
    let filled = 0
    let column = 0
    for (;;) {
      let start = p
      let end: number
      let quoted = false
      while (delimiter !== 32 && p < size && bytes[p] === 32) p++
      if (bytes[p] === 34) {
        quoted = true
        start = ++p
        while (p < size && bytes[p] !== 34 && bytes[p] !== 10) p++
        end = p
        while (p < size && bytes[p] !== delimiter && bytes[p] !== 10 && bytes[p] !== 13) p++
      } else {
        start = p
        let c = 0
        while (p < size) {
          c = bytes[p]!
          if (c === delimiter || c === 10 || c === 13) break
          p++
        }
        end = p
      }
      const role = column < width ? roles[column]! : 0
      column++
      if (role !== 0) {
        while (end > start && bytes[end - 1] === 32) end--
        let value: number
        if (role === 1) {
          value = parseTime(bytes, start, end, order, unit)
          if (value === NEEDS_ORDER) {
            if (ambiguous < 0) ambiguous = line
            value = Number.NaN
          } else if (order === undefined) {
            revealed = revealedOrder(bytes, start, end)
            order = revealed
          }
          if (Number.isNaN(value) && options.date !== undefined) {
            value = parseNumber(bytes, start, end, 46)
          }
        } else if (role === 8) {
          value = end > start ? clock(bytes, start, end) : Number.NaN
        } else {
          value = parseNumber(bytes, start, end, decimal)
          if (Number.isNaN(value) || quoted) {
            const text = !Number.isNaN(value) ? '' : ascii(bytes, start, end)
            const slow = !Number.isNaN(value) ? value : coerceNumber(text, decimal === 44 ? ',' : '.')
            if (slow === undefined) {
              if (unparsable.length < 100) unparsable.push({ row, column: NAMES[role]!, text: describe(text) })
            } else if (!Number.isNaN(slow) && (quoted || !/^[+-]?[\d.]+e[+-]?\d+$/i.test(text))) converted++
            value = slow ?? Number.NaN
          }
        }
        cells[role] = value
        if (end > start) filled++
      }
      if (p >= size || bytes[p] !== delimiter) break
      p++
    }
    if (p < size && bytes[p] === 13) p++
    if (p < size && bytes[p] === 10) p++
    if (filled === 0) continue
    if (row === capacity) {
      capacity *= 2
      columns = columns.map((values) => grow(values, new Float64Array(capacity)))
      lines = grow(lines, new Int32Array(capacity))
    }
    const ofDay = cells[8]!
    columns[0]![row] = !Number.isNaN(ofDay) || roles.includes(8) ? cells[1]! + ofDay : cells[1]!
    for (let k = 1; k < 7; k++) columns[k]![row] = cells[k + 1]!
    lines[row] = line
    row++
  }
  return {
    ...scaled(columns, row, layout, options),
    line: lines.subarray(0, row),
    converted,
    unparsable,
    ambiguous,
    revealed,
  }
}

/** Applies time offsets, Lean's price scale and the adjustment for splits and dividends. */
function scaled(columns: Float64Array[], rows: number, layout: Layout, options: LoadCsvOptions): RawBars {
  const [time, open, high, low, close, volume, adjusted] = columns.map((values) => values.subarray(0, rows))
  const shift = (options.date ?? 0) - (options.utcOffset ?? 0) * 60_000
  if (shift !== 0) for (let i = 0; i < rows; i++) time![i] = time![i]! + shift
  const adjust = options.adjusted === true
  if (adjust && !layout.roles.includes(7)) {
    throw new RegimenError('adjusted was asked for, but there is no column of adjusted closes.', {
      code: 'UNKNOWN_LAYOUT',
      where: WHERE,
      hint: 'Leave out { adjusted: true }.',
    })
  }
  if (adjust || options.layout === 'lean') {
    for (let i = 0; i < rows; i++) {
      const factor = adjust ? adjusted![i]! / close![i]! : 1e-4
      for (const prices of [open!, high!, low!, close!]) {
        // A division by 10,000 rounds once, a product with 1e-4 twice.
        prices[i] = adjust ? prices[i]! * factor : prices[i]! / 10_000
      }
    }
  }
  return {
    time: time!,
    open: open!,
    high: high!,
    low: low!,
    close: close!,
    volume: layout.roles.includes(6) ? volume : undefined,
  }
}

function estimateRows(bytes: Uint8Array, start: number): number {
  let p = start
  let lines = 0
  while (p < bytes.length && lines < 200) {
    const end = bytes.indexOf(10, p)
    if (end < 0) break
    p = end + 1
    lines++
  }
  return lines === 0 ? 16 : Math.ceil(((bytes.length - start) / (p - start)) * lines * 1.05) + 16
}

function allocate(capacity: number): Float64Array[] {
  return Array.from({ length: 7 }, () => new Float64Array(capacity))
}

function grow<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from)
  return to
}
