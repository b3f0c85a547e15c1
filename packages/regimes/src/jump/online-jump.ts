import {
  arrayLeaf,
  check,
  createLifetime,
  createSnapshot,
  isSnapshot,
  type LiveFactory,
  restore,
  type Schema,
  schema,
} from '@regimen/core'
import { squared } from '../cluster/k-means.ts'
import type { JumpModel } from './jump-model.ts'

/** Configuration of {@link onlineJump}. */
export type OnlineJumpConfig = {
  /** A fitted model. */
  readonly model: JumpModel
  /** Share of the way that the present state's centroid moves towards each row, from 0 to below 1. @default 0 */
  readonly rate?: number
}

const ID = 'regimes/online-jump'

/**
 * Runs a fitted jump model over a live market: `predict(x)` answers the last state of the cheapest path that ends with `x`, at
 * states × columns a row. With `rate` above 0 the centroids follow the market. `jumpFilter` gives the same for a whole series.
 *
 * ```ts
 * import { fitJumpModel, onlineJump } from '@regimen/regimes'
 *
 * const model = fitJumpModel([0, 0, 0, 0, 0, 5, 5, 5, 5], { states: 2, penalty: 20 })
 * const live = onlineJump.open({ model })
 * live.update([0])
 * live.predict([5]) // => 0
 * live.update([5])
 * live.predict([5]) // => 1
 * ```
 *
 * Reference: Nystrup, Kolm and Lindström, Expert Syst. Appl. 184 (2021), for greedy online classification.
 */
export const onlineJump: LiveFactory<OnlineJumpConfig, ArrayLike<number>, undefined, number> = {
  id: ID,
  version: 1,
  open(from) {
    const saved = isSnapshot(from)
      ? restore(from, { id: ID, version: 1, config: schema.any(), state: stateSchema })
      : undefined
    const config = (saved?.config ?? from) as OnlineJumpConfig
    const { model, rate = 0 } = config
    check(model?.kind === 'jump-model', ID, () => 'model must be what fitJumpModel returned.')
    check(rate >= 0 && rate < 1, ID, () => `rate must be at least 0 and below 1, got ${rate}.`)
    const { states: k, penalty } = model
    const d = model.centroids.shape[1]!
    const state = saved?.state as { costs: { data: Float64Array }; centroids: { data: Float64Array } } | undefined
    const costs = state ? state.costs.data.slice() : new Float64Array(k)
    const centroids = (state?.centroids ?? model.centroids).data.slice()
    const life = createLifetime(ID)
    const next = new Float64Array(k)
    const row = new Float64Array(d)
    const fold = (x: ArrayLike<number>): number => {
      check(x.length === d, ID, () => `a row needs ${d} numbers, got ${x.length}.`)
      for (let j = 0; j < d; j++) {
        row[j] = x[j]!
        if (!Number.isFinite(row[j]!)) check(false, ID, () => `a row must be finite, got ${x[j]}.`)
      }
      // Costs are kept relative to the cheapest, so that a jump costs at most the penalty.
      let best = 0
      for (let c = 0; c < k; c++) {
        next[c] = Math.min(costs[c]!, penalty) + 0.5 * squared(row, 0, centroids, c * d, d)
        if (next[c]! < next[best]!) best = c
      }
      return best
    }
    return {
      predict(x) {
        life.check()
        return fold(x)
      },
      update(x) {
        life.check()
        const best = fold(x)
        const least = next[best]!
        for (let c = 0; c < k; c++) costs[c] = next[c]! - least
        for (let j = 0; j < d; j++) centroids[best * d + j]! += rate * (row[j]! - centroids[best * d + j]!)
      },
      snapshot() {
        life.check()
        return createSnapshot({
          id: ID,
          version: 1,
          config: { model, rate },
          state: { costs: arrayLeaf('float64', [k], costs), centroids: arrayLeaf('float64', [k, d], centroids) },
        })
      },
      dispose() {
        life.end()
      },
    }
  },
}

function stateSchema(config: unknown): Schema {
  const { states, centroids } = (config as OnlineJumpConfig).model
  return schema.object({
    costs: schema.leaf('float64', [states]),
    centroids: schema.leaf('float64', [...centroids.shape]),
  })
}
