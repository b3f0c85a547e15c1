import {
  check,
  createSnapshot,
  describe,
  isSnapshot,
  type Live,
  type LiveFactory,
  restore,
  type Snapshot,
  schema,
} from '@regimen/core'
import { alignByClose } from '../align.ts'
import type { Bar, Bars } from '../bars.ts'
import { sliceBars } from '../bars.ts'
import { parseInterval } from '../interval.ts'
import { resample } from '../resample.ts'
import { openAggregator, type SavedAggregator } from './aggregator.ts'
import { batchColumns } from './batch.ts'
import { CROSS_NAMES, CROSS_NEEDS, crossIndex, writeCross } from './cross.ts'
import { type Catalog, catalog } from './families.ts'
import { openTimeframe, type SavedTimeframe, savedSize } from './history.ts'

/** Options of {@link featureSet}. */
export interface FeatureSetOptions {
  /**
   * Names of the timeframes, fastest first: `['1m', '1h']`. The first must be the interval of the bars, the others multiples.
   */
  timeframes: readonly string[]
  /**
   * Whether to compute the features of volume. Bars without volume are an error unless this is false.
   * @default true
   */
  volume?: boolean | undefined
  /**
   * The features to compute, by their names without timeframe (`['ret_1', 'rsi_14']`): those named are there for every
   * timeframe, and of the relations between timeframes those that are named. Columns keep the order of the whole list.
   * @default all
   */
  features?: readonly string[] | undefined
}

/** One column of a {@link FeatureTable}. */
export interface FeatureInfo {
  /** `timeframe.name`, or `fast/slow.name` for a relation of two timeframes. */
  readonly name: string
  readonly timeframe: string
  /** Bars of that timeframe before the value is there and depends on nothing older. */
  readonly warmup: number
}

/** Features in columns, one row a bar of the fastest timeframe, known at that bar's close. */
export interface FeatureTable {
  /** UTC epoch milliseconds of each row's bar open. */
  readonly time: Float64Array
  readonly names: readonly string[]
  /** One column a name; NaN before the feature's warm-up, finite after. */
  readonly columns: readonly Float64Array[]
  /** First row in which every feature is there; the number of rows if none is. */
  readonly ready: number
}

/** Which rows to compute. */
export interface FeatureRange {
  /** First bar whose features are wanted. @default 0 */
  from?: number
  /** End of the range, exclusive. @default the number of bars */
  to?: number
}

/** A running feature set. */
export interface FeatureStream extends Live<Bar, undefined, Float64Array> {
  /** Takes a closed bar and returns the features at its close, in a buffer that the next call overwrites. */
  push(bar: Bar): Float64Array
  /** Whether every feature is warm. */
  readonly ready: boolean
}

/** A fixed list of features, in two forms that agree. */
export interface FeatureSet {
  readonly names: readonly string[]
  readonly features: readonly FeatureInfo[]
  /** Bars of the fastest timeframe, without gaps, after which every feature is there. */
  readonly warmup: number
  /** Computes all features of all bars, or of a range of them with the bars before as warm-up. */
  batch(bars: Bars, range?: FeatureRange): FeatureTable
  /** Opens the live form, from nothing or from a snapshot of it. */
  open(snapshot?: Snapshot): FeatureStream
}

/** What {@link featureStream} is: a `LiveFactory` whose lives can also `push`. */
export interface FeatureStreamFactory extends LiveFactory<FeatureSetOptions, Bar, undefined, Float64Array> {
  open(from: FeatureSetOptions | Snapshot): FeatureStream
}

const WHERE = 'market/features'
const ID = 'market/features'
const VERSION = 1

/**
 * Defines over fifty named features per timeframe (returns, volatility, trend, oscillators, volume, memory, shape, season) and,
 * for several timeframes, eight that relate the fastest to the slowest. Every feature looks back over a fixed window, its `warmup`,
 * and at nothing older, so results never depend on where the data began. `batch` runs whole columns in O(1) a value; `open` gives
 * the live form, whose `push` costs the windows whatever the history; after the warm-up the two agree to 1e-9. A
 * slower timeframe is seen from the close of its bar on, never earlier. Recursive indicators (EMA, RSI, ATR, ADX, MACD) are seeded
 * in the classic way inside a window of six to ten times their period, which differs from the endless recursion by less than 2e-4
 * of their input's range. Flat prices give documented neutral values, never NaN.
 *
 * ```ts
 * import { createBars, featureSet } from '@regimen/market'
 *
 * const n = 400
 * const p = Float64Array.from({ length: n }, (_, i) => 100 + Math.sin(i / 5))
 * const bars = createBars({ time: p.map((_, i) => i * 60_000), open: p, high: p, low: p, close: p })
 * const set = featureSet({ timeframes: ['1m'], volume: false })
 * const table = set.batch(bars)
 * table.ready // => 279
 * const live = set.open()
 * let row = live.push({ time: 0, open: p[0]!, high: p[0]!, low: p[0]!, close: p[0]! })
 * for (let i = 1; i < n; i++) {
 *   row = live.push({ time: i * 60_000, open: p[i]!, high: p[i]!, low: p[i]!, close: p[i]! })
 * }
 * const rsi = set.names.indexOf('1m.rsi_14')
 * Math.abs(row[rsi]! - table.columns[rsi]![n - 1]!) < 1e-9 // => true
 * ```
 */
export function featureSet(options: FeatureSetOptions): FeatureSet {
  const plan = readPlan(options)
  return {
    names: plan.names,
    features: plan.features,
    warmup: plan.warmup,
    batch: (bars, range = {}) => batch(plan, bars, range),
    open: (snapshot) => open(plan, snapshot),
  }
}

/**
 * Opens the live form of a {@link featureSet} from its options or from a snapshot alone: the snapshot's configuration says which
 * timeframes it has.
 *
 * ```ts
 * import { featureStream } from '@regimen/market'
 *
 * const live = featureStream.open({ timeframes: ['1h'], volume: false })
 * live.update({ time: 0, open: 1, high: 1, low: 1, close: 1 })
 * featureStream.open(live.snapshot()).ready // => false
 * ```
 */
export const featureStream: FeatureStreamFactory = {
  id: ID,
  version: VERSION,
  open(from) {
    if (!isSnapshot(from)) return open(readPlan(from), undefined)
    return open(readPlan(from.config as unknown as FeatureSetOptions), from)
  },
}

/** Timeframes resolved to numbers. */
interface Plan {
  readonly timeframes: readonly string[]
  readonly intervals: readonly number[]
  readonly volume: boolean
  readonly chosen: readonly string[] | undefined
  readonly catalog: Catalog
  /** Positions in the catalog of what is shown, and in the list of relations. */
  readonly shown: readonly number[]
  readonly crossed: readonly number[]
  readonly names: readonly string[]
  readonly features: readonly FeatureInfo[]
  readonly warmup: number
}

function readPlan(options: FeatureSetOptions): Plan {
  const { timeframes, volume = true, features: chosen } = options
  check(
    Array.isArray(timeframes) && timeframes.length > 0 && timeframes.every((name) => typeof name === 'string'),
    WHERE,
    () => `timeframes must be names like ['1m', '1h'], got ${describe(timeframes)}.`,
  )
  check(typeof volume === 'boolean', WHERE, () => `volume must be true or false, got ${describe(volume)}.`)
  const intervals = timeframes.map(parseInterval)
  intervals.forEach((ms, k) => {
    check(
      k === 0 || (ms > intervals[k - 1]! && ms % intervals[0]! === 0),
      WHERE,
      () => `timeframes must grow and be multiples of the first, got ${describe(timeframes)}.`,
    )
  })
  const offered = [...catalog(volume).names, ...(timeframes.length > 1 ? CROSS_NAMES : [])]
  check(
    chosen === undefined ||
      (Array.isArray(chosen) && chosen.length > 0 && chosen.every((name: string) => offered.includes(name))),
    WHERE,
    () => `features must be some of ${offered.join(', ')}, got ${describe(chosen)}.`,
  )
  const wants = (name: string): boolean => chosen === undefined || chosen.includes(name)
  const crossed = timeframes.length > 1 ? CROSS_NAMES.flatMap((name, k) => (wants(name) ? [k] : [])) : []
  const needs: readonly string[] = crossed.length > 0 ? CROSS_NEEDS : []
  const one = catalog(volume, (name) => wants(name) || needs.includes(name))
  const shown = one.names.flatMap((name, k) => (wants(name) ? [k] : []))
  const features = timeframes.flatMap((timeframe) =>
    shown.map((k): FeatureInfo => {
      const { name, warmup } = one.features[k]!
      return { name: `${timeframe}.${name}`, timeframe, warmup }
    }),
  )
  const slow = timeframes[timeframes.length - 1]!
  for (const k of crossed) {
    features.push({ name: `${timeframes[0]}/${slow}.${CROSS_NAMES[k]}`, timeframe: slow, warmup: one.ready })
  }
  // A slower timeframe may lose up to two bars: a first one whose beginning is absent, and the one being built.
  const last = intervals.length - 1
  const warmup = last === 0 ? one.ready : (one.ready + 2) * (intervals[last]! / intervals[0]!)
  const names = features.map((feature) => feature.name)
  return { timeframes, intervals, volume, chosen, catalog: one, shown, crossed, names, features, warmup }
}

function batch(plan: Plan, bars: Bars, range: FeatureRange): FeatureTable {
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
  const { open, high, low, close, volume } = bars
  for (let i = 0; i < close.length; i++) {
    const good = low[i]! > 0 && open[i]! > 0 && close[i]! > 0 && high[i]! < Number.POSITIVE_INFINITY
    if (good && open[i]! <= high[i]! && close[i]! <= high[i]! && (!plan.volume || volume![i]! >= 0)) continue
    check(
      false,
      WHERE,
      () => `row ${i} is no clean bar: ${open[i]}, ${high[i]}, ${low[i]}, ${close[i]}, ${volume?.[i]}.`,
      'Pass the bars through repairBars.',
    )
  }
}

interface SavedStream {
  readonly lastTime: number
  readonly timeframes: readonly SavedTimeframe[]
  readonly aggregators: readonly SavedAggregator[]
}

function open(plan: Plan, snapshot: Snapshot | undefined): FeatureStream {
  const { catalog: one, intervals } = plan
  const saved = snapshot && readSnapshot(plan, snapshot)
  const timeframes = intervals.map((_, t) => openTimeframe(one, saved?.timeframes[t]))
  const aggregators = intervals.slice(1).map((ms, t) => openAggregator(ms, intervals[0]!, saved?.aggregators[t]))
  const { shown, crossed } = plan
  const relations = new Float64Array(CROSS_NAMES.length).fill(Number.NaN)
  const row = new Float64Array(plan.names.length).fill(Number.NaN)
  const slow = timeframes[timeframes.length - 1]!
  const fast = timeframes[0]!
  const cross = crossIndex(one.names, Math.sqrt(intervals[intervals.length - 1]! / intervals[0]!))
  let lastTime = saved?.lastTime ?? Number.NEGATIVE_INFINITY
  let disposed = false
  const write = (): Float64Array => {
    let k = 0
    for (let t = 0; t < timeframes.length; t++) {
      const { values } = timeframes[t]!
      for (let j = 0; j < shown.length; j++) row[k++] = values[shown[j]!]!
    }
    if (crossed.length === 0) return row
    const warm = fast.count >= one.ready && slow.count >= one.ready
    if (warm) writeCross(cross, fast.values, slow.values, fast.logClose - slow.logClose, relations, 0)
    for (let j = 0; j < crossed.length; j++) row[k++] = relations[crossed[j]!]!
    return row
  }
  const push = (bar: Bar): Float64Array => {
    check(!disposed, WHERE, () => 'the stream has been disposed.', 'Open a new one.')
    checkBar(plan, bar, lastTime)
    lastTime = bar.time
    fast.push(bar)
    for (let t = 0; t < aggregators.length; t++) aggregators[t]!.push(bar, timeframes[t + 1]!.push)
    return write()
  }
  const save = (): Snapshot =>
    createSnapshot({
      id: ID,
      version: VERSION,
      config: {
        timeframes: [...plan.timeframes],
        volume: plan.volume,
        ...(plan.chosen ? { features: [...plan.chosen] } : {}),
      },
      state: {
        lastTime,
        timeframes: timeframes.map((timeframe) => timeframe.save()),
        aggregators: aggregators.map((aggregator) => aggregator.save()),
      },
    })
  if (saved) write()
  return {
    push,
    update: (bar) => void push(bar),
    /** Features as they would be if `bar` closed next; copies the windows. */
    predict(bar) {
      check(!disposed, WHERE, () => 'the stream has been disposed.', 'Open a new one.')
      return open(plan, save()).push(bar)
    },
    get ready() {
      return timeframes.every((timeframe) => timeframe.count >= one.ready)
    },
    snapshot: save,
    dispose() {
      disposed = true
    },
  }
}

function checkBar(plan: Plan, bar: Bar, lastTime: number): void {
  const { time, open: o, high, low, close, volume } = bar
  const good = low > 0 && o >= low && close >= low && o <= high && close <= high && high < Number.POSITIVE_INFINITY
  check(
    good && time > lastTime && time < Number.POSITIVE_INFINITY && (!plan.volume || volume! >= 0),
    WHERE,
    () => `the bar at ${time} after ${lastTime} is not clean or not newer: ${o}, ${high}, ${low}, ${close}, ${volume}.`,
    plan.volume ? 'Pass closed bars in order, with volume, or { volume: false }.' : 'Pass closed bars in order.',
  )
}

function readSnapshot(plan: Plan, snapshot: Snapshot): SavedStream {
  const [width, length] = savedSize(plan.catalog)
  const timeframe = schema.object({
    count: schema.integer({ min: 0 }),
    at: schema.integer({ min: 0, max: length - 1 }),
    columns: schema.leaf('float64', [width, length]),
    values: schema.leaf('float64', [plan.catalog.features.length]),
  })
  const { state, config } = restore(snapshot, {
    id: ID,
    version: VERSION,
    config: schema.object({
      timeframes: schema.list(schema.string()),
      volume: schema.boolean(),
      features: schema.optional(schema.list(schema.string())),
    }),
    state: schema.object({
      lastTime: schema.number({ finite: false }),
      timeframes: schema.list(timeframe),
      aggregators: schema.list(
        schema.object({
          begun: schema.boolean(),
          whole: schema.boolean(),
          building: schema.boolean(),
          time: schema.number(),
          open: schema.number(),
          high: schema.number(),
          low: schema.number(),
          close: schema.number(),
          volume: schema.number(),
        }),
      ),
    }),
  })
  check(
    String(config.timeframes) === String(plan.timeframes) &&
      config.volume === plan.volume &&
      String(config.features) === String(plan.chosen),
    WHERE,
    () => `the snapshot is of ${config.timeframes.join(', ')}${config.volume ? ' with volume' : ' without volume'}.`,
    'Open it with the feature set that made it.',
  )
  const whole = state.timeframes.length === plan.intervals.length
  check(
    whole && state.aggregators.length === plan.intervals.length - 1,
    WHERE,
    () => `state.timeframes: expected ${plan.intervals.length}, got ${state.timeframes.length}.`,
  )
  return state
}
