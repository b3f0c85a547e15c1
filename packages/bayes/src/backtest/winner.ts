import { check } from '@regimen/core'
import { addMoment, createMoments, momentSummary, type VectorLike } from '@regimen/core/math'
import type { CompleteTrial } from '../front.ts'
import type { Study } from '../study.ts'
import { deflatedSharpe, overfittingProbability } from './overfitting.ts'
import { chooseRobust, type RobustChoice } from './walk-forward.ts'

/** Options of {@link judgeWinner}. */
export interface WinnerOptions {
  /**
   * Returns of a complete trial, period by period over all folds; all of one length.
   * @default the trial's attribute `returns`
   */
  returns?: (trial: CompleteTrial) => VectorLike | undefined
  /** Blocks of the cross-validation, even, from 2 to 20. @default 10 */
  blocks?: number
}

/** The winner of a search and how far it can be trusted. */
export interface WinnerReport extends RobustChoice {
  /** Sharpe ratio of the winner's returns, per period. */
  readonly sharpe: number
  /** The Sharpe ratio that the best of as many worthless ones would show, per period. */
  readonly benchmark: number
  /** Probability that the winner's true Sharpe ratio is above that: the deflated Sharpe ratio. */
  readonly deflated: number
  /** Probability that the best in sample is below the median out of sample. */
  readonly overfitting: number
  /** Trials that the deflation counts: all but the failed. */
  readonly trials: number
}

/**
 * Chooses the winner of a search over backtests by posterior mean and says how far it can be trusted: its Sharpe ratio deflated by the number of
 * all trials and their spread, and the probability that the search overfits. Both need the returns of every complete trial; set them in the
 * objective (`trial.setAttribute('returns', […])`) or compute them here. Pruned trials count as tried, but have no returns, so where many were pruned the
 * spread is that of the better ones.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { judgeWinner, openStudy } from '@regimen/bayes'
 *
 * const rng = createRng(1)
 * const study = openStudy({ direction: 'maximize', seed: 1 })
 * await study.optimize((trial) => {
 *   const x = trial.float('x', 0, 1)
 *   const returns = Array.from({ length: 200 }, () => rng.normal(0.3 * x, 1))
 *   trial.setAttribute('returns', returns)
 *   return returns.reduce((a, b) => a + b) / 200
 * }, { trials: 30 })
 * const { deflated, overfitting } = judgeWinner(study)
 * deflated > 0 && deflated < 1 // => true
 * overfitting >= 0 && overfitting <= 1 // => true
 * ```
 *
 * Reference: see `deflatedSharpe` and `overfittingProbability`.
 */
export function judgeWinner(study: Study, options: WinnerOptions = {}): WinnerReport {
  const { returns = storedReturns, blocks = 10 } = options
  const choice = chooseRobust(study)
  const complete = study.completed
  const columns = complete.map((trial) => returns(trial) ?? [])
  const periods = columns[0]!.length
  for (const [i, column] of columns.entries()) {
    check(
      column.length > 0 && column.length === periods,
      'bayes/winner',
      () => `trial ${complete[i]!.number} has ${column.length} returns, the first one has ${periods}.`,
      "Set the attribute 'returns' in the objective, or pass { returns }.",
    )
  }
  const judged = columns.map((column) => {
    const moments = createMoments()
    for (let t = 0; t < column.length; t++) addMoment(moments, column[t]!)
    return momentSummary(moments)
  })
  const ratios = judged.map(({ mean, variance }) => (variance > 0 ? mean / Math.sqrt(variance) : 0))
  const winner = complete.findIndex(({ number }) => number === choice.trial.number)
  const average = ratios.reduce((a, b) => a + b, 0) / ratios.length
  const { skewness, kurtosis } = judged[winner]!
  const trials = study.trials.filter(({ state }) => state === 'complete' || state === 'pruned').length
  const { benchmark, probability } = deflatedSharpe({
    sharpe: ratios[winner]!,
    observations: periods,
    trials,
    variance: ratios.reduce((sum, r) => sum + (r - average) ** 2, 0) / Math.max(1, ratios.length - 1),
    skewness,
    // Moments count from the normal distribution's 3.
    kurtosis: kurtosis + 3,
  })
  const rows = Array.from({ length: periods }, (_, t) => columns.map((column) => column[t]!))
  const overfitting = overfittingProbability(rows, { blocks }).probability
  return { ...choice, sharpe: ratios[winner]!, benchmark, deflated: probability, overfitting, trials }
}

function storedReturns(trial: CompleteTrial): readonly number[] | undefined {
  const { returns } = trial.attributes
  return Array.isArray(returns) ? returns : undefined
}
