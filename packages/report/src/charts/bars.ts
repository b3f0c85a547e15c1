import { check, describe } from '@regimen/core'
import { checkFigure, checkLength, checkNumbers, checkText } from '../doors.ts'
import { escapePlotly } from '../escape.ts'
import { formatNumber, plotlyFormat, valueAt } from '../format.ts'
import type { Palette } from '../palette.ts'
import type { Fallback } from '../render/fallback.ts'
import { cell, type Figure, FigureBuilder, type JsonObject } from '../render/figure.ts'
import type { Band, FigureOptions, Format, Numbers } from '../types.ts'

/** One set of bars of a {@link barChart}, a value per category. */
export interface BarSeries {
  readonly name: string
  readonly values: Numbers
  /** Ends of the error bars, in the unit of `values`. */
  readonly interval?: Band
}

/** Options of {@link barChart}. */
export interface BarChartOptions extends FigureOptions {
  readonly categories: readonly string[]
  readonly series: readonly BarSeries[]
  /** @default 'grouped' */
  readonly mode?: 'grouped' | 'stacked'
  /** Lays the bars down, which leaves room for long category names. @default false */
  readonly horizontal?: boolean
  /** @default 'number' */
  readonly format?: Format
  readonly valueTitle?: string
}

/** Bars as data, made by {@link barChart}. */
export interface BarChart extends BarChartOptions {
  readonly kind: 'bars'
}

const WHERE = 'report/bar-chart'
const FULL = 0.76

/**
 * Describes bars of one or more series over named categories, side by side or stacked (positive parts up, negative
 * parts down), with optional error bars. Choose {@link histogram} for a distribution, {@link heatMap} for many
 * categories on two axes.
 *
 * ```ts
 * import { barChart } from '@regimen/report'
 *
 * const chart = barChart({
 *   title: 'Sharpe ratio',
 *   categories: ['adaptive', 'static'],
 *   series: [{ name: 'Sharpe', values: [1.2, 0.4], interval: { low: [0.9, 0.1], high: [1.5, 0.7] } }],
 * })
 * chart.kind // => 'bars'
 * ```
 */
export function barChart(options: BarChartOptions): BarChart {
  checkFigure(options, WHERE)
  const { categories, series } = options
  check(
    Array.isArray(series) && series.length > 0,
    WHERE,
    () => `series must hold at least one set of bars, got ${describe(series)}.`,
  )
  for (const [i, bars] of series.entries()) {
    checkText(bars.name, `series[${i}].name`, WHERE)
    checkNumbers(bars.values, `series[${i}].values`, WHERE)
    checkLength(bars.values, categories.length, `series[${i}].values`, WHERE)
    if (!bars.interval) continue
    checkLength(bars.interval.low, categories.length, `series[${i}].interval.low`, WHERE)
    checkLength(bars.interval.high, categories.length, `series[${i}].interval.high`, WHERE)
  }
  return { ...options, kind: 'bars' }
}

export function barFigure(chart: BarChart, palette: Palette): Figure {
  const figure = new FigureBuilder(palette)
  const { categories, series, horizontal = false } = chart
  const stacked = chart.mode === 'stacked'
  const names: JsonObject = {
    type: 'linear',
    tickvals: categories.map((_, i) => i),
    ticktext: categories.map(escapePlotly),
    range: horizontal ? [categories.length - 0.5, -0.5] : [-0.5, categories.length - 0.5],
    showgrid: false,
    fixedrange: true,
    automargin: true,
  }
  const title = chart.valueTitle ? { title: { text: escapePlotly(chart.valueTitle), standoff: 6 } } : {}
  const values: JsonObject = { zeroline: true, ...plotlyFormat(chart.format), ...title }
  const panel = figure.panel(horizontal ? names : values)
  const width = stacked ? FULL : FULL / series.length
  const up = new Float64Array(categories.length)
  const down = new Float64Array(categories.length)
  for (const [s, bars] of series.entries()) {
    const color = palette.of(bars.name)
    const at = categories.map((_, i) => i)
    const heights = categories.map((_, i) => cell(bars.values[i]))
    const base = heights.map((height, i) => {
      if (!stacked || height === null) return 0
      const side = height < 0 ? down : up
      side[i] = (side[i] as number) + height
      return cell((side[i] as number) - height) ?? 0
    })
    const trace = figure.trace({
      type: 'bar',
      name: escapePlotly(bars.name),
      orientation: horizontal ? 'h' : 'v',
      x: horizontal ? heights : at,
      y: horizontal ? at : heights,
      yaxis: panel.y,
      base,
      width: width * (stacked ? 1 : 0.94),
      offset: stacked ? -FULL / 2 : -FULL / 2 + s * width,
      marker: { color },
      text: categories.map((_, i) => formatNumber(bars.values[i], chart.format)),
      textposition: 'none',
      customdata: categories.map(escapePlotly),
      hovertemplate: '%{customdata}<br>%{fullData.name}  <b>%{text}</b><extra></extra>',
      ...(bars.interval ? errorBars(bars, bars.interval, horizontal) : {}),
    })
    if (series.length > 1) figure.legend(bars.name, color, 'box', { traces: [trace] })
  }
  const lying = Math.max(2, categories.length) * (stacked ? 34 : 14 + 20 * series.length)
  return figure.finish(chart.height ?? (horizontal ? lying : 260), horizontal ? values : names, {
    hovermode: 'closest',
  })
}

export function barFallback(chart: BarChart): Fallback {
  return {
    head: ['Category', ...chart.series.map((bars) => bars.name)],
    rows: chart.categories.map((category, i) => [
      category,
      ...chart.series.map((bars) => {
        const value = formatNumber(bars.values[i], chart.format)
        if (!bars.interval) return value
        const [low, high] = [bars.interval.low[i], bars.interval.high[i]]
        return `${value} (${formatNumber(low, chart.format)} to ${formatNumber(high, chart.format)})`
      }),
    ]),
  }
}

function errorBars(bars: BarSeries, interval: Band, horizontal: boolean): JsonObject {
  const spread = (i: number, end: number): number | null => cell(Math.abs(end - valueAt(bars.values, i)))
  const indices = Array.from({ length: bars.values.length }, (_, i) => i)
  return {
    [horizontal ? 'error_x' : 'error_y']: {
      type: 'data',
      symmetric: false,
      array: indices.map((i) => spread(i, valueAt(interval.high, i))),
      arrayminus: indices.map((i) => spread(i, valueAt(interval.low, i))),
      color: '@ink',
      thickness: 1.4,
      width: 5,
    },
  }
}
