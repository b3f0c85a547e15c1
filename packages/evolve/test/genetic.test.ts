import { createRng } from '@regimen/core'
import {
  geneticAlgorithm,
  geneticPermutation,
  orderCrossover,
  permutationMutation,
  pmxCrossover,
} from '@regimen/evolve'
import { testOptimizer } from '@regimen/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const space = {
  fast: { type: 'int', low: 2, high: 60 },
  slow: { type: 'int', low: 10, high: 300 },
  stop: { type: 'float', low: 0.001, high: 0.2, log: true },
  side: { type: 'categorical', choices: ['long', 'short', 'both'] },
} as const
type Rule = { fast: number; slow: number; stop: number; side: string }
const loss = ({ fast, slow, stop, side }: Rule): number =>
  ((fast - 12) / 5) ** 2 + ((slow - 90) / 20) ** 2 + Math.log(stop / 0.02) ** 2 + (side === 'both' ? 0 : 1)

/** Length of the closed tour over points on a circle: the best one goes round. */
const tour = (order: Int32Array): number => {
  const n = order.length
  let total = 0
  for (let i = 0; i < n; i++) total += Math.abs(Math.sin((Math.PI * (order[i]! - order[(i + 1) % n]!)) / n))
  return total
}

describe('geneticAlgorithm', () => {
  for (const [name, options] of [
    ['tournament', {}],
    ['roulette', { selection: 'roulette' }],
    ['rank and blend', { selection: 'rank', crossover: 'blend', mutation: 'gaussian' }],
    ['four islands', { islands: 4, populationSize: 20, migrationEvery: 5 }],
  ] as const) {
    it(`finds a mixed optimum: ${name}`, () => {
      for (let seed = 1; seed <= 3; seed++) {
        const optimizer = geneticAlgorithm.open({ space, direction: 'minimize', seed, ...options })
        while (optimizer.evaluations < 9000) {
          optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: loss(point) })))
        }
        expect(optimizer.best!.point.side).toBe('both')
        expect(optimizer.best!.value).toBeLessThan(0.1)
      }
    })
  }

  it('never loses its elite', () => {
    const optimizer = geneticAlgorithm.open({ space, direction: 'maximize', seed: 1, elites: 1, populationSize: 10 })
    for (let round = 0; round < 30; round++) {
      optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: -loss(point) })))
      const state = optimizer.snapshot().state as unknown as { engine: { values: { data: Float64Array } } }
      // Inside, everything is minimized, and members are kept best first.
      expect(state.engine.values.data[0]).toBe(-optimizer.best!.value)
    }
  })

  it('refuses nonsense', () => {
    expect(() => geneticAlgorithm.open({ space, direction: 'minimize', populationSize: 2 })).toThrow('integer from 4')
    expect(() => geneticAlgorithm.open({ space, direction: 'minimize', elites: 60 })).toThrow(
      'elites must be an integer',
    )
    expect(() => geneticAlgorithm.open({ space, direction: 'minimize', mutationRate: 2 })).toThrow(
      'mutationRate must be',
    )
    expect(() => geneticAlgorithm.open({ space, direction: 'minimize', selection: 'luck' as never })).toThrow(
      'selection must',
    )
    expect(() => geneticPermutation.open({ items: 1, direction: 'minimize' })).toThrow(
      'items must be an integer from 2',
    )
  })
})

describe('geneticPermutation', () => {
  it('finds the round tour with either crossover', () => {
    for (const crossover of ['order', 'pmx'] as const) {
      const optimizer = geneticPermutation.open({ items: 12, direction: 'minimize', seed: 2, crossover })
      while (optimizer.evaluations < 30_000) {
        optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: tour(point) })))
      }
      expect(optimizer.best!.value).toBeCloseTo(12 * Math.sin(Math.PI / 12), 9)
    }
  })
})

describe('operators for permutations', () => {
  it('give permutations, whatever the parents', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.integer(), (n, seed) => {
        const rng = createRng(seed)
        const [a, b] = [Float64Array.from(rng.permutation(n)), Float64Array.from(rng.permutation(n))]
        const sorted = Array.from({ length: n }, (_, i) => i)
        const child = new Float64Array(n)
        const where = new Int32Array(n)
        for (const cross of [pmxCrossover, orderCrossover]) {
          cross(rng, a, b, child, where)
          expect(Array.from(child).sort((x, y) => x - y)).toEqual(sorted)
        }
        permutationMutation(rng, child)
        expect(Array.from(child).sort((x, y) => x - y)).toEqual(sorted)
      }),
      { seed: 7 },
    )
  })

  it('leave equal parents as they are', () => {
    const rng = createRng(1)
    const a = Float64Array.of(3, 1, 0, 2)
    const child = new Float64Array(4)
    pmxCrossover(rng, a, a, child, new Int32Array(4))
    expect(child).toEqual(a)
    orderCrossover(rng, a, a, child, new Int32Array(4))
    expect(child).toEqual(a)
  })
})

testOptimizer<Rule>('geneticAlgorithm', {
  id: 'evolve/genetic-algorithm',
  open: (from) =>
    geneticAlgorithm.open(
      typeof from === 'string'
        ? { space, direction: from, populationSize: 8, islands: 2, migrationEvery: 2, seed: 3 }
        : (from as never),
    ),
  objective: loss,
})

testOptimizer<Int32Array>('geneticPermutation', {
  id: 'evolve/genetic-permutation',
  open: (from) =>
    geneticPermutation.open(typeof from === 'string' ? { items: 7, direction: from, populationSize: 8 } : from),
  objective: tour,
})
