import { check, describe } from './errors.ts'
import type { Rng } from './rng.ts'

/** A real parameter between two finite bounds, both included. */
export interface FloatDimension {
  readonly type: 'float'
  readonly low: number
  readonly high: number
  /** Search on a logarithmic scale; needs `low` > 0. */
  readonly log?: boolean
  /** Grid width, counted from `low`. */
  readonly step?: number
}

/** A whole-numbered parameter between two bounds, both included. */
export interface IntDimension {
  readonly type: 'int'
  readonly low: number
  readonly high: number
  readonly log?: boolean
  readonly step?: number
}

/** One of a fixed list of values. */
export interface CategoricalDimension<
  Value extends string | number | boolean | null = string | number | boolean | null,
> {
  readonly type: 'categorical'
  readonly choices: readonly Value[]
}

/** One searched parameter. */
export type Dimension = FloatDimension | IntDimension | CategoricalDimension

/** Names and ranges of what is searched; shared by every optimizer. */
export interface Space {
  readonly [name: string]: Dimension
}

/** The point that a {@link Space} describes. */
export type PointOf<S extends Space> = { -readonly [K in keyof S]: ValueOf<S[K]> }

// On its own, so that it distributes over the union that an untyped space has.
type ValueOf<D> = D extends CategoricalDimension<infer Value> ? Value : number

/** How many equally likely values a dimension has; Infinity for a real one without a grid. */
function levels(dimension: Dimension): number {
  if (dimension.type === 'categorical') return dimension.choices.length
  const step = dimension.step ?? (dimension.type === 'int' ? 1 : 0)
  // A hair of tolerance: (0.3 − 0) / 0.1 is 2.9999999999999996.
  return step > 0 ? Math.floor((dimension.high - dimension.low) / step + 1e-9) + 1 : Number.POSITIVE_INFINITY
}

/**
 * Checks that a search space makes sense and returns it: bounds finite and in order, logarithmic ones above 0, steps
 * positive and not on a logarithmic scale, choices present and different.
 *
 * ```ts
 * import { checkSpace } from '@regimen/core'
 *
 * checkSpace({ rate: { type: 'float', low: 1e-4, high: 1, log: true } }).rate.high // => 1
 * ```
 */
export function checkSpace<S extends Space>(space: S, where = 'core/space'): S {
  const names = Object.keys(space)
  check(names.length > 0, where, () => 'the space must have at least one dimension, got {}.')
  for (const name of names) {
    const dimension = space[name]!
    if (dimension.type === 'categorical') {
      const { choices } = dimension
      check(
        Array.isArray(choices) && choices.length > 0 && new Set(choices).size === choices.length,
        where,
        () => `${name}.choices must be different values, at least one, got ${describe(choices)}.`,
      )
      continue
    }
    const { type, low, high, log = false, step } = dimension
    check(
      type === 'float' || type === 'int',
      where,
      () => `${name}.type must be 'float', 'int' or 'categorical', got ${describe(type)}.`,
    )
    check(
      Number.isFinite(low) && Number.isFinite(high) && low <= high,
      where,
      () => `${name} needs finite low ≤ high, got ${describe(low)} and ${describe(high)}.`,
    )
    check(!log || low > 0, where, () => `${name}.low must be above 0 on a logarithmic scale, got ${low}.`)
    if (type === 'int')
      check(
        Number.isSafeInteger(low) && Number.isSafeInteger(high) && (step === undefined || Number.isInteger(step)),
        where,
        () => `${name} must have whole low, high and step, got ${low}, ${high} and ${step}.`,
      )
    check(
      step === undefined || (step > 0 && Number.isFinite(step)),
      where,
      () => `${name}.step must be above 0, got ${step}.`,
    )
    check(
      !log || step === undefined || (type === 'int' && step === 1),
      where,
      () => `${name} cannot have both log and step ${step}.`,
      'Leave one of them out.',
    )
  }
  return space
}

/**
 * Checks that a point lies in the space, on its grids, and has no name too many or too few; returns it.
 *
 * ```ts
 * import { checkPoint } from '@regimen/core'
 *
 * checkPoint({ depth: { type: 'int', low: 1, high: 9 } }, { depth: 3 }).depth // => 3
 * ```
 */
export function checkPoint<S extends Space>(space: S, point: PointOf<S>, where = 'core/space'): PointOf<S> {
  const values = point as { readonly [name: string]: unknown }
  for (const name of Object.keys(values))
    check(Object.hasOwn(space, name), where, () => `the point has ${name}, which the space has not.`)
  for (const [name, dimension] of Object.entries(space)) {
    const value = values[name]
    if (dimension.type === 'categorical') {
      check(
        (dimension.choices as readonly unknown[]).includes(value),
        where,
        () => `${name} must be one of ${describe(dimension.choices)}, got ${describe(value)}.`,
      )
      continue
    }
    const { low, high } = dimension
    check(
      typeof value === 'number' && value >= low && value <= high,
      where,
      () => `${name} must be a number from ${low} to ${high}, got ${describe(value)}.`,
    )
    const step = dimension.step ?? (dimension.type === 'int' ? 1 : 0)
    const position = step > 0 ? (value - low) / step : 0
    check(
      Math.abs(position - Math.round(position)) < 1e-6,
      where,
      () => `${name} must lie on the grid of step ${step} from ${low}, got ${value}.`,
    )
  }
  return point
}

/**
 * Encodes a point as coordinates in [0, 1], one a dimension, in the order of the space's keys. Reals are scaled
 * (logarithmically where asked); whole numbers, grids and choices sit at the centres of equal bins, so that a uniform
 * coordinate means a uniform value. {@link decode} inverts it.
 *
 * ```ts
 * import { encode } from '@regimen/core'
 *
 * const space = { rate: { type: 'float', low: 0.01, high: 1, log: true }, kind: { type: 'categorical', choices: ['a', 'b'] } } as const
 * encode(space, { rate: 0.1, kind: 'b' })[0] // ≈ 0.5
 * encode(space, { rate: 0.1, kind: 'b' })[1] // => 0.75
 * ```
 */
export function encode<S extends Space>(
  space: S,
  point: PointOf<S>,
  out: Float64Array = new Float64Array(Object.keys(space).length),
): Float64Array {
  let i = 0
  for (const name in space) out[i++] = encodeValue(space[name]!, (point as { [name: string]: unknown })[name])
  return out
}

/**
 * Decodes coordinates in [0, 1] (others are clamped) into the point that they stand for.
 *
 * ```ts
 * import { decode } from '@regimen/core'
 *
 * decode({ depth: { type: 'int', low: 1, high: 4 } }, [0.3]).depth // => 2
 * ```
 */
export function decode<S extends Space>(space: S, unit: ArrayLike<number>): PointOf<S> {
  const point: { [name: string]: string | number | boolean | null } = {}
  let i = 0
  for (const name in space) {
    const u = unit[i++]!
    check(!Number.isNaN(u), 'core/space', () => `the coordinate of ${name} must be a number, got ${describe(u)}.`)
    point[name] = decodeValue(space[name]!, Math.min(Math.max(u, 0), 1))
  }
  return point as PointOf<S>
}

/**
 * Encodes a point for models that measure distances: numbers as {@link encode} does, each choice of a categorical
 * dimension as a coordinate of its own, 1 for the chosen one and 0 for the others.
 *
 * ```ts
 * import { encodeOneHot } from '@regimen/core'
 *
 * Array.from(encodeOneHot({ kind: { type: 'categorical', choices: ['a', 'b', 'c'] } }, { kind: 'b' })) // => [0, 1, 0]
 * ```
 */
export function encodeOneHot<S extends Space>(space: S, point: PointOf<S>): Float64Array {
  const out: number[] = []
  for (const name in space) {
    const dimension: Dimension = space[name]!
    const value = (point as { [name: string]: unknown })[name]
    if (dimension.type === 'categorical') for (const choice of dimension.choices) out.push(choice === value ? 1 : 0)
    else out.push(encodeValue(dimension, value))
  }
  return Float64Array.from(out)
}

/**
 * Draws a point uniformly (log-uniformly where the dimension says so).
 *
 * ```ts
 * import { createRng, samplePoint } from '@regimen/core'
 *
 * const { depth } = samplePoint({ depth: { type: 'int', low: 1, high: 4 } }, createRng(1))
 * depth >= 1 && depth <= 4 // => true
 * ```
 */
export function samplePoint<S extends Space>(space: S, rng: Rng): PointOf<S> {
  return decode(space, rng.fillUniform(new Float64Array(Object.keys(space).length)))
}

/** Whole numbers on a logarithmic scale own the stretch half a unit around them. */
function logBounds(dimension: FloatDimension | IntDimension): [low: number, width: number] {
  const margin = dimension.type === 'int' ? 0.5 : 0
  const low = Math.log(dimension.low - margin)
  return [low, Math.log(dimension.high + margin) - low]
}

function encodeValue(dimension: Dimension, value: unknown): number {
  if (dimension.type === 'categorical') {
    const index = (dimension.choices as readonly unknown[]).indexOf(value)
    check(
      index >= 0,
      'core/space',
      () => `the value must be one of ${describe(dimension.choices)}, got ${describe(value)}.`,
    )
    return (index + 0.5) / dimension.choices.length
  }
  const number = value as number
  if (dimension.high === dimension.low) return 0.5
  if (dimension.log) {
    const [low, width] = logBounds(dimension)
    return (Math.log(number) - low) / width
  }
  const count = levels(dimension)
  if (count === Number.POSITIVE_INFINITY) return (number - dimension.low) / (dimension.high - dimension.low)
  return (Math.round((number - dimension.low) / (dimension.step ?? 1)) + 0.5) / count
}

function decodeValue(dimension: Dimension, u: number): string | number | boolean | null {
  if (dimension.type === 'categorical') {
    return dimension.choices[Math.min(Math.floor(u * dimension.choices.length), dimension.choices.length - 1)]!
  }
  const { low, high } = dimension
  let value: number
  if (dimension.log) {
    const [logLow, width] = logBounds(dimension)
    // exp(ln(low)) is not always low.
    value = u === 0 ? low : u === 1 ? high : Math.exp(logLow + u * width)
    if (dimension.type === 'int') value = Math.round(value)
  } else {
    const count = levels(dimension)
    if (count === Number.POSITIVE_INFINITY) value = low + u * (high - low)
    else value = low + Math.min(Math.floor(u * count), count - 1) * (dimension.step ?? 1)
  }
  return Math.min(Math.max(value, low), high)
}
