import { check, type Direction, describe, type Rng, type Snapshot } from '@regimen/core'
import type { Engine, EvolutionOptimizer } from './engine.ts'
import { openOptimizer } from './optimizer.ts'
import { type AnyPoint, type Codec, createCodec, type PointFor, type SearchSpace } from './space.ts'

/** What every optimizer over a {@link SearchSpace} is given beside its own options. */
export interface SearchOptions<S extends SearchSpace = SearchSpace> {
  /** Named parameters (`Space` of `@regimen/core`), or a vector (`{ dimension, lower, upper }`). */
  readonly space: S
  /** Whether small or large values are sought. */
  readonly direction: Direction
  /**
   * Same seed, same run.
   * @default 0
   */
  readonly seed?: number | string
  /**
   * A point to begin at, within the bounds.
   * @default the middle of the bounds (0 where there are none), or a random population
   */
  readonly start?: PointFor<S> | readonly number[]
}

/** An optimizer that searches a {@link SearchSpace}, opened from options or continued from a snapshot. */
export interface SearchFactory<Options extends object> {
  /** Registered name, `evolve/algorithm`. */
  readonly id: string
  /** Version of the state's layout. */
  readonly version: number
  open<const S extends SearchSpace>(from: (Options & SearchOptions<S>) | Snapshot): EvolutionOptimizer<PointFor<S>>
}

/** What an engine over a search space is made from. */
export interface Setting<Options> {
  readonly id: string
  readonly options: Options
  readonly codec: Codec
  readonly rng: Rng
  /** The starting point in coordinates, where one was given. */
  readonly start: Float64Array | undefined
}

/** Makes the factory of an engine over a search space. */
export function defineSearch<Options extends object>(
  id: string,
  version: number,
  create: (setting: Setting<Options>) => Engine<AnyPoint>,
): SearchFactory<Options> {
  return {
    id,
    version,
    open<const S extends SearchSpace>(from: (Options & SearchOptions<S>) | Snapshot): EvolutionOptimizer<PointFor<S>> {
      const opened = openOptimizer<Options & SearchOptions<S>, AnyPoint, Engine<AnyPoint>>(
        id,
        version,
        from,
        (config, rng) => {
          const codec = createCodec(config.space, id)
          const start = config.start === undefined ? undefined : codec.encode(config.start)
          return create({ id, options: config, codec, rng, start })
        },
      )
      // The codec gives the points of the very space that S describes; the type system cannot follow the data.
      return opened as unknown as EvolutionOptimizer<PointFor<S>>
    },
  }
}

/** Checks an option that counts something. */
export function checkCount(id: string, name: string, value: number, min: number, max = 1e7): number {
  check(
    Number.isInteger(value) && value >= min && value <= max,
    id,
    () => `${name} must be an integer from ${min} to ${max}, got ${describe(value)}.`,
  )
  return value
}

/** Checks an option that measures something. */
export function checkRange(id: string, name: string, value: number, min: number, max: number): number {
  check(
    typeof value === 'number' && value >= min && value <= max,
    id,
    () => `${name} must be a number from ${min} to ${max}, got ${describe(value)}.`,
  )
  return value
}

/** Refuses spaces with a bound at infinity, for algorithms that start with a population all over the space. */
export function checkBounded(id: string, codec: Codec): void {
  check(
    codec.bounded,
    id,
    () => 'the space must have two finite bounds for every coordinate.',
    'Pass { lower, upper }, or take cmaEs, xnes or snes, which do without.',
  )
}
