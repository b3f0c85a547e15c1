import { type ArrayLeaf, arrayLeaf, type Schema, schema } from '@regimen/core'

/** What a model knows of the market at the close of a bar. It is learned from once its label is known. */
export interface Observation {
  /** Bars taken before this one. */
  readonly row: number
  /** UTC epoch milliseconds of the bar's close. */
  readonly time: number
  /** Scaled features. */
  readonly features: Float32Array
  /** P(regime now). */
  readonly regimes: Float64Array
  /** P(regime at the next bar). */
  readonly ahead: Float64Array
  /** Log-score of the bar under the regime model, for novelty; NaN where the model has none. */
  readonly logScore: number
  /** Deviation of a bar's log return, from the recent past. Above 0. */
  readonly scale: number
}

export type SavedObservation = {
  readonly row: number
  readonly time: number
  readonly features: ArrayLeaf<'float32'>
  readonly regimes: ArrayLeaf<'float64'>
  readonly ahead: ArrayLeaf<'float64'>
  readonly logScore: number
  readonly scale: number
}

export const observationSchema: Schema<SavedObservation> = schema.object({
  row: schema.integer({ min: 0 }),
  time: schema.number(),
  features: schema.leaf('float32', [null]),
  regimes: schema.leaf('float64', [null]),
  ahead: schema.leaf('float64', [null]),
  logScore: schema.number({ finite: false }),
  scale: schema.number(),
})

export function saveObservation(of: Observation): SavedObservation {
  const { features, regimes, ahead } = of
  return {
    ...of,
    features: arrayLeaf('float32', [features.length], features.slice()),
    regimes: arrayLeaf('float64', [regimes.length], regimes.slice()),
    ahead: arrayLeaf('float64', [ahead.length], ahead.slice()),
  }
}

export function loadObservation(saved: SavedObservation): Observation {
  return { ...saved, features: saved.features.data, regimes: saved.regimes.data, ahead: saved.ahead.data }
}
