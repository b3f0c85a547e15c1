import { check, describe, type Rng } from '@regimen/core'
import { classSets } from './class-sets.ts'
import type { TaskFamily } from './sampler.ts'
import { checkCount } from './synthetic.ts'
import type { TaskSet } from './task.ts'

/** Price at equally spaced knots of each pattern, in the textbooks' proportions; between them it goes straight. */
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
  /** Bars of a window, ≥ 16. @default 64 */
  length?: number
  /**
   * Patterns to choose from; hold some out for testing. `'drawn'` makes up others: a task's classes then are zigzags of 4 to 9 knots
   * that nobody has named, an unlimited number of classes to learn to compare on.
   * @default all
   */
  patterns?: readonly ChartPattern[] | 'drawn'
  /** Share of the window that a pattern takes, from 0.1 to 1: each window draws its own. @default [0.5, 0.95] */
  span?: readonly [number, number]
  /** Noise on each bar in units of the pattern's deviation: a task draws its level from this range, ≥ 0. @default [0.2, 0.6] */
  noise?: readonly [number, number]
  /** How far knots move in time, as a share of their distance, from 0 to below 1: drawn likewise. @default [0.1, 0.6] */
  warp?: readonly [number, number]
  /**
   * Support by description instead of by windows, one row a class: the pattern's price at 16 equally spaced moments, brought to mean
   * 0 and deviation 1. For `zeroShot`; `shots` then says nothing. @default false
   */
  described?: boolean
}

/** What distinguishes one task of chart patterns from another. */
export interface ChartPatternSpec {
  /** The pattern that each class stands for: its name, or the prices at its knots where it is drawn. */
  readonly patterns: readonly (ChartPattern | readonly number[])[]
  readonly noise: number
  readonly warp: number
  /** Drift over the window in units of the pattern's height. */
  readonly trend: number
}

/**
 * Makes a family of few-shot classification tasks on chart patterns. As on real charts, a pattern begins anywhere in the
 * window and takes half to nearly all of it, comes out of some prior move and is followed by another: outside of it the price
 * is a random walk with a drift. A task chooses its patterns, noise, time warp and trend; a window draws place, duration, knots
 * moved in time and height, and noise that is correlated from bar to bar, and is brought to mean 0 and deviation 1. So two
 * windows of one class need not agree at any bar: what they share is a shape. Labels are int32, 0 … ways − 1, in an order that
 * means nothing.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { chartPatterns } from '@regimen/meta'
 *
 * const family = chartPatterns({ shots: 5, ways: 3 })
 * const rng = createRng(1)
 * const { support } = family.task(family.draw(rng), rng)
 * support.x.shape // => [15, 64]
 * Array.from(support.y.data.slice(0, 6)) // => [0, 0, 0, 0, 0, 1]
 * ```
 */
export function chartPatterns(options: ChartPatternOptions): TaskFamily<ChartPatternSpec> {
  const where = 'meta/chart-patterns'
  const { shots, queries = shots, ways = 5, length = 64, patterns = chartPatternNames } = options
  const { span = [0.5, 0.95], noise = [0.2, 0.6], warp = [0.1, 0.6], described = false } = options
  checkCount(where, 'shots', shots)
  checkCount(where, 'queries', queries)
  const most = patterns === 'drawn' ? Number.POSITIVE_INFINITY : patterns.length
  check(
    Number.isInteger(ways) && ways >= 2 && ways <= most,
    where,
    () => `ways must be an integer from 2 to the ${most} patterns, got ${describe(ways)}.`,
  )
  check(
    Number.isInteger(length) && length >= 16,
    where,
    () => `length must be an integer ≥ 16, got ${describe(length)}.`,
  )
  for (const name of patterns === 'drawn' ? [] : patterns) {
    check(Object.hasOwn(TEMPLATES, name), where, () => `patterns must be of chartPatternNames, got ${describe(name)}.`)
  }
  check(
    span[0] >= 0.1 && span[1] >= span[0] && span[1] <= 1,
    where,
    () => `span must be a range within [0.1, 1], got [${span}].`,
  )
  check(noise[0] >= 0 && noise[1] >= noise[0], where, () => `noise must be a range from 0 up, got [${noise}].`)
  check(
    warp[0] >= 0 && warp[1] >= warp[0] && warp[1] < 1,
    where,
    () => `warp must be a range within [0, 1), got [${warp}].`,
  )
  return {
    draw: (rng) => ({
      patterns:
        patterns === 'drawn'
          ? Array.from({ length: ways }, () => drawTemplate(rng))
          : Array.from(rng.sample(patterns.length, ways), (i) => patterns[i]!),
      noise: rng.uniform(...noise),
      warp: rng.uniform(...warp),
      trend: rng.uniform(-0.5, 0.5),
    }),
    task: (spec, rng) => {
      const templates = spec.patterns.map((one) => (typeof one === 'string' ? TEMPLATES[one] : one))
      const windows = classSets({ ways, shots, queries, width: length }, (label, out) =>
        drawWindow(templates[label]!, spec, span, out, rng),
      )
      const support = described ? describePatterns(templates) : windows.support
      return { support, query: windows.query, difficulty: spec.noise }
    },
  }
}

const POINTS = 16

function describePatterns(templates: readonly (readonly number[])[]): TaskSet {
  const { support } = classSets({ ways: templates.length, shots: 1, queries: 1, width: POINTS }, (label, out) => {
    const template = templates[label]!
    for (let i = 0; i < POINTS; i++) {
      const at = (i / (POINTS - 1)) * (template.length - 1)
      const k = Math.min(Math.floor(at), template.length - 2)
      out[i] = template[k]! + (template[k + 1]! - template[k]!) * (at - k)
    }
    standardize(out)
  })
  return { ...support, described: true }
}

/** A zigzag: knots alternate around a level, except where a leg goes on in two pieces. */
function drawTemplate(rng: Rng): number[] {
  const knots = rng.int(4, 10)
  let side = rng.uniform() < 0.5 ? 1 : -1
  const template = [0]
  for (let i = 1; i < knots; i++) {
    template.push(template[i - 1]! + side * rng.uniform(0.4, 3))
    if (rng.uniform() < 0.75) side = -side
  }
  return template
}

function drawWindow(
  template: readonly number[],
  spec: ChartPatternSpec,
  span: readonly [number, number],
  out: Float32Array,
  rng: Rng,
): void {
  const n = out.length
  const last = template.length - 1
  const height = Math.max(...template) - Math.min(...template)
  const bars = Math.round(rng.uniform(...span) * n)
  const onset = rng.int(0, n - bars + 1)
  const knots = template.map((price, i) => ({
    at: onset + ((i + (i === 0 || i === last ? 0 : 0.5 * spec.warp * rng.uniform(-1, 1))) / last) * (bars - 1),
    price: price + 0.08 * height * rng.normal(),
  }))
  const trend = spec.trend * height * rng.uniform(0.5, 1.5)
  let k = 0
  for (let t = onset; t < onset + bars; t++) {
    while (k < last - 1 && t > knots[k + 1]!.at) k++
    const [a, b] = [knots[k]!, knots[k + 1]!]
    out[t] = a.price + ((b.price - a.price) * (t - a.at)) / (b.at - a.at)
  }
  const roam = (from: number, step: number): void => {
    const drift = (height / bars) * rng.uniform(-1, 1)
    for (let t = from + step; t >= 0 && t < n; t += step) {
      out[t] = out[t - step]! + drift + 0.04 * height * rng.normal()
    }
  }
  roam(onset, -1)
  roam(onset + bars - 1, 1)
  let walk = 0
  for (let t = 0; t < n; t++) {
    walk = 0.7 * walk + rng.normal()
    out[t] = out[t]! + (trend * t) / n + 0.25 * height * spec.noise * walk
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
