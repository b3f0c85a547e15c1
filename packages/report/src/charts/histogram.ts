import { check, describe } from '@regimen/core'
import { checkFigure, checkNumbers, checkText } from '../doors.ts'
import { escapePlotly } from '../escape.ts'
import { formatNumber, plotlyFormat, valueAt } from '../format.ts'
import type { Palette } from '../palette.ts'
import type { Fallback } from '../render/fallback.ts'
import { cell, type Figure, FigureBuilder } from '../render/figure.ts'
import { withAlpha } from '../render/marks.ts'
import type { FigureOptions, Format, Numbers } from '../types.ts'

/** Options of {@link histogram}. */
export interface HistogramOptions extends FigureOptions {
  readonly series: readonly { readonly name: string; readonly values: Numbers }[]
  /**
   * Number of bins, 1 to 500. The default is the rule of Freedman and Diaconis, 2·IQR·n^(−1/3) wide, 8 to 80 bins.
   */
  readonly bins?: number
  readonly xTitle?: string
  /** @default 'number' */
  readonly format?: Format
  /** Shows each series' share instead of its count, to compare samples of different size. @default false */
  readonly share?: boolean
}

/** Distributions as data, made by {@link histogram}. */
export interface Histogram extends HistogramOptions {
  readonly kind: 'histogram'
}

interface Bins {
  readonly from: number
  readonly width: number
  readonly counts: readonly number[][]
}

const WHERE = 'report/histogram'

/**
 * Describes the distribution of one or more samples in common bins, drawn over each other. Non-finite values are not
 * counted. The counts are made when the report is rendered, so a million values cost the file nothing. Choose
 * {@link barChart} when the counts are there already.
 *
 * ```ts
 * import { histogram } from '@regimen/report'
 *
 * const chart = histogram({ title: 'Daily returns', series: [{ name: 'BTC', values: new Float64Array(250) }] })
 * chart.kind // => 'histogram'
 * ```
 *
 * Reference: D. Freedman and P. Diaconis, On the histogram as a density estimator, 1981.
 */
export function histogram(options: HistogramOptions): Histogram {
  checkFigure(options, WHERE)
  const { series, bins } = options
  check(
    Array.isArray(series) && series.length > 0,
    WHERE,
    () => `series must hold at least one sample, got ${describe(series)}.`,
  )
  for (const [i, sample] of series.entries()) {
    checkText(sample.name, `series[${i}].name`, WHERE)
    checkNumbers(sample.values, `series[${i}].values`, WHERE)
  }
  check(
    bins === undefined || (Number.isInteger(bins) && bins >= 1 && bins <= 500),
    WHERE,
    () => `bins must be an integer from 1 to 500, got ${describe(bins)}.`,
  )
  return { ...options, kind: 'histogram' }
}

export function histogramFigure(chart: Histogram, palette: Palette): Figure {
  const figure = new FigureBuilder(palette)
  const panel = figure.panel({ rangemode: 'tozero', ...plotlyFormat(chart.share ? 'percent' : 'integer') })
  const { from, width, counts } = countBins(chart)
  for (const [s, sample] of chart.series.entries()) {
    const color = palette.of(sample.name)
    const own = counts[s] ?? []
    const total = chart.share ? own.reduce((sum, count) => sum + count, 0) || 1 : 1
    const trace = figure.trace({
      type: 'bar',
      name: escapePlotly(sample.name),
      x: own.map((_, b) => cell(from + (b + 0.5) * width)),
      y: own.map((count) => cell(count / total)),
      yaxis: panel.y,
      width,
      text: own.map((_, b) => edges(chart, from + b * width, width)),
      textposition: 'none',
      marker: {
        color: withAlpha(color, chart.series.length > 1 ? 0.55 : 0.85),
        line: { color: '@surface', width: 0.5 },
      },
      hovertemplate: '%{text}<br>%{fullData.name}  <b>%{y}</b><extra></extra>',
    })
    if (chart.series.length > 1) figure.legend(sample.name, color, 'box', { traces: [trace] })
  }
  const title = chart.xTitle ? { title: { text: escapePlotly(chart.xTitle), standoff: 8 } } : {}
  const axis = { type: 'linear', showgrid: false, ...plotlyFormat(chart.format), ...title }
  return figure.finish(chart.height ?? 240, axis, { hovermode: 'closest', bargap: 0 })
}

export function histogramFallback(chart: Histogram): Fallback {
  const { from, width, counts } = countBins(chart)
  const bins = counts[0]?.length ?? 0
  return {
    head: [chart.xTitle ?? 'Bin', ...chart.series.map((sample) => sample.name)],
    rows: Array.from({ length: bins }, (_, b) => [
      edges(chart, from + b * width, width),
      ...counts.map((own) => formatNumber(own[b], 'integer')),
    ]),
  }
}

function edges(chart: Histogram, from: number, width: number): string {
  return `${formatNumber(from, chart.format)} to ${formatNumber(from + width, chart.format)}`
}

function countBins(chart: Histogram): Bins {
  const samples = chart.series.map(({ values }) => finite(values))
  const all = concat(samples).sort()
  if (all.length === 0) return { from: 0, width: 1, counts: samples.map(() => []) }
  const low = all[0] as number
  const high = all[all.length - 1] as number
  const bins = high === low ? 1 : (chart.bins ?? freedmanDiaconis(all, high - low))
  const width = (high - low) / bins || 1
  const from = high === low ? low - 0.5 : low
  const counts = samples.map((sample) => {
    const own = new Array<number>(bins).fill(0)
    for (const value of sample) {
      const bin = Math.min(bins - 1, Math.floor((value - from) / width))
      own[bin] = (own[bin] as number) + 1
    }
    return own
  })
  return { from, width, counts }
}

function freedmanDiaconis(sorted: Float64Array, range: number): number {
  const quantile = (q: number): number => sorted[Math.floor(q * (sorted.length - 1))] as number
  const width = 2 * (quantile(0.75) - quantile(0.25)) * sorted.length ** (-1 / 3)
  const bins = width > 0 ? Math.ceil(range / width) : 8
  return Math.max(8, Math.min(80, bins))
}

function finite(values: Numbers): Float64Array {
  const found = new Float64Array(values.length)
  let count = 0
  for (let i = 0; i < values.length; i++) {
    const value = valueAt(values, i)
    if (!Number.isNaN(value)) found[count++] = value
  }
  return found.subarray(0, count)
}

function concat(samples: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(samples.reduce((sum, sample) => sum + sample.length, 0))
  let at = 0
  for (const sample of samples) {
    all.set(sample, at)
    at += sample.length
  }
  return all
}
