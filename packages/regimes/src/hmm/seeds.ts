import type { Rng } from '@regimen/core'
import { type Dense, quantiles } from '@regimen/core/math'
import { plusPlus, squared } from '../cluster/k-means.ts'
import { columnScales } from '../observations.ts'
import type { EmissionOptions } from './emission.ts'
import { createEmission } from './open-emission.ts'
import { blank, type Plan, type Run } from './run.ts'

/** Makes the r-th start: rows are labelled by cluster, by turbulence or in blocks, and the emissions fitted to the labels. */
export function seedRun(
  plan: Plan,
  kind: EmissionOptions,
  floor: number,
  scales: Float64Array,
  r: number,
  rng: Rng,
): Run {
  const { x, begins, k } = plan
  const labels = [labelsByCluster, labelsByTurbulence, labelsByBlock][r % 3]!(x, k, scales, rng)
  const weights = new Float64Array(x.rows * k)
  for (let t = 0; t < x.rows; t++)
    for (let j = 0; j < k; j++) weights[t * k + j] = j === labels[t] ? 0.9 + 0.1 / k : 0.1 / k
  const emission = createEmission(x, k, kind, floor, scales, rng)
  emission.maximize(x, weights, begins)
  const stay = k === 1 ? 1 : [0.9, 0.95, 0.8][r % 3]!
  const transition = new Float64Array(k * k).fill(k === 1 ? 1 : (1 - stay) / (k - 1))
  for (let j = 0; j < k; j++) transition[j * k + j] = stay
  return blank(new Float64Array(k).fill(1 / k), transition, emission)
}

function labelsByCluster(x: Dense, k: number, scales: Float64Array, rng: Rng): Int32Array {
  const { rows: n, cols: d, data } = x
  const scaled = data.map((value, i) => (Number.isNaN(value) ? 0 : value / Math.sqrt(scales[i % d]!)))
  const centres = plusPlus(scaled, n, d, k, rng)
  const labels = new Int32Array(n)
  for (let pass = 0; pass < 10; pass++) {
    const sums = new Float64Array(k * d)
    const counts = new Float64Array(k)
    for (let t = 0; t < n; t++) {
      let best = Number.POSITIVE_INFINITY
      for (let c = 0; c < k; c++) {
        const q = squared(scaled, t * d, centres, c * d, d)
        if (q < best) {
          best = q
          labels[t] = c
        }
      }
      counts[labels[t]!]!++
      for (let j = 0; j < d; j++) sums[labels[t]! * d + j]! += scaled[t * d + j]!
    }
    for (let c = 0; c < k; c++)
      if (counts[c]! > 0) for (let j = 0; j < d; j++) centres[c * d + j] = sums[c * d + j]! / counts[c]!
  }
  return labels
}

/** Splits by how large the observations around a row are, which separates calm from wild at equal means. */
function labelsByTurbulence(x: Dense, k: number, scales: Float64Array, rng: Rng): Int32Array {
  const { rows: n, cols: d, data } = x
  const { means } = columnScales(x)
  const width = rng.int(2, Math.max(3, Math.min(30, Math.floor(n / (4 * k)) + 3)))
  const size = new Float64Array(n)
  let level = 0
  for (let t = 0; t < n; t++) {
    let q = 0
    for (let j = 0; j < d; j++) {
      const delta = data[t * d + j]! - means[j]!
      if (!Number.isNaN(delta)) q += (delta * delta) / scales[j]!
    }
    level += (q - level) / Math.min(t + 1, width)
    size[t] = level
  }
  const cuts = quantiles(
    size,
    Array.from({ length: k - 1 }, (_, j) => (j + 1) / k),
  )
  return Int32Array.from(size, (value) => {
    let label = 0
    while (label < k - 1 && value > cuts[label]!) label++
    return label
  })
}

function labelsByBlock(x: Dense, k: number, _scales: Float64Array, rng: Rng): Int32Array {
  const labels = new Int32Array(x.rows)
  const length = Math.max(1, Math.floor(x.rows / (6 * k)))
  let label = 0
  for (let t = 0; t < x.rows; t++) {
    if (t % length === 0) label = rng.int(0, k)
    labels[t] = label
  }
  return labels
}
