import { importance, openStudy, randomSampler, studyToCsv, studyToJson, summarizeStudy } from '@regimen/bayes'
import {
  contourChart,
  historyChart,
  importanceChart,
  parallelChart,
  paretoChart,
  sliceChart,
  studySection,
} from '@regimen/bayes/charts'
import { manualClock } from '@regimen/core'
import { renderReport } from '@regimen/report'
import { beforeAll, describe, expect, it } from 'vitest'

const study = openStudy({
  direction: 'minimize',
  name: 'demo',
  sampler: randomSampler(),
  seed: 3,
  clock: manualClock(1000),
})
beforeAll(async () => {
  await study.optimize(
    (t) => {
      if (t.number === 7) throw new Error('no data')
      return (
        2 * t.float('x', 0, 1) +
        t.float('y', 0, 1) +
        0 * t.int('n', 1, 9) +
        (t.categorical('k', ['a', 'b']) === 'a' ? 0 : 0.5)
      )
    },
    { trials: 300 },
  )
})

describe('importance', () => {
  it('finds the shares that an additive function has', () => {
    // Variances: 4/12, 1/12, 0 and ¼·½² = 1/16, together .4792: shares .696, .174, 0, .130.
    const shares = importance(study)
    expect(Object.keys(shares)).toEqual(['x', 'y', 'k', 'n'])
    for (const [name, share] of [
      ['x', 0.696],
      ['y', 0.174],
      ['k', 0.13],
      ['n', 0],
    ] as const)
      expect(Math.abs(shares[name]! - share)).toBeLessThan(0.05)
  })

  it('gives no share to parameters that only act together', async () => {
    // x ⊕ y: each alone explains nothing.
    const xor = openStudy({ direction: 'minimize', sampler: randomSampler(), seed: 1 })
    await xor.optimize((t) => (t.float('x', 0, 1) > 0.5 !== t.float('y', 0, 1) > 0.5 ? 1 : 0), { trials: 300 })
    for (const share of Object.values(importance(xor))) expect(share).toBeLessThan(0.15)
  })
})

describe('export', () => {
  it('writes a row a trial', () => {
    const lines = studyToCsv(study).trimEnd().split('\n')
    expect(lines[0]).toBe('number,state,value,x,y,n,k,started,finished')
    expect(lines.length).toBe(301)
    expect(lines[8]).toBe('7,failed,,,,,,1000,1000')
    const { params, value } = study.completed[0]!
    expect(lines[1]).toBe(`0,complete,${value},${params.x},${params.y},${params.n},${params.k},1000,1000`)
  })

  it('writes JSON and a summary', () => {
    const data = JSON.parse(studyToJson(study))
    expect(data.trials[7].error).toBe('no data')
    expect(data.space.n).toEqual({ type: 'int', low: 1, high: 9 })
    const lines = summarizeStudy(study).split('\n')
    expect(lines[0]).toBe('demo: 300 trials, 299 complete, 0 pruned, 1 failed (minimize)')
    expect(lines[1]).toContain(`in trial ${study.best!.number}`)
    // The shares of the test above, in its order.
    expect(lines.at(-2)).toMatch(/^importance: x [67]\d %, y 1\d %, k 1\d %, n 0 %$/)
    expect(lines.at(-1)).toBe('failed 1 ×: no data')
  })
})

describe('charts', () => {
  it('hold the study as data', async () => {
    const history = historyChart(study)
    expect(history.series[1]!.y[298]).toBe(study.best!.value)
    expect(parallelChart(study).axes.map(({ name }) => name)).toEqual(['x', 'y', 'n', 'k', 'value'])
    expect(sliceChart(study, 'k').x.length).toBe(299)
    expect(importanceChart(study).categories[0]).toBe('x')
    const contour = contourChart(study, 'x', 'y', 4)
    // The lowest cell of both holds the best trial of that corner.
    const corner = study.completed.filter((t) => (t.params.x as number) < 0.25 && (t.params.y as number) < 0.25)
    expect((contour.values as readonly number[][])[0]![0]).toBe(Math.min(...corner.map((t) => t.value)))
    expect(() => sliceChart(study, 'z')).toThrow('the study has no parameter "z"')
    const html = await renderReport({ title: 'Search', sections: [studySection(study)], plotly: '' })
    expect(html).toContain('Optimization history')
  })

  it('show the front apart', async () => {
    const two = openStudy({ direction: ['minimize', 'minimize'], sampler: randomSampler(), seed: 1 })
    await two.optimize((t) => [t.float('x', 0, 1), 1 - t.float('x', 0, 1) + t.float('y', 0, 1)], { trials: 20 })
    const chart = paretoChart(two)
    expect(Array.from(chart.groups!).filter((group) => group === 'front').length).toBe(two.front.length)
  })
})
