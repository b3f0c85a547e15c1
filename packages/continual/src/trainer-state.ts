import { type ArrayLeaf, type RngState, type Schema, schema } from '@regimen/core'
import type { TensorLeaf } from '@regimen/tensor'

type Vector = ArrayLeaf<'float32'>

/** Kronecker factors of all tasks so far. */
export type SavedFactors = {
  readonly weight: number
  readonly factors: readonly { readonly inputs: ArrayLeaf<'float64'>; readonly outputs: ArrayLeaf<'float64'> }[]
}

/** What a trainer's snapshot holds. */
export type TrainerState = {
  readonly vector: Vector
  readonly rule: { readonly [slot: string]: Vector }
  readonly rng: RngState
  readonly importance: ArrayLeaf<'float64'> | null
  readonly anchor: ArrayLeaf<'float64'> | null
  /** Absent where the penalty has no Kronecker factors. */
  readonly kronecker?: SavedFactors
  readonly path: Vector | null
  readonly start: Vector
  readonly teacher: Vector | null
  readonly taught: Vector | null
  readonly tasks: number
  readonly refused: number
  readonly updates: number
  readonly samples: number
  readonly lambda: number
  readonly heads: { readonly [task: string]: readonly number[] }
}

/** Its schema, for a net of so many parameters whose rule has this state. */
export function stateSchema(
  size: number,
  outputs: number,
  state: { readonly [slot: string]: TensorLeaf },
): Schema<TrainerState> {
  const vector = schema.leaf('float32', [size])
  const vector64 = schema.nullable(schema.leaf('float64', [size]))
  const rule = Object.fromEntries(Object.entries(state).map(([slot, one]) => [slot, schema.leaf('float32', one.shape)]))
  const rng = {
    key: schema.string(),
    c: schema.number(),
    s0: schema.number(),
    s1: schema.number(),
    s2: schema.number(),
  }
  return schema.object({
    vector,
    rule: schema.object(rule),
    rng: schema.object(rng),
    importance: vector64,
    anchor: vector64,
    kronecker: schema.optional(
      schema.object({
        weight: schema.number({ min: 0 }),
        factors: schema.list(
          schema.object({
            inputs: schema.leaf('float64', [null, null]),
            outputs: schema.leaf('float64', [null, null]),
          }),
        ),
      }),
    ),
    path: schema.nullable(vector),
    start: vector,
    teacher: schema.nullable(vector),
    taught: schema.nullable(schema.leaf('float32', [outputs, outputs])),
    tasks: schema.integer({ min: 0 }),
    refused: schema.integer({ min: 0 }),
    updates: schema.integer({ min: 0 }),
    samples: schema.integer({ min: 0 }),
    lambda: schema.number(),
    heads: schema.record(schema.list(schema.integer({ min: 0 }))),
  })
}

/** Ones where two outputs belong to the same head; one head of all outputs where none is named. */
export function headMatrix(heads: readonly (readonly number[])[], outputs: number): Float32Array {
  const matrix = new Float32Array(outputs * outputs)
  if (heads.length === 0) return matrix.fill(1)
  for (const head of heads) for (const a of head) for (const b of head) matrix[a * outputs + b] = 1
  return matrix
}

/** A vector as a leaf that shares it. */
export function leaf(data: Float32Array): TensorLeaf {
  return { dtype: 'float32', shape: [data.length], data }
}
