import { check, describe, RegimenError } from '@regimen/core'
import type { Bar, Bars } from './bars.ts'
import { type Interval, parseInterval } from './interval.ts'
import { coerceNumber } from './load/number.ts'

/** Options of {@link openBarStream}. */
export interface BarStreamOptions {
  /** Length of a bar: milliseconds or a name such as `'1m'`. */
  interval: Interval
  /**
   * Bars to continue from.
   * @default none
   */
  history?: Bars | undefined
  /**
   * Bars that are kept; older ones are let go.
   * @default 100000
   */
  capacity?: number | undefined
  /**
   * Whether bars carry volume.
   * @default as the history; true without history
   */
  volume?: boolean | undefined
}

/** A growing series of closed bars. */
export interface BarStream {
  /**
   * Takes candles as an exchange delivers them, oldest first (objects, or ccxt's arrays): those that have closed by
   * `now` and are newer than the last bar are appended and returned; the one still being built, and repetitions of
   * older ones, are not used. Prices that arrive as text are converted and counted.
   */
  append(candles: readonly (Bar | readonly unknown[])[], now: number): Bar[]
  /** The bars so far, as views that the next append may overwrite; copy what you keep. */
  readonly bars: Bars
  /** The candle still being built at the last append, if any. */
  readonly unclosed: Bar | undefined
  /** Prices that arrived as text. */
  readonly converted: number
}

const WHERE = 'market/bar-stream'
const NAMES = ['time', 'open', 'high', 'low', 'close', 'volume'] as const

/**
 * Appends live candles to a series. Exchanges send the candle that is still being built again and again: it is shown as
 * `unclosed` and becomes a bar only once it has closed, so nothing downstream sees a price that can still change.
 * Appending costs O(1) a bar, and memory stays at twice the capacity.
 *
 * ```ts
 * import { openBarStream } from '@regimen/market'
 *
 * const stream = openBarStream({ interval: '1m' })
 * stream.append([[0, '10', 12, 9, 11, 5], [60_000, 11, 13, 10, 12, 3]], 90_000).length // => 1
 * stream.unclosed?.time // => 60000
 * ```
 */
export function openBarStream(options: BarStreamOptions): BarStream {
  const interval = parseInterval(options.interval)
  const { history, capacity = 100_000 } = options
  check(
    Number.isInteger(capacity) && capacity > 0,
    WHERE,
    () => `capacity must be a positive integer, got ${describe(capacity)}.`,
  )
  check(
    history === undefined || history.interval === interval,
    WHERE,
    () => `the history has bars of ${history?.interval} ms where interval is ${interval} ms.`,
  )
  const withVolume = options.volume ?? (history ? history.volume !== undefined : true)
  const width = withVolume ? 6 : 5
  const columns = Array.from({ length: width }, () => new Float64Array(2 * capacity))
  let start = 0
  let size = 0
  let converted = 0
  let unclosed: Bar | undefined
  const row = new Float64Array(width)

  const put = (): void => {
    if (start + size === 2 * capacity) {
      // Half the buffer is free again each time this happens, so a bar costs O(1) on average.
      for (const values of columns) values.copyWithin(0, start + 1, start + size)
      size -= 1
      start = 0
    } else if (size === capacity) {
      start++
      size--
    }
    for (let k = 0; k < width; k++) columns[k]![start + size] = row[k]!
    size++
  }
  const read = (candle: Bar | readonly unknown[]): void => {
    for (let k = 0; k < width; k++) {
      const value: unknown = Array.isArray(candle) ? candle[k] : (candle as Bar)[NAMES[k]!]
      let number = value
      if (typeof value === 'string') {
        number = coerceNumber(value)
        converted++
      }
      if (typeof number !== 'number' || !Number.isFinite(number)) {
        throw refusal(`${NAMES[k]} of the candle must be a finite number, got ${describe(value)}`)
      }
      row[k] = number
    }
    const [time, o, h, l, c, v] = row
    if (!(l! > 0 && o! >= l! && c! >= l! && o! <= h! && c! <= h! && (v === undefined || v >= 0))) {
      throw refusal(`the candle at ${time} is impossible: open ${o}, high ${h}, low ${l}, close ${c}, volume ${v}`)
    }
  }
  const current = (): Bar => ({
    time: row[0]!,
    open: row[1]!,
    high: row[2]!,
    low: row[3]!,
    close: row[4]!,
    ...(withVolume ? { volume: row[5]! } : {}),
  })

  if (history) {
    check(
      !withVolume || history.volume !== undefined,
      WHERE,
      () => 'the history has no volume.',
      'Pass { volume: false }.',
    )
    const sources = NAMES.slice(0, width).map((name) => history[name]!)
    for (let i = Math.max(0, history.time.length - capacity); i < history.time.length; i++) {
      for (let k = 0; k < width; k++) row[k] = sources[k]![i]!
      put()
    }
  }
  return {
    append(candles, now) {
      check(Number.isFinite(now), WHERE, () => `now must be UTC epoch milliseconds, got ${describe(now)}.`)
      const added: Bar[] = []
      unclosed = undefined
      for (const candle of candles) {
        read(candle)
        const last = size > 0 ? columns[0]![start + size - 1]! : Number.NEGATIVE_INFINITY
        if (row[0]! <= last) continue
        if (row[0]! + interval > now) {
          unclosed = current()
          continue
        }
        put()
        added.push(current())
      }
      return added
    },
    get bars() {
      const view = (k: number): Float64Array => columns[k]!.subarray(start, start + size)
      return {
        time: view(0),
        open: view(1),
        high: view(2),
        low: view(3),
        close: view(4),
        ...(withVolume ? { volume: view(5) } : {}),
        interval,
      }
    },
    get unclosed() {
      return unclosed
    },
    get converted() {
      return converted
    },
  }
}

function refusal(problem: string): RegimenError {
  return new RegimenError(`${problem}.`, {
    code: 'INVALID_BARS',
    where: WHERE,
    hint: 'Leave this candle out and fetch it again.',
  })
}
