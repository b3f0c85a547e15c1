import { check, describe } from '@regimen/core'
import type { TrialRecord } from '../entries.ts'
import type { Pruner } from '../sampler.ts'
import { lastStep, lossAt } from './reports.ts'

/** Options of {@link halvingPruner}. */
export interface HalvingOptions {
  /** Reports before the first decision. @default 1 */
  least?: number
  /** Only one in so many trials passes each rung, and each rung is so many times as long. @default 3 */
  factor?: number
  /** Number of rungs left out at the beginning, for longer first looks. @default 0 */
  early?: number
}

/**
 * Prunes by asynchronous successive halving (ASHA): after `least·factor^k` reports, a trial goes on only if it is among the
 * best 1/factor of all that came so far. It needs no complete trial and never waits, so it suits many parallel cheap starts; `medianPruner` is
 * gentler. The first trial at a rung always passes.
 *
 * ```ts
 * import { halvingPruner, openStudy } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'maximize', pruner: halvingPruner({ factor: 2 }), seed: 2 })
 * const { pruned } = await study.optimize((trial) => {
 *   const x = trial.float('x', 0, 1)
 *   for (let epoch = 0; epoch < 8; epoch++) {
 *     trial.report(x * epoch, epoch)
 *     trial.pruneIfHopeless()
 *   }
 *   return x
 * }, { trials: 40 })
 * pruned > 10 // => true
 * ```
 *
 * Reference: L. Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020.
 */
export function halvingPruner(options: HalvingOptions = {}): Pruner {
  const { least = 1, factor = 3, early = 0 } = options
  const where = 'bayes/halving'
  check(
    Number.isInteger(least) && least >= 1,
    where,
    () => `least must be a whole number from 1, got ${describe(least)}.`,
  )
  check(
    Number.isInteger(factor) && factor >= 2,
    where,
    () => `factor must be a whole number from 2, got ${describe(factor)}.`,
  )
  check(
    Number.isInteger(early) && early >= 0,
    where,
    () => `early must be a whole number from 0, got ${describe(early)}.`,
  )
  return {
    name: 'halving',
    prune: (trial, { direction, trials }) => outOfRung(trial, trials, direction, least * factor ** early, factor),
  }
}

function outOfRung(
  trial: TrialRecord,
  trials: readonly TrialRecord[],
  direction: 'minimize' | 'maximize',
  first: number,
  factor: number,
): boolean {
  const steps = lastStep(trial) + 1
  for (let rung = first; rung <= steps; rung *= factor) {
    if (rung !== steps) continue
    const own = lossAt(trial, rung - 1, direction)!
    let better = 0
    let count = 0
    for (const other of trials) {
      const loss = lossAt(other, rung - 1, direction)
      if (loss === undefined) continue
      count++
      if (loss < own) better++
    }
    return own === Number.POSITIVE_INFINITY || better >= Math.max(1, Math.floor(count / factor))
  }
  return false
}

/** Options of {@link hyperbandPruner}. */
export interface HyperbandOptions {
  /** Reports of a complete trial. */
  most: number
  /** Reports before the first decision of the most aggressive bracket. @default 1 */
  least?: number
  /** @default 3 */
  factor?: number
}

/**
 * Prunes by Hyperband: deals trials out to brackets of successive halving whose first decision comes after 1, factor, factor², …
 * reports, so that a slow starter has a bracket that waits for it. A trial's bracket follows from its number, each bracket getting a share in
 * inverse proportion to what its trials cost.
 *
 * ```ts
 * import { hyperbandPruner, openStudy } from '@regimen/bayes'
 *
 * openStudy({ direction: 'minimize', pruner: hyperbandPruner({ most: 27 }) }).trials.length // => 0
 * ```
 *
 * Reference: L. Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization", JMLR 2018.
 */
export function hyperbandPruner(options: HyperbandOptions): Pruner {
  const { most, least = 1, factor = 3 } = options
  const where = 'bayes/hyperband'
  check(
    Number.isInteger(most) && most >= least,
    where,
    () => `most must be a whole number from ${least}, got ${describe(most)}.`,
  )
  check(
    Number.isInteger(factor) && factor >= 2,
    where,
    () => `factor must be a whole number from 2, got ${describe(factor)}.`,
  )
  const brackets = Math.floor(Math.log(most / least) / Math.log(factor) + 1e-9) + 1
  // Bracket s begins with ⌈B/(s+1)⌉·factor^s trials, as in the paper's equation for n.
  const sizes = Array.from({ length: brackets }, (_, early) => {
    const s = brackets - 1 - early
    return Math.ceil((brackets * factor ** s) / (s + 1))
  })
  const round = sizes.reduce((a, b) => a + b, 0)
  const bracketOf = (number: number): number => {
    let rest = number % round
    for (let b = 0; b < brackets; b++) {
      if (rest < sizes[b]!) return b
      rest -= sizes[b]!
    }
    return brackets - 1
  }
  return {
    name: 'hyperband',
    prune(trial, { direction, trials }) {
      const bracket = bracketOf(trial.number)
      const rivals = trials.filter(({ number }) => bracketOf(number) === bracket)
      return outOfRung(trial, rivals, direction, least * factor ** bracket, factor)
    },
  }
}
