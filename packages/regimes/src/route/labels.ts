import { check } from '@regimen/core'

/** What a state's returns are like. */
export interface StateReturns {
  /** Mean return of a bar. */
  readonly mean: number
  /** Standard deviation of a bar's return, above 0. */
  readonly deviation: number
  /** Lag-one autocorrelation within the state, where known. @default 0 */
  readonly autocorrelation?: number
}

/** Options of {@link labelStates}. */
export interface LabelOptions {
  /** |mean| / deviation from which a state has a direction; 0.03 a day is a Sharpe ratio of about 0.5 a year. @default 0.03 */
  direction?: number
  /** |autocorrelation| from which a state trends or reverts. @default 0.05 */
  persistence?: number
}

/** A state's name on its axes. */
export interface StateLabel {
  readonly trend: 'bull' | 'bear' | 'sideways'
  readonly volatility: 'low' | 'high'
  readonly persistence: 'trending' | 'mean-reverting' | 'neither'
  /** `bull-low`, `sideways-high`, … */
  readonly name: string
}

/**
 * Names states by what they emit and not by their numbers, so that names survive a refit: bull, bear or sideways by mean over
 * deviation; low or high volatility against the geometric middle of the states' deviations; trending or mean-reverting by
 * autocorrelation. Two states may share a name; a single state counts as low.
 *
 * ```ts
 * import { labelStates } from '@regimen/regimes'
 *
 * labelStates([{ mean: 0.001, deviation: 0.008 }, { mean: -0.002, deviation: 0.02 }]).map((label) => label.name)
 * // => ['bull-low', 'bear-high']
 * ```
 */
export function labelStates(states: readonly StateReturns[], options: LabelOptions = {}): StateLabel[] {
  const where = 'regimes/labels'
  const { direction = 0.03, persistence: least = 0.05 } = options
  for (const { mean, deviation } of states)
    check(
      Number.isFinite(mean) && deviation > 0,
      where,
      () => `each state needs a finite mean and a deviation above 0, got ${mean} and ${deviation}.`,
    )
  const logs = states.map((state) => Math.log(state.deviation))
  const middle = states.length < 2 ? Number.POSITIVE_INFINITY : (Math.min(...logs) + Math.max(...logs)) / 2
  const apart = states.length > 1 && Math.max(...logs) - Math.min(...logs) > 1e-3
  return states.map(({ mean, deviation, autocorrelation = 0 }, i) => {
    const ratio = mean / deviation
    const trend = ratio >= direction ? 'bull' : ratio <= -direction ? 'bear' : 'sideways'
    const volatility = apart && logs[i]! > middle ? 'high' : 'low'
    const persistence = autocorrelation >= least ? 'trending' : autocorrelation <= -least ? 'mean-reverting' : 'neither'
    return { trend, volatility, persistence, name: `${trend}-${volatility}` }
  })
}
