import { ascii } from './number.ts'

/** Which of two leading numbers of a date is the day. */
export type DateOrder = 'dmy' | 'mdy'

/** Unit of numeric times. */
export type TimeUnit = 's' | 'ms' | 'us' | 'ns'

/** What {@link parseTime} answers for a date such as 03/04/2020 while the order of day and month is unknown. */
export const NEEDS_ORDER: number = Number.NEGATIVE_INFINITY

const DAY = 86_400_000
export const UNIT_MS: { readonly [unit in TimeUnit]: number } = { s: 1000, ms: 1, us: 1e-3, ns: 1e-6 }
const MONTHS = 'janfebmaraprmayjunjulaugsepoctnovdec'
const DAYS_IN_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * Reads one time cell as UTC epoch milliseconds: ISO, `YYYYMMDD`, `YYYYMMDD HH:mm`, epoch in s, ms, µs or ns (told apart
 * by the number of digits), day-first and month-first dates, AM/PM, offsets. NaN for what is no time,
 * {@link NEEDS_ORDER} where day and month cannot be told apart and `order` is not given.
 */
export function parseTime(
  bytes: Uint8Array,
  start: number,
  end: number,
  order: DateOrder | undefined,
  unit: TimeUnit | undefined,
): number {
  let p = start
  const n = run(bytes, p, end)
  if (unit !== undefined || p + n === end || (n > 8 && bytes[p + n] === 46)) return epoch(bytes, start, end, n, unit)
  if (n === 8) {
    const day = date(two(bytes, p) * 100 + two(bytes, p + 2), two(bytes, p + 4), two(bytes, p + 6))
    return day + clock(bytes, p + 8, end)
  }
  if (n === 4) {
    const separator = bytes[p + 4]!
    const monthDigits = run(bytes, p + 5, end)
    const q = p + 5 + monthDigits
    const dayDigits = run(bytes, q + 1, end)
    if (!isSeparator(separator) || bytes[q] !== separator || !oneOrTwo(monthDigits) || !oneOrTwo(dayDigits)) {
      return Number.NaN
    }
    const day = date(int(bytes, p, 4), int(bytes, p + 5, monthDigits), int(bytes, q + 1, dayDigits))
    return day + clock(bytes, q + 1 + dayDigits, end)
  }
  if (!oneOrTwo(n)) return namedMonth(ascii(bytes, start, end))
  const separator = bytes[p + n]!
  const secondDigits = run(bytes, p + n + 1, end)
  if (!isSeparator(separator) || !oneOrTwo(secondDigits)) return namedMonth(ascii(bytes, start, end))
  const a = int(bytes, p, n)
  const b = int(bytes, p + n + 1, secondDigits)
  p += n + 1 + secondDigits
  const yearDigits = run(bytes, p + 1, end)
  if (bytes[p] !== separator || (yearDigits !== 4 && yearDigits !== 2)) return Number.NaN
  const written = int(bytes, p + 1, yearDigits)
  const year = yearDigits === 4 ? written : written < 70 ? 2000 + written : 1900 + written
  const rest = clock(bytes, p + 1 + yearDigits, end)
  const known = order ?? dateOrderOf(a, b)
  if (known === undefined) return a === b ? date(year, a, b) + rest : NEEDS_ORDER
  return (known === 'dmy' ? date(year, b, a) : date(year, a, b)) + rest
}

/** The order of day and month that the cell gives away by itself, if any. */
export function revealedOrder(bytes: Uint8Array, start: number, end: number): DateOrder | undefined {
  const n = run(bytes, start, end)
  const m = run(bytes, start + n + 1, end)
  if (!oneOrTwo(n) || !oneOrTwo(m) || !isSeparator(bytes[start + n]!)) return undefined
  return dateOrderOf(int(bytes, start, n), int(bytes, start + n + 1, m))
}

/** Milliseconds since midnight of `HH:mm[:ss[.fff]]`, `HHmm`, `HHmmss`, with AM/PM and offset; NaN for anything else. */
export function clock(bytes: Uint8Array, start: number, end: number): number {
  let p = start
  while (p < end && (bytes[p] === 32 || bytes[p] === 84 || bytes[p] === 116 || bytes[p] === 44)) p++
  if (p >= end) return 0
  const n = run(bytes, p, end)
  let hour: number
  let minute = 0
  let second = 0
  if (n === 4 || n === 6) {
    hour = two(bytes, p)
    minute = two(bytes, p + 2)
    if (n === 6) second = two(bytes, p + 4)
    p += n
  } else if (oneOrTwo(n)) {
    hour = int(bytes, p, n)
    p += n
    if (bytes[p] === 58 && run(bytes, p + 1, end) === 2) {
      minute = two(bytes, p + 1)
      p += 3
      if (p < end && bytes[p] === 58 && run(bytes, p + 1, end) === 2) {
        second = two(bytes, p + 1)
        p += 3
      }
    } else if (p < end && bytes[p] !== 32 && (bytes[p]! | 32) !== 97 && (bytes[p]! | 32) !== 112) {
      return Number.NaN
    } else if (p >= end) {
      return Number.NaN
    }
  } else {
    return zone(bytes, p, end, 0)
  }
  if (p + 1 < end && bytes[p] === 46) {
    const digits = run(bytes, p + 1, end)
    second += int(bytes, p + 1, Math.min(digits, 9)) / 10 ** Math.min(digits, 9)
    p += 1 + digits
  }
  while (p < end && bytes[p] === 32) p++
  if (p + 1 < end && (bytes[p + 1]! | 32) === 109 && ((bytes[p]! | 32) === 97 || (bytes[p]! | 32) === 112)) {
    if (hour < 1 || hour > 12) return Number.NaN
    hour = (hour % 12) + ((bytes[p]! | 32) === 112 ? 12 : 0)
    p += 2
  }
  if (hour > 23 || minute > 59 || second >= 61) return Number.NaN
  return zone(bytes, p, end, hour * 3_600_000 + minute * 60_000 + Math.round(second * 1000))
}

/** UTC epoch milliseconds of a calendar day's midnight; NaN for a day that does not exist. */
export function date(year: number, month: number, day: number): number {
  if (year < 1600 || year > 2400 || month < 1 || month > 12 || day < 1 || day > DAYS_IN_MONTH[month - 1]!) {
    return Number.NaN
  }
  if (month === 2 && day === 29 && (year % 4 !== 0 || (year % 100 === 0 && year % 400 !== 0))) return Number.NaN
  // Days from civil: years start in March, so that the leap day comes last.
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return (era * 146_097 + dayOfEra - 719_468) * DAY
}

function epoch(bytes: Uint8Array, start: number, end: number, n: number, unit: TimeUnit | undefined): number {
  if (unit === undefined) {
    const year = n >= 4 ? int(bytes, start, 4) : 0
    if (n === 8) return date(year, two(bytes, start + 4), two(bytes, start + 6))
    if (n === 12 || n === 14) {
      const day = date(year, two(bytes, start + 4), two(bytes, start + 6))
      const time = year >= 1900 && year <= 2100 ? day + clock(bytes, start + 8, end) : Number.NaN
      if (!Number.isNaN(time) || n === 14) return time
    }
  }
  const scale =
    unit ?? (n >= 9 && n <= 11 ? 's' : n === 12 || n === 13 ? 'ms' : n === 15 || n === 16 ? 'us' : n >= 18 ? 'ns' : '')
  if (scale === '' || n > 19) return Number.NaN
  const negative = bytes[start] === 45
  const from = negative ? start + 1 : start
  let value = 0
  let decimals = -1
  // Nanoseconds exceed 2^53, so only the digits down to microseconds are read.
  const stop = scale === 'ns' && !negative && n > 16 ? start + n - 3 : end
  for (let p = from; p < stop; p++) {
    const c = bytes[p]!
    if (c === 46 && decimals < 0) {
      decimals = 0
      continue
    }
    if (!isDigit(c)) return Number.NaN
    value = value * 10 + (c - 48)
    if (decimals >= 0) decimals++
  }
  if (from === end) return Number.NaN
  const ms = (value / 10 ** Math.max(decimals, 0)) * (stop === end ? UNIT_MS[scale] : 1e-3)
  return negative ? -ms : ms
}

function zone(bytes: Uint8Array, start: number, end: number, ms: number): number {
  let p = start
  while (p < end && bytes[p] === 32) p++
  if (p >= end) return ms
  const c = bytes[p]!
  if ((c === 90 || c === 122) && p + 1 === end) return ms
  if (c === 43 || c === 45) {
    const n = run(bytes, p + 1, end)
    if (n !== 2 && n !== 4) return Number.NaN
    let minutes = two(bytes, p + 1) * 60
    let q = p + 1 + n
    if (n === 4) minutes += two(bytes, p + 3)
    else if (q < end) {
      if (bytes[q] !== 58 || run(bytes, q + 1, end) !== 2) return Number.NaN
      minutes += two(bytes, q + 1)
      q += 3
    }
    if (q !== end || minutes > 14 * 60) return Number.NaN
    return ms + (c === 43 ? -minutes : minutes) * 60_000
  }
  return /^(utc|gmt)$/i.test(ascii(bytes, p, end)) ? ms : Number.NaN
}

function namedMonth(text: string): number {
  const match =
    /^(\d{1,2})[\s-]([a-z]{3,9})[\s,-]+(\d{4}|\d{2})(.*)$/i.exec(text) ??
    /^([a-z]{3,9})\.?\s+(\d{1,2}),?\s+(\d{4})(.*)$/i.exec(text)
  if (!match) return Number.NaN
  const dayLeads = /^\d/.test(match[1]!)
  const month = MONTHS.indexOf((dayLeads ? match[2]! : match[1]!).slice(0, 3).toLowerCase())
  if (month < 0 || month % 3 !== 0) return Number.NaN
  const written = Number(match[3])
  const year = match[3]!.length === 4 ? written : written < 70 ? 2000 + written : 1900 + written
  const rest = new TextEncoder().encode(match[4]!)
  return date(year, month / 3 + 1, Number(dayLeads ? match[1] : match[2])) + clock(rest, 0, rest.length)
}

function dateOrderOf(a: number, b: number): DateOrder | undefined {
  return a > 12 && b <= 12 ? 'dmy' : b > 12 && a <= 12 ? 'mdy' : undefined
}

function run(bytes: Uint8Array, start: number, end: number): number {
  let p = start
  while (p < end && isDigit(bytes[p]!)) p++
  return p - start
}

function int(bytes: Uint8Array, start: number, digits: number): number {
  let value = 0
  for (let p = start; p < start + digits; p++) value = value * 10 + (bytes[p]! - 48)
  return value
}

function two(bytes: Uint8Array, p: number): number {
  return (bytes[p]! - 48) * 10 + (bytes[p + 1]! - 48)
}

function isDigit(c: number): boolean {
  return c >= 48 && c <= 57
}

function isSeparator(c: number): boolean {
  return c === 45 || c === 47 || c === 46
}

function oneOrTwo(n: number): boolean {
  return n === 1 || n === 2
}
