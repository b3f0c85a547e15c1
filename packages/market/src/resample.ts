import { check } from '@regimen/core'
import type { Bars } from './bars.ts'
import { bucketOrigin, type Interval, parseInterval } from './interval.ts'

/** Options of {@link resample}. */
export interface ResampleOptions {
  /**
   * UTC epoch milliseconds at which some bucket starts.
   * @default midnight UTC; Monday for whole weeks
   */
  origin?: number
  /**
   * Keep a first bucket whose beginning is absent and a last one that has not closed. They depend on the requested
   * range, so they are dropped unless asked for.
   * @default false
   */
  keepPartial?: boolean
}

/**
 * Builds longer bars out of shorter ones: first open, highest high, lowest low, last close, summed volume. A bar belongs
 * to the bucket in which it *closes*, so a bucket never holds anything that was not known at its own close, even when
 * bars straddle the edge. Buckets without bars are absent. A first bucket whose beginning is absent and a last bucket
 * that has not closed yet are dropped, so that a longer history never changes an earlier result.
 *
 * ```ts
 * import { createBars, resample } from '@regimen/market'
 *
 * const p = [1, 3, 2, 4]
 * const bars = createBars({ time: [0, 60_000, 120_000, 180_000], open: p, high: p, low: p, close: p })
 * const two = resample(bars, '2m')
 * Array.from(two.high) // => [3, 4]
 * ```
 */
export function resample(bars: Bars, interval: Interval, options: ResampleOptions = {}): Bars {
  const ms = parseInterval(interval)
  check(
    ms >= bars.interval && ms % bars.interval === 0,
    'market/resample',
    () => `interval must be a multiple of the bars' own ${bars.interval} ms, got ${ms} ms.`,
  )
  const origin = options.origin ?? bucketOrigin(ms)
  check(Number.isFinite(origin), 'market/resample', () => `origin must be a finite time, got ${origin}.`)
  const n = bars.time.length
  const step = bars.interval
  const column = (): Float64Array => new Float64Array(n)
  const time = column()
  const open = column()
  const high = column()
  const low = column()
  const close = column()
  const volume = bars.volume ? column() : undefined
  let size = 0
  let current = Number.NaN
  for (let i = 0; i < n; i++) {
    const start = bucketStart(bars.time[i]! + step, ms, origin)
    if (start !== current) {
      current = start
      time[size] = start
      open[size] = bars.open[i]!
      high[size] = bars.high[i]!
      low[size] = bars.low[i]!
      size++
    }
    const k = size - 1
    if (bars.high[i]! > high[k]!) high[k] = bars.high[i]!
    if (bars.low[i]! < low[k]!) low[k] = bars.low[i]!
    close[k] = bars.close[i]!
    if (volume) volume[k] = volume[k]! + bars.volume![i]!
  }
  const partial = options.keepPartial === true
  const from = !partial && size > 0 && bars.time[0]! > time[0]! ? 1 : 0
  const to = !partial && size > 0 && bars.time[n - 1]! + step < time[size - 1]! + ms ? size - 1 : size
  const cut = (values: Float64Array): Float64Array => values.slice(from, Math.max(from, to))
  return {
    time: cut(time),
    open: cut(open),
    high: cut(high),
    low: cut(low),
    close: cut(close),
    ...(volume ? { volume: cut(volume) } : {}),
    interval: ms,
  }
}

/** Start of the bucket (start, start + interval] that holds a close time. */
export function bucketStart(closeTime: number, interval: number, origin: number): number {
  return origin + (Math.ceil((closeTime - origin) / interval) - 1) * interval
}
