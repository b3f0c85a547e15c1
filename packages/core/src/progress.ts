import { type Clock, systemClock } from './clock.ts'

/** How far a long task has come. */
export interface Progress {
  readonly done: number
  /** Absent while the end is not known. */
  readonly total?: number
  readonly message?: string
}

/** Options of everything that can take longer than a second. */
export interface LongTaskOptions {
  /** Stops the task; its promise rejects with the signal's reason. */
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

/**
 * Throws the signal's reason once it is aborted; does nothing without a signal. Call it once in every turn of a long loop.
 *
 * ```ts
 * import { throwIfAborted } from '@regimen/core'
 *
 * const stop = new AbortController()
 * throwIfAborted(stop.signal)
 * stop.abort(new Error('enough'))
 * let reason = ''
 * try {
 *   throwIfAborted(stop.signal)
 * } catch (error) {
 *   reason = (error as Error).message
 * }
 * reason // => 'enough'
 * ```
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  signal?.throwIfAborted()
}

/** How {@link reportProgress} reports. */
export interface ReportProgressOptions {
  /** How many steps there will be; the last one is always reported. */
  total?: number
  /**
   * Shortest time between two reports, in milliseconds.
   * @default 100
   */
  interval?: number
  /** @default systemClock */
  clock?: Clock
}

/**
 * Makes a function to call after every step, which passes progress on only as often as a person can read it: the first step,
 * then one an interval, and the last. Without a listener it costs nothing.
 *
 * ```ts
 * import { manualClock, type Progress, reportProgress } from '@regimen/core'
 *
 * const clock = manualClock()
 * const seen: Progress[] = []
 * const report = reportProgress((progress) => seen.push(progress), { total: 100, clock })
 * for (let done = 1; done <= 100; done++) {
 *   clock.advance(4)
 *   report(done)
 * }
 * seen.map((progress) => progress.done) // => [1, 26, 51, 76, 100]
 * ```
 */
export function reportProgress(
  onProgress: ((progress: Progress) => void) | undefined,
  options: ReportProgressOptions = {},
): (done: number, message?: string) => void {
  if (onProgress === undefined) return () => {}
  const { total, interval = 100, clock = systemClock } = options
  let last = Number.NEGATIVE_INFINITY
  return (done, message) => {
    const now = clock.monotonic()
    if (now - last < interval && done !== total) return
    last = now
    onProgress({ done, ...(total === undefined ? {} : { total }), ...(message === undefined ? {} : { message }) })
  }
}

/**
 * Gives other work of the same thread a turn: timers, input, painting, messages. A promise alone does not.
 *
 * ```ts
 * import { yieldToEventLoop } from '@regimen/core'
 *
 * let turn = false
 * setTimeout(() => {
 *   turn = true
 * })
 * while (!turn) await yieldToEventLoop()
 * turn // => true
 * ```
 */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}

/** How a {@link createPacer} paces. */
export interface PacerOptions {
  signal?: AbortSignal
  /**
   * Longest stretch of work between two yields, in milliseconds.
   * @default 12
   */
  interval?: number
  /** @default systemClock */
  clock?: Clock
}

/**
 * Paces a long loop on the main thread: `await pacer()` in every turn throws when the signal is aborted and yields to the event
 * loop when the work has gone on for longer than the interval, so that a page stays alive and an abort can arrive at all.
 *
 * ```ts
 * import { createPacer } from '@regimen/core'
 *
 * const stop = new AbortController()
 * const pacer = createPacer({ signal: stop.signal, interval: 1 })
 * setTimeout(() => stop.abort(new Error('stopped')))
 * let turns = 0
 * const outcome = await (async () => {
 *   for (;;) {
 *     await pacer()
 *     turns++
 *   }
 * })().catch((error: Error) => error.message)
 * outcome // => 'stopped'
 * ```
 */
export function createPacer(options: PacerOptions = {}): () => Promise<void> {
  const { signal, interval = 12, clock = systemClock } = options
  let last = clock.monotonic()
  return async () => {
    throwIfAborted(signal)
    if (clock.monotonic() - last < interval) return
    await yieldToEventLoop()
    last = clock.monotonic()
    throwIfAborted(signal)
  }
}
