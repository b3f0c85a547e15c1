import { check } from '@regimen/core'
import { checkAxis } from '../doors.ts'
import type { Fallback } from '../render/fallback.ts'
import { axisValues, type Panel } from '../render/figure.ts'
import { drawRibbon, ribbonRows } from '../render/marks.ts'
import type { FigureOptions, Numbers, Ribbon } from '../types.ts'

/** Options of {@link ribbonChart}. */
export interface RibbonChartOptions extends FigureOptions, Ribbon {
  /** x values as UTC epoch milliseconds. Segments need `time` or `x`; labels may do without. */
  readonly time?: Numbers
  readonly x?: Numbers
  readonly xTitle?: string
}

/** A strip of labelled stretches as data, made by {@link ribbonChart}. */
export interface RibbonChart extends RibbonChartOptions {
  readonly kind: 'ribbon'
}

const WHERE = 'report/ribbon-chart'

/**
 * Describes a strip of coloured stretches, one colour per label; inside a {@link stack} it lies under the price it
 * explains, and several strips compare detectors with the truth. Regime labels have fixed colours (see
 * {@link regimeColor}). To colour the background of another chart pass `ribbon` there instead.
 *
 * ```ts
 * import { ribbonChart } from '@regimen/report'
 *
 * const chart = ribbonChart({ title: 'Regime', labels: [0, 0, 1, 1], names: ['bull', 'bear'] })
 * chart.kind // => 'ribbon'
 * ```
 */
export function ribbonChart(options: RibbonChartOptions): RibbonChart {
  const length = ribbonLength(options)
  check(
    length > 0,
    WHERE,
    () => 'the length of the axis is unknown.',
    'Pass labels, or segments together with time or x.',
  )
  checkAxis({ ...options, ribbon: ribbonOf(options) }, length, WHERE)
  return { ...options, kind: 'ribbon' }
}

export function drawRibbonStrip(panel: Panel, chart: RibbonChart): void {
  const style = { opacity: 0.95, layer: 'above', prefix: `${chart.title}: `, y: () => 0.5 } as const
  drawRibbon(panel, axisValues(chart, ribbonLength(chart)), ribbonOf(chart), style)
}

export function ribbonFallback(chart: RibbonChart): Fallback {
  const rows = ribbonRows(axisValues(chart, ribbonLength(chart)), ribbonOf(chart))
  return { head: ['Label', 'From', 'To', 'Points'], rows }
}

export function ribbonLength(chart: RibbonChartOptions): number {
  return (chart.time ?? chart.x ?? chart.labels)?.length ?? 0
}

function ribbonOf(chart: RibbonChartOptions): Ribbon {
  return {
    ...(chart.labels ? { labels: chart.labels } : {}),
    ...(chart.segments ? { segments: chart.segments } : {}),
    ...(chart.names ? { names: chart.names } : {}),
  }
}
