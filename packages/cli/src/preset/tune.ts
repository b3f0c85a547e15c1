import { medianPruner, openStudy, type Trial, tpe, walkForwardObjective } from '@regimen/bayes'
import type { LongTaskOptions } from '@regimen/core'
import { type Bars, sliceBars } from '@regimen/market'
import { type MarketModel, prequential } from '@regimen/pipeline'
import { assemble } from './model.ts'
import type { PresetSettings } from './settings.ts'
import { fitParts } from './train.ts'

/** Share of the bars before the first fold; nothing of the folds is known to what was trained on it. */
export const BEFORE = 0.55
const FOLDS = 3

/** A trial of the search. */
export interface TuningTrial {
  readonly params: { readonly [name: string]: number }
  /** Mean log score over the folds, nats a bar. */
  readonly value: number
  readonly pruned: boolean
}

/** What {@link tunePreset} found. */
export interface Tuning {
  readonly settings: PresetSettings
  readonly trials: readonly TuningTrial[]
}

/**
 * Searches how fast the regime forecaster forgets, how much it doubts and how readily the mixture changes its mind: TPE over
 * walk-forward folds of the past, with pruning after each fold. A fold is scored by models that knew only what came before it.
 * The nets take no part in the search, so that it takes a second or two.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { presetSettings, tunePreset } from '@regimen/cli'
 * import { simulate } from '@regimen/market'
 *
 * const { bars } = simulate('equity-daily', { bars: 900, seed: 1 })
 * const { trials } = await tunePreset(bars, presetSettings(), { trials: 3 })
 * // The first trial is what was in force.
 * trials[0]!.params.prior // => 60
 * ```
 */
export async function tunePreset(
  bars: Bars,
  settings: PresetSettings,
  options: LongTaskOptions & { trials?: number } = {},
): Promise<Tuning> {
  const { trials = 8, signal, onProgress } = options
  const n = bars.time.length
  const cheap: PresetSettings = { ...settings, members: ['calm', 'regimes', 'levels'] }
  const begin = Math.floor(BEFORE * n)
  const edges = Array.from({ length: FOLDS + 1 }, (_, i) => begin + Math.floor((i * (n - begin)) / FOLDS))
  const folds = edges.slice(0, -1).map((from, i) => ({ from, to: edges[i + 1]! }))

  const suggest = (trial: Trial): Partial<PresetSettings> => ({
    memory: trial.int('memory', 150, 5000, { log: true }),
    prior: trial.float('prior', 10, 300, { log: true }),
    share: trial.float('share', 3e-4, 0.03, { log: true }),
  })
  // One regime model for all trials, from before the folds.
  const { parts, beginning } = await fitParts(sliceBars(bars, 0, begin), cheap, signal ? { signal } : {})
  const models = new Map<number, MarketModel>()
  const evaluate = async (trial: Trial, { from, to }: { from: number; to: number }): Promise<number> => {
    signal?.throwIfAborted()
    let model = models.get(trial.number)
    if (!model) {
      model = await assemble({ ...parts, settings: { ...cheap, ...suggest(trial) } }, beginning)()
      models.set(trial.number, model)
    }
    const { logScore } = await prequential(model, sliceBars(bars, 0, to), { from })
    const known = logScore.filter((value) => !Number.isNaN(value))
    return known.reduce((a, b) => a + b, 0) / known.length
  }
  const study = openStudy({
    direction: 'maximize',
    name: 'preset',
    sampler: tpe(),
    pruner: medianPruner(),
    seed: settings.seed,
  })
  // What is in force is a trial too, so the search can only find something better.
  study.enqueue({ memory: settings.memory, prior: settings.prior, share: settings.share })
  const objective = walkForwardObjective(folds, evaluate)
  for (let i = 0; i < trials; i++) {
    await study.optimize(objective, { trials: 1 })
    onProgress?.({ done: i + 1, total: trials, message: 'tuning' })
  }
  for (const model of models.values()) await model.dispose()
  return {
    settings: { ...settings, ...(study.best?.params as Partial<PresetSettings>) },
    trials: study.trials.map(({ params, values, reports, state }) => ({
      params: params as TuningTrial['params'],
      value: values?.[0] ?? [...reports.values()].at(-1) ?? Number.NaN,
      pruned: state === 'pruned',
    })),
  }
}
