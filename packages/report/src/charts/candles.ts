import { checkAxis, checkLength, checkNumbers } from '../doors.ts'
import { formatNumber, valueAt } from '../format.ts'
import type { Fallback } from '../render/fallback.ts'
import { type AxisValues, axisValues, cell, type Json, type Panel, writeX } from '../render/figure.ts'
import { drawDecorations } from '../render/marks.ts'
import type { AxisOptions, Numbers } from '../types.ts'
import { drawLine, type LineSeries } from './lines.ts'

/** Options of {@link candleChart}. */
export interface CandleChartOptions extends AxisOptions {
  readonly open: Numbers
  readonly high: Numbers
  readonly low: Numbers
  readonly close: Numbers
  /** Lines over the candles: averages, stops, fair values. */
  readonly series?: readonly LineSeries[]
}

/** OHLC bars as data, made by {@link candleChart}. */
export interface CandleChart extends CandleChartOptions {
  readonly kind: 'candles'
}

interface Candles {
  readonly x: number[]
  readonly open: number[]
  readonly high: number[]
  readonly low: number[]
  readonly close: number[]
}

const WHERE = 'report/candle-chart'
const MOST = 1000
const HOVER = [0, 1, 2].map((i) => `%{customdata[${i}]:,.5~g}`)

/**
 * Describes open-high-low-close bars. More bars than `sampling.maxPoints` (1000) are merged in equal groups (first open,
 * highest high, lowest low, last close), so extremes survive; the page does not load finer bars when zoomed. Bars with a
 * non-finite value are left out. Choose {@link lineChart} for closes alone.
 *
 * ```ts
 * import { candleChart } from '@regimen/report'
 *
 * const chart = candleChart({
 *   title: 'Price',
 *   time: [0, 86_400_000],
 *   open: [10, 11],
 *   high: [12, 11.5],
 *   low: [9, 10],
 *   close: [11, 10.5],
 *   ribbon: { labels: ['bull', 'bear'] },
 * })
 * chart.kind // => 'candles'
 * ```
 */
export function candleChart(options: CandleChartOptions): CandleChart {
  const length = options.close.length
  checkAxis(options, length, WHERE)
  for (const name of ['open', 'high', 'low', 'close'] as const) {
    checkNumbers(options[name], name, WHERE)
    checkLength(options[name], length, name, WHERE)
  }
  for (const [i, line] of (options.series ?? []).entries()) {
    checkNumbers(line.y, `series[${i}].y`, WHERE)
    checkLength(line.y, length, `series[${i}].y`, WHERE)
  }
  return { ...options, kind: 'candles' }
}

export function drawCandles(panel: Panel, chart: CandleChart): void {
  const axis = axisValues(chart, chart.close.length)
  const candles = mergeCandles(chart, axis)
  const half = medianStep(candles.x) * 0.36
  for (const up of [true, false]) drawSide(panel, candles, up, half)
  panel.figure.trace({
    type: 'scatter',
    mode: 'lines',
    x: candles.x.map(cell),
    y: candles.close.map(cell),
    yaxis: panel.y,
    line: { width: 0, color: '@ink' },
    customdata: candles.x.map((_, i) => [cell(candles.open[i]), cell(candles.high[i]), cell(candles.low[i])]),
    hovertemplate: `open ${HOVER[0]}  high ${HOVER[1]}  low ${HOVER[2]}  close <b>%{y:,.5~g}</b><extra></extra>`,
  })
  for (const line of chart.series ?? []) {
    drawLine(panel, axis, line, line.color ?? panel.figure.palette.of(line.name), chart)
  }
  drawDecorations(panel, axis, chart, chart.close)
}

export function candleFallback(chart: CandleChart): Fallback {
  const axis = axisValues(chart, chart.close.length)
  const { x, open, high, low, close } = mergeCandles({ ...chart, sampling: { maxPoints: 24 } }, axis)
  const format = chart.format ?? 'number'
  return {
    head: [axis.kind === 'time' ? 'From (UTC)' : 'x', 'Open', 'High', 'Low', 'Close'],
    rows: x.map((at, i) => [
      axis.kind === 'time' ? formatNumber(at, 'time') : writeX(axis, i),
      ...[open, high, low, close].map((values) => formatNumber(values[i], format)),
    ]),
  }
}

/** Wicks and bodies of the candles that rose, or of those that did not, each as one outline with gaps. */
function drawSide(panel: Panel, candles: Candles, up: boolean, half: number): void {
  const [wickX, wickY, bodyX, bodyY]: [Json[], Json[], Json[], Json[]] = [[], [], [], []]
  for (const [i, x] of candles.x.entries()) {
    const [open, close] = [cell(candles.open[i]), cell(candles.close[i])]
    if ((close as number) >= (open as number) !== up) continue
    wickX.push(x, x, null)
    wickY.push(cell(candles.low[i]), cell(candles.high[i]), null)
    const [left, right] = [cell(x - half), cell(x + half)]
    bodyX.push(left, right, right, left, left, null)
    bodyY.push(open, open, close, close, open, null)
  }
  const color = up ? '@up' : '@down'
  const shared = { type: 'scatter', mode: 'lines', yaxis: panel.y, hoverinfo: 'skip' } as const
  const line = { color, width: 1, simplify: false }
  panel.figure.trace({ ...shared, x: wickX, y: wickY, line })
  panel.figure.trace({ ...shared, x: bodyX, y: bodyY, line, fill: 'toself', fillcolor: color })
}

function mergeCandles(chart: CandleChart, axis: AxisValues): Candles {
  const merged: Candles = { x: [], open: [], high: [], low: [], close: [] }
  const length = chart.close.length
  const most = chart.sampling?.method === 'none' ? length : (chart.sampling?.maxPoints ?? MOST)
  const size = Math.max(1, Math.ceil(length / most))
  for (let from = 0; from < length; from += size) {
    let open = Number.NaN
    let close = Number.NaN
    let high = Number.NEGATIVE_INFINITY
    let low = Number.POSITIVE_INFINITY
    for (let i = from; i < Math.min(length, from + size); i++) {
      const bar = [chart.open, chart.high, chart.low, chart.close].map((values) => valueAt(values, i))
      if (bar.some(Number.isNaN)) continue
      const [o, h, l, c] = bar as [number, number, number, number]
      if (Number.isNaN(open)) open = o
      high = Math.max(high, h)
      low = Math.min(low, l)
      close = c
    }
    if (Number.isNaN(close)) continue
    merged.x.push(axis.at(from))
    merged.open.push(open)
    merged.high.push(high)
    merged.low.push(low)
    merged.close.push(close)
  }
  return merged
}

function medianStep(x: readonly number[]): number {
  const steps = x.slice(1).map((value, i) => value - (x[i] as number))
  steps.sort((a, b) => a - b)
  return steps[Math.floor(steps.length / 2)] || 1
}
