import { annualReturn, type Bars, blockBootstrap, bootstrapInterval, maxDrawdown, sharpe } from '@regimen/market'
import { barsPerYear } from '../preset/timeframe.ts'
import type { Arm } from './arms.ts'

/** A value with its 95 % interval by stationary block bootstrap. */
export interface Estimate {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** How an arm did. */
export interface ArmSummary {
  readonly name: string
  readonly annualReturn: number
  readonly volatility: number
  readonly sharpe: Estimate
  readonly maxDrawdown: number
  /** Sum of the changes of the wanted position, a year. */
  readonly turnover: number
  /** Mean ln p of the next return, nats a bar; absent where nothing is forecast. */
  readonly logScore?: number
}

/** The adaptive run against another one. */
export interface Comparison {
  readonly against: string
  readonly sharpe: Estimate
  /** Gain in mean log score, nats a bar; absent where one forecasts nothing. */
  readonly logScore?: Estimate
}

const SAMPLES = 500

/** Simple returns of an account that began with `cash`. */
export function returnsOf({ equity }: Pick<Arm, 'equity'>, cash = 100_000): Float64Array {
  return equity.map((value, i) => value / (i > 0 ? equity[i - 1]! : cash) - 1)
}

export function summarizeArm(arm: Arm, bars: Bars, seed: number): ArmSummary {
  const periodsPerYear = barsPerYear(bars)
  const returns = returnsOf(arm)
  const flat = returns.every((r) => r === 0)
  const ratio = (r: Float64Array): number => sharpe(r, { periodsPerYear })
  const estimate = flat
    ? { value: 0, low: 0, high: 0 }
    : bootstrapInterval(returns, { statistic: ratio, samples: SAMPLES, seed })
  let turnover = 0
  arm.targets.forEach((target, i) => {
    turnover += Math.abs(target - (i > 0 ? arm.targets[i - 1]! : 0))
  })
  const known = arm.logScore.filter((value) => !Number.isNaN(value))
  const average = returns.reduce((a, b) => a + b, 0) / returns.length
  const variance = returns.reduce((sum, r) => sum + (r - average) ** 2, 0) / returns.length
  return {
    name: arm.name,
    annualReturn: annualReturn(returns, { periodsPerYear }),
    volatility: Math.sqrt(variance * periodsPerYear),
    sharpe: { value: estimate.value, low: estimate.low, high: estimate.high },
    maxDrawdown: maxDrawdown(returns).depth,
    turnover: (turnover * periodsPerYear) / returns.length,
    ...(known.length > 0 && { logScore: known.reduce((a, b) => a + b, 0) / known.length }),
  }
}

/** Differences bar by bar, resampled together, so that what moves both arms cancels. */
export function compareArms(arm: Arm, other: Arm, bars: Bars, seed: number): Comparison {
  const periodsPerYear = barsPerYear(bars)
  const [mine, theirs] = [returnsOf(arm), returnsOf(other)]
  // What is resampled are the rows.
  const rows = Float64Array.from(mine, (_, i) => i)
  const pick = (of: Float64Array, at: Float64Array): Float64Array => at.map((i) => of[i]!)
  const ratio = (of: Float64Array): number => (of.every((r) => r === 0) ? 0 : sharpe(of, { periodsPerYear }))
  const difference = bootstrapInterval(rows, {
    statistic: (at) => ratio(pick(mine, at)) - ratio(pick(theirs, at)),
    samples: SAMPLES,
    seed,
  })
  const gains = arm.logScore.map((value, i) => value - other.logScore[i]!).filter((value) => !Number.isNaN(value))
  const average = (of: Float64Array): number => of.reduce((a, b) => a + b, 0) / of.length
  const gain = gains.length > 1 && bootstrapInterval(gains, { statistic: average, samples: SAMPLES, seed })
  const plain = ({ value, low, high }: Estimate): Estimate => ({ value, low, high })
  return { against: other.name, sharpe: plain(difference), ...(gain && { logScore: plain(gain) }) }
}

/** What equity and drawdown might have been, bar by bar: 2.5 % and 97.5 % quantiles over resampled paths of the same returns. */
export interface Luck {
  readonly equity: { readonly low: Float64Array; readonly high: Float64Array }
  readonly drawdown: { readonly low: Float64Array; readonly high: Float64Array }
}

const PATHS = 200
/** Bars of a resampled block: a month of days. */
const BLOCK = 21

/** Resamples an arm's returns in blocks; how far the paths spread is how much of an equity curve may be luck. */
export function luckOf({ equity }: Pick<Arm, 'equity'>, { time, interval }: Bars, seed: number): Luck {
  const path = { time, open: equity, high: equity, low: equity, close: equity, interval }
  const paths = Array.from(
    { length: PATHS },
    (_, i) => blockBootstrap(path, { seed: `${seed}/${i}`, meanBlock: BLOCK }).close,
  )
  return { equity: quantiles(paths), drawdown: quantiles(paths.map(drawdowns)) }
}

/** Share of the highest equity so far that is lost, 0 or below. */
export function drawdowns(equity: Float64Array, cash = 100_000): Float64Array {
  let high = cash
  return equity.map((value) => {
    high = Math.max(high, value)
    return value / high - 1
  })
}

function quantiles(paths: readonly Float64Array[]): Luck['equity'] {
  const n = paths[0]!.length
  const [low, high] = [new Float64Array(n), new Float64Array(n)]
  const column = new Float64Array(paths.length)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < column.length; j++) column[j] = paths[j]![i]!
    column.sort()
    low[i] = column[Math.round(0.025 * (column.length - 1))]!
    high[i] = column[Math.round(0.975 * (column.length - 1))]!
  }
  return { low, high }
}
