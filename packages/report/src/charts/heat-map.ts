import { check, describe } from '@regimen/core'
import { checkFigure, checkLength, checkNumbers } from '../doors.ts'
import { escapeHtml } from '../escape.ts'
import { formatNumber, valueAt } from '../format.ts'
import type { FigureOptions, Format, Numbers } from '../types.ts'

/** Options of {@link heatMap}. */
export interface HeatMapOptions extends FigureOptions {
  /** One array per row, or one row-major array of `rows.length × columns.length` values. */
  readonly values: Numbers | readonly Numbers[]
  /** Names of the rows, top to bottom. */
  readonly rows: readonly string[]
  /** Names of the columns, left to right. */
  readonly columns: readonly string[]
  readonly rowTitle?: string
  readonly columnTitle?: string
  /** @default 'number' */
  readonly format?: Format
  /**
   * `sequential` runs from the background to blue; `diverging` from orange over the background at zero to blue.
   * The default is `diverging` when a value is negative.
   */
  readonly scale?: 'sequential' | 'diverging'
  /** Ends of the colour scale. The default spans the values; a diverging scale is symmetric. */
  readonly range?: readonly [low: number, high: number]
  /** Writes the values into the cells. The default does while there are at most 12 columns. */
  readonly showValues?: boolean
}

/** A matrix as data, made by {@link heatMap}. */
export interface HeatMap extends HeatMapOptions {
  readonly kind: 'heatmap'
}

const WHERE = 'report/heat-map'
const MOST_CELLS = 20_000

/**
 * Describes a matrix as coloured cells: a forgetting matrix, a transition matrix, correlations, a confusion matrix. It
 * is drawn as an HTML table, so it needs no script, prints, and reads aloud; non-finite cells stay hatched. At most
 * 20,000 cells. Choose {@link barChart} for one row.
 *
 * ```ts
 * import { heatMap } from '@regimen/report'
 *
 * const chart = heatMap({
 *   title: 'Transition probabilities',
 *   rows: ['bull', 'bear'],
 *   columns: ['bull', 'bear'],
 *   values: [[0.98, 0.02], [0.05, 0.95]],
 *   format: 'percent',
 * })
 * chart.kind // => 'heatmap'
 * ```
 */
export function heatMap(options: HeatMapOptions): HeatMap {
  checkFigure(options, WHERE)
  const { rows, columns, values, range } = options
  check(
    rows.length * columns.length <= MOST_CELLS,
    WHERE,
    () => `${rows.length} × ${columns.length} cells are more than ${MOST_CELLS}.`,
    'Average neighbouring rows or columns first.',
  )
  if (isNested(values)) {
    checkLength(values, rows.length, 'values', WHERE)
    for (const [i, row] of values.entries()) {
      checkNumbers(row, `values[${i}]`, WHERE)
      checkLength(row, columns.length, `values[${i}]`, WHERE)
    }
  } else {
    checkNumbers(values, 'values', WHERE)
    checkLength(values, rows.length * columns.length, 'values', WHERE)
  }
  check(
    range === undefined || (Number.isFinite(range[0]) && Number.isFinite(range[1]) && range[0] < range[1]),
    WHERE,
    () => `range must be [low, high] with low < high, got ${describe(range)}.`,
  )
  return { ...options, kind: 'heatmap' }
}

/** The chart's `<table>` with its colour scale below. */
export function heatMapHtml(chart: HeatMap): string {
  const { rows, columns, format } = chart
  const at = (r: number, c: number): number =>
    isNested(chart.values) ? valueAt(chart.values[r] ?? [], c) : valueAt(chart.values, r * columns.length + c)
  const [low, high, diverging] = scaleOf(chart, at)
  const show = chart.showValues ?? columns.length <= 12
  const head = columns.map((name) => `<th scope="col"><span>${escapeHtml(name)}</span></th>`).join('')
  const body = rows.map((name, r) => {
    const cells = columns.map((column, c) => {
      const value = at(r, c)
      const text = formatNumber(value, format)
      const label = escapeHtml(`${name} · ${column}: ${text}`)
      if (Number.isNaN(value)) return `<td class="none" title="${label}">${show ? '–' : ''}</td>`
      const [side, strength] = shade(value, low, high, diverging)
      const inner = show ? text : `<span class="sr">${text}</span>`
      return `<td class="${side}${strength > 55 ? ' deep' : ''}" style="--s:${strength}%" title="${label}">${inner}</td>`
    })
    return `<tr><th scope="row">${escapeHtml(name)}</th>${cells.join('')}</tr>`
  })
  const corner = escapeHtml([chart.rowTitle, chart.columnTitle].filter(Boolean).join(' \\ '))
  const ends = [low, high].map((value) => formatNumber(value, format))
  const bar = `<div class="heat-scale ${diverging ? 'diverging' : ''}" aria-hidden="true"><span>${ends[0]}</span><i></i><span>${ends[1]}</span></div>`
  const dense = show ? '' : ' dense'
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(chart.title)}"><table class="heat${dense}"><thead><tr><td class="corner">${corner}</td>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>${bar}`
}

function isNested(values: HeatMapOptions['values']): values is readonly Numbers[] {
  return Array.isArray(values) && values.length > 0 && typeof values[0] === 'object' && values[0] !== null
}

function scaleOf(chart: HeatMap, at: (r: number, c: number) => number): [number, number, boolean] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let r = 0; r < chart.rows.length; r++) {
    for (let c = 0; c < chart.columns.length; c++) {
      const value = at(r, c)
      if (Number.isNaN(value)) continue
      low = Math.min(low, value)
      high = Math.max(high, value)
    }
  }
  if (low > high) [low, high] = [0, 1]
  const diverging = chart.scale === undefined ? low < 0 : chart.scale === 'diverging'
  if (chart.range) return [...chart.range, diverging]
  if (diverging) {
    const most = Math.max(Math.abs(low), Math.abs(high)) || 1
    return [-most, most, true]
  }
  return [low, high === low ? low + 1 : high, false]
}

function shade(value: number, low: number, high: number, diverging: boolean): ['p' | 'n', number] {
  const unit = (x: number): number => Math.round(100 * Math.max(0, Math.min(1, x)))
  if (!diverging) return ['p', unit((value - low) / (high - low))]
  return value < 0 ? ['n', unit(value / Math.min(low, -1e-300))] : ['p', unit(value / Math.max(high, 1e-300))]
}
