import { check, describe } from '@regimen/core'
import { type HeatMap, heatMap, type LineChart, lineChart, type ScatterChart, scatterChart } from '@regimen/report'
import type { BehaviourAxis, Elite } from './diversity/map-elites.ts'
import type { FrontMember } from './multi/multi.ts'
import type { NeatSpecies } from './neat/neat.ts'

/** A convergence curve, as `history` of `minimize` gives it. */
export interface Convergence {
  readonly evaluations: ArrayLike<number>
  readonly best: ArrayLike<number>
}

/**
 * Draws the best value so far against evaluations, for one run or for several side by side.
 *
 * ```ts
 * import { jso, minimize } from '@regimen/evolve'
 * import { convergenceChart } from '@regimen/evolve/charts'
 *
 * const bowl = ([x]: Float64Array) => x! ** 2
 * const space = { dimension: 1, lower: -1, upper: 1 }
 * const a = await minimize(bowl, space, { evaluations: 100 })
 * const b = await minimize(bowl, space, { evaluations: 100, optimizer: jso, options: { maxEvaluations: 100 } })
 * convergenceChart({ 'CMA-ES': a.history, jSO: b.history }).series.map(({ name }) => name) // => ['CMA-ES', 'jSO']
 * ```
 */
export function convergenceChart(runs: { readonly [name: string]: Convergence }): LineChart {
  const names = Object.keys(runs)
  check(names.length > 0, 'evolve/charts', () => 'there must be at least one run, got {}.')
  const x = [...new Set(names.flatMap((name) => Array.from(runs[name]!.evaluations)))].sort((a, b) => a - b)
  return lineChart({
    title: 'Convergence',
    x,
    xTitle: 'evaluations',
    yTitle: 'best value',
    series: names.map((name) => {
      const { evaluations, best } = runs[name]!
      check(
        evaluations.length === best.length && best.length > 0,
        'evolve/charts',
        () =>
          `run ${describe(name)} must have as many values as evaluations, got ${best.length} and ${evaluations.length}.`,
      )
      let at = -1
      const y = x.map((one) => {
        while (at + 1 < evaluations.length && evaluations[at + 1]! <= one) at++
        return at < 0 || one > evaluations[evaluations.length - 1]! ? null : best[at]!
      })
      return { name, y, step: true }
    }),
  })
}

/**
 * Draws a Pareto front over two of its objectives, or several fronts by name.
 *
 * ```ts
 * import { paretoChart } from '@regimen/evolve/charts'
 *
 * const front = [{ point: {}, values: [1, 3] }, { point: {}, values: [2, 1] }]
 * paretoChart({ found: front }, { names: ['drawdown', 'return'] }).xTitle // => 'drawdown'
 * ```
 */
export function paretoChart(
  fronts: { readonly [name: string]: readonly Pick<FrontMember<unknown>, 'values'>[] },
  options: { readonly axes?: readonly [number, number]; readonly names?: readonly string[] } = {},
): ScatterChart {
  const { axes: [first, second] = [0, 1], names = [] } = options
  const all = Object.entries(fronts).flatMap(([group, front]) => front.map(({ values }) => ({ group, values })))
  for (const axis of [first, second]) {
    check(
      Number.isInteger(axis) && axis >= 0 && all.every(({ values }) => axis < values.length),
      'evolve/charts',
      () => `axes must be objectives from 0 to ${(all[0]?.values.length ?? 1) - 1}, got ${axis}.`,
    )
  }
  return scatterChart({
    title: 'Pareto front',
    x: all.map(({ values }) => values[first]!),
    y: all.map(({ values }) => values[second]!),
    groups: all.map(({ group }) => group),
    labels: all.map(({ values }) => values.map((value) => value.toPrecision(4)).join(', ')),
    xTitle: names[first] ?? `objective ${first}`,
    yTitle: names[second] ?? `objective ${second}`,
  })
}

/**
 * Draws the sizes of NEAT's species over the generations: collect `species()` after every `tell`.
 *
 * ```ts
 * import { speciesChart } from '@regimen/evolve/charts'
 *
 * const chart = speciesChart([[{ id: 0, size: 9, stagnant: 0 }], [{ id: 0, size: 5, stagnant: 1 }, { id: 1, size: 4, stagnant: 0 }]])
 * chart.series.map(({ y }) => Array.from(y)) // => [[9, 5], [0, 4]]
 * ```
 */
export function speciesChart(generations: readonly (readonly NeatSpecies[])[]): LineChart {
  check(generations.length > 0, 'evolve/charts', () => 'there must be at least one generation, got [].')
  const ids = [...new Set(generations.flatMap((species) => species.map(({ id }) => id)))].sort((a, b) => a - b)
  return lineChart({
    title: 'Species',
    x: generations.map((_, generation) => generation + 1),
    xTitle: 'generation',
    yTitle: 'nets',
    series: ids.map((id) => ({
      name: `species ${id}`,
      y: generations.map((species) => species.find((one) => one.id === id)?.size ?? 0),
      fill: true,
    })),
  })
}

/**
 * Draws the best value in each cell of a map with one or two axes; cells that were not reached stay empty.
 *
 * ```ts
 * import { elitesChart } from '@regimen/evolve/charts'
 *
 * const axes = [{ name: 'turnover', low: 0, high: 10, bins: 2 }]
 * const chart = elitesChart([{ point: {}, value: 3, behaviour: [7], cell: [1] }], axes)
 * chart.columns // => ['0 to 5', '5 to 10']
 * chart.values // => [[null, 3]]
 * ```
 */
export function elitesChart(elites: readonly Elite<unknown>[], axes: readonly BehaviourAxis[]): HeatMap {
  check(
    axes.length === 1 || axes.length === 2,
    'evolve/charts',
    () => `a map with one or two axes can be drawn, got ${axes.length}.`,
  )
  const [across, down] = axes as [BehaviourAxis, BehaviourAxis | undefined]
  const values = Array.from({ length: down?.bins ?? 1 }, () => new Array<number | null>(across.bins).fill(null))
  for (const { value, cell } of elites) values[cell[1] ?? 0]![cell[0]!] = value
  return heatMap({
    title: 'Best value by behaviour',
    values,
    rows: down ? binNames(down) : ['value'],
    columns: binNames(across),
    columnTitle: across.name,
    ...(down ? { rowTitle: down.name } : {}),
  })
}

function binNames({ low, high, bins }: BehaviourAxis): string[] {
  const edge = (k: number): string => String(Number((low + ((high - low) * k) / bins).toPrecision(4)))
  return Array.from({ length: bins }, (_, k) => `${edge(k)} to ${edge(k + 1)}`)
}

/**
 * Draws what population-based training reached, one line a member; gaps are failed rounds.
 *
 * ```ts
 * import { trainingChart } from '@regimen/evolve/charts'
 *
 * trainingChart([Float64Array.of(3, 4), Float64Array.of(2, 1)]).series.map(({ y }) => Array.from(y)) // => [[3, 2], [4, 1]]
 * ```
 */
export function trainingChart(history: readonly ArrayLike<number>[]): LineChart {
  check(history.length > 0, 'evolve/charts', () => 'there must be at least one round, got [].')
  return lineChart({
    title: 'Training by member',
    x: history.map((_, round) => round + 1),
    xTitle: 'round',
    yTitle: 'value',
    series: Array.from({ length: history[0]!.length }, (_, member) => ({
      name: `member ${member}`,
      y: history.map((values) => (Number.isFinite(values[member]!) ? values[member]! : null)),
    })),
  })
}
