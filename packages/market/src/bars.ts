import { check, describe, RegimenError } from '@regimen/core'
import { type Interval, parseInterval } from './interval.ts'

/** Columns of price bars, oldest first, all of the same length. */
export interface Bars {
  /** UTC epoch milliseconds at which each bar opens; strictly increasing. A bar is known only at its close. */
  readonly time: Float64Array
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
  readonly volume?: Float64Array
  /** Milliseconds from a bar's open to its close. */
  readonly interval: number
}

/** One price bar, as streams deliver it. */
export interface Bar {
  /** UTC epoch milliseconds at which the bar opens. */
  readonly time: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume?: number
}

/** What {@link createBars} accepts: columns as typed or plain arrays. */
export interface BarColumns {
  /** UTC epoch milliseconds of each bar's open. */
  time: ArrayLike<number>
  open: ArrayLike<number>
  high: ArrayLike<number>
  low: ArrayLike<number>
  close: ArrayLike<number>
  volume?: ArrayLike<number> | undefined
  /**
   * Length of a bar: milliseconds or a name such as `'1h'`.
   * @default the most frequent step between bars
   */
  interval?: Interval | undefined
}

const WHERE = 'market/bars'

/**
 * Creates bars from columns that are already clean, checking every invariant: equal lengths, times strictly increasing,
 * finite positive prices, high and low around open and close, volume finite and not negative. Data from outside goes
 * through a loader ({@link loadCsv}, {@link loadRows}, …), which reports and repairs; this one only refuses. Float64
 * columns are used as they are, without a copy.
 *
 * ```ts
 * import { createBars } from '@regimen/market'
 *
 * const bars = createBars({
 *   time: [0, 60_000],
 *   open: [100, 101],
 *   high: [102, 103],
 *   low: [99, 100],
 *   close: [101, 102],
 * })
 * bars.interval // => 60000
 * ```
 */
export function createBars(columns: BarColumns): Bars {
  const time = column('time', columns.time)
  const n = time.length
  const bars = {
    time,
    open: column('open', columns.open, n),
    high: column('high', columns.high, n),
    low: column('low', columns.low, n),
    close: column('close', columns.close, n),
    ...(columns.volume === undefined ? {} : { volume: column('volume', columns.volume, n) }),
    interval: columns.interval === undefined ? inferInterval(time) : parseInterval(columns.interval),
  }
  checkRows(bars)
  return bars
}

/**
 * Says when a bar becomes known: the UTC epoch milliseconds of its close.
 *
 * ```ts
 * import { closeTime, createBars } from '@regimen/market'
 *
 * const bars = createBars({ time: [0], open: [1], high: [1], low: [1], close: [1], interval: '1h' })
 * closeTime(bars, 0) // => 3600000
 * ```
 */
export function closeTime(bars: Bars, index: number): number {
  const open = bars.time[index]
  check(open !== undefined, WHERE, () => `index must be from 0 to ${bars.time.length - 1}, got ${describe(index)}.`)
  return open + bars.interval
}

/**
 * Cuts out the bars [start, end) as views of the same memory; negative positions count from the end.
 *
 * ```ts
 * import { createBars, sliceBars } from '@regimen/market'
 *
 * const one = [1, 2, 3]
 * const bars = createBars({ time: one, open: one, high: one, low: one, close: one })
 * Array.from(sliceBars(bars, 1).close) // => [2, 3]
 * ```
 */
export function sliceBars(bars: Bars, start: number, end: number = bars.time.length): Bars {
  return {
    time: bars.time.subarray(start, end),
    open: bars.open.subarray(start, end),
    high: bars.high.subarray(start, end),
    low: bars.low.subarray(start, end),
    close: bars.close.subarray(start, end),
    ...(bars.volume ? { volume: bars.volume.subarray(start, end) } : {}),
    interval: bars.interval,
  }
}

/**
 * Joins stretches of the same series, oldest first, into one. Intervals must agree, times must keep increasing from one
 * part to the next, and either all parts have volume or none.
 *
 * ```ts
 * import { concatBars, createBars } from '@regimen/market'
 *
 * const at = (time: number) =>
 *   createBars({ time: [time], open: [1], high: [1], low: [1], close: [1], interval: 1000 })
 * concatBars([at(0), at(1000)]).time.length // => 2
 * ```
 */
export function concatBars(parts: readonly Bars[]): Bars {
  const first = parts[0]
  check(first !== undefined, WHERE, () => 'concatBars needs at least one part, got none.')
  const withVolume = first.volume !== undefined
  for (const part of parts) {
    check(part.interval === first.interval, WHERE, () => `intervals differ: ${first.interval} and ${part.interval} ms.`)
    check(
      (part.volume !== undefined) === withVolume,
      WHERE,
      () => 'some parts have volume and others have none.',
      'Drop the volume or load it for all parts.',
    )
  }
  const join = (pick: (part: Bars) => Float64Array): Float64Array => {
    const out = new Float64Array(parts.reduce((sum, part) => sum + part.time.length, 0))
    let at = 0
    for (const part of parts) {
      out.set(pick(part), at)
      at += part.time.length
    }
    return out
  }
  return createBars({
    time: join((part) => part.time),
    open: join((part) => part.open),
    high: join((part) => part.high),
    low: join((part) => part.low),
    close: join((part) => part.close),
    volume: withVolume ? join((part) => part.volume!) : undefined,
    interval: first.interval,
  })
}

/** Finds the most frequent positive step between times; the smaller of two equally frequent ones. */
export function inferInterval(time: ArrayLike<number>): number {
  const counts = new Map<number, number>()
  const n = Math.min(time.length, 20_000)
  let best = 0
  let bestCount = 0
  for (let i = 1; i < n; i++) {
    const step = Math.abs(time[i]! - time[i - 1]!)
    if (!(step > 0) || step === Number.POSITIVE_INFINITY) continue
    const count = (counts.get(step) ?? 0) + 1
    counts.set(step, count)
    if (count > bestCount || (count === bestCount && step < best)) {
      best = step
      bestCount = count
    }
  }
  if (best === 0) {
    throw new RegimenError(`the interval cannot be seen in ${time.length} row(s).`, {
      code: 'UNKNOWN_INTERVAL',
      where: WHERE,
      hint: "Pass { interval: '1d' }.",
    })
  }
  return best
}

function column(name: string, values: ArrayLike<number>, length: number = values?.length): Float64Array {
  check(
    values !== null && typeof values === 'object' && typeof values.length === 'number',
    WHERE,
    () => `${name} must be an array of numbers, got ${describe(values)}.`,
  )
  check(values.length === length, WHERE, () => `${name} has ${values.length} values where time has ${length}.`)
  if (values instanceof Float64Array) return values
  for (let i = 0; i < length; i++) {
    const value: unknown = values[i]
    if (typeof value !== 'number') {
      throw new RegimenError(`${name}[${i}] must be a number, got ${describe(value)}.`, {
        code: 'INVALID_ARGUMENT',
        where: WHERE,
        hint: 'Load foreign data with loadRows or loadCsv, which convert and report.',
      })
    }
  }
  return Float64Array.from(values)
}

function checkRows(bars: Bars): void {
  const { time, open, high, low, close, volume } = bars
  for (let i = 0; i < time.length; i++) {
    const o = open[i]!
    const h = high[i]!
    const l = low[i]!
    const c = close[i]!
    const inOrder = i === 0 ? Number.isFinite(time[0]) : time[i]! > time[i - 1]! && time[i]! < Number.POSITIVE_INFINITY
    const inside = l > 0 && h < Number.POSITIVE_INFINITY && o <= h && c <= h && o >= l && c >= l
    const traded = volume === undefined || (volume[i]! >= 0 && volume[i]! < Number.POSITIVE_INFINITY)
    if (inOrder && inside && traded) continue
    const row = `time ${time[i]}, open ${o}, high ${h}, low ${l}, close ${c}${volume ? `, volume ${volume[i]}` : ''}`
    const problem = !inOrder
      ? 'times must be finite and strictly increasing'
      : !inside
        ? 'prices must be finite and positive with low <= open, close <= high'
        : 'volume must be finite and not negative'
    throw new RegimenError(`row ${i}: ${problem}, got ${row}.`, {
      code: 'INVALID_BARS',
      where: WHERE,
      hint: 'Pass the columns through repairBars, which reports and repairs.',
    })
  }
}
