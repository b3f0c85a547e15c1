import { createRng } from '@regimen/core'
import {
  barChart,
  candleChart,
  dataTable,
  heatMap,
  histogram,
  lineChart,
  metricCards,
  parallelCoordinates,
  prose,
  type ReportOptions,
  ribbonChart,
  row,
  scatterChart,
  stack,
  tabs,
  timeline,
} from '../src/index.ts'

const DAY = 86_400_000
const START = Date.UTC(2021, 0, 4)
const REGIMES = [
  'bull / low vol',
  'bull / high vol',
  'sideways / low vol',
  'sideways / high vol',
  'bear / low vol',
  'bear / high vol',
]
const DRIFT = [0.0011, 0.0016, 0, 0, -0.001, -0.0024]
const VOLATILITY = [0.007, 0.016, 0.005, 0.014, 0.009, 0.024]

/** A report with every kind of block, from a small simulated market. */
export function demoReport(days = 900): ReportOptions {
  const rng = createRng('demo')
  const time = Float64Array.from({ length: days }, (_, i) => START + i * DAY)
  const bars = {
    open: new Float64Array(days),
    high: new Float64Array(days),
    low: new Float64Array(days),
    close: new Float64Array(days),
  }
  const truth: number[] = []
  const seen: number[] = []
  const returns = new Float64Array(days)
  let regime = 0
  let price = 100
  for (let i = 0; i < days; i++) {
    if (rng.uniform() < 0.016) regime = Math.floor(rng.uniform() * 6)
    truth.push(regime)
    seen.push(
      i < 5 ? (truth[0] as number) : rng.uniform() < 0.02 ? Math.floor(rng.uniform() * 6) : (truth[i - 5] as number),
    )
    returns[i] = (DRIFT[regime] as number) + (VOLATILITY[regime] as number) * rng.normal()
    bars.open[i] = price
    price *= Math.exp(returns[i] as number)
    bars.close[i] = price
    bars.high[i] = Math.max(bars.open[i] as number, price) * (1 + Math.abs(rng.normal()) * 0.004)
    bars.low[i] = Math.min(bars.open[i] as number, price) * (1 - Math.abs(rng.normal()) * 0.004)
  }
  const curve = (weight: (i: number) => number): Float64Array => {
    const equity = new Float64Array(days)
    let value = 1
    for (let i = 0; i < days; i++) equity[i] = value *= Math.exp(weight(i) * (returns[i] as number))
    return equity
  }
  const adaptive = curve((i) => ((seen[i] as number) < 2 ? 1 : (seen[i] as number) > 3 ? -0.6 : 0.1))
  const held = curve(() => 1)
  const fixed = curve((i) => (i % 40 < 20 ? 0.8 : 0.2))
  const drawdown = (equity: Float64Array): Float64Array => {
    let peak = 0
    return equity.map((value) => {
      peak = Math.max(peak, value)
      return value / peak - 1
    })
  }
  const wide = adaptive.map((value, i) => value * 0.004 * Math.sqrt(i))
  const at = (i: number): number => START + i * DAY
  const decisions = Array.from({ length: 400 }, (_, k) => {
    const i = Math.floor((k / 400) * days)
    const kind = ['regime switch', 'update accepted', 'update refused', 'trial', 'promotion', 'rollback'][
      k % 6
    ] as string
    return [
      at(i),
      kind,
      `v${1 + Math.floor(k / 70)}`,
      rng.normal() * 0.1,
      `${kind}: ${REGIMES[seen[i] as number]} held for ${k % 9} bars`,
    ]
  })
  const trials = 60
  const trial = (make: (u: number) => number): number[] => Array.from({ length: trials }, () => make(rng.uniform()))
  const rates = trial((u) => 10 ** (-4 + 3 * u))
  const losses = rates.map((rate) => 0.62 + 0.03 * (Math.log10(rate) + 2.4) ** 2 + 0.01 * rng.uniform())
  return {
    title: 'Adaptive walk-forward run',
    subtitle:
      'A simulated market with six regimes, 900 daily bars. The model adapts at every bar; costs of 5 basis points are included.',
    footer: 'Made by the test of @regimen/report from simulated data, seed “demo”.',
    sections: [
      {
        title: 'Result',
        intro:
          'The adaptive run is compared with a **static** model, with **buy and hold** and with a router that knows the true regime.',
        blocks: [
          metricCards({
            metrics: [
              {
                label: 'Sharpe ratio',
                value: 1.24,
                interval: [0.91, 1.58],
                note: '+0.43 against static',
                tone: 'good',
                spark: adaptive,
              },
              {
                label: 'Return a year',
                value: 0.183,
                format: 'percent',
                note: '+6.1 points',
                tone: 'good',
                spark: held,
              },
              {
                label: 'Deepest drawdown',
                value: -0.112,
                format: 'percent',
                note: '2.3 points deeper',
                tone: 'bad',
                spark: drawdown(adaptive),
              },
              { label: 'Log-loss', value: 0.6713, note: 'unchanged', spark: fixed },
            ],
          }),
          stack({
            title: 'Price, regime and equity',
            description:
              'Drag to zoom into all panels at once, double-click to return. The filter sees a regime about five bars late.',
            panels: [
              candleChart({
                title: 'Price',
                time,
                ...bars,
                ribbon: { labels: truth, names: REGIMES },
                events: [
                  {
                    at: at(200),
                    kind: 'promotion',
                    label: 'v2 promoted',
                    detail: 'Log-loss 0.671 against 0.684 on the last 60 bars, interval above zero.',
                  },
                  {
                    at: at(430),
                    kind: 'rollback',
                    label: 'back to v1',
                    detail: 'Live log-loss above the alarm for 10 bars.',
                  },
                  { at: at(700), kind: 'promotion', label: 'v3 promoted' },
                ],
              }),
              ribbonChart({ title: 'Regime as the filter saw it', time, labels: seen, names: REGIMES }),
              lineChart({
                title: 'Equity',
                time,
                scale: 'log',
                series: [
                  {
                    name: 'adaptive',
                    y: adaptive,
                    bands: [
                      {
                        label: '95%',
                        low: adaptive.map((v, i) => v - (wide[i] as number)),
                        high: adaptive.map((v, i) => v + (wide[i] as number)),
                      },
                    ],
                  },
                  { name: 'static', y: fixed },
                  { name: 'buy and hold', y: held, dash: 'dash' },
                ],
                references: [{ y: 1, label: 'start' }],
              }),
              lineChart({
                title: 'Drawdown',
                time,
                format: 'percent',
                height: 120,
                series: [
                  { name: 'adaptive', y: drawdown(adaptive), fill: true },
                  { name: 'buy and hold', y: drawdown(held), dash: 'dash' },
                ],
              }),
            ],
          }),
          dataTable({
            title: 'Metrics',
            columns: [
              { name: 'Strategy' },
              { name: 'Sharpe', best: 'high' },
              { name: 'Return', format: 'percent', best: 'high' },
              { name: 'Drawdown', format: 'percent', best: 'high' },
              { name: 'Log-loss', best: 'low' },
              { name: 'Trades', format: 'integer' },
            ],
            rows: [
              ['adaptive', 1.24, 0.183, -0.112, 0.6713, 214],
              ['static', 0.81, 0.122, -0.187, 0.6902, 187],
              ['buy and hold', 0.66, 0.141, -0.305, null, 1],
              ['true regime', 1.71, 0.236, -0.084, 0.6588, 163],
            ],
          }),
        ],
      },
      {
        title: 'Adaptation',
        blocks: [
          row([
            heatMap({
              title: 'Forgetting matrix',
              description: 'Change of accuracy on a regime (column) after learning another (row).',
              rows: REGIMES.map((name) => `after ${name}`),
              columns: ['B·l', 'B·h', 'S·l', 'S·h', 'R·l', 'R·h'],
              values: Float64Array.from({ length: 36 }, (_, i) =>
                i % 7 === 0 ? 0.08 : i === 9 ? Number.NaN : 0.05 * rng.normal(),
              ),
              format: 'percent',
            }),
            scatterChart({
              title: 'Calibration',
              description: 'Points on the dashed line are calibrated; area is the number of bars.',
              x: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
              y: [0.13, 0.22, 0.29, 0.42, 0.5, 0.57, 0.71, 0.76, 0.84],
              weights: [4, 12, 60, 160, 240, 170, 70, 20, 5],
              groups: new Array<string>(9).fill('adaptive'),
              diagonal: true,
              connect: true,
              xTitle: 'forecast probability',
              yTitle: 'observed share',
              xFormat: 'percent',
              yFormat: 'percent',
            }),
          ]),
          row([
            lineChart({
              title: 'Loss before and after adaptation',
              x: [0, 1, 2, 3, 5, 8],
              xTitle: 'inner steps',
              series: [
                {
                  name: 'adaptive',
                  y: [0.71, 0.685, 0.676, 0.672, 0.671, 0.671],
                  points: true,
                  bands: [
                    { low: [0.69, 0.67, 0.66, 0.66, 0.657, 0.655], high: [0.73, 0.7, 0.69, 0.685, 0.684, 0.686] },
                  ],
                },
                { name: 'static', y: [0.7, 0.699, 0.698, Number.NaN, 0.698, 0.697], points: true },
              ],
            }),
            histogram({
              title: 'Daily returns',
              format: 'percent',
              series: [
                {
                  name: 'adaptive',
                  values: adaptive.map((v, i) => (i === 0 ? 0 : v / (adaptive[i - 1] as number) - 1)),
                },
                { name: 'buy and hold', values: returns },
              ],
            }),
          ]),
          barChart({
            title: 'Sharpe ratio by regime',
            categories: REGIMES,
            series: [
              {
                name: 'adaptive',
                values: [2.1, 1.6, 0.2, 0.1, 0.8, 1.1],
                interval: { low: [1.7, 1.1, -0.1, -0.4, 0.3, 0.5], high: [2.5, 2.1, 0.5, 0.6, 1.3, 1.7] },
              },
              { name: 'static', values: [1.9, 1.2, 0.1, -0.3, -0.6, -1.1] },
            ],
          }),
        ],
      },
      {
        title: 'Self-improvement',
        blocks: [
          tabs([
            {
              title: 'Tuning',
              blocks: [
                parallelCoordinates({
                  title: 'Trials of the last study',
                  description: 'One line a trial; strong lines have the lowest loss.',
                  best: 'low',
                  axes: [
                    { name: 'learning rate', values: rates, scale: 'log' },
                    { name: 'inner steps', values: trial((u) => 1 + Math.floor(u * 8)), format: 'integer' },
                    {
                      name: 'optimizer',
                      values: trial((u) => u).map((u) => (u < 0.4 ? 'sgd' : u < 0.8 ? 'adam' : 'rmsprop')),
                    },
                    { name: 'support', values: trial((u) => 5 + Math.floor(u * 45)), format: 'integer' },
                    { name: 'log-loss', values: losses },
                  ],
                }),
                scatterChart({
                  title: 'Loss against learning rate',
                  x: rates,
                  y: losses,
                  xScale: 'log',
                  xTitle: 'learning rate',
                  yTitle: 'log-loss',
                  labels: rates.map((_, i) => `trial ${i}`),
                }),
              ],
            },
            {
              title: 'Store',
              blocks: [
                timeline({
                  title: 'Versions',
                  events: [
                    { at: at(0), lane: 'forecaster', kind: 'promotion', label: 'v1 promoted' },
                    {
                      at: at(200),
                      lane: 'forecaster',
                      kind: 'promotion',
                      label: 'v2 promoted',
                      detail: 'Log-loss 0.671 against 0.684.',
                    },
                    { at: at(430), lane: 'forecaster', kind: 'rollback', label: 'back to v1' },
                    { at: at(120), lane: 'regime filter', kind: 'retrained', label: 'six states' },
                    {
                      at: at(520),
                      lane: 'regime filter',
                      kind: 'refused',
                      label: 'challenger refused',
                      detail: 'Labels moved by 31%.',
                    },
                  ],
                }),
                prose(
                  '### Policy\n\nA challenger is promoted when its **log-loss** is lower with 95% confidence:\n\n- over the last `60` bars,\n- and not worse in any regime.\n\n```\nregimen store promote forecaster v2\n```',
                ),
              ],
            },
          ]),
        ],
      },
      {
        title: 'Decisions',
        blocks: [
          dataTable({
            title: 'Decision log',
            description: 'Every event that changed a model or a position.',
            columns: [
              { name: 'Time (UTC)', format: 'time' },
              { name: 'Kind' },
              { name: 'Version' },
              { name: 'Gain' },
              { name: 'Reason' },
            ],
            rows: decisions,
          }),
        ],
      },
    ],
  }
}
