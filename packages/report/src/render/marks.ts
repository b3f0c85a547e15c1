import { escapePlotly } from '../escape.ts'
import { formatNumber, valueAt } from '../format.ts'
import type { Color } from '../palette.ts'
import type { AxisOptions, EventMark, Numbers, Ribbon, RibbonSegment } from '../types.ts'
import { type AxisValues, cell, type Json, type Panel } from './figure.ts'

const HOVER_POINTS = 1500

/** How a ribbon lies in its panel. */
export interface RibbonStyle {
  readonly opacity: number
  readonly layer: 'above' | 'below'
  /** Text before the label in the hover. */
  readonly prefix: string
  /** Height of the hover's point. */
  readonly y: (index: number) => number
}

/** Stretches of equal label, named. */
export function ribbonSegments(ribbon: Ribbon): (RibbonSegment & { readonly name: string })[] {
  const name = (label: string | number): string =>
    typeof label === 'number' ? (ribbon.names?.[label] ?? String(label)) : label
  if (ribbon.segments) return ribbon.segments.map((segment) => ({ ...segment, name: name(segment.label) }))
  const labels = ribbon.labels ?? []
  const found: (RibbonSegment & { readonly name: string })[] = []
  for (let start = 0; start < labels.length; ) {
    const label = labels[start]
    let end = start + 1
    while (end < labels.length && Object.is(labels[end], label)) end++
    if (typeof label === 'string' || (typeof label === 'number' && Number.isFinite(label))) {
      found.push({ start, end, label, name: name(label) })
    }
    start = end
  }
  return found
}

/**
 * Draws the stretches as one path per label (thousands of stretches stay cheap) and names the label in the hover.
 */
export function drawRibbon(panel: Panel, axis: AxisValues, ribbon: Ribbon, style: RibbonStyle): void {
  const { figure } = panel
  const { opacity, layer, prefix, y } = style
  const paths = new Map<string, string>()
  const hover: { x: (number | null)[]; y: (number | null)[]; text: string[] } = { x: [], y: [], text: [] }
  const step = Math.max(1, Math.floor(axis.length / HOVER_POINTS))
  for (const { start, end, name } of ribbonSegments(ribbon)) {
    const [a, b] = [coordinate(axis, axis.at(start)), coordinate(axis, edge(axis, end))]
    paths.set(name, `${paths.get(name) ?? ''}M${a},0L${b},0L${b},1L${a},1Z`)
    for (let i = start; i < end; i += step) {
      hover.x.push(cell(axis.at(i)))
      hover.y.push(cell(y(i)))
      hover.text.push(escapePlotly(prefix + name))
    }
  }
  for (const [name, path] of paths) {
    const color = figure.palette.of(name)
    const fillcolor = withAlpha(color, opacity)
    const area = { type: 'path', xref: 'x', yref: panel.area, layer }
    const shape = figure.shape({ ...area, path, fillcolor, line: { width: 0 } })
    figure.legend(name, color, 'box', { shapes: [shape] })
  }
  const line = { width: 0, color: '@ink' }
  const hovertemplate = '%{text}<extra></extra>'
  figure.trace({ type: 'scatter', mode: 'lines', ...hover, yaxis: panel.y, line, hovertemplate })
}

/** Draws marks along the top of a panel, a thin line below each while there are few. */
export function drawEvents(panel: Panel, events: readonly EventMark[]): void {
  const { figure } = panel
  for (const [kind, marks] of groupEvents(events)) {
    const color = figure.palette.event(kind)
    const trace = figure.trace({
      type: 'scatter',
      mode: 'markers',
      x: marks.map((mark) => cell(mark.at)),
      y: marks.map(() => 0.97),
      yaxis: panel.overlay(),
      text: marks.map(eventText),
      marker: {
        color,
        size: 10,
        symbol: eventSymbol(figure.palette.eventIndex(kind)),
        line: { color: '@surface', width: 1.5 },
      },
      hovertemplate: '%{text}<extra></extra>',
      cliponaxis: false,
    })
    const lines =
      events.length > 60
        ? []
        : marks.map((mark) =>
            figure.shape({
              type: 'line',
              xref: 'x',
              yref: panel.area,
              x0: mark.at,
              x1: mark.at,
              y0: 0,
              y1: 0.97,
              line: { color: withAlpha(color, 0.55), width: 1, dash: 'dot' },
            }),
          )
    figure.legend(kind, color, 'point', { traces: [trace], shapes: lines })
  }
}

/** Draws the ribbon, events and reference lines of a chart over an x axis; `y` is its main series. */
export function drawDecorations(panel: Panel, axis: AxisValues, options: AxisOptions, y: Numbers): void {
  if (options.ribbon) {
    const style = { opacity: 0.2, layer: 'below', prefix: '', y: (i: number) => valueAt(y, i) } as const
    drawRibbon(panel, axis, options.ribbon, style)
  }
  if (options.events && options.events.length > 0) drawEvents(panel, options.events)
  for (const { y, label } of options.references ?? []) {
    panel.figure.shape({
      type: 'line',
      xref: 'paper',
      yref: panel.y,
      x0: 0,
      x1: 1,
      y0: y,
      y1: y,
      line: { color: '@muted', width: 1, dash: 'dash' },
    })
    if (label === undefined) continue
    panel.figure.annotate({
      xref: 'paper',
      yref: panel.y,
      x: 1,
      y: options.scale === 'log' ? Math.log10(y) : y,
      text: escapePlotly(label),
      xanchor: 'right',
      yanchor: 'bottom',
      font: { size: 11, color: '@muted' },
    })
  }
}

export function groupEvents(events: readonly EventMark[]): Map<string, EventMark[]> {
  const kinds = new Map<string, EventMark[]>()
  for (const event of events) {
    const kind = event.kind ?? 'event'
    const marks = kinds.get(kind) ?? []
    marks.push(event)
    kinds.set(kind, marks)
  }
  return kinds
}

export function eventText(event: EventMark): string {
  const detail = event.detail ? `<br>${wrap(escapePlotly(event.detail))}` : ''
  return `<b>${escapePlotly(event.label)}</b>${detail}`
}

const SYMBOLS = ['triangle-down', 'diamond', 'circle', 'square', 'star', 'cross', 'hexagon', 'x'] as const

export function eventSymbol(index: number): string {
  return SYMBOLS[index % SYMBOLS.length] as string
}

/** A colour with opacity 0 to 1, resolved by the page. */
export function withAlpha(color: Color, alpha: number): Json & string {
  return `${color}/${alpha}`
}

/** Rows that describe a ribbon to readers who do not see it. */
export function ribbonRows(axis: AxisValues, ribbon: Ribbon): string[][] {
  const format = axis.kind === 'time' ? 'time' : 'number'
  return ribbonSegments(ribbon).map(({ start, end, name }) => [
    name,
    formatNumber(axis.at(start), format),
    formatNumber(edge(axis, end), format),
    formatNumber(end - start, 'integer'),
  ])
}

function edge(axis: AxisValues, end: number): number {
  if (end < axis.length) return axis.at(end)
  const last = axis.at(axis.length - 1)
  return axis.length > 1 ? last + (last - axis.at(0)) / (axis.length - 1) : last + 1
}

function coordinate(axis: AxisValues, value: number): string {
  if (axis.kind === 'number') return String(cell(value))
  return new Date(value).toISOString().slice(0, 23).replace('T', '_')
}

function wrap(text: string): string {
  return text.replace(/(.{48,}?)\s/g, '$1<br>')
}
