import { neat } from '@regimen/evolve'
import { convergenceChart, elitesChart, paretoChart, speciesChart, trainingChart } from '@regimen/evolve/charts'
import { renderReport } from '@regimen/report'
import { describe, expect, it } from 'vitest'

describe('convergenceChart', () => {
  it('puts runs on common evaluations and ends each where it ended', () => {
    const chart = convergenceChart({
      a: { evaluations: [10, 30], best: [5, 2] },
      b: { evaluations: [20, 40], best: [4, 1] },
    })
    expect(Array.from(chart.x as number[])).toEqual([10, 20, 30, 40])
    expect(chart.series.map(({ y }) => Array.from(y as (number | null)[]))).toEqual([
      [5, 5, 2, null],
      [null, 4, 4, 1],
    ])
  })

  it('refuses nothing, and runs of two lengths', () => {
    expect(() => convergenceChart({})).toThrow('at least one run')
    expect(() => convergenceChart({ a: { evaluations: [1], best: [] } })).toThrow('got 0 and 1')
  })
})

describe('paretoChart', () => {
  it('draws two of the objectives, by front', () => {
    const front = [{ values: [1, 2, 3] }, { values: [4, 5, 6] }]
    const chart = paretoChart(
      { first: front, second: [{ values: [7, 8, 9] }] },
      { axes: [2, 0], names: ['a', 'b', 'c'] },
    )
    expect([chart.x, chart.y, chart.groups]).toEqual([
      [3, 6, 9],
      [1, 4, 7],
      ['first', 'first', 'second'],
    ])
    expect([chart.xTitle, chart.yTitle]).toEqual(['c', 'a'])
    expect(() => paretoChart({ front }, { axes: [0, 3] })).toThrow('axes must be objectives from 0 to 2, got 3')
    expect(() => paretoChart({ front }, { axes: [-1, 0] })).toThrow('got -1')
  })
})

describe('speciesChart', () => {
  it('shows who lives when; every net belongs to one species', () => {
    const optimizer = neat.open({ inputs: 2, outputs: 1, direction: 'maximize', populationSize: 30, seed: 1 })
    const generations = Array.from({ length: 8 }, () => {
      optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: point.weights[0]! })))
      return optimizer.species()
    })
    const { series, x } = speciesChart(generations)
    expect(Array.from(x as number[])).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    generations.forEach((species, g) => {
      const drawn = series.reduce((sum, { y }) => sum + (y as number[])[g]!, 0)
      expect(drawn).toBe(species.reduce((sum, { size }) => sum + size, 0))
    })
    expect(() => speciesChart([])).toThrow('at least one generation')
  })
})

describe('elitesChart', () => {
  const axes = [
    { name: 'turnover', low: 0, high: 10, bins: 2 },
    { name: 'drawdown', low: 0, high: 0.3, bins: 3 },
  ]
  it('puts the first axis across and the second down', () => {
    const elite = (value: number, cell: number[]) => ({ point: {}, value, behaviour: [], cell })
    const chart = elitesChart([elite(7, [1, 0]), elite(-2, [0, 2])], axes)
    expect(chart.values).toEqual([
      [null, 7],
      [null, null],
      [-2, null],
    ])
    expect(chart.rows).toEqual(['0 to 0.1', '0.1 to 0.2', '0.2 to 0.3'])
    expect([chart.columnTitle, chart.rowTitle]).toEqual(['turnover', 'drawdown'])
    expect(() => elitesChart([], [...axes, axes[0]!])).toThrow('one or two axes can be drawn, got 3')
  })
})

describe('trainingChart', () => {
  it('leaves gaps where rounds failed', () => {
    const chart = trainingChart([Float64Array.of(3, Number.NaN), Float64Array.of(2, 5)])
    expect(chart.series.map(({ y }) => y)).toEqual([
      [3, 2],
      [null, 5],
    ])
    expect(() => trainingChart([])).toThrow('at least one round')
  })
})

describe('all of them', () => {
  it('are drawn in a report', async () => {
    const html = await renderReport({
      title: 'A search',
      sections: [
        {
          title: 'What it found',
          blocks: [
            convergenceChart({ run: { evaluations: [1, 2], best: [2, 1] } }),
            paretoChart({ found: [{ values: [1, 2] }] }),
            speciesChart([[{ id: 0, size: 3, stagnant: 0 }]]),
            elitesChart(
              [{ point: {}, value: 1, behaviour: [1], cell: [0] }],
              [{ name: 'turnover', low: 0, high: 2, bins: 2 }],
            ),
            trainingChart([Float64Array.of(1, 2)]),
          ],
        },
      ],
    })
    for (const title of ['Convergence', 'Pareto front', 'Species', 'Best value by behaviour', 'Training by member'])
      expect(html).toContain(title)
  })
})
