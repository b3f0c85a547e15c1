import { check, checkSpace } from '@regimen/core'
import type { Sampler } from '../sampler.ts'
import { fromUnit, levelsOf, type Params, type ParamValue, plainDimension, type SearchSpace } from '../space.ts'

/**
 * Tries every combination, once each: trial n takes the n-th point of the grid, in the order of the space, the last parameter
 * fastest. Real parameters without a step take `points` evenly spaced values, bounds included (on a logarithmic scale where the
 * dimension says so). After the last combination it begins again.
 *
 * ```ts
 * import { gridSampler, gridSize, openStudy } from '@regimen/bayes'
 *
 * const space = { fast: { type: 'int', low: 2, high: 4 }, kind: { type: 'categorical', choices: ['ema', 'sma'] } } as const
 * const study = openStudy({ direction: 'minimize', sampler: gridSampler(space) })
 * await study.optimize((trial) => trial.suggest(space).fast, { trials: gridSize(space) })
 * new Set(study.trials.map((trial) => JSON.stringify(trial.params))).size // => 6
 * ```
 */
export function gridSampler(space: SearchSpace, points = 5): Sampler {
  checkSpace(space, 'bayes/grid')
  check(
    Number.isInteger(points) && points >= 2,
    'bayes/grid',
    () => `points must be a whole number from 2, got ${points}.`,
  )
  const names = Object.keys(space)
  const values = names.map((name) => gridValues(space, name, points))
  return {
    name: 'grid',
    open: (context) => ({
      joint(trial): Params {
        const out: { [name: string]: ParamValue } = {}
        let rest = trial.number
        for (let j = names.length - 1; j >= 0; j--) {
          const count = values[j]!.length
          out[names[j]!] = values[j]![rest % count]!
          rest = Math.floor(rest / count)
        }
        return out
      },
      suggest: (trial, name, dimension) => fromUnit(dimension, context.rng(trial.number, name).uniform()),
    }),
  }
}

/**
 * Counts the combinations of a grid.
 *
 * ```ts
 * import { gridSize } from '@regimen/bayes'
 *
 * gridSize({ x: { type: 'float', low: 0, high: 1 }, n: { type: 'int', low: 1, high: 3 } }, 10) // => 30
 * ```
 */
export function gridSize(space: SearchSpace, points = 5): number {
  return Object.keys(space).reduce((product, name) => product * gridValues(space, name, points).length, 1)
}

function gridValues(space: SearchSpace, name: string, points: number): ParamValue[] {
  const dimension = plainDimension(space[name]!)
  const levels = levelsOf(dimension)
  if (Number.isFinite(levels) && !(dimension.type === 'int' && dimension.log))
    return Array.from({ length: levels }, (_, i) => fromUnit(dimension, (i + 0.5) / levels))
  return [...new Set(Array.from({ length: points }, (_, i) => fromUnit(dimension, i / (points - 1))))]
}
