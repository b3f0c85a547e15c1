import { check, describe, type LongTaskOptions, type Snapshot } from '@regimen/core'
import type { Bar, Bars } from '@regimen/market'
import type { Pipeline, Step } from './contracts.ts'
import { barAt } from './prequential.ts'

/** Options of {@link runPipeline}. */
export interface RunOptions extends LongTaskOptions {
  /** Gets every step as soon as it is made. */
  onStep?: (step: Step) => void | Promise<void>
  /** Bars between two checkpoints. From 1. @default none */
  checkpointEvery?: number
  /** Keeps a checkpoint; also called when the run is aborted, so that it can be continued from there. */
  onCheckpoint?: (snapshot: Snapshot, rows: number) => void | Promise<void>
}

/**
 * Runs a pipeline over bars: a column of them, or an async iterator that delivers live ones. An abort ends it after the bar that
 * it is at, with a last checkpoint. After a kill, open the pipeline from the last checkpoint and run the bars that follow: the
 * steps are the same as without the kill.
 *
 * ```ts
 * import { runPipeline } from '@regimen/pipeline'
 * import type { Pipeline, Step } from '@regimen/pipeline'
 *
 * // Anything with the face of a pipeline can be run.
 * const step = async ({ time }: { time: number }) => ({ time }) as Step
 * const pipeline = { step, rows: 0 } as Partial<Pipeline> as Pipeline
 * async function* live() {
 *   for (const close of [100, 101]) yield { time: close, open: close, high: close, low: close, close }
 * }
 * const steps = await runPipeline(pipeline, live())
 * steps.map(({ time }) => time) // => [100, 101]
 * ```
 */
export async function runPipeline(
  pipeline: Pipeline,
  bars: Bars | AsyncIterable<Bar>,
  options: RunOptions = {},
): Promise<Step[]> {
  const { onStep, onProgress, onCheckpoint, checkpointEvery, signal } = options
  check(
    checkpointEvery === undefined || (Number.isInteger(checkpointEvery) && checkpointEvery >= 1),
    'pipeline/run',
    () => `checkpointEvery must be a whole number from 1, got ${describe(checkpointEvery)}.`,
  )
  const steps: Step[] = []
  const total = Symbol.asyncIterator in bars ? undefined : bars.time.length
  const source = Symbol.asyncIterator in bars ? bars : each(bars)
  for await (const bar of source) {
    const step = await pipeline.step(bar)
    steps.push(step)
    await onStep?.(step)
    if (checkpointEvery && steps.length % checkpointEvery === 0) {
      await onCheckpoint?.(await pipeline.snapshot(), pipeline.rows)
    }
    onProgress?.({ done: steps.length, ...(total === undefined ? {} : { total }) })
    if (signal?.aborted) {
      await onCheckpoint?.(await pipeline.snapshot(), pipeline.rows)
      signal.throwIfAborted()
    }
  }
  return steps
}

async function* each(bars: Bars): AsyncGenerator<Bar> {
  for (let row = 0; row < bars.time.length; row++) yield barAt(bars, row)
}
