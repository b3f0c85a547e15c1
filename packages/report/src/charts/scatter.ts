import { check, describe } from '@regimen/core'
import { checkFigure, checkLength, checkNumbers } from '../doors.ts'
import { escapePlotly } from '../escape.ts'
import { formatNumber, plotlyFormat, valueAt } from '../format.ts'
import type { Palette } from '../palette.ts'
import type { Fallback } from '../render/fallback.ts'
import { cell, type Figure, FigureBuilder, type JsonObject } from '../render/figure.ts'
import type { FigureOptions, Format, Numbers } from '../types.ts'

/** Options of {@link scatterChart}. */
export interface ScatterChartOptions extends FigureOptions {
  readonly x: Numbers
  readonly y: Numbers
  /** Group of each point: one colour and legend entry per group, with regime colours where the group is one. */
  readonly groups?: ArrayLike<string>
  /** Name of each point, for the hover. */
  readonly labels?: ArrayLike<string>
  /** Area of each point relative to the largest, for example a bin's count; at least zero. */
  readonly weights?: Numbers
  /** Draws y = x, which a calibration chart is read against. @default false */
  readonly diagonal?: boolean
  /** Connects the points of a group in their order. @default false */
  readonly connect?: boolean
  /** Thin lines between two points each, by index: the edges of a graph. @default none */
  readonly links?: readonly (readonly [from: number, to: number])[]
  readonly xTitle?: string
  readonly yTitle?: string
  /** @default 'number' */
  readonly xFormat?: Format
  /** @default 'number' */
  readonly yFormat?: Format
  /** @default 'linear' */
  readonly xScale?: 'linear' | 'log'
  /** @default 'linear' */
  readonly yScale?: 'linear' | 'log'
  /**
   * Most points drawn, from 1; beyond it every k-th point is.
   * @default 5000
   */
  readonly maxPoints?: number
}

/** Points as data, made by {@link scatterChart}. */
export interface ScatterChart extends ScatterChartOptions {
  readonly kind: 'scatter'
}

const WHERE = 'report/scatter-chart'

/**
 * Describes points in the plane, by group: a Pareto front, trials of a study, clusters of features, a calibration curve
 * (`diagonal` and `connect`), a graph (`links`). Points with a non-finite coordinate are left out. Choose {@link lineChart} when x is an
 * ordered axis, {@link parallelCoordinates} for more than two dimensions.
 *
 * ```ts
 * import { scatterChart } from '@regimen/report'
 *
 * const chart = scatterChart({ title: 'Calibration', x: [0.2, 0.5, 0.8], y: [0.25, 0.5, 0.7], diagonal: true })
 * chart.kind // => 'scatter'
 * ```
 */
export function scatterChart(options: ScatterChartOptions): ScatterChart {
  checkFigure(options, WHERE)
  checkNumbers(options.x, 'x', WHERE)
  checkNumbers(options.y, 'y', WHERE)
  checkLength(options.y, options.x.length, 'y', WHERE)
  for (const name of ['groups', 'labels', 'weights'] as const) {
    const values = options[name]
    if (values) checkLength(values, options.x.length, name, WHERE)
  }
  const { maxPoints = 5000 } = options
  check(
    Number.isInteger(maxPoints) && maxPoints > 0,
    WHERE,
    () => `maxPoints must be an integer from 1, got ${describe(maxPoints)}.`,
  )
  for (const link of options.links ?? [])
    check(
      link.length === 2 && link.every((i) => Number.isInteger(i) && i >= 0 && i < options.x.length),
      WHERE,
      () => `links must name two of the ${options.x.length} points, got ${describe(link)}.`,
    )
  return { ...options, kind: 'scatter' }
}

export function scatterFigure(chart: ScatterChart, palette: Palette): Figure {
  const figure = new FigureBuilder(palette)
  const panel = figure.panel(axis(chart.yTitle, chart.yFormat, chart.yScale))
  if (chart.diagonal) drawDiagonal(chart, figure, panel.y)
  if (chart.links?.length) drawLinks(chart, chart.links, figure, panel.y)
  for (const [group, indices] of groupPoints(chart)) {
    const color = group ? palette.of(group) : '@c0'
    const sizes = weights(chart, indices)
    const trace = figure.trace({
      type: 'scatter',
      mode: chart.connect ? 'lines+markers' : 'markers',
      name: escapePlotly(group),
      x: indices.map((i) => cell(chart.x[i])),
      y: indices.map((i) => cell(chart.y[i])),
      yaxis: panel.y,
      text: indices.map((i) => hover(chart, group, i)),
      line: { color, width: 1.8 },
      marker: { color, opacity: chart.connect ? 1 : 0.72, size: sizes ?? 8, line: { color: '@surface', width: 1 } },
      hovertemplate: '%{text}<extra></extra>',
      cliponaxis: false,
    })
    if (group) figure.legend(group, color, chart.connect ? 'line' : 'point', { traces: [trace] })
  }
  return figure.finish(chart.height ?? 320, axis(chart.xTitle, chart.xFormat, chart.xScale), { hovermode: 'closest' })
}

export function scatterFallback(chart: ScatterChart): Fallback {
  const rows: string[][] = []
  for (const [group, indices] of groupPoints(chart)) {
    for (const i of indices.slice(0, 40)) {
      const point = [formatNumber(chart.x[i], chart.xFormat), formatNumber(chart.y[i], chart.yFormat)]
      rows.push([chart.labels?.[i] ?? group, ...point])
    }
  }
  return { head: [chart.groups ? 'Group' : 'Point', chart.xTitle ?? 'x', chart.yTitle ?? 'y'], rows }
}

function groupPoints(chart: ScatterChart): Map<string, number[]> {
  const every = Math.max(1, Math.ceil(chart.x.length / (chart.maxPoints ?? 5000)))
  const found = new Map<string, number[]>()
  for (let i = 0; i < chart.x.length; i += every) {
    if (Number.isNaN(valueAt(chart.x, i)) || Number.isNaN(valueAt(chart.y, i))) continue
    const group = chart.groups?.[i] ?? ''
    const indices = found.get(group) ?? []
    indices.push(i)
    found.set(group, indices)
  }
  return found
}

function weights(chart: ScatterChart, indices: readonly number[]): number[] | undefined {
  const all = chart.weights
  if (!all) return undefined
  let most = 0
  for (let i = 0; i < all.length; i++) most = Math.max(most, valueAt(all, i) || 0)
  return indices.map((i) => cell(5 + 17 * Math.sqrt(Math.max(0, valueAt(all, i) || 0) / (most || 1))) ?? 5)
}

function drawDiagonal(chart: ScatterChart, figure: FigureBuilder, y: string): void {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let i = 0; i < chart.x.length; i++) {
    const value = valueAt(chart.x, i)
    if (Number.isNaN(value)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  const line = { color: '@muted', width: 1.2, dash: 'dash' }
  const ends = [cell(low), cell(high)]
  figure.trace({ type: 'scatter', mode: 'lines', x: ends, y: ends, yaxis: y, line, hoverinfo: 'skip' })
}

function drawLinks(
  chart: ScatterChart,
  links: NonNullable<ScatterChart['links']>,
  figure: FigureBuilder,
  y: string,
): void {
  const ends = (values: Numbers) => links.flatMap(([from, to]) => [cell(values[from]), cell(values[to]), null])
  const line = { color: '@muted', width: 1 }
  figure.trace({
    type: 'scatter',
    mode: 'lines',
    x: ends(chart.x),
    y: ends(chart.y),
    yaxis: y,
    line,
    hoverinfo: 'skip',
  })
}

function hover(chart: ScatterChart, group: string, i: number): string {
  const name = chart.labels?.[i] ?? group
  const lines = [
    ...(name ? [`<b>${escapePlotly(name)}</b>`] : []),
    `${escapePlotly(chart.xTitle ?? 'x')}  ${formatNumber(chart.x[i], chart.xFormat)}`,
    `${escapePlotly(chart.yTitle ?? 'y')}  ${formatNumber(chart.y[i], chart.yFormat)}`,
  ]
  return lines.join('<br>')
}

function axis(title: string | undefined, format: Format | undefined, scale: 'linear' | 'log' | undefined): JsonObject {
  return {
    type: format === 'date' || format === 'time' ? 'date' : (scale ?? 'linear'),
    ...(format === 'date' || format === 'time' ? {} : plotlyFormat(format)),
    ...(title ? { title: { text: escapePlotly(title), standoff: 8 } } : {}),
  }
}
