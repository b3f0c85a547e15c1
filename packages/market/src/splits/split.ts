import { check, describe } from '@regimen/core'

/** One split: rows to learn from and rows to judge on, each in order. */
export interface Split {
  readonly train: Int32Array
  readonly test: Int32Array
}

/** What a splitter must know of the labels: for each row the row at whose close its label is known, -1 where it is not. */
export interface LabelSpans {
  readonly end: ArrayLike<number>
}

export function checkSpans(labels: LabelSpans, where: string): number {
  const n = labels.end.length
  check(n > 0, where, () => 'labels must cover at least one row, got none.')
  for (let i = 0; i < n; i++) {
    const end = labels.end[i]!
    if (!(end === -1 || (Number.isInteger(end) && end >= i && end < n))) {
      check(false, where, () => `end of row ${i} must be -1 or a row from ${i} to ${n - 1}, got ${describe(end)}.`)
    }
  }
  return n
}

export function checkCount(value: number, name: string, least: number, where: string): void {
  check(
    Number.isInteger(value) && value >= least,
    where,
    () => `${name} must be a whole number from ${least}, got ${describe(value)}.`,
  )
}

/** Rows in [from, to) whose labels are known. */
export function labelledRows(labels: LabelSpans, from: number, to: number): number[] {
  const rows: number[] = []
  for (let i = from; i < to; i++) if (labels.end[i]! >= 0) rows.push(i)
  return rows
}

/** Drops from `rows` those whose label spans touch that of a test block, or begin within the embargo after it. */
export function purge(
  rows: readonly number[],
  labels: LabelSpans,
  block: readonly number[],
  embargo: number,
): number[] {
  if (block.length === 0) return rows.slice()
  const first = block[0]!
  let last = first
  for (const i of block) last = Math.max(last, labels.end[i]!)
  return rows.filter((i) => labels.end[i]! < first || i > last + embargo)
}
