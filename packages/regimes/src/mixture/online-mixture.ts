import { arrayLeaf, check, createLifetime, createSnapshot, isSnapshot, restore, schema, type Tree } from '@regimen/core'
import { filterStep } from '../hmm/chain.ts'
import { openEmission } from '../hmm/open-emission.ts'
import { columnScales } from '../observations.ts'
import type { RegimeFactory } from '../regime-model.ts'
import { schemaLike } from '../schema-like.ts'
import type { GaussianMixture } from './gaussian-mixture.ts'

/** Configuration of {@link onlineMixture}. */
export type OnlineMixtureConfig = {
  /** A fitted mixture; not of tied covariances. */
  readonly model: GaussianMixture
  /** Share of the way that the parameters move towards each row, from 0 to below 1. @default 0.01 */
  readonly rate?: number
}

const ID = 'regimes/online-mixture'

/**
 * Lets a fitted mixture follow a stream by stochastic expectation–maximization: each row pulls the weights, means and
 * covariances of the components by rate × responsibility, at constant cost and without keeping rows. Rows are independent; for
 * regimes that last use `onlineHmm`.
 *
 * Gotchas: a covariance may not fall below a thousandth of the fitted mixture's overall variance.
 *
 * ```ts
 * import { fitGaussianMixture, onlineMixture } from '@regimen/regimes'
 *
 * const model = fitGaussianMixture([-1.1, -1, -0.9, 4.8, 5, 5.2], { components: 2, seed: 1 })
 * const live = onlineMixture.open({ model, rate: 0.05 })
 * for (let t = 0; t < 200; t++) live.update(6)
 * Math.max(...live.predictNext()) > 0.99 // => true
 * ```
 *
 * Reference: Cappé and Moulines, JRSS B 71 (2009).
 */
export const onlineMixture: RegimeFactory<OnlineMixtureConfig> = {
  id: ID,
  version: 1,
  open(from) {
    const saved = isSnapshot(from)
      ? restore(from, {
          id: ID,
          version: 1,
          config: schema.any(),
          state: (config: Tree) => {
            const { components: k, columns: d } = (config as OnlineMixtureConfig).model
            return schema.object({
              weights: schema.leaf('float64', [k]),
              filtered: schema.leaf('float64', [k]),
              emission: schemaLike(asEmission((config as OnlineMixtureConfig).model, d)),
              logScore: schema.nullable(schema.number({ finite: false })),
            })
          },
        })
      : undefined
    const config = (saved?.config ?? from) as OnlineMixtureConfig
    const { model, rate = 0.01 } = config
    check(model?.kind === 'gaussian-mixture', ID, () => 'model must be what fitGaussianMixture returned.')
    check(
      model.covariance !== 'tied',
      ID,
      () => 'tied covariances do not learn online.',
      "Fit with covariance: 'full'.",
    )
    check(rate >= 0 && rate < 1, ID, () => `rate must be at least 0 and below 1, got ${rate}.`)
    const { components: k, columns: d } = model
    const state = saved?.state as SavedState | undefined
    const scales = { data: overallVariances(model) }
    const emission = openEmission({
      states: k,
      columns: d,
      emission: state?.emission ?? asEmission(model, d),
      scales,
      floor: 1e-3,
    })
    const weights = (state?.weights ?? model.weights).data.slice()
    const filtered = state ? state.filtered.data.slice() : weights.slice()
    let logScore = state?.logScore ?? Number.NaN
    const row = new Float64Array(d)
    const logB = new Float64Array(k)
    const belief = new Float64Array(k)
    const life = createLifetime(ID)
    const fold = (x: ArrayLike<number> | number): number => {
      const single = typeof x === 'number'
      check(single ? d === 1 : x.length === d, ID, () => `a row needs ${d} numbers, got ${single ? 1 : x.length}.`)
      for (let j = 0; j < d; j++) {
        row[j] = single ? x : x[j]!
        if (!Number.isFinite(row[j]!)) check(false, ID, () => `a row must be finite, got ${row[j]}.`)
      }
      emission.logDensities(row, 0, 1, logB, 0)
      return filterStep(k, logB, weights, belief, 0)
    }
    return {
      regimes: k,
      get filtered() {
        return filtered.slice()
      },
      get logScore() {
        return logScore
      },
      predictNext: () => weights.slice(),
      predict(x) {
        life.check()
        fold(x)
        return belief.slice()
      },
      update(x) {
        life.check()
        logScore = fold(x)
        filtered.set(belief)
        if (rate === 0) return
        // A component's own step is relative to its weight, as in batch EM.
        emission.learn(
          row,
          belief.map((p, c) => p / Math.max(weights[c]!, 1e-3)),
          rate,
        )
        for (let c = 0; c < k; c++) weights[c]! += rate * (belief[c]! - weights[c]!)
      },
      snapshot() {
        life.check()
        return createSnapshot({
          id: ID,
          version: 1,
          config: { model, rate },
          state: {
            weights: arrayLeaf('float64', [k], weights),
            filtered: arrayLeaf('float64', [k], filtered),
            emission: emission.model(),
            logScore: Number.isNaN(logScore) ? null : logScore,
          },
        })
      },
      dispose() {
        life.end()
      },
    }
  },
}

interface SavedState {
  weights: GaussianMixture['weights']
  filtered: GaussianMixture['weights']
  emission: ReturnType<typeof asEmission>
  logScore: number | null
}

function asEmission({ components: k, covariance, means, covariances }: GaussianMixture, d: number) {
  return {
    family: 'gaussian' as const,
    covariance,
    means: arrayLeaf('float64', [k, d], means.data),
    covariances: arrayLeaf('float64', [k, d, d], covariances.data),
  }
}

/** Variance within the components and of their means, a number a column. */
function overallVariances({ components: k, columns: d, weights, means, covariances }: GaussianMixture): Float64Array {
  const between = columnScales({ rows: k, cols: d, data: means.data }).variances
  return between.map((variance, j) => {
    let within = 0
    for (let c = 0; c < k; c++) within += weights.data[c]! * covariances.data[(c * d + j) * d + j]!
    return variance + within
  })
}
