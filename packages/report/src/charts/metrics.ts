import { check, describe } from '@regimen/core'
import { checkNumbers, checkText } from '../doors.ts'
import { downsample } from '../downsample.ts'
import { escapeHtml } from '../escape.ts'
import { formatNumber, valueAt } from '../format.ts'
import type { Format, Numbers } from '../types.ts'

/** One key figure of {@link metricCards}. */
export interface Metric {
  readonly label: string
  readonly value: number | string
  /** @default 'number' */
  readonly format?: Format
  /** Ends of its confidence interval, in the same unit. */
  readonly interval?: readonly [low: number, high: number]
  /** How it compares, for example `+0.31 against static`. */
  readonly note?: string
  /** Colours the note: is this good news? @default 'neutral' */
  readonly tone?: 'good' | 'bad' | 'neutral'
  /** A small curve below the figure. */
  readonly spark?: Numbers
}

/** Options of {@link metricCards}. */
export interface MetricCardsOptions {
  readonly metrics: readonly Metric[]
}

/** Key figures as data, made by {@link metricCards}. */
export interface MetricCards extends MetricCardsOptions {
  readonly kind: 'metrics'
}

const WHERE = 'report/metric-cards'
const SPARK = { width: 120, height: 28, points: 120 } as const

/**
 * Describes key figures as cards: what a reader should know before looking at any chart. Each may carry its interval, a
 * note with its tone (a sign stands beside the colour) and a small curve. Choose {@link dataTable} to compare many.
 *
 * ```ts
 * import { metricCards } from '@regimen/report'
 *
 * const cards = metricCards({
 *   metrics: [{ label: 'Sharpe', value: 1.24, interval: [0.9, 1.6], note: '+0.31 against static', tone: 'good' }],
 * })
 * cards.metrics.length // => 1
 * ```
 */
export function metricCards(options: MetricCardsOptions): MetricCards {
  check(
    Array.isArray(options.metrics) && options.metrics.length > 0,
    WHERE,
    () => `metrics must hold at least one figure, got ${describe(options.metrics)}.`,
  )
  for (const [i, metric] of options.metrics.entries()) {
    checkText(metric.label, `metrics[${i}].label`, WHERE)
    check(
      typeof metric.value === 'number' || typeof metric.value === 'string',
      WHERE,
      () => `metrics[${i}].value must be a number or a string, got ${describe(metric.value)}.`,
    )
    if (metric.spark) checkNumbers(metric.spark, `metrics[${i}].spark`, WHERE)
  }
  return { ...options, kind: 'metrics' }
}

export function metricsHtml(chart: MetricCards): string {
  return `<dl class="cards">${chart.metrics.map(card).join('')}</dl>`
}

function card(metric: Metric): string {
  const value = typeof metric.value === 'number' ? formatNumber(metric.value, metric.format) : metric.value
  const range = metric.interval?.map((end) => formatNumber(end, metric.format)).join(' to ')
  const tone = metric.tone ?? 'neutral'
  const sign = tone === 'good' ? '▲ ' : tone === 'bad' ? '▼ ' : ''
  const parts = [
    `<dt>${escapeHtml(metric.label)}</dt><dd class="value">${escapeHtml(value)}</dd>`,
    range ? `<dd class="range">${escapeHtml(range)}</dd>` : '',
    metric.note
      ? `<dd class="note ${tone}"><span aria-hidden="true">${sign}</span>${escapeHtml(metric.note)}</dd>`
      : '',
    metric.spark ? `<dd class="spark" aria-hidden="true">${sparkline(metric.spark)}</dd>` : '',
  ]
  return `<div class="card">${parts.join('')}</div>`
}

function sparkline(values: Numbers): string {
  const kept = downsample(values, { maxPoints: SPARK.points }).filter((i) => !Number.isNaN(valueAt(values, i)))
  if (kept.length < 2) return ''
  const numbers = kept.map((i) => valueAt(values, i))
  const low = Math.min(...numbers)
  const range = Math.max(...numbers) - low || 1
  const points = kept.map((i, k) => {
    const x = (i / (values.length - 1)) * SPARK.width
    const y = 2 + (1 - ((numbers[k] as number) - low) / range) * (SPARK.height - 4)
    return `${x.toFixed(1)},${y.toFixed(1)}`
  })
  return `<svg viewBox="0 0 ${SPARK.width} ${SPARK.height}" preserveAspectRatio="none"><polyline points="${points.join(' ')}"/></svg>`
}
