import { check, describe, RegimenError } from '@regimen/core'
import { type Bars, createBars } from '../bars.ts'
import type { RawBars } from '../load/raw.ts'
import { expectedBars } from './calendar.ts'
import type { IssueKind, RepairAction, ValidationReport } from './report.ts'
import { ROW_KINDS, rowProblem, scanRows, takeRows, timeOrder } from './rows.ts'
import { findBadTicks, findFlat } from './series.ts'
import { buildReport, checkRaw, findDuplicates, type ValidateOptions } from './validate.ts'

/** What to do about each kind of problem. Everything done is listed in the report. */
export interface RepairPolicies {
  /** Rows out of order. @default 'sort' */
  unsorted?: 'sort' | 'error'
  /** Several rows of the same time: which one stays. @default 'error' */
  duplicates?: 'error' | 'first' | 'last'
  /** Rows without a readable time. @default 'error' */
  badTime?: 'error' | 'drop'
  /** Rows that lack a price; `previous` makes a flat bar at the previous close without volume. @default 'error' */
  missing?: 'error' | 'drop' | 'previous'
  /** Rows with a price of zero or less. @default 'error' */
  nonPositive?: 'error' | 'drop'
  /** Rows whose high is below the low. @default 'error' */
  highBelowLow?: 'error' | 'drop' | 'swap'
  /** Rows whose open or close is outside low … high; `widen` moves high and low out. @default 'error' */
  outside?: 'error' | 'drop' | 'widen'
  /** Rows with a missing or negative volume; `omit` leaves out the whole column. @default 'error' */
  badVolume?: 'error' | 'drop' | 'zero' | 'omit'
  /** Bars that do not move; dropping them leaves gaps. @default 'keep' */
  flat?: 'keep' | 'drop'
  /** Bars that leap and come back at once. Dropping looks one bar ahead. @default 'keep' */
  badTicks?: 'keep' | 'drop' | 'error'
  /** Jumps that look like splits; `adjust` scales everything before. @default 'keep' */
  splits?: 'keep' | 'adjust' | 'error'
  /** Holes in the calendar; `fill` puts flat bars at the previous close without volume. @default 'keep' */
  gaps?: 'keep' | 'fill' | 'error'
}

/** Options of {@link repairBars}. */
export interface RepairOptions extends ValidateOptions {
  /**
   * What to do about each kind of problem.
   * @default sort; an error for rows that are wrong; keep what is only suspicious
   */
  repair?: RepairPolicies | undefined
}

const WHERE = 'market/repair'
const CHOICES: { readonly [kind in keyof RepairPolicies]-?: readonly string[] } = {
  unsorted: ['sort', 'error'],
  duplicates: ['error', 'first', 'last'],
  badTime: ['error', 'drop'],
  missing: ['error', 'drop', 'previous'],
  nonPositive: ['error', 'drop'],
  highBelowLow: ['error', 'drop', 'swap'],
  outside: ['error', 'drop', 'widen'],
  badVolume: ['error', 'drop', 'zero', 'omit'],
  flat: ['keep', 'drop'],
  badTicks: ['keep', 'drop', 'error'],
  splits: ['keep', 'adjust', 'error'],
  gaps: ['keep', 'fill', 'error'],
}
const DEFAULTS: Policies = {
  unsorted: 'sort',
  duplicates: 'error',
  badTime: 'error',
  missing: 'error',
  nonPositive: 'error',
  highBelowLow: 'error',
  outside: 'error',
  badVolume: 'error',
  flat: 'keep',
  badTicks: 'keep',
  splits: 'keep',
  gaps: 'keep',
}
const MAX_FILLED = 50_000_000

/**
 * Turns raw columns into bars: reports what {@link validateBars} finds, repairs what the policies say and refuses the rest
 * with the row's number. Nothing is repaired silently: `report.repairs` lists each kind with its policy and count.
 * The defaults only sort.
 *
 * ```ts
 * import { repairBars } from '@regimen/market'
 *
 * const p = Float64Array.of(10, Number.NaN, 12)
 * const raw = { time: Float64Array.of(0, 1000, 2000), open: p, high: p, low: p, close: p }
 * const { bars, report } = repairBars(raw, { repair: { missing: 'previous' } })
 * Array.from(bars.close) // => [10, 10, 12]
 * report.repairs // => [{ kind: 'missing', policy: 'previous', count: 1 }]
 * ```
 */
export function repairBars(raw: RawBars, options: RepairOptions = {}): { bars: Bars; report: ValidationReport } {
  checkRaw(raw)
  const policies = readPolicies(options.repair)
  const scan = scanRows(raw)
  const duplicateRows = findDuplicates(raw, timeOrder(raw, scan.order))
  const repairs = new Map<IssueKind, RepairAction>()
  const note = (kind: IssueKind, policy: string, count: number): void => {
    if (count > 0) repairs.set(kind, { kind, policy, count: count + (repairs.get(kind)?.count ?? 0) })
  }
  if (scan.order !== 'ascending') {
    if (policies.unsorted === 'error') throw refusal(raw, 'unsorted', scan.unsorted[0] ?? 1)
    note('unsorted', 'sort', scan.order === 'descending' ? raw.time.length : scan.unsortedCount)
  }
  const dirty = scan.order !== 'ascending' || duplicateRows.length > 0 || scan.counts.some((count) => count > 0)
  const fixed = dirty ? repairRows(raw, scan.order, policies, note) : { columns: raw, rows: undefined }
  if (fixed.columns.time.length === 0) {
    throw new RegimenError('no usable row is left.', { code: 'NO_BARS', where: WHERE, hint: 'Look at validateBars.' })
  }
  const report = buildReport(raw, scan, duplicateRows, fixed.columns, fixed.rows, options)
  const columns = repairSeries(raw, fixed.columns, fixed.rows, report, policies, options, note)
  const bars = createBars({ ...columns, interval: report.interval })
  return { bars, report: { ...report, repairs: [...repairs.values()] } }
}

type Note = (kind: IssueKind, policy: string, count: number) => void
type Policies = Required<RepairPolicies>

function readPolicies(given: RepairPolicies = {}): Policies {
  const chosen = Object.entries(given).filter(([, policy]) => policy !== undefined)
  for (const [kind, policy] of chosen) {
    const choices = CHOICES[kind as keyof RepairPolicies]
    check(
      choices !== undefined,
      WHERE,
      () => `there is no policy for ${describe(kind)}: ${Object.keys(CHOICES).join(', ')}.`,
    )
    check(
      choices.includes(policy),
      WHERE,
      () => `repair.${kind} must be one of ${choices.join(', ')}, got ${describe(policy)}.`,
    )
  }
  return { ...DEFAULTS, ...Object.fromEntries(chosen) }
}

/** Sorts and repairs row by row; the columns are copies. */
function repairRows(
  raw: RawBars,
  order: ValidationReport['order'],
  policies: Policies,
  note: Note,
): { columns: RawBars; rows: Int32Array } {
  const sorted = timeOrder(raw, order) ?? Int32Array.from({ length: raw.time.length }, (_, i) => i)
  const keep = new Int32Array(sorted.length)
  let size = 0
  const byTime = new Map<string, number>()
  for (const row of sorted) {
    const code = rowProblem(raw, row)
    const kind = ROW_KINDS[code]
    const policy = kind && policies[kind as keyof Policies]
    if (kind && policy === 'error') throw refusal(raw, kind, row)
    if (kind && (policy === 'drop' || (policy === 'previous' && size === 0))) {
      byTime.set(kind, (byTime.get(kind) ?? 0) + 1)
      continue
    }
    if (size > 0 && raw.time[keep[size - 1]!] === raw.time[row]) {
      if (policies.duplicates === 'error') throw refusal(raw, 'duplicates', row)
      note('duplicates', policies.duplicates, 1)
      if (policies.duplicates === 'last') keep[size - 1] = row
      continue
    }
    keep[size++] = row
  }
  // Sorting leaves out rows without a time; in ascending files they were met above.
  for (let i = 0; order !== 'ascending' && i < raw.time.length; i++) {
    if (!Number.isNaN(raw.time[i]!)) continue
    if (policies.badTime === 'error') throw refusal(raw, 'badTime', i)
    note('badTime', 'drop', 1)
  }
  for (const [kind, count] of byTime) note(kind as IssueKind, 'drop', count)
  const rows = keep.slice(0, size)
  const columns = takeRows(raw, rows)
  const { open, high, low, close, volume } = columns
  let dropVolume = false
  for (let i = 0; i < size; i++) {
    let code = rowProblem(raw, rows[i]!)
    if (code === 0) continue
    if (code === 2) {
      open[i] = high[i] = low[i] = close[i] = close[i - 1]!
      if (volume) volume[i] = 0
      note('missing', 'previous', 1)
      continue
    }
    if (code === 4) {
      const top = high[i]!
      high[i] = low[i]!
      low[i] = top
      note('highBelowLow', 'swap', 1)
      code = rowProblem(columns, i)
      if (code === 5 && policies.outside !== 'widen') throw refusal(raw, 'outside', rows[i]!)
    }
    if (code === 5) {
      high[i] = Math.max(high[i]!, open[i]!, close[i]!)
      low[i] = Math.min(low[i]!, open[i]!, close[i]!)
      note('outside', 'widen', 1)
      code = rowProblem(columns, i)
    }
    if (code === 6) {
      if (policies.badVolume === 'error' || policies.badVolume === 'drop') throw refusal(raw, 'badVolume', rows[i]!)
      volume![i] = 0
      note('badVolume', policies.badVolume, 1)
      dropVolume = policies.badVolume === 'omit'
    }
  }
  return { columns: dropVolume ? { ...columns, volume: undefined } : columns, rows }
}

/** Repairs that need the neighbours: flat stretches, bad ticks, splits, gaps. */
function repairSeries(
  raw: RawBars,
  clean: RawBars,
  rows: Int32Array | undefined,
  report: ValidationReport,
  policies: Policies,
  options: RepairOptions,
  note: Note,
): RawBars {
  for (const kind of ['badTicks', 'splits', 'gaps'] as const) {
    const found = policies[kind] === 'error' ? report.issues.find((issue) => issue.kind === kind) : undefined
    if (found) throw refusal(raw, kind, found.rows[0]!)
  }
  let columns = clean
  const drop = new Set<number>()
  if (policies.flat === 'drop') {
    const flat = findFlat(clean, options.flatRun ?? 5)
    note('flat', 'drop', flat.length)
    for (const row of flat) drop.add(row)
  }
  if (policies.badTicks === 'drop') {
    const ticks = findBadTicks(clean, options.badTickSigmas ?? 12)
    note('badTicks', 'drop', ticks.length)
    for (const row of ticks) drop.add(row)
  }
  if (policies.splits === 'adjust' && report.splits.length > 0) {
    columns = adjustSplits(columns, rows, report)
    note('splits', 'adjust', report.splits.length)
  }
  if (drop.size > 0) {
    const kept = Array.from({ length: columns.time.length }, (_, i) => i).filter((i) => !drop.has(i))
    columns = takeRows(columns, Int32Array.from(kept))
  }
  return policies.gaps === 'fill' ? fillGaps(columns, report.interval, options, note) : columns
}

function adjustSplits(columns: RawBars, rows: Int32Array | undefined, report: ValidationReport): RawBars {
  const out = takeRows(
    columns,
    Int32Array.from({ length: columns.time.length }, (_, i) => i),
  )
  let split = report.splits.length - 1
  let factor = 1
  for (let i = out.time.length - 1; i >= 0; i--) {
    for (const prices of [out.open, out.high, out.low, out.close]) prices[i] = prices[i]! * factor
    if (out.volume) out.volume[i] = out.volume[i]! / factor
    if (split >= 0 && report.splits[split]!.row === (rows ? rows[i]! : i)) factor *= report.splits[split--]!.ratio
  }
  return out
}

function fillGaps(columns: RawBars, interval: number, options: RepairOptions, note: Note): RawBars {
  const expected = expectedBars(options.calendar ?? 'auto', interval, columns.time)
  const { time } = columns
  let total = time.length
  for (let i = 1; i < time.length; i++) total += expected.between(time[i - 1]!, time[i]!)
  check(
    total <= MAX_FILLED,
    WHERE,
    () => `filling the gaps would need ${total} bars.`,
    'Keep the gaps, or pass the right interval and calendar.',
  )
  const index = new Int32Array(total)
  const times = new Float64Array(total)
  let size = 0
  for (let i = 0; i < time.length; i++) {
    times[size] = time[i]!
    index[size++] = i
    if (i + 1 === time.length || time[i + 1]! - time[i]! <= interval) continue
    for (let t = time[i]! + interval; t < time[i + 1]! - 1e-6 * interval; t += interval) {
      if (expected.between(t - interval, t + interval) === 0) continue
      times[size] = t
      index[size++] = -1 - i
    }
  }
  const flatOf = (k: number): number => (index[k]! >= 0 ? index[k]! : -1 - index[k]!)
  const filled = takeRows(
    columns,
    Int32Array.from({ length: size }, (_, k) => flatOf(k)),
  )
  for (let k = 0; k < size; k++) {
    filled.time[k] = times[k]!
    if (index[k]! >= 0) continue
    filled.open[k] = filled.high[k] = filled.low[k] = filled.close[k]!
    if (filled.volume) filled.volume[k] = 0
  }
  note('gaps', 'fill', size - time.length)
  return filled
}

function refusal(raw: RawBars, kind: IssueKind, row: number): RegimenError {
  const line = raw.line?.[row]
  const values = ['open', 'high', 'low', 'close', 'volume'] as const
  const seen = values.filter((name) => raw[name]).map((name) => `${name} ${raw[name]![row]}`)
  const way = CHOICES[kind as keyof RepairPolicies]?.filter((choice) => choice !== 'error') ?? []
  return new RegimenError(
    `row ${row}${line === undefined ? '' : ` (line ${line})`}: ${kind} at time ${raw.time[row]}, ${seen.join(', ')}.`,
    {
      code: 'INVALID_BARS',
      where: WHERE,
      hint: `Correct the data or pass { repair: { ${kind}: '${way.join("' or '")}' } }.`,
    },
  )
}
