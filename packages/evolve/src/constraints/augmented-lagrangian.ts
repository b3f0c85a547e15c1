import {
  type ArrayLeaf,
  arrayLeaf,
  type Candidate,
  check,
  createSnapshot,
  describe,
  type Evaluation,
  type Incumbent,
  isArrayLeaf,
  isSnapshot,
  restore,
  type Snapshot,
  schema,
  type Tree,
} from '@regimen/core'
import type { EvolutionOptimizer } from '../engine/engine.ts'
import type { SearchFactory, SearchOptions } from '../engine/factory.ts'
import type { PointFor, SearchSpace } from '../engine/space.ts'

/** A result that waits for its generation to be complete; the value is to be minimized, +Infinity where there is none. */
interface Told {
  readonly id: number
  readonly value: number
  readonly g: readonly number[]
}

/**
 * Wraps a factory so that constraints are met by an augmented Lagrangian instead of feasibility rules: the inner optimizer sees
 *
 *     L(x) = f(x) + Σ_i { γ_i·g_i + ω_i/2·g_i²   where γ_i + ω_i·g_i ≥ 0
 *                       { −γ_i²/(2·ω_i)           elsewhere
 *
 * for constraints g_i ≤ 0, and after every generation the multipliers γ_i and the weights ω_i follow the constraints at the
 * population's centre. Report the signed g_i as `violations`, also where they are negative. The optimum on a constraint's edge is
 * then an ordinary minimum that is approached from both sides. Choose it when several smooth constraints are active at once, where the rules
 * (no wrapper) cut nearly all of the population off; for one constraint, or one that is all-or-nothing, `cmaEs` under the rules is as
 * precise, and never ends outside.
 *
 * `best` is the best *feasible* point that was told; what the inner search minimizes moves. It hears of whole generations only, so that a run
 * does not depend on the order in which results come in.
 *
 * ```ts
 * import { augmentedLagrangian, cmaEs, minimize } from '@regimen/evolve'
 *
 * // The point of the unit disc's outside, x² + y² ≥ 1, that is nearest to (½, 0): (1, 0).
 * const { point } = await minimize(
 *   ([x, y]) => ({ value: (x! - 0.5) ** 2 + y! ** 2, violations: [1 - x! ** 2 - y! ** 2] }),
 *   { dimension: 2, lower: -3, upper: 3 },
 *   { optimizer: augmentedLagrangian(cmaEs), start: [2, 1], evaluations: 2000, seed: 1 },
 * )
 * point[0] // ≈ 1.000
 * point[1] // ≈ 0.000
 * ```
 *
 * References: M. Hestenes 1969 and R. T. Rockafellar 1974; A. Atamna, A. Auger & N. Hansen, "Augmented Lagrangian constraint handling for
 * CMA-ES", 2016 (the updates, with other constants).
 */
export function augmentedLagrangian<Options extends object>(inner: SearchFactory<Options>): SearchFactory<Options> {
  const id = `evolve/augmented-lagrangian/${inner.id.replace(/^evolve\//, '')}`
  return {
    id,
    version: 1,
    open: <const S extends SearchSpace>(from: (Options & SearchOptions<S>) | Snapshot) =>
      wrap<S, Options>(id, inner, from),
  }
}

/** Divides a step of the multipliers (d_γ in the reference, as k₁ and k₂ below). */
const DAMPING = 5
const K1 = 3
const K2 = 5

function wrap<S extends SearchSpace, Options extends object>(
  id: string,
  inner: SearchFactory<Options>,
  from: (Options & SearchOptions<S>) | Snapshot,
): EvolutionOptimizer<PointFor<S>> {
  const saved = isSnapshot(from)
    ? restore(from, { id, version: 1, config: schema.object({}), state: STATE, children: ['inner'] })
    : undefined
  const child = isSnapshot(from) ? from.children.inner : undefined
  const optimizer = inner.open<S>(child ?? (from as Options & SearchOptions<S>))
  const sign = optimizer.direction === 'maximize' ? -1 : 1
  const state = saved?.state
  let multipliers: Multipliers | undefined = state?.multipliers
    ? { gamma: state.multipliers.gamma.data.slice(), omega: state.multipliers.omega.data.slice() }
    : undefined
  /** ḡ and, behind it, f̄ of the generation before. */
  let before = state?.before?.data.slice()
  let best = state?.best ?? undefined
  let point = best ? toPoint<S>(state!.point) : undefined
  let pending: Told[] =
    state?.pending.map(({ id: candidate, value, g }) => ({
      id: candidate,
      value: value ?? Number.POSITIVE_INFINITY,
      g: Array.from(g.data),
    })) ?? []
  const waiting = new Map<number, PointFor<S>>(
    Object.entries(state?.points ?? {}).map(([candidate, one]) => [Number(candidate), toPoint<S>(one)]),
  )

  const problemOf = (evaluation: Evaluation, m: number | undefined, seen: Set<number>): string | undefined => {
    if (typeof evaluation !== 'object' || evaluation === null)
      return `a result must be an object, got ${describe(evaluation)}`
    const { id: candidate } = evaluation
    if (!waiting.has(candidate)) return `id ${describe(candidate)} was never asked for, or was told already`
    if (seen.has(candidate)) return `id ${candidate} is told twice`
    seen.add(candidate)
    if ('failed' in evaluation) return undefined
    const { value, violations: g = [] } = evaluation
    if (typeof value !== 'number' || Number.isNaN(value) || sign * value === Number.NEGATIVE_INFINITY)
      return `the value of id ${candidate} must be a number, and not the best infinity, got ${describe(value)}`
    if (g.length !== m) return `id ${candidate} has ${g.length} violations, and others ${m}`
    const bad = g.findIndex((one) => !Number.isFinite(one))
    return bad < 0 ? undefined : `violation ${bad} of id ${candidate} must be a finite number, got ${describe(g[bad])}`
  }

  /** Hands one generation to the inner optimizer, then moves the multipliers. */
  const learn = (generation: readonly Told[], n: number): void => {
    const sound = generation.filter(({ value }) => value !== Number.POSITIVE_INFINITY)
    if (sound.length > 0) multipliers ??= firstMultipliers(sound)
    const penalized = new Map(sound.map(({ id: one, value, g }) => [one, lagrangian(value, g, multipliers!)]))
    optimizer.tell(
      generation.map(({ id: one }) => {
        const value = penalized.get(one)
        return value === undefined ? { id: one, failed: 'it has no value' } : { id: one, value: sign * value }
      }),
    )
    if (multipliers === undefined || sound.length === 0) return
    sound.sort((a, b) => penalized.get(a.id)! - penalized.get(b.id)! || a.id - b.id)
    const better = sound.slice(0, Math.max(1, sound.length >> 1))
    const { gamma, omega } = multipliers
    const m = gamma.length
    const centre = new Float64Array(m + 1)
    for (const { value, g } of better) {
      centre[m]! += value / better.length
      for (let i = 0; i < m; i++) centre[i]! += g[i]! / better.length
    }
    // How far the Lagrangian of today has moved since the generation before.
    const change = before ? Math.abs(ofCentre(centre, multipliers) - ofCentre(before, multipliers)) : 0
    // The reference raises the weights by χ^¼ and lowers them by χ. Then they stay too small: in 10-D it stalls at 1e-5, this way at 1e-10.
    const chi = 2 ** (1 / n)
    for (let i = 0; i < m; i++) {
      const g = centre[i]!
      const w = omega[i]!
      const active = gamma[i]! + w * g >= 0
      gamma[i] = Math.max(0, gamma[i]! + (w * g) / DAMPING)
      if (before === undefined || !active) continue
      const soft = w * g * g < (K1 * change) / n || K2 * Math.abs(g - before[i]!) < Math.abs(before[i]!)
      omega[i] = Math.min(1e100, Math.max(1e-100, w * (soft ? chi : chi ** -0.25)))
    }
    before = centre
  }

  return {
    direction: optimizer.direction,
    get best(): Incumbent<PointFor<S>> | undefined {
      return best === undefined || point === undefined ? undefined : { id: best.id, point, value: best.value }
    },
    get stopped() {
      return optimizer.stopped
    },
    get evaluations() {
      return optimizer.evaluations + pending.length
    },
    get generations() {
      return optimizer.generations
    },
    get populationSize() {
      return optimizer.populationSize
    },
    ask(n?: number): Candidate<PointFor<S>>[] {
      const asked = optimizer.ask(n)
      for (const { id: candidate, point: one } of asked) waiting.set(candidate, one)
      return asked
    },
    tell(evaluations) {
      const known = pending.find(({ value }) => value !== Number.POSITIVE_INFINITY)?.g.length
      const valued = evaluations.find((one) => typeof one === 'object' && one !== null && !('failed' in one))
      const m =
        multipliers?.gamma.length ?? known ?? (valued && 'value' in valued ? (valued.violations?.length ?? 0) : 0)
      const seen = new Set<number>()
      for (const evaluation of evaluations) {
        const problem = problemOf(evaluation, m, seen)
        check(
          problem === undefined,
          id,
          () => `${problem}.`,
          'Report every g(x), negative where the constraint holds. Nothing was changed.',
        )
      }
      let dimension = 1
      for (const evaluation of evaluations) {
        const { id: candidate } = evaluation
        const asked = waiting.get(candidate)!
        dimension = asked instanceof Float64Array ? asked.length : Object.keys(asked).length
        waiting.delete(candidate)
        const g = 'failed' in evaluation ? [] : [...(evaluation.violations ?? [])]
        const value = 'failed' in evaluation ? Number.POSITIVE_INFINITY : sign * (evaluation.value as number)
        pending.push({ id: candidate, value, g })
        if (value === Number.POSITIVE_INFINITY || g.some((one) => one > 0)) continue
        if (best !== undefined && (value > sign * best.value || (value === sign * best.value && candidate > best.id)))
          continue
        best = { id: candidate, value: sign * value }
        point = asked
      }
      pending.sort((a, b) => a.id - b.id)
      while (pending.length >= optimizer.populationSize && optimizer.stopped === undefined) {
        const size = optimizer.populationSize
        const generation = pending.slice(0, size)
        pending = pending.slice(size)
        learn(generation, dimension)
      }
    },
    snapshot: () =>
      createSnapshot({
        id,
        version: 1,
        config: {},
        state: {
          multipliers: multipliers ? { gamma: toLeaf(multipliers.gamma), omega: toLeaf(multipliers.omega) } : null,
          before: before ? toLeaf(before) : null,
          best: best ?? null,
          point: point === undefined ? null : fromPoint(point),
          points: Object.fromEntries([...waiting].map(([candidate, one]) => [String(candidate), fromPoint(one)])),
          pending: pending.map(({ id: candidate, value, g }) => ({
            id: candidate,
            value: value === Number.POSITIVE_INFINITY ? null : value,
            g: toLeaf(g),
          })),
        },
        children: { inner: optimizer.snapshot() },
      }),
  }
}

interface Multipliers {
  readonly gamma: Float64Array
  readonly omega: Float64Array
}

function lagrangian(value: number, g: ArrayLike<number>, { gamma, omega }: Multipliers): number {
  let total = value
  for (let i = 0; i < gamma.length; i++) {
    const c = gamma[i]!
    const w = omega[i]!
    total += c + w * g[i]! >= 0 ? c * g[i]! + (w / 2) * g[i]! ** 2 : -(c * c) / (2 * w)
  }
  return total
}

function ofCentre(centre: Float64Array, multipliers: Multipliers): number {
  return lagrangian(centre[centre.length - 1]!, centre, multipliers)
}

/** First weights: a typical violation costs about as much as the values differ. */
function firstMultipliers(told: readonly Told[]): Multipliers {
  const m = told[0]!.g.length
  const spread = quartileRange(told.map(({ value }) => value))
  const omega = Float64Array.from({ length: m }, (_, i) => {
    const range = quartileRange(told.map(({ g }) => g[i]!))
    return range > 0 && spread > 0 ? (2 * spread) / (range * range) : 1
  })
  return { gamma: new Float64Array(m), omega }
}

const NUMBERS = schema.leaf('float64', [null])
const COUNT = schema.integer({ min: 0 })
const POINT = schema.union(
  NUMBERS,
  schema.record(schema.union(schema.number(), schema.string(), schema.boolean(), schema.literal(null))),
)
const STATE = schema.object({
  multipliers: schema.nullable(schema.object({ gamma: NUMBERS, omega: NUMBERS })),
  before: schema.nullable(NUMBERS),
  best: schema.nullable(schema.object({ id: COUNT, value: schema.number() })),
  point: schema.nullable(POINT),
  points: schema.record(POINT),
  pending: schema.list(schema.object({ id: COUNT, value: schema.nullable(schema.number()), g: NUMBERS })),
})

function toLeaf(values: readonly number[] | Float64Array): Tree {
  return arrayLeaf('float64', [values.length], values)
}

/** A point as data: a vector is a leaf, named parameters already are. */
function fromPoint(point: unknown): Tree {
  return point instanceof Float64Array ? toLeaf(point) : (point as Tree)
}

function toPoint<S extends SearchSpace>(tree: Tree): PointFor<S> {
  return (isArrayLeaf(tree) ? (tree as ArrayLeaf<'float64'>).data.slice() : tree) as PointFor<S>
}

function quartileRange(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.floor(0.75 * (sorted.length - 1))]! - sorted[Math.floor(0.25 * (sorted.length - 1))]!
}
