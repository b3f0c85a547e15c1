import type { LongTaskOptions } from '@regimen/core'
import { featureSet, fitScaler, paperExecutor, sliceBars } from '@regimen/market'
import {
  mixForecasters,
  openPipeline,
  prequential,
  type RegimeStage,
  regimeForecaster,
  runPipeline,
  scaledFeatures,
  stackModel,
  volatilityForecaster,
} from '@regimen/pipeline'
import { type RuleRegime, ruleDetector } from '@regimen/regimes'
import type { PresetSettings } from '../preset/settings.ts'
import { timeframeOf } from '../preset/timeframe.ts'
import { type Arm, armOf, sizing, trainRows } from './arms.ts'
import type { RunConfig } from './config.ts'
import type { Source } from './source.ts'

/** The six regimes of the rules, in their order. */
const NAMES: readonly RuleRegime[] = ['bull-low', 'bull-high', 'sideways-low', 'sideways-high', 'bear-low', 'bear-high']

function ruleStage(): RegimeStage {
  const rules = ruleDetector.open({ scaled: true })
  let filtered = new Float64Array(NAMES.length).fill(1 / NAMES.length)
  return {
    push(bar) {
      const name = rules.predict(bar)
      rules.update(bar)
      if (name) filtered = Float64Array.from(NAMES, (one) => (one === name ? 1 : 0))
    },
    get filtered() {
      return filtered
    },
    predictNext: () => filtered.slice(),
    logScore: Number.NaN,
    snapshot: () => rules.snapshot(),
  }
}

/** Regimes by rule in place of a fitted model; the forecaster by regime learns all along, as in the adaptive run. */
export async function ruleArm(
  source: Source,
  config: RunConfig,
  settings: PresetSettings,
  options: LongTaskOptions,
): Promise<Arm> {
  const { bars, costs } = source
  const n = trainRows(source, config)
  const past = sliceBars(bars, 0, n)
  const set = featureSet({ timeframes: [timeframeOf(bars)], volume: false, features: settings.features })
  const scaler = fitScaler(set.batch(past), { train: { start: 0, end: n } })
  const { memory, prior, share } = settings
  const inputs = [settings.features.indexOf('ret_1')].filter((i) => i >= 0)
  const stack = stackModel({
    features: scaledFeatures(set, scaler),
    regimes: ruleStage,
    forecaster: mixForecasters({
      members: {
        calm: volatilityForecaster(),
        regimes: regimeForecaster({ regimes: NAMES.length, inputs, memory, prior }),
        levels: regimeForecaster({ regimes: NAMES.length, inputs, memory, prior, relative: false }),
      },
      share,
    }),
  })
  // The stage is not reopened from a snapshot here, so the trained model itself goes on.
  const model = await stack()
  await prequential(model, past, { from: n })
  const pipeline = await openPipeline({
    model: () => model,
    champion: await model.snapshot(),
    strategies: [sizing(bars)],
    executor: (events) => paperExecutor({ costs, events }),
    interval: bars.interval,
    history: past,
    embargo: config.embargo,
  })
  const steps = await runPipeline(pipeline, sliceBars(bars, n, bars.time.length), options)
  await pipeline.dispose()
  return armOf('rule-based', steps, n)
}
