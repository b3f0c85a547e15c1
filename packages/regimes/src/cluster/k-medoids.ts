import { check, createRng, type LongTaskOptions, throwIfAborted } from '@regimen/core'
import { checkCount, type Observations, toObservations } from '../observations.ts'
import { squared } from './k-means.ts'

/** Options of {@link fitKMedoids}. */
export interface KMedoidsOptions extends LongTaskOptions {
  /** Number of clusters, from 1 to the number of rows. */
  clusters: number
  /** Passes over all swaps at most, from 1. @default 50 */
  maxIterations?: number
  /** @default 0 */
  seed?: number | string
}

/** Clusters whose centres are rows of the data. */
export interface KMedoidsModel {
  /** Row numbers of the medoids. */
  readonly medoids: readonly number[]
  /** Cluster of every row. */
  readonly labels: readonly number[]
  /** Sum of distances to the own medoid. */
  readonly cost: number
}

/**
 * Finds k rows that minimize the sum of Euclidean distances to the nearest of them, by swapping a medoid against another row
 * while that lowers the cost (PAM). Outliers pull less than in `fitKMeans`, and every centre is a day that happened.
 * Memory and time grow with the square of the rows: for some thousands.
 *
 * ```ts
 * import { fitKMedoids } from '@regimen/regimes'
 *
 * const { medoids, cost } = fitKMedoids([0, 1, 2, 10, 11, 99], { clusters: 2 })
 * cost // => 20
 * medoids.includes(5) // => true
 * ```
 *
 * Reference: Kaufman and Rousseeuw, Finding Groups in Data, 1990, chapter 2.
 */
export function fitKMedoids(observations: Observations, options: KMedoidsOptions): KMedoidsModel {
  const where = 'regimes/k-medoids'
  const { clusters: k, maxIterations = 50, seed = 0, signal, onProgress } = options
  const { rows: n, cols: d, data: x } = toObservations(observations, where)
  checkCount(k, 'clusters', where, 1, n)
  check(n <= 20_000, where, () => `at most 20000 rows fit the distance table, got ${n}.`, 'Use fitKMeans.')
  const distance = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) {
      const value = Math.sqrt(squared(x, i * d, x, j * d, d))
      distance[i * n + j] = value
      distance[j * n + i] = value
    }
  const medoids = Array.from(createRng(seed).sample(n, k))
  const first = new Float64Array(n)
  const second = new Float64Array(n)
  const owner = new Int32Array(n)
  const assign = (): number => {
    let cost = 0
    for (let t = 0; t < n; t++) {
      first[t] = Number.POSITIVE_INFINITY
      second[t] = Number.POSITIVE_INFINITY
      for (let c = 0; c < k; c++) {
        const value = distance[t * n + medoids[c]!]!
        if (value < first[t]!) {
          second[t] = first[t]!
          first[t] = value
          owner[t] = c
        } else if (value < second[t]!) second[t] = value
      }
      cost += first[t]!
    }
    return cost
  }
  let cost = assign()
  for (let pass = 0; pass < maxIterations; pass++) {
    let improved = false
    for (let candidate = 0; candidate < n; candidate++) {
      throwIfAborted(signal)
      if (medoids.includes(candidate)) continue
      let bestChange = -1e-12 * cost
      let bestOut = -1
      for (let c = 0; c < k; c++) {
        let change = 0
        for (let t = 0; t < n; t++) {
          const other = owner[t] === c ? second[t]! : first[t]!
          change += Math.min(other, distance[t * n + candidate]!) - first[t]!
        }
        if (change < bestChange) {
          bestChange = change
          bestOut = c
        }
      }
      if (bestOut < 0) continue
      medoids[bestOut] = candidate
      cost = assign()
      improved = true
    }
    onProgress?.({ done: pass + 1, total: improved ? maxIterations : pass + 1 })
    if (!improved) break
  }
  return { medoids, labels: Array.from(owner), cost }
}
