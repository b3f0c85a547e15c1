import { check, describe } from '@regimen/core'
import { checkFigure, checkText } from '../doors.ts'
import { escapePlotly } from '../escape.ts'
import { formatNumber } from '../format.ts'
import type { Fallback } from '../render/fallback.ts'
import { cell, type JsonObject, type Panel } from '../render/figure.ts'
import { eventSymbol, eventText, groupEvents } from '../render/marks.ts'
import type { EventMark, FigureOptions } from '../types.ts'

/** One mark on a {@link timeline}. */
export interface TimelineEvent extends EventMark {
  /** Row of the mark, for example the model's name. @default '' */
  readonly lane?: string
}

/** Options of {@link timeline}. */
export interface TimelineOptions extends FigureOptions {
  readonly events: readonly TimelineEvent[]
  /** How `at` is read: UTC epoch milliseconds or a plain number. @default 'time' */
  readonly axis?: 'time' | 'number'
  readonly xTitle?: string
}

/** Events on lanes as data, made by {@link timeline}. */
export interface Timeline extends TimelineOptions {
  readonly kind: 'timeline'
}

const WHERE = 'report/timeline'

/**
 * Describes events on one or more lanes over time: promotions and rollbacks per model, drift alarms, regime switches.
 * Colour and symbol say the kind, the hover tells the story. To mark a few events on a price or equity chart pass
 * `events` there; for a log of thousands with text choose {@link dataTable}.
 *
 * ```ts
 * import { timeline } from '@regimen/report'
 *
 * const chart = timeline({
 *   title: 'Model store',
 *   events: [
 *     { at: 0, lane: 'forecaster', kind: 'promotion', label: 'v2 promoted', detail: 'log-loss 0.68 against 0.71' },
 *     { at: 86_400_000, lane: 'forecaster', kind: 'rollback', label: 'back to v1' },
 *   ],
 * })
 * chart.events.length // => 2
 * ```
 */
export function timeline(options: TimelineOptions): Timeline {
  checkFigure(options, WHERE)
  check(
    Array.isArray(options.events),
    WHERE,
    () => `events must be an array, got ${describe(options.events)}.`,
    'Pass [] when nothing happened.',
  )
  for (const [i, event] of options.events.entries()) {
    check(Number.isFinite(event.at), WHERE, () => `events[${i}].at must be finite, got ${describe(event.at)}.`)
    checkText(event.label, `events[${i}].label`, WHERE)
  }
  return { ...options, kind: 'timeline' }
}

export function timelineLanes(chart: Timeline): string[] {
  return [...new Set(chart.events.map((event) => event.lane ?? ''))]
}

export function timelineAxis(chart: Timeline): JsonObject {
  const lanes = timelineLanes(chart)
  return {
    range: [Math.max(1, lanes.length) - 0.4, -0.6],
    tickvals: lanes.map((_, i) => i),
    ticktext: lanes.map(escapePlotly),
    fixedrange: true,
  }
}

export function drawTimeline(panel: Panel, chart: Timeline): void {
  const lanes = timelineLanes(chart)
  for (const [kind, marks] of groupEvents(chart.events)) {
    const color = panel.figure.palette.event(kind)
    const trace = panel.figure.trace({
      type: 'scatter',
      mode: 'markers',
      x: marks.map((mark) => cell(mark.at)),
      y: marks.map((mark) => lanes.indexOf((mark as TimelineEvent).lane ?? '')),
      yaxis: panel.y,
      text: marks.map(eventText),
      marker: {
        color,
        size: 12,
        symbol: eventSymbol(panel.figure.palette.eventIndex(kind)),
        line: { color: '@surface', width: 1 },
      },
      hovertemplate: '%{text}<extra></extra>',
    })
    panel.figure.legend(kind, color, 'point', { traces: [trace] })
  }
}

export function timelineFallback(chart: Timeline): Fallback {
  const format = chart.axis === 'number' ? 'number' : 'time'
  const rows = chart.events.map((event) => [
    formatNumber(event.at, format),
    event.lane ?? '',
    event.kind ?? 'event',
    event.label,
    event.detail ?? '',
  ])
  return { head: [format === 'time' ? 'Time (UTC)' : 'At', 'Lane', 'Kind', 'Event', 'Detail'], rows }
}
