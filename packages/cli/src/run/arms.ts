import type { LongTaskOptions, Snapshot } from '@regimen/core'
import { type Bars, backtestVectorized, paperExecutor, sliceBars } from '@regimen/market'
import {
  type Improvement,
  type MarketModel,
  type Open,
  openPipeline,
  runPipeline,
  type Step,
  type Strategy,
  sharpeSizing,
  type TrainingContext,
} from '@regimen/pipeline'
import { openPreset } from '../preset/model.ts'
import type { PresetSettings } from '../preset/settings.ts'
import { barsPerYear } from '../preset/timeframe.ts'
import { type TrainOptions, trainPreset } from '../preset/train.ts'
import type { RunConfig } from './config.ts'
import type { Source } from './source.ts'

/** A way of trading the bars after the training part. */
export interface Arm {
  readonly name: string
  /** Equity at each close. */
  readonly equity: Float64Array
  /** Wanted position at each close. */
  readonly targets: Float64Array
  /** ln p of the next return; NaN where nothing was forecast or nothing came. */
  readonly logScore: Float64Array
}

/** Where the run begins to trade. */
export function trainRows({ bars }: Source, { train }: RunConfig): number {
  return Math.floor(train * bars.time.length)
}

/** Columns of what a pipeline did. */
export function armOf(name: string, steps: readonly Step[], from: number): Arm {
  const n = steps.length
  const logScore = new Float64Array(n).fill(Number.NaN)
  for (const { scored } of steps) for (const one of scored) if (one.row >= from) logScore[one.row - from] = one.logScore
  return {
    name,
    equity: Float64Array.from(steps, ({ equity }) => equity),
    targets: Float64Array.from(steps, ({ target }) => target),
    logScore,
  }
}

/** A model that goes on observing but learns nothing: what was trained once. */
export function frozen(open: Open<MarketModel>): Open<MarketModel> {
  return async (from) => {
    const model = await open(from)
    return {
      get count() {
        return model.count
      },
      observe: (bar) => model.observe(bar),
      forecast: (observation) => model.forecast(observation),
      learn: async () => {},
      snapshot: () => model.snapshot(),
      dispose: () => model.dispose(),
    }
  }
}

/** Sizes positions like the reference strategy of the simulated markets, on the series' own clock. */
export function sizing(bars: Bars): Strategy {
  return sharpeSizing({ barsPerYear: barsPerYear(bars) })
}

/** Trained once, never again: the same stages and settings, without any learning. */
export async function staticArm(
  source: Source,
  config: RunConfig,
  settings: PresetSettings,
  options: LongTaskOptions,
): Promise<Arm> {
  return frozenRun('static', source, config, settings, options)
}

/** Trained anew on all of the past at every retraining, and always exchanged; no learning in between. */
export async function refitArm(
  source: Source,
  config: RunConfig,
  settings: PresetSettings,
  options: LongTaskOptions,
): Promise<Arm> {
  let after: Snapshot | undefined
  const improvement: Improvement = {
    every: config.retrain,
    async train({ history }: TrainingContext) {
      const snapshot = await trainPreset(
        history,
        { ...settings, follow: 0 },
        {
          ...trainingOf(source, options),
          ...(after && { after }),
        },
      )
      after ??= snapshot
      return { snapshot, reason: 'The schedule.', metrics: {} }
    },
    deployment: {
      submit: async (_, { row }) => ({ promoted: true, version: row, reason: 'Always.' }),
      rollback: async () => undefined,
    },
  }
  return frozenRun('rolling refit', source, config, settings, options, config.retrain > 0 ? improvement : undefined)
}

async function frozenRun(
  name: string,
  source: Source,
  config: RunConfig,
  settings: PresetSettings,
  options: LongTaskOptions,
  improvement?: Improvement,
): Promise<Arm> {
  const { bars, costs } = source
  const n = trainRows(source, config)
  const champion = await trainPreset(sliceBars(bars, 0, n), { ...settings, follow: 0 }, trainingOf(source, options))
  const pipeline = await openPipeline({
    model: frozen(openPreset()),
    champion,
    strategies: [sizing(bars)],
    executor: (events) => paperExecutor({ costs, events }),
    interval: bars.interval,
    history: sliceBars(bars, 0, n),
    embargo: config.embargo,
    ...(improvement && { improvement }),
  })
  const steps = await runPipeline(pipeline, sliceBars(bars, n, bars.time.length), options)
  await pipeline.dispose()
  return armOf(name, steps, n)
}

/** Fully invested from the first bar. */
export function holdArm(source: Source, config: RunConfig): Arm {
  const live = liveBars(source, config)
  const targets = live.close.map((_, i) => (i < config.embargo ? 0 : 1))
  const { equity } = backtestVectorized(live, { targets, costs: source.costs })
  return { name: 'buy and hold', equity, targets, logScore: live.close.map(() => Number.NaN) }
}

/** Trades by the filter with the parameters that made the market: the ceiling. Only on a simulated market. */
export function truthArm(source: Source, config: RunConfig): Arm | undefined {
  const { truth, costs } = source
  if (!truth) return undefined
  const n = trainRows(source, config)
  const live = liveBars(source, config)
  const targets = truth.targets.slice(n).fill(0, 0, config.embargo)
  const { equity } = backtestVectorized(live, { targets, costs })
  const logScore = new Float64Array(live.time.length).fill(Number.NaN)
  logScore.set(truth.logScore.subarray(n + 1))
  return { name: 'true regime', equity, targets, logScore }
}

/** The bars that are traded. */
export function liveBars(source: Source, config: RunConfig): Bars {
  return sliceBars(source.bars, trainRows(source, config), source.bars.time.length)
}

function trainingOf({ others }: Source, { signal }: LongTaskOptions): TrainOptions {
  return { others, ...(signal && { signal }) }
}
