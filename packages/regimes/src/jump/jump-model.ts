import { arrayLeaf, check, createRng, describe, type LongTaskOptions, throwIfAborted } from '@regimen/core'
import { plusPlus, squared } from '../cluster/k-means.ts'
import { checkCount, type Float64Leaf, type Observations, toObservations } from '../observations.ts'

/** Options of {@link fitJumpModel}. */
export interface JumpModelOptions extends LongTaskOptions {
  /** Number of states, from 1 to 64. */
  states: number
  /** Cost λ of a change of state, in halved squared units of the (standardized) features; from 0. @default 50 */
  penalty?: number
  /** Starts from k-means++, from 1. @default 10 */
  restarts?: number
  /** Alternations at most, from 1. @default 1000 */
  maxIterations?: number
  /** @default 0 */
  seed?: number | string
}

/** A fitted jump model as plain data. */
export type JumpModel = {
  readonly kind: 'jump-model'
  readonly states: number
  readonly penalty: number
  /** states × columns. */
  readonly centroids: Float64Leaf
  /** State of each training row; it looks ahead. */
  readonly path: { readonly dtype: 'int32'; readonly shape: readonly number[]; readonly data: Int32Array }
  /** Σ ½‖x_t − θ_s_t‖² + λ · jumps. */
  readonly objective: number
}

const WHERE = 'regimes/jump-model'

/**
 * Fits a statistical jump model: minimizes Σ ½‖x_t − θ_s_t‖² + λ Σ [s_t ≠ s_t−1] by turns over the centroids and, by dynamic
 * programming, the path. It is k-means that pays for every change, more robust than `fitHmm` where the distributions are not
 * known and regimes last. States are ordered by how many rows they have, the commonest first. Standardize the columns.
 *
 * ```ts
 * import { fitJumpModel } from '@regimen/regimes'
 *
 * // The lone 5 is not worth two jumps; the lasting one is.
 * const { path } = fitJumpModel([0, 0, 5, 0, 0, 0, 5, 5, 5, 5], { states: 2, penalty: 8 })
 * Array.from(path.data) // => [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
 * ```
 *
 * Reference: Nystrup, Lindström and Madsen, Expert Syst. Appl. 150 (2020); Shu, Yu and Mulvey, J. Asset Manag. 25 (2024).
 */
export function fitJumpModel(observations: Observations, options: JumpModelOptions): JumpModel {
  const { states: k, penalty = 50, restarts = 10, maxIterations = 1000, seed = 0, signal, onProgress } = options
  const { rows: n, cols: d, data: x } = toObservations(observations, WHERE)
  checkCount(k, 'states', WHERE, 1, Math.min(64, n))
  checkCount(restarts, 'restarts', WHERE)
  check(
    penalty >= 0 && Number.isFinite(penalty),
    WHERE,
    () => `penalty must be finite and at least 0, got ${describe(penalty)}.`,
  )
  const rng = createRng(seed)
  let best: { centroids: Float64Array; path: Int32Array; objective: number } | undefined
  for (let r = 0; r < restarts; r++) {
    const centroids = plusPlus(x, n, d, k, rng.split(r))
    let objective = Number.POSITIVE_INFINITY
    let path = new Int32Array(n)
    for (let i = 0; i < maxIterations; i++) {
      throwIfAborted(signal)
      const next = bestPath(x, n, d, k, centroids, penalty)
      if (!(next.objective < objective - 1e-12 * Math.abs(next.objective))) break
      objective = next.objective
      path = next.path
      const counts = new Float64Array(k)
      const sums = new Float64Array(k * d)
      for (let t = 0; t < n; t++) {
        counts[path[t]!]!++
        for (let j = 0; j < d; j++) sums[path[t]! * d + j]! += x[t * d + j]!
      }
      // A state that no row visits keeps its centroid, so that it may be visited again.
      for (let c = 0; c < k; c++)
        if (counts[c]! > 0) for (let j = 0; j < d; j++) centroids[c * d + j] = sums[c * d + j]! / counts[c]!
    }
    if (best === undefined || objective < best.objective) best = { centroids, path, objective }
    onProgress?.({ done: r + 1, total: restarts })
  }
  const { centroids, path, objective } = best!
  const counts = new Float64Array(k)
  for (const s of path) counts[s]!++
  const order = Array.from({ length: k }, (_, c) => c).sort((a, b) => counts[b]! - counts[a]! || a - b)
  const ordered = new Float64Array(k * d)
  order.forEach((from, to) => {
    ordered.set(centroids.subarray(from * d, (from + 1) * d), to * d)
  })
  return {
    kind: 'jump-model',
    states: k,
    penalty,
    centroids: arrayLeaf('float64', [k, d], ordered),
    path: arrayLeaf(
      'int32',
      [n],
      path.map((s) => order.indexOf(s)),
    ),
    objective,
  }
}

/**
 * Tells the state at each row from the rows up to it: the last state of the cheapest path so far. Causal, unlike the model's
 * `path`.
 *
 * ```ts
 * import { fitJumpModel, jumpFilter } from '@regimen/regimes'
 *
 * const model = fitJumpModel([0, 0, 0, 0, 0, 5, 5, 5, 5], { states: 2, penalty: 20 })
 * // ½ · 25 a row: the second row of fives makes the jump worth its 20.
 * Array.from(jumpFilter(model, [0, 0, 5, 5, 5])) // => [0, 0, 0, 1, 1]
 * ```
 *
 * Reference: as {@link fitJumpModel}.
 */
export function jumpFilter(model: JumpModel, observations: Observations): Int32Array {
  const { states: k, penalty, centroids } = model
  const { rows: n, cols: d, data: x } = toObservations(observations, WHERE)
  check(centroids.shape[1] === d, WHERE, () => `the model has ${centroids.shape[1]} columns, got ${d}.`)
  const cost = new Float64Array(k)
  const states = new Int32Array(n)
  for (let t = 0; t < n; t++) {
    const cheapest = t === 0 ? 0 : Math.min(...cost) + penalty
    let best = 0
    for (let c = 0; c < k; c++) {
      cost[c] = (t === 0 ? 0 : Math.min(cost[c]!, cheapest)) + 0.5 * squared(x, t * d, centroids.data, c * d, d)
      if (cost[c]! < cost[best]!) best = c
    }
    states[t] = best
  }
  return states
}

function bestPath(x: Float64Array, n: number, d: number, k: number, centroids: Float64Array, penalty: number) {
  const cost = new Float64Array(k)
  const back = new Uint8Array(n * k)
  for (let t = 0; t < n; t++) {
    let cheapest = 0
    for (let c = 1; c < k; c++) if (cost[c]! < cost[cheapest]!) cheapest = c
    const jump = cost[cheapest]! + penalty
    for (let c = 0; c < k; c++) {
      const stays = t === 0 || cost[c]! <= jump
      back[t * k + c] = stays ? c : cheapest
      cost[c] = (stays ? cost[c]! : jump) + 0.5 * squared(x, t * d, centroids, c * d, d)
    }
  }
  let last = 0
  for (let c = 1; c < k; c++) if (cost[c]! < cost[last]!) last = c
  const objective = cost[last]!
  const path = new Int32Array(n)
  for (let t = n - 1; t >= 0; t--) {
    path[t] = last
    last = back[t * k + last]!
  }
  return { path, objective }
}
