import {
  arrayLeaf,
  check,
  createLifetime,
  createSnapshot,
  isSnapshot,
  restore,
  type Schema,
  schema,
  type Tree,
} from '@regimen/core'
import type { RegimeFactory } from '../regime-model.ts'
import { schemaLike } from '../schema-like.ts'
import { filterStep } from './chain.ts'
import type { HmmModel } from './hmm.ts'
import { hmmPredictNext } from './inference.ts'
import { openEmission } from './open-emission.ts'

/** Configuration of {@link onlineHmm}. */
export type OnlineHmmConfig = {
  /** A fitted model. */
  readonly model: HmmModel
  /**
   * Rate at which the parameters follow the market, from 0 (they stay) to below 1; 0.01 forgets within some hundred rows.
   * @default 0
   */
  readonly rate?: number
  /**
   * P(regime) of the first row. To continue a series, `hmmPredictNext` of its last filtered row; the fitted start is that of
   * the training series' first row and may be certain.
   * @default the model's start
   */
  readonly belief?: readonly number[]
}

const WHERE = 'regimes/online-hmm'

/**
 * Runs a fitted hidden Markov model over a live market, one row at a time in constant time and memory: the state is the
 * belief, the last rows that an autoregression needs and, with `rate` above 0, parameters that follow the market by stochastic
 * EM with the filtered probabilities as weights. A row with NaN is a missing bar: the belief moves by the transitions alone.
 *
 * Gotchas: the rate works for Gaussian (full, diagonal, spherical), Poisson and categorical emissions; a long rest in one regime
 * pulls only that regime's parameters. `predict` does not learn.
 *
 * ```ts
 * import { fitHmm, onlineHmm } from '@regimen/regimes'
 *
 * const x = [0, 1, 0, 1, 9, 8, 9, 8, 0, 1, 0, 1]
 * const live = onlineHmm.open({ model: fitHmm(x, { states: 2 }) })
 * live.update(0.5)
 * live.filtered[0]! > 0.99 // => true
 * live.predict(8.5)[1]! > 0.9 // => true
 * ```
 *
 * Reference: Cappé, J. Comput. Graph. Stat. 20 (2011), for online EM.
 */
export const onlineHmm: RegimeFactory<OnlineHmmConfig> = {
  id: WHERE,
  version: 1,
  open(from) {
    const saved = isSnapshot(from)
      ? restore(from, { id: WHERE, version: 1, config: schema.any(), state: stateSchema })
      : undefined
    const config = (saved ? saved.config : from) as OnlineHmmConfig
    const state = saved?.state as SavedState | undefined
    const model: HmmModel = state
      ? { ...config.model, transition: state.transition, emission: state.emission }
      : config.model
    const rate = config.rate ?? 0
    check(model?.kind === 'hmm', WHERE, () => 'model must be what fitHmm returned.', 'Pass { model: fitHmm(…) }.')
    check(rate >= 0 && rate < 1, WHERE, () => `rate must be at least 0 and below 1, got ${rate}.`)
    const { states: k, columns: d } = model
    const { belief: first = model.start.data } = config
    check(first.length === k, WHERE, () => `belief needs ${k} probabilities, got ${first.length}.`)
    const emission = openEmission(model)
    const lags = emission.lags
    const transition = model.transition.data.slice()
    const filtered = state ? state.filtered.data.slice() : Float64Array.from(first)
    const window = new Float64Array((lags + 1) * d)
    if (state) window.set(state.window.data)
    let seen = state ? state.seen : 0
    let logScore = state?.logScore ?? Number.NaN
    const logB = new Float64Array((lags + 1) * k)
    const b = logB.subarray(lags * k)
    const predicted = new Float64Array(k)
    const belief = new Float64Array(k)
    const life = createLifetime(WHERE)

    const fold = (x: ArrayLike<number> | number): number => {
      const single = typeof x === 'number'
      check(single ? d === 1 : x.length === d, WHERE, () => `a row needs ${d} numbers, got ${single ? 1 : x.length}.`)
      for (let i = 0; i < d; i++) {
        const value = single ? x : x[i]!
        if (!Number.isFinite(value) && !Number.isNaN(value)) check(false, WHERE, () => `a row holds ${value}.`)
        window[lags * d + i] = value
      }
      emission.logDensities(window, lags, lags + 1, logB, Math.max(0, lags - seen))
      for (let j = 0; j < k; j++) {
        let sum = seen === 0 ? filtered[j]! : 0
        if (seen > 0) for (let i = 0; i < k; i++) sum += filtered[i]! * transition[i * k + j]!
        predicted[j] = sum
      }
      return filterStep(k, b, predicted, belief, 0)
    }
    return {
      regimes: k,
      get filtered() {
        return filtered.slice()
      },
      get logScore() {
        return logScore
      },
      predictNext: (h = 1) =>
        hmmPredictNext(
          { ...model, transition: arrayLeaf('float64', [k, k], transition) },
          filtered,
          seen === 0 ? h - 1 : h,
        ),
      predict(x) {
        life.check()
        fold(x)
        return belief.slice()
      },
      update(x) {
        life.check()
        logScore = fold(x)
        const row = window.subarray(lags * d)
        if (rate > 0 && !row.some(Number.isNaN)) {
          check(
            emission.learn(row, belief, rate),
            WHERE,
            () => `${model.emission.family} emissions do not learn online.`,
            'Pass rate: 0 and refit.',
          )
          if (seen > 0) learnTransition(transition, filtered, predicted, belief, k, rate)
        }
        filtered.set(belief)
        window.copyWithin(0, d)
        seen++
      },
      snapshot() {
        life.check()
        return createSnapshot({
          id: WHERE,
          version: 1,
          config: { model: config.model, rate, belief: Array.from(first) },
          state: {
            transition: arrayLeaf('float64', [k, k], transition),
            emission: emission.model(),
            filtered: arrayLeaf('float64', [k], filtered),
            window: arrayLeaf('float64', [window.length], window),
            seen,
            logScore: Number.isNaN(logScore) ? null : logScore,
          },
        })
      },
      dispose: () => {
        life.end()
      },
    }
  },
}

interface SavedState {
  transition: HmmModel['transition']
  emission: HmmModel['emission']
  filtered: { data: Float64Array }
  window: { data: Float64Array }
  seen: number
  logScore: number | null
}

/** The state's arrays must look as the configured model says. */
function stateSchema(config: Tree): Schema {
  const { model } = config as OnlineHmmConfig
  const { states: k, columns: d, emission } = model
  const lags = emission.family === 'autoregressive' ? emission.order : 0
  return schema.object({
    transition: schema.leaf('float64', [k, k]),
    emission: schemaLike(emission),
    filtered: schema.leaf('float64', [k]),
    window: schema.leaf('float64', [(lags + 1) * d]),
    seen: schema.integer({ min: 0 }),
    logScore: schema.nullable(schema.number({ finite: false })),
  })
}

/** Moves each row towards P(i → j | rows so far) in proportion to the probability of having been in i. */
function learnTransition(
  transition: Float64Array,
  before: Float64Array,
  predicted: Float64Array,
  belief: Float64Array,
  k: number,
  rate: number,
): void {
  for (let i = 0; i < k; i++) {
    let from = 0
    for (let j = 0; j < k; j++)
      if (predicted[j]! > 0) from += (before[i]! * transition[i * k + j]! * belief[j]!) / predicted[j]!
    const old = transition.slice(i * k, i * k + k)
    let total = 0
    for (let j = 0; j < k; j++) {
      const pair = predicted[j]! > 0 ? (before[i]! * old[j]! * belief[j]!) / predicted[j]! : 0
      total += transition[i * k + j] = old[j]! + rate * (pair - from * old[j]!)
    }
    for (let j = 0; j < k; j++) transition[i * k + j]! /= total
  }
}
