import { RegimenError } from '@regimen/core'
import { ascii, coerceNumber } from './number.ts'
import { clock, parseTime } from './time.ts'

/** What a column holds: 0 nothing of interest, 1 time (or date), 2 … 5 prices, 6 volume, 7 adjusted close, 8 time of day. */
export type Role = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8

/** How a file is written, as found in its first lines. */
export interface Layout {
  readonly delimiter: number
  /** Byte of the decimal sign, `.` or `,`. */
  readonly decimal: number
  /** Role of each column. */
  readonly roles: Uint8Array
  /** Offset and line number (from 1) of the first row of data. */
  readonly start: number
  readonly line: number
  /** Names of the columns, where there is a header. */
  readonly header: readonly string[] | undefined
}

const WHERE = 'market/load-csv'
const DELIMITERS = [9, 59, 124, 44, 32]
const TIME =
  /^(time|date|datetime|timestamp|opentime|unix|unixtimestamp|t|ts|dt|gmttime|localtime|utc|begins|period|day)$/
const ROLES: readonly (readonly [Role, RegExp])[] = [
  [1, TIME],
  [2, /^(open|o|op|openprice|openbid|bidopen|openingprice)$/],
  [3, /^(high|h|hi|highprice|highbid|bidhigh|max)$/],
  [4, /^(low|l|lo|lowprice|lowbid|bidlow|min)$/],
  [5, /^(close|c|cl|last|price|closelast|closeprice|closebid|bidclose|closingprice)$/],
  [6, /^(volume|v|vol|vol\.|tickvol|tickvolume|basevolume|totalvolume|turnover|volumebtc|volumeeth|qty)$/],
  [7, /^(adjclose|adjustedclose|adjclose\*\*|closeadj)$/],
]

/** The role that a column's name gives it, 0 for a name that is not known. */
export function columnRole(name: string): Role {
  const key = name.toLowerCase().replace(/[\s_<>"'/()$-]/g, '')
  return ROLES.find(([, pattern]) => pattern.test(key))?.[0] ?? 0
}

/** Finds delimiter, header, decimal sign and the role of each column from the first lines of a file. */
export function detectLayout(
  bytes: Uint8Array,
  chosen: { delimiter?: string | undefined; columns?: readonly string[] | undefined },
): Layout {
  const lines = firstLines(bytes, 40)
  if (lines.length === 0) throw problem('the file holds no line.', 'EMPTY_FILE')
  const delimiter = chosen.delimiter?.charCodeAt(0) ?? detectDelimiter(lines.map((line) => line.text))
  const cells = lines.map((line) => splitLine(line.text, String.fromCharCode(delimiter)))
  const at = cells.findIndex((row) => {
    const roles = row.map(columnRole)
    return roles.includes(1) && (roles.includes(5) || roles.includes(7))
  })
  const header = at >= 0 ? cells[at]! : undefined
  const clockColumn = Math.max(0, chosen.columns?.findIndex((name) => columnRole(name) === 1) ?? 0)
  const data = cells.findIndex((row) => row.length >= 5 && isTime(row[clockColumn]!))
  const first = chosen.columns === undefined && at >= 0 ? at + 1 : data
  const sample = cells[first]
  if (first < 0) {
    throw problem(
      `no header and no row of time, open, high, low, close in the first lines: ${JSON.stringify(lines[0]!.text.slice(0, 80))}.`,
      'UNKNOWN_LAYOUT',
      "Pass { columns: ['time', 'open', 'high', 'low', 'close'] } and { delimiter }.",
    )
  }
  const above = cells[first - 1]
  if (!header && !chosen.columns && above?.length === sample!.length) {
    throw problem(
      `the header is not understood: ${above.join(', ')}.`,
      'UNKNOWN_LAYOUT',
      'Pass { columns } with a name for every column.',
    )
  }
  const roles = chosen.columns ? chosen.columns.map(columnRole) : header ? headerRoles(header) : headerless(sample!)
  for (const [role, name] of [
    [1, 'time'],
    [2, 'open'],
    [3, 'high'],
    [4, 'low'],
    [5, 'close'],
  ] as const) {
    if (roles.includes(role)) continue
    throw problem(
      `no column holds ${name}${header ? `: ${header.join(', ')}` : ''}.`,
      'UNKNOWN_LAYOUT',
      'Pass { columns } with a name for every column.',
    )
  }
  const commas = delimiter !== 44 && sample?.some((cell, k) => roles[k]! >= 2 && /^[+-]?[\d.]*,\d+$/.test(cell.trim()))
  const line = lines[first] ?? { offset: bytes.length, number: lines.length + 1 }
  return {
    delimiter,
    decimal: commas ? 44 : 46,
    roles: Uint8Array.from(roles),
    start: line.offset,
    line: line.number,
    header,
  }
}

/** First column of each role wins: `Volume BTC` before `Volume USDT`. A date beside a time is a date and a time of day. */
function headerRoles(header: readonly string[]): Role[] {
  const seen = new Set<Role>()
  const roles = header.map((name): Role => {
    const role = columnRole(name)
    if (role === 1 && seen.has(1)) {
      const key = name.toLowerCase().replace(/[<>"\s]/g, '')
      return !seen.has(8) && (key === 'time' || key === 'timestamp') ? 8 : 0
    }
    if (role === 0 || seen.has(role)) return 0
    seen.add(role)
    return role
  })
  const first = roles.indexOf(1)
  const isDateAndTime = /date|day/i.test(header[first]!) && !/time/i.test(header[first]!)
  return isDateAndTime ? roles : roles.map((role) => (role === 8 ? 0 : role))
}

/** time, open, high, low, close, volume (Binance's klines go on after these), or date and time of day in two columns. */
function headerless(cells: readonly string[]): Role[] {
  const second = cells[1]!.trim()
  const split = cells.length >= 6 && (second.includes(':') || /^\d{6}$/.test(second)) && isClock(second)
  const roles: Role[] = split ? [1, 8, 2, 3, 4, 5, 6] : [1, 2, 3, 4, 5, 6]
  return cells.map((_, k) => roles[k] ?? 0)
}

function detectDelimiter(lines: readonly string[]): number {
  let best = 44
  let bestScore = 0
  for (const code of DELIMITERS) {
    const counts = lines.map((line) => splitLine(line, String.fromCharCode(code)).length).filter((n) => n >= 5)
    const score = counts.length
    if (score > bestScore) {
      best = code
      bestScore = score
    }
  }
  return best
}

function firstLines(bytes: Uint8Array, count: number): { text: string; offset: number; number: number }[] {
  const lines: { text: string; offset: number; number: number }[] = []
  let offset = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  let number = 1
  while (offset < bytes.length && lines.length < count && number < 1000) {
    let end = bytes.indexOf(10, offset)
    if (end < 0) end = bytes.length
    const text = ascii(bytes, offset, Math.min(end, offset + 10_000)).replace(/\r$/, '')
    if (text.trim() !== '' && text[0] !== '#') lines.push({ text, offset, number })
    offset = end + 1
    number++
  }
  return lines
}

/** Splits a line at the delimiter, outside double quotes. Only for the first lines; rows are parsed byte by byte. */
export function splitLine(line: string, delimiter: string): string[] {
  if (!line.includes('"')) return line.split(delimiter)
  const cells: string[] = []
  let cell = ''
  let quoted = false
  for (const c of line) {
    if (c === '"') quoted = !quoted
    else if (c === delimiter && !quoted) {
      cells.push(cell)
      cell = ''
    } else cell += c
  }
  cells.push(cell)
  return cells
}

function isTime(cell: string): boolean {
  const bytes = new TextEncoder().encode(cell.trim())
  return !Number.isNaN(parseTime(bytes, 0, bytes.length, undefined, undefined)) || isSmallCount(cell)
}

/** Lean's minute files count milliseconds from midnight. */
function isSmallCount(cell: string): boolean {
  const value = coerceNumber(cell)
  return value !== undefined && Number.isInteger(value) && value >= 0 && value < 86_400_000
}

function isClock(cell: string): boolean {
  const bytes = new TextEncoder().encode(cell)
  return !Number.isNaN(clock(bytes, 0, bytes.length))
}

function problem(message: string, code: string, hint = 'Pass a file with one bar a line.'): RegimenError {
  return new RegimenError(message, { code, where: WHERE, hint })
}
