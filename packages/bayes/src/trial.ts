import { check, checkSpace, type Dimension, describe, RegimenError } from '@regimen/core'
import type { Attribute, MutableTrial } from './entries.ts'
import { contains, isActive, type ParamValue, plainDimension, type SearchPoint, type SearchSpace } from './space.ts'

/** How a number is searched. */
export interface RangeOptions {
  /** Search on a logarithmic scale; needs a lower bound above 0. @default false */
  log?: boolean
  /** Grid width, counted from the lower bound; not together with `log` for floats. @default none (1 for integers) */
  step?: number
}

/** What a trial needs of its study. */
export interface TrialHost {
  /** The value of a parameter not yet decided. */
  suggest(trial: MutableTrial, name: string, dimension: Dimension): ParamValue
  /** Checks that the dimension is the one of earlier trials. */
  checkDimension(name: string, dimension: Dimension): void
  report(trial: MutableTrial, step: number, value: number): void
  shouldPrune(trial: MutableTrial): boolean
  setAttribute(trial: MutableTrial, key: string, value: Attribute): void
  setParams(trial: MutableTrial, names: readonly string[]): void
}

/**
 * Leaves the objective of a hopeless trial: `trial.pruneIfHopeless()` throws it and `optimize` records the trial as pruned. Throw it
 * yourself where the objective knows better than a pruner; let it pass where you catch errors.
 *
 * ```ts
 * import { openStudy, TrialPruned } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize' })
 * await study.optimize(() => {
 *   throw new TrialPruned(3)
 * }, { trials: 2 })
 * study.trials.map((trial) => trial.state) // => ['pruned', 'pruned']
 * ```
 */
export class TrialPruned extends Error {
  constructor(step?: number) {
    super(`pruned${step === undefined ? '' : ` at step ${step}`}`)
    this.name = 'TrialPruned'
  }
}

/**
 * One evaluation in progress: asks for parameter values where the objective needs them (define by run), takes intermediate
 * values, says whether to stop. A name asked twice gives the same value. Made by `study.ask()` and `study.optimize()`.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 *
 * const trial = openStudy({ direction: 'minimize', seed: 1 }).ask()
 * const kind = trial.categorical('kind', ['ema', 'sma'])
 * const span = trial.int('span', 2, 200, { log: true })
 * const decay = kind === 'ema' ? trial.float('decay', 0.9, 0.999) : undefined
 * Object.keys(trial.params).includes('span') // => true
 * trial.int('span', 2, 200, { log: true }) === span // => true
 * ```
 */
export class Trial {
  readonly #record: MutableTrial
  readonly #host: TrialHost
  readonly #stop: AbortController = new AbortController()
  #violations: readonly number[] = []

  /** @internal */
  constructor(record: MutableTrial, host: TrialHost) {
    this.#record = record
    this.#host = host
  }

  get number(): number {
    return this.#record.number
  }

  /** What was decided so far. */
  get params(): { readonly [name: string]: ParamValue } {
    return this.#record.params
  }

  get attributes(): { readonly [key: string]: Attribute } {
    return this.#record.attributes
  }

  get violations(): readonly number[] {
    return this.#violations
  }

  /** Aborted when the trial's time is up or the whole run is aborted; hand it to what the objective calls. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** @internal */
  abort(reason: unknown): void {
    this.#stop.abort(reason)
  }

  /** A real number from `low` to `high`, both included. */
  float(name: string, low: number, high: number, options: RangeOptions = {}): number {
    return this.#suggest(name, plainDimension({ type: 'float', low, high, ...options })) as number
  }

  /** A whole number from `low` to `high`, both included. */
  int(name: string, low: number, high: number, options: RangeOptions = {}): number {
    return this.#suggest(name, plainDimension({ type: 'int', low, high, ...options })) as number
  }

  /** One of the choices. */
  categorical<const Value extends ParamValue>(name: string, choices: readonly Value[]): Value {
    return this.#suggest(name, { type: 'categorical', choices: [...choices] }) as Value
  }

  /** All parameters of a declared space; those whose `when` does not hold are absent. */
  suggest<const S extends SearchSpace>(space: S): SearchPoint<S> {
    checkSpace(space, 'bayes/trial')
    const point: { [name: string]: ParamValue } = {}
    const fresh: string[] = []
    for (const name of Object.keys(space)) {
      const dimension = space[name]!
      if (!isActive(dimension, point)) continue
      if (!Object.hasOwn(this.#record.params, name)) fresh.push(name)
      point[name] = this.#suggest(name, plainDimension(dimension), false)
    }
    if (fresh.length > 0) this.#host.setParams(this.#record, fresh)
    return point as SearchPoint<S>
  }

  /** Records an intermediate value: of one fold, one epoch. Steps are whole numbers from 0; a step counts once. */
  report(value: number, step: number): void {
    check(
      Number.isSafeInteger(step) && step >= 0,
      'bayes/trial',
      () => `step must be a whole number from 0, got ${describe(step)}.`,
    )
    check(typeof value === 'number', 'bayes/trial', () => `a report must be a number, got ${describe(value)}.`)
    if (!this.#record.reports.has(step)) this.#host.report(this.#record, step, value)
  }

  /** Whether the study's pruner gives this trial up. */
  shouldPrune(): boolean {
    return this.#host.shouldPrune(this.#record)
  }

  /** Leaves the objective where the pruner gives the trial up. */
  pruneIfHopeless(): void {
    if (!this.shouldPrune()) return
    throw new TrialPruned([...this.#record.reports.keys()].at(-1))
  }

  /** Records by how much each constraint is violated: feasible where none is above 0. */
  constrain(violations: readonly number[]): void {
    check(
      violations.every((v) => typeof v === 'number' && !Number.isNaN(v)),
      'bayes/trial',
      () => `violations must be numbers, got ${describe(violations)}.`,
    )
    this.#violations = [...violations]
  }

  /** Attaches data, kept with the trial. */
  setAttribute(key: string, value: Attribute): void {
    this.#host.setAttribute(this.#record, key, value)
  }

  #suggest(name: string, dimension: Dimension, write = true): ParamValue {
    check(
      typeof name === 'string' && name !== '',
      'bayes/trial',
      () => `a parameter needs a name, got ${describe(name)}.`,
    )
    const record = this.#record
    const known = record.space[name]
    if (known) {
      if (JSON.stringify(known) !== JSON.stringify(dimension)) this.#host.checkDimension(name, dimension)
      return record.params[name]!
    }
    checkSpace({ [name]: dimension }, 'bayes/trial')
    this.#host.checkDimension(name, dimension)
    if (record.state !== 'running') {
      throw new RegimenError(`trial ${record.number} is ${record.state}; it decides no more parameters.`, {
        code: 'TRIAL_FINISHED',
        where: 'bayes/trial',
      })
    }
    const value = this.#host.suggest(record, name, dimension)
    check(
      contains(dimension, value),
      'bayes/trial',
      () => `${name} must be inside ${JSON.stringify(dimension)}, got ${describe(value)}.`,
      'Look at what was enqueued, or at the sampler.',
    )
    record.params[name] = value
    record.space[name] = dimension
    if (write) this.#host.setParams(record, [name])
    return value
  }
}
