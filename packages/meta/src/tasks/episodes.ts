import { check, createRng, type Rng } from '@regimen/core'
import type { TensorLeaf } from '@regimen/tensor'
import { numbered, type TaskSampler } from './sampler.ts'
import { checkCount } from './synthetic.ts'
import { checkTask, type Task, type TaskSet } from './task.ts'

/** Labelled samples from which episodes are drawn. */
export interface LabelledSamples {
  /** Inputs, float32, [n, …]. */
  readonly x: TensorLeaf
  /** Class of each sample, any whole numbers, [n]. */
  readonly labels: ArrayLike<number>
}

/** Options of {@link sampleEpisodes}. */
export interface SampleEpisodesOptions {
  /** Classes of a task, ≥ 2. */
  ways: number
  /** Support samples of each class, ≥ 1. */
  shots: number
  /** Query samples of each class, ≥ 1. @default shots */
  queries?: number
  /** Start of the random stream. @default 0 */
  seed?: number | string
  /** Let a sample serve twice in one task: for classes with few samples. Support and query then overlap. @default false */
  replacement?: boolean
}

/**
 * Samples N-way K-shot tasks from a labelled data set: each task chooses `ways` classes and numbers them 0 … ways − 1.
 * For samples of a market in time order take {@link sampleSegments}, which keeps the query behind the support.
 *
 * ```ts
 * import { sampleEpisodes } from '@regimen/meta'
 *
 * const x = { dtype: 'float32' as const, shape: [6, 1], data: new Float32Array([1, 2, 3, 10, 20, 30]) }
 * const sampler = sampleEpisodes({ x, labels: [7, 7, 7, 9, 9, 9] }, { ways: 2, shots: 2, queries: 1 })
 * const [task] = await sampler.batch(0, 1)
 * Array.from(task!.support.y.data) // => [0, 0, 1, 1]
 * ```
 */
export function sampleEpisodes(samples: LabelledSamples, options: SampleEpisodesOptions): TaskSampler {
  const where = 'meta/sample-episodes'
  const { ways, shots, queries = shots, seed = 0, replacement = false } = options
  checkCount(where, 'ways', ways)
  checkCount(where, 'shots', shots)
  checkCount(where, 'queries', queries)
  const n = samples.x.shape[0] ?? 0
  check(
    samples.labels.length === n,
    where,
    () => `labels must hold ${n} numbers as x does samples, got ${samples.labels.length}.`,
  )
  const groups = new Map<number, number[]>()
  for (let i = 0; i < n; i++) {
    const label = samples.labels[i]!
    groups.set(label, [...(groups.get(label) ?? []), i])
  }
  check(
    ways <= groups.size && ways >= 2,
    where,
    () => `ways must be from 2 to the ${groups.size} classes, got ${ways}.`,
  )
  const need = replacement ? 1 : shots + queries
  for (const [label, rows] of groups) {
    check(
      rows.length >= need,
      where,
      () => `class ${label} has ${rows.length} samples, but ${shots} shots and ${queries} queries need ${need}.`,
      'Ask for fewer, gather more, or pass { replacement: true }.',
    )
  }
  const classes = [...groups.values()]
  const all = Int32Array.from({ length: n }, (_, i) => i)
  checkTask({ support: takeRows(samples.x, all), query: takeRows(samples.x, all) }, where)
  const root = createRng(seed)
  return {
    batch: (index, count) => {
      const rng = root.split(index)
      return Array.from({ length: count }, () =>
        episode(samples.x, classes, { ways, shots, queries, replacement }, rng),
      )
    },
  }
}

function episode(
  x: TensorLeaf,
  classes: readonly (readonly number[])[],
  { ways, shots, queries, replacement }: { ways: number; shots: number; queries: number; replacement: boolean },
  rng: Rng,
): Task {
  const support: number[] = []
  const query: number[] = []
  for (const chosen of rng.sample(classes.length, ways)) {
    const rows = classes[chosen]!
    const next = numbered(rows.length, rng.split(chosen), replacement)
    const order = replacement ? undefined : rng.permutation(rows.length)
    for (let i = 0; i < shots + queries; i++) (i < shots ? support : query).push(rows[order ? order[i]! : next(i)]!)
  }
  const labels = (each: number): TensorLeaf => ({
    dtype: 'int32',
    shape: [ways * each],
    data: Int32Array.from({ length: ways * each }, (_, i) => Math.floor(i / each)),
  })
  return {
    support: { x: takeRows(x, support).x, y: labels(shots) },
    query: { x: takeRows(x, query).x, y: labels(queries) },
  }
}

/** The named rows of a leaf as inputs, and as targets where the caller replaces them. */
export function takeRows(leaf: TensorLeaf, rows: ArrayLike<number>): Pick<TaskSet, 'x' | 'y'> {
  const width = leaf.shape.slice(1).reduce((a, b) => a * b, 1)
  const size = rows.length * width
  const data = leaf.dtype === 'int32' ? new Int32Array(size) : new Float32Array(size)
  for (let i = 0; i < rows.length; i++)
    data.set(leaf.data.subarray(rows[i]! * width, (rows[i]! + 1) * width), i * width)
  const taken = { dtype: leaf.dtype, shape: [rows.length, ...leaf.shape.slice(1)], data } as TensorLeaf
  return { x: taken, y: taken }
}
