import type { RawBars } from '../load/raw.ts'
import type { IssueKind, ValidationReport } from './report.ts'

/** Kinds that a single row can have, by code; 0 is a good row. A row is counted under its first problem. */
export const ROW_KINDS: readonly (IssueKind | undefined)[] = [
  undefined,
  'badTime',
  'missing',
  'nonPositive',
  'highBelowLow',
  'outside',
  'badVolume',
]

/** The order of the rows and what is wrong with single rows. */
export interface RowScan {
  readonly order: ValidationReport['order']
  /** Rows that come before an earlier one. */
  readonly unsorted: readonly number[]
  readonly unsortedCount: number
  /** By code of {@link ROW_KINDS}. */
  readonly counts: readonly number[]
  readonly rows: readonly (readonly number[])[]
}

export const MAX_ROWS = 20

/** Code of the first problem of one row, 0 for none. */
export function rowProblem(raw: RawBars, i: number): number {
  const { open, high, low, close, volume } = raw
  const o = open[i]!
  const h = high[i]!
  const l = low[i]!
  const c = close[i]!
  // One comparison chain for the common case; NaN and infinities fail it.
  if (l > 0 && o >= l && c >= l && o <= h && c <= h && h < Number.POSITIVE_INFINITY) {
    if (!Number.isFinite(raw.time[i]!)) return 1
    if (volume === undefined) return 0
    const v = volume[i]!
    return v >= 0 && v < Number.POSITIVE_INFINITY ? 0 : 6
  }
  if (!Number.isFinite(raw.time[i]!)) return 1
  if (!Number.isFinite(o + h + l + c)) return 2
  if (o <= 0 || h <= 0 || l <= 0 || c <= 0) return 3
  return h < l ? 4 : 5
}

/** Looks at every row once. */
export function scanRows(raw: RawBars): RowScan {
  const counts = new Array<number>(ROW_KINDS.length).fill(0)
  const rows: number[][] = ROW_KINDS.map(() => [])
  const unsorted: number[] = []
  let up = 0
  let down = 0
  let previous = Number.NaN
  for (let i = 0; i < raw.time.length; i++) {
    const code = rowProblem(raw, i)
    if (code !== 0) {
      counts[code]!++
      if (rows[code]!.length < MAX_ROWS) rows[code]!.push(i)
    }
    const t = raw.time[i]!
    if (t > previous) up++
    else if (t < previous) {
      down++
      if (unsorted.length < MAX_ROWS) unsorted.push(i)
    }
    if (!Number.isNaN(t)) previous = t
  }
  const order = down === 0 ? 'ascending' : up === 0 ? 'descending' : 'mixed'
  return {
    order,
    unsorted: order === 'mixed' ? unsorted : [],
    unsortedCount: order === 'mixed' ? down : 0,
    counts,
    rows,
  }
}

/** Positions of the rows by time, equal times in input order; undefined where they are already in order. */
export function timeOrder(raw: RawBars, order: ValidationReport['order']): Int32Array | undefined {
  if (order === 'ascending') return undefined
  const { time } = raw
  const index = new Int32Array(time.length)
  let size = 0
  for (let i = 0; i < time.length; i++) if (!Number.isNaN(time[i]!)) index[size++] = i
  const known = index.subarray(0, size)
  if (order === 'descending') known.reverse()
  // Sorting the reversed rows as well puts equal times back into input order.
  return known.sort((a, b) => time[a]! - time[b]! || a - b)
}

/** The columns at the given rows. */
export function takeRows(raw: RawBars, index: Int32Array): RawBars {
  const take = (values: Float64Array): Float64Array => {
    const out = new Float64Array(index.length)
    for (let k = 0; k < out.length; k++) out[k] = values[index[k]!]!
    return out
  }
  return {
    time: take(raw.time),
    open: take(raw.open),
    high: take(raw.high),
    low: take(raw.low),
    close: take(raw.close),
    volume: raw.volume && take(raw.volume),
    interval: raw.interval,
  }
}
