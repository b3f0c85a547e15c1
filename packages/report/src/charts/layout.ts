import { check, describe } from '@regimen/core'
import { checkFigure, checkText } from '../doors.ts'
import type { FigureOptions } from '../types.ts'
import type { BarChart } from './bars.ts'
import type { CandleChart } from './candles.ts'
import type { DataTable } from './data-table.ts'
import type { HeatMap } from './heat-map.ts'
import type { Histogram } from './histogram.ts'
import type { LineChart } from './lines.ts'
import type { MetricCards } from './metrics.ts'
import type { ParallelCoordinates } from './parallel-coordinates.ts'
import type { Prose } from './prose.ts'
import type { RibbonChart } from './ribbon.ts'
import type { ScatterChart } from './scatter.ts'
import type { Timeline } from './timeline.ts'

/** A chart over an x axis, which a {@link stack} can share. */
export type PanelChart = LineChart | CandleChart | RibbonChart | Timeline

/** Anything that a section of a report can hold. */
export type Block =
  | PanelChart
  | BarChart
  | ScatterChart
  | Histogram
  | HeatMap
  | ParallelCoordinates
  | DataTable
  | MetricCards
  | Prose
  | Stack
  | Row
  | Tabs

/** Options of {@link stack}. */
export interface StackOptions extends Omit<FigureOptions, 'height'> {
  /** Charts from top to bottom; each keeps its own `height`. All have a time axis or none has. */
  readonly panels: readonly PanelChart[]
}

/** Charts over one shared x axis as data, made by {@link stack}. */
export interface Stack extends StackOptions {
  readonly kind: 'stack'
}

/** Blocks side by side as data, made by {@link row}. */
export interface Row {
  readonly kind: 'row'
  readonly blocks: readonly Block[]
}

/** One tab of {@link tabs}. */
export interface Tab {
  readonly title: string
  readonly blocks: readonly Block[]
}

/** Blocks behind tabs as data, made by {@link tabs}. */
export interface Tabs {
  readonly kind: 'tabs'
  readonly tabs: readonly Tab[]
}

/**
 * Describes charts above each other over one x axis: price, regime strip, equity and drawdown, zoomed and hovered
 * together. Choose {@link row} to set independent blocks side by side.
 *
 * ```ts
 * import { lineChart, ribbonChart, stack } from '@regimen/report'
 *
 * const chart = stack({
 *   title: 'Price and regime',
 *   panels: [
 *     lineChart({ title: 'Price', series: [{ name: 'price', y: [10, 11, 9] }] }),
 *     ribbonChart({ title: 'Regime', labels: ['bull', 'bull', 'bear'] }),
 *   ],
 * })
 * chart.panels.length // => 2
 * ```
 */
export function stack(options: StackOptions): Stack {
  const where = 'report/stack'
  checkFigure(options, where)
  const { panels } = options
  check(
    Array.isArray(panels) && panels.length > 0,
    where,
    () => `panels must hold at least one chart, got ${describe(panels)}.`,
  )
  for (const [i, panel] of panels.entries()) {
    const known = ['lines', 'candles', 'ribbon', 'timeline'].includes(panel.kind)
    check(
      known,
      where,
      () => `panels[${i}] is of kind ${describe(panel.kind)}, which has no x axis to share.`,
      'Stack lines, candles, ribbons and timelines; put others into a row.',
    )
  }
  const first = usesTime(panels[0] as PanelChart)
  check(
    panels.every((panel) => usesTime(panel) === first),
    where,
    () => 'some panels have a time axis and some have not.',
    'Pass time to all of them.',
  )
  return { ...options, kind: 'stack' }
}

/**
 * Sets blocks side by side with equal widths; on a narrow screen they follow each other.
 *
 * ```ts
 * import { prose, row } from '@regimen/report'
 *
 * row([prose('left'), prose('right')]).blocks.length // => 2
 * ```
 */
export function row(blocks: readonly Block[]): Row {
  check(
    Array.isArray(blocks) && blocks.length > 0 && blocks.length <= 4,
    'report/row',
    () => `a row holds 1 to 4 blocks, got ${describe(blocks)}.`,
  )
  return { kind: 'row', blocks }
}

/**
 * Puts blocks behind tabs, one open at a time; in print all of them are shown. For what every reader should see choose
 * sections.
 *
 * ```ts
 * import { prose, tabs } from '@regimen/report'
 *
 * tabs([{ title: 'BTC', blocks: [prose('…')] }, { title: 'ETH', blocks: [] }]).tabs.length // => 2
 * ```
 */
export function tabs(list: readonly Tab[]): Tabs {
  const where = 'report/tabs'
  check(Array.isArray(list) && list.length > 0, where, () => `tabs must hold at least one tab, got ${describe(list)}.`)
  for (const [i, tab] of list.entries()) checkText(tab.title, `tabs[${i}].title`, where)
  return { kind: 'tabs', tabs: list }
}

export function usesTime(chart: PanelChart): boolean {
  return chart.kind === 'timeline' ? (chart.axis ?? 'time') === 'time' : chart.time !== undefined
}
