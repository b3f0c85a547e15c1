import { barFallback, barFigure } from '../charts/bars.ts'
import { candleFallback, drawCandles } from '../charts/candles.ts'
import { histogramFallback, histogramFigure } from '../charts/histogram.ts'
import { type Block, type PanelChart, type Stack, usesTime } from '../charts/layout.ts'
import { drawLines, lineFallback } from '../charts/lines.ts'
import { parallelFallback, parallelFigure } from '../charts/parallel-coordinates.ts'
import { drawRibbonStrip, ribbonFallback } from '../charts/ribbon.ts'
import { scatterFallback, scatterFigure } from '../charts/scatter.ts'
import { drawTimeline, timelineAxis, timelineFallback, timelineLanes } from '../charts/timeline.ts'
import { escapePlotly } from '../escape.ts'
import type { Palette } from '../palette.ts'
import type { Fallback } from './fallback.ts'
import { type Figure, FigureBuilder, type JsonObject, type Panel, xAxis, yAxis } from './figure.ts'

/** Charts that Plotly draws. */
export type DrawnChart = Extract<
  Block,
  { kind: 'lines' | 'candles' | 'ribbon' | 'timeline' | 'stack' | 'bars' | 'scatter' | 'histogram' | 'parallel' }
>

const GAP = 22
const TITLE = 20

export function drawFigure(chart: DrawnChart, palette: Palette): Figure {
  switch (chart.kind) {
    case 'bars':
      return barFigure(chart, palette)
    case 'scatter':
      return scatterFigure(chart, palette)
    case 'histogram':
      return histogramFigure(chart, palette)
    case 'parallel':
      return parallelFigure(chart, palette)
    case 'stack':
      return stackFigure(chart.panels, palette, true)
    default:
      return stackFigure([chart], palette, false)
  }
}

/** The chart's data as tables; a stack has one per panel. */
export function fallbacks(chart: DrawnChart): { readonly title: string; readonly table: Fallback }[] {
  if (chart.kind === 'stack') return chart.panels.flatMap(fallbacks)
  return [{ title: chart.title, table: fallback(chart) }]
}

function fallback(chart: Exclude<DrawnChart, Stack>): Fallback {
  switch (chart.kind) {
    case 'lines':
      return lineFallback(chart)
    case 'candles':
      return candleFallback(chart)
    case 'ribbon':
      return ribbonFallback(chart)
    case 'timeline':
      return timelineFallback(chart)
    case 'bars':
      return barFallback(chart)
    case 'scatter':
      return scatterFallback(chart)
    case 'histogram':
      return histogramFallback(chart)
    case 'parallel':
      return parallelFallback(chart)
  }
}

function stackFigure(panels: readonly PanelChart[], palette: Palette, titled: boolean): Figure {
  const figure = new FigureBuilder(palette)
  const above = titled ? TITLE : 0
  const heights = panels.map(panelHeight)
  const total = heights.reduce((sum, height) => sum + height + above, 0) + GAP * (panels.length - 1)
  let used = 0
  let anchor = 'y'
  for (const [i, chart] of panels.entries()) {
    const height = heights[i] as number
    const top = 1 - (used + above) / total
    const panel = figure.panel(panelAxis(chart), [Math.max(0, 1 - (used + above + height) / total), top])
    if (titled) {
      const text = `<b>${escapePlotly(chart.title)}</b>`
      const place = { xref: 'paper', yref: 'paper', x: 0, y: top, xanchor: 'left', yanchor: 'bottom', yshift: 3 }
      figure.annotate({ ...place, text, font: { size: 12, color: '@muted' } })
    }
    drawPanel(panel, chart)
    used += above + height + GAP
    anchor = panel.y
  }
  const shared = panels.length > 1 ? { hoversubplots: 'axis' } : {}
  return figure.finish(total, { ...sharedX(panels), anchor }, shared)
}

function drawPanel(panel: Panel, chart: PanelChart): void {
  if (chart.kind === 'lines') drawLines(panel, chart)
  else if (chart.kind === 'candles') drawCandles(panel, chart)
  else if (chart.kind === 'ribbon') drawRibbonStrip(panel, chart)
  else drawTimeline(panel, chart)
}

function panelHeight(chart: PanelChart): number {
  if (chart.height !== undefined) return chart.height
  switch (chart.kind) {
    case 'lines':
      return 240
    case 'candles':
      return 300
    case 'ribbon':
      return 44
    case 'timeline':
      return 24 + 34 * Math.max(1, timelineLanes(chart).length)
  }
}

function panelAxis(chart: PanelChart): JsonObject {
  if (chart.kind === 'ribbon') return { range: [0, 1], visible: false, fixedrange: true }
  if (chart.kind === 'timeline') return timelineAxis(chart)
  return yAxis(chart)
}

function sharedX(panels: readonly PanelChart[]): JsonObject {
  const chart = panels.find((panel) => panel.kind !== 'timeline') ?? panels[0]
  if (chart === undefined || chart.kind !== 'timeline') return xAxis(chart ?? { title: '' })
  return {
    type: usesTime(chart) ? 'date' : 'linear',
    ...(chart.xTitle ? { title: { text: escapePlotly(chart.xTitle), standoff: 8 } } : {}),
  }
}
