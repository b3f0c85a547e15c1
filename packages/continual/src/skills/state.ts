import { type ArrayLeaf, arrayLeaf, check, type RngState, type Schema, type Snapshot, schema } from '@regimen/core'
import { BETS, type DecayTest } from './decay-test.ts'
import type { Held } from './held.ts'
import type { Skill } from './skill-types.ts'

/** A skill with what the library keeps of it. */
export interface Entry {
  skill: Skill
  held: Held
  /** Of the held samples, how many of the latest were not judged yet. */
  fresh: number
  test: DecayTest
}

type Sizes = { readonly inputs: number; readonly targets: number; readonly features: number }

/** A skill as a snapshot holds it. */
export type SavedSkill = Omit<Skill, 'model' | 'descriptor'> & {
  readonly descriptor: ArrayLeaf<'float64'>
  readonly x: ArrayLeaf<'float32'>
  readonly y: ArrayLeaf<'float32'>
  readonly fresh: number
  readonly reference: ArrayLeaf<'float64'>
  readonly capital: ArrayLeaf<'float64'>
  readonly count: number
}

/** What the state of a library looks like. The models are children. */
export function stateSchema({
  inputs,
  targets,
  features,
}: Sizes): Schema<{ readonly rng: RngState; readonly skills: readonly SavedSkill[] }> {
  const number = schema.number()
  const count = schema.integer({ min: 0 })
  const skill = schema.object({
    name: schema.string(),
    kind: schema.literal('regime', 'task'),
    metrics: schema.record(number),
    parent: schema.nullable(schema.string()),
    absorbed: schema.list(schema.string()),
    added: number,
    judged: count,
    loss: number,
    evidence: number,
    decayed: schema.nullable(number),
    descriptor: schema.leaf('float64', [features]),
    x: schema.leaf('float32', [null, inputs]),
    y: schema.leaf('float32', [null, targets]),
    fresh: count,
    reference: schema.leaf('float64', [null]),
    capital: schema.leaf('float64', [BETS.length]),
    count,
  })
  return schema.object({
    rng: schema.object({ key: schema.string(), c: number, s0: number, s1: number, s2: number }),
    skills: schema.list(skill),
  })
}

export function writeEntry({ skill, held, fresh, test }: Entry, { inputs, targets, features }: Sizes): SavedSkill {
  const { model: _, descriptor, ...rest } = skill
  const { x, y } = held
  return {
    ...rest,
    absorbed: [...rest.absorbed],
    metrics: { ...rest.metrics },
    descriptor: arrayLeaf('float64', [features], descriptor),
    x: arrayLeaf('float32', [x.length / inputs, inputs], x),
    y: arrayLeaf('float32', [y.length / targets, targets], y),
    fresh,
    reference: arrayLeaf('float64', [test.reference.length], Float64Array.from(test.reference)),
    capital: arrayLeaf('float64', [BETS.length], Float64Array.from(test.capital)),
    count: test.count,
  }
}

export function readEntry(saved: SavedSkill, model: Snapshot | undefined, where: string): Entry {
  const { x, y, fresh, reference, capital, count, descriptor, ...rest } = saved
  check(model !== undefined, where, () => `the snapshot has no model of the skill ${rest.name}.`)
  return {
    skill: { ...rest, model, descriptor: descriptor.data },
    held: { x: x.data, y: y.data },
    fresh,
    test: {
      reference: Array.from(reference.data),
      capital: Array.from(capital.data),
      count,
      evidence: rest.evidence,
    },
  }
}
