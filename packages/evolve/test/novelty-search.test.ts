import { createRng } from '@regimen/core'
import { noveltySearch } from '@regimen/evolve'
import { testOptimizer } from '@regimen/testing'
import { describe, expect, it } from 'vitest'
import { behaving } from './behaving.ts'

type Vector = Float64Array

const box = { dimension: 2, lower: -1, upper: 1 } as const

/** Tells one generation of four and gives the places of the candidates as parents, most wanted first. */
function parentsOf(behaviours: number[], options: object, values = [0, 0, 0, 0], violations = [0, 0, 0, 0]): number[] {
  const optimizer = noveltySearch.open({
    space: box,
    direction: 'maximize',
    behaviours: 1,
    populationSize: 4,
    archiveRate: 0,
    seed: 1,
    ...options,
  })
  const asked = optimizer.ask()
  optimizer.tell(
    asked.map(({ id }, k) => ({ id, value: values[k]!, behaviour: [behaviours[k]!], violations: [violations[k]!] })),
  )
  const { engine } = optimizer.snapshot().state as unknown as { engine: { parents: { data: Vector } } }
  return [0, 1, 2, 3].map((place) =>
    asked.findIndex(
      ({ point }) => point[0] === engine.parents.data[2 * place] && point[1] === engine.parents.data[2 * place + 1],
    ),
  )
}

describe('novelty', () => {
  it('is the mean distance to the nearest behaviours', () => {
    // One neighbour: ρ = 1, 1, 2, 4. Two: ρ = (1 + 3)/2, (1 + 2)/2, (2 + 3)/2, (4 + 6)/2 = 2, 1.5, 2.5, 5.
    expect(parentsOf([0, 1, 3, 7], { neighbours: 1 })).toEqual([3, 2, 0, 1])
    expect(parentsOf([0, 1, 3, 7], { neighbours: 2 })).toEqual([3, 2, 0, 1])
    // Two: ρ(0) = (2 + 5)/2 = 3.5, ρ(2) = (2 + 3)/2 = 2.5, ρ(5) = (3 + 1)/2 = 2, ρ(6) = (1 + 4)/2 = 2.5.
    expect(parentsOf([0, 2, 5, 6], { neighbours: 2 })).toEqual([0, 1, 3, 2])
    // One: 2, 2, 1, 1.
    expect(parentsOf([5, 2, 0, 6], { neighbours: 1 })).toEqual([1, 2, 0, 3])
  })

  it('shares the choice with the value as far as quality says; the infeasible come last', () => {
    expect(parentsOf([0, 1, 3, 7], { quality: 1 }, [1, 4, 2, 3])).toEqual([1, 3, 2, 0])
    // Ranks by novelty 2, 3, 1, 0 and by value 0, 1, 2, 3: together 2, 4, 3, 3, and ties keep the order of the ids.
    expect(parentsOf([0, 1, 3, 7], { neighbours: 2, quality: 0.5 }, [9, 8, 7, 6])).toEqual([0, 2, 3, 1])
    expect(parentsOf([0, 1, 3, 7], { neighbours: 1 }, [0, 0, 0, 0], [0, 0, 0.5, 0.2])).toEqual([0, 1, 3, 2])
  })

  it('is measured against the archive too, whose oldest leave', () => {
    const optimizer = noveltySearch.open({
      space: box,
      direction: 'maximize',
      behaviours: 1,
      populationSize: 4,
      archiveRate: 4,
      archiveCapacity: 6,
      neighbours: 1,
      seed: 1,
    })
    const generation = (behaviours: number[]) => {
      const asked = optimizer.ask()
      optimizer.tell(asked.map(({ id }, k) => ({ id, value: 0, behaviour: [behaviours[k]!] })))
      return asked
    }
    generation([0, 10, 20, 30])
    const asked = generation([0.5, 14, 26, 31])
    const { engine } = optimizer.snapshot().state as unknown as { engine: { parents: { data: Vector } } }
    const order = [0, 1, 2, 3].map((place) =>
      asked.findIndex(({ point }) => point[0] === engine.parents.data[2 * place]),
    )
    // 26 is 4 from 30, 14 is 4 from 10, 31 is 1 from 30, 0.5 is 0.5 from 0.
    expect(order).toEqual([1, 2, 3, 0])
    // Eight were taken, six fit: of the first generation two are left.
    const archive = optimizer.archive().map(({ behaviour }) => behaviour[0]!)
    expect(archive).toHaveLength(6)
    expect(archive.slice(2).sort((a, b) => a - b)).toEqual([0.5, 14, 26, 31])
    for (const old of archive.slice(0, 2)) expect([0, 10, 20, 30]).toContain(old)
  })
})

describe('noveltySearch', () => {
  it('reaches behaviours that chance does not', () => {
    // The eighth power squeezes nearly all of the space into behaviour 0.
    const behave = (x: Vector): number[] => Array.from(x, (v) => v ** 8)
    const space = { dimension: 4, lower: 0, upper: 1 } as const
    const cells = (list: readonly (readonly number[])[]): number =>
      new Set(list.map((b) => b.map((v) => Math.min(3, Math.floor(4 * v))).join())).size
    const optimizer = noveltySearch.open({ space, direction: 'maximize', behaviours: 4, seed: 2 })
    const seen: number[][] = []
    while (optimizer.generations < 30) {
      const asked = optimizer.ask()
      const results = asked.map(({ id, point }) => ({ id, value: 0, behaviour: behave(point) }))
      seen.push(...results.map(({ behaviour }) => behaviour))
      optimizer.tell(results)
    }
    const rng = createRng(2)
    const chance = seen.map(() => behave(rng.fillUniform(new Float64Array(4))))
    expect(cells(seen)).toBeGreaterThan(1.5 * cells(chance))
  })

  it('refuses bad input', () => {
    const open = (options: object) => () =>
      noveltySearch.open({ space: box, direction: 'maximize', behaviours: 2, ...options })
    expect(open({ behaviours: 0 })).toThrow('behaviours must be an integer from 1')
    expect(open({ populationSize: 3 })).toThrow('populationSize must be an integer from 4')
    expect(open({ archiveRate: 61 })).toThrow('archiveRate must be an integer from 0 to 60')
    expect(open({ quality: 1.5 })).toThrow('quality must be a number from 0 to 1')
    expect(open({ space: { dimension: 1 } })).toThrow('two finite bounds')
    expect(open({ direction: ['maximize'] })).toThrow('one of a single objective')
  })
})

testOptimizer<Vector>('noveltySearch', {
  id: 'evolve/novelty-search',
  open: (from) =>
    behaving<Vector, ReturnType<typeof noveltySearch.open<typeof box>>>(
      noveltySearch.open(
        typeof from === 'string'
          ? { space: box, direction: from, behaviours: 2, populationSize: 8, archiveRate: 2, seed: 3 }
          : from,
      ),
      (size) => [size, Math.sin(9 * size)],
    ),
  objective: (x) => x[0]! ** 2 + x[1]! ** 2,
  pointProblem: (x) => (x.every((v) => Math.abs(v) <= 1) ? undefined : `outside: ${x}`),
})
