import type { Bars } from './bars.ts'

/**
 * Finds, for every bar of `base`, the last bar of `slower` that had closed by the time the base bar closed; -1 where
 * there is none yet. This is the only join of timeframes without look-ahead: an hourly bar that opens at 10:00 becomes
 * visible to the minute bar that opens at 10:59, not before.
 *
 * ```ts
 * import { alignByClose, createBars, resample } from '@regimen/market'
 *
 * const p = [1, 3, 2, 4]
 * const bars = createBars({ time: [0, 60_000, 120_000, 180_000], open: p, high: p, low: p, close: p })
 * Array.from(alignByClose(bars, resample(bars, '2m'))) // => [-1, 0, 0, 1]
 * ```
 */
export function alignByClose(base: Bars, slower: Bars): Int32Array {
  const out = new Int32Array(base.time.length)
  let next = 0
  for (let i = 0; i < out.length; i++) {
    const known = base.time[i]! + base.interval
    while (next < slower.time.length && slower.time[next]! + slower.interval <= known) next++
    out[i] = next - 1
  }
  return out
}
