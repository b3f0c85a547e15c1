import { check, describe } from '@regimen/core'
import { checkAxis, checkLength, checkNumbers, checkText } from '../doors.ts'
import { downsample } from '../downsample.ts'
import { escapePlotly } from '../escape.ts'
import { formatNumber, valueAt } from '../format.ts'
import { type Color, isColor } from '../palette.ts'
import type { Fallback } from '../render/fallback.ts'
import { type AxisValues, axisValues, cell, type Json, type Panel, pick } from '../render/figure.ts'
import { drawDecorations, withAlpha } from '../render/marks.ts'
import type { AxisOptions, Band, Numbers, Sampling } from '../types.ts'

/** One line of a {@link lineChart}. */
export interface LineSeries {
  /** Legend entry; the same name has the same colour in the whole report. */
  readonly name: string
  readonly y: Numbers
  /** Intervals around the line, the widest first; several make a fan. */
  readonly bands?: readonly Band[]
  /** A token such as `@c0` or `@bull`, or `#rrggbb`. The default is the report's colour of that name. */
  readonly color?: string
  /** @default 'solid' */
  readonly dash?: 'solid' | 'dash' | 'dot'
  /** Holds each value until the next point, as positions and rates do. @default false */
  readonly step?: boolean
  /** Fills the area down to zero, as drawdowns like. @default false */
  readonly fill?: boolean
  /** Shows points beside the line; `'only'` leaves the line out. @default false */
  readonly points?: boolean | 'only'
  /** Starts switched off; a click on the legend shows it. @default false */
  readonly hidden?: boolean
}

/** Options of {@link lineChart}. */
export interface LineChartOptions extends AxisOptions {
  readonly series: readonly LineSeries[]
}

/** Lines as data, made by {@link lineChart} or {@link bandChart}. */
export interface LineChart extends LineChartOptions {
  readonly kind: 'lines'
}

/** Options of {@link bandChart}. */
export interface BandChartOptions extends AxisOptions {
  /** Name of the centre line. */
  readonly name: string
  readonly center: Numbers
  readonly bands: readonly Band[]
}

const WHERE = 'report/line-chart'

/**
 * Describes one or more lines over a shared x axis, with optional confidence bands, regime ribbon, event marks and
 * reference lines. Non-finite values are gaps. Series longer than `sampling.maxPoints` are thinned by {@link downsample}.
 * Choose {@link bandChart} for one line with a fan, {@link candleChart} for OHLC bars, {@link scatterChart} for points
 * without an order, {@link stack} to put several over one x axis.
 *
 * ```ts
 * import { lineChart } from '@regimen/report'
 *
 * const chart = lineChart({
 *   title: 'Equity',
 *   time: [0, 86_400_000, 172_800_000],
 *   series: [{ name: 'adaptive', y: [1, 1.01, 1.03] }],
 * })
 * chart.kind // => 'lines'
 * ```
 */
export function lineChart(options: LineChartOptions): LineChart {
  const { series } = options
  check(
    Array.isArray(series) && series.length > 0,
    WHERE,
    () => `series must hold at least one line, got ${describe(series)}.`,
    'Pass { series: [{ name, y }] }.',
  )
  const length = series[0]?.y.length ?? 0
  checkAxis(options, length, WHERE)
  for (const [i, line] of series.entries()) {
    checkText(line.name, `series[${i}].name`, WHERE)
    checkNumbers(line.y, `series[${i}].y`, WHERE)
    checkLength(line.y, length, `series[${i}].y`, WHERE)
    check(
      line.color === undefined || isColor(line.color),
      WHERE,
      () => `series[${i}].color must be a token or #rrggbb, got ${describe(line.color)}.`,
      'Tokens are @c0 to @c7, @up, @down, @bull, @bear, @side and their Low and High.',
    )
    for (const [j, band] of (line.bands ?? []).entries()) {
      checkLength(band.low, length, `series[${i}].bands[${j}].low`, WHERE)
      checkLength(band.high, length, `series[${i}].bands[${j}].high`, WHERE)
    }
  }
  return { ...options, kind: 'lines' }
}

/**
 * Describes one line with nested intervals around it: a forecast's fan, a bootstrap interval of an equity curve, a mean
 * over seeds. It is a {@link lineChart} with one series, and draws as one; use that directly to compare several lines
 * with bands.
 *
 * ```ts
 * import { bandChart } from '@regimen/report'
 *
 * const chart = bandChart({
 *   title: 'Forecast',
 *   name: 'mean',
 *   center: [0, 0.1, 0.2],
 *   bands: [{ label: '95%', low: [0, -0.3, -0.5], high: [0, 0.5, 0.9] }],
 * })
 * chart.series.length // => 1
 * ```
 */
export function bandChart(options: BandChartOptions): LineChart {
  const { name, center, bands, ...rest } = options
  return lineChart({ ...rest, series: [{ name, y: center, bands }] })
}

/** Points on the x axis of a line chart. */
export function lineLength(chart: LineChart): number {
  return chart.series[0]?.y.length ?? 0
}

export function drawLines(panel: Panel, chart: LineChart): void {
  const axis = axisValues(chart, lineLength(chart))
  for (const line of chart.series) {
    const color = line.color ?? panel.figure.palette.of(line.name)
    const bands = (line.bands ?? []).map((band) => drawBand(panel, axis, band, color, chart.sampling, line))
    drawLine(panel, axis, line, color, chart, bands)
  }
  drawDecorations(panel, axis, chart, chart.series[0]?.y ?? [])
}

/** One line of a chart, with its legend entry; candles use it for their overlays. */
export function drawLine(
  panel: Panel,
  axis: AxisValues,
  line: LineSeries,
  color: Color,
  chart: AxisOptions,
  bands: readonly number[] = [],
): void {
  const x = chart.time ?? chart.x
  const kept = downsample(line.y, { ...chart.sampling, ...(x ? { x } : {}) })
  const dash = line.dash ?? (panel.figure.palette.index(line.name) >= 8 ? 'dash' : 'solid')
  const lonely = kept.length === 1
  const mode = line.points === 'only' || lonely ? 'markers' : line.points ? 'lines+markers' : 'lines'
  const trace = panel.figure.trace({
    type: 'scatter',
    mode,
    name: escapePlotly(line.name),
    x: kept.map((i) => cell(axis.at(i))),
    y: pick(line.y, kept),
    yaxis: panel.y,
    line: { color, width: 1.8, dash, ...(line.step ? { shape: 'hv' } : {}) },
    ...(mode === 'lines' ? {} : { marker: { color, size: 6 } }),
    ...(line.fill ? { fill: 'tozeroy', fillcolor: withAlpha(color, 0.18) } : {}),
    ...(line.hidden ? { visible: false } : {}),
    hovertemplate: '%{fullData.name}  <b>%{y}</b><extra></extra>',
  })
  panel.figure.legend(line.name, color, dash === 'solid' ? 'line' : dash, {
    traces: [trace, ...bands],
    hidden: line.hidden ?? false,
  })
}

export function lineFallback(chart: LineChart): Fallback {
  const axis = axisValues(chart, lineLength(chart))
  const format = chart.format ?? 'number'
  if (axis.length <= 24) {
    const head = [chart.xTitle ?? (axis.kind === 'time' ? 'Time (UTC)' : 'x'), ...chart.series.map((line) => line.name)]
    const rows = Array.from({ length: axis.length }, (_, i) => [
      formatNumber(axis.at(i), axis.kind === 'time' ? 'time' : 'number'),
      ...chart.series.map((line) => formatNumber(line.y[i], format)),
    ])
    return { head, rows }
  }
  return {
    head: ['Series', 'Points', 'First', 'Last', 'Lowest', 'Highest', 'Mean'],
    rows: chart.series.map((line) => {
      const { count, first, last, low, high, mean } = summary(line.y)
      const numbers = [first, last, low, high, mean].map((value) => formatNumber(value, format))
      return [line.name, formatNumber(count, 'integer'), ...numbers]
    }),
  }
}

function drawBand(
  panel: Panel,
  axis: AxisValues,
  band: Band,
  color: Color,
  sampling: Sampling | undefined,
  line: LineSeries,
): number {
  const x: Json[] = []
  const y: Json[] = []
  // Each run without gaps is one closed outline: along the lower bound, back along the upper.
  for (const [from, to] of finiteRuns(band)) {
    const low = downsample(slice(band.low, from, to), { ...sampling })
    const high = downsample(slice(band.high, from, to), { ...sampling }).reverse()
    if (x.length > 0) {
      x.push(null)
      y.push(null)
    }
    for (const i of low) {
      x.push(cell(axis.at(from + i)))
      y.push(cell(band.low[from + i]))
    }
    for (const i of high) {
      x.push(cell(axis.at(from + i)))
      y.push(cell(band.high[from + i]))
    }
  }
  return panel.figure.trace({
    type: 'scatter',
    mode: 'lines',
    x,
    y,
    yaxis: panel.y,
    fill: 'toself',
    fillcolor: withAlpha(color, 0.16),
    line: { width: 0 },
    hoverinfo: 'skip',
    ...(line.hidden ? { visible: false } : {}),
  })
}

function finiteRuns(band: Band): [from: number, to: number][] {
  const runs: [number, number][] = []
  const ok = (i: number): boolean => !Number.isNaN(valueAt(band.low, i)) && !Number.isNaN(valueAt(band.high, i))
  for (let i = 0; i < band.low.length; ) {
    if (!ok(i)) {
      i++
      continue
    }
    let end = i + 1
    while (end < band.low.length && ok(end)) end++
    runs.push([i, end])
    i = end
  }
  return runs
}

function slice(values: Numbers, from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => valueAt(values, from + i))
}

function summary(y: Numbers): { count: number; first: number; last: number; low: number; high: number; mean: number } {
  let [count, first, last, sum] = [0, Number.NaN, Number.NaN, 0]
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let i = 0; i < y.length; i++) {
    const value = valueAt(y, i)
    if (Number.isNaN(value)) continue
    if (count === 0) first = value
    last = value
    sum += value
    low = Math.min(low, value)
    high = Math.max(high, value)
    count++
  }
  return { count, first, last, low, high, mean: sum / count }
}
