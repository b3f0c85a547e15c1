import { RegimenError, type Snapshot } from '@regimen/core'
import { type CmaEsOptions, cmaEs } from '@regimen/evolve'
import { testOptimizer } from '@regimen/testing'
import { describe, expect, it } from 'vitest'

const FULL = process.env.REGIMEN_FULL === '1'

type Vector = Float64Array

const sum = (x: Vector, term: (value: number, i: number) => number): number => {
  let total = 0
  for (let i = 0; i < x.length; i++) total += term(x[i]!, i)
  return total
}
const sphere = (x: Vector): number => sum(x, (v) => v * v)
const rosenbrock = (x: Vector): number =>
  sum(x.subarray(1), (next, i) => 100 * (x[i]! ** 2 - next) ** 2 + (x[i]! - 1) ** 2)
const rastrigin = (x: Vector): number => sum(x, (v) => 10 + v * v - 10 * Math.cos(2 * Math.PI * v))

/** Evaluations until the value is reached. */
function evaluationsTo(
  f: (x: Vector) => number,
  target: number,
  start: number[],
  options: CmaEsOptions & { seed: number },
  bounds: { lower?: number; upper?: number } = {},
  limit = 200_000,
): number {
  const space = { dimension: start.length, ...bounds }
  const optimizer = cmaEs.open({ space, direction: 'minimize', start, ...options })
  for (;;) {
    optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: f(point) })))
    if (optimizer.best!.value <= target) return optimizer.evaluations
    if (optimizer.evaluations >= limit || optimizer.stopped !== undefined) return Number.POSITIVE_INFINITY
  }
}

describe('evaluations in 10-D to 1e-8, beside the medians of pycma 4.4 over 11 seeds', () => {
  const published: [string, (x: Vector) => number, number, number, number][] = [
    ['sphere', sphere, 1, 0.5, 1321],
    ['ellipsoid', (x) => sum(x, (v, i) => 10 ** ((6 * i) / 9) * v * v), 1, 0.5, 3991],
    ['cigar', (x) => x[0]! ** 2 + 1e6 * sphere(x.subarray(1)), 1, 0.5, 3811],
    ['tablet', (x) => 1e6 * x[0]! ** 2 + sphere(x.subarray(1)), 1, 0.5, 2911],
    ['Rosenbrock', rosenbrock, 0.1, 0.3, 4841],
  ]
  for (const [name, f, x0, sigma, median] of published) {
    it(`${name}: within 15 % of ${median}`, () => {
      const counts = Array.from({ length: 11 }, (_, k) =>
        evaluationsTo(f, 1e-8, new Array(10).fill(x0), { sigma, seed: k + 1 }),
      ).sort((a, b) => a - b)
      expect(Math.abs(counts[5]! / median - 1)).toBeLessThan(0.15)
    })
  }
})

describe('restarts', () => {
  for (const restarts of ['ipop', 'bipop'] as const) {
    it(`${restarts} solves Rastrigin in 5-D for every seed`, () => {
      for (let seed = 1; seed <= (FULL ? 7 : 2); seed++) {
        const options = { sigma: 2, restarts, seed }
        expect(evaluationsTo(rastrigin, 1e-8, [3, 3, 3, 3, 3], options, { lower: -5, upper: 5 })).toBeLessThan(2e5)
      }
    })
  }

  it('stops with its reason where there are none', () => {
    const optimizer = cmaEs.open({
      space: { dimension: 4 },
      direction: 'minimize',
      start: [1, 1, 1, 1],
      restarts: 'none',
    })
    while (optimizer.stopped === undefined) {
      optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: 1 + sphere(point) })))
    }
    expect(optimizer.stopped).toBe('tolFun')
    expect(optimizer.ask()).toEqual([])
    expect(optimizer.best!.value - 1).toBeLessThan(1e-10)
  })

  it('takes a plateau for the end of a run', () => {
    const optimizer = cmaEs.open({ space: { dimension: 3 }, direction: 'minimize', restarts: 'none' })
    while (optimizer.stopped === undefined) optimizer.tell(optimizer.ask().map(({ id }) => ({ id, value: 7 })))
    expect(optimizer.stopped).toBe('flatFitness')
  })
})

describe('the first step', () => {
  it('moves the mean to the weighted mean of the better half', () => {
    // λ = 4 and μ = 2 in one dimension; weights ln 2.5 − ln i, normalized: w = (0.80415…, 0.19584…).
    const w1 = Math.log(2.5)
    const w2 = Math.log(2.5) - Math.log(2)
    const optimizer = cmaEs.open({ space: { dimension: 1 }, direction: 'minimize', start: [5], sigma: 1, seed: 3 })
    const asked = optimizer.ask()
    expect(asked).toHaveLength(4)
    optimizer.tell(asked.map(({ id, point }) => ({ id, value: point[0]! })))
    const [first, second] = asked.map(({ point }) => point[0]!).sort((a, b) => a - b)
    const state = optimizer.snapshot().state as unknown as { engine: { mean: { data: Vector } } }
    expect(state.engine.mean.data[0]).toBeCloseTo((w1 * first! + w2 * second!) / (w1 + w2), 12)
  })
})

describe('bounds, whole numbers and separability', () => {
  it('finds an optimum in the corner of the bounds and never leaves them', () => {
    const optimizer = cmaEs.open({
      space: { dimension: 4, lower: 1, upper: [9, 9, 9, Number.POSITIVE_INFINITY] },
      direction: 'minimize',
      start: [5, 5, 5, 5],
      sigma: 2,
    })
    for (let round = 0; round < 300; round++) {
      const asked = optimizer.ask()
      for (const { point } of asked) {
        for (let i = 0; i < 4; i++) {
          expect(point[i]).toBeGreaterThanOrEqual(1)
          if (i < 3) expect(point[i]).toBeLessThanOrEqual(9)
        }
      }
      optimizer.tell(asked.map(({ id, point }) => ({ id, value: sphere(point) })))
    }
    expect(optimizer.best!.value).toBeCloseTo(4, 8)
  })

  it('solves a mix of whole numbers, choices and reals', () => {
    const space = {
      fast: { type: 'int', low: 1, high: 40 },
      slow: { type: 'int', low: 10, high: 400 },
      rate: { type: 'float', low: 1e-5, high: 1, log: true },
      side: { type: 'categorical', choices: ['long', 'short', 'both'] },
    } as const
    for (let seed = 1; seed <= 5; seed++) {
      const optimizer = cmaEs.open({ space, direction: 'maximize', seed })
      while (optimizer.evaluations < 3000 && optimizer.stopped === undefined) {
        optimizer.tell(
          optimizer.ask().map(({ id, point: { fast, slow, rate, side } }) => ({
            id,
            value:
              -((fast - 7) ** 2) -
              ((slow - 5 * fast - 30) / 10) ** 2 -
              Math.log(rate / 0.01) ** 2 -
              (side === 'both' ? 0 : 2),
          })),
        )
      }
      const { point, value } = optimizer.best!
      expect([point.fast, point.slow, point.side]).toEqual([7, 65, 'both'])
      expect(value).toBeGreaterThan(-1e-6)
    }
  })

  it('needs fewer evaluations with a diagonal covariance where the function is separable', () => {
    const f = (x: Vector): number => sum(x, (v, i) => 10 ** ((6 * i) / 19) * v * v)
    const start = new Array(20).fill(1)
    const full = evaluationsTo(f, 1e-8, start, { sigma: 0.5, seed: 1 })
    const separable = evaluationsTo(f, 1e-8, start, { sigma: 0.5, seed: 1, separable: true })
    expect(separable).toBeLessThan(full / 2)
  })
})

describe('constraints and failures', () => {
  it('puts feasible before infeasible', () => {
    // Minimum of x² + y² under x + y ≥ 2 is 2, in (1, 1).
    const optimizer = cmaEs.open({ space: { dimension: 2 }, direction: 'minimize', start: [-3, 4], sigma: 1 })
    while (optimizer.evaluations < 1500) {
      optimizer.tell(
        optimizer.ask().map(({ id, point: p }) => ({ id, value: sphere(p), violations: [2 - p[0]! - p[1]!] })),
      )
    }
    expect(optimizer.best!.value).toBeGreaterThanOrEqual(2)
    expect(optimizer.best!.value).toBeLessThan(2.02)
  })

  it('solves the sphere though a third of the evaluations fail', () => {
    const optimizer = cmaEs.open({ space: { dimension: 5 }, direction: 'minimize', start: [1, 1, 1, 1, 1] })
    while (optimizer.evaluations < 3000) {
      optimizer.tell(
        optimizer
          .ask()
          .map(({ id, point }) => (id % 3 === 0 ? { id, failed: 'no data' } : { id, value: sphere(point) })),
      )
    }
    expect(optimizer.best!.value).toBeLessThan(1e-8)
  })
})

describe('bad input', () => {
  const refusal = (work: () => unknown): string => {
    try {
      work()
    } catch (error) {
      expect(error).toBeInstanceOf(RegimenError)
      return (error as RegimenError).message
    }
    throw new Error('it was accepted')
  }
  const open = (options: object) =>
    refusal(() => cmaEs.open({ space: { dimension: 2 }, direction: 'minimize', ...options }))

  it('names what is wrong and the value', () => {
    expect(open({ space: { dimension: 0 } })).toContain('space.dimension must be an integer from 1, got 0')
    expect(open({ space: {} })).toContain('at least one dimension')
    expect(open({ space: { dimension: 2, lower: 1, upper: 1 } })).toContain(
      'lower must be below upper, got 1 and 1 at 0',
    )
    expect(open({ space: { dimension: 2, lower: [0, 3], upper: [1, 2] } })).toContain('got 3 and 2 at 1')
    expect(open({ space: { dimension: 2, lower: 0 }, start: [1, -1] })).toContain(
      'start must lie within the bounds, got -1',
    )
    expect(open({ start: [1, Number.NaN] })).toContain('got NaN at 1')
    expect(open({ start: [1, 2, 3] })).toContain('start must be 2 numbers')
    expect(open({ populationSize: 3 })).toContain('populationSize must be an integer from 4')
    expect(open({ sigma: 0 })).toContain('sigma must be a number from')
    expect(open({ direction: 'down' })).toContain("direction must be 'minimize' or 'maximize', got \"down\"")
    expect(open({ restarts: 'often' })).toContain('restarts must be')
  })

  it('refuses a snapshot of another kind and names the path', () => {
    const optimizer = cmaEs.open({ space: { dimension: 2 }, direction: 'minimize' })
    const snapshot = optimizer.snapshot() as Snapshot
    const state = snapshot.state as { readonly [key: string]: never }
    expect(refusal(() => cmaEs.open({ ...snapshot, state: { ...state, rng: { key: 'a' } as never } }))).toContain(
      'state.rng.c',
    )
    expect(refusal(() => cmaEs.open({ ...snapshot, id: 'evolve/other' }))).toContain('expected evolve/cma-es')
    expect(refusal(() => cmaEs.open({ ...snapshot, state: { ...state, evaluations: -1 as never } }))).toContain(
      'state.evaluations',
    )
  })
})

for (const [name, options] of [
  ['full', {}],
  ['separable', { separable: true, populationSize: 6 }],
] as const) {
  testOptimizer<Vector>(`cmaEs, ${name}`, {
    id: 'evolve/cma-es',
    open: (from) =>
      cmaEs.open(
        typeof from === 'string'
          ? { space: { dimension: 3, lower: -4, upper: 6 }, direction: from, seed: 5, ...options }
          : from,
      ),
    objective: rosenbrock,
    pointProblem: (x) => (x.every((v) => v >= -4 && v <= 6) ? undefined : `outside: ${x}`),
  })
}

testOptimizer('cmaEs over named parameters, with restarts', {
  open: (from) =>
    cmaEs.open(
      typeof from === 'string'
        ? {
            space: { depth: { type: 'int', low: 1, high: 9 }, rate: { type: 'float', low: 0, high: 1 } } as const,
            direction: from,
            tolFun: 0.1,
            tolX: 0.5,
          }
        : from,
    ),
  objective: (point) => {
    const { depth, rate } = point as { depth: number; rate: number }
    return (depth - 3) ** 2 + rate
  },
  rounds: 60,
})
