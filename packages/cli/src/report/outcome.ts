import { dataTable, lineChart, metricCards, type Section, stack } from '@regimen/report'
import { liveBars } from '../run/arms.ts'
import { drawdowns, type Luck, luckOf } from '../run/compare.ts'
import type { FinishedRun } from '../run/run.ts'

/** The report's first section: how each arm did, and how much of that may be luck. */
export function outcome({ result, arms, source }: FinishedRun): Section {
  const live = liveBars(source, result.config)
  const [adaptive] = result.arms
  const against = result.comparisons.find(({ against: name }) => name === 'static') ?? result.comparisons[0]!
  const luck = arms.map((arm) => luckOf(arm, live, result.config.seed))
  // Five bands over each other say nothing: the legend switches the others on.
  const band = (of: keyof Luck, i: number) => ({ bands: [{ ...luck[i]![of], label: '95 %' }], hidden: i > 1 })
  return {
    title: 'Outcome',
    intro:
      'Every arm trades the same bars at the same costs; decisions are made at a close and filled at the next open. Intervals are 95 % by block bootstrap.',
    blocks: [
      metricCards({
        metrics: [
          {
            label: 'Sharpe, adaptive',
            value: adaptive!.sharpe.value,
            interval: [adaptive!.sharpe.low, adaptive!.sharpe.high],
            spark: arms[0]!.equity,
          },
          {
            label: `Sharpe gained over ${against.against}`,
            value: against.sharpe.value,
            interval: [against.sharpe.low, against.sharpe.high],
            tone: against.sharpe.low > 0 ? 'good' : against.sharpe.high < 0 ? 'bad' : 'neutral',
            note: against.sharpe.low > 0 || against.sharpe.high < 0 ? 'clear of zero' : 'not clear of zero',
          },
          ...(against.logScore
            ? [
                {
                  label: `Log score gained over ${against.against}, nats a bar`,
                  value: against.logScore.value,
                  interval: [against.logScore.low, against.logScore.high] as const,
                  tone: (against.logScore.low > 0 ? 'good' : against.logScore.high < 0 ? 'bad' : 'neutral') as
                    | 'good'
                    | 'bad'
                    | 'neutral',
                  note: against.logScore.low > 0 || against.logScore.high < 0 ? 'clear of zero' : 'not clear of zero',
                },
              ]
            : []),
          { label: 'Largest drawdown, adaptive', value: adaptive!.maxDrawdown, format: 'percent' },
        ],
      }),
      stack({
        title: 'Equity and drawdown',
        description: 'Logarithmic; 100,000 at the start.',
        panels: [
          lineChart({
            title: 'Equity',
            time: live.time,
            scale: 'log',
            series: arms.map(({ name, equity }) => ({ name, y: equity })),
          }),
          lineChart({
            title: 'Drawdown',
            time: live.time,
            format: 'percent',
            series: arms.map(({ name, equity }) => ({ name, y: drawdowns(equity) })),
          }),
        ],
      }),
      stack({
        title: 'How much of it may be luck',
        description:
          'Each curve with the 95 % band of 200 paths resampled from its own returns in blocks of a month; a click on the legend shows the other arms.',
        panels: [
          lineChart({
            title: 'Equity',
            time: live.time,
            scale: 'log',
            series: arms.map(({ name, equity }, i) => ({ name, y: equity, ...band('equity', i) })),
          }),
          lineChart({
            title: 'Drawdown',
            time: live.time,
            format: 'percent',
            series: arms.map(({ name, equity }, i) => ({ name, y: drawdowns(equity), ...band('drawdown', i) })),
          }),
        ],
      }),
      dataTable({
        title: 'Metrics',
        columns: [
          { name: 'arm' },
          { name: 'return a year', format: 'percent', best: 'high' },
          { name: 'volatility', format: 'percent' },
          { name: 'Sharpe', best: 'high' },
          { name: 'Sharpe, 95 %' },
          { name: 'max drawdown', format: 'percent', best: 'low' },
          { name: 'turnover a year' },
          { name: 'log score a bar', best: 'high' },
        ],
        rows: result.arms.map((arm) => [
          arm.name,
          arm.annualReturn,
          arm.volatility,
          arm.sharpe.value,
          `${arm.sharpe.low.toFixed(2)} to ${arm.sharpe.high.toFixed(2)}`,
          arm.maxDrawdown,
          arm.turnover,
          arm.logScore,
        ]),
      }),
      dataTable({
        title: 'The adaptive run against the others',
        columns: [
          { name: 'against' },
          { name: 'Sharpe gained' },
          { name: '95 %' },
          { name: 'log score gained' },
          { name: '95 % ' },
        ],
        rows: result.comparisons.map(({ against: name, sharpe, logScore }) => [
          name,
          sharpe.value,
          `${sharpe.low.toFixed(2)} to ${sharpe.high.toFixed(2)}`,
          logScore?.value,
          logScore ? `${logScore.low.toFixed(4)} to ${logScore.high.toFixed(4)}` : '',
        ]),
      }),
    ],
  }
}
