import { check, describe } from '@regimen/core'
import {
  type BarChart,
  barChart,
  type HeatMap,
  heatMap,
  type LineChart,
  lineChart,
  type ParallelCoordinates,
  parallelCoordinates,
  type ScatterChart,
  type Section,
  scatterChart,
} from '@regimen/report'
import type { CompleteTrial } from '../front.ts'
import type { Study } from '../study.ts'
import { importance } from './importance.ts'

/**
 * Draws the value of every complete trial and the best so far.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 * import { historyChart } from '@regimen/bayes/charts'
 *
 * const study = openStudy({ direction: 'minimize', seed: 1 })
 * await study.optimize((trial) => trial.float('x', 0, 1), { trials: 5 })
 * historyChart(study).series.map((series) => series.name) // => ['trial', 'best so far']
 * ```
 */
export function historyChart(study: Study): LineChart {
  const trials = single(study)
  const sign = study.directions[0] === 'minimize' ? 1 : -1
  let best = Number.POSITIVE_INFINITY
  const running = trials.map((trial) => {
    if (trial.violations.every((v) => v <= 0)) best = Math.min(best, sign * trial.value)
    return Number.isFinite(best) ? sign * best : null
  })
  return lineChart({
    title: 'Optimization history',
    x: trials.map(({ number }) => number),
    xTitle: 'trial',
    yTitle: 'value',
    series: [
      { name: 'trial', y: trials.map(({ value }) => value), points: 'only' },
      { name: 'best so far', y: running, step: true },
    ],
  })
}

/**
 * Draws every complete trial as a line through its parameters to its value.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 * import { parallelChart } from '@regimen/bayes/charts'
 *
 * const study = openStudy({ direction: 'minimize', seed: 1 })
 * await study.optimize((trial) => trial.float('x', 0, 1) + trial.int('n', 1, 3), { trials: 5 })
 * parallelChart(study).axes.map((axis) => axis.name) // => ['x', 'n', 'value']
 * ```
 */
export function parallelChart(study: Study): ParallelCoordinates {
  const trials = single(study)
  const axes = [...study.space].map(([name, dimension]) => ({
    name,
    values: trials.map(({ params }) => axisValue(params[name])),
    ...(dimension.type !== 'categorical' && dimension.log ? { scale: 'log' as const } : {}),
  }))
  return parallelCoordinates({
    title: 'Parameters and value',
    axes: [...axes, { name: 'value', values: trials.map(({ value }) => value) }],
    colorBy: axes.length,
    best: study.directions[0] === 'minimize' ? 'low' : 'high',
  })
}

/**
 * Draws the value against one parameter.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 * import { sliceChart } from '@regimen/bayes/charts'
 *
 * const study = openStudy({ direction: 'minimize', seed: 1 })
 * await study.optimize((trial) => trial.float('x', 0, 1), { trials: 5 })
 * sliceChart(study, 'x').x.length // => 5
 * ```
 */
export function sliceChart(study: Study, name: string): ScatterChart {
  const dimension = study.space.get(name)
  check(dimension !== undefined, 'bayes/charts', () => `the study has no parameter ${describe(name)}.`)
  const trials = single(study).filter(({ params }) => params[name] !== undefined)
  const choices = dimension.type === 'categorical' ? dimension.choices : undefined
  return scatterChart({
    title: choices
      ? `Value by ${name}: ${choices.map((choice, i) => `${i} = ${choice}`).join(', ')}`
      : `Value by ${name}`,
    x: trials.map(({ params }) => (choices ? choices.indexOf(params[name]!) : (params[name] as number))),
    y: trials.map(({ value }) => value),
    labels: trials.map(({ number }) => `trial ${number}`),
    xTitle: name,
    yTitle: 'value',
    ...(dimension.type !== 'categorical' && dimension.log ? { xScale: 'log' as const } : {}),
  })
}

/**
 * Draws the best value found in each cell of two numeric parameters.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 * import { contourChart } from '@regimen/bayes/charts'
 *
 * const study = openStudy({ direction: 'minimize', seed: 1 })
 * await study.optimize((trial) => trial.float('x', 0, 1) + trial.float('y', 0, 1), { trials: 30 })
 * contourChart(study, 'x', 'y', 4).columns.length // => 4
 * ```
 */
export function contourChart(study: Study, x: string, y: string, cells = 12): HeatMap {
  const trials = single(study).filter(({ params }) => params[x] !== undefined && params[y] !== undefined)
  const sign = study.directions[0] === 'minimize' ? 1 : -1
  const [first, second] = [bins(study, x, cells), bins(study, y, cells)]
  const values = second.labels.map(() => new Array<number | null>(first.labels.length).fill(null))
  for (const { params, value } of trials) {
    const row = values[second.at(params[y]!)]!
    const column = first.at(params[x]!)
    const before = row[column]
    if (before === null || before === undefined || sign * value < sign * before) row[column] = value
  }
  return heatMap({
    title: `Best value by ${x} and ${y}`,
    values,
    rows: second.labels,
    columns: first.labels,
    rowTitle: y,
    columnTitle: x,
  })
}

/**
 * Draws how much of the variance each parameter explains.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 * import { importanceChart } from '@regimen/bayes/charts'
 *
 * const study = openStudy({ direction: 'minimize', seed: 1 })
 * await study.optimize((trial) => trial.float('x', 0, 1), { trials: 12 })
 * importanceChart(study).categories // => ['x']
 * ```
 */
export function importanceChart(study: Study): BarChart {
  const shares = importance(study)
  return barChart({
    title: 'Importance of parameters',
    categories: Object.keys(shares),
    series: [{ name: 'share of variance', values: Object.values(shares) }],
    horizontal: true,
    format: 'percent',
  })
}

/**
 * Draws two objectives against each other, the front apart.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 * import { paretoChart } from '@regimen/bayes/charts'
 *
 * const study = openStudy({ direction: ['minimize', 'minimize'], seed: 1 })
 * await study.optimize((trial) => [trial.float('x', 0, 1), 1 - trial.float('x', 0, 1)], { trials: 5 })
 * paretoChart(study).x.length // => 5
 * ```
 */
export function paretoChart(study: Study, first = 0, second = 1): ScatterChart {
  check(study.directions.length >= 2, 'bayes/charts', () => 'a Pareto plot needs two objectives, got one.')
  const trials = study.completed
  const front = new Set(study.front.map(({ number }) => number))
  return scatterChart({
    title: 'Pareto front',
    x: trials.map(({ values }) => values[first]!),
    y: trials.map(({ values }) => values[second]!),
    groups: trials.map(({ number }) => (front.has(number) ? 'front' : 'dominated')),
    labels: trials.map(({ number }) => `trial ${number}`),
    xTitle: `objective ${first}`,
    yTitle: `objective ${second}`,
  })
}

/**
 * Collects the charts of a study as a section for `renderReport`.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 * import { studySection } from '@regimen/bayes/charts'
 *
 * const study = openStudy({ direction: 'minimize', name: 'trend', seed: 1 })
 * await study.optimize((trial) => trial.float('x', 0, 1), { trials: 12 })
 * studySection(study).title // => 'trend'
 * ```
 */
export function studySection(study: Study): Section {
  if (study.directions.length > 1) return { title: study.name, blocks: [paretoChart(study)] }
  const names = Object.keys(importance(study))
  const numeric = names.filter((name) => study.space.get(name)!.type !== 'categorical')
  return {
    title: study.name,
    blocks: [
      historyChart(study),
      importanceChart(study),
      parallelChart(study),
      ...names.slice(0, 4).map((name) => sliceChart(study, name)),
      ...(numeric.length >= 2 ? [contourChart(study, numeric[0]!, numeric[1]!)] : []),
    ],
  }
}

function single(study: Study): readonly CompleteTrial[] {
  check(study.directions.length === 1, 'bayes/charts', () => 'this chart needs one objective.', 'Take paretoChart.')
  return study.completed
}

function axisValue(value: unknown): number | string | null {
  return typeof value === 'number' || typeof value === 'string' ? value : value === undefined ? null : String(value)
}

function bins(study: Study, name: string, cells: number): { labels: string[]; at(value: unknown): number } {
  const dimension = study.space.get(name)
  check(
    dimension !== undefined && dimension.type !== 'categorical',
    'bayes/charts',
    () => `${describe(name)} must be a numeric parameter of the study.`,
  )
  const scale = dimension.log ? Math.log : (v: number): number => v
  const back = dimension.log ? Math.exp : (v: number): number => v
  const low = scale(dimension.low)
  const width = scale(dimension.high) - low || 1
  return {
    labels: Array.from({ length: cells }, (_, i) => back(low + ((i + 0.5) / cells) * width).toPrecision(3)),
    at: (value) => Math.min(Math.floor(((scale(value as number) - low) / width) * cells), cells - 1),
  }
}
