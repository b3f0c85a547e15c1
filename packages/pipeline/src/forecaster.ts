import type { Snapshot } from '@regimen/core'
import type { Forecast } from './forecast.ts'
import type { Observation } from './observation.ts'

/** Opens a stage new, or from its snapshot. */
export type Open<Stage> = (from?: Snapshot) => Stage | Promise<Stage>

/**
 * Says what the next return may be, and learns from what it was. Anything with these four methods is one; those of this package
 * wrap the learners of the families.
 */
export interface Forecaster {
  /** Answers from what was learned so far; never learns. */
  forecast(observation: Observation): Promise<Forecast>
  /** Takes an observation whose log return `y` is now known. */
  learn(observation: Observation, y: number): Promise<void>
  snapshot(): Promise<Snapshot>
  dispose(): Promise<void>
}
