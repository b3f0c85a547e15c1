import { check, describe, type Rng } from '@regimen/core'
import { classSets } from './class-sets.ts'
import type { TaskFamily } from './sampler.ts'
import { checkCount } from './synthetic.ts'

/** Price at equally spaced knots of each pattern; between them it goes straight. */
const TEMPLATES = {
  'head-and-shoulders': [0, 2, 1, 3.2, 1, 2, 0],
  'inverse-head-and-shoulders': [0, -2, -1, -3.2, -1, -2, 0],
  'double-top': [0, 3, 1.4, 3, 0],
  'double-bottom': [0, -3, -1.4, -3, 0],
  'triple-top': [0, 2.6, 1.2, 2.6, 1.2, 2.6, 0],
  'triple-bottom': [0, -2.6, -1.2, -2.6, -1.2, -2.6, 0],
  'ascending-triangle': [0, 3, 1, 3, 1.9, 3, 2.5, 3.6],
  'descending-triangle': [0, -3, -1, -3, -1.9, -3, -2.5, -3.6],
  'bull-flag': [0, 1.5, 3, 2.6, 2.8, 2.3, 2.5, 4],
  'bear-flag': [0, -1.5, -3, -2.6, -2.8, -2.3, -2.5, -4],
  'cup-and-handle': [2.5, 1, 0.2, 0, 0.2, 1, 2.5, 1.8, 2.8],
  'rounded-top': [0, 1.6, 2.6, 3, 2.6, 1.6, 0],
  'rising-wedge': [0, 2, 1, 2.6, 2, 3.1, 2.8, 1.5],
  'falling-wedge': [0, -2, -1, -2.6, -2, -3.1, -2.8, -1.5],
  'v-bottom': [0, -1, -3.4, -1, 0],
  'spike-top': [0, 1, 3.4, 1, 0],
} as const

/** Name of a chart pattern. */
export type ChartPattern = keyof typeof TEMPLATES

/** Names of the chart patterns that {@link chartPatterns} draws. */
export const chartPatternNames: readonly ChartPattern[] = /* @__PURE__ */ Object.keys(TEMPLATES) as ChartPattern[]

/** Options of {@link chartPatterns}. */
export interface ChartPatternOptions {
  /** Support windows of each class, ≥ 1. */
  shots: number
  /** Query windows of each class, ≥ 1. @default shots */
  queries?: number
  /** Classes of a task, ≥ 2. @default 5 */
  ways?: number
  /** Bars of a window, ≥ 8. @default 32 */
  length?: number
  /** Patterns to choose from; hold some out for testing. @default all */
  patterns?: readonly ChartPattern[]
  /** Noise on each bar in units of the pattern's deviation: a task draws its level from this range, ≥ 0. @default [0.2, 0.6] */
  noise?: readonly [number, number]
  /** How far knots move in time, as a share of their distance, from 0 to below 1: drawn likewise. @default [0.1, 0.6] */
  warp?: readonly [number, number]
}

/** What distinguishes one task of chart patterns from another. */
export interface ChartPatternSpec {
  /** The pattern that each class stands for. */
  readonly patterns: readonly ChartPattern[]
  readonly noise: number
  readonly warp: number
  /** Drift over the window in units of the pattern's height. */
  readonly trend: number
}

/**
 * Makes a family of few-shot classification tasks on chart patterns. A task chooses its patterns, noise, time warp and
 * trend; a window is the pattern's price path with knots moved in time and height, plus noise that a random walk
 * correlates, brought to mean 0 and deviation 1. Labels are int32, 0 … ways − 1, in an order that means nothing.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { chartPatterns } from '@regimen/meta'
 *
 * const family = chartPatterns({ shots: 5, ways: 3 })
 * const rng = createRng(1)
 * const { support } = family.task(family.draw(rng), rng)
 * support.x.shape // => [15, 32]
 * Array.from(support.y.data.slice(0, 6)) // => [0, 0, 0, 0, 0, 1]
 * ```
 */
export function chartPatterns(options: ChartPatternOptions): TaskFamily<ChartPatternSpec> {
  const where = 'meta/chart-patterns'
  const { shots, queries = shots, ways = 5, length = 32, patterns = chartPatternNames } = options
  const { noise = [0.2, 0.6], warp = [0.1, 0.6] } = options
  checkCount(where, 'shots', shots)
  checkCount(where, 'queries', queries)
  check(
    Number.isInteger(ways) && ways >= 2 && ways <= patterns.length,
    where,
    () => `ways must be an integer from 2 to the ${patterns.length} patterns, got ${describe(ways)}.`,
  )
  check(Number.isInteger(length) && length >= 8, where, () => `length must be an integer ≥ 8, got ${describe(length)}.`)
  for (const name of patterns) {
    check(Object.hasOwn(TEMPLATES, name), where, () => `patterns must be of chartPatternNames, got ${describe(name)}.`)
  }
  check(noise[0] >= 0 && noise[1] >= noise[0], where, () => `noise must be a range from 0 up, got [${noise}].`)
  check(
    warp[0] >= 0 && warp[1] >= warp[0] && warp[1] < 1,
    where,
    () => `warp must be a range within [0, 1), got [${warp}].`,
  )
  return {
    draw: (rng) => ({
      patterns: Array.from(rng.sample(patterns.length, ways), (i) => patterns[i]!),
      noise: rng.uniform(...noise),
      warp: rng.uniform(...warp),
      trend: rng.uniform(-0.5, 0.5),
    }),
    task: (spec, rng) => ({
      ...classSets({ ways, shots, queries, width: length }, (label, out) =>
        drawWindow(TEMPLATES[spec.patterns[label]!], spec, out, rng),
      ),
      difficulty: spec.noise,
    }),
  }
}

function drawWindow(template: readonly number[], spec: ChartPatternSpec, out: Float32Array, rng: Rng): void {
  const n = out.length
  const last = template.length - 1
  const height = Math.max(...template) - Math.min(...template)
  const knots = template.map((price, i) => ({
    at: ((i + (i === 0 || i === last ? 0 : 0.5 * spec.warp * rng.uniform(-1, 1))) / last) * (n - 1),
    price: price + 0.08 * height * rng.normal(),
  }))
  const trend = spec.trend * height * rng.uniform(0.5, 1.5)
  let k = 0
  let walk = 0
  for (let t = 0; t < n; t++) {
    while (k < last - 1 && t > knots[k + 1]!.at) k++
    const [a, b] = [knots[k]!, knots[k + 1]!]
    const path = a.price + ((b.price - a.price) * (t - a.at)) / (b.at - a.at)
    walk = 0.7 * walk + rng.normal()
    out[t] = path + (trend * t) / n + 0.25 * height * spec.noise * walk
  }
  standardize(out)
}

/** Brings numbers to mean 0 and deviation 1 in place; constant ones become zeros. */
export function standardize(values: Float32Array): void {
  let mean = 0
  for (const value of values) mean += value / values.length
  let square = 0
  for (const value of values) square += (value - mean) ** 2 / values.length
  const scale = square > 1e-24 ? 1 / Math.sqrt(square) : 0
  for (let i = 0; i < values.length; i++) values[i] = (values[i]! - mean) * scale
}
