import { check, describe, type LongTaskOptions, throwIfAborted } from '@regimen/core'
import { checkCount, type Observations, toObservations } from '../observations.ts'
import { squared } from './k-means.ts'

/** Options of {@link fitDbscan}. */
export interface DbscanOptions extends LongTaskOptions {
  /** Radius of a neighbourhood, in units of the (standardized) columns; above 0. */
  radius: number
  /** Rows within the radius, itself included, that make a row a core row; from 1. @default 5 */
  neighbours?: number
}

/** Density clusters. */
export interface DbscanModel {
  /** Cluster of every row, −1 for noise. */
  readonly labels: readonly number[]
  /** Row numbers of the core rows. */
  readonly core: readonly number[]
  readonly clusters: number
}

/**
 * Groups rows that are dense together and leaves the rest as noise, label −1: rows of a kind never seen before. A row with enough
 * neighbours is a core row; core rows within the radius of each other, and what lies in their radius, form a cluster. No
 * number of clusters is needed. Time grows with the square of the rows.
 *
 * ```ts
 * import { fitDbscan } from '@regimen/regimes'
 *
 * fitDbscan([0, 0.1, 0.2, 5, 5.1, 5.2, 40], { radius: 0.5, neighbours: 2 }).labels // => [0, 0, 0, 1, 1, 1, -1]
 * ```
 *
 * Reference: Ester, Kriegel, Sander and Xu, KDD 1996.
 */
export function fitDbscan(observations: Observations, options: DbscanOptions): DbscanModel {
  const where = 'regimes/dbscan'
  const { radius, neighbours = 5, signal, onProgress } = options
  const { rows: n, cols: d, data: x } = toObservations(observations, where)
  check(
    radius > 0 && Number.isFinite(radius),
    where,
    () => `radius must be finite and above 0, got ${describe(radius)}.`,
  )
  checkCount(neighbours, 'neighbours', where)
  const limit = radius * radius
  let searched = 0
  const around = (t: number): number[] => {
    throwIfAborted(signal)
    const found: number[] = []
    for (let o = 0; o < n; o++) if (squared(x, t * d, x, o * d, d) <= limit) found.push(o)
    onProgress?.({ done: ++searched, total: n })
    return found
  }
  const labels = new Array<number>(n).fill(-2)
  const core: number[] = []
  let clusters = 0
  for (let t = 0; t < n; t++) {
    if (labels[t] !== -2) continue
    const seeds = around(t)
    if (seeds.length < neighbours) {
      labels[t] = -1
      continue
    }
    const cluster = clusters++
    labels[t] = cluster
    core.push(t)
    for (let i = 0; i < seeds.length; i++) {
      const o = seeds[i]!
      if (labels[o] === -1) labels[o] = cluster
      if (labels[o] !== -2) continue
      labels[o] = cluster
      const reach = around(o)
      if (reach.length < neighbours) continue
      core.push(o)
      for (const next of reach) if (labels[next]! < 0) seeds.push(next)
    }
  }
  return { labels, core: core.sort((a, b) => a - b), clusters }
}
