import type { Candidate, Evaluation } from '@regimen/core'
import { createPool, type PoolOptions } from '@regimen/core/workers'
import { type Evaluator, toEvaluation } from './minimize.ts'

/** Options of {@link parallelEvaluator}. */
export interface ParallelOptions {
  /** URL of a module that exports `handle(point, { data, attempt })` and returns what an objective returns. */
  module: URL | string
  /**
   * Workers, from 1.
   * @default one less than the machine's cores, at least 1
   */
  workers?: number
  /**
   * Longest time of one attempt, in milliseconds.
   * @default no limit
   */
  timeoutMs?: number
  /**
   * Further attempts for a point whose evaluation throws, hangs, or gives NaN, from 0.
   * @default 1
   */
  retries?: number
  /**
   * Sent to the workers with every point: plain data.
   * @default undefined
   */
  data?: unknown
}

/** An {@link Evaluator} with workers to free. */
export interface ParallelEvaluator<Point> extends Evaluator<Point> {
  dispose(): Promise<void>
}

/**
 * Opens workers that value whole generations side by side; pass it to `minimize` in place of the function. Results go back
 * in the order of the candidates, so the run is the same whichever worker finishes first, and the same as on one
 * thread. A point that throws, hangs past `timeoutMs` or gives NaN is tried again, then recorded as failed.
 *
 * It pays when an evaluation takes longer than about a millisecond.
 *
 * ```ts
 * import { minimize } from '@regimen/evolve'
 * import { parallelEvaluator } from '@regimen/evolve/parallel'
 *
 * // In an app this is the URL of a file: new URL('./backtest.js', import.meta.url).
 * const module = 'data:text/javascript,export const handle = ({ x }) => (x - 3) ** 2'
 * const evaluator = parallelEvaluator<{ x: number }>({ module, workers: 2 })
 * const { point } = await minimize(evaluator, { x: { type: 'float', low: 0, high: 10 } }, { evaluations: 300 })
 * await evaluator.dispose()
 * point.x // ≈ 3
 * ```
 */
export function parallelEvaluator<Point>(options: ParallelOptions): ParallelEvaluator<Point> {
  const { module, workers, timeoutMs, retries = 1, data } = options
  const poolOptions: PoolOptions<Point, unknown> = {
    module,
    retries,
    ...(workers === undefined ? {} : { size: workers }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(data === undefined ? {} : { data }),
  }
  const pool = createPool<Point, unknown>(poolOptions)

  const attempt = async (
    candidates: readonly Candidate<Point>[],
    signal: AbortSignal | undefined,
    left: number,
  ): Promise<Evaluation[]> => {
    const settled = await pool.settled(
      candidates.map(({ point }) => point),
      signal ? { signal } : {},
    )
    // The pool retries what throws or hangs; an answer that is no number is only seen here.
    const unusable: number[] = []
    const out = settled.map((one, i): Evaluation => {
      const { id } = candidates[i]!
      if (one.status === 'failed') return { id, failed: one.error.message }
      const evaluation = toEvaluation(id, one.value)
      if ('failed' in evaluation) unusable.push(i)
      return evaluation
    })
    if (unusable.length > 0 && left > 0) {
      const again = await attempt(
        unusable.map((i) => candidates[i]!),
        signal,
        left - 1,
      )
      unusable.forEach((i, k) => {
        out[i] = again[k]!
      })
    }
    return out
  }

  return {
    evaluate: (candidates, signal) => attempt(candidates, signal, retries),
    dispose: () => pool.dispose(),
  }
}
