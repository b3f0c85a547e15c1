import { createRng } from '@regimen/core'
import { hypervolume } from '@regimen/core/math'
import {
  blendCrossover,
  createParetoArchive,
  gaussianMutation,
  type MultiOptimizer,
  nsga2,
  nsga3,
  polynomialMutation,
  referenceDirections,
  sbxCrossover,
  uniformCrossover,
} from '@regimen/evolve'
import { testOptimizer, testSnapshot } from '@regimen/testing'
import { describe, expect, it } from 'vitest'

type Vector = Float64Array
const FULL = process.env.REGIMEN_FULL === '1'

const tail = (x: Vector): number => 1 + (9 * x.subarray(1).reduce((s, v) => s + v, 0)) / (x.length - 1)
const ZDT: {
  [name: string]: { n: number; lower?: number[]; upper?: number[]; bar: number; f: (x: Vector) => number[] }
} = {
  ZDT1: { n: 30, bar: 0.869, f: (x) => [x[0]!, tail(x) * (1 - Math.sqrt(x[0]! / tail(x)))] },
  ZDT2: { n: 30, bar: 0.535, f: (x) => [x[0]!, tail(x) * (1 - (x[0]! / tail(x)) ** 2)] },
  ZDT3: {
    n: 30,
    bar: 1.326,
    f: (x) => {
      const g = tail(x)
      const r = x[0]! / g
      return [x[0]!, g * (1 - Math.sqrt(r) - r * Math.sin(10 * Math.PI * x[0]!))]
    },
  },
  ZDT4: {
    n: 10,
    lower: [0, -5, -5, -5, -5, -5, -5, -5, -5, -5],
    upper: [1, 5, 5, 5, 5, 5, 5, 5, 5, 5],
    bar: 0.86,
    f: (x) => {
      const g = 1 + 90 + x.subarray(1).reduce((s, v) => s + v * v - 10 * Math.cos(4 * Math.PI * v), 0)
      return [x[0]!, g * (1 - Math.sqrt(x[0]! / g))]
    },
  },
  ZDT6: {
    n: 10,
    bar: 0.49,
    f: (x) => {
      const f1 = 1 - Math.exp(-4 * x[0]!) * Math.sin(6 * Math.PI * x[0]!) ** 6
      const g = 1 + 9 * (x.subarray(1).reduce((s, v) => s + v, 0) / 9) ** 0.25
      return [f1, g * (1 - (f1 / g) ** 2)]
    },
  },
}

function solve(optimizer: MultiOptimizer<Vector>, f: (x: Vector) => number[], evaluations: number): number[][] {
  while (optimizer.evaluations < evaluations) {
    optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: f(point) })))
  }
  return optimizer.front().map(({ values }) => [...values])
}

describe('nsga2 after 25,000 evaluations: dominated volume up to (1.1, 1.1), median of the seeds', () => {
  for (const [name, { n, lower = 0, upper = 1, bar, f }] of Object.entries(ZDT)) {
    it(`${name} ≥ ${bar}`, () => {
      const volumes = Array.from({ length: FULL ? 5 : 1 }, (_, k) => {
        const space = { dimension: n, lower, upper }
        return hypervolume(
          solve(nsga2.open({ space, direction: ['minimize', 'minimize'], seed: k + 1 }), f, 25_000),
          [1.1, 1.1],
        )
      }).sort((a, b) => a - b)
      expect(volumes[volumes.length >> 1]).toBeGreaterThanOrEqual(bar)
    })
  }

  it('keeps to constraints', () => {
    // Minimize (x, y) under x·y ≥ 1: the front is the hyperbola.
    const optimizer = nsga2.open({
      space: { dimension: 2, lower: 0.1, upper: 10 },
      direction: ['minimize', 'minimize'],
      populationSize: 40,
    })
    while (optimizer.evaluations < 8000) {
      const asked = optimizer.ask()
      optimizer.tell(asked.map(({ id, point: [x, y] }) => ({ id, value: [x!, y!], violations: [1 - x! * y!] })))
    }
    const front = optimizer.front()
    expect(front.length).toBeGreaterThan(30)
    for (const { values } of front) {
      expect(values[0]! * values[1]!).toBeGreaterThanOrEqual(1)
      expect(values[0]! * values[1]!).toBeLessThan(1.2)
    }
  })
})

describe('nsga3', () => {
  it('spreads over the sphere of DTLZ2 with three objectives', () => {
    const dtlz2 = (x: Vector): number[] => {
      const g = 1 + x.subarray(2).reduce((s, v) => s + (v - 0.5) ** 2, 0)
      const [a, b] = [(x[0]! * Math.PI) / 2, (x[1]! * Math.PI) / 2]
      return [g * Math.cos(a) * Math.cos(b), g * Math.cos(a) * Math.sin(b), g * Math.sin(a)]
    }
    const space = { dimension: 12, lower: 0, upper: 1 }
    const front = solve(nsga3.open({ space, direction: ['minimize', 'minimize', 'minimize'], seed: 1 }), dtlz2, 23_000)
    // The whole front has 0.807401; 91 points exactly on the reference directions have 0.7445.
    expect(hypervolume(front, [1.1, 1.1, 1.1])).toBeGreaterThan(0.735)
  })

  it('counts its reference directions: p divisions of m objectives give p + m − 1 over p', () => {
    expect(referenceDirections(3, 12)).toHaveLength(91)
    expect(referenceDirections(5, 6)).toHaveLength(210)
    for (const w of referenceDirections(4, 5)) expect(w.reduce((s, v) => s + v, 0)).toBeCloseTo(1, 12)
  })
})

describe('createParetoArchive', () => {
  it('keeps exactly what nothing else dominates', () => {
    const rng = createRng(1)
    const offered = Array.from({ length: 200 }, (_, i) => ({
      i,
      values: [rng.uniform(), rng.uniform(), rng.uniform()],
    }))
    const archive = createParetoArchive<number>({ direction: ['minimize', 'maximize', 'minimize'] })
    for (const { i, values } of offered) archive.add(i, values)
    const better = (a: number[], b: number[]): boolean => a[0]! <= b[0]! && a[1]! >= b[1]! && a[2]! <= b[2]!
    const expected = offered.filter((one) => !offered.some((o) => o !== one && better(o.values, one.values)))
    expect(archive.members().map(({ point }) => point)).toEqual(expected.map(({ i }) => i))
  })

  it('keeps the extremes when it is full', () => {
    const archive = createParetoArchive<number>({ direction: ['minimize', 'minimize'], capacity: 5 })
    for (let i = 0; i <= 50; i++) archive.add(i, [i, 50 - i])
    const points = archive.members().map(({ point }) => point)
    expect(points).toHaveLength(5)
    expect(points).toContain(0)
    expect(points).toContain(50)
    expect(() => archive.add(1, [1, Number.NaN])).toThrow('values must be 2 finite numbers')
    expect(() => createParetoArchive({ direction: [] })).toThrow('direction must list')
  })

  testSnapshot('createParetoArchive', {
    id: 'evolve/pareto-archive',
    open: (from) => createParetoArchive<string>(from ?? { direction: ['minimize', 'minimize'], capacity: 6 }),
    snapshot: (archive) => archive.snapshot(),
    step: (archive, step) => {
      const rng = createRng(step)
      archive.add(`p${step}`, [rng.uniform(), rng.uniform()])
      return archive.members()
    },
  })
})

describe('operators for real genomes', () => {
  const lower = new Float64Array(4).fill(-1)
  const upper = new Float64Array(4).fill(2)
  const a = Float64Array.of(-1, 0.5, 1, 2)
  const b = Float64Array.of(0.3, 0.7, 1, -1)

  it('keep the mean of the parents on average (SBX well inside the bounds) and stay within bounds', () => {
    const rng = createRng(1)
    const [c, d] = [new Float64Array(4), new Float64Array(4)]
    let [mean, outside, changed] = [0, 0, 0]
    for (let i = 0; i < 20_000; i++) {
      sbxCrossover(rng, a, b, c, d, lower, upper, 15)
      for (let j = 0; j < 4; j++) if (!(c[j]! >= -1 && c[j]! <= 2 && d[j]! >= -1 && d[j]! <= 2)) outside++
      mean += (c[1]! + d[1]!) / 2 / 20_000
      if (c[2] !== 1) changed++
    }
    // A coordinate in which the parents agree stays as it is.
    expect([outside, changed]).toEqual([0, 0])
    expect(mean).toBeCloseTo(0.6, 3)
  })

  it('mutate by steps of the declared law', () => {
    // Polynomial mutation in the middle of a wide range: E|δ| = 1/(η + 2) per half, so |shift| ≈ range/(η + 2).
    const rng = createRng(2)
    let total = 0
    const trials = 40_000
    for (let i = 0; i < trials; i++) {
      const x = Float64Array.of(0.5)
      polynomialMutation(rng, x, Float64Array.of(0), Float64Array.of(1), 20, 1)
      total += Math.abs(x[0]! - 0.5) / trials
    }
    expect(total).toBeCloseTo(1 / 22, 2)
    let squares = 0
    for (let i = 0; i < trials; i++) {
      const x = Float64Array.of(0)
      gaussianMutation(rng, x, Float64Array.of(-10), Float64Array.of(10), 0.05, 1)
      squares += x[0]! ** 2 / trials
    }
    expect(squares).toBeCloseTo(1, 1)
  })

  it('exchange or blend', () => {
    const rng = createRng(3)
    const [c, d] = [new Float64Array(4), new Float64Array(4)]
    uniformCrossover(rng, a, b, c, d, 1)
    expect([c, d]).toEqual([b, a])
    for (let i = 0; i < 100; i++) {
      blendCrossover(rng, a, b, c, d, lower, upper, 0.5)
      expect(c[1]! >= 0.4 && c[1]! <= 0.8).toBe(true)
    }
  })
})

describe('bad input', () => {
  it('is refused', () => {
    const space = { dimension: 2, lower: 0, upper: 1 }
    expect(() => nsga2.open({ space, direction: ['minimize'] })).toThrow('at least two objectives')
    expect(() => nsga2.open({ space: { dimension: 2 }, direction: ['minimize', 'minimize'] })).toThrow(
      'two finite bounds',
    )
    expect(() => nsga2.open({ space, direction: ['minimize', 'maximize'], populationSize: 2 })).toThrow(
      'integer from 4',
    )
    expect(() => referenceDirections(1, 2)).toThrow('objectives must be an integer from 2')
    const optimizer = nsga2.open({ space, direction: ['minimize', 'maximize'] })
    const [first] = optimizer.ask(1)
    expect(() => optimizer.tell([{ id: first!.id, value: 3 }])).toThrow('must be 2 numbers')
    expect(() => optimizer.tell([{ id: first!.id, value: [1, 2, 3] }])).toThrow('must be 2 numbers, got 3')
  })
})

for (const [name, factory] of [
  ['nsga2', nsga2],
  ['nsga3', nsga3],
] as const) {
  testOptimizer<Vector>(name, {
    id: `evolve/${name}`,
    open: (from) =>
      factory.open(
        typeof from === 'string'
          ? { space: { dimension: 3, lower: 0, upper: 1 }, direction: [from, from, from], populationSize: 12, seed: 2 }
          : from,
      ),
    objective: (x) => [x[0]! + x[2]!, (x[1]! - 1) ** 2 + x[0]!, 1 - x[2]!],
    pointProblem: (x) => (x.every((v) => v >= 0 && v <= 1) ? undefined : `outside: ${x}`),
  })
}
