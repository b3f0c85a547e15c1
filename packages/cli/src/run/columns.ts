import { type ArrayLeaf, arrayLeaf, type Schema, schema } from '@regimen/core'
import type { Step } from '@regimen/pipeline'

const NAMES = ['equity', 'target', 'logScore', 'below', 'mean', 'variance', 'regime', 'version'] as const
const column = schema.leaf('float64', [null])

/** Columns as a snapshot holds them. */
export type SavedColumns = {
  readonly [name in (typeof NAMES)[number] | 'probabilities' | 'regimes']: ArrayLeaf<'float64'>
}

export const columnsSchema: Schema<SavedColumns> = schema.object({
  equity: column,
  target: column,
  logScore: column,
  below: column,
  mean: column,
  variance: column,
  regime: column,
  version: column,
  /** P(regime), one after the other. */
  probabilities: column,
  /** Number of regimes at each bar. */
  regimes: column,
})

/** What a run gathers bar by bar. */
export interface Columns {
  readonly equity: number[]
  readonly target: number[]
  /** ln p of the return after each bar, filled in when it is known. */
  readonly logScore: number[]
  /** Probability that was forecast for returns up to the one that came. */
  readonly below: number[]
  readonly mean: number[]
  readonly variance: number[]
  readonly regime: number[]
  readonly version: number[]
  readonly probabilities: Float64Array[]
}

/** Opens columns, empty or as they were saved. */
export function openColumns(saved?: SavedColumns): Columns {
  const lists = Object.fromEntries(NAMES.map((name) => [name, Array.from(saved?.[name].data ?? [])]))
  const probabilities: Float64Array[] = []
  let at = 0
  for (const k of saved?.regimes.data ?? []) {
    probabilities.push(saved!.probabilities.data.slice(at, at + k))
    at += k
  }
  return { ...(lists as Omit<Columns, 'probabilities'>), probabilities }
}

export function saveColumns(columns: Columns): SavedColumns {
  const leaf = (values: ArrayLike<number>): ArrayLeaf<'float64'> =>
    arrayLeaf('float64', [values.length], Float64Array.from(values))
  const lists = Object.fromEntries(NAMES.map((name) => [name, leaf(columns[name])]))
  return {
    ...(lists as Omit<SavedColumns, 'probabilities' | 'regimes'>),
    probabilities: leaf(columns.probabilities.flatMap((p) => Array.from(p))),
    regimes: leaf(columns.probabilities.map((p) => p.length)),
  }
}

/** Takes a step; `from` is the row of the first one. */
export function take(columns: Columns, step: Step, from: number): void {
  columns.equity.push(step.equity)
  columns.target.push(step.target)
  columns.logScore.push(Number.NaN)
  columns.below.push(Number.NaN)
  columns.mean.push(step.forecast?.mean ?? Number.NaN)
  columns.variance.push(step.forecast?.variance ?? Number.NaN)
  columns.regime.push(step.regime)
  columns.version.push(step.version)
  columns.probabilities.push(step.regimes)
  for (const { row, logScore, below } of step.scored) {
    if (row < from) continue
    columns.logScore[row - from] = logScore
    columns.below[row - from] = below
  }
}
