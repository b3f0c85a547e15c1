import { check, describe } from '@regimen/core'
import type { Pruner } from '../sampler.ts'
import { lossAt } from './reports.ts'

/**
 * Prunes a trial that has not improved on its own best report by more than `least` for `patience` reports; with `inner`, only where
 * that pruner agrees. It looks at no other trial: early stopping of training.
 *
 * ```ts
 * import { openStudy, patiencePruner } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', pruner: patiencePruner(2), seed: 1 })
 * const trial = study.ask()
 * const pruned = [5, 4, 4, 4].map((value, step) => {
 *   trial.report(value, step)
 *   return trial.shouldPrune()
 * })
 * pruned // => [false, false, false, true]
 * ```
 */
export function patiencePruner(patience: number, options: { least?: number; inner?: Pruner } = {}): Pruner {
  const { least = 0, inner } = options
  check(
    Number.isInteger(patience) && patience >= 1,
    'bayes/patience',
    () => `patience must be a whole number from 1, got ${describe(patience)}.`,
  )
  return {
    name: 'patience',
    prune(trial, context) {
      let best = Number.POSITIVE_INFINITY
      let since = 0
      for (const step of [...trial.reports.keys()].sort((a, b) => a - b)) {
        const loss = lossAt(trial, step, context.direction)!
        since = loss < best - least ? 0 : since + 1
        best = Math.min(best, loss)
      }
      return since >= patience && (inner?.prune(trial, context) ?? true)
    },
  }
}
