import { checkAxis, checkLength, checkNumbers } from '../doors.ts'
import { formatNumber, valueAt } from '../format.ts'
import type { Fallback } from '../render/fallback.ts'
import { type AxisValues, axisValues, cell, type Panel, writeX } from '../render/figure.ts'
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
  const width = medianStep(candles.x) * 0.72
  for (const up of [true, false]) {
    const chosen = candles.x.flatMap((_, i) =>
      (candles.close[i] as number) >= (candles.open[i] as number) === up ? [i] : [],
    )
    drawSide(panel, candles, chosen, up, width)
  }
  for (const line of chart.series ?? []) {
    drawLine(panel, axis, line, line.color ?? panel.figure.palette.of(line.name), chart)
  }
  drawDecorations(panel, axis, chart)
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

function drawSide(panel: Panel, candles: Candles, chosen: readonly number[], up: boolean, width: number): void {
  const color = up ? '@up' : '@down'
  const wicks = panel.figure.trace({
    type: 'scatter',
    mode: 'lines',
    x: chosen.flatMap((i) => [cell(candles.x[i]), cell(candles.x[i]), null]),
    y: chosen.flatMap((i) => [cell(candles.low[i]), cell(candles.high[i]), null]),
    yaxis: panel.y,
    line: { color, width: 1 },
    hoverinfo: 'skip',
  })
  const bodies = panel.figure.trace({
    type: 'bar',
    x: chosen.map((i) => cell(candles.x[i])),
    base: chosen.map((i) => cell(candles.open[i])),
    y: chosen.map((i) => cell((candles.close[i] as number) - (candles.open[i] as number))),
    yaxis: panel.y,
    width,
    customdata: chosen.map((i) => [
      cell(candles.open[i]),
      cell(candles.high[i]),
      cell(candles.low[i]),
      cell(candles.close[i]),
    ]),
    marker: { color, line: { color, width: 1 } },
    hovertemplate:
      'O %{customdata[0]:,.5~g}  H %{customdata[1]:,.5~g}  L %{customdata[2]:,.5~g}  C <b>%{customdata[3]:,.5~g}</b><extra></extra>',
  })
  panel.figure.legend(up ? 'up' : 'down', color, 'box', { traces: [wicks, bodies] })
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
