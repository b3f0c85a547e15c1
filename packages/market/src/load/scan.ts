import { POWERS } from './number.ts'
import { date, UNIT_MS } from './time.ts'

/** Longest cell that the scanners read: the bytes from a cell's start to this far on must exist. */
export const SCAN_REACH = 32

/** What a scanner found out beside the value. */
export interface Scan {
  /** Position right after the cell; −1 where the cell is not of the plain form that the scanner knows. */
  end: number
  /** Start of the last calendar day that was read, and its midnight: most rows repeat the day of the row before. */
  day: number
  midnight: number
}

/**
 * Reads a number of at most nine digits before and nine after the decimal sign, fifteen in all, up to the delimiter or the line's
 * end. Both parts are 32-bit integers, together they are one below 2^53, and one division by a power of ten rounds once: exactly
 * what `Number` gives. Anything else is left to the caller, with `scan.end` −1.
 */
export function scanNumber(bytes: Uint8Array, start: number, delimiter: number, decimal: number, scan: Scan): number {
  let p = start
  const negative = bytes[p] === 45
  if (negative) p++
  const first = p
  let whole = 0
  let digit = bytes[p]! - 48
  while (digit >= 0 && digit <= 9 && p - first < 10) {
    whole = (whole * 10 + digit) | 0
    digit = bytes[++p]! - 48
  }
  const before = p - first
  let value = whole
  let after = 0
  if (digit === decimal - 48) {
    const point = ++p
    let part = 0
    digit = bytes[p]! - 48
    while (digit >= 0 && digit <= 9 && p - point < 10) {
      part = (part * 10 + digit) | 0
      digit = bytes[++p]! - 48
    }
    after = p - point
    if (after > 9 || before + after > 15) {
      scan.end = -1
      return Number.NaN
    }
    value = (whole * POWERS[after]! + part) / POWERS[after]!
  }
  const plain = before <= 9 && before + after > 0 && isEnd(digit + 48, delimiter)
  scan.end = plain ? p : -1
  return negative ? -value : value
}

/**
 * Reads `YYYY-MM-DD`, alone or with `HH:mm` or `HH:mm:ss` after a blank or a T, and epoch seconds, milliseconds and microseconds
 * (10, 13 and 16 digits), up to the delimiter or the line's end. Anything else is left to the caller, with `scan.end` −1.
 */
export function scanTime(bytes: Uint8Array, start: number, delimiter: number, scan: Scan): number {
  scan.end = -1
  if (bytes[start + 4] !== 45) return scanEpoch(bytes, start, delimiter, scan)
  if (bytes[start + 7] !== 45) return Number.NaN
  if (!sameDay(bytes, start, scan.day)) {
    const day = isoDay(bytes, start)
    if (Number.isNaN(day)) return day
    scan.day = start
    scan.midnight = day
  }
  let p = start + 10
  let c = bytes[p]!
  if (isEnd(c, delimiter)) {
    scan.end = p
    return scan.midnight
  }
  if ((c !== 32 && c !== 84) || bytes[p + 3] !== 58) return Number.NaN
  const hour = pair(bytes, p + 1)
  const minute = pair(bytes, p + 4)
  let second = 0
  p += 6
  c = bytes[p]!
  if (c === 58) {
    second = pair(bytes, p + 1)
    p += 3
    c = bytes[p]!
  }
  if (c === 90) c = bytes[++p]!
  if (hour > 23 || minute > 59 || second > 59 || !isEnd(c, delimiter)) return Number.NaN
  scan.end = p
  return scan.midnight + (hour * 3600 + minute * 60 + second) * 1000
}

function scanEpoch(bytes: Uint8Array, start: number, delimiter: number, scan: Scan): number {
  let p = start
  let value = 0
  let digit = bytes[p]! - 48
  while (digit >= 0 && digit <= 9 && p - start < 16) {
    value = value * 10 + digit
    digit = bytes[++p]! - 48
  }
  const n = p - start
  if ((n !== 10 && n !== 13 && n !== 16) || !isEnd(digit + 48, delimiter)) return Number.NaN
  scan.end = p
  return n === 13 ? value : value * (n === 10 ? UNIT_MS.s : UNIT_MS.us)
}

function sameDay(bytes: Uint8Array, p: number, q: number): boolean {
  if (q < 0) return false
  // From the back, where days differ.
  for (let k = 9; k >= 0; k--) if (bytes[p + k] !== bytes[q + k]) return false
  return true
}

function isoDay(bytes: Uint8Array, p: number): number {
  const day = pair(bytes, p + 8)
  const month = pair(bytes, p + 5)
  const century = pair(bytes, p)
  const year = pair(bytes, p + 2)
  return day > 99 || month > 99 || century > 99 || year > 99 ? Number.NaN : date(century * 100 + year, month, day)
}

/** The number in two bytes; over 99 where one of them is no digit. */
function pair(bytes: Uint8Array, p: number): number {
  const a = bytes[p]! - 48
  const b = bytes[p + 1]! - 48
  return a < 0 || a > 9 || b < 0 || b > 9 ? 100 : a * 10 + b
}

function isEnd(c: number, delimiter: number): boolean {
  return c === delimiter || c === 10 || c === 13
}

export function openScan(): Scan {
  return { end: -1, day: -1, midnight: 0 }
}
