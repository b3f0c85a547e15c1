import { check, createRng, type Rng, type Segment } from '@regimen/core'
import type { TensorLeaf } from '@regimen/tensor'
import { takeRows } from './episodes.ts'
import { numbered, type TaskSampler } from './sampler.ts'
import { checkCount } from './synthetic.ts'
import { checkTask, type Task } from './task.ts'

/** A series in time order, one row an observation. */
export interface SeriesSamples {
  /** Features known at each moment, float32, [n, …]. */
  readonly x: TensorLeaf
  /** What is to be predicted from them, [n, …]. */
  readonly y: TensorLeaf
  /** UTC epoch milliseconds at which each row, its target included, was known; ascending, [n]. */
  readonly time: Float64Array
}

/** Options of {@link sampleSegments}. */
export interface SampleSegmentsOptions {
  /** Support samples, ≥ 1. */
  shots: number
  /** Query samples, ≥ 1. @default shots */
  queries?: number
  /** Rows left out between support and query, ≥ 0: as long as a label looks ahead. @default 0 */
  gap?: number
  /** Start of the random stream. @default 0 */
  seed?: number | string
  /** Draw regimes with replacement instead of visiting each in turn. @default false */
  replacement?: boolean
}

/**
 * Samples tasks from a series that a regime detector cut into segments. Segments of one label are one regime; a task takes a
 * moment of it, the regime's last `shots` rows before as support and its next `queries` rows after as query, so the
 * query is strictly later, whether it lies in the same segment or in the regime's next visit.
 *
 * ```ts
 * import { toSegments } from '@regimen/core'
 * import { sampleSegments } from '@regimen/meta'
 *
 * const x = { dtype: 'float32' as const, shape: [8, 1], data: Float32Array.from({ length: 8 }, (_, i) => i) }
 * const series = { x, y: x, time: Float64Array.from(x.data) }
 * const sampler = sampleSegments(series, toSegments([0, 0, 1, 1, 0, 0, 1, 1]), { shots: 2, queries: 2 })
 * const tasks = await sampler.batch(0, 2)
 * // regime 0 lives in rows 0, 1, 4, 5
 * Array.from(tasks.find((task) => task.label === '0')!.query.x.data) // => [4, 5]
 * ```
 */
export function sampleSegments(
  series: SeriesSamples,
  segments: readonly Segment<unknown>[],
  options: SampleSegmentsOptions,
): TaskSampler {
  const where = 'meta/sample-segments'
  const { shots, queries = shots, gap = 0, seed = 0, replacement = false } = options
  checkCount(where, 'shots', shots)
  checkCount(where, 'queries', queries)
  check(Number.isInteger(gap) && gap >= 0, where, () => `gap must be an integer ≥ 0, got ${gap}.`)
  const n = series.time.length
  for (let i = 1; i < n; i++) {
    check(series.time[i]! > series.time[i - 1]!, where, () => `time must ascend, got no later row at ${i}.`)
  }
  check(
    series.x.shape[0] === n && series.y.shape[0] === n,
    where,
    () => `x, y and time must hold as many rows, got ${series.x.shape[0]}, ${series.y.shape[0]} and ${n}.`,
  )
  check(segments.length > 0, where, () => 'segments is empty.')
  const regimes = new Map<string, number[]>()
  for (const { start, end, label } of segments) {
    check(
      end > start && start >= 0 && end <= n,
      where,
      () => `a segment of regime ${String(label)} is empty or outside the ${n} rows: [${start}, ${end}).`,
    )
    const rows = regimes.get(String(label)) ?? []
    for (let i = start; i < end; i++) rows.push(i)
    regimes.set(String(label), rows)
  }
  const need = shots + gap + queries
  for (const [label, rows] of regimes) {
    check(
      rows.length >= need,
      where,
      () => `regime ${label} has ${rows.length} rows, but ${shots} shots, ${queries} queries and the gap need ${need}.`,
      'Ask for fewer, or leave this regime out.',
    )
    rows.sort((a, b) => a - b)
  }
  const kinds = [...regimes]
  const root = createRng(seed)
  const pick = numbered(kinds.length, root.split('order'), replacement)
  const make = (label: string, rows: readonly number[], rng: Rng): Task => {
    const cut = rng.int(shots, rows.length - gap - queries + 1)
    const set = (from: number, to: number) => {
      const taken = rows.slice(from, to)
      return {
        x: takeRows(series.x, taken).x,
        y: takeRows(series.y, taken).y,
        time: Float64Array.from(taken, (i) => series.time[i]!),
      }
    }
    return { support: set(cut - shots, cut), query: set(cut + gap, cut + gap + queries), label }
  }
  const whole = { ...series, time: new Float64Array(n) }
  checkTask({ support: { x: whole.x, y: whole.y }, query: { x: whole.x, y: whole.y } }, where)
  return {
    batch(index, count) {
      const rng = root.split(index)
      return Array.from({ length: count }, (_, i) => make(...kinds[pick(index * count + i)]!, rng))
    },
  }
}
