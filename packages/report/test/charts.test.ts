import { RegimenError } from '@regimen/core'
import { describe, expect, test } from 'vitest'
import {
  bandChart,
  barChart,
  candleChart,
  dataTable,
  heatMap,
  histogram,
  lineChart,
  metricCards,
  parallelCoordinates,
  prose,
  regimeColor,
  ribbonChart,
  row,
  scatterChart,
  stack,
  tabs,
  timeline,
} from '../src/index.ts'

const line = (n: number) => lineChart({ title: 'a', series: [{ name: 's', y: new Float64Array(n) }] })

describe('constructors', () => {
  test('give plain data: the options and a kind', () => {
    const series = [{ name: 's', y: [1, 2] }]
    expect(lineChart({ title: 'a', series })).toEqual({ kind: 'lines', title: 'a', series })
    expect(bandChart({ title: 'a', name: 's', center: [1], bands: [] })).toEqual({
      kind: 'lines',
      title: 'a',
      series: [{ name: 's', y: [1], bands: [] }],
    })
    expect(structuredClone(line(3))).toEqual(line(3))
  })

  const refused: [string, () => unknown, string][] = [
    [
      'no series',
      () => lineChart({ title: 'a', series: [] }),
      '[report/line-chart] series must hold at least one line',
    ],
    [
      'a shorter line',
      () =>
        lineChart({
          title: 'a',
          series: [
            { name: 's', y: [1, 2] },
            { name: 't', y: [1] },
          ],
        }),
      '[report/line-chart] series[1].y has 1 values, expected 2.',
    ],
    [
      'a shorter axis',
      () => lineChart({ title: 'a', time: [1], series: [{ name: 's', y: [1, 2] }] }),
      '[report/line-chart] time has 1 values, expected 2.',
    ],
    [
      'a descending axis',
      () => lineChart({ title: 'a', time: [2, 1], series: [{ name: 's', y: [1, 2] }] }),
      '[report/line-chart] time must ascend, but time[1] = 1 follows 2.',
    ],
    [
      'both axes',
      () => lineChart({ title: 'a', time: [1], x: [1], series: [{ name: 's', y: [1] }] }),
      '[report/line-chart] both x and time were given.',
    ],
    [
      'an unknown colour',
      () => lineChart({ title: 'a', series: [{ name: 's', y: [1], color: 'red;}' }] }),
      '[report/line-chart] series[0].color must be a token or #rrggbb, got "red;}".',
    ],
    [
      'a band of another length',
      () => lineChart({ title: 'a', series: [{ name: 's', y: [1], bands: [{ low: [], high: [1] }] }] }),
      '[report/line-chart] series[0].bands[0].low has 0 values, expected 1.',
    ],
    [
      'a ribbon beyond the chart',
      () => ribbonChart({ title: 'a', x: [1, 2], segments: [{ start: 0, end: 3, label: 0 }] }),
      '[report/ribbon-chart] ribbon.segments[0] must lie in [0, 2) with start < end, got [0, 3).',
    ],
    [
      'a ribbon without axis',
      () => ribbonChart({ title: 'a' }),
      '[report/ribbon-chart] the length of the axis is unknown.',
    ],
    [
      'candles of unequal length',
      () => candleChart({ title: 'a', open: [1], high: [1, 2], low: [1], close: [1] }),
      '[report/candle-chart] high has 2 values, expected 1.',
    ],
    [
      'a matrix of another shape',
      () => heatMap({ title: 'a', rows: ['r'], columns: ['c', 'd'], values: [1] }),
      '[report/heat-map] values has 1 values, expected 2.',
    ],
    [
      'points without partners',
      () => scatterChart({ title: 'a', x: [1], y: [] }),
      '[report/scatter-chart] y has 0 values, expected 1.',
    ],
    [
      'a link to nowhere',
      () => scatterChart({ title: 'a', x: [1], y: [1], links: [[0, 1]] }),
      '[report/scatter-chart] links must name two of the 1 points, got [0, 1].',
    ],
    [
      'bars without categories',
      () => barChart({ title: 'a', categories: [], series: [{ name: 's', values: [1] }] }),
      '[report/bar-chart] series[0].values has 1 values, expected 0.',
    ],
    [
      'half a bin',
      () => histogram({ title: 'a', series: [{ name: 's', values: [] }], bins: 0.5 }),
      '[report/histogram] bins must be an integer from 1 to 500, got 0.5.',
    ],
    [
      'one axis',
      () => parallelCoordinates({ title: 'a', axes: [{ name: 'x', values: [1] }] }),
      '[report/parallel-coordinates] axes must be at least two',
    ],
    [
      'an event at no time',
      () => timeline({ title: 'a', events: [{ at: Number.NaN, label: 'x' }] }),
      '[report/timeline] events[0].at must be finite, got NaN.',
    ],
    [
      'a ragged table',
      () => dataTable({ title: 'a', columns: [{ name: 'x' }], rows: [[1, 2]] }),
      '[report/data-table] rows[0] has 2 values, expected 1.',
    ],
    [
      'no key figures',
      () => metricCards({ metrics: [] }),
      '[report/metric-cards] metrics must hold at least one figure',
    ],
    ['text that is none', () => prose(JSON.parse('3')), '[report/prose] text must be a string, got 3.'],
    ['an empty row', () => row([]), '[report/row] a row holds 1 to 4 blocks'],
    ['no tabs', () => tabs([]), '[report/tabs] tabs must hold at least one tab'],
    [
      'a stack of unlike axes',
      () => stack({ title: 'a', panels: [line(1), ribbonChart({ title: 'b', time: [1], labels: [0] })] }),
      '[report/stack] some panels have a time axis and some have not.',
    ],
    [
      'a drawing too high',
      () => lineChart({ title: 'a', height: 1e6, series: [{ name: 's', y: [] }] }),
      '[report/line-chart] height must be from 40 to 2000 CSS pixels, got 1000000.',
    ],
  ]
  test.each(refused)('refuse %s', (_, make, message) => {
    expect(make).toThrow(RegimenError)
    expect(make).toThrow(message)
  })
})

test('regimes have fixed colours in any spelling', () => {
  expect(regimeColor('bull-low')).toBe('@bullLow')
  expect(regimeColor('BULL / High Volatility')).toBe('@bullHigh')
  expect(regimeColor('sideways_calm')).toBe('@sideLow')
  expect(regimeColor('bearHigh')).toBe('@bearHigh')
  expect(regimeColor('bearing')).toBeUndefined()
  expect(regimeColor('adaptive')).toBeUndefined()
})
