import { check, describe } from '@regimen/core'
import { quantile } from '@regimen/core/math'
import type { Pruner } from '../sampler.ts'
import { bestUpTo, lastStep, lossAt } from './reports.ts'

/** Options of {@link percentilePruner} and {@link medianPruner}. */
export interface PercentileOptions {
  /** Complete trials before anything is pruned. @default 5 */
  startup?: number
  /** Steps of each trial that are never judged. @default 0 */
  warmup?: number
}

/**
 * Prunes a trial whose best report so far is worse than the given percentile of what complete trials had reported at the same
 * step: with `keep` 25 only the best quarter goes on. See `medianPruner` for the usual half and `halvingPruner` for
 * many cheap starts.
 *
 * ```ts
 * import { openStudy, percentilePruner } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', pruner: percentilePruner(25, { startup: 4 }), seed: 1 })
 * const { pruned } = await study.optimize((trial) => {
 *   const x = trial.float('x', 0, 1)
 *   for (let fold = 0; fold < 5; fold++) {
 *     trial.report(x, fold)
 *     trial.pruneIfHopeless()
 *   }
 *   return x
 * }, { trials: 40 })
 * pruned > 5 // => true
 * ```
 *
 * Reference: D. Golovin et al., "Google Vizier", KDD 2017, §3.2.1.
 */
export function percentilePruner(keep: number, options: PercentileOptions = {}): Pruner {
  const { startup = 5, warmup = 0 } = options
  check(keep > 0 && keep < 100, 'bayes/percentile', () => `keep must be between 0 and 100, got ${describe(keep)}.`)
  return {
    name: 'percentile',
    prune(trial, { direction, trials }) {
      const step = lastStep(trial)
      if (step < warmup) return false
      const others: number[] = []
      let complete = 0
      for (const other of trials) {
        if (other.state !== 'complete') continue
        complete++
        const loss = lossAt(other, step, direction)
        if (loss !== undefined) others.push(loss)
      }
      if (complete < startup || others.length === 0) return false
      return bestUpTo(trial, step, direction)! > quantile(others, keep / 100)
    },
  }
}

/**
 * Prunes a trial whose best report so far is worse than the median of what complete trials had reported at the same step. The
 * pruner to begin with.
 *
 * ```ts
 * import { medianPruner, openStudy } from '@regimen/bayes'
 *
 * openStudy({ direction: 'minimize', pruner: medianPruner({ startup: 10, warmup: 2 }) }).trials.length // => 0
 * ```
 *
 * Reference: D. Golovin et al., "Google Vizier", KDD 2017, §3.2.1.
 */
export function medianPruner(options: PercentileOptions = {}): Pruner {
  return { ...percentilePruner(50, options), name: 'median' }
}
