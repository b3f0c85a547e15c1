import { check, checkSpace, type Dimension, decode, describe, encode, RegimenError } from '@regimen/core'

/** A value that a searched parameter takes. */
export type ParamValue = string | number | boolean | null

/** Parameters by name. */
export interface Params {
  readonly [name: string]: ParamValue
}

/** A dimension of `core`'s space that may exist only under a condition on parameters named before it. */
export type SearchDimension = Dimension & {
  /** Values of earlier parameters under which this one is searched: one value or a list, all names must match. */
  readonly when?: { readonly [name: string]: ParamValue | readonly ParamValue[] }
}

/** What is searched, by name, in the order in which it is decided. Every `Space` of `core` is one. */
export interface SearchSpace {
  readonly [name: string]: SearchDimension
}

type ValueOfDimension<D> = D extends { readonly type: 'categorical'; readonly choices: readonly (infer Value)[] }
  ? Value
  : number

/** The point that a {@link SearchSpace} describes; a parameter with `when` may be absent. */
export type SearchPoint<S extends SearchSpace> = {
  -readonly [K in keyof S]: S[K] extends { readonly when: object }
    ? ValueOfDimension<S[K]> | undefined
    : ValueOfDimension<S[K]>
}

/** Whether a conditional dimension exists, given what was decided before. */
export function isActive(dimension: SearchDimension, point: Params): boolean {
  for (const [name, wanted] of Object.entries(dimension.when ?? {})) {
    const value = point[name]
    if (value === undefined) return false
    if (Array.isArray(wanted) ? !wanted.includes(value) : wanted !== value) return false
  }
  return true
}

/** A dimension without what does not describe its values, so that equal ones compare equal. */
export function plainDimension(dimension: SearchDimension): Dimension {
  if (dimension.type === 'categorical') return { type: 'categorical', choices: [...dimension.choices] }
  const { type, low, high, log, step } = dimension
  return {
    type,
    low,
    high,
    ...(log ? { log: true } : {}),
    ...(step === undefined || (type === 'int' && step === 1) ? {} : { step }),
  }
}

/** Refuses a parameter whose range, scale or choices differ from those of an earlier trial. */
export function checkSame(name: string, before: Dimension, now: Dimension): void {
  if (before === now || JSON.stringify(before) === JSON.stringify(now)) return
  throw new RegimenError(
    `the space of "${name}" changed between trials: it was ${JSON.stringify(before)}, got ${JSON.stringify(now)}.`,
    {
      code: 'SPACE_CHANGED',
      where: 'bayes/study',
      hint: 'Give the new range a new name, or start a new study and warm-start it from this one.',
    },
  )
}

/** How many equally likely values a dimension has; Infinity for a real one without a grid. */
export function levelsOf(dimension: Dimension): number {
  if (dimension.type === 'categorical') return dimension.choices.length
  const step = dimension.step ?? (dimension.type === 'int' ? 1 : 0)
  return step > 0 ? Math.floor((dimension.high - dimension.low) / step + 1e-9) + 1 : Number.POSITIVE_INFINITY
}

/** One value as a coordinate in [0, 1]. */
export function toUnit(dimension: Dimension, value: ParamValue): number {
  return encode({ value: dimension }, { value } as never)[0]!
}

/** The value that a coordinate in [0, 1] stands for. */
export function fromUnit(dimension: Dimension, u: number): ParamValue {
  return decode({ value: dimension }, [u]).value as ParamValue
}

/** Whether a value is one that the dimension can take. */
export function contains(dimension: Dimension, value: ParamValue | undefined): boolean {
  if (dimension.type === 'categorical') return dimension.choices.includes(value as ParamValue)
  if (typeof value !== 'number' || !(value >= dimension.low && value <= dimension.high)) return false
  const step = dimension.step ?? (dimension.type === 'int' ? 1 : 0)
  if (step === 0) return true
  const steps = (value - dimension.low) / step
  return Math.abs(steps - Math.round(steps)) < 1e-6
}

/**
 * Checks a declared space, conditions included, and returns it with its type. A parameter with `when` is searched only where the parameters
 * named there, which must come before it, have one of the given values; elsewhere it is absent from the point.
 *
 * ```ts
 * import { defineSpace, openStudy } from '@regimen/bayes'
 *
 * const space = defineSpace({
 *   kind: { type: 'categorical', choices: ['ema', 'sma'] },
 *   decay: { type: 'float', low: 0.9, high: 0.999, when: { kind: 'ema' } },
 * })
 * const { kind, decay } = openStudy({ direction: 'minimize' }).ask().suggest(space)
 * const present = decay !== undefined
 * present === (kind === 'ema') // => true
 * ```
 */
export function defineSpace<const S extends SearchSpace>(space: S): S {
  checkSpace(space, 'bayes/space')
  const names = Object.keys(space)
  for (const [at, name] of names.entries()) {
    for (const [parent, wanted] of Object.entries(space[name]!.when ?? {})) {
      const parentAt = names.indexOf(parent)
      check(
        parentAt >= 0 && parentAt < at,
        'bayes/space',
        () => `${name}.when must name a parameter that comes before it, got ${describe(parent)}.`,
      )
      const dimension = plainDimension(space[parent]!)
      const values = (Array.isArray(wanted) ? wanted : [wanted]) as ParamValue[]
      check(
        dimension.type !== 'categorical' || values.every((value) => dimension.choices.includes(value)),
        'bayes/space',
        () => `${name}.when.${parent} must be a choice of ${parent}, got ${describe(wanted)}.`,
      )
    }
  }
  return space
}
