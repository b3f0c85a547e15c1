// From bars to a report: a simulated market, a rule that names its regime, a strategy that trades by it, a backtest with
// costs, and one HTML file to look at.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  type BacktestResult,
  type Bars,
  backtestVectorized,
  bootstrapInterval,
  forecastTargets,
  type PerformanceSummary,
  sharpe,
  simulate,
  summarize,
  trueFilter,
} from '@regimen/market'
import {
  candleChart,
  dataTable,
  lineChart,
  metricCards,
  prose,
  renderReport,
  ribbonChart,
  stack,
} from '@regimen/report'

const SEED = 7
const YEARS = 12

/** Names each bar's regime from what was known at its close: the slope of a moving average and the recent volatility. */
function ruleRegimes(bars: Bars, window = 60, calm = 20, memory = 500): (string | undefined)[] {
  const { close } = bars
  const names: (string | undefined)[] = []
  const volatilities: number[] = []
  let sum = 0
  const averages: number[] = []
  for (let t = 0; t < close.length; t++) {
    sum += close[t]! - (t >= window ? close[t - window]! : 0)
    averages.push(sum / Math.min(t + 1, window))
    let squares = 0
    for (let u = Math.max(1, t - calm + 1); u <= t; u++) squares += Math.log(close[u]! / close[u - 1]!) ** 2
    const volatility = Math.sqrt(squares / calm)
    volatilities.push(volatility)
    if (t < window + calm) {
      names.push(undefined)
      continue
    }
    const recent = volatilities.slice(Math.max(calm, t - memory), t + 1).sort((a, b) => a - b)
    const usual = recent[Math.floor(recent.length / 2)]!
    // A trend counts once the average has moved by a fifth of what a random walk moves in that time.
    const slope = Math.log(averages[t]! / averages[t - calm]!) / (usual * Math.sqrt(calm))
    const trend = slope > 0.2 ? 'bull' : slope < -0.2 ? 'bear' : 'sideways'
    names.push(`${trend}-${volatility > 1.25 * usual ? 'high' : 'low'}`)
  }
  return names
}

/** Long in bull markets, half short in bear markets, at half the size when volatility is high. */
function positionOf(regime: string | undefined): number {
  if (regime === undefined) return 0
  const direction = regime.startsWith('bull') ? 1 : regime.startsWith('bear') ? -0.5 : 0.25
  return regime.endsWith('high') ? direction / 2 : direction
}

const barsPerYear = 261
const market = simulate('equity-daily', { bars: YEARS * barsPerYear, seed: SEED })
const { bars, parameters } = market
const truth = Array.from(market.regimes, (s) => parameters.regimes[s]!.name)
const named = ruleRegimes(bars)

const { costs } = parameters
const runs: { readonly name: string; readonly result: BacktestResult }[] = [
  { name: 'rule', result: backtestVectorized(bars, { targets: named.map(positionOf), costs }) },
  { name: 'buy and hold', result: backtestVectorized(bars, { targets: bars.close.map(() => 1), costs }) },
  {
    name: 'true filter',
    result: backtestVectorized(bars, {
      targets: forecastTargets(trueFilter(bars, { parameters }), { barsPerYear }),
      costs,
    }),
  },
]
const summaries = runs.map(({ name, result }) => ({ name, result, summary: summarize(result) }))
const hits = named.filter((name, t) => name?.split('-')[0] === truth[t]!.split('-')[0]).length
const accuracy = hits / named.filter((name) => name !== undefined).length

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`
const COLUMNS: readonly (readonly [title: string, cell: (s: PerformanceSummary) => string])[] = [
  ['return a year', (s) => percent(s.annualReturn)],
  ['volatility', (s) => percent(s.annualVolatility)],
  ['Sharpe', (s) => s.sharpe.toFixed(2)],
  ['max drawdown', (s) => percent(s.maxDrawdown)],
  ['trades', (s) => String(s.trades)],
  ['turnover a year', (s) => s.turnover.toFixed(1)],
]
const table = [
  ['', ...COLUMNS.map(([title]) => title)],
  ...summaries.map(({ name, summary }) => [name, ...COLUMNS.map(([, cell]) => cell(summary))]),
]
const widths = table[0]!.map((_, c) => Math.max(...table.map((cells) => cells[c]!.length)))
console.log(`${bars.close.length} daily bars of ${parameters.name}, seed ${SEED}, after costs`)
for (const cells of table) {
  console.log(cells.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join('   '))
}
console.log(`the rule names the trend rightly on ${percent(accuracy)} of the bars (three choices)`)

const time = bars.time
const cards = summaries.map(({ name, result, summary }) => {
  const statistic = (returns: Float64Array): number => sharpe(returns, { periodsPerYear: summary.periodsPerYear })
  const { low, high } = bootstrapInterval(result.returns, { statistic, samples: 300, seed: SEED })
  return { label: `Sharpe, ${name}`, value: summary.sharpe, interval: [low, high] as const, spark: result.equity }
})
const html = await renderReport({
  title: 'Walking skeleton',
  subtitle: `${YEARS} simulated years of ${parameters.name}, seed ${SEED}`,
  sections: [
    {
      title: 'Result',
      intro:
        'A simple rule against buying and holding, and against the ceiling: a strategy that filters with the very parameters that made the market.',
      blocks: [
        metricCards({ metrics: cards }),
        stack({
          title: 'Price, regimes and equity',
          panels: [
            candleChart({ title: 'Price', time, open: bars.open, high: bars.high, low: bars.low, close: bars.close }),
            ribbonChart({ title: 'True regime', time, labels: truth }),
            ribbonChart({ title: 'Regime by rule', time, labels: named.map((name) => name ?? 'unknown') }),
            lineChart({
              title: 'Equity',
              time,
              scale: 'log',
              series: runs.map(({ name, result }) => ({ name, y: result.equity })),
            }),
          ],
        }),
        dataTable({
          title: 'Metrics',
          columns: table[0]!.map((name) => ({ name: name === '' ? 'strategy' : name })),
          rows: table.slice(1),
        }),
      ],
    },
    {
      title: 'How to read this',
      blocks: [
        prose(
          `Decisions are made at a bar's close and filled at the next bar's open, with the market's costs. The rule sees only the past; it names the trend rightly on ${percent(accuracy)} of the bars.`,
        ),
      ],
    },
  ],
})

const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = join(root, 'runs', 'walking-skeleton')
mkdirSync(folder, { recursive: true })
const file = join(folder, 'report.html')
writeFileSync(file, html)
console.log(`report: ${relative(process.cwd(), file)} (${pathToFileURL(file).href})`)

for (const { result } of runs) assert.ok(result.equity.every(Number.isFinite) && result.ruinedAt === -1)
assert.ok(accuracy > 1 / 3, 'the rule should beat guessing')
