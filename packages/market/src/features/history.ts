import { type ArrayLeaf, arrayLeaf } from '@regimen/core'
import type { Bar } from '../bars.ts'
import type { Catalog } from './families.ts'
import { logRatioOf } from './kernel/expression.ts'
import type { Recent } from './types.ts'

const SHARED = 11

/** The last bars of one timeframe and the current value of its features; one push costs the windows, whatever the history. */
export interface Timeframe {
  /** Features after the last bar, NaN before each one's warm-up. */
  readonly values: Float64Array
  /** Bars so far. */
  readonly count: number
  readonly logClose: number
  push(bar: Bar): void
  save(): { count: number; at: number; columns: ArrayLeaf<'float64'>; values: ArrayLeaf<'float64'> }
}

/** What {@link Timeframe.save} returns, as it comes back. */
export interface SavedTimeframe {
  readonly count: number
  readonly at: number
  readonly columns: { readonly data: Float64Array }
  readonly values: { readonly data: Float64Array }
}

/** Number of doubles in a saved timeframe's columns. */
export function savedSize(catalog: Catalog): readonly [number, number] {
  return [SHARED + ownSeries(catalog), 2 * depth(catalog)]
}

export function openTimeframe(catalog: Catalog, saved: SavedTimeframe | undefined): Timeframe {
  const keep = depth(catalog)
  const [width, length] = savedSize(catalog)
  const data = saved ? Float64Array.from(saved.columns.data) : new Float64Array(width * length)
  const columns = Array.from({ length: width }, (_, k) => data.subarray(k * length, (k + 1) * length))
  const [open, high, low, close, volume, logOpen, logHigh, logLow, logClose, ret, trueRange] = columns
  const values = saved
    ? Float64Array.from(saved.values.data)
    : new Float64Array(catalog.features.length).fill(Number.NaN)
  let next = SHARED
  const recents = catalog.families.map((family) => {
    const own = columns.slice(next, next + (family.own ?? 0))
    next += own.length
    return {
      open: open!,
      high: high!,
      low: low!,
      close: close!,
      volume: volume!,
      logOpen: logOpen!,
      logHigh: logHigh!,
      logLow: logLow!,
      logClose: logClose!,
      ret: ret!,
      trueRange: trueRange!,
      own,
      at: 0,
      time: 0,
    }
  }) satisfies Recent[]
  let count = saved?.count ?? 0
  // The first half of the buffer is room to look back: zeros at first, then the last bars of the half before.
  let at = saved?.at ?? keep - 1
  return {
    values,
    get count() {
      return count
    },
    get logClose() {
      return logClose![at]!
    },
    push(bar) {
      if (++at === length) {
        for (let k = 0; k < width; k++) columns[k]!.copyWithin(0, keep)
        at = keep
      }
      count++
      open![at] = bar.open
      high![at] = bar.high
      low![at] = bar.low
      close![at] = bar.close
      volume![at] = bar.volume ?? 0
      logOpen![at] = Math.log(bar.open)
      logHigh![at] = Math.log(bar.high)
      logLow![at] = Math.log(bar.low)
      logClose![at] = Math.log(bar.close)
      const first = count === 1
      // To the last bit what the batch computes: where returns hardly vary, their shape is that of rounding errors.
      ret![at] = first ? 0 : logRatioOf(bar.close, close![at - 1]!)
      trueRange![at] = first
        ? bar.high - bar.low
        : Math.max(bar.high, close![at - 1]!) - Math.min(bar.low, close![at - 1]!)
      let k = 0
      for (let f = 0; f < recents.length; f++) {
        const family = catalog.families[f]!
        const recent = recents[f]!
        recent.at = at
        recent.time = bar.time
        family.push(recent, values, k)
        k += family.features.length
      }
      if (count >= catalog.warmup) return
      for (let f = 0; f < k; f++) if (count < catalog.features[f]!.warmup) values[f] = Number.NaN
    },
    save: () => ({
      count,
      at,
      columns: arrayLeaf('float64', [width, length], data.slice()),
      values: arrayLeaf('float64', [values.length], values.slice()),
    }),
  }
}

/** Bars that are kept: the longest window and one before it. */
function depth(catalog: Catalog): number {
  return catalog.warmup + 2
}

function ownSeries(catalog: Catalog): number {
  return catalog.families.reduce((sum, family) => sum + (family.own ?? 0), 0)
}
