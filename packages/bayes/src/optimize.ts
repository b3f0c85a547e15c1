import { type Clock, check, describe, type LongTaskOptions, reportProgress, yieldToEventLoop } from '@regimen/core'
import type { Study } from './study.ts'
import type { Told } from './told.ts'
import { type Trial, TrialPruned } from './trial.ts'

/** What an objective returns: its value, one each for several objectives, or a promise of them. */
export type ObjectiveOutcome = number | readonly number[] | Promise<number | readonly number[]>

/** What `study.optimize` evaluates. `concurrency` says how many at once are best. */
export type Objective = ((trial: Trial) => ObjectiveOutcome) & { readonly concurrency?: number }

interface Flight {
  readonly trial: Trial
  /** Never rejects. */
  readonly told: Promise<Told>
}

/** Limits and manners of `study.optimize`. At least one of `trials`, `timeoutMs` and `signal` must end it. */
export interface OptimizeOptions extends LongTaskOptions {
  /** Trials that this call runs, failed and pruned ones included. @default no limit */
  trials?: number
  /** Milliseconds after which no further trial starts. @default no limit */
  timeoutMs?: number
  /** Milliseconds for one evaluation; then its signal is aborted and the trial fails. @default no limit */
  trialTimeoutMs?: number
  /** Evaluations in flight at once. @default what the objective asks for (`workerObjective` does), else 1 */
  concurrency?: number
  /**
   * Tells results in the order of the trials' numbers, and starts a further trial only then, so that a seed gives one study
   * whichever evaluation ends first. `false` tells at once: busier where times differ much, and no longer reproducible.
   * @default true
   */
  ordered?: boolean
  /** How many more times a throwing evaluation is tried with the same parameters. @default 0 */
  retries?: number
  /**
   * Milliseconds between signs of life, for storages that several processes share; between trials dead ones are given up
   * after six of them.
   * @default 10000
   */
  heartbeatMs?: number
}

/** How a run of trials ended. */
export interface OptimizeResult {
  readonly complete: number
  readonly pruned: number
  readonly failed: number
  readonly stopped: 'trials' | 'timeout' | 'aborted'
}

/** The loop behind `study.optimize`. */
export async function runTrials(
  study: Study,
  objective: Objective,
  options: OptimizeOptions,
  clock: Clock,
): Promise<OptimizeResult> {
  const { trials, timeoutMs, trialTimeoutMs, ordered = true, retries = 0, heartbeatMs = 10_000, signal } = options
  const concurrency = options.concurrency ?? objective?.concurrency ?? 1
  const where = 'bayes/optimize'
  const natural = (value: number | undefined, name: string, least: number): void =>
    check(
      value === undefined || (Number.isSafeInteger(value) && value >= least),
      where,
      () => `${name} must be a whole number from ${least}, got ${describe(value)}.`,
    )
  check(typeof objective === 'function', where, () => `the objective must be a function, got ${describe(objective)}.`)
  natural(trials, 'trials', 0)
  natural(concurrency, 'concurrency', 1)
  natural(retries, 'retries', 0)
  check(
    trials !== undefined || timeoutMs !== undefined || signal !== undefined,
    where,
    () => 'nothing would end the run.',
    'Pass trials, timeoutMs or a signal.',
  )
  const counts = { complete: 0, pruned: 0, failed: 0 }
  const begin = clock.monotonic()
  const report = reportProgress(options.onProgress, { clock, ...(trials === undefined ? {} : { total: trials }) })
  let started = 0
  let stopped: OptimizeResult['stopped'] = 'trials'
  let lastBeat = begin

  const mayStart = (): boolean => {
    if (signal?.aborted) stopped = 'aborted'
    else if (trials !== undefined && started >= trials) stopped = 'trials'
    else if (timeoutMs !== undefined && clock.monotonic() - begin >= timeoutMs) stopped = 'timeout'
    else return true
    return false
  }
  const running = new Set<Trial>()
  const pulse = setInterval(() => running.size > 0 && study.beat(), heartbeatMs)
  unref(pulse)
  const onAbort = (): void => {
    for (const trial of running) trial.abort(signal?.reason)
  }
  signal?.addEventListener('abort', onAbort)

  const flights: Flight[] = []
  const launch = (): void => {
    started++
    if (clock.monotonic() - lastBeat > heartbeatMs) {
      lastBeat = clock.monotonic()
      study.reap(heartbeatMs * 6)
    }
    const trial = study.ask()
    running.add(trial)
    flights.push({ trial, told: evaluate(trial, objective, retries, trialTimeoutMs, signal) })
  }
  /** The flight that is told next: the oldest, or whichever lands first. */
  const land = async (): Promise<Flight> => {
    const first =
      ordered || flights.length === 1
        ? flights[0]!
        : await Promise.race(flights.map((flight) => flight.told.then(() => flight)))
    flights.splice(flights.indexOf(first), 1)
    return first
  }
  try {
    for (;;) {
      while (flights.length < concurrency && mayStart()) launch()
      if (flights.length === 0) break
      const { trial, told } = await land()
      const outcome = await told
      running.delete(trial)
      const { state, values } = tellOnce(study, trial, outcome)
      counts[state as keyof typeof counts]++
      report(
        counts.complete + counts.pruned + counts.failed,
        values ? `trial ${trial.number}: ${values.join(', ')}` : `trial ${trial.number}: ${state}`,
      )
      if (concurrency === 1 && trial.number % 16 === 15) await yieldToEventLoop()
    }
  } finally {
    clearInterval(pulse)
    signal?.removeEventListener('abort', onAbort)
    // Left over only where the storage failed: nothing of theirs can be told any more.
    for (const { trial } of flights) trial.abort(new Error('the run ended with an error'))
  }
  return { ...counts, stopped }
}

function tellOnce(study: Study, trial: Trial, told: Told): { state: string; values?: readonly number[] | undefined } {
  // Another process may have given this trial up while it was silent.
  const record = study.trials[trial.number]!
  return record.state === 'running' ? study.tell(trial, told) : { state: 'failed' }
}

async function evaluate(
  trial: Trial,
  objective: (trial: Trial) => ObjectiveOutcome,
  retries: number,
  timeoutMs: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Told> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await limited(trial, objective, timeoutMs, signal)
    } catch (error) {
      if (error instanceof TrialPruned) return { pruned: true }
      if (signal?.aborted) return { failed: `aborted: ${message(signal.reason)}` }
      if (attempt >= retries || trial.signal.aborted) return { failed: message(error) }
    }
  }
}

function limited(
  trial: Trial,
  objective: (trial: Trial) => ObjectiveOutcome,
  timeoutMs: number | undefined,
  signal: AbortSignal | undefined,
): ObjectiveOutcome {
  if (timeoutMs === undefined && signal === undefined) return objective(trial)
  return new Promise<number | readonly number[]>((resolve, reject) => {
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => trial.abort(new Error(`took longer than ${timeoutMs} ms`)), timeoutMs)
    const stop = (): void => reject(trial.signal.reason)
    trial.signal.addEventListener('abort', stop)
    Promise.resolve()
      .then(() => objective(trial))
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer)
        trial.signal.removeEventListener('abort', stop)
      })
  })
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A heartbeat must not keep a process alive. */
function unref(timer: ReturnType<typeof setInterval>): void {
  if (typeof timer === 'object' && 'unref' in timer) timer.unref()
}
