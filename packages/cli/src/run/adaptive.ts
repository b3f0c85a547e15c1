import { join } from 'node:path'
import {
  createSnapshot,
  decodeSnapshot,
  type EventSink,
  encodeSnapshot,
  type LongTaskOptions,
  manualClock,
  type RegimenEvent,
  restore,
  type Snapshot,
  schema,
  systemClock,
} from '@regimen/core'
import { pairedT } from '@regimen/core/math'
import { type Bars, paperExecutor, sliceBars } from '@regimen/market'
import {
  type Challenger,
  openPipeline,
  prequential,
  runPipeline,
  storeDeployment,
  type TrainingContext,
} from '@regimen/pipeline'
import { regimeRouter } from '@regimen/regimes'
import { openStore, type Store } from '@regimen/store'
import { openPreset } from '../preset/model.ts'
import type { PresetSettings } from '../preset/settings.ts'
import { fewestBars, type TrainOptions, trainPreset } from '../preset/train.ts'
import { BEFORE, type TuningTrial, tunePreset } from '../preset/tune.ts'
import { type Arm, sizing, trainRows } from './arms.ts'
import { columnsSchema, openColumns, saveColumns, take } from './columns.ts'
import type { RunConfig } from './config.ts'
import { FILES, readIfThere, writeWhole } from './folder.ts'
import type { Source } from './source.ts'

/** Bars over which a challenger is compared with the model in force. */
const WINDOW = 120
const CHECKPOINT_EVERY = 25
export const MODEL = 'adaptive'
export const CHAMPION = 'champion'

/** One adaptation of the meta-learned net. */
export interface AdaptationRecord {
  readonly row: number
  readonly lossBefore: number
  readonly lossAfter: number
}

/** The adaptive run, with what happened on the way. */
export interface AdaptiveRun {
  readonly arm: Arm
  /** P(regime) at each bar, bars × regimes. */
  readonly regimes: readonly Float64Array[]
  /** Regime in force at each bar. */
  readonly regime: Int32Array
  readonly mean: Float64Array
  readonly variance: Float64Array
  /** Probability that was forecast for returns up to the one that came; NaN where nothing was forecast. */
  readonly below: Float64Array
  /** Version in force at each bar. */
  readonly version: Int32Array
  /** Milliseconds that each bar took. Not part of the results: they differ from run to run. */
  readonly stepMs: readonly number[]
  /** Versions that were in force, in order. */
  readonly versions: readonly number[]
  readonly tunings: readonly { readonly row: number; readonly trials: readonly TuningTrial[] }[]
  readonly adaptations: readonly AdaptationRecord[]
  /** Hash of the last state. */
  readonly checkpoint: Uint8Array
}

const ID = 'cli/checkpoint'

const STATE = schema.object({
  events: schema.integer({ min: 0 }),
  columns: columnsSchema,
  tunings: schema.list(
    schema.object({
      row: schema.integer({ min: 0 }),
      trials: schema.list(
        schema.object({
          params: schema.record(schema.number()),
          value: schema.number({ finite: false }),
          pruned: schema.boolean(),
        }),
      ),
    }),
  ),
  adaptations: schema.list(schema.tuple(schema.integer({ min: 0 }), schema.number(), schema.number())),
})

/** Options of {@link adaptiveRun}. */
export interface AdaptiveOptions extends LongTaskOptions {
  /** Folder of the run: checkpoints and the store. */
  folder: string
  /** Hears how a training goes. */
  onTraining?: (message: string) => void
}

/**
 * Makes the adaptive run: trains on the first part, then goes bar by bar with everything switched on, and keeps checkpoints. A run
 * that was killed or aborted continues from its last checkpoint and ends in the same bytes.
 */
export async function adaptiveRun(
  source: Source,
  config: RunConfig,
  settings: PresetSettings,
  options: AdaptiveOptions,
): Promise<AdaptiveRun> {
  const { folder, signal, onProgress, onTraining = () => {} } = options
  const { bars, costs } = source
  const n = trainRows(source, config)
  const path = join(folder, FILES.checkpoint)
  const bytes = await readIfThere(path)
  const saved = bytes && restore(decodeSnapshot(bytes), { id: ID, version: 1, state: STATE, children: ['pipeline'] })
  const taken = saved ? saved.state.columns.equity.data.length : 0
  // The store's clock shows the time of the bar, so a run of the past has the past's dates.
  const clock = manualClock(bars.time[n + taken - 1]! + bars.interval)
  const store = await openStore(join(folder, FILES.store), { clock, actor: 'regimen run' })
  try {
    const events = await auditSink(store, saved?.state.events ?? 0)
    const tunings: { row: number; trials: readonly TuningTrial[] }[] = [...(saved?.state.tunings ?? [])]
    const adaptations: (readonly [number, number, number])[] = [...(saved?.state.adaptations ?? [])]
    const columns = openColumns(saved?.state.columns)
    const model = store.model(MODEL)
    const deployment = storeDeployment({
      model,
      run: 'run',
      policy: {
        alias: CHAMPION,
        thresholds: [
          { dataset: 'validation', metric: 'advantage', min: 0 },
          { dataset: 'validation', metric: 'pValue', max: 0.25 },
        ],
      },
    })

    const train = async (context: TrainingContext): Promise<Challenger | undefined> => {
      const { history, row } = context
      onTraining(`training a challenger at bar ${row}`)
      const pass = { others: source.others, after: first.snapshot, ...(signal && { signal }) }
      const least = fewestBars(settings)
      const from = history.time.length - WINDOW
      if (from < least) return undefined
      const tuned =
        config.trials > 0 && BEFORE * history.time.length >= least
          ? await tunePreset(history, settings, { trials: config.trials, ...(signal && { signal }) })
          : { settings, trials: [] }
      if (tuned.trials.length > 0) tunings.push({ row, trials: tuned.trials })
      // Judged on bars that neither it nor the one in force had seen when they forecast them.
      const judgedSnapshot = await trainPreset(sliceBars(history, 0, from), tuned.settings, pass)
      const judged = await openPreset()(judgedSnapshot)
      const { logScore } = await prequential(judged, history, { from, ...pass })
      await judged.dispose()
      const pairs = context.scores.flatMap((live) => {
        const own = live.row >= from ? logScore[live.row - from]! : Number.NaN
        return Number.isNaN(own) ? [] : [[own, live.logScore] as const]
      })
      if (pairs.length < WINDOW / 2) return undefined
      const [mine, theirs] = [pairs.map(([own]) => own), pairs.map(([, live]) => live)]
      const advantage = pairs.reduce((sum, [own, live]) => sum + own - live, 0) / pairs.length
      const { pValue } = pairedT(mine, theirs)
      const { members: _m, features: _f, states: _s, ...params } = tuned.settings
      return {
        snapshot: await trainPreset(history, tuned.settings, pass),
        reason: `Trained on the ${history.time.length} bars so far, as scheduled.`,
        metrics: {
          validation: { advantage, pValue: advantage > 0 ? pValue / 2 : 1 - pValue / 2, logScore: mean(mine) },
        },
        samples: { validation: { logScore: Float64Array.from(mine) } },
        params,
      }
    }

    const first = await firstChampion(store, sliceBars(bars, 0, n), settings, onTraining, {
      others: source.others,
      ...(signal && { signal }),
    })
    const pipeline = await openPipeline(
      {
        model: openPreset((...one) => void adaptations.push(one)),
        champion: first.snapshot,
        version: first.version,
        strategies: [sizing(bars)],
        // One strategy in every regime; a market like none of them is sat out.
        router: (from) =>
          regimeRouter.open(
            from ?? { weights: Array.from({ length: first.states }, () => [1]), minimum: 1, novelty: 8 },
          ),
        executor: (sink) => paperExecutor({ costs, events: sink }),
        interval: bars.interval,
        history: sliceBars(bars, 0, n + taken),
        embargo: config.embargo,
        events,
        ...(config.retrain > 0 && {
          improvement: {
            every: config.retrain,
            train,
            deployment,
            guard: { window: 60, floor: -0.15 },
          },
        }),
      },
      saved?.children.pipeline,
    )
    const checkpoint = async (snapshot: Snapshot): Promise<Uint8Array> => {
      await store.flush()
      const whole = encodeSnapshot(
        createSnapshot({
          id: ID,
          version: 1,
          config: {},
          state: {
            columns: saveColumns(columns),
            events: events.count,
            tunings: tunings.map(({ row, trials }) => ({ row, trials: trials.map((trial) => ({ ...trial })) })),
            adaptations,
          },
          children: { pipeline: snapshot },
        }),
      )
      await writeWhole(path, whole)
      return whole
    }
    const stepMs: number[] = []
    let started = systemClock.monotonic()
    const live = sliceBars(bars, n + taken, bars.time.length)
    await runPipeline(pipeline, live, {
      checkpointEvery: Math.max(CHECKPOINT_EVERY, Math.ceil((bars.time.length - n) / 60)),
      async onCheckpoint(snapshot) {
        await checkpoint(snapshot)
        started = systemClock.monotonic()
      },
      onStep(step) {
        take(columns, step, n)
        clock.advance(step.time + bars.interval - clock.now())
        stepMs.push(systemClock.monotonic() - started)
        onProgress?.({ done: taken + stepMs.length, total: bars.time.length - n, message: 'adaptive' })
        started = systemClock.monotonic()
      },
      ...(signal && { signal }),
    })
    const last = await checkpoint(await pipeline.snapshot())
    await pipeline.dispose()
    return {
      arm: {
        name: 'adaptive',
        equity: Float64Array.from(columns.equity),
        targets: Float64Array.from(columns.target),
        logScore: Float64Array.from(columns.logScore),
      },
      regimes: columns.probabilities,
      regime: Int32Array.from(columns.regime),
      mean: Float64Array.from(columns.mean),
      variance: Float64Array.from(columns.variance),
      below: Float64Array.from(columns.below),
      version: Int32Array.from(columns.version),
      stepMs,
      versions: columns.version.filter((version, i) => version !== columns.version[i - 1]),
      tunings,
      adaptations: adaptations.map(([row, lossBefore, lossAfter]) => ({ row, lossBefore, lossAfter })),
      checkpoint: last,
    }
  } finally {
    await store.close()
  }
}

/** The model that the run begins with: version 1 of the store, trained the first time and found there afterwards. */
async function firstChampion(
  store: Store,
  past: Bars,
  settings: PresetSettings,
  onTraining: (message: string) => void,
  options: TrainOptions,
): Promise<{ readonly snapshot: Snapshot; readonly version: number; readonly states: number }> {
  const model = store.model(MODEL)
  if (model.latest === 0) {
    onTraining(`training the first model on ${past.time.length} bars`)
    const snapshot = await trainPreset(past, settings, options)
    await model.publish({ snapshot, reason: `Trained on the first ${past.time.length} bars.` })
  }
  if (model.aliases[CHAMPION] === undefined) {
    await model.promote(1, CHAMPION, { reason: 'The run begins with it.' })
  }
  const snapshot = await model.at(1).load((loaded) => loaded)
  return { snapshot, version: 1, states: (snapshot.config as { states: number }).states }
}

/**
 * A sink into the store's log that counts, and that does not repeat what was already written: a run that continues makes the same
 * events again from its checkpoint on, and those that reached the log before the interruption come first.
 */
async function auditSink(store: Store, count: number): Promise<EventSink & { readonly count: number }> {
  let logged = 0
  for (let from = 1; ; ) {
    const records = await store.records({ from, limit: 1000 })
    for (const { type } of records) if (!type.startsWith('store/')) logged++
    if (records.length < 1000) break
    from += records.length
  }
  let emitted = count
  return {
    get count() {
      return emitted
    },
    emit(event: RegimenEvent) {
      if (emitted++ >= logged) store.emit(event)
    },
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}
