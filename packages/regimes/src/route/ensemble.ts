import {
  arrayLeaf,
  check,
  createLifetime,
  createSnapshot,
  describe,
  isSnapshot,
  type LiveFactory,
  restore,
  type Schema,
  schema,
} from '@regimen/core'

/** Configuration of {@link regimeEnsemble}. */
export type EnsembleConfig = {
  /** Number of regimes of the ensemble. */
  readonly regimes: number
  /** For each detector, the ensemble's regime of each of its states; `alignStates` finds it. */
  readonly members: readonly (readonly number[])[]
  /** `score` weighs detectors by their past log-scores, `equal` does not. @default 'score' */
  readonly weighting?: 'score' | 'equal'
  /** What is left of a past log-score after each bar, from 0 to 1; 1 is Bayesian model averaging. @default 0.98 */
  readonly memory?: number
}

/** What each detector says after a bar. */
export interface EnsembleInput {
  /** Filtered probabilities of each detector's own states. */
  readonly probabilities: readonly ArrayLike<number>[]
  /** ln p of the bar by each detector, for the same data; needed for `score`. */
  readonly logScores?: ArrayLike<number>
}

const ID = 'regimes/ensemble'

/**
 * Joins detectors into one: P(regime) = Σ_m w_m P_m(regime), each detector's states mapped to common regimes, with weights
 * w_m ∝ exp(Σ memory^age · log-score). Weights come from earlier bars only. Feed the result to `regimeRouter`.
 *
 * Gotchas: log-scores compare only where all detectors predict the same data.
 *
 * ```ts
 * import { regimeEnsemble } from '@regimen/regimes'
 *
 * // The second detector numbers its states the other way round.
 * const live = regimeEnsemble.open({ regimes: 2, members: [[0, 1], [1, 0]] })
 * const input = { probabilities: [[0.9, 0.1], [0.3, 0.7]], logScores: [0, -1] }
 * live.predict(input)[0] // ≈ 0.8
 * live.update(input)
 * // Weights are now 1 : 1/e.
 * live.predict(input)[0] // ≈ 0.846211715726
 * ```
 *
 * Reference: Raftery, Kárný and Ettler, Technometrics 52 (2010), for the forgetting.
 */
export const regimeEnsemble: LiveFactory<EnsembleConfig, EnsembleInput, undefined, Float64Array> = {
  id: ID,
  version: 1,
  open(from) {
    const saved = isSnapshot(from)
      ? restore(from, { id: ID, version: 1, config: schema.any(), state: stateSchema })
      : undefined
    const config = (saved?.config ?? from) as EnsembleConfig
    const { regimes: k, members, weighting = 'score', memory = 0.98 } = config
    check(Number.isInteger(k) && k >= 1, ID, () => `regimes must be an integer from 1, got ${describe(k)}.`)
    check(
      Array.isArray(members) &&
        members.length > 0 &&
        members.flat().every((r) => Number.isInteger(r) && r >= 0 && r < k),
      ID,
      () => `members must map each detector's states to regimes 0 … ${k - 1}, got ${describe(members)}.`,
    )
    check(memory >= 0 && memory <= 1, ID, () => `memory must be from 0 to 1, got ${describe(memory)}.`)
    const n = members.length
    const state = saved?.state as { scores: { data: Float64Array } } | undefined
    const scores = state ? state.scores.data.slice() : new Float64Array(n)
    const life = createLifetime(ID)
    const admit = ({ probabilities, logScores }: EnsembleInput): void => {
      check(probabilities.length === n, ID, () => `${n} detectors must speak, got ${probabilities.length}.`)
      for (let m = 0; m < n; m++) {
        const p = probabilities[m]!
        check(
          p.length === members[m]!.length,
          ID,
          () => `detector ${m} has ${members[m]!.length} states, got ${p.length}.`,
        )
        for (let s = 0; s < p.length; s++)
          if (!(p[s]! >= -1e-9 && p[s]! <= 1 + 1e-9))
            check(false, ID, () => `probabilities must be from 0 to 1, got ${p[s]}.`)
      }
      if (weighting === 'equal') return
      check(logScores?.length === n, ID, () => `${n} log-scores are needed.`, "Pass logScores, or weighting: 'equal'.")
      for (let m = 0; m < n; m++)
        if (!Number.isFinite(logScores![m]!)) check(false, ID, () => `log-scores must be finite, got ${logScores![m]}.`)
    }
    return {
      predict(input) {
        life.check()
        admit(input)
        const top = Math.max(...scores)
        const weights = scores.map((score) => Math.exp(score - top))
        const total = weights.reduce((a, b) => a + b, 0)
        const out = new Float64Array(k)
        config.members.forEach((regimeOf, m) => {
          regimeOf.forEach((regime, s) => {
            out[regime]! += (weights[m]! / total) * input.probabilities[m]![s]!
          })
        })
        return out
      },
      update(input) {
        life.check()
        admit(input)
        if (weighting === 'score') for (let m = 0; m < n; m++) scores[m] = memory * scores[m]! + input.logScores![m]!
      },
      snapshot() {
        life.check()
        return createSnapshot({
          id: ID,
          version: 1,
          config: { regimes: k, members: members.map((row) => [...row]), weighting, memory },
          state: { scores: arrayLeaf('float64', [n], scores) },
        })
      },
      dispose() {
        life.end()
      },
    }
  },
}

function stateSchema(config: unknown): Schema {
  return schema.object({ scores: schema.leaf('float64', [(config as EnsembleConfig).members.length]) })
}
