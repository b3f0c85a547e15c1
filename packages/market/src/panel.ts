import { check, describe } from '@regimen/core'
import type { Bars } from './bars.ts'

/** Bars of several assets on one time axis. A bar that an asset does not have is NaN in every field. */
export interface Panel {
  /** UTC epoch milliseconds of each row's open; strictly increasing. */
  readonly time: Float64Array
  /** Column order of every field. */
  readonly symbols: readonly string[]
  /** Row-major matrices, `time.length` × `symbols.length`. `volume` is there when every asset has it. */
  readonly fields: {
    readonly open: Float64Array
    readonly high: Float64Array
    readonly low: Float64Array
    readonly close: Float64Array
    readonly volume?: Float64Array
  }
  /** Milliseconds from a bar's open to its close. */
  readonly interval: number
}

/** Options of {@link createPanel}. */
export interface PanelOptions {
  /**
   * Which times become rows: those of any asset (`outer`, absent bars are NaN) or those that all have (`inner`).
   * @default 'outer'
   */
  join?: 'outer' | 'inner'
}

const WHERE = 'market/panel'

/**
 * Aligns the bars of several assets by time. Nothing is filled forward: an absent bar is NaN in all its fields, so a
 * holiday of one exchange is never mistaken for a quote; {@link panelBars} takes one asset back out without them.
 *
 * ```ts
 * import { createBars, createPanel } from '@regimen/market'
 *
 * const at = (time: number[], p: number[]) => createBars({ time, open: p, high: p, low: p, close: p, interval: 1000 })
 * const panel = createPanel({ A: at([0, 1000], [1, 2]), B: at([1000], [5]) })
 * Array.from(panel.fields.close) // => [1, NaN, 2, 5]
 * ```
 */
export function createPanel(assets: { readonly [symbol: string]: Bars }, options: PanelOptions = {}): Panel {
  const join = options.join ?? 'outer'
  check(join === 'outer' || join === 'inner', WHERE, () => `join must be 'outer' or 'inner', got ${describe(join)}.`)
  const symbols = Object.keys(assets)
  check(symbols.length > 0, WHERE, () => 'createPanel needs at least one asset, got none.')
  const series = symbols.map((symbol) => assets[symbol]!)
  const interval = series[0]!.interval
  series.forEach((bars, k) => {
    check(
      bars.interval === interval,
      WHERE,
      () => `${symbols[k]} has bars of ${bars.interval} ms where ${symbols[0]} has ${interval} ms.`,
      'Resample them to the same interval first.',
    )
  })
  const time = mergeTimes(series, join === 'inner')
  const spread = (pick: (bars: Bars) => Float64Array): Float64Array => {
    const width = series.length
    const out = new Float64Array(time.length * width).fill(Number.NaN)
    series.forEach((bars, k) => {
      const values = pick(bars)
      for (let row = 0, i = 0; row < time.length && i < values.length; row++) {
        while (bars.time[i]! < time[row]!) i++
        if (bars.time[i] === time[row]) out[row * width + k] = values[i]!
      }
    })
    return out
  }
  return {
    time,
    symbols,
    fields: {
      open: spread((bars) => bars.open),
      high: spread((bars) => bars.high),
      low: spread((bars) => bars.low),
      close: spread((bars) => bars.close),
      ...(series.every((bars) => bars.volume) ? { volume: spread((bars) => bars.volume!) } : {}),
    },
    interval,
  }
}

/**
 * Takes one asset out of a panel as bars, leaving out the rows that it does not have.
 *
 * ```ts
 * import { createBars, createPanel, panelBars } from '@regimen/market'
 *
 * const at = (time: number[], p: number[]) => createBars({ time, open: p, high: p, low: p, close: p, interval: 1000 })
 * const panel = createPanel({ A: at([0, 1000], [1, 2]), B: at([1000], [5]) })
 * Array.from(panelBars(panel, 'B').time) // => [1000]
 * ```
 */
export function panelBars(panel: Panel, symbol: string): Bars {
  const k = panel.symbols.indexOf(symbol)
  check(k >= 0, WHERE, () => `symbol must be one of ${panel.symbols.join(', ')}, got ${describe(symbol)}.`)
  const width = panel.symbols.length
  const { close, volume } = panel.fields
  const rows: number[] = []
  for (let row = 0; row < panel.time.length; row++) if (!Number.isNaN(close[row * width + k]!)) rows.push(row)
  const take = (field: Float64Array): Float64Array => Float64Array.from(rows, (row) => field[row * width + k]!)
  return {
    time: Float64Array.from(rows, (row) => panel.time[row]!),
    open: take(panel.fields.open),
    high: take(panel.fields.high),
    low: take(panel.fields.low),
    close: take(close),
    ...(volume ? { volume: take(volume) } : {}),
    interval: panel.interval,
  }
}

function mergeTimes(series: readonly Bars[], inner: boolean): Float64Array {
  const total = series.reduce((sum, bars) => sum + bars.time.length, 0)
  const all = new Float64Array(total)
  let at = 0
  for (const bars of series) {
    all.set(bars.time, at)
    at += bars.time.length
  }
  all.sort()
  const out = new Float64Array(total)
  let size = 0
  for (let i = 0; i < total; ) {
    let run = i
    while (run < total && all[run] === all[i]) run++
    if (!inner || run - i === series.length) out[size++] = all[i]!
    i = run
  }
  return out.slice(0, size)
}
