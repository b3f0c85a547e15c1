import {
  type Candidate,
  type Clock,
  check,
  createEvent,
  createPacer,
  type Direction,
  describe,
  type Evaluation,
  type EventSink,
  type LongTaskOptions,
  RegimenError,
  reportProgress,
  type Snapshot,
  systemClock,
} from '@regimen/core'
import { cmaEs } from './cma-es/cma-es.ts'
import type { EvolutionOptimizer } from './engine/engine.ts'
import type { SearchFactory } from './engine/factory.ts'
import { createCodec, type PointFor, type SearchSpace } from './engine/space.ts'

/** What an objective may answer: a value, or a value with constraint violations (positive is violated). */
export type Answer = number | { readonly value: number; readonly violations?: readonly number[] }

/** What is minimized or maximized. */
export type Objective<Point> = (point: Point) => Answer | Promise<Answer>

/** Values whole batches elsewhere, for example in workers (`parallelEvaluator` of `@regimen/evolve/parallel`). */
export interface Evaluator<Point> {
  evaluate(candidates: readonly Candidate<Point>[], signal?: AbortSignal): Promise<Evaluation[]>
}

/** What a callback sees after each generation. */
export interface GenerationInfo<Point> {
  readonly generation: number
  readonly evaluations: number
  /** Evaluations that threw, timed out or gave NaN. */
  readonly failed: number
  readonly best: { readonly point: Point; readonly value: number } | undefined
  /** The optimizer's whole state: save it, and pass it as `resume` to continue. */
  snapshot(): Snapshot
}

/** Options of {@link minimize} and {@link maximize}. */
export interface MinimizeOptions<S extends SearchSpace, Options extends object> extends LongTaskOptions {
  /**
   * The algorithm.
   * @default cmaEs
   */
  optimizer?: SearchFactory<Options>
  /**
   * The algorithm's own options.
   * @default {}
   */
  options?: Options
  /**
   * Most evaluations, from 1. The last generation is cut to it.
   * @default 1000 × dimensions
   */
  evaluations?: number
  /**
   * Stops as soon as a value this good has been found.
   * @default none
   */
  target?: number
  /** @default 0 */
  seed?: number | string
  /** A point to begin at. */
  start?: PointFor<S> | readonly number[]
  /** A snapshot to continue from; the space, seed and options are then those of the snapshot. */
  resume?: Snapshot
  /** Called after each generation; `false` stops. */
  onGeneration?: (info: GenerationInfo<PointFor<S>>) => unknown
  /** Gets `evolve/improved`, `evolve/failed` and `evolve/stopped`. */
  events?: EventSink
  /** @default systemClock */
  clock?: Clock
}

/** What {@link minimize} found. */
export interface OptimizeResult<Point> {
  readonly point: Point
  readonly value: number
  readonly evaluations: number
  readonly failed: number
  readonly generations: number
  /** `'target'`, `'evaluations'`, `'callback'`, or the optimizer's own reason. */
  readonly stopped: string
  /** Best value after each generation against evaluations: the convergence curve, ready for a line chart. */
  readonly history: { readonly evaluations: Float64Array; readonly best: Float64Array }
  /** Continues the run when it is passed as `resume`. */
  readonly snapshot: Snapshot
}

/**
 * Minimizes a function over named parameters or a vector, with CMA-ES unless told otherwise. The function may be
 * asynchronous, may answer `{ value, violations }` for constraints, and may fail: what throws or gives NaN is recorded as
 * failed and ranks last, and only when a whole first generation fails is it an error. An {@link Evaluator} in its place
 * values batches in workers. `snapshot` of the result or of a callback, passed as `resume`, continues exactly.
 *
 * ```ts
 * import { minimize } from '@regimen/evolve'
 *
 * const space = { fast: { type: 'int', low: 2, high: 50 }, threshold: { type: 'float', low: 0, high: 1 } } as const
 * const { point } = await minimize(({ fast, threshold }) => (fast - 12) ** 2 + (threshold - 0.25) ** 2, space, { seed: 1 })
 * point.fast // => 12
 * point.threshold // ≈ 0.25
 * ```
 */
export function minimize<const S extends SearchSpace, Options extends object = object>(
  objective: Objective<PointFor<S>> | Evaluator<PointFor<S>>,
  space: S,
  options: MinimizeOptions<S, Options> = {},
): Promise<OptimizeResult<PointFor<S>>> {
  return optimize('minimize', objective, space, options)
}

/**
 * Maximizes a function: {@link minimize} with the sign turned, and nothing else.
 *
 * ```ts
 * import { maximize } from '@regimen/evolve'
 *
 * const found = await maximize(([x]) => 3 - (x! - 1) ** 2, { dimension: 1, lower: -5, upper: 5 }, { evaluations: 400 })
 * found.value // ≈ 3
 * ```
 */
export function maximize<const S extends SearchSpace, Options extends object = object>(
  objective: Objective<PointFor<S>> | Evaluator<PointFor<S>>,
  space: S,
  options: MinimizeOptions<S, Options> = {},
): Promise<OptimizeResult<PointFor<S>>> {
  return optimize('maximize', objective, space, options)
}

const WHERE = 'evolve/minimize'

async function optimize<const S extends SearchSpace, Options extends object>(
  direction: Direction,
  objective: Objective<PointFor<S>> | Evaluator<PointFor<S>>,
  space: S,
  options: MinimizeOptions<S, Options>,
): Promise<OptimizeResult<PointFor<S>>> {
  const { target, signal, onProgress, onGeneration, events, resume, clock = systemClock } = options
  check(
    typeof objective === 'function' || typeof objective?.evaluate === 'function',
    WHERE,
    () => `the objective must be a function or an evaluator, got ${describe(objective)}.`,
  )
  const budget = options.evaluations ?? 1000 * createCodec(space, WHERE).n
  check(
    Number.isInteger(budget) && budget >= 1,
    WHERE,
    () => `evaluations must be an integer from 1, got ${describe(budget)}.`,
  )
  check(target === undefined || !Number.isNaN(target), WHERE, () => 'target must be a number, got NaN.')
  const optimizer = openWith(direction, space, options)
  check(
    resume === undefined || optimizer.direction === direction,
    WHERE,
    () => `the snapshot to resume was made to ${optimizer.direction}.`,
    `Call ${optimizer.direction} instead.`,
  )
  const evaluate = typeof objective === 'function' ? oneByOne(objective) : objective
  const pacer = createPacer({ ...(signal ? { signal } : {}), clock })
  const report = reportProgress(onProgress, { total: budget, clock })
  const emit = (type: string, reason: string, data: { [key: string]: number | string }): void =>
    events?.emit(createEvent({ type, time: clock.now(), reason, data }))
  const trail: number[] = []
  const curve: number[] = []
  let failed = 0
  let lastBest: number | undefined = optimizer.best?.value
  let stopped: string | undefined
  let firstFailure = ''
  while (stopped === undefined) {
    await pacer()
    const left = budget - optimizer.evaluations
    if (left <= 0) stopped = 'evaluations'
    else if (optimizer.stopped !== undefined) stopped = optimizer.stopped
    if (stopped !== undefined) break
    const asked = optimizer.ask(Math.min(left, optimizer.populationSize))
    const results = await evaluate.evaluate(asked, signal)
    let bad = 0
    for (const result of results) {
      if (!('failed' in result)) continue
      if (bad++ === 0) firstFailure = result.failed
    }
    if (bad > 0)
      emit('evolve/failed', `${bad} of ${results.length} evaluations failed: ${firstFailure}`, { failed: bad })
    failed += bad
    optimizer.tell(results)
    if (bad === results.length && optimizer.best === undefined && failed === optimizer.evaluations) {
      throw new RegimenError(`every evaluation of the first generation failed: ${firstFailure}`, {
        code: 'ALL_FAILED',
        where: WHERE,
        hint: 'Call the objective once by hand.',
      })
    }
    const { best } = optimizer
    trail.push(optimizer.evaluations)
    curve.push(best?.value ?? Number.NaN)
    report(optimizer.evaluations, best === undefined ? 'nothing feasible yet' : `best ${best.value.toPrecision(6)}`)
    if (best !== undefined && best.value !== lastBest) {
      emit('evolve/improved', 'A better point was found.', { value: best.value, evaluations: optimizer.evaluations })
      lastBest = best.value
    }
    const go = onGeneration?.({
      generation: optimizer.generations,
      evaluations: optimizer.evaluations,
      failed,
      best,
      snapshot: () => optimizer.snapshot(),
    })
    if (go === false) stopped = 'callback'
    if (best !== undefined && target !== undefined)
      if (direction === 'minimize' ? best.value <= target : best.value >= target) stopped = 'target'
  }
  emit('evolve/stopped', `The run ended: ${stopped}.`, { evaluations: optimizer.evaluations, stopped })
  const { best } = optimizer
  if (best === undefined) {
    throw new RegimenError('no feasible point was found.', {
      code: 'NOTHING_FOUND',
      where: WHERE,
      hint: 'Allow more evaluations, start at a feasible point, or relax the constraints.',
    })
  }
  return {
    point: best.point,
    value: best.value,
    evaluations: optimizer.evaluations,
    failed,
    generations: optimizer.generations,
    stopped,
    history: { evaluations: Float64Array.from(trail), best: Float64Array.from(curve) },
    snapshot: optimizer.snapshot(),
  }
}

function openWith<const S extends SearchSpace, Options extends object>(
  direction: Direction,
  space: S,
  options: MinimizeOptions<S, Options>,
): EvolutionOptimizer<PointFor<S>> {
  const { optimizer, resume, seed, start } = options
  const common = {
    space,
    direction,
    ...(seed === undefined ? {} : { seed }),
    ...(start === undefined ? {} : { start }),
  }
  if (optimizer === undefined) return cmaEs.open<S>(resume ?? { ...options.options, ...common })
  return optimizer.open<S>(resume ?? { ...(options.options ?? ({} as Options)), ...common })
}

/** Values one candidate after another on this thread. */
function oneByOne<Point>(objective: Objective<Point>): Evaluator<Point> {
  return {
    async evaluate(candidates, signal) {
      const out = new Array<Evaluation>(candidates.length)
      for (let i = 0; i < candidates.length; i++) {
        const { id, point } = candidates[i]!
        try {
          let answer = objective(point)
          if (answer instanceof Promise) {
            signal?.throwIfAborted()
            answer = await answer
          }
          out[i] = toEvaluation(id, answer)
        } catch (error) {
          if (signal?.aborted) throw error
          out[i] = { id, failed: error instanceof Error ? error.message : String(error) }
        }
      }
      return out
    },
  }
}

/** Turns an objective's answer into a result; what is no number is a failure. */
export function toEvaluation(id: number, answer: unknown): Evaluation {
  const value = typeof answer === 'number' ? answer : (answer as { value?: unknown } | null)?.value
  if (typeof value !== 'number' || Number.isNaN(value)) return { id, failed: `the objective gave ${describe(value)}` }
  const violations = typeof answer === 'number' ? undefined : (answer as { violations?: readonly number[] }).violations
  if (violations === undefined) return { id, value }
  const broken = violations.findIndex((one) => typeof one !== 'number' || Number.isNaN(one))
  return broken < 0
    ? { id, value, violations }
    : { id, failed: `violation ${broken} is ${describe(violations[broken])}` }
}
