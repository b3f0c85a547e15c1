import {
  type ArrayLeaf,
  type Clock,
  check,
  createLifetime,
  createRng,
  createSnapshot,
  describe,
  type LongTaskOptions,
  restore,
  type Schema,
  type Snapshot,
  schema,
  systemClock,
  type Tree,
} from '@regimen/core'
import { adam, type TensorLeaf, type UpdateRule } from '@regimen/tensor'
import type { UpdateCost } from '../metrics.ts'
import { accuracyOf, lossOf, outputsFor } from '../net-calls.ts'
import { checkRows, finiteRows, offsetsOf, type RowShape, type TaskData } from '../rows.ts'
import type { Fit, Lesson } from './fit.ts'

/** Options of every net that is told the task. */
export interface TaskNetOptions {
  /** Numbers in an input, or its shape. */
  inputs: number | readonly number[]
  /** Numbers that the net puts out: classes, or targets. */
  outputs: number
  /** Classes with cross-entropy, or numbers with squared error. @default 'softmax' */
  likelihood?: 'softmax' | 'gaussian'
  /** @default adam() */
  rule?: UpdateRule
  /** Learning rate, above 0. @default 1e-3 */
  rate?: number
  /** Samples in an update, ≥ 1. @default 32 */
  batchSize?: number
  /** @default 0 */
  seed?: number | string
  /** Measures what updates cost. @default systemClock */
  clock?: Clock
}

/** A net that learns one task after the other and is told at prediction which of them it is. */
export interface TaskNet {
  /** Tasks that were learned. */
  readonly tasks: number
  /** Samples set aside because a number in them was not finite. */
  readonly refused: number
  /** Bytes of parameters and of what says whose they are. */
  readonly bytes: number
  /** Memory, and what the updates so far have taken. */
  readonly cost: UpdateCost
  /** Learns the next task. Where it fails or is aborted nothing has changed. */
  learn(
    task: TaskData,
    options?: LongTaskOptions & { epochs?: number },
  ): Promise<{ readonly loss: number; readonly updates: number }>
  /** The outputs for a task that was learned, row-major; classes that it does not have are lowered. */
  predict(x: ArrayLike<number>, task: number): Promise<Float32Array>
  /** Share of right classes; `task` says which net answers. */
  accuracy(data: TaskData): Promise<number>
  /** Loss on samples of a task, without learning. */
  loss(data: TaskData): Promise<number>
  snapshot(): Snapshot
  /** Goes back to a snapshot of a net of the same options. */
  restore(snapshot: Snapshot): void
  dispose(): Promise<void>
}

/** What a method is given of the options. */
export interface TaskNetContext {
  readonly shapes: RowShape
  readonly rule: UpdateRule
  readonly rate: number
  readonly batchSize: number
  readonly seed: number | string
  readonly where: string
}

/** What a method is given to learn a task. */
export interface TaskLesson {
  /** Number of the task. */
  readonly task: number
  readonly epochs: number
  /** Learns a vector on the task; `name` seeds the order of the samples. */
  learn(
    fit: Fit,
    start: Float32Array,
    options: Pick<Lesson, 'mask' | 'extra'> & { readonly name: string; readonly epochs: number },
  ): Promise<{ readonly vector: Float32Array; readonly loss: number }>
  /** Loss of a vector on the task. */
  loss(fit: Fit, vector: Float32Array, options?: Pick<Lesson, 'extra'>): Promise<number>
  /** The finite inputs of the task, and their labels. */
  readonly data: TaskData
  readonly rows: Int32Array
}

/** What one method is, beside what all share. */
export interface TaskMethod<S extends Tree> {
  readonly config: { readonly [name: string]: Tree }
  bytes(): number
  /** Changes its state only at the end. */
  learn(lesson: TaskLesson): Promise<number>
  predict(task: number, x: ArrayLeaf<'float32'>): Promise<TensorLeaf>
  state(): S
  readonly schema: Schema<S>
  restore(state: S): void
  dispose(): Promise<void>
}

/** Opens a net that is told the task: checks, bad samples, heads, costs and snapshots are the same for every method. */
export function openTaskNet<S extends Tree>(
  where: string,
  options: TaskNetOptions,
  open: (context: TaskNetContext) => TaskMethod<S>,
): TaskNet {
  const { outputs, likelihood = 'softmax', rule = adam(), rate = 1e-3, batchSize = 32, seed = 0 } = options
  const { clock = systemClock } = options
  const shape = typeof options.inputs === 'number' ? [options.inputs] : [...options.inputs]
  const width = shape.reduce((a, b) => a * b, 1)
  for (const [name, value] of Object.entries({ outputs, batchSize, inputs: width })) checkCount(name, value, where)
  check(rate > 0 && rate < Number.POSITIVE_INFINITY, where, () => `rate must be above 0, got ${describe(rate)}.`)
  const shapes: RowShape = { shape, width, outputs, likelihood, targets: likelihood === 'softmax' ? 1 : outputs }
  const method = open({ shapes, rule, rate, batchSize, seed, where })
  const config = { inputs: shape, outputs, batchSize, likelihood, rate, seed, ...method.config }
  const lifetime = createLifetime(where)
  const now: { tasks: number; refused: number; updates: number; samples: number; heads: (readonly number[] | null)[] } =
    { tasks: 0, refused: 0, updates: 0, samples: 0, heads: [] }
  let seconds = 0
  let busy = false
  const taskOf = (task: number | undefined): number => {
    check(
      task !== undefined && Number.isInteger(task) && task >= 0 && task < now.tasks,
      where,
      () => `task must be the number of one of the ${now.tasks} tasks learned, got ${describe(task)}.`,
      'Pass { task } with the data.',
    )
    return task
  }
  const net: TaskNet = {
    get tasks() {
      return now.tasks
    },
    get refused() {
      return now.refused
    },
    get bytes() {
      return method.bytes()
    },
    get cost() {
      return { bytes: method.bytes(), updates: now.updates, samples: now.samples, seconds }
    },
    async learn(data, { epochs = 1, signal, onProgress } = {}) {
      lifetime.check()
      checkCount('epochs', epochs, where)
      const n = checkRows(data, shapes, where)
      const task = now.tasks
      check(
        data.task === undefined || data.task === task,
        where,
        () => `tasks are learned once and in order: the next is ${task}, got ${data.task}.`,
      )
      const shift = offsetsOf(data.classes, outputs, where)
      const rows = finiteRows(data, shapes)
      check(rows.length > 0, where, () => `none of the ${n} samples is finite.`)
      check(!busy, where, () => 'it is still learning another task.', 'Await one learn before the next.')
      busy = true
      const begin = clock.monotonic()
      let updates = 0
      let samples = 0
      try {
        const loss = await method.learn({
          task,
          epochs,
          data,
          rows,
          async learn(fit, start, { name, ...given }) {
            const rng = createRng(`${seed}/task-${task}/${name}`)
            const long = { ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) }
            const made = await fit.learn(start, { data, rows, shift, rng, ...given, ...long })
            updates += made.updates
            samples += rows.length * given.epochs
            return made
          },
          async loss(fit, vector, given = {}) {
            samples += rows.length
            return fit.loss(vector, { data, rows, shift, ...given })
          },
        })
        now.heads.push(data.classes ? [...data.classes] : null)
        now.tasks++
        now.refused += n - rows.length
        now.updates += updates
        now.samples += samples
        return { loss, updates }
      } finally {
        busy = false
        seconds += (clock.monotonic() - begin) / 1000
      }
    },
    async predict(x, task) {
      lifetime.check()
      const of = taskOf(task)
      const made = await outputsFor((rows) => method.predict(of, rows), x, shapes, where)
      const shift = offsetsOf(now.heads[of] ?? undefined, outputs, where)
      for (let i = 0; i < made.length; i++) made[i]! += shift[i % outputs]!
      return made
    },
    async accuracy(data) {
      checkRows(data, shapes, where)
      return accuracyOf(await net.predict(data.x, taskOf(data.task)), data, outputs)
    },
    async loss(data) {
      checkRows(data, shapes, where)
      return lossOf(await net.predict(data.x, taskOf(data.task)), data.y, shapes)
    },
    snapshot() {
      lifetime.check()
      return createSnapshot<Tree, Tree>({
        id: where,
        version: 1,
        config,
        state: { ...now, heads: [...now.heads], method: method.state() },
      })
    },
    restore(snapshot) {
      lifetime.check()
      const count = schema.integer({ min: 0 })
      const { state, config: saved } = restore(snapshot, {
        id: where,
        version: 1,
        state: schema.object({
          tasks: count,
          refused: count,
          updates: count,
          samples: count,
          heads: schema.list(schema.nullable(schema.list(schema.integer({ min: 0, max: outputs - 1 })))),
          method: method.schema,
        }),
      })
      check(
        JSON.stringify(saved) === JSON.stringify(config),
        where,
        () => 'the snapshot is of a net with other options.',
        'Open it with the options it was made with.',
      )
      const {
        method: inner,
        heads,
        ...rest
      } = state as { method: S; heads: typeof now.heads } & Omit<typeof now, 'heads'>
      method.restore(inner)
      Object.assign(now, rest, { heads: [...heads] })
    },
    async dispose() {
      if (lifetime.end()) await method.dispose()
    },
  }
  return net
}

/** Fails unless a count is a whole number from 1. */
export function checkCount(name: string, value: number, where: string): void {
  check(
    Number.isInteger(value) && value >= 1,
    where,
    () => `${name} must be an integer from 1, got ${describe(value)}.`,
  )
}
