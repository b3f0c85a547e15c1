// One adaptive run in a process of its own, measured; started by pipeline-run.
import '@tensorflow/tfjs'
import { makeRun, readConfig } from '@regimen/cli'

export interface RunTask {
  readonly market: string
  readonly years: number
  readonly folder?: string
}

export interface RunFigures {
  readonly bars: number
  readonly traded: number
  readonly trainings: number
  readonly seconds: number
  readonly peakMb: number
  /** Milliseconds a bar, after the first fifty. */
  readonly median: number
  readonly p99: number
  readonly max: number
}

const WARM_UP = 50

const { market, years, folder } = JSON.parse(process.argv[2]!) as RunTask
const begin = performance.now()
const config = readConfig({ market, years, baselines: false }, 'the benchmark')
const { result, adaptive } = await makeRun(config, { folder: folder! })
const seconds = (performance.now() - begin) / 1000
const times = adaptive.stepMs.slice(WARM_UP).sort((a, b) => a - b)
const quantile = (q: number): number => Number(times[Math.floor(q * (times.length - 1))]!.toFixed(2))
const figures: RunFigures = {
  bars: result.bars,
  traded: result.traded,
  trainings: Math.floor(result.traded / config.retrain),
  seconds: Number(seconds.toFixed(1)),
  peakMb: Math.round(process.resourceUsage().maxRSS / 1024),
  median: quantile(0.5),
  p99: quantile(0.99),
  max: quantile(1),
}
process.send!(figures)
process.disconnect()
