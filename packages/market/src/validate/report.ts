/** What can be wrong with bars. */
export type IssueKind =
  | 'strings'
  | 'unparsable'
  | 'badTime'
  | 'unsorted'
  | 'duplicates'
  | 'gaps'
  | 'missing'
  | 'nonPositive'
  | 'highBelowLow'
  | 'outside'
  | 'badVolume'
  | 'flat'
  | 'badTicks'
  | 'splits'

/** One kind of finding with the places where it was found. */
export interface ValidationIssue {
  readonly kind: IssueKind
  /** How many rows, cells (strings, unparsable) or holes (gaps). */
  readonly count: number
  /** The first twenty rows, from 0 in the order of the input. A gap is named by the row after it. */
  readonly rows: readonly number[]
  /** What was found, as a sentence with the first place. */
  readonly message: string
}

/** A hole between two bars. */
export interface Gap {
  /** Close of the last bar before the hole and open of the first after it, UTC epoch milliseconds. */
  readonly from: number
  readonly to: number
  /** Bars that the calendar expects in between. */
  readonly missing: number
  /** Row after the hole. */
  readonly row: number
}

/** A jump between two bars that looks like an unadjusted split. */
export interface SplitJump {
  readonly row: number
  readonly time: number
  /** Price after over price before, rounded to the fraction that it resembles: 0.5 for a 2:1 split. */
  readonly ratio: number
}

/** One repair that was made. */
export interface RepairAction {
  readonly kind: IssueKind
  readonly policy: string
  readonly count: number
}

/** What was found in the data, and what was done about it. */
export interface ValidationReport {
  readonly rows: number
  /** Milliseconds of one bar, given or inferred. */
  readonly interval: number
  readonly order: 'ascending' | 'descending' | 'mixed'
  /** Numbers that arrived as text. */
  readonly converted: number
  readonly issues: readonly ValidationIssue[]
  readonly gaps: readonly Gap[]
  readonly splits: readonly SplitJump[]
  /** Repairs made, in order; empty in the report of {@link validateBars}, which only looks. */
  readonly repairs: readonly RepairAction[]
}
