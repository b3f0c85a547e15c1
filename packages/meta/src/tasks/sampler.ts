import { check, createRng, describe, type Rng } from '@regimen/core'
import { checkTask, type Task } from './task.ts'

/**
 * A numbered sequence of batches of tasks. A batch depends on its number alone, so a sampler has no state: training
 * resumes exactly by asking for the next number, and batches can be made ahead or in parallel.
 */
export interface TaskSampler {
  /** Batch number `index`, counted from 0, of `count` tasks. */
  batch(index: number, count: number): readonly Task[] | Promise<readonly Task[]>
}

/** A distribution over tasks: `draw` chooses which task, `task` draws its samples. */
export interface TaskFamily<Spec = unknown> {
  /** Draws what distinguishes one task from another, for example an amplitude and a phase. */
  draw(rng: Rng): Spec
  /** Draws support and query of that task. */
  task(spec: Spec, rng: Rng): Task
}

/** Options of {@link sampleFamily}. */
export interface SampleFamilyOptions {
  /** Start of the random stream. @default 0 */
  seed?: number | string
  /**
   * Number of different tasks; their samples are redrawn at each visit. Infinity draws a new task every time.
   * @default Infinity
   */
  tasks?: number
  /** With a finite number of tasks: draw with replacement instead of visiting all before any repeats. @default false */
  replacement?: boolean
}

/**
 * Samples tasks from a family. The first task is checked at once; a family that cannot make a valid task fails here,
 * before any training.
 *
 * ```ts
 * import { sampleFamily, sinusoids } from '@regimen/meta'
 *
 * const sampler = sampleFamily(sinusoids({ shots: 5 }), { seed: 1 })
 * const [again, same] = [await sampler.batch(7, 2), await sampler.batch(7, 2)]
 * again[0]!.support.y.data // => same[0]!.support.y.data
 * ```
 */
export function sampleFamily<Spec>(family: TaskFamily<Spec>, options: SampleFamilyOptions = {}): TaskSampler {
  const { seed = 0, tasks = Number.POSITIVE_INFINITY, replacement = false } = options
  check(
    tasks === Number.POSITIVE_INFINITY || (Number.isInteger(tasks) && tasks >= 1),
    'meta/sample-family',
    () => `tasks must be an integer ≥ 1 or Infinity, got ${describe(tasks)}.`,
  )
  const root = createRng(seed)
  const specs =
    tasks === Number.POSITIVE_INFINITY
      ? undefined
      : Array.from({ length: tasks }, (_, i) => family.draw(root.split('tasks').split(i)))
  const probe = root.split('probe')
  checkTask(family.task(specs?.[0] ?? family.draw(probe), probe))
  const pick = numbered(tasks, root.split('order'), replacement)
  return {
    batch(index, count) {
      const rng = root.split(index)
      return Array.from({ length: count }, (_, i) => {
        const spec = specs ? specs[pick(index * count + i)]! : family.draw(rng)
        return family.task(spec, rng)
      })
    },
  }
}

/**
 * Numbers below `size`, in an order that depends on the position alone: permutations one after the other, or independent
 * draws with replacement.
 */
export function numbered(size: number, rng: Rng, replacement: boolean): (position: number) => number {
  if (replacement) return (position) => rng.split(position).int(0, size)
  let epoch = -1
  let order: Int32Array = new Int32Array(0)
  return (position) => {
    const wanted = Math.floor(position / size)
    if (wanted !== epoch) {
      epoch = wanted
      order = rng.split(epoch).permutation(size)
    }
    return order[position % size]!
  }
}

/** Options of {@link prefetch}. */
export interface PrefetchOptions {
  /** Batches that are made ahead of the one asked for, ≥ 1. @default 2 */
  ahead?: number
}

/**
 * Makes the next batches while the current one is trained on: for samplers that read files or ask a worker. The batches
 * are the same ones.
 *
 * ```ts
 * import { prefetch, sampleFamily, sinusoids } from '@regimen/meta'
 *
 * const plain = sampleFamily(sinusoids({ shots: 5 }), { seed: 1 })
 * const ahead = prefetch(plain)
 * const [a, b] = [await ahead.batch(3, 1), await plain.batch(3, 1)]
 * a[0]!.query.x.data // => b[0]!.query.x.data
 * ```
 */
export function prefetch(sampler: TaskSampler, options: PrefetchOptions = {}): TaskSampler {
  const { ahead = 2 } = options
  check(Number.isInteger(ahead) && ahead >= 1, 'meta/prefetch', () => `ahead must be an integer ≥ 1, got ${ahead}.`)
  const ready = new Map<string, Promise<readonly Task[]>>()
  const start = (index: number, count: number): Promise<readonly Task[]> => {
    const key = `${index}/${count}`
    let promise = ready.get(key)
    if (!promise) {
      promise = Promise.resolve().then(() => sampler.batch(index, count))
      // Whoever asks for this batch hears of the failure; nobody asking must not end the process.
      promise.catch(() => {})
      ready.set(key, promise)
    }
    return promise
  }
  return {
    batch(index, count) {
      const wanted = start(index, count)
      ready.delete(`${index}/${count}`)
      for (const key of ready.keys()) if (Number(key.split('/')[0]) < index) ready.delete(key)
      for (let i = 1; i <= ahead; i++) start(index + i, count)
      return wanted
    },
  }
}

/** Options of {@link curriculum}. */
export interface CurriculumOptions {
  /** Batches until all difficulties are equally likely, ≥ 1. */
  over: number
  /** Tasks drawn for each one kept, ≥ 2: how strongly easy ones are preferred at first. @default 4 */
  candidates?: number
}

/**
 * Orders tasks from easy to hard by their `difficulty`: at first each task is the easiest of several candidates, and the
 * preference fades linearly until it is gone after `over` batches. Tasks without a difficulty are an error.
 *
 * ```ts
 * import { curriculum, sampleFamily, sinusoids } from '@regimen/meta'
 *
 * const sampler = curriculum(sampleFamily(sinusoids({ shots: 5 }), { seed: 1 }), { over: 100 })
 * const mean = async (index: number) =>
 *   (await sampler.batch(index, 50)).reduce((sum, task) => sum + task.difficulty! / 50, 0)
 * // amplitudes from 0.1 to 5: the smallest of four first, any later
 * const [early, late] = [await mean(0), await mean(100)]
 * early < late // => true
 * ```
 *
 * Reference: Bengio, Louradour, Collobert and Weston 2009.
 */
export function curriculum(sampler: TaskSampler, options: CurriculumOptions): TaskSampler {
  const { over, candidates = 4 } = options
  const where = 'meta/curriculum'
  check(Number.isInteger(over) && over >= 1, where, () => `over must be an integer ≥ 1, got ${describe(over)}.`)
  check(
    Number.isInteger(candidates) && candidates >= 2,
    where,
    () => `candidates must be an integer ≥ 2, got ${describe(candidates)}.`,
  )
  return {
    async batch(index, count) {
      const pool = await sampler.batch(index, count * candidates)
      const share = Math.max(0, 1 - index / over)
      return Array.from({ length: count }, (_, i) => {
        const group = pool.slice(i * candidates, (i + 1) * candidates)
        const considered = group.slice(0, i < share * count ? candidates : 1)
        return considered.reduce((best, task) => (difficultyOf(task) < difficultyOf(best) ? task : best))
      })
    },
  }
}

function difficultyOf(task: Task): number {
  check(task.difficulty !== undefined, 'meta/curriculum', () => 'a task has no difficulty.', 'Let the sampler set it.')
  return task.difficulty
}
