import { check, describe } from '@regimen/core'
import { wilcoxon } from '@regimen/core/math'
import type { TrialRecord } from '../entries.ts'
import type { Pruner } from '../sampler.ts'
import { lossAt } from './reports.ts'

/** Options of {@link wilcoxonPruner}. */
export interface WilcoxonOptions {
  /** A trial is pruned when it is worse than the best with this probability of error. @default 0.1 */
  significance?: number
  /** Folds of a trial that are never judged. @default 3 */
  warmup?: number
}

/**
 * Prunes a trial that is worse than the best one on the same folds, by Wilcoxon's signed-rank test on the pairs: for objectives that
 * are means over walk-forward folds, reported fold by fold in any order. Unlike `medianPruner` it is not fooled by folds that are hard
 * for everybody.
 *
 * ```ts
 * import { openStudy, wilcoxonPruner } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', pruner: wilcoxonPruner(), seed: 1 })
 * const { pruned } = await study.optimize((trial) => {
 *   const x = trial.float('x', 0, 1)
 *   for (let fold = 0; fold < 12; fold++) {
 *     trial.report(x + 5 * Math.sin(fold), fold)
 *     trial.pruneIfHopeless()
 *   }
 *   return x
 * }, { trials: 30 })
 * pruned > 10 // => true
 * ```
 *
 * Reference: F. Wilcoxon, "Individual comparisons by ranking methods", 1945.
 */
export function wilcoxonPruner(options: WilcoxonOptions = {}): Pruner {
  const { significance = 0.1, warmup = 3 } = options
  const where = 'bayes/wilcoxon'
  check(
    significance > 0 && significance < 1,
    where,
    () => `significance must be between 0 and 1, got ${describe(significance)}.`,
  )
  check(
    Number.isInteger(warmup) && warmup >= 1,
    where,
    () => `warmup must be a whole number from 1, got ${describe(warmup)}.`,
  )
  return {
    name: 'wilcoxon',
    prune(trial, { direction, trials }) {
      if (trial.reports.size <= warmup) return false
      let best: TrialRecord | undefined
      const sign = direction === 'minimize' ? 1 : -1
      for (const other of trials)
        if (other.state === 'complete' && (!best || sign * other.values![0]! < sign * best.values![0]!)) best = other
      if (!best) return false
      const mine: number[] = []
      const theirs: number[] = []
      let difference = 0
      for (const step of trial.reports.keys()) {
        const a = lossAt(trial, step, direction)!
        const b = lossAt(best, step, direction)
        if (a === Number.POSITIVE_INFINITY) return true
        if (b === undefined || b === Number.POSITIVE_INFINITY) continue
        mine.push(a)
        theirs.push(b)
        difference += a - b
      }
      if (mine.length <= warmup || difference <= 0) return false
      // Two-sided p, halved: only being worse counts.
      return wilcoxon(mine, theirs).pValue / 2 < significance
    },
  }
}
