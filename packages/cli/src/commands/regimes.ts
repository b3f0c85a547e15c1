import { check } from '@regimen/core'
import { returnAndRange } from '@regimen/pipeline'
import { fitHmm, type HmmModel, hmmFilter, hmmPredictNext, labelStates } from '@regimen/regimes'
import { barsPerYear, timeframeOf } from '../preset/timeframe.ts'
import { fileSource, type Source, simulatedSource } from '../run/source.ts'
import { table } from '../terminal.ts'
import type { CommandContext } from './context.ts'

/** Flags of `regimen regimes`. */
export interface RegimesFlags {
  /** Numbers of regimes to try; the best BIC wins. */
  states?: readonly number[]
  /** Simulated market, where no file is given. */
  market?: string
  years?: number
  seed?: number
}

/** Fits regimes to a series and says what they are like and which one is in force. */
export async function regimesCommand(
  file: string | undefined,
  { states = [2, 3, 4], market = 'equity-daily', years = 10, seed = 7 }: RegimesFlags,
  { terminal, json }: CommandContext,
): Promise<void> {
  const source = file ? await fileSource(file) : simulatedSource(market, years, seed)
  const { bars } = source
  check(
    bars.time.length >= 100,
    'regimes',
    () => `${source.name} has ${bars.time.length} bars, at least 100 are needed.`,
  )
  const rows = rowsOf(source)
  let best: HmmModel | undefined
  for (const k of states) {
    const hmm = fitHmm(rows, { states: k, sticky: 10, restarts: 6, seed })
    if (!best || hmm.bic < best.bic) best = hmm
  }
  check(best !== undefined, 'regimes', () => 'states must name at least one number of regimes.')
  const model = best!
  const { filtered } = hmmFilter(model, rows)
  const found = describe(model, filtered, barsPerYear(bars))
  const now = filtered.slice((bars.time.length - 1) * model.states)
  const next = hmmPredictNext(model, now)
  if (json) {
    return terminal.json({
      source: source.name,
      bars: bars.time.length,
      bic: model.bic,
      regimes: found.map((one, k) => ({ ...one, now: now[k], next: next[k] })),
    })
  }
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`
  terminal.say(`${source.name}: ${bars.time.length} bars of ${timeframeOf(bars)}, ${model.states} regimes by BIC`)
  terminal.say('')
  const lines = table([
    ['regime', 'share', 'a year', 'volatility', 'lasts, bars', 'now', 'next bar'],
    ...found.map((one, k) => [
      one.name,
      percent(one.share),
      percent(one.annualMean),
      percent(one.annualVolatility),
      one.duration.toFixed(1),
      percent(now[k]!),
      percent(next[k]!),
    ]),
  ])
  for (const line of lines) terminal.say(line)
}

/** What the regime model is shown: log return and log range of each bar. */
export function rowsOf({ bars }: Pick<Source, 'bars'>): number[][] {
  const { time, open, high, low, close } = bars
  return Array.from(time, (_, i) =>
    returnAndRange(
      { time: time[i]!, open: open[i]!, high: high[i]!, low: low[i]!, close: close[i]! },
      i > 0 ? close[i - 1]! : open[0]!,
    ),
  )
}

interface FoundRegime {
  readonly name: string
  /** Share of the bars, by filtered probability. */
  readonly share: number
  readonly annualMean: number
  readonly annualVolatility: number
  /** Expected bars in a row. */
  readonly duration: number
}

function describe(model: HmmModel, filtered: Float64Array, perYear: number): FoundRegime[] {
  const { states: k, columns: d, emission, transition } = model
  check(emission.family === 'gaussian', 'regimes', () => 'the model must be Gaussian.')
  if (emission.family !== 'gaussian') return []
  const returns = Array.from({ length: k }, (_, j) => ({
    mean: emission.means.data[j * d]! / 100,
    deviation: Math.sqrt(emission.covariances.data[j * d * d]!) / 100,
  }))
  const names = labelStates(returns).map(({ name }) => name)
  const n = filtered.length / k
  return returns.map(({ mean, deviation }, j) => {
    let share = 0
    for (let t = 0; t < n; t++) share += filtered[t * k + j]! / n
    return {
      name: names[j]!,
      share,
      annualMean: mean * perYear,
      annualVolatility: deviation * Math.sqrt(perYear),
      duration: 1 / (1 - transition.data[j * k + j]!),
    }
  })
}
