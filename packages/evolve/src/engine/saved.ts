import { arrayLeaf, check, describe, type Schema, schema, type Tree } from '@regimen/core'
import type { Engine, EngineState } from './engine.ts'

/** The state of an optimizer as its snapshot holds it. */
export interface Saved {
  readonly nextId: number
  readonly evaluations: number
  readonly generations: number
  readonly rng: Tree
  readonly best: null | { readonly id: number; readonly value: number; readonly row: LeafF64 }
  readonly asked: { readonly ids: LeafF64; readonly rows: LeafF64 }
  readonly told: {
    readonly ids: LeafF64
    readonly rows: LeafF64
    readonly values: LeafF64
    readonly violations: LeafF64
    readonly behaviours: LeafF64
  }
  readonly engine: { readonly [key: string]: Tree }
}

type LeafF64 = { readonly dtype: 'float64'; readonly shape: readonly number[]; readonly data: Float64Array }

/** What a saved stream of random numbers looks like. */
export const RNG: Schema = schema.object({
  key: schema.string(),
  c: schema.number(),
  s0: schema.number(),
  s1: schema.number(),
  s2: schema.number(),
})

/** An engine's state as a tree; the arrays are copied. */
export function pack(state: EngineState): { [key: string]: Tree } {
  const out: { [key: string]: Tree } = {}
  for (const [key, value] of Object.entries(state)) {
    if (value instanceof Float64Array) out[key] = arrayLeaf('float64', [value.length], value)
    else if (value instanceof Int32Array) out[key] = arrayLeaf('int32', [value.length], value)
    else out[key] = value
  }
  return out
}

/** Fills an engine's state from a tree that {@link stateSchema} has accepted. */
export function unpack(state: EngineState, saved: { readonly [key: string]: Tree }): void {
  for (const [key, held] of Object.entries(state)) {
    if (typeof held !== 'object') {
      state[key] = saved[key] as number
      continue
    }
    const { data } = saved[key] as LeafF64
    if (data.length === held.length) held.set(data)
    else state[key] = data
  }
}

/** What a saved state must look like, told from a fresh engine of the same configuration. */
export function stateSchema<Point>(engine: Engine<Point>): Schema {
  const { width, objectives: m = 1, behaviours: b = 0, grows = [] } = engine
  const fields: { [key: string]: Schema } = {}
  for (const [key, value] of Object.entries(engine.state)) {
    const length = typeof value === 'object' && !grows.includes(key) ? value.length : null
    if (value instanceof Float64Array) fields[key] = schema.leaf('float64', [length])
    else if (value instanceof Int32Array) fields[key] = schema.leaf('int32', [length])
    else if (typeof value === 'number') fields[key] = schema.number({ finite: false })
    else fields[key] = typeof value === 'string' ? schema.string() : schema.boolean()
  }
  const count = schema.integer({ min: 0 })
  return schema.object({
    nextId: count,
    evaluations: count,
    generations: count,
    rng: RNG,
    best: schema.nullable(schema.object({ id: count, value: schema.number(), row: schema.leaf('float64', [width]) })),
    asked: schema.object({ ids: schema.leaf('float64', [null]), rows: schema.leaf('float64', [null, width]) }),
    told: schema.object({
      ids: schema.leaf('float64', [null]),
      rows: schema.leaf('float64', [null, width]),
      values: schema.leaf('float64', [null, m]),
      violations: schema.leaf('float64', [null]),
      behaviours: schema.leaf('float64', [null, b]),
    }),
    engine: schema.object(fields),
  })
}

/** A copy of the options as plain data: no undefined, typed arrays as lists, so that it can stand in a snapshot. */
export function plain(value: unknown, where: string): Tree {
  if (value === null || typeof value !== 'object') {
    check(
      typeof value !== 'function' && typeof value !== 'symbol',
      where,
      () => `options must be plain data, got ${describe(value)}.`,
    )
    return value as Tree
  }
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array)
  if (Array.isArray(value)) return value.map((one) => plain(one, where))
  const out: { [key: string]: Tree } = {}
  for (const [key, one] of Object.entries(value)) if (one !== undefined) out[key] = plain(one, where)
  return out
}
