import { arrayLeaf, check, createRng, type Rng } from '@regimen/core'
import { checkCount, type Float64Leaf, type Observations, toObservations } from '../observations.ts'

/** Options of {@link fitKMeans}. */
export interface KMeansOptions {
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
 * Finds k clusters that minimize Σ‖x − c(x)‖² by Lloyd's iterations with Hamerly's bounds: a distance is only computed for rows
 * whose cluster could have changed, with the same result as the plain algorithm. An empty cluster is moved to the row that is
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
  for (let r = 0; r < (start ? 1 : restarts); r++) {
    const centres = start ? Float64Array.from(start) : plusPlus(x, n, d, k, rng.split(r))
    const run = hamerly(x, n, d, k, centres, maxIterations, tolerance)
    if (best === undefined || run.inertia < best.inertia) best = run
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
) {
  const labels = new Int32Array(n)
  const upper = new Float64Array(n)
  const lower = new Float64Array(n)
  const sums = new Float64Array(k * d)
  const counts = new Float64Array(k)
  const moved = new Float64Array(k)
  const half = new Float64Array(k)
  let spread = 0
  for (let j = 0; j < d; j++) {
    let mean = 0
    let square = 0
    for (let t = 0; t < n; t++) {
      const delta = x[t * d + j]! - mean
      mean += delta / (t + 1)
      square += delta * (x[t * d + j]! - mean)
    }
    spread += Math.sqrt(square / n) / d
  }
  const still = tolerance * spread

  const assignFully = (t: number): void => {
    const at = t * d
    let first = Number.POSITIVE_INFINITY
    let second = Number.POSITIVE_INFINITY
    let label = 0
    for (let c = 0, base = 0; c < k; c++, base += d) {
      let q = 0
      for (let j = 0; j < d; j++) {
        const delta = x[at + j]! - centres[base + j]!
        q += delta * delta
      }
      if (q < first) {
        second = first
        first = q
        label = c
      } else if (q < second) second = q
    }
    labels[t] = label
    upper[t] = Math.sqrt(first)
    lower[t] = Math.sqrt(second)
  }
  const put = (t: number, c: number, sign: number): void => {
    counts[c]! += sign
    for (let j = 0, at = t * d, base = c * d; j < d; j++) sums[base + j]! += sign * x[at + j]!
  }

  for (let t = 0; t < n; t++) {
    assignFully(t)
    put(t, labels[t]!, 1)
  }
  let iterations = 0
  while (iterations < maxIterations) {
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
    for (let t = 0; t < n; t++) {
      const label = labels[t]!
      let u = upper[t]! + moved[label]!
      const l = lower[t]! - (label === mover ? runnerUp : largest)
      lower[t] = l
      const bound = Math.max(l, half[label]!)
      if (u > bound) {
        u = Math.sqrt(squared(x, t * d, centres, label * d, d))
        if (u > bound) {
          assignFully(t)
          const now = labels[t]!
          if (now !== label) {
            put(t, label, -1)
            put(t, now, 1)
            changed++
          }
          continue
        }
      }
      upper[t] = u
    }
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
  let inertia = 0
  for (let t = 0; t < n; t++) {
    assignFully(t)
    inertia += upper[t]! * upper[t]!
  }
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
