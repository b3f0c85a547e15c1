import { check, describe } from '@regimen/core'

/** Which forecasters are mixed. */
export type Member = 'calm' | 'regimes' | 'levels' | 'static' | 'continual' | 'meta'

/** Settings of the preset, as plain data. */
export type PresetSettings = {
  /** Features of a bar that the nets see. */
  readonly features: readonly string[]
  /** Regimes of the hidden Markov model; several: the number with the best BIC. From 1. */
  readonly states: readonly number[]
  /** Rate at which the regime model follows the market, from 0 to below 1. */
  readonly follow: number
  readonly members: readonly Member[]
  /** Bars after which an observation counts 1/e for the regime forecaster. Above 1. */
  readonly memory: number
  /** Bars without effect that each regime's mean is drawn towards. */
  readonly prior: number
  /** Share of the mixture's weight that is dealt out anew at each bar. */
  readonly share: number
  /** Hidden units of the nets. */
  readonly hidden: number
  /** Epochs on the training part before the net goes on learning bar by bar. */
  readonly epochs: number
  /** Learning rate of the net. */
  readonly rate: number
  /** Weight of the penalty that keeps the net near what it knew. */
  readonly lambda: number
  /** Iterations of meta-training. */
  readonly metaIterations: number
  /** Inner steps of the meta-learner. */
  readonly innerSteps: number
  /** Samples that the meta-learned net is adapted on. */
  readonly support: number
  readonly seed: number
}

/** What the preset uses unless told otherwise. */
export const PRESET: PresetSettings = {
  features: ['ret_1', 'ret_5', 'ret_20', 'volRatio_10_60', 'smaDistance_20', 'rsi_14', 'efficiency_20', 'autocorr_1'],
  states: [6],
  follow: 0,
  members: ['calm', 'regimes', 'levels', 'continual', 'meta'],
  memory: 2000,
  prior: 60,
  share: 0.002,
  hidden: 16,
  epochs: 4,
  rate: 1e-3,
  lambda: 10,
  metaIterations: 300,
  innerSteps: 2,
  support: 32,
  seed: 0,
}

/**
 * Completes the settings of the preset and checks them.
 *
 * ```ts
 * import { presetSettings } from '@regimen/cli'
 *
 * const { states, hidden } = presetSettings({ hidden: 8 })
 * states // => [6]
 * hidden // => 8
 * ```
 */
export function presetSettings(over: Partial<PresetSettings> = {}): PresetSettings {
  const settings = { ...PRESET, ...over }
  const where = 'cli/preset'
  for (const name of ['hidden', 'epochs', 'metaIterations', 'innerSteps'] as const) {
    const value = settings[name]
    check(
      Number.isInteger(value) && value >= 1,
      where,
      () => `${name} must be a whole number from 1, got ${describe(value)}.`,
    )
  }
  check(settings.members.length > 0, where, () => 'members must name at least one forecaster.')
  check(settings.support >= 4, where, () => `support must be at least 4 samples, got ${describe(settings.support)}.`)
  return settings
}
