import type { Direction, Rng, Snapshot } from '@regimen/core'
import type { Batch, Engine, EvolutionOptimizer } from '../engine/engine.ts'
import { checkBounded, checkCount, checkRange } from '../engine/factory.ts'
import { type BehaviourEvaluation, openOptimizer } from '../engine/optimizer.ts'
import { type AnyPoint, createCodec, type PointFor, type SearchSpace } from '../engine/space.ts'
import { polynomialMutation, sbxCrossover } from '../operators/real.ts'
import { varyCoarse } from './vary.ts'

/** Options of {@link noveltySearch}. */
export interface NoveltyOptions<S extends SearchSpace = SearchSpace> {
  /** Named parameters, or a vector with finite bounds. */
  readonly space: S
  /** Which values `best` is chosen by; the search itself looks at them only as far as `quality` says. */
  readonly direction: Direction
  /** Numbers that describe how a candidate behaved, from 1; scale them alike, for distances are Euclidean. */
  readonly behaviours: number
  /** @default 0 */
  readonly seed?: number | string
  /**
   * Candidates per generation, from 4.
   * @default 60
   */
  readonly populationSize?: number
  /**
   * Nearest behaviours that novelty is measured against, from 1.
   * @default 15
   */
  readonly neighbours?: number
  /**
   * Random members of each generation that the archive takes, from 0.
   * @default 6
   */
  readonly archiveRate?: number
  /**
   * Most behaviours in the archive, from 1; the oldest leave.
   * @default 1000
   */
  readonly archiveCapacity?: number
  /**
   * Weight of the value's rank beside the novelty's rank when parents are chosen, 0 to 1.
   * @default 0
   */
  readonly quality?: number
}

/** A running {@link noveltySearch}. */
export interface NoveltyOptimizer<Point> extends EvolutionOptimizer<Point> {
  tell(evaluations: readonly BehaviourEvaluation[]): void
  /** What has been seen: points with their behaviours, oldest first. */
  archive(): { readonly point: Point; readonly behaviour: readonly number[] }[]
}

/** Opens {@link noveltySearch}. */
export interface NoveltyFactory {
  readonly id: string
  readonly version: number
  open<const S extends SearchSpace>(from: NoveltyOptions<S> | Snapshot): NoveltyOptimizer<PointFor<S>>
}

interface NoveltyEngine extends Engine<AnyPoint> {
  archive(): { row: Float64Array; behaviour: number[] }[]
}

/**
 * Searches for behaviour that has not been seen, whatever its value: a candidate's novelty is its mean distance to the nearest
 * behaviours among its generation and an archive of earlier ones,
 *
 *     ρ(x) = 1/k · Σ_{i ≤ k} ‖b(x) − b(μ_i)‖
 *
 * and the most novel become parents. For deceptive objectives, whose slope leads away from the goal, and for collecting different
 * candidates; `best` still is the best value that was met on the way. Where the best of each behaviour is wanted take
 * {@link mapElites}. A generation of λ takes O(λ·(λ + archive)) distances.
 *
 * ```ts
 * import { noveltySearch } from '@regimen/evolve'
 *
 * const optimizer = noveltySearch.open({ space: { dimension: 2, lower: -1, upper: 1 }, direction: 'maximize', behaviours: 2, seed: 1 })
 * while (optimizer.generations < 20) {
 *   const asked = optimizer.ask()
 *   optimizer.tell(asked.map(({ id, point: [x, y] }) => ({ id, value: x! + y!, behaviour: [x!, y!] })))
 * }
 * optimizer.archive().length // => 120
 * ```
 *
 * Reference: J. Lehman & K. Stanley, "Abandoning objectives: evolution through the search for novelty alone", 2011.
 */
export const noveltySearch: NoveltyFactory = {
  id: 'evolve/novelty-search',
  version: 1,
  open<const S extends SearchSpace>(from: NoveltyOptions<S> | Snapshot): NoveltyOptimizer<PointFor<S>> {
    const opened = openOptimizer<NoveltyOptions, AnyPoint, NoveltyEngine>(
      noveltySearch.id,
      noveltySearch.version,
      from as NoveltyOptions | Snapshot,
      createNoveltyEngine,
    )
    const { engine } = opened
    const archive = () => engine.archive().map(({ row, behaviour }) => ({ point: engine.decode(row, 0), behaviour }))
    // The codec gives the points of the very space that S describes; the type system cannot follow the data.
    return Object.assign(opened, { archive }) as unknown as NoveltyOptimizer<PointFor<S>>
  },
}

function createNoveltyEngine(options: NoveltyOptions, rng: Rng): NoveltyEngine {
  const { id } = noveltySearch
  const codec = createCodec(options.space, id)
  checkBounded(id, codec)
  const b = checkCount(id, 'behaviours', options.behaviours, 1, 1000)
  const size = checkCount(id, 'populationSize', options.populationSize ?? 60, 4)
  const neighbours = checkCount(id, 'neighbours', options.neighbours ?? 15, 1)
  const rate = checkCount(id, 'archiveRate', options.archiveRate ?? 6, 0, size)
  const capacity = checkCount(id, 'archiveCapacity', options.archiveCapacity ?? 1000, 1)
  const quality = checkRange(id, 'quality', options.quality ?? 0, 0, 1)
  const { n, lower, upper, grain } = codec
  const s = {
    filled: false,
    /** Archive entries ever taken; the next one goes to this place modulo the capacity. */
    taken: 0,
    /** The parents, most wanted first. */
    parents: new Float64Array(size * n),
    archived: new Float64Array(capacity * b),
    archivedRows: new Float64Array(capacity * n),
  }
  const child = new Float64Array(n)
  const other = new Float64Array(n)
  const novelty = new Float64Array(size)
  const nearest = new Float64Array(neighbours)

  const measure = (batch: Batch, i: number): number => {
    const known = Math.min(s.taken, capacity)
    const k = Math.min(neighbours, known + batch.count - 1)
    nearest.fill(Number.POSITIVE_INFINITY)
    for (let j = 0; j < batch.count; j++) {
      if (j !== i && Number.isFinite(batch.violations[j]!))
        insert(nearest, distance(batch.behaviours, i, batch.behaviours, j, b))
    }
    for (let j = 0; j < known; j++) insert(nearest, distance(batch.behaviours, i, s.archived, j, b))
    let sum = 0
    let used = 0
    for (; used < k && Number.isFinite(nearest[used]!); used++) sum += nearest[used]!
    return used > 0 ? sum / used : 0
  }

  const tournament = (): Float64Array => {
    const place = Math.min(rng.int(0, size), rng.int(0, size))
    return s.parents.subarray(place * n, place * n + n)
  }

  return {
    width: n,
    size,
    behaviours: b,
    stopped: undefined,
    state: s,
    decode: (rows, at) => codec.decode(rows, at),
    propose(rows, at) {
      if (!s.filled) {
        for (let i = 0; i < n; i++) rows[at + i] = rng.uniform(lower[i]!, upper[i]!)
        return
      }
      const mother = tournament()
      const father = tournament()
      sbxCrossover(rng, mother, father, child, other, lower, upper, 10)
      polynomialMutation(rng, child, lower, upper, 20, 1 / n)
      for (let i = 0; i < n; i++) {
        if (grain[i]! > 0) child[i] = varyCoarse(rng, mother[i]!, father[i]!, lower[i]!, upper[i]!, 1 / n)
      }
      rows.set(child, at)
    },
    learn(batch) {
      for (let i = 0; i < size; i++) novelty[i] = batch.violations[i] === 0 ? measure(batch, i) : -1
      const places = Int32Array.from({ length: size }, (_, i) => i)
      const byNovelty = ranksOf(places, (i, j) => novelty[j]! - novelty[i]!)
      const byValue = ranksOf(
        places,
        (i, j) => batch.violations[i]! - batch.violations[j]! || batch.values[i]! - batch.values[j]!,
      )
      const score = (i: number): number =>
        batch.violations[i] === 0 ? (1 - quality) * byNovelty[i]! + quality * byValue[i]! : size + byValue[i]!
      places
        .slice()
        .sort((i, j) => score(i) - score(j) || i - j)
        .forEach((i, place) => {
          s.parents.set(batch.rows.subarray(i * n, i * n + n), place * n)
        })
      s.filled = true
      for (const i of rng.sample(size, rate)) {
        if (!Number.isFinite(batch.violations[i]!)) continue
        const place = s.taken++ % capacity
        s.archived.set(batch.behaviours.subarray(i * b, i * b + b), place * b)
        s.archivedRows.set(batch.rows.subarray(i * n, i * n + n), place * n)
      }
    },
    archive() {
      const known = Math.min(s.taken, capacity)
      return Array.from({ length: known }, (_, k) => {
        const place = (s.taken - known + k) % capacity
        return {
          row: s.archivedRows.slice(place * n, place * n + n),
          behaviour: Array.from(s.archived.subarray(place * b, place * b + b)),
        }
      })
    },
  }
}

function distance(a: Float64Array, i: number, c: Float64Array, j: number, b: number): number {
  let sum = 0
  for (let k = 0; k < b; k++) sum += (a[i * b + k]! - c[j * b + k]!) ** 2
  return Math.sqrt(sum)
}

/** Keeps the smallest numbers, ascending. */
function insert(smallest: Float64Array, value: number): void {
  let place = smallest.length - 1
  if (!(value < smallest[place]!)) return
  for (; place > 0 && smallest[place - 1]! > value; place--) smallest[place] = smallest[place - 1]!
  smallest[place] = value
}

/** The rank of each place, 0 for the first. */
function ranksOf(places: Int32Array, compare: (i: number, j: number) => number): Int32Array {
  const ranks = new Int32Array(places.length)
  places
    .slice()
    .sort((i, j) => compare(i, j) || i - j)
    .forEach((i, rank) => {
      ranks[i] = rank
    })
  return ranks
}
