import { check, createSnapshot, restore, type Snapshot, schema } from '@regimen/core'
import type { Bar } from '../bars.ts'
import { openAggregator, type SavedAggregator } from './aggregator.ts'
import { CROSS_NAMES, crossIndex, writeCross } from './cross.ts'
import type { FeatureSetOptions, FeatureStream } from './feature-set.ts'
import { openTimeframe, type SavedTimeframe, savedSize } from './history.ts'
import { type Plan, WHERE } from './plan.ts'

export const STREAM_ID = 'market/features'
export const STREAM_VERSION = 1

interface SavedStream {
  readonly lastTime: number
  readonly timeframes: readonly SavedTimeframe[]
  readonly aggregators: readonly SavedAggregator[]
}

/** Opens the live form, from nothing or from a snapshot of it. */
export function openStream(plan: Plan, snapshot: Snapshot | undefined): FeatureStream {
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
      id: STREAM_ID,
      version: STREAM_VERSION,
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
      return openStream(plan, save()).push(bar)
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
    id: STREAM_ID,
    version: STREAM_VERSION,
    config: savedConfig(),
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

/** The options that a snapshot's stream was opened with. */
export function savedOptions(snapshot: Snapshot): FeatureSetOptions {
  return restore(snapshot, { id: STREAM_ID, version: STREAM_VERSION, config: savedConfig(), state: schema.any() })
    .config
}

function savedConfig() {
  return schema.object({
    timeframes: schema.list(schema.string()),
    volume: schema.boolean(),
    features: schema.optional(schema.list(schema.string())),
  })
}
