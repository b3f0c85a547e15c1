import { type ArrayLeaf, arrayLeaf, check, createSnapshot, describe, restore, schema } from '@regimen/core'
import { choleskyInto, solveLowerInto, solveLowerTransposedInto } from '@regimen/core/math'
import { createForecast, type ForecastPart } from '../forecast.ts'
import type { Forecaster, Open } from '../forecaster.ts'
import type { Observation } from '../observation.ts'

/** Options of {@link regimeForecaster}. */
export interface RegimeForecasterOptions {
  /** Number of regimes. From 1. */
  regimes: number
  /** Features that move the mean inside a regime, by position, for example the last return. @default [] */
  inputs?: readonly number[]
  /** Bars after which an observation counts 1/e. Above 1; Infinity to forget nothing. @default Infinity */
  memory?: number
  /**
   * Whether it learns returns in units of the observation's scale, for volatility that comes in clusters beyond the regimes, or
   * returns as they are, for regimes that explain the volatility. Mix both where that is not known. @default true
   */
  relative?: boolean
  /** Bars without any effect that each regime's mean is drawn towards. Above 0. @default 60 */
  prior?: number
}

const ID = 'pipeline/regime-forecaster'
/** Bars at the observation's scale that each regime's variance begins with. */
const STEADY = 4

/**
 * Forecasts by what followed each regime so far: one Gaussian a regime, weighted by P(regime at the next bar). Inside a regime
 * the mean may follow some features by ridge regression. What it learns is weighted by the posterior probability of each regime
 * given the return, and can be forgotten slowly, so that it follows a market whose regimes change their character.
 *
 * Use it wherever a regime model is at hand: it is the cheapest learner that uses one, and hard to beat on a year of daily bars.
 *
 * ```ts
 * import { regimeForecaster } from '@regimen/pipeline'
 *
 * const forecaster = await regimeForecaster({ regimes: 2, prior: 1 })()
 * const at = (first: number) => {
 *   const regimes = Float64Array.of(first, 1 - first)
 *   const features = new Float32Array(0)
 *   return { row: 0, time: 0, features, regimes, ahead: regimes, logScore: Number.NaN, scale: 0.01 }
 * }
 * for (let i = 0; i < 200; i++) await forecaster.learn(at(i % 2), i % 2 ? 0.02 : -0.02)
 * const { mean } = await forecaster.forecast(at(1))
 * mean > 0.015 // => true
 * ```
 */
export function regimeForecaster(options: RegimeForecasterOptions): Open<Forecaster> {
  const { regimes: k, inputs = [], memory = Infinity, prior = 60, relative = true } = options
  check(Number.isInteger(k) && k >= 1, ID, () => `regimes must be a whole number from 1, got ${describe(k)}.`)
  check(memory > 1, ID, () => `memory must be above 1 bar, got ${describe(memory)}.`)
  check(prior > 0 && prior < Infinity, ID, () => `prior must be above 0 bars, got ${describe(prior)}.`)
  for (const input of inputs) {
    check(Number.isInteger(input) && input >= 0, ID, () => `inputs must be positions, got ${describe(input)}.`)
  }
  const d = inputs.length + 1
  const state = schema.object({
    gram: schema.leaf('float64', [k, d, d]),
    moment: schema.leaf('float64', [k, d]),
    square: schema.leaf('float64', [k]),
    weight: schema.leaf('float64', [k]),
  })
  const config = { regimes: k, inputs: [...inputs], memory: memory === Infinity ? 0 : memory, prior, relative }
  const keep = memory === Infinity ? 1 : Math.exp(-1 / memory)

  return (from) => {
    const saved = from && restore(from, { id: ID, version: 1, state })
    check(
      !saved || JSON.stringify(saved.config) === JSON.stringify(config),
      ID,
      () => 'the snapshot is of a forecaster with other options.',
      'Open it with the options it was made with.',
    )
    const leaf = (of: ArrayLeaf<'float64'> | undefined, size: number): Float64Array =>
      of?.data ?? new Float64Array(size)
    const gram = leaf(saved?.state.gram, k * d * d)
    const moment = leaf(saved?.state.moment, k * d)
    const square = leaf(saved?.state.square, k)
    const weight = leaf(saved?.state.weight, k)
    const row = new Float64Array(d)
    const factor = new Float64Array(d * d)
    const beta = new Float64Array(d)

    const describeRow = (of: Observation): void => {
      row[0] = 1
      inputs.forEach((input, i) => {
        row[i + 1] = of.features[input]!
      })
    }
    const partsAt = (of: Observation): ForecastPart[] => {
      check(of.ahead.length === k, ID, () => `${k} probabilities are needed, got ${of.ahead.length}.`)
      describeRow(of)
      const parts: ForecastPart[] = []
      const unit = relative ? of.scale : 1
      const steady = STEADY * (of.scale / unit) ** 2
      for (let j = 0; j < k; j++) {
        for (let i = 0; i < d * d; i++) factor[i] = gram[j * d * d + i]! + (i % (d + 1) === 0 ? prior : 0)
        const moments = moment.subarray(j * d, (j + 1) * d)
        choleskyInto(factor, d, factor)
        solveLowerTransposedInto(factor, d, solveLowerInto(factor, d, moments, beta), beta)
        let mean = 0
        let explained = 0
        for (let i = 0; i < d; i++) {
          mean += beta[i]! * row[i]!
          explained += beta[i]! * moments[i]!
        }
        // Residual sum of squares with a few bars at the scale itself.
        const variance = Math.max(square[j]! - explained + steady, 1e-6 * steady) / (weight[j]! + STEADY)
        parts.push({ weight: Math.max(of.ahead[j]!, 0), mean: mean * unit, variance: variance * unit * unit })
      }
      return parts
    }
    return {
      async forecast(observation) {
        return createForecast(partsAt(observation))
      },
      async learn(observation, y) {
        const parts = partsAt(observation)
        const z = relative ? y / observation.scale : y
        const logs = parts.map(
          (p) => Math.log(p.weight) - 0.5 * Math.log(p.variance) - (0.5 * (y - p.mean) ** 2) / p.variance,
        )
        const top = Math.max(...logs)
        const shares = logs.map((value) => Math.exp(value - top))
        const total = shares.reduce((a, b) => a + b, 0)
        for (let j = 0; j < k; j++) {
          const share = shares[j]! / total
          weight[j] = keep * weight[j]! + share
          square[j] = keep * square[j]! + share * z * z
          for (let a = 0; a < d; a++) {
            moment[j * d + a] = keep * moment[j * d + a]! + share * z * row[a]!
            for (let b = 0; b < d; b++) {
              const at = (j * d + a) * d + b
              gram[at] = keep * gram[at]! + share * row[a]! * row[b]!
            }
          }
        }
      },
      async snapshot() {
        return createSnapshot({
          id: ID,
          version: 1,
          config,
          state: {
            gram: arrayLeaf('float64', [k, d, d], gram.slice()),
            moment: arrayLeaf('float64', [k, d], moment.slice()),
            square: arrayLeaf('float64', [k], square.slice()),
            weight: arrayLeaf('float64', [k], weight.slice()),
          },
        })
      },
      async dispose() {},
    }
  }
}
