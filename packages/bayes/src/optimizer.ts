import {
  type Candidate,
  check,
  checkSpace,
  createSnapshot,
  type Direction,
  describe,
  type Evaluation,
  type Incumbent,
  manualClock,
  type Optimizer,
  type PointOf,
  restore,
  type Snapshot,
  type Space,
  schema,
} from '@regimen/core'
import type { StudyEntry } from './entries.ts'
import type { Sampler } from './sampler.ts'
import { memoryStorage } from './storage.ts'
import { Study } from './study.ts'
import { tpe } from './tpe/tpe.ts'

/** Options of {@link openOptimizer}. */
export interface OptimizerOptions<S extends Space> {
  space: S
  direction: Direction | readonly Direction[]
  /** @default tpe() */
  sampler?: Sampler
  /** @default 0 */
  seed?: number | string
  /** Continues from what `snapshot()` returned; space, direction, sampler and seed must be those of then. */
  from?: Snapshot
}

/**
 * Opens a sampler as an `Optimizer` of `core`: ask and tell over a fixed space, for everything that tunes through that interface. The
 * snapshot is the history of asks and tells; opened from it, the optimizer goes on identically. For define by run, storage and pruning
 * take `openStudy`.
 *
 * ```ts
 * import { gp, openOptimizer } from '@regimen/bayes'
 *
 * const optimizer = openOptimizer({
 *   space: { x: { type: 'float', low: -2, high: 2 } },
 *   direction: 'minimize',
 *   sampler: gp({ startup: 4 }),
 * })
 * for (let i = 0; i < 12; i++) {
 *   const [candidate] = optimizer.ask(1)
 *   optimizer.tell([{ id: candidate!.id, value: (candidate!.point.x - 1) ** 2 }])
 * }
 * optimizer.best!.value < 0.01 // => true
 * ```
 */
export function openOptimizer<const S extends Space>(options: OptimizerOptions<S>): Optimizer<PointOf<S>> {
  const { space, direction, sampler = tpe(), seed = 0, from } = options
  const where = 'bayes/optimizer'
  checkSpace(space, where)
  const config = { sampler: sampler.name, seed, space: JSON.stringify(space), direction: [direction].flat().join() }
  let entries: readonly StudyEntry[] = []
  if (from) {
    const restored = restore(from, { id: where, version: 1, state: schema.object({ entries: schema.string() }) })
    check(
      JSON.stringify(restored.config) === JSON.stringify(config),
      where,
      () => `the snapshot belongs to ${JSON.stringify(restored.config)}, got ${JSON.stringify(config)}.`,
      'Open it with the same space, direction, sampler and seed.',
    )
    entries = JSON.parse(restored.state.entries) as StudyEntry[]
  }
  const storage = memoryStorage(entries)
  const study = new Study({ direction, sampler, seed, storage, worker: 'optimizer', clock: manualClock() })
  return {
    direction,
    stopped: undefined,
    ask(n = 1) {
      check(Number.isInteger(n) && n >= 1, where, () => `n must be a whole number from 1, got ${describe(n)}.`)
      return Array.from({ length: n }, (): Candidate<PointOf<S>> => {
        const trial = study.ask(space)
        return { id: trial.number, point: { ...trial.params } as PointOf<S> }
      })
    },
    tell(evaluations: readonly Evaluation[]) {
      const seen = new Set<number>()
      for (const { id } of evaluations) {
        check(
          study.trials[id]?.state === 'running' && !seen.has(id),
          where,
          () => `id ${describe(id)} is not waiting for a result.`,
          'Tell each candidate once.',
        )
        seen.add(id)
      }
      for (const evaluation of evaluations) {
        if ('failed' in evaluation) study.tell(evaluation.id, { failed: evaluation.failed })
        else study.tell(evaluation.id, evaluation.value, evaluation.violations)
      }
    },
    get best(): Incumbent<PointOf<S>> | undefined {
      const best = study.best
      return best && { id: best.number, point: { ...best.params } as PointOf<S>, value: best.value }
    },
    snapshot: () =>
      createSnapshot({ id: where, version: 1, config, state: { entries: JSON.stringify(storage.entries) } }),
  }
}
