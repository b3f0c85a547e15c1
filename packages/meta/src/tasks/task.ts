import { check, describe, RegimenError } from '@regimen/core'
import type { TensorLeaf } from '@regimen/tensor'
import type { MetaLearner } from '../learner.ts'

/** Samples of a task, along the first axis of both leaves. */
export interface TaskSet {
  /** Inputs, float32, [n, …]. */
  readonly x: TensorLeaf
  /** Targets: float32 [n, …] for regression, int32 [n] for classes. */
  readonly y: TensorLeaf
  /** Weight of each sample, finite and ≥ 0, [n]. @default ones */
  readonly weights?: Float32Array
  /** When each sample was known, UTC epoch milliseconds, [n]; present where the task faces a market. */
  readonly time?: Float64Array
  /**
   * In a support: each row of x describes its class (attributes, the knots of a pattern) instead of being a sample of it, so that
   * the query's x has a form of its own. Read by `zeroShot` and `relation`. @default false
   */
  readonly described?: boolean
}

/** What a meta-learner practises on: samples to adapt on, and samples that judge the adaptation. */
export interface Task {
  readonly support: TaskSet
  readonly query: TaskSet
  /** Kind of the task, for example the regime. */
  readonly label?: string
  /** How hard it is; any scale, larger is harder. Read by `curriculum`. */
  readonly difficulty?: number
}

/** Samples of many tasks with a leading task axis. Weights are null where all samples count the same. */
export interface StackedSet {
  readonly x: TensorLeaf
  readonly y: TensorLeaf
  readonly weights: TensorLeaf | null
}

/** Tasks of one batch, as the compiled functions take them. */
export interface TaskBatch {
  readonly support: StackedSet
  readonly query: StackedSet
}

/**
 * Checks a task and returns it: as many targets as inputs, finite numbers, weights finite and not all zero, classes from 0 to below
 * `ways`, every class of the query present in the support, and the query strictly after the support wherever samples carry their time.
 *
 * ```ts
 * import { checkTask } from '@regimen/meta'
 *
 * const set = (values: number[]) => {
 *   const leaf = { dtype: 'float32' as const, shape: [values.length, 1], data: new Float32Array(values) }
 *   return { x: leaf, y: leaf }
 * }
 * let message = ''
 * try {
 *   checkTask({ support: set([1, Number.NaN]), query: set([3]) })
 * } catch (error) {
 *   message = (error as Error).message
 * }
 * message // => '[meta/task] support.x must be finite, got NaN in sample 1. Drop or repair the sample first.'
 * ```
 */
export function checkTask(task: Task, where = 'meta/task', ways: number = Number.POSITIVE_INFINITY): Task {
  checkSet(task.support, 'support', where)
  checkSet(task.query, 'query', where)
  checkLabels(task.support, 'support', { where, ways })
  check(!task.query.described, where, () => 'the query must hold samples, got descriptions.')
  for (const name of task.support.described ? (['y'] as const) : (['x', 'y'] as const)) {
    const [a, b] = [task.support[name], task.query[name]]
    check(
      a.dtype === b.dtype && sameTail(a.shape, b.shape),
      where,
      () => `support.${name} and query.${name} must be alike, got ${form(a)} and ${form(b)}.`,
    )
  }
  if (task.support.y.dtype === 'int32') {
    const known = new Set(task.support.y.data)
    for (const label of task.query.y.data) {
      check(
        known.has(label),
        where,
        () => `class ${label} is in the query but has no support.`,
        'Give every class at least one support sample, or leave its queries out.',
      )
    }
  }
  const [before, after] = [task.support.time, task.query.time]
  if (before && after) {
    const [last, first] = [Math.max(...before), Math.min(...after)]
    check(
      first > last,
      where,
      () => `the query must come strictly after the support, got a query at ${first} and support up to ${last}.`,
      'Cut the task at one moment: support before it, query after it.',
    )
  }
  return task
}

/** As {@link checkTask}, for a learner: its number of classes, and whether it reads samples or descriptions. */
export function checkTaskFor(learner: Pick<MetaLearner, 'id' | 'ways' | 'describes'>, task: Task, where: string): Task {
  const reads = learner.describes ?? false
  check(
    (task.support.described ?? false) === reads,
    where,
    () =>
      `${learner.id} adapts to ${reads ? 'descriptions' : 'samples'}, got a support of ${reads ? 'samples' : 'descriptions'}.`,
    reads ? 'Give the support { described: true }.' : 'Take zeroShot, or relation with { describe }, for descriptions.',
  )
  return checkTask(task, where, learner.ways)
}

function checkLabels({ y }: TaskSet, name: string, { where, ways }: { where: string; ways: number }): void {
  if (y.dtype !== 'int32') return
  for (const label of y.data) {
    check(
      label >= 0 && label < ways,
      where,
      () => `${name}.y must hold classes from 0 to ${ways - 1}, got ${label}.`,
      'Number the classes of each task from 0, and ask for a learner with enough ways.',
    )
  }
}

// For one kind of array alone, which engines read many times faster.
function firstNotFinite(data: Float32Array): number {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i]!)) return i
  return -1
}

function checkSet(set: TaskSet, name: string, where: string): void {
  const n = set.x.shape[0] ?? 0
  check(n >= 1, where, () => `${name} must hold at least one sample, got x of shape [${set.x.shape}].`)
  check(set.x.dtype === 'float32', where, () => `${name}.x must be float32, got ${describe(set.x.dtype)}.`)
  check(
    set.y.shape[0] === n,
    where,
    () => `${name}.y must hold ${n} samples as x does, got shape [${set.y.shape.join(', ')}].`,
  )
  for (const key of ['x', 'y'] as const) {
    const { data, shape } = set[key]
    const size = shape.reduce((a, b) => a * b, 1)
    check(
      data.length === size,
      where,
      () => `${name}.${key} must hold ${size} numbers for shape [${shape.join(', ')}], got ${data.length}.`,
    )
    if (!(data instanceof Float32Array)) continue
    const bad = firstNotFinite(data)
    check(
      bad < 0,
      where,
      () => `${name}.${key} must be finite, got ${data[bad]} in sample ${Math.floor(bad / (size / n))}.`,
      'Drop or repair the sample first.',
    )
  }
  const { weights, time } = set
  if (weights) {
    check(weights.length === n, where, () => `${name}.weights must hold ${n} numbers, got ${weights.length}.`)
    let total = 0
    for (const weight of weights) {
      check(
        Number.isFinite(weight) && weight >= 0,
        where,
        () => `${name}.weights must be finite and ≥ 0, got ${weight}.`,
      )
      total += weight
    }
    check(total > 0, where, () => `${name}.weights must not all be zero.`)
  }
  check(
    time === undefined || (time.length === n && time.every(Number.isFinite)),
    where,
    () => `${name}.time must hold ${n} finite numbers, got ${describe(time)}.`,
  )
}

/**
 * Checks that no training task shares time with a test task: every test sample must be later than every training sample.
 * Tasks without times are an error, since nothing could be said about them.
 *
 * ```ts
 * import { checkDisjoint } from '@regimen/meta'
 *
 * const at = (...time: number[]) => {
 *   const x = { dtype: 'float32' as const, shape: [time.length, 1], data: new Float32Array(time.length) }
 *   return { x, y: x, time: Float64Array.from(time) }
 * }
 * const [early, late] = [{ support: at(1), query: at(2) }, { support: at(3), query: at(4) }]
 * checkDisjoint([early], [late])
 * let message = ''
 * try {
 *   checkDisjoint([early, late], [late])
 * } catch (error) {
 *   message = (error as Error).message
 * }
 * message.includes('overlap') // => true
 * ```
 */
export function checkDisjoint(train: readonly Task[], test: readonly Task[]): void {
  const where = 'meta/task'
  const bound = (tasks: readonly Task[], pick: (...values: number[]) => number, start: number): number => {
    let found = start
    for (const { support, query } of tasks) {
      for (const { time } of [support, query]) {
        check(time !== undefined, where, () => 'a task carries no times, so overlap cannot be ruled out.')
        for (const t of time) found = pick(found, t)
      }
    }
    return found
  }
  const end = bound(train, Math.max, Number.NEGATIVE_INFINITY)
  const begin = bound(test, Math.min, Number.POSITIVE_INFINITY)
  check(
    begin > end,
    where,
    () => `training and test tasks overlap: training reaches ${end}, the test begins at ${begin}.`,
    'Split the series at one moment before sampling tasks from either side.',
  )
}

/**
 * Stacks tasks along a leading task axis. Tasks may differ in their number of samples: shorter ones are padded with samples
 * of weight 0. Anything else that differs (features, dtypes) is an error that names the task.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { sinusoids, stackTasks } from '@regimen/meta'
 *
 * const family = sinusoids({ shots: 5, queries: 10 })
 * const rng = createRng(1)
 * const tasks = [1, 2, 3].map(() => family.task(family.draw(rng), rng))
 * stackTasks(tasks).query.x.shape // => [3, 10, 1]
 * ```
 */
export function stackTasks(tasks: readonly Task[]): TaskBatch {
  check(tasks.length > 0, 'meta/task', () => 'the list of tasks is empty.')
  return { support: stackSets(tasks, 'support'), query: stackSets(tasks, 'query') }
}

function stackSets(tasks: readonly Task[], name: 'support' | 'query'): StackedSet {
  const first = tasks[0]![name]
  let n = 0
  let even = true
  for (const [i, task] of tasks.entries()) {
    const set = task[name]
    for (const key of ['x', 'y'] as const) {
      if (set[key].dtype === first[key].dtype && sameTail(set[key].shape, first[key].shape)) continue
      throw new RegimenError(`task ${i} has ${name}.${key} ${form(set[key])} while task 0 has ${form(first[key])}.`, {
        code: 'INVALID_ARGUMENT',
        where: 'meta/task',
        hint: 'Tasks of one batch share features and dtypes.',
      })
    }
    const samples = set.x.shape[0]!
    if (set.weights || (i > 0 && samples !== n)) even = false
    n = Math.max(n, samples)
  }
  const stack = (key: 'x' | 'y'): TensorLeaf => {
    const { shape, dtype } = first[key]
    const width = shape.slice(1).reduce((a, b) => a * b, 1)
    const size = tasks.length * n * width
    const data = dtype === 'int32' ? new Int32Array(size) : new Float32Array(size)
    for (let t = 0; t < tasks.length; t++) data.set(tasks[t]![name][key].data, t * n * width)
    return { dtype, shape: [tasks.length, n, ...shape.slice(1)], data } as TensorLeaf
  }
  let weights: TensorLeaf | null = null
  if (!even) {
    const data = new Float32Array(tasks.length * n)
    for (const [t, task] of tasks.entries()) {
      const set = task[name]
      if (set.weights) data.set(set.weights, t * n)
      else data.fill(1, t * n, t * n + set.x.shape[0]!)
    }
    weights = { dtype: 'float32', shape: [tasks.length, n], data }
  }
  return { x: stack('x'), y: stack('y'), weights }
}

const sameTail = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, i) => i === 0 || dim === b[i])

const form = ({ dtype, shape }: TensorLeaf): string => `${dtype} [${shape.join(', ')}]`
