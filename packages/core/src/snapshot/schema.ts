import { describe } from '../errors.ts'
import { type ArrayLeaf, type Dtype, type DtypeArrays, leafProblem, looksLikeLeaf, type Tree } from '../tree.ts'
import { joinPath } from './tagged.ts'

/** What a part of a state must look like. Made by {@link schema}, checked by `restore`. */
export interface Schema<T extends Tree = Tree> {
  /** The first thing that is not as expected, beginning with its path; undefined when all is. */
  problem(value: Tree | undefined, path: string): string | undefined
  /** Whether the key may be absent from its object. */
  readonly optional?: boolean
  /** Carries the type; never set. */
  readonly type?: T
}

/** The type of the trees that a {@link Schema} accepts. */
export type Infer<S> = S extends Schema<infer T> ? T : never

type Simplify<T> = { [K in keyof T]: T[K] } & {}

/** A schema whose key may be absent. */
export interface OptionalSchema<T extends Tree = Tree> extends Schema<T> {
  readonly optional: true
}

type Fields = { readonly [key: string]: Schema }

type InferFields<F extends Fields> = Simplify<
  { readonly [K in keyof F as F[K] extends OptionalSchema ? never : K]: Infer<F[K]> } & {
    readonly [K in keyof F as F[K] extends OptionalSchema ? K : never]?: Infer<F[K]>
  }
>

type LeafOf<D extends Dtype> = { readonly dtype: D; readonly shape: readonly number[]; readonly data: DtypeArrays[D] }

/**
 * States briefly what a state or a configuration must look like, for `restore` to check: `leaf`, `number`, `integer`,
 * `string`, `boolean`, `bigint`, `literal`, `object`, `list`, `record`, `tuple`, `nullable`, `optional`, `union`, `any`.
 * Objects refuse keys that they do not name. The first thing that is wrong is reported by its full path. `Infer` gives the
 * TypeScript type, so it is written once.
 *
 * ```ts
 * import { arrayLeaf, createSnapshot, restore, schema } from '@regimen/core'
 *
 * const config = schema.object({ states: schema.integer({ min: 1 }) })
 * const state = ({ states: n }: { states: number }) =>
 *   schema.object({ seen: schema.integer({ min: 0 }), transition: schema.leaf('float64', [n, n]) })
 *
 * const saved = createSnapshot({
 *   id: 'example/chain',
 *   version: 1,
 *   config: { states: 2 },
 *   state: { seen: 0, transition: arrayLeaf('float32', [2, 2]) },
 * })
 * let message = ''
 * try {
 *   restore(saved, { id: 'example/chain', version: 1, config, state })
 * } catch (error) {
 *   message = String(error)
 * }
 * message.includes('state.transition: expected float64 [2, 2], got float32 [2, 2]') // => true
 * ```
 */
export const schema: {
  /** An array of the dtype and shape; `null` in the shape accepts any length of that side. */
  leaf<D extends Dtype>(dtype: D, shape: readonly (number | null)[]): Schema<LeafOf<D> & ArrayLeaf>
  /** A number; finite unless `{ finite: false }`. */
  number(range?: { min?: number; max?: number; finite?: boolean }): Schema<number>
  integer(range?: { min?: number; max?: number }): Schema<number>
  string(): Schema<string>
  boolean(): Schema<boolean>
  bigint(): Schema<bigint>
  /** One of the given values. */
  literal<const V extends readonly (string | number | boolean | null)[]>(...values: V): Schema<V[number]>
  /** An object with exactly these keys. */
  object<F extends Fields>(fields: F): Schema<InferFields<F>>
  /** A list; of exactly `length` items where that is given. */
  list<T extends Tree>(item: Schema<T>, length?: number): Schema<readonly T[]>
  /** An object with any keys and values of one kind. */
  record<T extends Tree>(item: Schema<T>): Schema<{ readonly [key: string]: T }>
  tuple<const S extends readonly Schema[]>(...items: S): Schema<{ readonly [K in keyof S]: Infer<S[K]> }>
  nullable<T extends Tree>(item: Schema<T>): Schema<T | null>
  /** Lets an object's key be absent. */
  optional<T extends Tree>(item: Schema<T>): OptionalSchema<T>
  /** Any of several; the error is that of the last. */
  union<const S extends readonly Schema[]>(...items: S): Schema<Infer<S[number]>>
  /** Anything that is data. */
  any(): Schema<Tree>
} = {
  leaf,
  number,
  integer,
  string,
  boolean,
  bigint,
  literal,
  object,
  list,
  record,
  tuple,
  nullable,
  optional,
  union,
  any,
}

function leaf<D extends Dtype>(dtype: D, shape: readonly (number | null)[]): Schema<LeafOf<D> & ArrayLeaf> {
  const expected = `expected ${dtype} [${shape.map((side) => side ?? '*').join(', ')}]`
  return {
    problem(value, path) {
      if (!looksLikeLeaf(value)) return `${path}: ${expected}, got ${describe(value)}`
      const fits =
        value.dtype === dtype &&
        value.shape.length === shape.length &&
        shape.every((side, i) => side === null || side === value.shape[i])
      if (!fits) return `${path}: ${expected}, got ${value.dtype} [${value.shape.join(', ')}]`
      const problem = leafProblem(value)
      return problem && `${path} ${problem}`
    },
  }
}

function number(range: { min?: number; max?: number; finite?: boolean } = {}): Schema<number> {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, finite = true } = range
  return {
    problem(value, path) {
      if (typeof value !== 'number' || (finite && !Number.isFinite(value))) {
        return `${path}: expected a ${finite ? 'finite ' : ''}number, got ${describe(value)}`
      }
      if (value < min || value > max) return `${path}: expected a number from ${min} to ${max}, got ${describe(value)}`
      return undefined
    },
  }
}

function integer(range: { min?: number; max?: number } = {}): Schema<number> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = range
  return {
    problem(value, path) {
      if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return undefined
      return `${path}: expected a whole number from ${min} to ${max}, got ${describe(value)}`
    },
  }
}

function string(): Schema<string> {
  return { problem: (value, path) => unless(typeof value === 'string', path, 'a string', value) }
}

function boolean(): Schema<boolean> {
  return { problem: (value, path) => unless(typeof value === 'boolean', path, 'true or false', value) }
}

function bigint(): Schema<bigint> {
  return { problem: (value, path) => unless(typeof value === 'bigint', path, 'a bigint', value) }
}

function literal<const V extends readonly (string | number | boolean | null)[]>(...values: V): Schema<V[number]> {
  const expected = values.map(describe).join(' or ')
  return {
    problem: (value, path) =>
      unless(
        values.some((one) => Object.is(one, value)),
        path,
        expected,
        value,
      ),
  }
}

function object<F extends Fields>(fields: F): Schema<InferFields<F>> {
  return {
    problem(value, path) {
      if (!isObject(value)) return `${path}: expected an object, got ${describe(value)}`
      for (const [key, field] of Object.entries(fields)) {
        const at = joinPath(path, key)
        if (Object.hasOwn(value, key)) {
          const problem = field.problem(value[key], at)
          if (problem) return problem
        } else if (!field.optional) return `${at}: is missing`
      }
      const extra = Object.keys(value).find((key) => !Object.hasOwn(fields, key))
      return extra === undefined ? undefined : `${joinPath(path, extra)}: not expected, got ${describe(value[extra])}`
    },
  }
}

function list<T extends Tree>(item: Schema<T>, length?: number): Schema<readonly T[]> {
  return {
    problem(value, path) {
      if (!isList(value)) return `${path}: expected a list, got ${describe(value)}`
      if (length !== undefined && value.length !== length) {
        return `${path}: expected a list of ${length}, got a list of ${value.length}`
      }
      return first(
        value.map((_, i) => i),
        (i) => item.problem(value[i], `${path}[${i}]`),
      )
    },
  }
}

function record<T extends Tree>(item: Schema<T>): Schema<{ readonly [key: string]: T }> {
  return {
    problem(value, path) {
      if (!isObject(value)) return `${path}: expected an object, got ${describe(value)}`
      return first(Object.keys(value), (key) => item.problem(value[key], joinPath(path, key)))
    },
  }
}

function tuple<const S extends readonly Schema[]>(...items: S): Schema<{ readonly [K in keyof S]: Infer<S[K]> }> {
  return {
    problem(value, path) {
      if (!isList(value) || value.length !== items.length) {
        return `${path}: expected a list of ${items.length}, got ${describe(value)}`
      }
      return first([...items.keys()], (i) => items[i]!.problem(value[i], `${path}[${i}]`))
    },
  }
}

function nullable<T extends Tree>(item: Schema<T>): Schema<T | null> {
  return { problem: (value, path) => (value === null ? undefined : item.problem(value, path)) }
}

function optional<T extends Tree>(item: Schema<T>): OptionalSchema<T> {
  return { problem: item.problem, optional: true }
}

function union<const S extends readonly Schema[]>(...items: S): Schema<Infer<S[number]>> {
  return {
    problem(value, path) {
      const problems = items.map((item) => item.problem(value, path))
      return problems.includes(undefined) ? undefined : problems.at(-1)
    },
  }
}

function any(): Schema<Tree> {
  return { problem: (value, path) => (value === undefined ? `${path}: is missing` : undefined) }
}

function unless(fits: boolean, path: string, expected: string, value: Tree | undefined): string | undefined {
  return fits ? undefined : `${path}: expected ${expected}, got ${describe(value)}`
}

function first<K>(keys: readonly K[], problemAt: (key: K) => string | undefined): string | undefined {
  for (const key of keys) {
    const problem = problemAt(key)
    if (problem) return problem
  }
  return undefined
}

function isList(value: Tree | undefined): value is readonly Tree[] {
  return Array.isArray(value)
}

function isObject(value: Tree | undefined): value is { readonly [key: string]: Tree } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !looksLikeLeaf(value)
}
