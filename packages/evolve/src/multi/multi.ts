import {
  type Candidate,
  check,
  type Direction,
  describe,
  type Evaluation,
  type Optimizer,
  type Rng,
  type Snapshot,
} from '@regimen/core'
import type { Batch, Engine } from '../engine/engine.ts'
import { checkBounded, checkCount, checkRange } from '../engine/factory.ts'
import { openOptimizer } from '../engine/optimizer.ts'
import { type AnyPoint, type Codec, createCodec, type PointFor, type SearchSpace } from '../engine/space.ts'
import { polynomialMutation, sbxCrossover } from '../operators/real.ts'

/** A member of a Pareto front. */
export interface FrontMember<Point> {
  readonly point: Point
  /** The objectives as they were told. */
  readonly values: readonly number[]
}

/** An optimizer of several objectives; `best` stays undefined and `front()` answers instead. */
export interface MultiOptimizer<Point> extends Optimizer<Point> {
  readonly direction: readonly Direction[]
  readonly evaluations: number
  readonly generations: number
  readonly populationSize: number
  ask(n?: number): Candidate<Point>[]
  tell(evaluations: readonly Evaluation[]): void
  /** The feasible members of the population that no other dominates. */
  front(): FrontMember<Point>[]
}

/** Options that {@link nsga2} and {@link nsga3} share. */
export interface MultiOptions<S extends SearchSpace = SearchSpace> {
  /** Named parameters, or a vector with finite bounds. */
  readonly space: S
  /** One for each objective, at least two. */
  readonly direction: readonly Direction[]
  /** @default 0 */
  readonly seed?: number | string
  /**
   * Members, from 4.
   * @default 100; for nsga3 the number of reference directions, rounded up to a multiple of 4
   */
  readonly populationSize?: number
  /**
   * Probability that two parents are crossed, 0 to 1.
   * @default 0.9
   */
  readonly crossover?: number
  /**
   * Distribution index of the crossover, from 0: larger keeps children closer to their parents.
   * @default 15
   */
  readonly crossoverEta?: number
  /**
   * Probability that a coordinate mutates, 0 to 1.
   * @default 1 / dimensions
   */
  readonly mutation?: number
  /**
   * Distribution index of the mutation, from 0.
   * @default 20
   */
  readonly mutationEta?: number
}

/** Opens {@link nsga2} or {@link nsga3}. */
export interface MultiFactory<Options extends object> {
  readonly id: string
  readonly version: number
  open<const S extends SearchSpace>(from: (Options & MultiOptions<S>) | Snapshot): MultiOptimizer<PointFor<S>>
}

/** Chooses who stays, and who is preferred as a parent. */
export interface Survival {
  /** Writes `keep` members' numbers of the merged population into `chosen`, and their fitness as parents. */
  select(
    values: Float64Array,
    violations: Float64Array,
    count: number,
    keep: number,
    chosen: Int32Array,
    rank: Int32Array,
    tieBreak: Float64Array,
  ): void
}

interface MultiEngine extends Engine<AnyPoint> {
  front(): { rows: Float64Array; values: number[] }[]
}

/** Makes the factory of a multi-objective algorithm: mating is the same for all, survival differs. */
export function defineMulti<Options extends object>(
  id: string,
  version: number,
  survival: (options: Options & MultiOptions, m: number, populationSize: number) => Survival,
  defaultSize: (options: Options & MultiOptions, m: number) => number,
): MultiFactory<Options> {
  return {
    id,
    version,
    open<const S extends SearchSpace>(from: (Options & MultiOptions<S>) | Snapshot): MultiOptimizer<PointFor<S>> {
      const opened = openOptimizer<Options & MultiOptions, AnyPoint, MultiEngine>(id, version, from, (config, rng) => {
        const { direction, space } = config
        check(
          Array.isArray(direction) && direction.length >= 2,
          id,
          () => `direction must list at least two objectives, got ${describe(direction)}.`,
          'For one objective take cmaEs or lshade.',
        )
        const codec = createCodec(space, id)
        checkBounded(id, codec)
        const m = direction.length
        const size = checkCount(id, 'populationSize', config.populationSize ?? defaultSize(config, m), 4)
        return createEngine(id, config, codec, rng, m, size, survival(config, m, size))
      })
      const { engine, direction } = opened
      const signs = (direction as readonly Direction[]).map((one) => (one === 'maximize' ? -1 : 1))
      const multi: MultiOptimizer<AnyPoint> = {
        direction: direction as readonly Direction[],
        best: undefined,
        get stopped() {
          return undefined
        },
        get evaluations() {
          return opened.evaluations
        },
        get generations() {
          return opened.generations
        },
        get populationSize() {
          return opened.populationSize
        },
        ask: (n) => opened.ask(n),
        tell: (evaluations) => opened.tell(evaluations),
        snapshot: () => opened.snapshot(),
        front: () =>
          engine.front().map(({ rows, values }) => ({
            point: engine.decode(rows, 0),
            values: values.map((value, k) => signs[k]! * value + 0),
          })),
      }
      // The codec gives the points of the very space that S describes; the type system cannot follow the data.
      return multi as unknown as MultiOptimizer<PointFor<S>>
    },
  }
}

function createEngine(
  id: string,
  options: MultiOptions,
  codec: Codec,
  rng: Rng,
  m: number,
  size: number,
  survival: Survival,
): MultiEngine {
  const { n, lower, upper } = codec
  const { crossover = 0.9, crossoverEta = 15, mutation = 1 / n, mutationEta = 20 } = options
  checkRange(id, 'crossover', crossover, 0, 1)
  checkRange(id, 'mutation', mutation, 0, 1)
  checkRange(id, 'crossoverEta', crossoverEta, 0, 1000)
  checkRange(id, 'mutationEta', mutationEta, 0, 1000)
  const s = {
    filled: false,
    genomes: new Float64Array(size * n),
    values: new Float64Array(size * m),
    violations: new Float64Array(size),
    rank: new Int32Array(size),
    tieBreak: new Float64Array(size),
    spare: new Float64Array(n),
    hasSpare: false,
  }
  const total = 2 * size
  const genomes = new Float64Array(total * n)
  const values = new Float64Array(total * m)
  const violations = new Float64Array(total)
  const chosen = new Int32Array(size)
  const child = new Float64Array(n)

  const tournament = (): number => {
    const a = rng.int(0, size)
    const b = rng.int(0, size)
    if (s.rank[a] !== s.rank[b]) return s.rank[a]! < s.rank[b]! ? a : b
    if (s.tieBreak[a] !== s.tieBreak[b]) return s.tieBreak[a]! > s.tieBreak[b]! ? a : b
    return rng.uniform() < 0.5 ? a : b
  }
  const genome = (i: number): Float64Array => s.genomes.subarray(i * n, i * n + n)

  return {
    width: n,
    size,
    objectives: m,
    stopped: undefined,
    state: s,
    decode: (rows, at) => codec.decode(rows, at),
    propose(rows, at) {
      if (!s.filled) {
        for (let i = 0; i < n; i++) rows[at + i] = rng.uniform(lower[i]!, upper[i]!)
        return
      }
      if (s.hasSpare) {
        rows.set(s.spare, at)
        s.hasSpare = false
        return
      }
      const mother = genome(tournament())
      const father = genome(tournament())
      if (rng.uniform() < crossover) sbxCrossover(rng, mother, father, child, s.spare, lower, upper, crossoverEta)
      else {
        child.set(mother)
        s.spare.set(father)
      }
      polynomialMutation(rng, child, lower, upper, mutationEta, mutation)
      polynomialMutation(rng, s.spare, lower, upper, mutationEta, mutation)
      s.hasSpare = true
      rows.set(child, at)
    },
    learn(batch: Batch) {
      const held = s.filled ? size : 0
      const count = held + batch.count
      genomes.set(s.genomes.subarray(0, held * n))
      genomes.set(batch.rows, held * n)
      values.set(s.values.subarray(0, held * m))
      values.set(batch.values, held * m)
      violations.set(s.violations.subarray(0, held))
      violations.set(batch.violations, held)
      survival.select(values, violations, count, size, chosen, s.rank, s.tieBreak)
      for (let k = 0; k < size; k++) {
        const i = chosen[k]!
        s.genomes.set(genomes.subarray(i * n, i * n + n), k * n)
        s.values.set(values.subarray(i * m, i * m + m), k * m)
        s.violations[k] = violations[i]!
      }
      s.filled = true
    },
    front() {
      const out: { rows: Float64Array; values: number[] }[] = []
      if (!s.filled) return out
      for (let k = 0; k < size; k++) {
        if (s.rank[k] !== 0 || s.violations[k] !== 0) continue
        out.push({ rows: genome(k), values: Array.from(s.values.subarray(k * m, k * m + m)) })
      }
      return out
    },
  }
}
