import type { Sampler } from '../sampler.ts'
import { fromUnit } from '../space.ts'

/**
 * Draws every parameter independently and uniformly (log-uniformly where the dimension says so). It is the baseline to beat,
 * and right where hundreds of evaluations run at once; for a better cover of the space at the same price see `quasiRandomSampler`.
 *
 * ```ts
 * import { openStudy, randomSampler } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', sampler: randomSampler(), seed: 1 })
 * await study.optimize((trial) => trial.float('x', -1, 1) ** 2, { trials: 50 })
 * study.best!.value < 0.1 // => true
 * ```
 *
 * Reference: J. Bergstra & Y. Bengio, "Random search for hyper-parameter optimization", JMLR 2012.
 */
export function randomSampler(): Sampler {
  return {
    name: 'random',
    open: (context) => ({
      suggest: (trial, name, dimension) => fromUnit(dimension, context.rng(trial.number, name).uniform()),
    }),
  }
}
