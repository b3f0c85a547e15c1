import type { Direction } from '@regimen/core'
import { hypervolume, paretoFilter } from '@regimen/core/math'
import type { TrialRecord } from './entries.ts'

/** A finished trial with its values. */
export type CompleteTrial = TrialRecord & { readonly values: readonly number[]; readonly value: number }

/** Values turned so that less is better. */
export function lossesOf(values: readonly number[], directions: readonly Direction[]): number[] {
  return values.map((value, k) => (directions[k] === 'minimize' ? value : -value))
}

/** The feasible trials that no other feasible one dominates. */
export function frontOf(trials: readonly CompleteTrial[], directions: readonly Direction[]): CompleteTrial[] {
  const feasible = trials.filter(isFeasible)
  if (feasible.length === 0) return []
  const rows = feasible.map(({ values }) => lossesOf(values, directions))
  return Array.from(paretoFilter(rows), (i) => feasible[i]!)
}

/** Hypervolume of the front after each trial; the reference in the objectives' own units. */
export function hypervolumes(
  trials: readonly CompleteTrial[],
  directions: readonly Direction[],
  reference: readonly number[],
): Float64Array {
  const corner = lossesOf(reference, directions)
  let front: number[][] = []
  return Float64Array.from(trials, (trial) => {
    if (isFeasible(trial)) {
      const rows = [...front, lossesOf(trial.values, directions)]
      front = Array.from(paretoFilter(rows), (i) => rows[i]!)
    }
    return hypervolume(front, corner)
  })
}

function isFeasible(trial: CompleteTrial): boolean {
  return trial.violations.every((v) => v <= 0)
}
