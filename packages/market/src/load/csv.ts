import { check, describe, RegimenError } from '@regimen/core'
import { type CellRules, openRowTable, type RowTable, readRows } from './csv-rows.ts'
import { detectLayout, type Layout } from './layout.ts'
import { finish, type LoadedBars, type LoadOptions, type RawBars } from './raw.ts'

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
/** Bytes of a stream in which its layout is looked for. */
const HEAD = 65_536

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
  const layout = readLayout(bytes, options)
  const table = openRowTable(estimateRows(bytes, layout.start), layout, options.dateOrder)
  readRows(bytes, layout.start, layout, cellRules(options), table)
  return complete(table, layout, options)
}

/**
 * Loads bars from CSV bytes that come in pieces (`createReadStream(path)`, `response.body`), as {@link loadCsv} would from the
 * whole file, without ever holding more of its text than a piece and a line. The layout is found in the first 64 kB. A `.csv.gz`
 * goes through `DecompressionStream('gzip')` first.
 *
 * ```ts
 * import { loadCsvStream } from '@regimen/market'
 *
 * const text = 'time,open,high,low,close\n2024-01-01,10,12,9,11\n2024-01-02,11,13,10,12\n'
 * const bytes = new TextEncoder().encode(text)
 * const { bars } = await loadCsvStream([bytes.subarray(0, 40), bytes.subarray(40)])
 * Array.from(bars.close) // => [11, 12]
 * ```
 */
export async function loadCsvStream(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: LoadCsvOptions = {},
): Promise<LoadedBars> {
  const rules = cellRules(options)
  let held: Uint8Array = new Uint8Array(0)
  let layout: Layout | undefined
  let table: RowTable | undefined
  const read = (bytes: Uint8Array, from: number): void => {
    layout ??= readLayout(bytes, options)
    table ??= openRowTable(HEAD, layout, options.dateOrder)
    readRows(bytes, from, layout, rules, table)
  }
  for await (const piece of pieces) {
    check(
      piece instanceof Uint8Array,
      WHERE,
      () => `a stream must yield Uint8Arrays, got ${describe(piece)}.`,
      'Leave the encoding of the stream unset.',
    )
    held = joined(held, piece)
    const whole = held.lastIndexOf(10) + 1
    if (whole === 0 || (!layout && held.length < HEAD)) continue
    layout ??= readLayout(held, options)
    const first = table === undefined
    read(held.subarray(0, whole), first ? layout.start : 0)
    held = held.slice(whole)
  }
  layout ??= readLayout(held, options)
  read(held, table ? 0 : layout.start)
  return complete(table!, layout, options)
}

function readLayout(bytes: Uint8Array, options: LoadCsvOptions): Layout {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    throw new RegimenError('the input is gzip.', {
      code: 'COMPRESSED',
      where: WHERE,
      hint: "Pass loadCsv(await gunzip(bytes)), or the stream through DecompressionStream('gzip').",
    })
  }
  return detectLayout(bytes, options)
}

function cellRules(options: LoadCsvOptions): CellRules {
  return { unit: options.timeUnit, ofDay: options.date !== undefined }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b
  const out = new Uint8Array(a.length + b.length)
  out.set(a)
  out.set(b, a.length)
  return out
}

/** Settles the dates that could be read in two ways and hands the rows to validation. */
function complete(table: RowTable, layout: Layout, options: LoadCsvOptions): LoadedBars {
  const { columns, lines, rows, converted, unparsable, order, doubtful, monthFirst } = table
  const [, time] = columns
  check(rows > 0, WHERE, () => 'the file holds no row of data.')
  if (order === undefined && doubtful.length > 0) {
    throw new RegimenError(`line ${lines[doubtful[0]!]}: day and month cannot be told apart in any row of the file.`, {
      code: 'AMBIGUOUS_DATE',
      where: WHERE,
      hint: "Pass { dateOrder: 'dmy' } or { dateOrder: 'mdy' }.",
    })
  }
  if (order === 'mdy') for (let k = 0; k < doubtful.length; k++) time![doubtful[k]!]! += monthFirst[k]!
  const raw = scaled(columns.slice(1), rows, layout, options)
  return finish({ ...raw, line: lines.subarray(0, rows), converted, unparsable }, options)
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
