import { check } from '@regimen/core'
import type { Bar, Bars } from '@regimen/market'

const COLUMNS = ['time', 'open', 'high', 'low', 'close', 'volume'] as const

/** Bars that grow at the end. */
export interface History {
  readonly length: number
  /** Takes the next closed bar; gives its row. */
  push(bar: Bar): number
  /** Forgets what came after the first `rows`. */
  truncate(rows: number): void
  /** The bars so far, as views that stay as they are while more are pushed. */
  bars(): Bars
}

export function openHistory(from: Bars): History {
  const { interval } = from
  const names = COLUMNS.filter((name) => from[name] !== undefined)
  let length = from.time.length
  let columns = names.map((name) => from[name]!.slice())
  return {
    get length() {
      return length
    },
    push(bar) {
      const last = columns[0]![length - 1]!
      const { open, high, low, close } = bar
      const sound = low > 0 && low <= Math.min(open, close) && high >= Math.max(open, close) && high < Infinity
      check(
        bar.time >= last + interval && sound,
        'pipeline/step',
        () => `the bar at ${bar.time} after ${last} is not clean or not newer: ${open}, ${high}, ${low}, ${close}.`,
        'Pass closed bars in order; repairBars mends a series.',
      )
      check(
        names.length < COLUMNS.length || bar.volume! >= 0,
        'pipeline/step',
        () => `the bar at ${bar.time} has the volume ${bar.volume} where the history has volumes.`,
      )
      if (length === columns[0]!.length) {
        columns = columns.map((old) => {
          const grown = new Float64Array(2 * length)
          grown.set(old)
          return grown
        })
      }
      names.forEach((name, c) => {
        columns[c]![length] = bar[name]!
      })
      return length++
    },
    truncate(rows) {
      length = rows
      // Views that were given out before keep their own memory.
      columns = columns.map((column) => column.slice(0, rows))
    },
    bars() {
      const views = Object.fromEntries(names.map((name, c) => [name, columns[c]!.subarray(0, length)]))
      return { ...(views as Omit<Bars, 'interval'>), interval }
    },
  }
}
