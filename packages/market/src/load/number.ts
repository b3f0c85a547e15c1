export const POWERS: Float64Array = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`))

/**
 * Reads a plain decimal number from bytes without allocating; NaN for anything else. Up to 15 significant digits and 22
 * decimals are exactly what `Number` gives (integer and power of ten are exact, one division rounds once); longer ones
 * are left to `Number`.
 */
export function parseNumber(bytes: Uint8Array, start: number, end: number, decimal: number): number {
  let p = start
  let negative = false
  if (p < end && (bytes[p] === 45 || bytes[p] === 43)) negative = bytes[p++] === 45
  let value = 0
  let digits = 0
  let decimals = -1
  const first = p
  for (; p < end; p++) {
    const c = bytes[p]!
    const digit = c - 48
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit
      if (value !== 0) digits++
      if (decimals >= 0) decimals++
    } else if (c === decimal && decimals < 0) {
      decimals = 0
    } else {
      return Number.NaN
    }
  }
  if (p === first || (decimals >= 0 && p - first === 1)) return Number.NaN
  if (digits > 15 || decimals > 22) value = Number(ascii(bytes, first, end).replace(',', '.'))
  else if (decimals > 0) value /= POWERS[decimals]!
  return negative ? -value : value
}

const MISSING = new Set(['', '-', '--', '.', 'nan', 'null', 'none', 'n/a', 'na', 'nil', 'undefined', '#n/a'])
const SUFFIX: { readonly [unit: string]: number } = { K: 1e3, M: 1e6, B: 1e9, T: 1e12 }

/**
 * Reads a number as people write it: `1,234.50`, `$12.3`, `1.5M`, `1e-3`, `(12)`. NaN for a known word for "missing",
 * undefined for what is no number at all.
 */
export function coerceNumber(text: string, decimal: ',' | '.' = '.'): number | undefined {
  let cell = text.trim()
  if (MISSING.has(cell.toLowerCase())) return Number.NaN
  cell = cell.replace(/^[$€£¥]\s*/, '')
  const grouped = decimal === '.' ? /^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$/ : /^[+-]?\d{1,3}([. ]\d{3})+(,\d*)?$/
  if (grouped.test(cell)) cell = cell.replace(decimal === '.' ? /,/g : /[. ]/g, '')
  if (decimal === ',') cell = cell.replace(',', '.')
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([KMBT]?)$/i.exec(cell)
  if (!match) return undefined
  const value = Number(match[1]) * (match[2] ? SUFFIX[match[2].toUpperCase()]! : 1)
  return Number.isFinite(value) ? value : undefined
}

/** The bytes [start, end) as text. */
export function ascii(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder().decode(bytes.subarray(start, end))
}
