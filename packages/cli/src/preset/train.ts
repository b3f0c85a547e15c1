import { openTrainer } from '@regimen/continual'
import { arrayLeaf, check, createSnapshot, type LongTaskOptions, type Snapshot, toSegments } from '@regimen/core'
import { type Bars, featureSet, fitScaler, sliceBars } from '@regimen/market'
import { metaTrain, modelToSnapshot, sampleSegments } from '@regimen/meta'
import {
  createForecast,
  type Forecaster,
  filteredRegimes,
  prequential,
  returnAndRange,
  scaledFeatures,
  stackModel,
} from '@regimen/pipeline'
import { fitHmm, type HmmModel, onlineHmm } from '@regimen/regimes'
import { assemble, type TrainedParts } from './model.ts'
import { densityLearner, type MeanParams, meanNet } from './nets.ts'
import type { PresetSettings } from './settings.ts'
import { timeframeOf } from './timeframe.ts'

/** Share of the training part that the nets are trained on; the rest weighs the forecasters against each other. */
const NETS_SHARE = 0.7
const ID = 'cli/train-preset'

/** What the observations of a training part were, and what came of them. */
interface Samples {
  readonly features: Float32Array[]
  readonly regimes: number[]
  readonly z: number[]
  readonly time: number[]
}

/** A forecaster that only remembers. */
function recorder(samples: Samples): Forecaster {
  return {
    forecast: async ({ scale }) => createForecast([{ weight: 1, mean: 0, variance: scale * scale }]),
    async learn({ features, regimes, scale, time }, y) {
      samples.features.push(features)
      samples.regimes.push(regimes.indexOf(Math.max(...regimes)))
      samples.z.push(y / scale)
      samples.time.push(time)
    },
    snapshot: async () => createSnapshot({ id: 'cli/recorder', version: 1, config: {}, state: {} }),
    dispose: async () => {},
  }
}

/**
 * Trains the preset's model on bars of the past and brings it up to date with their last: the scaler, the regimes (the number of
 * states by BIC), the net of the mean and the meta-learned net on the first part, then everything bar by bar to the end. The
 * same bars, settings and seed give the same bytes.
 */
export async function trainPreset(
  bars: Bars,
  settings: PresetSettings,
  options: LongTaskOptions & { start?: HmmModel } = {},
): Promise<Snapshot> {
  const { signal, onProgress } = options
  const n = bars.time.length
  const timeframe = timeframeOf(bars)
  const set = featureSet({ timeframes: [timeframe], volume: false, features: settings.features })
  const least = set.warmup + 4 * settings.support + 40
  check(n >= least, ID, () => `${n} bars are too few to train on: at least ${least} are needed.`)
  const cut = Math.max(Math.floor(NETS_SHARE * n), set.warmup + 3 * settings.support)
  const scaler = fitScaler(set.batch(bars), { train: { start: 0, end: n } })
  const hmm = fitRegimes(bars, settings, options)
  const belief = Array.from(hmm.start.data)
  const done = (share: number, message: string): void => onProgress?.({ done: share, total: 1, message })
  done(0.2, 'regimes fitted')

  const samples: Samples = { features: [], regimes: [], z: [], time: [] }
  const plain = await stackModel({
    features: scaledFeatures(set, scaler),
    regimes: filteredRegimes(() => onlineHmm.open({ model: hmm, belief })),
    forecaster: () => recorder(samples),
  })()
  await prequential(plain, sliceBars(bars, 0, cut), { from: cut, ...(signal && { signal }) })

  const members = new Set(settings.members)
  const mean = members.has('static') || members.has('continual') ? await trainMean(samples, settings) : undefined
  done(0.5, 'net trained')
  const meta = members.has('meta') ? await trainMeta(samples, settings, signal) : undefined
  done(0.8, 'meta-learner trained')

  const parts: TrainedParts = {
    settings,
    timeframe,
    scaler,
    states: hmm.states,
    unseenFrom: cut,
    ...(meta && { meta }),
  }
  const model = await assemble(parts, { hmm, belief, ...(mean && { mean }) })()
  await prequential(model, bars, { from: n, ...(signal && { signal }) })
  const snapshot = await model.snapshot()
  await model.dispose()
  done(1, 'up to date')
  return snapshot
}

function fitRegimes(bars: Bars, settings: PresetSettings, { signal }: LongTaskOptions): HmmModel {
  const rows: number[][] = []
  for (let i = 0; i < bars.time.length; i++) {
    const bar = { time: 0, open: bars.open[i]!, high: bars.high[i]!, low: bars.low[i]!, close: bars.close[i]! }
    rows.push(returnAndRange(bar, i > 0 ? bars.close[i - 1]! : bar.open))
  }
  let best: HmmModel | undefined
  for (const states of settings.states) {
    const hmm = fitHmm(rows, {
      states,
      sticky: 10,
      restarts: 3,
      maxIterations: 60,
      tolerance: 1e-6,
      seed: settings.seed,
      ...(signal && { signal }),
    })
    if (!best || hmm.bic < best.bic) best = hmm
  }
  check(best !== undefined, ID, () => 'states must name at least one number of regimes.')
  return best!
}

async function trainMean({ features, z }: Samples, settings: PresetSettings): Promise<MeanParams> {
  const width = settings.features.length
  const x = new Float32Array(features.length * width)
  features.forEach((row, i) => {
    x.set(row, i * width)
  })
  const trainer = openTrainer({
    net: meanNet(settings),
    inputs: width,
    outputs: 1,
    likelihood: 'gaussian',
    rate: settings.rate,
    seed: settings.seed,
  })
  await trainer.learn({ x, y: z }, { epochs: settings.epochs })
  const params = trainer.params()
  await trainer.dispose()
  return params
}

async function trainMeta(samples: Samples, settings: PresetSettings, signal?: AbortSignal): Promise<Snapshot> {
  const width = settings.features.length
  const n = samples.features.length
  const x = new Float32Array(n * width)
  samples.features.forEach((row, i) => {
    x.set(row, i * width)
  })
  const series = {
    x: arrayLeaf('float32', [n, width], x),
    y: arrayLeaf('float32', [n, 1], Float32Array.from(samples.z)),
    time: Float64Array.from(samples.time),
  }
  const { support, metaIterations, seed } = settings
  const counts = new Map<number, number>()
  for (const regime of samples.regimes) counts.set(regime, (counts.get(regime) ?? 0) + 1)
  // A regime that was hardly ever visited makes no task.
  const segments = toSegments(samples.regimes).filter(({ label }) => counts.get(label)! >= 2 * support + 1)
  const sampler = sampleSegments(series, segments, {
    shots: support,
    queries: support,
    gap: 1,
    seed,
    replacement: true,
  })
  const { model } = await metaTrain(densityLearner(settings), sampler, {
    iterations: metaIterations,
    tasksPerBatch: 8,
    rate: 3e-3,
    seed,
    ...(signal && { signal }),
  })
  return modelToSnapshot(model)
}
