import { check, describe, RegimenError } from '../errors.ts'
import { type LongTaskOptions, reportProgress, throwIfAborted } from '../progress.ts'
import { parallelism, startThread, startWebThread, type Thread, type WorkerLike } from './platform.ts'
import type { Answer, PlainError, TaskMessage } from './serve.ts'

/** How a pool runs its tasks. Give either `module` or `worker`. */
export interface PoolOptions<Item, Data> {
  /** URL of an ES module that exports `handle(item, context)`; built JavaScript, because a worker knows no bundler. */
  module?: URL | string
  /** Starts a worker whose module calls `serve`, for bundlers that look for `new Worker(new URL(…))`. */
  worker?: () => WorkerLike
  /**
   * Number of workers, from 1. They start when there is work for them.
   * @default one less than the machine's cores, at least 1
   */
  size?: number
  /**
   * Longest time for one attempt, in milliseconds; a worker that takes longer is terminated and replaced.
   * @default no limit
   */
  timeoutMs?: number
  /**
   * Longest time for a worker to start and load its module, in milliseconds; it does not count towards `timeoutMs`.
   * @default 60000
   */
  startTimeoutMs?: number
  /**
   * How many more times a failed task is tried, each time where a worker is free.
   * @default 0
   */
  retries?: number
  /** Sent along with every task, as `context.data`. */
  data?: Data
  /** Buffers of an item to hand over instead of copying; not together with `retries`, for they are gone after the first try. */
  transfer?: (item: Item) => Transferable[]
  /** Disposes the pool when aborted. */
  signal?: AbortSignal
}

/** Options of one call on a pool. */
export interface PoolRunOptions extends LongTaskOptions {}

/** What became of one item: its value, or why it failed after all attempts. */
export type Settled<Result> =
  | { readonly status: 'done'; readonly value: Result }
  | { readonly status: 'failed'; readonly error: RegimenError; readonly attempts: number }

/** A pool of workers; see {@link createPool}. */
export interface Pool<Item, Result> {
  /** Number of workers. */
  readonly size: number
  /** Runs every item; rejects with the error of the first item, in input order, that failed. */
  map(items: Iterable<Item>, options?: PoolRunOptions): Promise<Result[]>
  /** Runs every item and records failures instead of rejecting. */
  settled(items: Iterable<Item>, options?: PoolRunOptions): Promise<Settled<Result>[]>
  /** Terminates the workers; what is unfinished rejects. */
  dispose(): Promise<void>
}

interface Task {
  readonly id: number
  readonly index: number
  readonly item: unknown
  readonly job: Job
  attempt: number
}

interface Job {
  done(task: Task, value: unknown): void
  failed(task: Task, error: RegimenError): void
  cancel(reason: unknown): void
}

interface Slot {
  thread: Thread | undefined
  /** Whether the thread's module has been loaded. */
  ready: boolean
  task: Task | undefined
  timer: ReturnType<typeof setTimeout> | undefined
}

const WHERE = 'core/workers'

/**
 * Opens a pool of workers (worker threads in Node, web workers in a browser) that runs one task a worker at a time.
 * Results come in the order of the items whatever finishes first, so a computation is as deterministic as its tasks: seed
 * them by `context.index`. A task that throws, hangs past `timeoutMs` or takes its worker down fails alone; the worker is replaced
 * and the task is tried again `retries` times. An idle pool does not keep the process alive; `dispose` frees it.
 *
 * ```ts
 * import { createPool } from '@regimen/core/workers'
 *
 * // In an app this is the URL of a file: new URL('./square.js', import.meta.url).
 * const module = 'data:text/javascript,export const handle = (x) => x * x'
 * const pool = createPool<number, number>({ module, size: 2, timeoutMs: 10_000 })
 * const squares = await pool.map([1, 2, 3])
 * await pool.dispose()
 * squares // => [1, 4, 9]
 * ```
 */
export function createPool<Item, Result, Data = unknown>(options: PoolOptions<Item, Data>): Pool<Item, Result> {
  const { module, worker, retries = 0, timeoutMs, startTimeoutMs = 60_000, data, transfer, signal } = options
  const size = options.size ?? Math.max(1, parallelism() - 1)
  check(
    (module === undefined) !== (worker === undefined),
    WHERE,
    () => 'exactly one of module and worker must be given.',
    'Pass { module: new URL("./task.js", import.meta.url) }.',
  )
  check(
    module === undefined || module instanceof URL || URL.canParse(module),
    WHERE,
    () => `module must be a full URL, got ${describe(module)}.`,
    'Pass new URL("./task.js", import.meta.url).',
  )
  check(Number.isInteger(size) && size >= 1, WHERE, () => `size must be an integer from 1, got ${describe(size)}.`)
  check(
    Number.isInteger(retries) && retries >= 0,
    WHERE,
    () => `retries must be an integer from 0, got ${describe(retries)}.`,
  )
  for (const [name, limit] of Object.entries({ timeoutMs, startTimeoutMs })) {
    check(
      limit === undefined || (limit > 0 && limit < 2 ** 31),
      WHERE,
      () => `${name} must be above 0 and below 2^31, got ${describe(limit)}.`,
    )
  }
  check(
    transfer === undefined || retries === 0,
    WHERE,
    () => `transfer goes with retries 0, got ${retries}.`,
    'A transferred buffer is gone after the first attempt: copy instead, or do not retry.',
  )

  const slots: Slot[] = Array.from({ length: size }, () => ({
    thread: undefined,
    ready: false,
    task: undefined,
    timer: undefined,
  }))
  const jobs = new Set<Job>()
  let queue: Task[] = []
  let nextId = 0
  let disposed: RegimenError | undefined

  const start = (slot: Slot): Thread => {
    slot.ready = false
    const listener = {
      message: (answer: unknown) => receive(slot, answer as Answer),
      death: (problem: string, cause?: unknown) => {
        slot.thread = undefined
        settle(slot, problem, cause)
      },
    }
    return module === undefined ? startWebThread(worker!(), listener) : startThread(String(module), listener)
  }

  const receive = (slot: Slot, answer: Answer): void => {
    if ('ready' in answer) {
      slot.ready = true
      if (slot.task) limit(slot)
    } else if ('fatal' in answer) {
      stop(slot)
      settle(slot, `the worker's module could not be loaded: ${answer.fatal.message}`, revive(answer.fatal))
    } else if (answer.task !== slot.task?.id) return
    else if ('error' in answer) settle(slot, answer.error.message, revive(answer.error))
    else {
      const task = release(slot)
      task?.job.done(task, answer.value)
      dispatch()
    }
  }

  /** Ends an attempt that failed: another one, or the end of the task. */
  const settle = (slot: Slot, problem: string, cause?: unknown): void => {
    const task = release(slot)
    if (task) {
      if (task.attempt <= retries) queue.unshift({ ...task, attempt: task.attempt + 1 })
      else task.job.failed(task, failure(task, problem, cause))
    }
    dispatch()
  }

  const release = (slot: Slot): Task | undefined => {
    const { task } = slot
    clearTimeout(slot.timer)
    slot.task = undefined
    slot.thread?.hold(false)
    return task
  }

  const stop = (slot: Slot): Promise<void> => {
    const stopped = slot.thread?.stop() ?? Promise.resolve()
    slot.thread = undefined
    return stopped
  }

  const dispatch = (): void => {
    for (;;) {
      const slot = slots.find((one) => one.task === undefined)
      const task = slot && queue.shift()
      if (!slot || !task) return
      slot.task = task
      try {
        slot.thread ??= start(slot)
        slot.thread.hold(true)
        const message: TaskMessage = { task: task.id, item: task.item, index: task.index, attempt: task.attempt, data }
        slot.thread.post(message, transfer?.(task.item as Item) ?? [])
      } catch (cause) {
        // No worker, or an item that cannot be cloned: another attempt would fail in the same way.
        release(slot)
        task.job.failed(task, failure(task, `it could not be sent: ${(cause as Error).message}`, cause))
        continue
      }
      limit(slot)
    }
  }

  /** Starts the clock of an attempt: for the worker's start first, then for the task. */
  const limit = (slot: Slot): void => {
    clearTimeout(slot.timer)
    const time = slot.ready ? timeoutMs : startTimeoutMs
    if (time === undefined) return
    const problem = slot.ready ? `it took longer than ${time} ms` : `the worker took longer than ${time} ms to start`
    slot.timer = setTimeout(() => {
      stop(slot)
      settle(slot, problem)
    }, time)
  }

  /** Forgets tasks that wait, and stops the workers of those that run. */
  const drop = (unwanted: (task: Task) => boolean): void => {
    queue = queue.filter((task) => !unwanted(task))
    for (const slot of slots) {
      if (!slot.task || !unwanted(slot.task)) continue
      release(slot)
      stop(slot)
    }
  }

  const run = (
    items: Iterable<Item>,
    { signal: own, onProgress }: PoolRunOptions,
    failFast: boolean,
  ): Promise<Settled<Result>[]> =>
    new Promise((resolve, reject) => {
      if (disposed) throw disposed
      throwIfAborted(own)
      const list = [...items]
      const results = new Array<Settled<Result>>(list.length)
      const report = reportProgress(onProgress, { total: list.length })
      let done = 0
      // Items from here on are of no interest, because one before them has failed.
      let end = list.length
      let ended = false
      const finish = (conclude: () => void): void => {
        if (ended) return
        ended = true
        jobs.delete(job)
        own?.removeEventListener('abort', abort)
        conclude()
      }
      const record = (task: Task, settled: Settled<Result>): void => {
        if (ended) return
        results[task.index] = settled
        report(++done)
        if (failFast && settled.status === 'failed' && task.index < end) {
          end = task.index + 1
          drop((other) => other.job === job && other.index >= end)
        }
        for (let i = 0; i < end; i++) if (results[i] === undefined) return
        finish(() => resolve(results.slice(0, end)))
      }
      const job: Job = {
        done: (task, value) => record(task, { status: 'done', value: value as Result }),
        failed: (task, error) => record(task, { status: 'failed', error, attempts: task.attempt }),
        cancel: (reason) => finish(() => reject(reason)),
      }
      const abort = (): void => {
        drop((task) => task.job === job)
        job.cancel(own?.reason)
        dispatch()
      }
      if (list.length === 0) return resolve([])
      jobs.add(job)
      own?.addEventListener('abort', abort)
      list.forEach((item, index) => {
        queue.push({ id: nextId++, index, item, job, attempt: 1 })
      })
      dispatch()
    })

  const dispose = async (reason?: unknown): Promise<void> => {
    disposed ??= new RegimenError('the pool was disposed.', {
      code: 'DISPOSED',
      where: WHERE,
      hint: 'Open a new one.',
      ...(reason === undefined ? {} : { cause: reason }),
    })
    const stopping = slots.map((slot) => {
      release(slot)
      return stop(slot)
    })
    queue = []
    for (const job of [...jobs]) job.cancel(reason ?? disposed)
    await Promise.all(stopping)
  }
  if (signal?.aborted) dispose(signal.reason)
  else signal?.addEventListener('abort', () => dispose(signal.reason), { once: true })

  return {
    size,
    async map(items, runOptions = {}) {
      const settled = await run(items, runOptions, true)
      return settled.map((one) => {
        if (one.status === 'failed') throw one.error
        return one.value
      })
    },
    settled: (items, runOptions = {}) => run(items, runOptions, false),
    dispose: () => dispose(),
  }
}

function failure(task: Task, problem: string, cause: unknown): RegimenError {
  const attempts = task.attempt === 1 ? '' : ` in each of ${task.attempt} attempts, at last`
  return new RegimenError(`task ${task.index} failed${attempts}: ${problem.replace(/\.$/, '')}.`, {
    code: 'TASK_FAILED',
    where: WHERE,
    ...(cause === undefined ? {} : { cause }),
  })
}

function revive({ name, message, stack }: PlainError): Error {
  const error = new Error(message)
  error.name = name
  if (stack !== undefined) error.stack = stack
  return error
}
