import type { Rng } from '@regimen/core'
import type { Dense } from '@regimen/core/math'
import type { CovarianceType } from '../gaussian/kernel.ts'
import type { Float64Leaf } from '../observations.ts'

/** What each state emits, as plain data. `family` says which fields there are. */
export type EmissionModel =
  | {
      readonly family: 'gaussian'
      readonly covariance: CovarianceType
      /** states × columns. */
      readonly means: Float64Leaf
      /** states × columns × columns. */
      readonly covariances: Float64Leaf
    }
  | {
      readonly family: 'student-t'
      readonly covariance: CovarianceType
      readonly means: Float64Leaf
      /** Scale matrices; the covariance is degrees / (degrees − 2) times as large. */
      readonly covariances: Float64Leaf
      /** Degrees of freedom of each state. */
      readonly degrees: Float64Leaf
    }
  | {
      readonly family: 'mixture'
      readonly covariance: CovarianceType
      readonly components: number
      /** states × components. */
      readonly weights: Float64Leaf
      /** (states · components) × columns. */
      readonly means: Float64Leaf
      readonly covariances: Float64Leaf
    }
  | { readonly family: 'poisson'; readonly rates: Float64Leaf }
  | {
      readonly family: 'categorical'
      /** states × symbols. */
      readonly probabilities: Float64Leaf
    }
  | {
      readonly family: 'autoregressive'
      readonly order: number
      /** states × (order + 1): the constant, then the lags from the nearest. */
      readonly coefficients: Float64Leaf
      readonly variances: Float64Leaf
    }

/** Which emissions to fit, with what is special to them. */
export type EmissionOptions =
  | {
      family: 'gaussian' | 'student-t'
      /** @default 'full' */
      covariance?: CovarianceType
    }
  | {
      family: 'mixture'
      /** Components of each state, from 1. @default 2 */
      components?: number
      /** @default 'full' */
      covariance?: CovarianceType
    }
  | { family: 'poisson' }
  | {
      family: 'categorical'
      /** Symbols 0 … symbols − 1. @default the largest seen + 1 */
      symbols?: number
      /** Pseudo-observations of each symbol. From 0. @default 0 */
      prior?: number
    }
  | {
      family: 'autoregressive'
      /** Lags, from 1. @default 1 */
      order?: number
    }

/** One family of emissions at work, with its own buffers. Private: the model is the public face. */
export interface Emission {
  readonly states: number
  readonly columns: number
  /** Earlier rows that a density looks at. */
  readonly lags: number
  /** Free numbers. */
  readonly parameters: number
  /** Writes ln b for rows [from, to) at out[t·k + j]; a row with a NaN, or without its lags after `begin`, gets 0. */
  logDensities(x: Float64Array, from: number, to: number, out: Float64Array, begin: number): void
  /** The M-step: weights are rows × states. Starved states keep what they had; their numbers are returned. */
  maximize(x: Dense, weights: Float64Array, begins: readonly number[]): readonly number[]
  /** One stochastic step from one row; false where the family cannot. */
  learn(row: Float64Array, weights: Float64Array, rate: number): boolean
  sample(state: number, rng: Rng, history: readonly number[][]): number[]
  /** Mean and covariance of a state's emissions, where there are any. */
  moments(state: number): { mean: Float64Array; covariance: Float64Array }
  /** The free numbers in natural units with names; `adopt` takes them back and says whether they are admissible. */
  natural(): { names: string[]; values: Float64Array }
  adopt(values: Float64Array): boolean
  reorder(order: readonly number[]): void
  model(): EmissionModel
}
