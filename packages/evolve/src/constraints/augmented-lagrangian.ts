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

interface Told {
  readonly id: number
  readonly value: number
  readonly g: readonly number[]
  penalized: number
}

/**
 * Wraps a factory so that constraints are met by an augmented Lagrangian instead of feasibility rules: the inner optimizer sees
 *
 *     L(x) = f(x) + Σ_i { γ_i·g_i + ω_i/2·g_i²   where γ_i + ω_i·g_i ≥ 0
 *                       { −γ_i²/(2·ω_i)           elsewhere
 *
 * for constraints g_i ≤ 0, and after every generation the multipliers γ_i and the weights ω_i follow the constraints at the
 * population's centre. Report the signed g_i as `violations`, also where they are negative. The optimum on a constraint's edge is
 * then an ordinary minimum that can be approached from both sides, so `cmaEs` converges on it to full precision, where
 * feasibility rules cut half of its population off and its step size shrinks early. Take the rules (no wrapper) when constraints are
 * all-or-nothing, not smooth, or most of the space is feasible.
 *
 * `best` is the best *feasible* point that was told; the target of the inner search moves, so its convergence curve may rise.
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
 * CMA-ES", 2016 (the updates).
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

/** Divides a step of the multipliers (d_γ), as in the reference. */
const DAMPING = 5
const K1 = 3
const K2 = 5

function wrap<S extends SearchSpace, Options extends object>(
  id: string,
  inner: SearchFactory<Options>,
  from: (Options & SearchOptions<S>) | Snapshot,
): EvolutionOptimizer<PointFor<S>> {
  const saved = isSnapshot(from)
    ? restore(from, { id, version: 1, config: schema.object({}), state: STATE })
    : undefined
  const child = isSnapshot(from) ? from.children.inner : undefined
  check(
    saved === undefined || child !== undefined,
    id,
    () => 'children.inner is missing.',
    'Pass what snapshot() returned.',
  )
  const optimizer = inner.open<S>(child ?? (from as Options & SearchOptions<S>))
  const sign = optimizer.direction === 'maximize' ? -1 : 1
  const state = saved?.state
  let gamma = state ? Float64Array.from(state.gamma.data) : undefined
  let omega = state ? Float64Array.from(state.omega.data) : new Float64Array(0)
  let before = state?.before ? Float64Array.from(state.before.data) : undefined
  let best = state?.best ?? undefined
  const waiting = new Map<number, PointFor<S>>()
  let point: PointFor<S> | undefined
  let generation: Told[] = []
  if (state) {
    for (const { id: candidate, value, penalized, g } of state.generation) {
      generation.push({ id: candidate, value, penalized, g: Array.from(g.data) })
    }
    for (const [candidate, one] of Object.entries(state.points)) waiting.set(Number(candidate), toPoint<S>(one))
    if (best) point = toPoint<S>(state.point)
  }

  const lagrangian = (value: number, g: readonly number[]): number => {
    let total = value
    for (let i = 0; i < g.length; i++) {
      const [c, w] = [gamma![i]!, omega[i]!]
      total += c + w * g[i]! >= 0 ? c * g[i]! + (w / 2) * g[i]! ** 2 : w > 0 ? -(c * c) / (2 * w) : 0
    }
    return total
  }

  const problemOf = (evaluation: Evaluation, m: number | undefined): string | undefined => {
    if (typeof evaluation !== 'object' || evaluation === null || 'failed' in evaluation) return undefined
    const { id: candidate, violations: g = [] } = evaluation
    if (m !== undefined && g.length !== m) return `id ${candidate} has ${g.length} violations, and others ${m}`
    const bad = g.findIndex((one) => !Number.isFinite(one))
    return bad < 0 ? undefined : `violation ${bad} of id ${candidate} must be a finite number, got ${describe(g[bad])}`
  }

  /** First weights: a typical violation costs about as much as the values differ. */
  const begin = (told: readonly Told[]): void => {
    const m = told[0]!.g.length
    gamma = new Float64Array(m)
    const spread = quartileRange(told.map(({ value }) => value))
    omega = Float64Array.from({ length: m }, (_, i) => {
      const range = quartileRange(told.map(({ g }) => g[i]!))
      return range > 0 && spread > 0 ? (2 * spread) / (range * range) : 1
    })
  }

  const adapt = (): void => {
    if (generation.length === 0 || gamma === undefined) return
    generation.sort((a, b) => a.penalized - b.penalized || a.id - b.id)
    const better = generation.slice(0, Math.max(1, generation.length >> 1))
    const m = gamma.length
    const centre = new Float64Array(m + 1)
    for (const { penalized, g } of better) {
      centre[m]! += penalized / better.length
      for (let i = 0; i < m; i++) centre[i]! += g[i]! / better.length
    }
    const chi = 2 ** (1 / Math.max(2, better.length))
    for (let i = 0; i < m; i++) {
      const g = centre[i]!
      const active = gamma[i]! + omega[i]! * g >= 0
      gamma[i] = Math.max(0, gamma[i]! + (omega[i]! * g) / DAMPING)
      if (before === undefined || !active) continue
      const change = Math.abs(centre[m]! - before[m]!)
      const stiff = omega[i]! * g * g < (K1 * change) / better.length || K2 * Math.abs(g - before[i]!) < Math.abs(g)
      omega[i] = Math.min(1e100, Math.max(1e-100, omega[i]! * (stiff ? chi ** 0.25 : 1 / chi)))
    }
    before = centre
    generation = []
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
      return optimizer.evaluations
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
      const told: Told[] = []
      for (const one of evaluations) {
        // What is no finite number goes to the inner optimizer as it is: it knows what to do with it.
        if (typeof one !== 'object' || one === null || 'failed' in one || !Number.isFinite(one.value)) continue
        told.push({ id: one.id, value: sign * (one.value as number), g: [...(one.violations ?? [])], penalized: 0 })
      }
      const m = gamma?.length ?? told[0]?.g.length
      for (const evaluation of evaluations) {
        const problem = problemOf(evaluation, m)
        check(
          problem === undefined,
          id,
          () => `${problem}.`,
          'Report every g(x), negative where the constraint holds. Nothing was changed.',
        )
      }
      told.sort((a, b) => a.id - b.id)
      const fresh = gamma === undefined && told.length > 0
      if (fresh) begin(told)
      const byId = new Map<number, Told>()
      for (const one of told) {
        one.penalized = lagrangian(one.value, one.g)
        byId.set(one.id, one)
      }
      const { generations } = optimizer
      try {
        optimizer.tell(
          evaluations.map((one) => {
            const known = byId.get(one?.id)
            return known && !('failed' in one) ? { id: one.id, value: sign * known.penalized } : one
          }),
        )
      } catch (error) {
        if (fresh) gamma = undefined
        throw error
      }
      for (const { id: candidate, value, g } of told) {
        if (g.some((one) => one > 0) || (best !== undefined && value >= sign * best.value)) continue
        best = { id: candidate, value: sign * value }
        point = waiting.get(candidate)
      }
      for (const { id: candidate } of evaluations) waiting.delete(candidate)
      generation.push(...told)
      if (optimizer.generations > generations) adapt()
    },
    snapshot: () =>
      createSnapshot({
        id,
        version: 1,
        config: {},
        state: {
          gamma: gamma ? arrayLeaf('float64', [gamma.length], gamma) : arrayLeaf('float64', [0]),
          omega: arrayLeaf('float64', [omega.length], omega),
          before: before ? arrayLeaf('float64', [before.length], before) : null,
          best: best ?? null,
          point: point === undefined ? null : fromPoint(point),
          points: Object.fromEntries([...waiting].map(([candidate, one]) => [String(candidate), fromPoint(one)])),
          generation: generation.map(({ id: candidate, value, penalized, g }) => ({
            id: candidate,
            value,
            penalized,
            g: arrayLeaf('float64', [g.length], g),
          })),
        },
        children: { inner: optimizer.snapshot() },
      }),
  }
}

const NUMBERS = schema.leaf('float64', [null])
const BEST = schema.object({ id: schema.integer({ min: 0 }), value: schema.number() })
const STATE = schema.object({
  gamma: NUMBERS,
  omega: NUMBERS,
  before: schema.nullable(NUMBERS),
  best: schema.nullable(BEST),
  point: schema.any(),
  points: schema.record(schema.any()),
  generation: schema.list(
    schema.object({ id: schema.integer({ min: 0 }), value: schema.number(), penalized: schema.number(), g: NUMBERS }),
  ),
})

/** A point as data: a vector is a leaf, named parameters already are. */
function fromPoint(point: unknown): Tree {
  return point instanceof Float64Array ? arrayLeaf('float64', [point.length], point) : (point as Tree)
}

function toPoint<S extends SearchSpace>(tree: Tree): PointFor<S> {
  return (isArrayLeaf(tree) ? (tree as ArrayLeaf<'float64'>).data.slice() : tree) as PointFor<S>
}

function quartileRange(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.floor(0.75 * (sorted.length - 1))]! - sorted[Math.floor(0.25 * (sorted.length - 1))]!
}
