import {
  check,
  checkPoint,
  checkSpace,
  cloneTree,
  createSnapshot,
  type Direction,
  decode,
  describe,
  encode,
  isSnapshot,
  type PointOf,
  Rng,
  type RngState,
  restore,
  type Snapshot,
  type Space,
  samplePoint,
  schema,
  type Tree,
} from '@regimen/core'
import { checkCount, checkRange } from '../engine/factory.ts'
import { RNG } from '../engine/saved.ts'

/** Options of {@link populationTraining}. */
export interface PopulationTrainingOptions<S extends Space = Space> {
  /** The hyperparameters that may change while the members learn. */
  readonly space: S
  readonly direction: Direction
  /** @default 0 */
  readonly seed?: number | string
  /**
   * Members, from 2.
   * @default 8
   */
  readonly members?: number
  /**
   * Share of the members that gives up in each round, and share that it may copy, above 0 to 0.5.
   * @default 0.25
   */
  readonly quantile?: number
  /**
   * Probability that a copied hyperparameter is drawn anew instead of being perturbed, 0 to 1.
   * @default 0.25
   */
  readonly resample?: number
  /**
   * Factor by which a copied number is multiplied or divided, above 1.
   * @default 1.2
   */
  readonly factor?: number
}

/** What came of one member's round of training. */
export interface MemberReport {
  /** Its number, from 0. */
  readonly member: number
  /** How well it does now; absent where the round failed. */
  readonly value?: number
  /** What others may continue from; a member without one is never copied. */
  readonly checkpoint?: Snapshot
}

/** One stretch of training under the same hyperparameters: a node of the family tree. */
export interface Life<Point> {
  readonly id: number
  readonly member: number
  /** Round in which it began, from 0. */
  readonly round: number
  /** Life whose weights it began with; absent for the first. */
  readonly parent?: number
  readonly params: Point
}

/** A member gives up: it continues from another's checkpoint under new hyperparameters. */
export interface ExploitMove<Point> {
  readonly member: number
  /** The member that is copied. */
  readonly from: number
  readonly params: Point
  readonly checkpoint: Snapshot
}

/** One member as it stands. */
export interface PopulationMember<Point> {
  readonly member: number
  readonly params: Point
  /** The last value; absent before the first and after a failure. */
  readonly value?: number
  readonly checkpoint?: Snapshot
  readonly life: number
}

/** A running {@link populationTraining}. */
export interface PopulationTraining<Point> {
  readonly direction: Direction
  /** Rounds reported so far. */
  readonly round: number
  readonly members: readonly PopulationMember<Point>[]
  /** The member with the best value; absent before the first. */
  readonly best: PopulationMember<Point> | undefined
  /** Takes one report for every member, in any order, and says who copies whom. */
  report(results: readonly MemberReport[]): ExploitMove<Point>[]
  /** The lives that led to a member, oldest first: its schedule of hyperparameters. */
  lineage(member: number): Life<Point>[]
  /** Every life there was. */
  readonly lives: readonly Life<Point>[]
  snapshot(): Snapshot
}

const ID = 'evolve/population-training'

/**
 * Opens population-based training: members learn side by side, each with its own hyperparameters; after every round those in the
 * lowest quantile copy a random member of the highest one (exploit: its checkpoint) and vary its hyperparameters (explore: times
 * or divided by `factor`, or drawn anew). What comes out is a trained model and the *schedule* of hyperparameters that
 * trained it, which no search over fixed ones can find; the cost is that of training the members once.
 *
 * Only members that handed in a checkpoint are copied; when none of the best has one, everybody goes on. A member whose round failed
 * counts as worst. This object only decides: {@link trainPopulation} is the loop around it.
 *
 * ```ts
 * import { createSnapshot } from '@regimen/core'
 * import { populationTraining } from '@regimen/evolve'
 *
 * const space = { rate: { type: 'float', low: 1e-4, high: 1, log: true } } as const
 * const population = populationTraining({ space, direction: 'minimize', members: 4, seed: 1 })
 * const checkpoint = createSnapshot({ id: 'example/net', version: 1, config: {}, state: 1 })
 * const moves = population.report([0.4, 0.3, 0.9, 0.2].map((value, member) => ({ member, value, checkpoint })))
 * moves.map(({ member, from }) => [member, from]) // => [[2, 3]]
 * population.lineage(2).map(({ member }) => member) // => [3, 2]
 * ```
 *
 * Reference: M. Jaderberg et al., "Population based training of neural networks", arXiv:1711.09846.
 */
export function populationTraining<const S extends Space>(
  from: PopulationTrainingOptions<S> | Snapshot,
): PopulationTraining<PointOf<S>> {
  const saved = isSnapshot(from) ? restore(from, SCHEMA) : undefined
  const options = (saved?.config ?? from) as PopulationTrainingOptions<S>
  const { direction } = options
  const space = checkSpace(options.space, ID)
  check(
    direction === 'minimize' || direction === 'maximize',
    ID,
    () => `direction must be 'minimize' or 'maximize', got ${describe(direction)}.`,
    'Say it explicitly.',
  )
  const count = checkCount(ID, 'members', options.members ?? 8, 2, 10_000)
  const quantile = checkRange(ID, 'quantile', options.quantile ?? 0.25, Number.MIN_VALUE, 0.5)
  const resample = checkRange(ID, 'resample', options.resample ?? 0.25, 0, 1)
  const factor = options.factor ?? 1.2
  check(factor > 1 && factor < 1e6, ID, () => `factor must be above 1, got ${describe(factor)}.`)
  const rng = new Rng(saved ? (saved.state.rng as RngState) : (options.seed ?? 0))
  const sign = direction === 'maximize' ? -1 : 1
  const lives: Life<PointOf<S>>[] = []
  const held: { life: number; value: number; checkpoint: Snapshot | undefined }[] = []
  let round = 0
  if (saved && isSnapshot(from)) {
    round = saved.state.round
    const { members } = saved.state
    check(
      members.length === count && members.every(({ life }) => life < saved.state.lives.length),
      ID,
      () => `state.members must be ${count} members with lives of their own, got ${members.length}.`,
      'Pass what snapshot() returned.',
    )
    saved.state.lives.forEach((life, id) => {
      check(
        life.id === id && life.member < count && (life.parent ?? -1) < id,
        ID,
        () => `state.lives[${id}] is no life of this population.`,
        'Pass what snapshot() returned.',
      )
      lives.push({ ...life, params: checkPoint(space, life.params as PointOf<S>, ID) } as Life<PointOf<S>>)
    })
    members.forEach(({ life, value }, member) => {
      held.push({ life, value: value ?? Number.POSITIVE_INFINITY, checkpoint: from.children[`member-${member}`] })
    })
  } else {
    for (let member = 0; member < count; member++) {
      lives.push({ id: member, member, round: 0, params: samplePoint(space, rng) })
      held.push({ life: member, value: Number.POSITIVE_INFINITY, checkpoint: undefined })
    }
  }

  const show = (member: number): PopulationMember<PointOf<S>> => {
    const { life, value, checkpoint } = held[member]!
    return {
      member,
      params: lives[life]!.params,
      life,
      ...(value === Number.POSITIVE_INFINITY ? {} : { value: sign * value }),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    }
  }
  const ranked = (): number[] => held.map((_, i) => i).sort((i, j) => order(held[i]!.value, held[j]!.value) || i - j)

  return {
    direction,
    get round() {
      return round
    },
    get members() {
      return held.map((_, member) => show(member))
    },
    get best() {
      const first = ranked()[0]!
      return held[first]!.value === Number.POSITIVE_INFINITY ? undefined : show(first)
    },
    get lives() {
      return lives
    },
    report(results) {
      checkReports(results, count)
      for (const { member, value, checkpoint } of results) {
        const one = held[member]!
        one.value = value === undefined ? Number.POSITIVE_INFINITY : sign * value
        one.checkpoint = value === undefined ? undefined : checkpoint
      }
      round++
      const order = ranked()
      const share = Math.max(1, Math.floor(quantile * count))
      const donors = order
        .filter((member) => held[member]!.checkpoint !== undefined)
        .slice(0, share)
        .map((member) => ({ member, ...held[member]! }))
      const able = (value: number): typeof donors => donors.filter((donor) => donor.value < value)
      // The lowest quantile, and whoever failed; nobody copies what is no better.
      return order
        .filter((member, place) => place >= count - share || held[member]!.value === Number.POSITIVE_INFINITY)
        .filter((member) => able(held[member]!.value).length > 0)
        .sort((i, j) => i - j)
        .map((member) => {
          const better = able(held[member]!.value)
          const donor = better[rng.int(0, better.length)]!
          const params = explore(space, lives[donor.life]!.params, rng, resample, factor)
          const life = lives.length
          lives.push({ id: life, member, round, parent: donor.life, params })
          held[member] = { life, value: donor.value, checkpoint: donor.checkpoint }
          return { member, from: donor.member, params, checkpoint: donor.checkpoint! }
        })
    },
    lineage(member) {
      check(
        Number.isInteger(member) && member >= 0 && member < count,
        ID,
        () => `member must be an integer from 0 to ${count - 1}, got ${describe(member)}.`,
      )
      const out: Life<PointOf<S>>[] = []
      for (let id: number | undefined = held[member]!.life; id !== undefined; id = lives[id]!.parent) {
        out.unshift(lives[id]!)
      }
      return out
    },
    snapshot: () =>
      createSnapshot({
        id: ID,
        version: 1,
        config: cloneTree(JSON.parse(JSON.stringify({ ...options, members: count })) as Tree),
        state: {
          round,
          rng: rng.state(),
          lives: lives.map((life) => ({ ...life })) as unknown as Tree,
          members: held.map(({ life, value }) => ({ life, value: value === Number.POSITIVE_INFINITY ? null : value })),
        },
        children: Object.fromEntries(
          held.flatMap(({ checkpoint }, member) => (checkpoint ? [[`member-${member}`, checkpoint] as const] : [])),
        ),
      }),
  }
}

const COUNT = schema.integer({ min: 0 })
const SCHEMA = {
  id: ID,
  version: 1,
  children: 'any' as const,
  config: schema.any(),
  state: schema.object({
    round: COUNT,
    rng: RNG,
    lives: schema.list(
      schema.object({ id: COUNT, member: COUNT, round: COUNT, parent: schema.optional(COUNT), params: schema.any() }),
    ),
    members: schema.list(schema.object({ life: COUNT, value: schema.nullable(schema.number()) })),
  }),
}

const order = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1)

function checkReports(results: readonly MemberReport[], count: number): void {
  const seen = new Set<number>()
  for (const { member, value } of results) {
    check(
      Number.isInteger(member) && member >= 0 && member < count && !seen.has(member),
      ID,
      () =>
        `every member from 0 to ${count - 1} reports once, got ${describe(member)}${seen.has(member) ? ' twice' : ''}.`,
      'Nothing was changed.',
    )
    check(
      value === undefined || Number.isFinite(value),
      ID,
      () => `the value of member ${member} must be a finite number, got ${describe(value)}.`,
      'Leave the value out where a round failed. Nothing was changed.',
    )
    seen.add(member)
  }
  check(
    seen.size === count,
    ID,
    () => `every one of ${count} members must report, got ${seen.size}.`,
    'Nothing was changed.',
  )
}

/** New hyperparameters near those of the copied member. */
function explore<S extends Space>(
  space: S,
  params: PointOf<S>,
  rng: Rng,
  resample: number,
  factor: number,
): PointOf<S> {
  const fresh = samplePoint(space, rng) as { [name: string]: unknown }
  const next: { [name: string]: unknown } = { ...(params as object) }
  for (const [name, dimension] of Object.entries(space)) {
    if (dimension.type === 'categorical' || rng.uniform() < resample) {
      if (dimension.type !== 'categorical' || rng.uniform() < resample) next[name] = fresh[name]
      continue
    }
    const value = next[name] as number
    const up = rng.uniform() < 0.5
    let moved = up ? value * factor : value / factor
    const grid = dimension.step ?? (dimension.type === 'int' ? 1 : 0)
    // A whole number moves by a step at least.
    if (grid > 0) {
      const steps = Math.round((moved - dimension.low) / grid)
      const before = Math.round((value - dimension.low) / grid)
      moved = dimension.low + grid * (steps === before ? before + (up ? 1 : -1) : steps)
    }
    next[name] = Math.min(dimension.high, Math.max(dimension.low, moved))
  }
  // Through the codec, so that the point lies on its grids for certain.
  return decode(space, encode(space, next as PointOf<S>))
}
