import { createPool, type PoolOptions } from '@regimen/core/workers'
import type { Attribute } from './entries.ts'
import type { Params, SearchPoint, SearchSpace } from './space.ts'
import type { Trial } from './trial.ts'

/** Options of {@link workerObjective}. */
export interface WorkerObjectiveOptions<S extends SearchSpace> {
  /** What is decided before a trial is sent, conditions included. */
  space: S
  /** URL of a module that exports `handle(task, { data, attempt })` and returns a value or a {@link WorkerAnswer}. */
  module: URL | string
  /**
   * Workers, from 1; as many trials run at once, so name it where a study must be the same on another machine.
   * @default one less than the machine's cores, at least 1
   */
  workers?: number
  /**
   * Longest time of one attempt, in milliseconds; its worker is terminated and replaced.
   * @default no limit
   */
  timeoutMs?: number
  /**
   * Further attempts for a trial whose evaluation throws, hangs or takes its worker down, from 0.
   * @default 1
   */
  retries?: number
  /**
   * Sent to the workers with every trial: plain data.
   * @default undefined
   */
  data?: unknown
}

/** What a worker's `handle` gets. */
export interface WorkerTask<Point = Params, Fold = unknown> {
  /** The trial: seed noise by it, never by the worker. */
  readonly number: number
  readonly params: Point
  /** The fold and its position, where `walkForwardObjective` asks. */
  readonly fold: Fold
  readonly index: number
}

/** What `handle` may return instead of a bare value. */
export interface WorkerAnswer<Value = number> {
  readonly value: Value
  /** As for `trial.constrain`. */
  readonly violations?: readonly number[]
  /** As for `trial.setAttribute`. */
  readonly attributes?: { readonly [key: string]: Attribute }
}

/** An objective with workers to free; it is also a fold evaluation. */
export interface WorkerObjective<Value = number> {
  (trial: Trial, fold?: unknown, index?: number): Promise<Value>
  /** Trials that can run at once; `optimize` takes it as its default. */
  readonly concurrency: number
  dispose(): Promise<void>
}

/**
 * Opens workers that evaluate trials side by side; pass it to `study.optimize` in place of a function, or to `walkForwardObjective` to send fold
 * by fold, so that pruning stops a trial between two of them. Results are told in the order of the trials whatever finishes first, so the
 * study is the same as on one thread with the same `concurrency`. An evaluation that throws, hangs past `timeoutMs` or takes its worker
 * down is tried again, then its trial fails with the reason; an aborted trial's worker is terminated at once, which a function in the
 * main thread cannot offer.
 *
 * It pays when an evaluation takes longer than about a millisecond. The space must be declared, because a worker cannot ask for parameters.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 * import { workerObjective } from '@regimen/bayes/workers'
 *
 * // In an app this is the URL of a file: new URL('./backtest.js', import.meta.url).
 * const module = 'data:text/javascript,export const handle = ({ params }) => (params.x - 3) ** 2'
 * const objective = workerObjective({ module, workers: 2, space: { x: { type: 'float', low: 0, high: 10 } } })
 * const study = openStudy({ direction: 'minimize', seed: 1 })
 * await study.optimize(objective, { trials: 60 })
 * await objective.dispose()
 * study.best!.value < 0.1 // => true
 * ```
 */
export function workerObjective<const S extends SearchSpace, Value extends number | readonly number[] = number>(
  options: WorkerObjectiveOptions<S>,
): WorkerObjective<Value> {
  const { space, module, workers, timeoutMs, retries = 1, data } = options
  const poolOptions: PoolOptions<WorkerTask<SearchPoint<S>>, unknown> = {
    module,
    retries,
    ...(workers === undefined ? {} : { size: workers }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(data === undefined ? {} : { data }),
  }
  const pool = createPool<WorkerTask<SearchPoint<S>>, Value | WorkerAnswer<Value>>(poolOptions)
  const evaluate = async (trial: Trial, fold?: unknown, index = 0): Promise<Value> => {
    const task = { number: trial.number, params: trial.suggest(space), fold, index }
    const [answer] = await pool.map([task], { signal: trial.signal })
    if (!isAnswer(answer!)) return answer!
    if (answer.violations) trial.constrain(answer.violations)
    for (const [key, value] of Object.entries(answer.attributes ?? {})) trial.setAttribute(key, value)
    return answer.value
  }
  return Object.assign(evaluate, { concurrency: pool.size, dispose: () => pool.dispose() })
}

function isAnswer<Value>(answer: Value | WorkerAnswer<Value>): answer is WorkerAnswer<Value> {
  return typeof answer === 'object' && answer !== null && 'value' in answer
}
