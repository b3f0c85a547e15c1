import { check } from '@regimen/core'
import { halton } from '../qmc/halton.ts'
import { JOE_KUO_DIMENSIONS } from '../qmc/joe-kuo.ts'
import { sobol } from '../qmc/sobol.ts'
import type { Sampler } from '../sampler.ts'
import { fromUnit, type ParamValue } from '../space.ts'

/** Options of {@link quasiRandomSampler}. */
export interface QuasiRandomOptions {
  /** `sobol` serves up to 128 parameters, `halton` any number. @default 'sobol' */
  sequence?: 'sobol' | 'halton'
}

/**
 * Covers the space evenly: trial n takes the n-th point of a randomized Sobol or Halton sequence. Choose it instead of
 * `randomSampler` to explore, or for importances and plots that are not biased towards good regions. Parameters take their columns
 * in the order in which the study first sees them; the first trial is random where the space is not declared.
 *
 * ```ts
 * import { openStudy, quasiRandomSampler } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', sampler: quasiRandomSampler(), seed: 1 })
 * await study.optimize((trial) => trial.float('x', 0, 1), { trials: 65 })
 * const cells = new Set(study.trials.slice(1).map((trial) => Math.floor((trial.params.x as number) * 64)))
 * cells.size > 56 // => true
 * ```
 *
 * Reference: see `sobol` and `halton`.
 */
export function quasiRandomSampler(options: QuasiRandomOptions = {}): Sampler {
  const { sequence = 'sobol' } = options
  check(
    sequence === 'sobol' || sequence === 'halton',
    'bayes/quasi-random',
    () => `sequence must be 'sobol' or 'halton', got ${String(sequence)}.`,
  )
  return {
    name: sequence,
    open(context) {
      const seed = context.rng(0, 'shift').int(0, 2 ** 31)
      return {
        joint(trial) {
          const names = [...context.space.keys()]
          if (names.length === 0) return {}
          const options = { skip: trial.number, seed }
          const row =
            sequence === 'sobol' && names.length <= JOE_KUO_DIMENSIONS
              ? sobol(1, names.length, options)
              : halton(1, names.length, options)
          const out: { [name: string]: ParamValue } = {}
          for (const [j, name] of names.entries()) out[name] = fromUnit(context.space.get(name)!, row[j]!)
          return out
        },
        suggest: (trial, name, dimension) => fromUnit(dimension, context.rng(trial.number, name).uniform()),
      }
    },
  }
}
