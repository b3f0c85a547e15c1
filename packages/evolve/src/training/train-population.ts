import {
  type Clock,
  check,
  createEvent,
  describe,
  type EventSink,
  type LongTaskOptions,
  type PointOf,
  reportProgress,
  type Snapshot,
  type Space,
  systemClock,
  throwIfAborted,
} from '@regimen/core'
import { type Life, type PopulationTrainingOptions, populationTraining } from './population-training.ts'

/** Anything that learns and can be copied: every `Live` and `AsyncLive` of `@regimen/core` is one. */
export interface Trainee {
  snapshot(): Snapshot | Promise<Snapshot>
  dispose?(): void
}

/** Options of {@link trainPopulation}. */
export interface TrainPopulationOptions<S extends Space, Member extends Trainee>
  extends PopulationTrainingOptions<S>,
    LongTaskOptions {
  /** Makes a member: afresh, or from another's checkpoint, to learn under these hyperparameters. */
  readonly open: (params: PointOf<S>, checkpoint: Snapshot | undefined) => Member | Promise<Member>
  /** Trains a member for one round and says how well it does now. What throws or gives NaN is a failed round. */
  readonly train: (member: Member, params: PointOf<S>, round: number) => number | Promise<number>
  /** Rounds in all, from 1. */
  readonly rounds: number
  /** The `snapshot` of an earlier result, to continue from. */
  readonly resume?: Snapshot
  /** Gets `evolve/exploit` for every copy, with both members and the new hyperparameters. */
  readonly events?: EventSink
  /** @default systemClock */
  readonly clock?: Clock
}

/** What {@link trainPopulation} found. */
export interface TrainPopulationResult<Point> {
  /** Hyperparameters of the best member at the end. */
  readonly params: Point
  readonly value: number
  /** The best member's state; absent only where it could not be taken. */
  readonly checkpoint: Snapshot | undefined
  /** The lives that led to the best member: its schedule. */
  readonly lineage: readonly Life<Point>[]
  /** Every life there was, for a chart. */
  readonly lives: readonly Life<Point>[]
  /** Values by round and member since this call began; NaN where a round failed. */
  readonly history: readonly Float64Array[]
  /** Rounds of single members that failed since this call began. */
  readonly failed: number
  /** Continues the run when it is passed as `resume` with more rounds. */
  readonly snapshot: Snapshot
}

const WHERE = 'evolve/train-population'

/**
 * Trains a population by {@link populationTraining}: opens the members, trains each for a round, copies and varies, and so on. The members
 * of a round are trained together where training is asynchronous, and results do not depend on who finishes first. A
 * member that throws or gives NaN has failed its round and copies a good one. A run that is continued by `resume` is the run that was
 * never interrupted, as far as the members' own snapshots are complete; one that could not be taken begins afresh.
 *
 * ```ts
 * import { createSnapshot } from '@regimen/core'
 * import { trainPopulation } from '@regimen/evolve'
 *
 * // A "net" with one weight that descends the slope of (w − 3)²; too high a rate diverges, too low a one crawls.
 * const { value } = await trainPopulation({
 *   space: { rate: { type: 'float', low: 1e-4, high: 2, log: true } },
 *   direction: 'minimize',
 *   members: 6,
 *   rounds: 12,
 *   open(_, checkpoint) {
 *     const state = { w: checkpoint ? Number(checkpoint.state) : 0 }
 *     return { state, snapshot: () => createSnapshot({ id: 'example/net', version: 1, config: {}, state: state.w }) }
 *   },
 *   train({ state }, { rate }) {
 *     for (let step = 0; step < 5; step++) state.w -= rate * 2 * (state.w - 3)
 *     return (state.w - 3) ** 2
 *   },
 * })
 * value < 0.001 // => true
 * ```
 */
export async function trainPopulation<const S extends Space, Member extends Trainee>(
  options: TrainPopulationOptions<S, Member>,
): Promise<TrainPopulationResult<PointOf<S>>> {
  const { open, train, rounds, resume, signal, onProgress, events, clock = systemClock, ...rest } = options
  check(
    Number.isInteger(rounds) && rounds >= 1,
    WHERE,
    () => `rounds must be an integer from 1, got ${describe(rounds)}.`,
  )
  check(typeof open === 'function' && typeof train === 'function', WHERE, () => 'open and train must be functions.')
  const population = populationTraining<S>(resume ?? rest)
  const report = reportProgress(onProgress, { total: rounds, clock })
  const history: Float64Array[] = []
  let failed = 0
  const members: Member[] = []
  try {
    for (const { params, checkpoint } of population.members) members.push(await open(params, checkpoint))
    while (population.round < rounds) {
      throwIfAborted(signal)
      const { round } = population
      const results = await Promise.all(
        population.members.map(({ member, params }) => trainOne(members[member]!, member, params, round, train)),
      )
      throwIfAborted(signal)
      history.push(Float64Array.from(results, ({ value }) => value ?? Number.NaN))
      failed += results.filter(({ value }) => value === undefined).length
      for (const { member, from, params, checkpoint } of population.report(results)) {
        events?.emit(
          createEvent({
            type: 'evolve/exploit',
            time: clock.now(),
            reason: `Member ${member} was among the worst and copies member ${from}.`,
            data: { round: population.round, member, from, params: params as { [name: string]: string | number } },
          }),
        )
        const next = await open(params, checkpoint)
        members[member]!.dispose?.()
        members[member] = next
      }
      report(population.round, `best ${population.best?.value?.toPrecision(6) ?? 'none yet'}`)
    }
  } finally {
    for (const member of members) member.dispose?.()
  }
  const { best } = population
  check(
    best?.value !== undefined,
    WHERE,
    () => 'no member finished its last round.',
    'Train one member by hand and look at what it throws.',
  )
  return {
    params: best.params,
    value: best.value,
    checkpoint: best.checkpoint,
    lineage: population.lineage(best.member),
    lives: population.lives,
    history,
    failed,
    snapshot: population.snapshot(),
  }
}

async function trainOne<Point, Member extends Trainee>(
  trainee: Member,
  member: number,
  params: Point,
  round: number,
  train: (member: Member, params: Point, round: number) => number | Promise<number>,
): Promise<{ member: number; value?: number; checkpoint?: Snapshot }> {
  try {
    const value = await train(trainee, params, round)
    if (!Number.isFinite(value)) return { member }
    const checkpoint = await Promise.resolve(trainee.snapshot()).catch(() => undefined)
    return checkpoint === undefined ? { member, value } : { member, value, checkpoint }
  } catch {
    return { member }
  }
}
