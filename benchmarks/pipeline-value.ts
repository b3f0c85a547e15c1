// Does adapting pay, after costs? The adaptive run against static, rolling refit, rules and holding, on markets with and
// without regimes, over seeds on which nothing was chosen. Each seed is one line of the file given by --results, so that a
// long benchmark can be continued and split over processes.
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Comparison, makeRun, readConfig } from '@regimen/cli'
import { bench, type Figure } from './harness.ts'

const REGIMES = 'equity-daily'
const NO_REGIMES = 'no-regimes-daily'

/** Real series beside the simulated markets, where the optional data are present. */
const REAL = [
  ...['aapl_daily_adj', 'ibm_daily_adj', 'bac_daily_adj', 'goog_daily_adj', 'eurusd_d_mid', 'gbpusd_d_mid'],
  ...['xauusd_d_mid', 'btcusd_coinbase_daily', 'uso_daily_raw'],
]

interface Line {
  /** Name of the simulated market, or of the real series. */
  readonly market: string
  readonly seed: number
  readonly comparisons: readonly Comparison[]
}

const option = (args: readonly string[], name: string): string | undefined => {
  const at = args.indexOf(`--${name}`)
  return at < 0 ? undefined : args[at + 1]
}

/** Mean over seeds with its 95 % interval by Student's t; the quantile is good to 1e-3 from five seeds on. */
function estimate(values: readonly number[]): { mean: number; low: number; high: number } {
  const n = values.length
  const mean = values.reduce((a, b) => a + b, 0) / n
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)
  const df = n - 1
  const quantile = 1.959964 + 2.3722 / df + 2.8225 / df ** 2 + 2.5558 / df ** 3 + 1.5895 / df ** 4
  const half = quantile * Math.sqrt(variance / n)
  return { mean, low: mean - half, high: mean + half }
}

export default bench({
  name: 'pipeline-value',
  description:
    'does adapting pay after costs? 30 seeds of a market with regimes and one without (--seeds 30, --first 100, --market NAME, --results FILE), and with --real the real series',
  async run(context) {
    const seeds = context.number('seeds', 30)
    const first = context.number('first', 100)
    const only = option(context.args, 'market')
    const file = option(context.args, 'results')
    const lines: Line[] =
      file && existsSync(file)
        ? readFileSync(file, 'utf8')
            .split('\n')
            .filter(Boolean)
            .map((line) => JSON.parse(line) as Line)
        : []
    const measure = async (market: string, seed: number, data?: string): Promise<void> => {
      if (lines.some((line) => line.market === market && line.seed === seed)) return
      const folder = mkdtempSync(join(tmpdir(), 'pipeline-value-'))
      const config = readConfig(data ? { data: [data], seed } : { market, seed }, 'the benchmark')
      const { result } = await makeRun(config, { folder })
      rmSync(folder, { recursive: true })
      const line: Line = { market, seed, comparisons: result.comparisons }
      lines.push(line)
      if (file) appendFileSync(file, `${JSON.stringify(line)}\n`)
      const against = result.comparisons.find((one) => one.against === 'static')!
      context.log(
        `${market}, seed ${seed}: Sharpe ${against.sharpe.value.toFixed(3)}, log score ${against.logScore!.value.toFixed(4)}`,
      )
    }
    const figures: { [name: string]: Figure } = {}
    if (context.flag('real')) {
      for (const name of REAL) {
        const path = context.data(`market/${name}.csv`)
        if (!path) context.log(`${name} is not present`)
        else await measure(name, first, path)
      }
      for (const { market, comparisons } of lines.filter(({ market: name }) => REAL.includes(name))) {
        for (const { against, sharpe, logScore } of comparisons) {
          figures[`${market} Sharpe over ${against}`] = {
            value: Number(sharpe.value.toFixed(3)),
            note: `95 % from ${sharpe.low.toFixed(2)} to ${sharpe.high.toFixed(2)}${logScore ? `; log score ${logScore.value.toFixed(4)}` : ''}`,
          }
        }
      }
      return { figures }
    }
    for (const market of only ? [only] : [REGIMES, NO_REGIMES]) {
      for (let seed = first; seed < first + seeds; seed++) await measure(market, seed)
    }
    const note = (name: string, values: readonly number[]): void => {
      if (values.length < 5) return
      const { mean, low, high } = estimate(values)
      const text = `95 % from ${low.toFixed(4)} to ${high.toFixed(4)}, ${values.length} seeds`
      figures[name] = { value: Number(mean.toFixed(4)), note: text }
      if (name === `${REGIMES} Sharpe over static`) figures.delta_sharpe_low = Number(low.toFixed(4))
      if (name === `${REGIMES} log score over static`) figures.delta_logloss_low = Number(low.toFixed(4))
      if (name === `${NO_REGIMES} Sharpe over static`) figures.no_regime_delta_sharpe_low = Number(low.toFixed(4))
    }
    for (const market of [...new Set(lines.map((line) => line.market))]) {
      const own = lines.filter((line) => line.market === market && line.seed >= first && line.seed < first + seeds)
      for (const { against } of own[0]?.comparisons ?? []) {
        const all = own.map(({ comparisons }) => comparisons.find((one) => one.against === against)!)
        note(
          `${market} Sharpe over ${against}`,
          all.map(({ sharpe }) => sharpe.value),
        )
        note(
          `${market} log score over ${against}`,
          all.flatMap(({ logScore }) => (logScore ? [logScore.value] : [])),
        )
      }
    }
    return { figures }
  },
})
