import { type Candidate, check, type Optimizer, type PointOf, type Space } from '@regimen/core'
import type { Sampler } from '../sampler.ts'
import { fromUnit, type Params } from '../space.ts'

/**
 * Lets any `Optimizer` of `core` choose the trials of a study: CMA-ES or differential evolution from `@regimen/evolve`, say, with the study's
 * storage, resume and pruning around it. It is asked and told in the storage's order, so a study that is opened again, or in several
 * processes, brings it to the same state. Failed and pruned trials are told as failed; parameters outside its space are random.
 *
 * ```ts
 * import { openOptimizer, openStudy, optimizerSampler, tpe } from '@regimen/bayes'
 *
 * const space = { x: { type: 'float', low: -1, high: 1 } } as const
 * const sampler = optimizerSampler(space, (space) => openOptimizer({ space, direction: 'minimize', sampler: tpe(), seed: 1 }))
 * const study = openStudy({ direction: 'minimize', sampler })
 * await study.optimize((trial) => trial.float('x', -1, 1) ** 2, { trials: 40 })
 * study.best!.value < 0.05 // => true
 * ```
 */
export function optimizerSampler<const S extends Space>(space: S, open: (space: S) => Optimizer<PointOf<S>>): Sampler {
  return {
    name: 'optimizer',
    open(context) {
      const optimizer = open(space)
      const wanted = typeof optimizer.direction === 'string' ? [optimizer.direction] : optimizer.direction
      check(
        wanted.join() === context.directions.join(),
        'bayes/optimizer',
        () => `the optimizer must ${context.directions.join()} like the study, got ${wanted.join()}.`,
      )
      const asked = new Map<number, Candidate<PointOf<S>>>()
      return {
        started(trial) {
          if (trial.attributes.fixed !== undefined) return
          const candidate = optimizer.ask(1)[0]
          if (candidate) asked.set(trial.number, candidate)
        },
        finished({ number, state, values, violations, error }) {
          const candidate = asked.get(number)
          if (!candidate) return
          asked.delete(number)
          const { id } = candidate
          if (state !== 'complete') optimizer.tell([{ id, failed: error ?? state }])
          else {
            const value = values!.length === 1 ? values![0]! : values!
            optimizer.tell([{ id, value, ...(violations.length > 0 ? { violations } : {}) }])
          }
        },
        joint: (trial) => (asked.get(trial.number)?.point ?? {}) as Params,
        suggest: (trial, name, dimension) => fromUnit(dimension, context.rng(trial.number, name).uniform()),
      }
    },
  }
}
