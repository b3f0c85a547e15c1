import { arrayLeaf, check, createRng, type LongTaskOptions, type Rng, throwIfAborted } from '@regimen/core'
import { checkCount, columnScales, type Float64Leaf, type Observations, toObservations } from '../observations.ts'
import { BATCH, openNearest } from './nearest.ts'

/** Options of {@link fitKMeans}. */
export interface KMeansOptions extends LongTaskOptions {
  /** Number of clusters, from 1 to the number of rows. */
  clusters: number
  /** Starts from k-means++; the lowest inertia wins. From 1. @default 4 */
  restarts?: number
  /** Lloyd iterations at most, from 1. @default 300 */
  maxIterations?: number
  /** Stops when no centre moves by more than this times the mean column deviation. 0 runs to a fixed point. @default 1e-6 */
  tolerance?: number
  /** Centres to start from (clusters × columns) instead of k-means++. @default none */
  start?: Float64Array
  /** @default 0 */
  seed?: number | string
}

/** Clusters as plain data. */
export interface KMeansModel {
  /** clusters × columns. */
  readonly centres: Float64Leaf
  /** Cluster of every row. */
  readonly labels: { readonly dtype: 'int32'; readonly shape: readonly number[]; readonly data: Int32Array }
  /** Sum of squared distances to the own centre. */
  readonly inertia: number
  readonly iterations: number
}

const WHERE = 'regimes/k-means'

/**
 * Finds k clusters that minimize Σ‖x − c(x)‖² by Lloyd's iterations with Hamerly's bounds, kept for batches of 128 rows where there are
 * more than 16 clusters: distances are only computed where a cluster could have changed, with the plain algorithm's result. An empty cluster is moved to the row that is
 * farthest from its centre. Standardize the columns first. Clusters of unequal width call for `fitGaussianMixture`, outliers
 * for `fitKMedoids`, data too large to pass over many times for `fitMiniBatchKMeans`.
 *
 * ```ts
 * import { fitKMeans } from '@regimen/regimes'
 *
 * const { labels, inertia } = fitKMeans([[0], [1], [10], [11]], { clusters: 2 })
 * labels.data[0] === labels.data[1] // => true
 * inertia // => 1
 * ```
 *
 * Reference: Hamerly, Making k-means even faster, SDM 2010; Arthur and Vassilvitskii, SODA 2007.
 */
export function fitKMeans(observations: Observations, options: KMeansOptions): KMeansModel {
  const { clusters: k, restarts = 4, maxIterations = 300, tolerance = 1e-6, start, seed = 0 } = options
  const { signal, onProgress } = options
  const { rows: n, cols: d, data: x } = toObservations(observations, WHERE)
  checkCount(k, 'clusters', WHERE, 1, n)
  checkCount(restarts, 'restarts', WHERE)
  check(
    start === undefined || start.length === k * d,
    WHERE,
    () => `start needs ${k * d} numbers, got ${start?.length}.`,
  )
  const rng = createRng(seed)
  let best: { centres: Float64Array; labels: Int32Array; inertia: number; iterations: number } | undefined
  const starts = start ? 1 : restarts
  for (let r = 0; r < starts; r++) {
    const centres = start ? Float64Array.from(start) : plusPlus(x, n, d, k, rng.split(r))
    const run = hamerly(x, n, d, k, centres, maxIterations, tolerance, signal)
    if (best === undefined || run.inertia < best.inertia) best = run
    onProgress?.({ done: r + 1, total: starts })
  }
  const { centres, labels, inertia, iterations } = best!
  return {
    centres: arrayLeaf('float64', [k, d], centres),
    labels: arrayLeaf('int32', [n], labels),
    inertia,
    iterations,
  }
}

/** Draws k rows, each with probability proportional to its squared distance from those drawn before. */
export function plusPlus(x: Float64Array, n: number, d: number, k: number, rng: Rng): Float64Array {
  const centres = new Float64Array(k * d)
  const nearest = new Float64Array(n).fill(Number.POSITIVE_INFINITY)
  let pick = rng.int(0, n)
  for (let c = 0; c < k; c++) {
    centres.set(x.subarray(pick * d, pick * d + d), c * d)
    let total = 0
    for (let t = 0; t < n; t++) {
      const q = squared(x, t * d, centres, c * d, d)
      if (q < nearest[t]!) nearest[t] = q
      total += nearest[t]!
    }
    // Fewer distinct rows than centres: any row will do.
    pick = total > 0 ? rng.categorical(nearest) : rng.int(0, n)
  }
  return centres
}

function hamerly(
  x: Float64Array,
  n: number,
  d: number,
  k: number,
  centres: Float64Array,
  maxIterations: number,
  tolerance: number,
  signal: AbortSignal | undefined,
) {
  const labels = new Int32Array(n)
  const upper = new Float64Array(n)
  const lower = new Float64Array(n)
  const sums = new Float64Array(k * d)
  const counts = new Float64Array(k)
  const moved = new Float64Array(k)
  const half = new Float64Array(k)
  const still =
    tolerance > 0
      ? (tolerance * columnScales({ rows: n, cols: d, data: x }).variances.reduce((a, v) => a + Math.sqrt(v), 0)) / d
      : 0

  const put = (t: number, c: number, sign: number): void => {
    counts[c]! += sign
    for (let j = 0, at = t * d, base = c * d; j < d; j++) sums[base + j]! += sign * x[at + j]!
  }

  const search = openNearest(x, n, d, k)
  // With few centres, looking is cheaper than keeping bounds.
  const bounded = k > 16
  /** Assigns the rows of a batch; returns how many changed their cluster. */
  const assign = (batch: number): number => {
    const { first, second, label } = search
    const base = batch * BATCH
    const size = Math.min(BATCH, n - base)
    let changed = 0
    search.run(batch)
    if (bounded)
      for (let i = 0; i < size; i++) {
        upper[base + i] = Math.sqrt(first[i]!)
        lower[base + i] = Math.sqrt(second[i]!)
      }
    else for (let i = 0; i < size; i++) upper[base + i] = first[i]!
    for (let i = 0, t = base; i < size; i++, t++) {
      const now = label[i]!
      if (now === labels[t]) continue
      if (labels[t]! >= 0) put(t, labels[t]!, -1)
      put(t, now, 1)
      labels[t] = now
      changed++
    }
    return changed
  }
  const assignAll = (): void => {
    search.centres.set(centres)
    for (let batch = 0; batch < search.batches; batch++) assign(batch)
  }
  /** Moves a batch's bounds with the centres; whether a row of it could have changed its cluster. */
  const loosen = (batch: number, mover: number, largest: number, runnerUp: number): boolean => {
    let open = false
    for (let t = batch * BATCH, end = Math.min(n, t + BATCH); t < end; t++) {
      const label = labels[t]!
      const u = upper[t]! + moved[label]!
      const l = lower[t]! - (label === mover ? runnerUp : largest)
      upper[t] = u
      lower[t] = l
      open ||= u > l && u > half[label]!
    }
    return open
  }

  labels.fill(-1)
  assignAll()
  let iterations = 0
  while (iterations < maxIterations) {
    throwIfAborted(signal)
    iterations++
    for (let c = 0; c < k; c++) {
      if (counts[c]! > 0) continue
      let far = 0
      for (let t = 1; t < n; t++) if (upper[t]! > upper[far]! && counts[labels[t]!]! > 1) far = t
      put(far, labels[far]!, -1)
      labels[far] = c
      put(far, c, 1)
      upper[far] = 0
      lower[far] = 0
    }
    let largest = 0
    let runnerUp = 0
    let mover = 0
    for (let c = 0; c < k; c++) {
      let q = 0
      for (let j = 0; j < d; j++) {
        const next = sums[c * d + j]! / counts[c]!
        q += (next - centres[c * d + j]!) ** 2
        centres[c * d + j] = next
      }
      const step = Math.sqrt(q)
      moved[c] = step
      if (step > largest) {
        runnerUp = largest
        largest = step
        mover = c
      } else if (step > runnerUp) runnerUp = step
    }
    if (largest <= still) break
    for (let c = 0; c < k; c++) {
      let near = Number.POSITIVE_INFINITY
      for (let o = 0; o < k; o++) if (o !== c) near = Math.min(near, squared(centres, c * d, centres, o * d, d))
      half[c] = 0.5 * Math.sqrt(near)
    }
    let changed = 0
    search.centres.set(centres)
    for (let batch = 0; batch < search.batches; batch++)
      if (!bounded || loosen(batch, mover, largest, runnerUp)) changed += assign(batch)
    // Running sums drift by rounding; a fixed point is judged on fresh ones.
    if (changed === 0 || iterations % 32 === 0) {
      sums.fill(0)
      counts.fill(0)
      for (let t = 0; t < n; t++) put(t, labels[t]!, 1)
    }
    if (changed === 0 && tolerance === 0) {
      for (let c = 0; c < k; c++)
        for (let j = 0; j < d; j++) if (counts[c]! > 0) centres[c * d + j] = sums[c * d + j]! / counts[c]!
      break
    }
  }
  assignAll()
  let inertia = 0
  for (let t = 0; t < n; t++) inertia += bounded ? upper[t]! * upper[t]! : upper[t]!
  return { centres, labels, inertia, iterations }
}

/** ‖a − b‖² of two rows. */
export function squared(a: Float64Array, at: number, b: Float64Array, base: number, d: number): number {
  let q = 0
  for (let j = 0; j < d; j++) {
    const delta = a[at + j]! - b[base + j]!
    q += delta * delta
  }
  return q
}
