import { check } from '@regimen/core'
import { type HeatMap, heatMap, type LineChart, lineChart, type ScatterChart, scatterChart } from '@regimen/report'
import type { SkillGraph } from './skills/graph.ts'

/** Options of the charts. */
export interface ContinualChartOptions {
  /** Names of the tasks. @default their numbers from 1 */
  names?: readonly string[]
  /** @default what the chart shows */
  title?: string
}

/**
 * Draws an accuracy matrix: a row after each task learned, a column for each task. Reading down a column shows how a task is
 * forgotten. For many tasks take {@link forgettingChart}.
 *
 * ```ts
 * import { accuracyChart } from '@regimen/continual/charts'
 *
 * const chart = accuracyChart([[0.9], [0.7, 0.8]], { names: ['calm', 'panic'] })
 * chart.columns // => ['calm', 'panic']
 * ```
 */
export function accuracyChart(matrix: readonly ArrayLike<number>[], options: ContinualChartOptions = {}): HeatMap {
  const { title = 'Accuracy on each task (columns) after learning each (rows)' } = options
  const names = namesOf(matrix, options)
  return heatMap({
    title,
    rows: names,
    columns: names,
    // What was not measured stays hatched.
    values: matrix.map((row) => names.map((_, j) => row[j] ?? Number.NaN)),
    rowTitle: 'learned',
    columnTitle: 'judged on',
    format: 'percent',
    range: [0, 1],
  })
}

/**
 * Draws what is kept as learning goes on: after each task the mean accuracy on all tasks so far, and how far they have fallen
 * below their best on average. Needs the lower triangle of the matrix.
 *
 * ```ts
 * import { forgettingChart } from '@regimen/continual/charts'
 *
 * const [accuracy, forgotten] = forgettingChart([[1], [0.5, 0.75]]).series
 * accuracy!.y // => [1, 0.625]
 * forgotten!.y // => [0, 0.5]
 * ```
 */
export function forgettingChart(matrix: readonly ArrayLike<number>[], options: ContinualChartOptions = {}): LineChart {
  const { title = 'What is kept of the tasks so far' } = options
  const names = namesOf(matrix, options)
  const best: number[] = []
  const accuracy: number[] = []
  const forgotten: number[] = []
  for (const [i, row] of matrix.entries()) {
    let sum = 0
    let lost = 0
    for (let j = 0; j <= i; j++) {
      sum += row[j]!
      lost += Math.max(0, (best[j] ?? 0) - row[j]!)
      best[j] = Math.max(best[j] ?? 0, row[j]!)
    }
    accuracy.push(sum / (i + 1))
    // The task just learned has not had time to be forgotten.
    forgotten.push(i === 0 ? 0 : lost / i)
  }
  return lineChart({
    title,
    x: names.map((_, i) => i + 1),
    xTitle: 'tasks learned',
    series: [
      { name: 'mean accuracy', y: accuracy, points: true },
      { name: 'mean forgetting', y: forgotten, points: true },
    ],
  })
}

/**
 * Draws a library of skills as a graph: a point a skill, placed so that near ones have like descriptors, larger the more
 * samples it was judged by; skills that decayed are a group of their own, and a line joins skills that are linked.
 *
 * ```ts
 * import { skillsChart } from '@regimen/continual/charts'
 *
 * const skill = { kind: 'regime' as const, x: 0, y: 0, added: 0, judged: 9, loss: 0.5, evidence: 1, absorbed: [], metrics: {} }
 * const nodes = [{ ...skill, name: 'calm', decayed: false }, { ...skill, name: 'panic', x: 2, decayed: true }]
 * const edge = { source: 'calm', target: 'panic', kind: 'similar' as const, distance: 2, similarity: 1 / 3 }
 * const chart = skillsChart({ nodes, edges: [edge] })
 * chart.groups // => ['regime', 'decayed']
 * chart.links // => [[0, 1]]
 * ```
 */
export function skillsChart(graph: SkillGraph, options: { readonly title?: string } = {}): ScatterChart {
  const { nodes, edges } = graph
  const places = new Map(nodes.map(({ name }, i) => [name, i]))
  return scatterChart({
    title: options.title ?? 'Skills, by likeness',
    description: 'Distances in the plane are near those of the descriptors.',
    x: nodes.map(({ x }) => x),
    y: nodes.map(({ y }) => y),
    labels: nodes.map(({ name, loss, judged }) => `${name}: loss ${Number(loss.toPrecision(3))}, ${judged} judged`),
    groups: nodes.map(({ kind, decayed }) => (decayed ? 'decayed' : kind)),
    weights: nodes.map(({ judged }) => judged + 1),
    links: edges.map(({ source, target }) => [places.get(source)!, places.get(target)!] as const),
  })
}

function namesOf(matrix: readonly ArrayLike<number>[], { names }: ContinualChartOptions): readonly string[] {
  const where = 'continual/charts'
  check(matrix.length >= 1, where, () => 'the accuracy matrix must have a row for each task, got none.')
  check(
    names === undefined || names.length === matrix.length,
    where,
    () => `names must hold ${matrix.length} names, got ${names?.length}.`,
  )
  return names ?? matrix.map((_, i) => String(i + 1))
}
