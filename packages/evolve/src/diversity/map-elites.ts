import { check, type Direction, describe, type Rng, type Snapshot } from '@regimen/core'
import type { Engine, EvolutionOptimizer } from '../engine/engine.ts'
import { isBetter } from '../engine/engine.ts'
import { checkBounded, checkCount, checkRange } from '../engine/factory.ts'
import { type BehaviourEvaluation, openOptimizer } from '../engine/optimizer.ts'
import { type AnyPoint, createCodec, type PointFor, type SearchSpace } from '../engine/space.ts'
import { varyCoarse } from './vary.ts'

/** One axis of the map: a number that says how a candidate behaves, and how finely it is told apart. */
export interface BehaviourAxis {
  readonly name: string
  /** Smallest value of interest; what lies below counts as this. */
  readonly low: number
  /** Largest value of interest, above `low`. */
  readonly high: number
  /** Cells along this axis, from 1. */
  readonly bins: number
}

/** Options of {@link mapElites}. */
export interface MapElitesOptions<S extends SearchSpace = SearchSpace> {
  /** Named parameters, or a vector with finite bounds. */
  readonly space: S
  readonly direction: Direction
  /** The axes of the map, one to six; at most a million cells together. */
  readonly behaviour: readonly BehaviourAxis[]
  /** @default 0 */
  readonly seed?: number | string
  /**
   * Candidates per generation, from 1.
   * @default 50
   */
  readonly populationSize?: number
  /**
   * Random candidates before the map is bred from, from 1.
   * @default 2 × populationSize
   */
  readonly initial?: number
  /**
   * Deviation of a child in each coordinate, in widths of its range, 0 to 1.
   * @default 0.01
   */
  readonly sigma?: number
  /**
   * Deviation of a child along the line through its two parents, in their distance, 0 to 10.
   * @default 0.2
   */
  readonly lineSigma?: number
}

/** The best candidate of one cell. */
export interface Elite<Point> {
  readonly point: Point
  readonly value: number
  /** As it was told. */
  readonly behaviour: readonly number[]
  /** Bin along each axis, from 0. */
  readonly cell: readonly number[]
}

/** A running {@link mapElites}. */
export interface MapElitesOptimizer<Point> extends EvolutionOptimizer<Point> {
  tell(evaluations: readonly BehaviourEvaluation[]): void
  /** The best of every cell that was reached, in the order of the cells. */
  elites(): Elite<Point>[]
  /** Share of the cells that were reached, 0 to 1. */
  coverage(): number
}

/** Opens {@link mapElites}. */
export interface MapElitesFactory {
  readonly id: string
  readonly version: number
  open<const S extends SearchSpace>(from: MapElitesOptions<S> | Snapshot): MapElitesOptimizer<PointFor<S>>
}

interface MapEngine extends Engine<AnyPoint> {
  elites(): { row: Float64Array; value: number; behaviour: number[]; cell: number[] }[]
  coverage(): number
}

/**
 * Fills a map with the best solution for every way to behave (quality-diversity): each result says, beside its value, how the
 * candidate behaved, and every cell of that behaviour space keeps its best. Children come from two random elites by
 *
 *     x = x₁ + σ·range∘z + σ_line·(x₂ − x₁)·z₀
 *
 * The answer is not one strategy but a repertoire: the best one for each turnover and each holding time, say, to choose from when
 * the market changes. Where only diversity counts take {@link noveltySearch}; where the axes are themselves to be optimized take
 * `nsga2`. Memory grows with the cells, not with the run.
 *
 * ```ts
 * import { mapElites } from '@regimen/evolve'
 *
 * const optimizer = mapElites.open({
 *   space: { dimension: 2, lower: -1, upper: 1 },
 *   direction: 'maximize',
 *   behaviour: [{ name: 'x', low: -1, high: 1, bins: 8 }],
 *   seed: 1,
 * })
 * while (optimizer.evaluations < 2000) {
 *   const asked = optimizer.ask()
 *   optimizer.tell(asked.map(({ id, point: [x, y] }) => ({ id, value: -(y! ** 2), behaviour: [x!] })))
 * }
 * optimizer.coverage() // => 1
 * optimizer.elites().every(({ value }) => value > -0.01) // => true
 * ```
 *
 * References: J.-B. Mouret & J. Clune, "Illuminating search spaces by mapping elites", arXiv:1504.04909; V. Vassiliades & J.-B.
 * Mouret, "Discovering the elite hypervolume by leveraging interspecies correlation", 2018 (the variation).
 */
export const mapElites: MapElitesFactory = {
  id: 'evolve/map-elites',
  version: 1,
  open<const S extends SearchSpace>(from: MapElitesOptions<S> | Snapshot): MapElitesOptimizer<PointFor<S>> {
    const opened = openOptimizer<MapElitesOptions, AnyPoint, MapEngine>(
      mapElites.id,
      mapElites.version,
      from as MapElitesOptions | Snapshot,
      createMapEngine,
    )
    const { engine, direction } = opened
    const sign = direction === 'maximize' ? -1 : 1
    const methods = {
      coverage: () => engine.coverage(),
      elites: () =>
        engine.elites().map(({ row, value, behaviour, cell }) => ({
          point: engine.decode(row, 0),
          value: sign * value + 0,
          behaviour,
          cell,
        })),
    }
    // The codec gives the points of the very space that S describes; the type system cannot follow the data.
    return Object.assign(opened, methods) as unknown as MapElitesOptimizer<PointFor<S>>
  },
}

function createMapEngine(options: MapElitesOptions, rng: Rng): MapEngine {
  const { id } = mapElites
  const codec = createCodec(options.space, id)
  checkBounded(id, codec)
  const { behaviour } = options
  check(
    Array.isArray(behaviour) && behaviour.length >= 1 && behaviour.length <= 6,
    id,
    () => `behaviour must list one to six axes, got ${describe(behaviour)}.`,
    "Pass [{ name: 'turnover', low: 0, high: 10, bins: 20 }].",
  )
  let cells = 1
  for (const { name, low, high, bins } of behaviour) {
    check(
      Number.isFinite(low) && Number.isFinite(high) && low < high,
      id,
      () => `behaviour ${describe(name)} needs finite low < high, got ${describe(low)} and ${describe(high)}.`,
    )
    cells *= checkCount(id, `bins of behaviour ${describe(name)}`, bins, 1, 1e6)
  }
  check(cells <= 1e6, id, () => `the map must have at most 1000000 cells, got ${cells}.`, 'Take fewer bins.')
  const size = checkCount(id, 'populationSize', options.populationSize ?? 50, 1)
  const initial = checkCount(id, 'initial', options.initial ?? 2 * size, 1)
  const sigma = checkRange(id, 'sigma', options.sigma ?? 0.01, 0, 1)
  const lineSigma = checkRange(id, 'lineSigma', options.lineSigma ?? 0.2, 0, 10)
  const { n, lower, upper, grain } = codec
  const b = behaviour.length
  const s = {
    proposed: 0,
    /** Cells in the order in which they were reached. */
    reached: new Int32Array(0) as Int32Array,
    genomes: new Float64Array(cells * n),
    values: new Float64Array(cells).fill(Number.POSITIVE_INFINITY),
    behaviours: new Float64Array(cells * b),
  }
  const cellOf = (behaviours: Float64Array, at: number): number => {
    let cell = 0
    for (let k = 0; k < b; k++) {
      const { low, high, bins } = behaviour[k]!
      const bin = Math.floor((bins * (behaviours[at + k]! - low)) / (high - low))
      cell = cell * bins + Math.min(bins - 1, Math.max(0, bin))
    }
    return cell
  }
  return {
    width: n,
    size,
    behaviours: b,
    stopped: undefined,
    state: s,
    grows: ['reached'],
    decode: (rows, at) => codec.decode(rows, at),
    propose(rows, at) {
      const { reached, genomes } = s
      if (s.proposed++ < initial || reached.length === 0) {
        for (let i = 0; i < n; i++) rows[at + i] = rng.uniform(lower[i]!, upper[i]!)
        return
      }
      const first = reached[rng.int(0, reached.length)]! * n
      const second = reached[rng.int(0, reached.length)]! * n
      const along = lineSigma * rng.normal()
      for (let i = 0; i < n; i++) {
        const x = genomes[first + i]!
        const range = upper[i]! - lower[i]!
        const next =
          grain[i] === 0
            ? x + sigma * range * rng.normal() + along * (genomes[second + i]! - x)
            : varyCoarse(rng, x, genomes[second + i]!, lower[i]!, upper[i]!, 1 / n)
        rows[at + i] = Math.min(upper[i]!, Math.max(lower[i]!, next))
      }
    },
    learn(batch) {
      const found: number[] = []
      for (let k = 0; k < batch.count; k++) {
        if (batch.violations[k] !== 0) continue
        const cell = cellOf(batch.behaviours, k * b)
        if (!isBetter(0, batch.values[k]!, 0, s.values[cell]!)) continue
        if (s.values[cell] === Number.POSITIVE_INFINITY) found.push(cell)
        s.values[cell] = batch.values[k]!
        s.genomes.set(batch.rows.subarray(k * n, k * n + n), cell * n)
        s.behaviours.set(batch.behaviours.subarray(k * b, k * b + b), cell * b)
      }
      if (found.length === 0) return
      const grown = new Int32Array(s.reached.length + found.length)
      grown.set(s.reached)
      grown.set(found, s.reached.length)
      s.reached = grown
    },
    coverage: () => s.reached.length / cells,
    elites: () =>
      Array.from(s.reached.slice().sort(), (cell) => {
        const place: number[] = []
        for (let k = b - 1, rest = cell; k >= 0; k--) {
          place.unshift(rest % behaviour[k]!.bins)
          rest = Math.floor(rest / behaviour[k]!.bins)
        }
        return {
          row: s.genomes.slice(cell * n, cell * n + n),
          value: s.values[cell]!,
          behaviour: Array.from(s.behaviours.subarray(cell * b, cell * b + b)),
          cell: place,
        }
      }),
  }
}
