import {
  check,
  createEvent,
  createLifetime,
  createSnapshot,
  describe,
  hashTree,
  isSnapshot,
  type LiveFactory,
  type RegimenEvent,
  restore,
  schema,
} from '@regimen/core'

/** Configuration of {@link regimeRouter}. */
export type RouterConfig = {
  /** Weight of each strategy in each regime: regimes × strategies; rows are what `blend` mixes or the switch picks from. */
  readonly weights: readonly (readonly number[])[]
  /** Strategy parameters of each regime, handed out with the weights; `blend` mixes them too. @default none */
  readonly parameters?: readonly { readonly [name: string]: number }[]
  /** `switch` uses the weights of the regime in force; `blend` the probability-weighted mean of all. @default 'switch' */
  readonly mode?: 'switch' | 'blend'
  /** Probability that another regime needs to take over, from 0.5 to 1 (hysteresis). @default 0.6 */
  readonly enter?: number
  /** Bars that a regime stays in force at least, from 1. @default 3 */
  readonly minimum?: number
  /** Log-score below the running mean by so many running deviations counts as novel; 0 turns it off. @default 6 */
  readonly novelty?: number
  /** Weights in a market like none of the known regimes. @default all 0 */
  readonly shelter?: readonly number[]
}

/** What the router is fed each bar. */
export interface RouterInput {
  /** Filtered probabilities of the regimes. */
  readonly probabilities: ArrayLike<number>
  /** The detector's log-score of the bar, for novelty. @default none */
  readonly logScore?: number
}

/** What is in force after a bar. */
export interface Route {
  /** Regime in force, −1 while sheltering. */
  readonly regime: number
  /** Weight of each strategy. */
  readonly weights: Float64Array
  /** Strategy parameters in force; empty while sheltering or without any in the configuration. */
  readonly parameters: { readonly [name: string]: number }
  /** How far the bar's log-score lies below the usual, in running deviations; 0 without scores. */
  readonly novelty: number
  /** Set at a bar where the regime in force changed. */
  readonly switched?: {
    readonly from: number
    readonly to: number
    readonly reason: 'probability' | 'novelty' | 'start'
  }
}

const ID = 'regimes/router'

/**
 * Routes probabilities of regimes to weights of strategies: another regime takes over once its probability reaches `enter` and the
 * present one has lasted `minimum` bars, so that noise does not trade; a bar whose log-score falls far below the usual
 * ("none of the known regimes") shelters at once. `predict` answers what would be in force after the next input, with the reason where
 * that is a switch, for an event to be logged.
 *
 * ```ts
 * import { regimeRouter } from '@regimen/regimes'
 *
 * const router = regimeRouter.open({ weights: [[1, 0], [0, 1]], minimum: 1 })
 * router.update({ probabilities: [0.9, 0.1] })
 * // 0.55 is not enough to switch, 0.7 is.
 * router.predict({ probabilities: [0.45, 0.55] }).regime // => 0
 * router.predict({ probabilities: [0.3, 0.7] }).switched // => { from: 0, to: 1, reason: 'probability' }
 * ```
 */
export const regimeRouter: LiveFactory<RouterConfig, RouterInput, undefined, Route> = {
  id: ID,
  version: 1,
  open(from) {
    const saved = isSnapshot(from)
      ? restore(from, { id: ID, version: 1, config: schema.any(), state: STATE })
      : undefined
    const config = (saved?.config ?? from) as RouterConfig
    const { weights, mode = 'switch', enter = 0.6, minimum = 3, novelty = 6 } = config
    check(
      Array.isArray(weights) && weights.length > 0 && weights.every((row) => row.length === weights[0]!.length),
      ID,
      () => `weights must be regimes × strategies, got ${describe(weights)}.`,
    )
    const k = weights.length
    const n = weights[0]!.length
    const names = Object.keys(config.parameters?.[0] ?? {})
    check(
      config.parameters === undefined ||
        (config.parameters.length === k &&
          config.parameters.every((set) => names.every((name) => Number.isFinite(set[name])))),
      ID,
      () => `parameters must hold the same finite numbers for each of the ${k} regimes.`,
    )
    const shelter = config.shelter ?? new Array<number>(n).fill(0)
    check(enter >= 0.5 && enter <= 1, ID, () => `enter must be from 0.5 to 1, got ${describe(enter)}.`)
    check(
      Number.isInteger(minimum) && minimum >= 1,
      ID,
      () => `minimum must be an integer from 1, got ${describe(minimum)}.`,
    )
    check(novelty >= 0 && shelter.length === n, ID, () => `novelty must be at least 0 and shelter hold ${n} weights.`)
    let { regime, age, scores, mean, square } = saved?.state ?? { regime: -2, age: 0, scores: 0, mean: 0, square: 0 }
    const life = createLifetime(ID)

    const decide = ({ probabilities, logScore }: RouterInput): Route => {
      check(probabilities.length === k, ID, () => `${k} probabilities are needed, got ${probabilities.length}.`)
      let best = 0
      for (let j = 0; j < k; j++) {
        const p = probabilities[j]!
        if (!(p >= -1e-9 && p <= 1 + 1e-9)) check(false, ID, () => `probabilities must be from 0 to 1, got ${p}.`)
        if (p > probabilities[best]!) best = j
      }
      if (logScore !== undefined)
        check(Number.isFinite(logScore), ID, () => `logScore must be finite, got ${logScore}.`)
      const spread = Math.sqrt(square / Math.max(scores, 1))
      const strange = logScore !== undefined && scores >= 30 ? (mean - logScore) / Math.max(spread, 1e-9) : 0
      let to = regime
      let reason: 'probability' | 'novelty' | 'start' = 'probability'
      if (novelty > 0 && strange > novelty) {
        to = -1
        reason = 'novelty'
      } else if (regime === -2) {
        to = best
        reason = 'start'
      } else if (best !== regime && age >= minimum && probabilities[best]! >= enter) to = best
      const out = Float64Array.from({ length: n }, (_, s) => {
        if (to === -1) return shelter[s]!
        if (mode === 'switch') return weights[to]![s]!
        let sum = 0
        for (let j = 0; j < k; j++) sum += probabilities[j]! * weights[j]![s]!
        return sum
      })
      const parameters = Object.fromEntries(
        to === -1 ? [] : names.map((name) => [name, parameter(config, mode === 'blend' ? probabilities : to, name)]),
      )
      const moved = to === regime ? {} : { switched: { from: Math.max(regime, -1), to, reason } }
      return { regime: to, weights: out, parameters, novelty: strange, ...moved }
    }
    return {
      predict(input) {
        life.check()
        return decide(input)
      },
      update(input) {
        life.check()
        const route = decide(input)
        age = route.regime === regime ? age + 1 : 1
        regime = route.regime
        // Strange bars must not become the usual.
        if (input.logScore !== undefined && regime !== -1) {
          scores++
          const rate = Math.max(1 / scores, 1 / 500)
          const e = input.logScore - mean
          mean += rate * e
          square = scores <= 500 ? square + e * (input.logScore - mean) : square + (e * e - square / 500)
          if (scores > 500) scores = 500
        }
      },
      snapshot() {
        life.check()
        return createSnapshot({
          id: ID,
          version: 1,
          config: {
            ...config,
            weights: weights.map((row) => [...row]),
          },
          state: { regime, age, scores, mean, square },
        })
      },
      dispose() {
        life.end()
      },
    }
  },
}

function parameter(config: RouterConfig, at: ArrayLike<number> | number, name: string): number {
  const sets = config.parameters!
  if (typeof at === 'number') return sets[at]![name]!
  return sets.reduce((sum, set, j) => sum + at[j]! * set[name]!, 0)
}

/** Data of a `regimes/switch` event. */
export type SwitchData = {
  readonly from: number
  readonly to: number
  readonly novelty: number
  readonly weights: readonly number[]
  /** Strategy parameters of the regime now in force, where the configuration has any. */
  readonly parameters: { readonly [name: string]: number }
}

/**
 * Makes the audit event of a route that switched, undefined for one that did not: type `regimes/switch`, the reason as a sentence,
 * the hash of the input that caused it, the weights and parameters now in force. Emit it to any of core's sinks.
 *
 * ```ts
 * import { regimeRouter, switchEvent } from '@regimen/regimes'
 *
 * const router = regimeRouter.open({ weights: [[1, 0], [0, 1]], parameters: [{ stop: 2 }, { stop: 4 }] })
 * const input = { probabilities: [0.2, 0.8] }
 * const event = switchEvent(router.predict(input), input, 1_700_000_000_000)
 * event?.reason // => 'Regime 1 is the first in force, at a probability of 0.8000.'
 * event?.data.parameters // => { stop: 4 }
 * ```
 */
export function switchEvent(route: Route, input: RouterInput, time: number): RegimenEvent<SwitchData> | undefined {
  if (route.switched === undefined) return undefined
  const { from, to, reason } = route.switched
  const sure = to >= 0 ? input.probabilities[to]!.toFixed(4) : ''
  const sentences = {
    start: `Regime ${to} is the first in force, at a probability of ${sure}.`,
    probability: `The probability of regime ${to} reached ${sure}.`,
    novelty: `The log-score lay ${route.novelty.toFixed(1)} deviations below the usual: none of the known regimes.`,
  }
  const { probabilities, logScore } = input
  const seen = { probabilities: Array.from(probabilities), ...(logScore === undefined ? {} : { logScore }) }
  return createEvent<SwitchData>({
    type: 'regimes/switch',
    time,
    reason: sentences[reason],
    inputs: { input: hashTree(seen) },
    data: { from, to, novelty: route.novelty, weights: Array.from(route.weights), parameters: { ...route.parameters } },
  })
}

const STATE = schema.object({
  regime: schema.integer({ min: -2 }),
  age: schema.integer({ min: 0 }),
  scores: schema.integer({ min: 0 }),
  mean: schema.number(),
  square: schema.number(),
})
