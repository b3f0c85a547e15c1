import { describe } from '@regimen/core'
import type { StudyEntry } from './entries.ts'

/** What became of a trial, as `tell` takes it. */
export type Told = number | readonly number[] | { readonly pruned: true } | { readonly failed: string }

/** A told trial and what is needed to judge it. */
export interface TellRequest {
  readonly number: number
  readonly told: Told
  readonly violations: readonly number[]
  /** How many values make a result. */
  readonly objectives: number
  readonly time: number
}

/** The entry that ends a trial: complete only where every objective has a finite value, else failed with the reason. */
export function ending({ number, told, violations, objectives, time }: TellRequest): StudyEntry {
  const end = { t: 'finish', n: number, time } as const
  if (typeof told === 'object' && 'pruned' in told) return { ...end, state: 'pruned' }
  if (typeof told === 'object' && 'failed' in told) return { ...end, state: 'failed', error: String(told.failed) }
  const values = typeof told === 'number' ? [told] : Array.isArray(told) ? (told as number[]) : [Number.NaN]
  let error: string | undefined
  if (values.length !== objectives) error = `the objective must return ${objectives} values, got ${values.length}`
  else if (!values.every(Number.isFinite))
    error = `the objective must be finite, got ${typeof told === 'number' || Array.isArray(told) ? String(told) : describe(told)}`
  if (error) return { ...end, state: 'failed', error }
  return {
    ...end,
    state: 'complete',
    values: [...values],
    ...(violations.length ? { violations: [...violations] } : {}),
  }
}
