import { mapElites } from '@regimen/evolve'
import { testOptimizer } from '@regimen/testing'
import { describe, expect, it } from 'vitest'
import { behaving } from './behaving.ts'

type Vector = Float64Array

const box = { dimension: 2, lower: -1, upper: 1 } as const
const axis = { name: 'turnover', low: 0, high: 10, bins: 5 } as const

describe('the map', () => {
  it('keeps the best of each cell; what lies outside the axis belongs to its ends', () => {
    const optimizer = mapElites.open({
      space: box,
      direction: 'maximize',
      behaviour: [axis],
      populationSize: 7,
      seed: 1,
    })
    const asked = optimizer.ask()
    // Cells are two wide: 1.99 → 0, 2 → 1, −3 → 0, 10 and 99 → 4.
    const told = [
      [1.99, 5],
      [2, 1],
      [-3, 6],
      [10, 2],
      [99, 1],
      [7, 9],
    ] as const
    optimizer.tell([
      ...told.map(([behaviour, value], k) => ({ id: asked[k]!.id, value, behaviour: [behaviour] })),
      { id: asked[6]!.id, value: 100, behaviour: [5], violations: [0.1] },
    ])
    expect(optimizer.elites()).toEqual([
      { point: asked[2]!.point, value: 6, behaviour: [-3], cell: [0] },
      { point: asked[1]!.point, value: 1, behaviour: [2], cell: [1] },
      { point: asked[5]!.point, value: 9, behaviour: [7], cell: [3] },
      { point: asked[3]!.point, value: 2, behaviour: [10], cell: [4] },
    ])
    // The infeasible one did not take cell 2.
    expect(optimizer.coverage()).toBe(4 / 5)
    expect(optimizer.best!.value).toBe(9)
  })

  it('counts cells of several axes row by row', () => {
    const behaviour = [axis, { name: 'drawdown', low: 0, high: 1, bins: 4 }]
    const optimizer = mapElites.open({ space: box, direction: 'minimize', behaviour, populationSize: 2, seed: 1 })
    const [a, b] = optimizer.ask()
    optimizer.tell([
      { id: a!.id, value: 1, behaviour: [9, 0.3] },
      { id: b!.id, value: 2, behaviour: [0, 0.8] },
    ])
    expect(optimizer.elites().map(({ cell }) => cell)).toEqual([
      [0, 3],
      [4, 1],
    ])
  })

  it('fills with the best that each behaviour allows', () => {
    // The value is −(x² + y²) and the behaviour is the point: the best of a cell lies at its corner nearest to 0.
    const behaviour = ['x', 'y'].map((name) => ({ name, low: -1, high: 1, bins: 8 }))
    const optimizer = mapElites.open({ space: box, direction: 'maximize', behaviour, seed: 3 })
    while (optimizer.evaluations < 6000) {
      optimizer.tell(
        optimizer.ask().map(({ id, point: [x, y] }) => ({ id, value: -(x! ** 2 + y! ** 2), behaviour: [x!, y!] })),
      )
    }
    expect(optimizer.coverage()).toBe(1)
    const nearest = (cell: number): number => (cell < 4 ? (3 - cell) / 4 : (cell - 4) / 4)
    for (const { value, cell } of optimizer.elites()) {
      const bound = -(nearest(cell[0]!) ** 2 + nearest(cell[1]!) ** 2)
      expect(value).toBeLessThanOrEqual(bound + 1e-12)
      expect(value).toBeGreaterThan(bound - 0.1)
    }
  })
})

describe('children', () => {
  const open = (options: object) => {
    const optimizer = mapElites.open({
      space: { dimension: 3, lower: -1, upper: 1 },
      direction: 'minimize',
      behaviour: [axis],
      populationSize: 2,
      initial: 2,
      seed: 4,
      ...options,
    })
    const parents = optimizer.ask()
    optimizer.tell(parents.map(({ id }, k) => ({ id, value: 1, behaviour: [k * 9] })))
    return { optimizer, parents: parents.map(({ point }) => Array.from(point)) }
  }

  it('are copies where neither deviation lets them differ', () => {
    const { optimizer, parents } = open({ sigma: 0, lineSigma: 0 })
    const drawn = optimizer.ask(20).map(({ point }) => parents.findIndex((one) => `${one}` === `${Array.from(point)}`))
    expect([...new Set(drawn)].sort()).toEqual([0, 1])
  })

  it('lie on the line through their parents where there is no noise of their own', () => {
    const { optimizer, parents } = open({ sigma: 0, lineSigma: 0.1 })
    const [a, b] = parents as [number[], number[]]
    const along = b.map((v, i) => v - a[i]!)
    let moved = 0
    for (const { point } of optimizer.ask(40)) {
      const shares = along.map((v, i) => (point[i]! - a[i]!) / v)
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThan(1e-9)
      if (Math.abs(shares[0]!) > 1e-9 && Math.abs(shares[0]! - 1) > 1e-9) moved++
    }
    expect(moved).toBeGreaterThan(10)
  })

  it('take whole numbers and choices from their parents', () => {
    const space = {
      depth: { type: 'int', low: 1, high: 30 },
      side: { type: 'categorical', choices: ['long', 'short', 'both'] },
    } as const
    const optimizer = mapElites.open({
      space,
      direction: 'minimize',
      behaviour: [{ ...axis, high: 30, bins: 30 }],
      seed: 2,
    })
    while (optimizer.evaluations < 2000) {
      optimizer.tell(
        optimizer.ask().map(({ id, point: { depth, side } }) => ({
          id,
          value: side === 'both' ? depth : 100,
          behaviour: [depth],
        })),
      )
    }
    expect(optimizer.elites().filter(({ point }) => point.side === 'both').length).toBeGreaterThan(25)
  })
})

describe('bad input', () => {
  it('is refused, and changes nothing', () => {
    const open = (options: object) => () =>
      mapElites.open({ space: box, direction: 'minimize', behaviour: [axis], ...options })
    expect(open({ behaviour: [] })).toThrow('behaviour must list one to six axes')
    expect(open({ behaviour: [{ ...axis, high: 0 }] })).toThrow('needs finite low < high, got 0 and 0')
    expect(open({ behaviour: [{ ...axis, bins: 0 }] })).toThrow(
      'bins of behaviour "turnover" must be an integer from 1',
    )
    expect(open({ behaviour: [axis, { ...axis, bins: 900_000 }] })).toThrow('at most 1000000 cells')
    expect(open({ space: { dimension: 2 } })).toThrow('two finite bounds')
    expect(open({ direction: ['minimize'] })).toThrow('one of a single objective')
    const optimizer = mapElites.open({ space: box, direction: 'minimize', behaviour: [axis] })
    const [first] = optimizer.ask()
    const before = optimizer.snapshot()
    expect(() => optimizer.tell([{ id: first!.id, value: 1 }])).toThrow('must be 1 finite numbers, got undefined')
    expect(() => optimizer.tell([{ id: first!.id, value: 1, behaviour: [Number.NaN] }])).toThrow(
      'must be 1 finite numbers',
    )
    expect(optimizer.snapshot()).toEqual(before)
  })
})

testOptimizer<Vector>('mapElites', {
  id: 'evolve/map-elites',
  open: (from) =>
    behaving<Vector, ReturnType<typeof mapElites.open<typeof box>>>(
      mapElites.open(
        typeof from === 'string'
          ? { space: box, direction: from, behaviour: [{ ...axis, high: 2 }], populationSize: 8, seed: 3 }
          : from,
      ),
      (size) => [size],
    ),
  objective: (x) => x[0]! ** 2 + x[1]! ** 2,
  pointProblem: (x) => (x.every((v) => Math.abs(v) <= 1) ? undefined : `outside: ${x}`),
})
