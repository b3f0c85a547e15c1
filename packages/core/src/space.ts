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

export type Dimension = FloatDimension | IntDimension | CategoricalDimension

/** Names and ranges of what is searched; shared by every optimizer. */
export interface Space {
  readonly [name: string]: Dimension
}

/** The point that a {@link Space} describes. */
export type PointOf<S extends Space> = {
  -readonly [K in keyof S]: S[K] extends CategoricalDimension<infer Value> ? Value : number
}
