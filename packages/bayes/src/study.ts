import {
  type Clock,
  check,
  createEvent,
  type Dimension,
  type Direction,
  describe,
  type EventSink,
  RegimenError,
  Rng,
  systemClock,
} from '@regimen/core'
import {
  type Attribute,
  applyEntry,
  emptyHistory,
  type History,
  type MutableTrial,
  type StudyEntry,
  type TrialRecord,
} from './entries.ts'
import { type CompleteTrial, frontOf, hypervolumes } from './front.ts'
import { type Objective, type OptimizeOptions, type OptimizeResult, runTrials } from './optimize.ts'
import type { Pruner, Sampler, SamplerSession } from './sampler.ts'
import { checkSame, type Params, type ParamValue, type SearchSpace } from './space.ts'
import { memoryStorage, type StudyStorage } from './storage.ts'
import { ending, type Told } from './told.ts'
import { tpe } from './tpe/tpe.ts'
import { Trial, type TrialHost } from './trial.ts'

/** Options of {@link openStudy}. */
export interface StudyOptions {
  /** Which values are better; a list for several objectives. Always said explicitly. */
  direction: Direction | readonly Direction[]
  /** Told apart from others in one database, and shown in reports. @default 'study' */
  name?: string
  /** Chooses what is tried next. @default tpe() */
  sampler?: Sampler
  /** Stops hopeless trials early. @default none */
  pruner?: Pruner
  /** Where the history is kept. @default memoryStorage() */
  storage?: StudyStorage
  /** Determines every choice, together with the history. @default 0 */
  seed?: number | string
  /** Names this process among those that share the storage; must be unique. @default a random UUID */
  worker?: string
  /** @default systemClock */
  clock?: Clock
  /** Receives a `bayes/trial` event for every trial that this process finishes. */
  events?: EventSink
}

/**
 * A search in progress: asks its sampler for trials, takes their results and keeps every step in its storage. Opened by
 * {@link openStudy}. All processes that open one storage share one study.
 *
 * ```ts
 * import { openStudy, type Study } from '@regimen/bayes'
 *
 * const study: Study = openStudy({ direction: 'maximize', seed: 1 })
 * const trial = study.ask({ span: { type: 'int', low: 2, high: 50 } })
 * study.tell(trial, 0.7)
 * study.best!.value // => 0.7
 * ```
 */
export class Study {
  readonly directions: readonly Direction[]
  readonly name: string
  readonly worker: string
  readonly #options: StudyOptions
  readonly #storage: StudyStorage
  readonly #clock: Clock
  readonly #history: History = emptyHistory()
  readonly #space: Map<string, Dimension> = new Map()
  readonly #session: SamplerSession
  readonly #joint: Map<number, Params> = new Map()
  readonly #mine: number[] = []
  readonly #host: TrialHost
  readonly #rng: Rng
  #key = 0
  #bestSoFar: MutableTrial | undefined

  /** @internal */
  constructor(options: StudyOptions) {
    const { direction, name = 'study', sampler = tpe(), storage = memoryStorage(), seed = 0 } = options
    const directions = typeof direction === 'string' ? [direction] : [...(direction ?? [])]
    check(
      directions.length > 0 && directions.every((one) => one === 'minimize' || one === 'maximize'),
      'bayes/study',
      () => `direction must be 'minimize' or 'maximize', or a list of them, got ${describe(direction)}.`,
    )
    this.#options = options
    this.#storage = storage
    this.#clock = options.clock ?? systemClock
    this.#rng = new Rng(`${seed}`)
    this.worker = options.worker ?? globalThis.crypto.randomUUID()
    this.directions = directions
    this.name = name
    const history = this.#history
    this.#session = sampler.open({
      directions,
      trials: history.trials,
      running: { [Symbol.iterator]: () => history.running.values() },
      space: this.#space,
      rng: (number, label = '') => this.#rng.split(`${number}:${label}`),
    })
    this.#host = {
      suggest: (trial, parameter, dimension) => this.#suggest(trial, parameter, dimension),
      checkDimension: (parameter, dimension) => {
        const before = this.#space.get(parameter)
        if (before) checkSame(parameter, before, dimension)
      },
      report: (trial, step, value) =>
        this.#write([{ t: 'report', n: trial.number, step, value: Number.isFinite(value) ? value : String(value) }]),
      shouldPrune: (trial) => this.#shouldPrune(trial),
      setAttribute: (trial, key, value) => this.#write([{ t: 'attribute', n: trial.number, key, value }]),
      setParams: (trial, names) => this.#setParams(trial, names),
    }
    this.#sync()
    if (history.header === undefined)
      this.#write([{ t: 'study', format: 1, name, directions, time: this.#clock.now() }])
    const stored = history.header!
    check(
      stored.directions.join() === directions.join(),
      'bayes/study',
      () =>
        `the stored study "${stored.name}" has the direction ${describe(stored.directions)}, got ${describe(direction)}.`,
      'Open it with its own direction, or pass another storage.',
    )
  }

  /** Every trial so far, by number. */
  get trials(): readonly TrialRecord[] {
    this.#sync()
    return this.#history.trials
  }

  /** Data attached to the study. */
  get attributes(): { readonly [key: string]: Attribute } {
    this.#sync()
    return this.#history.attributes
  }

  /** Labels attached to the study. */
  get tags(): readonly string[] {
    const tags = this.attributes.tags
    return Array.isArray(tags) ? (tags as string[]) : []
  }

  /** The dimension of every parameter that was ever asked for. */
  get space(): ReadonlyMap<string, Dimension> {
    return this.#space
  }

  /** The best feasible trial of a study with one objective; undefined before the first. */
  get best(): CompleteTrial | undefined {
    this.#sync()
    return this.directions.length === 1 && this.#bestSoFar ? complete(this.#bestSoFar) : undefined
  }

  /** The feasible trials that no other one dominates. With one objective, the best ones. */
  get front(): readonly CompleteTrial[] {
    return frontOf(this.completed, this.directions)
  }

  /** The complete trials, by number. */
  get completed(): readonly CompleteTrial[] {
    return this.trials.filter((trial) => trial.state === 'complete').map((trial) => complete(trial as MutableTrial))
  }

  /** Hypervolume that the front dominates after each complete trial; `reference` in the objectives' own units. */
  hypervolumeHistory(reference: readonly number[]): Float64Array {
    return hypervolumes(this.completed, this.directions, reference)
  }

  /**
   * Starts a trial. With a space, all its parameters are decided at once; without, the objective asks for them one by one.
   * Tell what became of it by `tell`.
   */
  ask(space?: SearchSpace): Trial {
    const key = this.#key++
    this.#write([{ t: 'start', worker: this.worker, key, time: this.#clock.now() }])
    const record = this.#history.trials[this.#mine[key]!]!
    const trial = new Trial(record, this.#host)
    if (space) {
      trial.suggest(space)
    }
    return trial
  }

  /**
   * Ends a running trial with its value (one each for several objectives), as pruned, or as failed. A value that is NaN or
   * infinite makes it failed, with a reason, so that no model is ever fitted to it.
   */
  tell(trial: Trial | number, told: Told, violations?: readonly number[]): TrialRecord {
    const number = typeof trial === 'number' ? trial : trial.number
    this.#sync()
    const record = this.#history.running.get(number)
    if (!record) {
      const known = this.#history.trials[number]
      throw new RegimenError(
        known
          ? `trial ${number} is already ${known.state}${known.error ? ` (${known.error})` : ''}.`
          : `there is no trial ${describe(number)}.`,
        { code: 'NOT_RUNNING', where: 'bayes/study', hint: 'Tell each trial once.' },
      )
    }
    const limits = violations ?? (typeof trial === 'number' ? [] : trial.violations)
    this.#write([
      ending({ number, told, violations: limits, objectives: this.directions.length, time: this.#clock.now() }),
    ])
    const sink = this.#options.events
    if (sink) {
      sink.emit(
        createEvent({
          type: 'bayes/trial',
          time: record.finished!,
          reason: record.error ?? `Trial ${number} is ${record.state}.`,
          data: { study: this.name, number, state: record.state, values: [...(record.values ?? [])] },
        }),
      )
    }
    return record
  }

  /** Evaluates `objective` on trial after trial until one of the limits is reached. */
  optimize(objective: Objective, options: OptimizeOptions): Promise<OptimizeResult> {
    return runTrials(this, objective, options, this.#clock)
  }

  /** Puts a point at the head of what is tried next; parameters that it lacks are sampled as usual. */
  enqueue(params: Params, attributes: { readonly [key: string]: Attribute } = {}): void {
    this.#write([{ t: 'queue', params: { ...params }, attributes }])
  }

  /**
   * Takes the complete trials of another study over as if they had been run here: a warm start. Their parameters must have
   * the same ranges; the numbers change, the origin is kept in the attribute `source`.
   */
  warmStart(from: Study, filter: (trial: CompleteTrial) => boolean = () => true): number {
    check(
      from.directions.join() === this.directions.join(),
      'bayes/study',
      () => `a warm start needs the same directions, got ${from.directions.join()} for ${this.directions.join()}.`,
    )
    const chosen = from.completed.filter(filter)
    for (const trial of chosen) {
      for (const [name, dimension] of Object.entries(trial.space)) {
        const before = this.#space.get(name)
        if (before) checkSame(name, before, dimension)
      }
    }
    this.#write(
      chosen.map(({ params, space, values, violations, attributes, number, finished }) => ({
        t: 'import',
        params,
        space,
        values,
        violations,
        attributes: { ...attributes, source: `${from.name}#${number}` },
        time: finished ?? 0,
      })),
    )
    return chosen.length
  }

  setAttribute(key: string, value: Attribute): void {
    this.#write([{ t: 'attribute', key, value }])
  }

  addTag(tag: string): void {
    if (!this.tags.includes(tag)) this.setAttribute('tags', [...this.tags, tag])
  }

  /** Says that this process is alive. `optimize` does so by itself. */
  beat(): void {
    this.#write([{ t: 'beat', worker: this.worker, time: this.#clock.now() }])
  }

  /**
   * Gives up running trials whose process has shown no sign of life for `silence` milliseconds; with `retry` their points are
   * enqueued again. Returns their numbers.
   */
  reap(silence: number, options: { retry?: boolean } = {}): number[] {
    this.#sync()
    const now = this.#clock.now()
    const dead = [...this.#history.running.values()].filter(
      ({ worker }) => worker !== this.worker && now - (this.#history.alive.get(worker) ?? 0) > silence,
    )
    const entries: StudyEntry[] = []
    for (const { number, params, attributes } of dead) {
      entries.push({ t: 'finish', n: number, state: 'failed', error: `no sign of life for ${silence} ms`, time: now })
      if (options.retry) {
        const { fixed: _, ...kept } = attributes
        entries.push({ t: 'queue', params: { ...params }, attributes: { ...kept, retryOf: number } })
      }
    }
    if (entries.length > 0) this.#write(entries)
    return dead.map((trial) => trial.number)
  }

  /** Releases the storage. */
  close(): void {
    this.#storage.close()
  }

  #write(entries: readonly StudyEntry[]): void {
    if (entries.length === 0) return
    this.#storage.append(entries)
    this.#sync()
  }

  /** Takes in what this and other processes have written. */
  #sync(): void {
    for (const entry of this.#storage.read()) {
      const { started, finished } = applyEntry(this.#history, entry)
      if (entry.t === 'start' && entry.worker === this.worker) {
        this.#mine[entry.key] = started!.number
        this.#key = Math.max(this.#key, entry.key + 1)
      }
      if (entry.t === 'params' || entry.t === 'import') this.#learnSpace(entry.space)
      if (started && !finished) this.#session.started?.(started)
      if (finished) {
        this.#joint.delete(finished.number)
        this.#rememberBest(finished)
        this.#session.finished?.(finished)
      }
    }
  }

  #learnSpace(space: { readonly [name: string]: Dimension }): void {
    // The first definition counts, whichever process made it.
    for (const name in space) if (!this.#space.has(name)) this.#space.set(name, space[name]!)
  }

  #rememberBest(trial: MutableTrial): void {
    if (trial.state !== 'complete' || trial.violations.some((v) => v > 0)) return
    const best = this.#bestSoFar
    const sign = this.directions[0] === 'minimize' ? 1 : -1
    if (!best || sign * trial.values![0]! < sign * best.values![0]!) this.#bestSoFar = trial
  }

  #suggest(trial: MutableTrial, name: string, dimension: Dimension): ParamValue {
    const fixed = trial.attributes.fixed as Params | undefined
    if (fixed && Object.hasOwn(fixed, name)) return fixed[name]!
    let joint = this.#joint.get(trial.number)
    if (joint === undefined) {
      joint = this.#session.joint?.(trial) ?? {}
      this.#joint.set(trial.number, joint)
    }
    if (Object.hasOwn(joint, name)) return joint[name]!
    return this.#session.suggest(trial, name, dimension)
  }

  #setParams(trial: MutableTrial, names: readonly string[]): void {
    const params: { [name: string]: ParamValue } = {}
    const space: { [name: string]: Dimension } = {}
    for (const name of names) {
      params[name] = trial.params[name]!
      space[name] = trial.space[name]!
    }
    this.#write([{ t: 'params', n: trial.number, params, space }])
  }

  #shouldPrune(trial: MutableTrial): boolean {
    const { pruner } = this.#options
    if (!pruner || this.directions.length > 1 || trial.reports.size === 0) return false
    this.#sync()
    return pruner.prune(trial, { direction: this.directions[0]!, trials: this.#history.trials })
  }
}

function complete(trial: MutableTrial): CompleteTrial {
  return { ...trial, values: trial.values!, value: trial.values![0]! }
}

/**
 * Opens a study: new, or the one that the storage holds. Choices depend on the seed, the trial's number and the history
 * only, so a study that is closed and opened again goes on as if nothing had happened.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', seed: 1 })
 * await study.optimize((trial) => {
 *   const x = trial.float('x', -10, 10)
 *   const y = trial.int('y', -5, 5)
 *   return (x - 2) ** 2 + y ** 2
 * }, { trials: 60 })
 * study.best!.params.y // => 0
 * study.best!.value < 0.5 // => true
 * ```
 *
 * Gotcha: a parameter's range belongs to the study; a range that changes between trials is a clear error.
 *
 * Reference: T. Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", KDD 2019, for define by run.
 */
export function openStudy(options: StudyOptions): Study {
  return new Study(options)
}
