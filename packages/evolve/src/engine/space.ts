import { check, checkPoint, checkSpace, decode, describe, encode, type PointOf, type Space } from '@regimen/core'

/** A vector of real numbers to search, with bounds where there are any. Its points are `Float64Array`s. */
export interface Box {
  /** Number of coordinates, from 1. */
  readonly dimension: number
  /**
   * Lower bounds, one for all or one each.
   * @default -Infinity
   */
  readonly lower?: number | readonly number[]
  /**
   * Upper bounds, one for all or one each.
   * @default Infinity
   */
  readonly upper?: number | readonly number[]
}

/** What can be searched: named parameters, or a vector. */
export type SearchSpace = Space | Box

/** The points of a {@link SearchSpace}. */
export type PointFor<S extends SearchSpace> = S extends Box ? Float64Array : S extends Space ? PointOf<S> : never

/** Any point of a {@link SearchSpace}. */
export type AnyPoint = Float64Array | PointOf<Space>

/** How coordinates and points translate into each other. */
export interface Codec {
  readonly n: number
  readonly lower: Float64Array
  readonly upper: Float64Array
  /** Width of the bin that a whole number or choice owns, in coordinates; 0 for a real one. */
  readonly grain: Float64Array
  /** Whether every coordinate has two finite bounds. */
  readonly bounded: boolean
  decode(coordinates: Float64Array, at: number): AnyPoint
  encode(point: unknown): Float64Array
}

/** Whether the space is a vector and not a set of named parameters. */
export function isBox(space: SearchSpace): space is Box {
  return typeof space === 'object' && space !== null && typeof (space as Box).dimension === 'number'
}

/** Checks a search space and makes its codec. Named parameters live in the unit cube, vectors in their own units. */
export function createCodec(space: SearchSpace, where: string): Codec {
  check(typeof space === 'object' && space !== null, where, () => `space must be an object, got ${describe(space)}.`)
  return isBox(space) ? boxCodec(space, where) : namedCodec(space, where)
}

function boxCodec(box: Box, where: string): Codec {
  const n = box.dimension
  check(
    Number.isInteger(n) && n >= 1 && n <= 1e6,
    where,
    () => `space.dimension must be an integer from 1, got ${describe(n)}.`,
  )
  const lower = spread(box.lower ?? Number.NEGATIVE_INFINITY, n, 'lower', where)
  const upper = spread(box.upper ?? Number.POSITIVE_INFINITY, n, 'upper', where)
  for (let i = 0; i < n; i++) {
    check(
      lower[i]! < upper[i]!,
      where,
      () => `lower must be below upper, got ${lower[i]} and ${upper[i]} at ${i}.`,
      'Leave a coordinate that does not vary out of the space.',
    )
  }
  return {
    n,
    lower,
    upper,
    grain: new Float64Array(n),
    bounded: lower.every(Number.isFinite) && upper.every(Number.isFinite),
    decode: vectorPool(n),
    encode(point) {
      const values = point as ArrayLike<number>
      check(
        (Array.isArray(point) || ArrayBuffer.isView(point)) && values.length === n,
        where,
        () => `start must be ${n} numbers, got ${describe(point)}.`,
      )
      const out = Float64Array.from(values)
      for (let i = 0; i < n; i++) {
        check(
          Number.isFinite(out[i]!) && out[i]! >= lower[i]! && out[i]! <= upper[i]!,
          where,
          () => `start must lie within the bounds, got ${out[i]} at ${i}, outside ${lower[i]} to ${upper[i]}.`,
        )
      }
      return out
    },
  }
}

/**
 * Copies coordinates into vectors that share buffers of at most 4 kB: memory of its own for each would cost more than the
 * copy, and one buffer for all would be sent to a worker whole.
 */
function vectorPool(n: number): (coordinates: Float64Array, at: number) => Float64Array {
  const block = Math.max(1, Math.floor(512 / n)) * n
  let buffer = new ArrayBuffer(0)
  let used = 0
  return (coordinates, at) => {
    if (used >= buffer.byteLength) {
      buffer = new ArrayBuffer(8 * block)
      used = 0
    }
    const vector = new Float64Array(buffer, used, n)
    used += 8 * n
    for (let i = 0; i < n; i++) vector[i] = coordinates[at + i]!
    return vector
  }
}

function namedCodec(space: Space, where: string): Codec {
  checkSpace(space, where)
  const dimensions = Object.values(space)
  const n = dimensions.length
  const grain = Float64Array.from(dimensions, (dimension) => {
    if (dimension.type === 'categorical') return 1 / dimension.choices.length
    // On a logarithmic scale the bins differ; the widest is what a step has to cross.
    if (dimension.type === 'float' && dimension.step === undefined) return 0
    if (dimension.log) return 1 / (Math.log(dimension.high + 0.5) - Math.log(dimension.low - 0.5) + 1)
    return 1 / (Math.floor((dimension.high - dimension.low) / (dimension.step ?? 1) + 1e-9) + 1)
  })
  return {
    n,
    lower: new Float64Array(n),
    upper: new Float64Array(n).fill(1),
    grain,
    bounded: true,
    decode: (coordinates, at) => decode(space, coordinates.subarray(at, at + n)),
    encode: (point) => encode(space, checkPoint(space, point as PointOf<Space>, where)),
  }
}

function spread(value: number | readonly number[], n: number, name: string, where: string): Float64Array {
  const out = typeof value === 'number' ? new Float64Array(n).fill(value) : Float64Array.from(value)
  check(out.length === n, where, () => `${name} must be one number or ${n}, got ${out.length}.`)
  check(
    out.every((one) => !Number.isNaN(one)),
    where,
    () => `${name} must not be NaN, got ${describe(value)}.`,
  )
  return out
}

/** Where a search begins that was given no start: the middle, or as near to it as one bound allows. */
export function middleOf({ lower, upper }: Codec): Float64Array {
  return Float64Array.from(lower, (low, i) => {
    const high = upper[i]!
    if (Number.isFinite(low + high)) return (low + high) / 2
    return Number.isFinite(low) ? low + 1 : Number.isFinite(high) ? high - 1 : 0
  })
}

/** What one unit of σ means in each coordinate: 1 where σ was given, else the coordinate's range where it has one. */
export function rangeScale({ lower, upper }: Codec, given: boolean): Float64Array {
  return Float64Array.from(lower, (low, i) => (!given && Number.isFinite(upper[i]! - low) ? upper[i]! - low : 1))
}
