import { escapePlotly } from '../escape.ts'
import { formatNumber } from '../format.ts'
import type { Color } from '../palette.ts'
import type { AxisOptions, EventMark, Ribbon, RibbonSegment } from '../types.ts'
import { type AxisValues, cell, type Json, type Panel } from './figure.ts'

const INSET = 0.002

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

/** Draws the stretches as one path per label (thousands of stretches stay cheap) and lets the hover name the label. */
export function drawRibbon(panel: Panel, axis: AxisValues, ribbon: Ribbon, opacity: number): void {
  const { figure } = panel
  const segments = ribbonSegments(ribbon)
  const byName = new Map<string, string[]>()
  const hover: { x: (number | null)[]; text: string[] } = { x: [], text: [] }
  for (const { start, end, name } of segments) {
    const from = axis.at(start)
    const to = edge(axis, end)
    const [a, b] = [coordinate(axis, from), coordinate(axis, to)]
    const path = byName.get(name) ?? []
    path.push(`M${a},0L${b},0L${b},1L${a},1Z`)
    byName.set(name, path)
    const inset = (to - from) * INSET
    hover.x.push(cell(from + inset), cell(to - inset))
    hover.text.push(escapePlotly(name), escapePlotly(name))
  }
  for (const [name, path] of byName) {
    const color = figure.palette.of(name)
    const shape = figure.shape({
      type: 'path',
      xref: 'x',
      yref: panel.area,
      path: path.join(''),
      fillcolor: withAlpha(color, opacity),
      line: { width: 0 },
      layer: 'below',
    })
    figure.legend(name, color, 'box', { shapes: [shape] })
  }
  figure.trace({
    type: 'scatter',
    mode: 'lines',
    ...hover,
    y: hover.x.map(() => 0.5),
    yaxis: panel.overlay(),
    line: { width: 0 },
    hovertemplate: '%{text}<extra></extra>',
  })
}

/** Draws marks along the top of a panel, a thin line below each while there are few. */
export function drawEvents(panel: Panel, events: readonly EventMark[]): void {
  const { figure } = panel
  for (const [kind, marks] of groupEvents(events)) {
    const color = figure.palette.of(kind)
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
        symbol: eventSymbol(figure.palette.index(kind)),
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

/** Draws the ribbon, events and reference lines that any chart over an x axis may have. */
export function drawDecorations(panel: Panel, axis: AxisValues, options: AxisOptions): void {
  if (options.ribbon) drawRibbon(panel, axis, options.ribbon, 0.2)
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
