import type { Direction } from '@regimen/core'
import type { TrialRecord } from '../entries.ts'

/** The last step that a trial reported; −1 before the first. */
export function lastStep(trial: TrialRecord): number {
  let last = -1
  for (const step of trial.reports.keys()) if (step > last) last = step
  return last
}

/** A report as a loss: less is better, NaN is worst. */
export function lossAt(trial: TrialRecord, step: number, direction: Direction): number | undefined {
  const value = trial.reports.get(step)
  if (value === undefined) return undefined
  if (Number.isNaN(value)) return Number.POSITIVE_INFINITY
  return direction === 'minimize' ? value : -value
}

/** The best report up to a step. */
export function bestUpTo(trial: TrialRecord, step: number, direction: Direction): number | undefined {
  let best: number | undefined
  for (const at of trial.reports.keys()) {
    if (at > step) continue
    const loss = lossAt(trial, at, direction)!
    if (best === undefined || loss < best) best = loss
  }
  return best
}
