import { check, describe } from '@regimen/core'
import { checkFigure, checkLength, checkText } from '../doors.ts'
import { escapePlotly } from '../escape.ts'
import { formatNumber } from '../format.ts'
import type { Palette } from '../palette.ts'
import type { Fallback } from '../render/fallback.ts'
import { cell, type Figure, FigureBuilder } from '../render/figure.ts'
import { withAlpha } from '../render/marks.ts'
import type { FigureOptions, Format } from '../types.ts'

/** One vertical axis of {@link parallelCoordinates}. */
export interface ParallelAxis {
  readonly name: string
  /** One value per line; strings make a categorical axis in order of first appearance. */
  readonly values: ArrayLike<number | string | null | undefined>
  /** @default 'linear' */
  readonly scale?: 'linear' | 'log'
  /** @default 'number' */
  readonly format?: Format
}

/** Options of {@link parallelCoordinates}. */
export interface ParallelCoordinatesOptions extends FigureOptions {
  /** At least two axes, left to right; put the objective last. */
  readonly axes: readonly ParallelAxis[]
  /** Index of the axis that colours the lines. The default is the last. */
  readonly colorBy?: number
  /** Which end of that axis stands out. @default 'high' */
  readonly best?: 'high' | 'low'
}

/** Lines across parallel axes as data, made by {@link parallelCoordinates}. */
export interface ParallelCoordinates extends ParallelCoordinatesOptions {
  readonly kind: 'parallel'
}

interface Scaled {
  readonly unit: readonly number[]
  readonly low: string
  readonly high: string
  readonly categories: readonly string[]
}

const WHERE = 'report/parallel-coordinates'
const CLASSES = 6
const LOWEST = 0.14

/**
 * Describes many points with many dimensions as lines across parallel axes: the trials of a tuning study, one line each,
 * the better the stronger. Every axis runs from its lowest to its highest value; a line breaks where a value is missing.
 * Choose {@link scatterChart} for two dimensions.
 *
 * ```ts
 * import { parallelCoordinates } from '@regimen/report'
 *
 * const chart = parallelCoordinates({
 *   title: 'Trials',
 *   axes: [
 *     { name: 'learning rate', values: [0.1, 0.01, 0.001], scale: 'log' },
 *     { name: 'optimizer', values: ['adam', 'sgd', 'adam'] },
 *     { name: 'loss', values: [0.7, 0.5, 0.4] },
 *   ],
 *   best: 'low',
 * })
 * chart.kind // => 'parallel'
 * ```
 *
 * Reference: A. Inselberg, The plane with parallel coordinates, 1985.
 */
export function parallelCoordinates(options: ParallelCoordinatesOptions): ParallelCoordinates {
  checkFigure(options, WHERE)
  const { axes, colorBy } = options
  check(
    Array.isArray(axes) && axes.length >= 2,
    WHERE,
    () => `axes must be at least two, got ${describe(axes)}.`,
    'Use a histogram for one.',
  )
  for (const [i, axis] of axes.entries()) {
    checkText(axis.name, `axes[${i}].name`, WHERE)
    checkLength(axis.values, axes[0]?.values.length ?? 0, `axes[${i}].values`, WHERE)
  }
  check(
    colorBy === undefined || (Number.isInteger(colorBy) && colorBy >= 0 && colorBy < axes.length),
    WHERE,
    () => `colorBy must be an index of axes, 0 to ${axes.length - 1}, got ${describe(colorBy)}.`,
  )
  return { ...options, kind: 'parallel' }
}

export function parallelFigure(chart: ParallelCoordinates, palette: Palette): Figure {
  const figure = new FigureBuilder(palette)
  const panel = figure.panel({ range: [-0.1, 1.1], visible: false, fixedrange: true })
  const scaled = chart.axes.map(scaleAxis)
  const lines = chart.axes[0]?.values.length ?? 0
  const colored = scaled[chart.colorBy ?? chart.axes.length - 1] as Scaled
  const place = rankLines(colored.unit, chart.best ?? 'high')
  for (let k = 0; k < CLASSES; k++) {
    const own: number[] = []
    for (let i = 0; i < lines; i++) if (place[i] === k) own.push(i)
    if (own.length === 0) continue
    const opacity = LOWEST + ((1 - LOWEST) * k) / (CLASSES - 1)
    figure.trace({
      type: 'scatter',
      mode: 'lines+markers',
      x: own.flatMap(() => [...chart.axes.map((_, a) => a), null]),
      y: own.flatMap((i) => [...scaled.map(({ unit }) => cell(unit[i])), null]),
      yaxis: panel.y,
      text: own.flatMap((i) => [...chart.axes.map((axis) => hover(axis, i)), '']),
      line: { color: withAlpha(k === CLASSES - 1 ? '@c1' : '@c0', opacity), width: k === CLASSES - 1 ? 2.4 : 1.3 },
      marker: { color: withAlpha(k === CLASSES - 1 ? '@c1' : '@c0', opacity), size: 4 },
      hovertemplate: '%{text}<extra></extra>',
    })
  }
  for (let a = 0; a < chart.axes.length; a++) {
    const { low, high, categories } = scaled[a] as Scaled
    figure.shape({
      type: 'line',
      xref: 'x',
      yref: panel.y,
      x0: a,
      x1: a,
      y0: 0,
      y1: 1,
      line: { color: '@muted', width: 1 },
      layer: 'below',
    })
    const ends = categories.length > 0 ? [] : [high, low]
    for (const [e, text] of ends.entries()) {
      const top = e === 0
      const at = { x: a, y: top ? 1 : 0, yanchor: top ? 'bottom' : 'top', yshift: top ? 3 : -3 }
      figure.annotate({
        xref: 'x',
        yref: panel.y,
        ...at,
        text: escapePlotly(text),
        font: { size: 11, color: '@muted' },
      })
    }
    for (const [c, text] of categories.slice(0, 12).entries()) {
      const y = categories.length === 1 ? 0.5 : c / (categories.length - 1)
      const right = a === chart.axes.length - 1
      const side = { xanchor: right ? 'right' : 'left', xshift: right ? -6 : 6, bgcolor: '@surface/0.75' }
      figure.annotate({ xref: 'x', yref: panel.y, x: a, y, ...side, text: escapePlotly(text), font: { size: 11 } })
    }
  }
  const xaxis = {
    type: 'linear',
    range: [-0.25, chart.axes.length - 0.75],
    tickvals: chart.axes.map((_, a) => a),
    ticktext: chart.axes.map((axis) => escapePlotly(axis.name)),
    tickangle: chart.axes.length > 5 ? -30 : 0,
    automargin: true,
    showgrid: false,
    fixedrange: true,
  }
  return figure.finish(chart.height ?? 320, xaxis, { hovermode: 'closest' })
}

export function parallelFallback(chart: ParallelCoordinates): Fallback {
  const lines = Math.min(50, chart.axes[0]?.values.length ?? 0)
  return {
    head: chart.axes.map((axis) => axis.name),
    rows: Array.from({ length: lines }, (_, i) => chart.axes.map((axis) => write(axis, i))),
  }
}

/** Class of each line: the best twelfth is the last class, the rest are equal groups by rank; missing values come first. */
function rankLines(unit: readonly number[], best: 'high' | 'low'): number[] {
  const score = unit.map((value) => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : best === 'low' ? -value : value))
  const order = score.map((_, i) => i).sort((a, b) => (score[b] as number) - (score[a] as number) || a - b)
  const top = Math.max(1, Math.round(order.length / 12))
  const place = new Array<number>(unit.length).fill(0)
  for (const [rank, i] of order.entries()) {
    const rest = Math.floor(((rank - top) * (CLASSES - 1)) / Math.max(1, order.length - top))
    place[i] = score[i] === Number.NEGATIVE_INFINITY ? 0 : rank < top ? CLASSES - 1 : CLASSES - 2 - rest
  }
  return place
}

function scaleAxis(axis: ParallelAxis): Scaled {
  const values = Array.from({ length: axis.values.length }, (_, i) => axis.values[i])
  if (values.some((value) => typeof value === 'string')) {
    const categories = [...new Set(values.filter((value) => typeof value === 'string'))]
    const step = Math.max(1, categories.length - 1)
    const place = (value: unknown): number =>
      typeof value !== 'string' ? Number.NaN : categories.length === 1 ? 0.5 : categories.indexOf(value) / step
    return { unit: values.map(place), low: '', high: '', categories }
  }
  const project = (value: unknown): number => {
    if (typeof value !== 'number' || !Number.isFinite(value)) return Number.NaN
    return axis.scale === 'log' ? (value > 0 ? Math.log(value) : Number.NaN) : value
  }
  let low = -1
  let high = -1
  const projected = values.map(project)
  for (const [i, value] of projected.entries()) {
    if (Number.isNaN(value)) continue
    if (low < 0 || value < (projected[low] as number)) low = i
    if (high < 0 || value > (projected[high] as number)) high = i
  }
  const floor = projected[low] ?? 0
  const range = (projected[high] ?? 0) - floor
  const unit = projected.map((value) => (range > 0 ? (value - floor) / range : value * 0 + 0.5))
  return { unit, low: write(axis, low), high: write(axis, high), categories: [] }
}

function write(axis: ParallelAxis, i: number): string {
  const value = axis.values[i]
  return typeof value === 'string' ? value : formatNumber(value, axis.format)
}

function hover(axis: ParallelAxis, i: number): string {
  return `${escapePlotly(axis.name)}  <b>${escapePlotly(write(axis, i))}</b>`
}
