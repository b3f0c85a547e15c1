import { check } from '@regimen/core'
import { alignByClose } from '../align.ts'
import { type Bars, sliceBars } from '../bars.ts'
import { resample } from '../resample.ts'
import { batchColumns } from './batch.ts'
import { CROSS_NAMES, crossIndex, writeCross } from './cross.ts'
import type { FeatureRange, FeatureTable } from './feature-set.ts'
import { type Plan, WHERE } from './plan.ts'

/** Computes the rows of a range of bars, with as many bars before it as the features look back at. */
export function computeTable(plan: Plan, bars: Bars, range: FeatureRange): FeatureTable {
  checkBars(plan, bars)
  const { from = 0, to = bars.time.length } = range
  check(
    Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= bars.time.length,
    WHERE,
    () => `from and to must be a range within ${bars.time.length} bars, got ${from} and ${to}.`,
  )
  const { catalog: one, intervals } = plan
  const begin = Math.max(0, from - one.warmup)
  const base = sliceBars(bars, begin, to)
  const fast = batchColumns(base, one).map((column) => column?.subarray(from - begin))
  const columns = plan.shown.map((k) => fast[k]!)
  const time = bars.time.subarray(from, to)
  let slow: (Float64Array | undefined)[] = []
  let logMove = new Float64Array(0)
  for (let t = 1; t < intervals.length; t++) {
    const slower = resample(sliceBars(bars, 0, to), intervals[t]!)
    const index = alignByClose(sliceBars(bars, 0, to), slower).subarray(from)
    const first = Math.max(0, (index[0] ?? 0) - one.warmup)
    slow = batchColumns(sliceBars(slower, first), one).map((column) => column && gather(column, index, first))
    columns.push(...plan.shown.map((k) => slow[k]!))
    logMove = new Float64Array(index.length)
    for (let i = 0; i < index.length; i++) {
      const k = index[i]!
      logMove[i] = k < 0 ? Number.NaN : Math.log(bars.close[from + i]!) - Math.log(slower.close[k]!)
    }
  }
  if (plan.crossed.length > 0) columns.push(...crossColumns(plan, fast, slow, logMove))
  return { time, names: plan.names, columns, ready: firstReady(columns, time.length) }
}

function gather(column: Float64Array, index: Int32Array, first: number): Float64Array {
  const out = new Float64Array(index.length)
  for (let i = 0; i < out.length; i++) out[i] = index[i]! < first ? Number.NaN : column[index[i]! - first]!
  return out
}

function crossColumns(
  plan: Plan,
  fast: readonly (Float64Array | undefined)[],
  slow: readonly (Float64Array | undefined)[],
  logMove: Float64Array,
): Float64Array[] {
  const { catalog: one, intervals } = plan
  const index = crossIndex(one.names, Math.sqrt(intervals[intervals.length - 1]! / intervals[0]!))
  const out = CROSS_NAMES.map(() => new Float64Array(logMove.length))
  const needed = Object.values(index.at)
  const a = new Float64Array(one.names.length)
  const b = new Float64Array(one.names.length)
  const row = new Float64Array(CROSS_NAMES.length)
  for (let i = 0; i < logMove.length; i++) {
    for (const k of needed) {
      a[k] = fast[k]![i]!
      b[k] = slow[k]![i]!
    }
    const warm = !Number.isNaN(a[index.at.adx_14]! + b[index.at.adx_14]!)
    if (warm) writeCross(index, a, b, logMove[i]!, row, 0)
    else row.fill(Number.NaN)
    for (let k = 0; k < row.length; k++) out[k]![i] = row[k]!
  }
  return plan.crossed.map((k) => out[k]!)
}

function firstReady(columns: readonly Float64Array[], rows: number): number {
  let ready = 0
  for (const column of columns) while (ready < rows && Number.isNaN(column[ready]!)) ready++
  return ready
}

function checkBars(plan: Plan, bars: Bars): void {
  check(
    bars?.close instanceof Float64Array && bars.interval === plan.intervals[0],
    WHERE,
    () => `the bars have ${bars?.interval} ms where the first timeframe is ${plan.timeframes[0]}.`,
    'Resample them first, or begin the timeframes with the interval of the bars.',
  )
  check(
    !plan.volume || bars.volume !== undefined,
    WHERE,
    () => 'the bars have no volume.',
    'Pass { volume: false } to leave out the features of volume.',
  )
}
