import { check, describe } from '@regimen/core'
import { checkNumbers, checkSampling } from './doors.ts'
import { valueAt } from './format.ts'
import type { Numbers, Sampling } from './types.ts'

/**
 * Chooses which points of a long series to draw and returns their indices in ascending order. `minmax` cuts the series
 * into equal buckets and keeps each bucket's lowest and highest point, so that extremes (a crash, a drawdown's bottom)
 * always survive; `lttb` (Steinarsson 2013) keeps from each bucket the point that spans the largest triangle with the
 * point kept before and the mean of the next bucket, which follows the shape with fewer points but may clip a spike.
 * The first and the last point are kept, and so is one non-finite point per bucket that has any, so gaps stay visible.
 * Cost O(n), independent of the drawing.
 *
 * ```ts
 * import { downsample } from '@regimen/report'
 *
 * const y = [0, 1, 9, 1, 0, -7, 0, 1, 0, 2]
 * downsample(y, { method: 'minmax', maxPoints: 6 }) // => [0, 2, 4, 5, 7, 9]
 * ```
 *
 * Reference: S. Steinarsson, Downsampling Time Series for Visual Representation, University of Iceland, 2013.
 */
export function downsample(y: Numbers, options: Sampling & { readonly x?: Numbers } = {}): number[] {
  const where = 'report/downsample'
  checkNumbers(y, 'y', where)
  checkSampling(options, where)
  const { x } = options
  check(
    x === undefined || x.length === y.length,
    where,
    () => `x has ${describe(x?.length)} values, y has ${y.length}.`,
  )
  const most = options.maxPoints ?? 4000
  if (options.method === 'none' || y.length <= most) return Array.from({ length: y.length }, (_, i) => i)
  return options.method === 'lttb' ? lttb(y, x, most) : minMax(y, most)
}

function minMax(y: Numbers, most: number): number[] {
  const inner = y.length - 2
  const buckets = Math.max(1, Math.floor((most - 2) / 2))
  const kept = [0]
  for (let b = 0; b < buckets; b++) {
    const from = 1 + Math.floor((b * inner) / buckets)
    const to = 1 + Math.floor(((b + 1) * inner) / buckets)
    let low = -1
    let high = -1
    let gap = -1
    for (let i = from; i < to; i++) {
      const value = valueAt(y, i)
      if (Number.isNaN(value)) {
        if (gap < 0) gap = i
        continue
      }
      if (low < 0 || value < valueAt(y, low)) low = i
      if (high < 0 || value > valueAt(y, high)) high = i
    }
    const picks = [low, high, gap].filter((i) => i >= 0).sort((a, c) => a - c)
    for (const pick of picks) if (pick !== kept[kept.length - 1]) kept.push(pick)
  }
  kept.push(y.length - 1)
  return kept
}

function lttb(y: Numbers, x: Numbers | undefined, most: number): number[] {
  const position = (i: number): number => (x ? valueAt(x, i) : i)
  const inner = y.length - 2
  const buckets = most - 2
  const start = (b: number): number => 1 + Math.floor((b * inner) / buckets)
  const kept = [0]
  let anchor = 0
  for (let b = 0; b < buckets; b++) {
    const [from, to] = [start(b), start(b + 1)]
    const [meanX, meanY] = b + 1 < buckets ? mean(y, position, to, start(b + 2)) : mean(y, position, to, y.length)
    const [ax, ay] = [position(anchor), orZero(valueAt(y, anchor))]
    let best = -1
    let bestArea = -1
    let gap = -1
    for (let i = from; i < to; i++) {
      const value = valueAt(y, i)
      if (Number.isNaN(value)) {
        if (gap < 0) gap = i
        continue
      }
      const area = Math.abs((ax - meanX) * (value - ay) - (ax - position(i)) * (meanY - ay))
      if (area > bestArea) {
        best = i
        bestArea = area
      }
    }
    for (const pick of [best, gap].filter((i) => i >= 0).sort((a, c) => a - c)) kept.push(pick)
    if (best >= 0) anchor = best
  }
  kept.push(y.length - 1)
  return kept
}

function mean(y: Numbers, position: (i: number) => number, from: number, to: number): [number, number] {
  let sumX = 0
  let sumY = 0
  let count = 0
  for (let i = from; i < to; i++) {
    const value = valueAt(y, i)
    if (Number.isNaN(value)) continue
    sumX += position(i)
    sumY += value
    count++
  }
  return count === 0 ? [position(from), 0] : [sumX / count, sumY / count]
}

function orZero(value: number): number {
  return Number.isNaN(value) ? 0 : value
}
