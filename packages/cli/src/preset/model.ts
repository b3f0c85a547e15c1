import { check, createSnapshot, RegimenError, restore, type Snapshot, schema, type Tree } from '@regimen/core'
import { featureSet, type ScalerModel } from '@regimen/market'
import { modelFromSnapshot, openAdapter } from '@regimen/meta'
import {
  adaptingForecaster,
  type Forecaster,
  filteredRegimes,
  type MarketModel,
  mixForecasters,
  type Open,
  regimeForecaster,
  scaledFeatures,
  stackModel,
  streamingForecaster,
  volatilityForecaster,
} from '@regimen/pipeline'
import { type HmmModel, labelStates, onlineHmm } from '@regimen/regimes'
import { densityLearner, type MeanParams, openMeanLearner } from './nets.ts'
import { type PresetSettings, presetSettings } from './settings.ts'

/** What training leaves behind: from it, and from the state of the stages, a model is opened. */
export interface TrainedParts {
  readonly settings: PresetSettings
  /** Name of the bars' interval, `1d` say. */
  readonly timeframe: string
  readonly scaler: ScalerModel
  /** Number of regimes. */
  readonly states: number
  /** Row from which the forecasters have not been trained on. */
  readonly unseenFrom: number
  /** The meta-learned net, where it is a member. */
  readonly meta?: Snapshot
}

/** What a model begins with before it has seen a bar; a saved one has it in its state. */
export interface Beginning {
  readonly hmm: HmmModel
  /** P(regime) of the first row. */
  readonly belief: readonly number[]
  /** Parameters of the net that forecasts the mean. */
  readonly mean?: MeanParams
}

/** Hears of each adaptation of the meta-learned net. */
export type OnAdapt = (row: number, lossBefore: number, lossAfter: number) => void

const ID = 'cli/preset-model'

const CONFIG = schema.object({
  settings: schema.any(),
  timeframe: schema.string(),
  states: schema.integer({ min: 1 }),
  unseenFrom: schema.integer({ min: 0 }),
})

/**
 * Makes the opener of stored models of the preset: what `openPipeline` of `@regimen/pipeline` takes as its `model`. `onAdapt` hears
 * of each adaptation of the meta-learned net.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { openPreset, presetSettings, trainPreset } from '@regimen/cli'
 * import { simulate } from '@regimen/market'
 *
 * const { bars } = simulate('equity-daily', { bars: 500, seed: 1 })
 * const snapshot = await trainPreset(bars, presetSettings({ members: ['calm', 'levels'] }))
 * const model = await openPreset()(snapshot)
 * model.count // => 500
 * await model.dispose()
 * ```
 */
export function openPreset(onAdapt?: OnAdapt): (from?: Snapshot) => Promise<MarketModel> {
  return async (from) => {
    if (!from)
      throw new RegimenError('a model of the preset is opened from a snapshot.', {
        code: 'NO_SNAPSHOT',
        where: ID,
        hint: 'Train one with trainPreset.',
      })
    const { config, children } = restore(from, {
      id: ID,
      version: 1,
      config: CONFIG,
      state: schema.object({}),
      children: 'any',
    })
    const settings = presetSettings(config.settings as PresetSettings)
    const { scaler, stack, meta } = children
    check(scaler !== undefined && stack !== undefined, ID, () => 'the snapshot lacks the scaler or the stack.')
    return assemble(
      { ...config, settings, scaler: scaler as ScalerModel, ...(meta && { meta }) },
      undefined,
      onAdapt,
    )(stack)
  }
}

/** Names of a stored model's regimes, by what their returns are like: `bull-low`, `bear-high`; numbered where two are alike. */
export function regimeNames(snapshot: Snapshot): string[] {
  const { model } = filterOf(snapshot)
  const { emission } = model
  check(emission.family === 'gaussian', ID, () => `the regimes emit ${emission.family}, not Gaussians.`)
  if (emission.family !== 'gaussian') return []
  const d = model.columns
  const { means, covariances } = emission
  const labels = labelStates(
    Array.from({ length: model.states }, (_, k) => ({
      mean: means.data[k * d]!,
      deviation: Math.sqrt(covariances.data[k * d * d]!),
    })),
  ).map(({ name }) => name)
  return labels.map((name, k) => {
    const before = labels.slice(0, k).filter((other) => other === name).length
    return before > 0 ? `${name} ${before + 1}` : name
  })
}

/** The hidden Markov model of a stored model. */
export function regimesOf(snapshot: Snapshot): HmmModel {
  return filterOf(snapshot).model
}

type FilterConfig = { readonly model: HmmModel; readonly belief?: readonly number[] }

function filterOf(snapshot: Snapshot): FilterConfig {
  return snapshot.children.stack!.children.regimes!.children.model!.config as FilterConfig
}

/**
 * Takes a stored model back to the first bar: what it has learned stays, its windows and beliefs begin anew, so that it can be shown
 * the past again.
 */
export async function rewind(snapshot: Snapshot): Promise<Snapshot> {
  const stack = snapshot.children.stack!
  const { model, belief } = filterOf(snapshot)
  const { settings, timeframe } = snapshot.config as { settings: PresetSettings; timeframe: string }
  const set = featureSet({ timeframes: [timeframe], volume: false, features: settings.features })
  const features = await scaledFeatures(set, snapshot.children.scaler as ScalerModel)()
  const regimes = await filteredRegimes(() => onlineHmm.open({ model, ...(belief && { belief }) }))()
  const fresh = { ...stack, state: { count: 0, close: 0, variance: 0 } }
  const children = { ...stack.children, features: features.snapshot(), regimes: regimes.snapshot() }
  return { ...snapshot, children: { ...snapshot.children, stack: { ...fresh, children } } }
}

/** Makes the opener of a model from what training left. */
export function assemble(parts: TrainedParts, beginning?: Beginning, onAdapt: OnAdapt = () => {}): Open<MarketModel> {
  const { settings, timeframe, scaler, states, unseenFrom, meta } = parts
  const { features, members, memory, prior, share, support, follow, innerSteps } = settings
  const set = featureSet({ timeframes: [timeframe], volume: false, features })
  return async (from) => {
    const dispose: (() => Promise<void>)[] = []
    const inputs = [features.indexOf('ret_1')].filter((i) => i >= 0)
    const offered: { [member: string]: () => Open<Forecaster> } = {
      calm: volatilityForecaster,
      regimes: () => regimeForecaster({ regimes: states, inputs, memory, prior }),
      levels: () => regimeForecaster({ regimes: states, inputs, memory, prior, relative: false }),
      static: () => streamingForecaster({ open: openMeanLearner(settings, beginning?.mean), learn: false }),
      continual: () => streamingForecaster({ open: openMeanLearner(settings, beginning?.mean) }),
      meta: () => {
        const model = modelFromSnapshot(densityLearner(settings), meta!)
        const adapter = openAdapter(model, { steps: innerSteps, sizes: [1, support] })
        dispose.push(() => adapter.dispose())
        return adaptingForecaster({ adapt: adapter, samples: support, onAdapt })
      },
    }
    const stack = stackModel({
      features: scaledFeatures(set, scaler),
      regimes: filteredRegimes((saved) =>
        onlineHmm.open(saved ?? { model: beginning!.hmm, rate: follow, belief: beginning!.belief }),
      ),
      forecaster: mixForecasters({
        members: Object.fromEntries(members.map((name) => [name, offered[name]!()])),
        share,
        weighFrom: unseenFrom,
      }),
    })
    const model = await stack(from)
    return {
      get count() {
        return model.count
      },
      observe: (bar) => model.observe(bar),
      forecast: (observation) => model.forecast(observation),
      learn: (observation, y) => model.learn(observation, y),
      async snapshot() {
        return createSnapshot<Tree, Tree>({
          id: ID,
          version: 1,
          config: { settings, timeframe, states, unseenFrom },
          state: {},
          children: { scaler, stack: await model.snapshot(), ...(meta && { meta }) },
        })
      },
      async dispose() {
        await model.dispose()
        for (const end of dispose) await end()
      },
    }
  }
}
