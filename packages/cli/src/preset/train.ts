import { openTrainer } from '@regimen/continual'
import {
  type ArrayLeaf,
  arrayLeaf,
  check,
  createSnapshot,
  type LongTaskOptions,
  type Snapshot,
  toSegments,
} from '@regimen/core'
import { type Bar, type Bars, featureSet, fitScaler, type ScalerModel, sliceBars } from '@regimen/market'
import { metaTrain, modelToSnapshot, sampleSegments, type TaskSampler } from '@regimen/meta'
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
import { assemble, type Beginning, regimesOf, type TrainedParts } from './model.ts'
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

/** Fewest bars to train on: the features' warm-up, and enough after it for supports and for the regimes. */
export function fewestBars({ features, support }: PresetSettings, warmup: number = warmupOf(features)): number {
  return warmup + 4 * support + 40
}

function warmupOf(features: readonly string[]): number {
  return featureSet({ timeframes: ['1d'], volume: false, features }).warmup
}

/** Options of {@link trainPreset}. */
export interface TrainOptions extends LongTaskOptions {
  /** Bars of other markets, of the same interval, on which the meta-learner practises too. @default none */
  others?: readonly Bars[]
  /** A model trained before, whose regimes are followed on instead of being found anew. @default none */
  after?: Snapshot
}

/** Runs bars through features and regimes and remembers what came of each. */
async function record(
  bars: Bars,
  {
    settings,
    timeframe,
    hmm,
    scaler,
  }: { settings: PresetSettings; timeframe: string; hmm: HmmModel; scaler?: ScalerModel },
  signal?: AbortSignal,
): Promise<Samples> {
  const n = bars.time.length
  const set = featureSet({ timeframes: [timeframe], volume: false, features: settings.features })
  const samples: Samples = { features: [], regimes: [], z: [], time: [] }
  const plain = await stackModel({
    features: scaledFeatures(set, scaler ?? fitScaler(set.batch(bars), { train: { start: 0, end: n } })),
    regimes: filteredRegimes(() => onlineHmm.open({ model: hmm, belief: Array.from(hmm.start.data) })),
    forecaster: () => recorder(samples),
  })()
  await prequential(plain, bars, { from: n, ...(signal && { signal }) })
  return samples
}

/**
 * Fits what a model begins with: the scaler, the regimes (the number of states by BIC), and on the first part of the bars the net of
 * the mean and the meta-learned net.
 */
export async function fitParts(
  bars: Bars,
  settings: PresetSettings,
  options: TrainOptions = {},
): Promise<{ readonly parts: TrainedParts; readonly beginning: Beginning }> {
  const { signal, onProgress, others = [] } = options
  const n = bars.time.length
  const timeframe = timeframeOf(bars)
  const set = featureSet({ timeframes: [timeframe], volume: false, features: settings.features })
  const least = fewestBars(settings, set.warmup)
  check(n >= least, ID, () => `${n} bars are too few to train on: at least ${least} are needed.`)
  const cut = Math.max(Math.floor(NETS_SHARE * n), set.warmup + 3 * settings.support)
  const scaler = fitScaler(set.batch(bars), { train: { start: 0, end: n } })
  const hmm = fitRegimes(bars, settings, options)
  const belief = Array.from(hmm.start.data)
  const done = (share: number, message: string): void => onProgress?.({ done: share, total: 1, message })
  done(0.2, 'regimes fitted')

  const samples = await record(sliceBars(bars, 0, cut), { settings, timeframe, hmm, scaler }, signal)
  const more: Samples[] = []
  for (const other of others) {
    // Another market is known only up to the same moment.
    const end = other.time.findIndex((time) => time + other.interval > bars.time[n - 1]! + bars.interval)
    const past = sliceBars(other, 0, end < 0 ? other.time.length : end)
    if (past.time.length >= least) more.push(await record(past, { settings, timeframe, hmm }, signal))
  }
  const members = new Set(settings.members)
  const mean = members.has('static') || members.has('continual') ? await trainMean(samples, settings) : undefined
  done(0.5, 'net trained')
  const meta = members.has('meta') ? await trainMeta([samples, ...more], settings, signal) : undefined
  done(0.9, 'meta-learner trained')
  return {
    parts: { settings, timeframe, scaler, states: hmm.states, unseenFrom: cut, ...(meta && { meta }) },
    beginning: { hmm, belief, ...(mean && { mean }) },
  }
}

/**
 * Trains the preset's model on bars of the past and brings it up to date with their last: {@link fitParts}, then everything bar by
 * bar to the end. The same bars, settings and seed give the same bytes.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { presetSettings, trainPreset } from '@regimen/cli'
 * import { hashSnapshot } from '@regimen/core'
 * import { simulate } from '@regimen/market'
 *
 * const { bars } = simulate('equity-daily', { bars: 500, seed: 1 })
 * const settings = presetSettings({ members: ['calm', 'levels'] })
 * const [one, two] = [await trainPreset(bars, settings), await trainPreset(bars, settings)]
 * hashSnapshot(one) === hashSnapshot(two) // => true
 * ```
 */
export async function trainPreset(bars: Bars, settings: PresetSettings, options: TrainOptions = {}): Promise<Snapshot> {
  const { parts, beginning } = await fitParts(bars, settings, options)
  const model = await assemble(parts, beginning)()
  const { signal } = options
  await prequential(model, bars, { from: bars.time.length, ...(signal && { signal }) })
  const snapshot = await model.snapshot()
  await model.dispose()
  return snapshot
}

function fitRegimes(bars: Bars, settings: PresetSettings, { signal, after }: TrainOptions): HmmModel {
  const rows: number[][] = []
  for (let i = 0; i < bars.time.length; i++) {
    rows.push(returnAndRange(barOf(bars, i), i > 0 ? bars.close[i - 1]! : bars.open[0]!))
  }
  const common = { sticky: 10, tolerance: 1e-6, seed: settings.seed, ...(signal && { signal }) }
  if (after) {
    // From where the regimes were, so that they keep their order and a few iterations are enough.
    const start = regimesOf(after)
    return fitHmm(rows, { ...common, states: start.states, start, maxIterations: 20 })
  }
  let best: HmmModel | undefined
  for (const states of settings.states) {
    const hmm = fitHmm(rows, { ...common, states, restarts: 3, maxIterations: 60 })
    if (!best || hmm.bic < best.bic) best = hmm
  }
  check(best !== undefined, ID, () => 'states must name at least one number of regimes.')
  return best!
}

function barOf({ time, open, high, low, close }: Bars, i: number): Bar {
  return { time: time[i]!, open: open[i]!, high: high[i]!, low: low[i]!, close: close[i]! }
}

async function trainMean({ features, z }: Samples, settings: PresetSettings): Promise<MeanParams> {
  const trainer = openTrainer({
    net: meanNet(settings),
    inputs: settings.features.length,
    outputs: 1,
    likelihood: 'gaussian',
    rate: settings.rate,
    seed: settings.seed,
  })
  await trainer.learn({ x: toLeaf(features, settings).data, y: z }, { epochs: settings.epochs })
  const params = trainer.params()
  await trainer.dispose()
  return params
}

async function trainMeta(
  markets: readonly Samples[],
  settings: PresetSettings,
  signal?: AbortSignal,
): Promise<Snapshot> {
  const { support, metaIterations, seed } = settings
  const samplers = markets.map(({ features, regimes, z, time }) => {
    const counts = new Map<number, number>()
    for (const regime of regimes) counts.set(regime, (counts.get(regime) ?? 0) + 1)
    // A regime that was hardly ever visited makes no task; where all were, the whole past is one.
    const often = toSegments(regimes).filter(({ label }) => counts.get(label)! >= 2 * support + 1)
    const segments = often.length > 0 ? often : [{ start: 0, end: regimes.length, label: 0 }]
    const series = {
      x: toLeaf(features, settings),
      y: arrayLeaf('float32', [z.length, 1], Float32Array.from(z)),
      time: Float64Array.from(time),
    }
    return sampleSegments(series, segments, { shots: support, queries: support, gap: 1, seed, replacement: true })
  })
  const sampler: TaskSampler = {
    batch: (index, size) => samplers[index % samplers.length]!.batch(Math.floor(index / samplers.length), size),
  }
  const { model } = await metaTrain(densityLearner(settings), sampler, {
    iterations: metaIterations,
    tasksPerBatch: 8,
    rate: 3e-3,
    seed,
    ...(signal && { signal }),
  })
  return modelToSnapshot(model)
}

function toLeaf(rows: readonly Float32Array[], { features }: PresetSettings): ArrayLeaf<'float32'> {
  const width = features.length
  const x = new Float32Array(rows.length * width)
  rows.forEach((row, i) => {
    x.set(row, i * width)
  })
  return arrayLeaf('float32', [rows.length, width], x)
}
