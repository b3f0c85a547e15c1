import { createRng } from '@regimen/core'
import { renderReport } from '@regimen/report'
import { describe, expect, it } from 'vitest'
import { accuracyChart, forgettingChart } from '../src/charts.ts'
import { continualMetrics } from '../src/index.ts'

describe('charts', () => {
  const matrix = [[0.9], [0.7, 0.8], [0.75, 0.6, 1]]

  it('show the matrix, and hatch what was not measured', async () => {
    const chart = accuracyChart(matrix, { names: ['calm', 'nervous', 'panic'] })
    expect(chart.values).toEqual([
      [0.9, Number.NaN, Number.NaN],
      [0.7, 0.8, Number.NaN],
      [0.75, 0.6, 1],
    ])
    const html = await renderReport({
      title: 'kept',
      sections: [{ title: 'all', blocks: [chart, forgettingChart(matrix)] }],
    })
    expect(html).toContain('nervous')
    expect(() => accuracyChart(matrix, { names: ['one'] })).toThrow('names must hold 3 names, got 1')
    expect(() => forgettingChart([])).toThrow('got none')
  })

  it('show forgetting by hand, and end where the metrics end', () => {
    const [accuracy, forgotten] = forgettingChart(matrix).series
    expect(accuracy!.y).toEqual([0.9, 0.75, (0.75 + 0.6 + 1) / 3])
    // After the second task 0.9 − 0.7; after the third 0.9 − 0.75 and 0.8 − 0.6.
    expect(Array.from(forgotten!.y, (value) => Number(value!.toFixed(12)))).toEqual([0, 0.2, 0.175])
    const rng = createRng(3)
    const random = Array.from({ length: 6 }, (_, i) => Array.from({ length: i + 1 }, () => rng.uniform()))
    // The metrics count a task that got better as negative forgetting, so the random one must fall at the end.
    random[5] = random[5]!.map(() => 0)
    const last = forgettingChart(random).series.map((series) => Array.from(series.y).at(-1)!)
    const metrics = continualMetrics(random)
    expect(last[0]).toBeCloseTo(metrics.averageAccuracy, 12)
    expect(last[1]).toBeCloseTo(metrics.forgetting, 12)
  })
})
