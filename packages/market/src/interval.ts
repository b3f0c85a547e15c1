import { check, describe } from '@regimen/core'

/** A bar's length: milliseconds, or a count with a unit: `'30s'`, `'1m'`, `'4h'`, `'1d'`, `'1w'`. */
export type Interval = number | string

const UNITS: { readonly [unit: string]: number } = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/**
 * Reads an interval such as `'15m'` as milliseconds. Months are left out on purpose: they have no fixed length.
 *
 * ```ts
 * import { parseInterval } from '@regimen/market'
 *
 * parseInterval('4h') // => 14400000
 * ```
 */
export function parseInterval(interval: Interval): number {
  const match = typeof interval === 'string' ? /^(\d+)\s*([smhdw])$/i.exec(interval.trim()) : null
  const ms =
    typeof interval === 'number' ? interval : match ? Number(match[1]) * UNITS[match[2]!.toLowerCase()]! : Number.NaN
  check(
    Number.isSafeInteger(ms) && ms > 0,
    'market/interval',
    () => `interval must be a positive whole number of milliseconds or a name like '15m', got ${describe(interval)}.`,
  )
  return ms
}

/** Start of the first bucket: midnight 1970-01-01 UTC, or for whole weeks Monday 1970-01-05. */
export function bucketOrigin(interval: number): number {
  return interval % UNITS.w! === 0 ? 4 * UNITS.d! : 0
}
