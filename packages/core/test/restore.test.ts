import {
  arrayLeaf,
  createSnapshot,
  type Infer,
  RegimenError,
  restore,
  type Snapshot,
  schema,
  type Tree,
} from '@regimen/core'
import { describe, expect, expectTypeOf, it } from 'vitest'

const layer = schema.object({ w: schema.leaf('float64', [3, 4]), b: schema.leaf('float64', [null]) })
const options = {
  id: 'example/net',
  version: 2,
  config: schema.object({ rate: schema.number({ min: 0 }), name: schema.optional(schema.string()) }),
  state: schema.object({ layers: schema.list(layer), step: schema.integer({ min: 0 }) }),
}
const good = () => ({ w: arrayLeaf('float64', [3, 4]), b: arrayLeaf('float64', [5]) })
const make = (state: Tree, config: Tree = { rate: 0.1 }, version = 2): Snapshot =>
  createSnapshot({ id: 'example/net', version, config, state })

describe('restore', () => {
  it('names the exact path of what is wrong', () => {
    const layers = [good(), good(), { ...good(), w: arrayLeaf('float32', [3, 4]) }]
    expect(() => restore(make({ layers, step: 1 }), options)).toThrow(
      '[example/net] state.layers[2].w: expected float64 [3, 4], got float32 [3, 4].',
    )
  })

  const wrong: [Snapshot, string][] = [
    [
      make({ layers: [{ ...good(), w: arrayLeaf('float64', [4, 3]) }], step: 1 }),
      'expected float64 [3, 4], got float64 [4, 3]',
    ],
    [make({ layers: [{ w: good().w }], step: 1 }), 'state.layers[0].b: is missing'],
    [make({ layers: [], step: 1, more: null }), 'state.more: not expected, got null'],
    [make({ layers: {}, step: 1 }), 'state.layers: expected a list, got {}'],
    [make({ layers: [], step: -1 }), 'state.step: expected a whole number from 0'],
    [make({ layers: [], step: 0.5 }), 'state.step: expected a whole number'],
    [make({ layers: [], step: 1 }, { rate: -1 }), 'config.rate: expected a number from 0 to Infinity, got -1'],
    [make({ layers: [], step: 1 }, { rate: Number.NaN }), 'config.rate: expected a finite number, got NaN'],
    [make({ layers: [], step: 1 }, { rate: 1, name: 2 }), 'config.name: expected a string, got 2'],
    [{ ...make({ layers: [], step: 1 }), id: 'other/net' }, 'id: expected example/net, got other/net'],
    [make({ layers: [], step: 1 }, { rate: 1 }, 3), 'version: the snapshot is of version 3'],
    [make({ layers: [], step: 1 }, { rate: 1 }, 1), 'version: no migration leads from 1 to 2'],
    [{ ...make({ layers: [], step: 1 }), children: { x: make(null) } }, 'children.x: not expected'],
  ]
  it.each(wrong)('refuses snapshot %#', (snapshot, problem) => {
    expect(() => restore(snapshot, options)).toThrow(problem)
    expect(() => restore(snapshot, options)).toThrow(RegimenError)
  })

  it('refuses what is no snapshot at all', () => {
    expect(() => restore({} as Snapshot, options)).toThrow('snapshot.id must be a string, got undefined')
    expect(() => restore(null as unknown as Snapshot, options)).toThrow('snapshot must be an object, got null')
    const broken = { ...make(null), state: { layers: [], step: () => 1 } as unknown as Tree }
    expect(() => restore(broken, options)).toThrow('state.step is a function')
  })

  it('gives a copy whose arrays belong to the caller', () => {
    const snapshot = make({ layers: [good()], step: 1 })
    const restored = restore(snapshot, options)
    restored.state.layers[0]!.w.data[0] = 7
    expect((snapshot.state as typeof restored.state).layers[0]!.w.data[0]).toBe(0)
    expectTypeOf(restored.state.layers[0]!.w.data).toEqualTypeOf<Float64Array>()
    expectTypeOf(restored.config.name).toEqualTypeOf<string | undefined>()
  })

  it('lets the state depend on the configuration', () => {
    const config = schema.object({ n: schema.integer({ min: 1 }) })
    const state = ({ n }: Infer<typeof config>) => schema.leaf('float64', [n, n])
    const chain = { id: 'a/b', version: 1, config, state }
    const square = (n: number) =>
      createSnapshot({ id: 'a/b', version: 1, config: { n }, state: arrayLeaf('float64', [2, 2]) })
    expect(restore(square(2), chain).state.shape).toEqual([2, 2])
    expect(() => restore(square(3), chain)).toThrow('state: expected float64 [3, 3], got float64 [2, 2]')
  })

  it('migrates one version at a time without touching the old snapshot', () => {
    const old = createSnapshot({
      id: 'a/b',
      version: 1,
      config: {},
      state: { sum: arrayLeaf('float64', [2], [2, 4]), n: 2 },
    })
    const migrate = {
      1: ({ state }: Snapshot) => {
        const { sum, n } = state as { sum: ReturnType<typeof arrayLeaf<'float64'>>; n: number }
        for (let i = 0; i < sum.data.length; i++) sum.data[i]! /= n
        return { state: { mean: sum, n } }
      },
      2: ({ state }: Snapshot) => ({ state: { ...(state as object), decay: 1 }, config: { decay: 1 } }),
    }
    const now = restore(old, {
      id: 'a/b',
      version: 3,
      state: schema.object({ mean: schema.leaf('float64', [2]), n: schema.integer(), decay: schema.number() }),
      migrate,
    })
    expect(now.version).toBe(3)
    expect([...now.state.mean.data]).toEqual([1, 2])
    expect(now.config).toEqual({ decay: 1 })
    expect([...old.state.sum.data]).toEqual([2, 4])
  })

  it('checks the names of the children', () => {
    const child = createSnapshot({ id: 'c/d', version: 1, config: {}, state: null })
    const parent = createSnapshot({ id: 'a/b', version: 1, config: {}, state: null, children: { left: child } })
    const base = { id: 'a/b', version: 1, state: schema.any() }
    expect(restore(parent, { ...base, children: ['left'] }).children.left).toEqual(child)
    expect(restore(parent, { ...base, children: 'any' }).children.left).toEqual(child)
    expect(() => restore(parent, { ...base, children: ['left', 'right'] })).toThrow('children.right: is missing')
  })
})

describe('schema', () => {
  const problem = (one: { problem(value: Tree, path: string): string | undefined }, value: Tree) =>
    one.problem(value, 's')
  it('states alternatives, tuples, records and nulls', () => {
    const mode = schema.union(schema.literal('off'), schema.object({ rate: schema.number() }))
    expect(problem(mode, 'off')).toBeUndefined()
    expect(problem(mode, { rate: 1 })).toBeUndefined()
    expect(problem(mode, { rate: 'x' })).toBe('s.rate: expected a finite number, got "x"')
    expect(problem(schema.tuple(schema.boolean(), schema.bigint()), [true, 1n])).toBeUndefined()
    expect(problem(schema.tuple(schema.boolean(), schema.bigint()), [true, 1])).toBe('s[1]: expected a bigint, got 1')
    expect(problem(schema.record(schema.integer()), { a: 1, 'b c': 0.5 })).toContain(
      's["b c"]: expected a whole number',
    )
    expect(problem(schema.nullable(schema.string()), null)).toBeUndefined()
    expect(problem(schema.number({ finite: false }), Number.NaN)).toBeUndefined()
    expect(problem(schema.literal('a', 1, null), 2)).toBe('s: expected "a" or 1 or null, got 2')
  })
})
