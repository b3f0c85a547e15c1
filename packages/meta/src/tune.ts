import { check, describe, type LongTaskOptions, type Optimizer } from '@regimen/core'
import { type EvaluateOptions, evaluate } from './evaluate.ts'
import type { InnerPoint, MetaModel } from './model.ts'
import type { Task } from './tasks/task.ts'

/** Options of {@link tuneInner}. */
export interface TuneInnerOptions<Point> extends LongTaskOptions {
  /** Any optimizer of the ask/tell contract that minimizes. */
  optimizer: Optimizer<Point>
  /** Tasks on which points are judged; keep others for the final test. */
  tasks: readonly Task[]
  /** Points to try, ≥ 1. @default 30 */
  trials?: number
  /**
   * What a point means: the model and the settings to evaluate it with. To tune a learned loss build another learner over the
   * same parameters and keep the judge: `{ ...maml({ net, loss: learned(point) }), loss: meanSquaredError }` adapts by the one and
   * is judged by the other. @default the point's innerRate and steps
   */
  build?: (model: MetaModel, point: Point) => { model: MetaModel; settings?: EvaluateOptions }
}

/** What {@link tuneInner} found. */
export interface TunedInner<Point> {
  readonly point: Point
  /** Mean query loss after the last step. */
  readonly loss: number
  readonly trials: number
}

/**
 * Tunes the inner loop of a trained model on validation tasks with any optimizer of the contract in `@regimen/core`: rate and
 * number of steps, or whatever `build` makes of a point, parameters of a learned loss included. A point whose loss is not finite
 * is told as failed.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { createRng, type Optimizer } from '@regimen/core'
 * import { type InnerPoint, maml, sampleFamily, sinusoids, tuneInner } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * // the smallest possible optimizer: three points, one after the other
 * const points = [0.001, 0.01, 0.03].map((innerRate, id) => ({ id, point: { innerRate, steps: 1 } }))
 * const optimizer = { direction: 'minimize', ask: () => points.splice(0, 1), tell() {} } as Partial<Optimizer<InnerPoint>>
 * const learner = maml({ net: mlp({ sizes: [1, 20, 1] }) })
 * const tasks = await sampleFamily(sinusoids({ shots: 10 })).batch(0, 20)
 * const model = { learner, params: learner.init(createRng(1)) }
 * const tuned = await tuneInner(model, { optimizer: optimizer as Optimizer<InnerPoint>, tasks, trials: 3 })
 * tuned.trials // => 3
 * ```
 */
export async function tuneInner<Point = InnerPoint>(
  model: MetaModel,
  options: TuneInnerOptions<Point>,
): Promise<TunedInner<Point>> {
  const { optimizer, tasks, trials = 30, build = readPoint } = options
  const where = 'meta/tune-inner'
  check(Number.isInteger(trials) && trials >= 1, where, () => `trials must be an integer ≥ 1, got ${describe(trials)}.`)
  check(
    optimizer.direction === 'minimize',
    where,
    () => `the optimizer must minimize, its direction is ${describe(optimizer.direction)}.`,
  )
  let best: { point: Point; loss: number } | undefined
  let done = 0
  while (done < trials && optimizer.stopped === undefined) {
    const asked = optimizer.ask(1)
    if (asked.length === 0) break
    for (const { id, point } of asked) {
      options.signal?.throwIfAborted()
      const built = build(model, point)
      const loss = (await evaluate(built.model, tasks, built.settings)).losses.at(-1)!.mean
      done++
      if (!Number.isFinite(loss)) optimizer.tell([{ id, failed: `the query loss is ${loss}` }])
      else {
        optimizer.tell([{ id, value: loss }])
        if (!best || loss < best.loss) best = { point, loss }
      }
      options.onProgress?.({ done, total: trials, message: `query loss ${loss}` })
    }
  }
  check(best !== undefined, where, () => `none of ${done} points gave a finite loss.`, 'Search smaller inner rates.')
  return { ...best, trials: done }
}

function readPoint<Point>(model: MetaModel, point: Point): { model: MetaModel; settings: EvaluateOptions } {
  const { innerRate, steps } = point as InnerPoint
  check(
    innerRate > 0 && Number.isInteger(steps) && steps >= 0,
    'meta/tune-inner',
    () => `a point must hold innerRate and steps, got ${describe(point)}.`,
    'Pass { build } to give other points a meaning.',
  )
  return { model, settings: { innerRate, steps } }
}
