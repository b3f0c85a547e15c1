import { jso, lshade, openAiEs, particleSwarm, pgpe, type SearchFactory, snes, xnes } from '@regimen/evolve'
import { testOptimizer } from '@regimen/testing'
import { describe, expect, it } from 'vitest'

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
const ellipsoid = (x: Vector): number => sum(x, (v, i) => 10 ** ((6 * i) / (x.length - 1)) * v * v)

function best<Options extends object>(
  factory: SearchFactory<Options>,
  f: (x: Vector) => number,
  n: number,
  evaluations: number,
  options: Options,
  seed = 1,
): number {
  const space = { dimension: n, lower: -5, upper: 5 }
  const optimizer = factory.open({ space, direction: 'minimize', seed, ...options })
  while (optimizer.evaluations < evaluations) {
    optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: f(point) })))
  }
  return optimizer.best!.value
}

describe('search quality', () => {
  it('lshade and jso solve 10-D Rosenbrock and Rastrigin to 1e-8 within 100,000 evaluations', () => {
    for (const factory of [lshade, jso]) {
      expect(best(factory, rosenbrock, 10, 100_000, { maxEvaluations: 100_000 })).toBeLessThan(1e-8)
      expect(best(factory, rastrigin, 10, 100_000, { maxEvaluations: 100_000 })).toBeLessThan(1e-8)
    }
  })

  it('the population of lshade shrinks linearly from 18 n to 4', () => {
    const space = { dimension: 2, lower: -5, upper: 5 }
    const optimizer = lshade.open({ space, direction: 'minimize', maxEvaluations: 2000 })
    expect(optimizer.populationSize).toBe(36)
    while (optimizer.evaluations < 1000) {
      optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: sphere(point) })))
    }
    // Half of the evaluations: half way from 36 to 4, within one generation.
    expect(Math.abs(optimizer.populationSize - 20)).toBeLessThanOrEqual(1)
    while (optimizer.evaluations < 2100) {
      optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: sphere(point) })))
    }
    expect(optimizer.populationSize).toBe(4)
  })

  it('particleSwarm, both topologies, solves the 5-D sphere to 1e-8', () => {
    for (const topology of ['ring', 'global'] as const) {
      expect(best(particleSwarm, sphere, 5, 8000, { topology })).toBeLessThan(1e-8)
    }
  })

  it('xnes solves a rotated, badly scaled bowl; snes one along the axes', () => {
    const rotated = (x: Vector): number =>
      ellipsoid(x.map((_, i) => (x[i]! + x[(i + 1) % x.length]!) / Math.SQRT2 + 0.1))
    expect(best(xnes, rotated, 5, 12_000, {})).toBeLessThan(1e-8)
    expect(best(snes, ellipsoid, 10, 12_000, {})).toBeLessThan(1e-8)
  })

  it('openAiEs and pgpe climb a noisy slope of a hundred dimensions', () => {
    const start = new Array<number>(100).fill(2)
    for (const factory of [openAiEs, pgpe]) {
      const value = best(factory, sphere, 100, 40_000, { start, sigma: 0.3 } as object)
      expect(value).toBeLessThan(400 / 50)
    }
  })
})

describe('one generation by hand', () => {
  it('snes moves the mean and the deviation by the utilities', () => {
    // n = 1, λ = 4: u_k ∝ max(0, ln 3 − ln k) = (1.0986, 0.4055, 0, 0), normalized and shifted by −1/4.
    const raw = [Math.log(3), Math.log(3) - Math.log(2), 0, 0]
    const u = raw.map((one) => one / (raw[0]! + raw[1]!) - 0.25)
    const optimizer = snes.open({ space: { dimension: 1 }, direction: 'minimize', start: [10], sigma: 2, seed: 1 })
    const asked = optimizer.ask()
    optimizer.tell(asked.map(({ id, point }) => ({ id, value: point[0]! })))
    const z = asked.map(({ point }) => (point[0]! - 10) / 2).sort((a, b) => a - b)
    const { engine } = optimizer.snapshot().state as unknown as { engine: { [key: string]: { data: Vector } } }
    const rate = 3 / 5
    const expectedMean = 10 + 2 * z.reduce((s, one, k) => s + u[k]! * one, 0)
    const expectedDeviation = 2 * Math.exp((rate / 2) * z.reduce((s, one, k) => s + u[k]! * (one * one - 1), 0))
    expect(engine.mean!.data[0]).toBeCloseTo(expectedMean, 12)
    expect(engine.deviation!.data[0]).toBeCloseTo(expectedDeviation, 12)
  })

  it('openAiEs and pgpe ask in mirrored pairs', () => {
    for (const factory of [openAiEs, pgpe]) {
      const optimizer = factory.open({ space: { dimension: 3 }, direction: 'minimize', start: [1, 2, 3], seed: 4 })
      const asked = optimizer.ask()
      for (let k = 0; k < asked.length; k += 2) {
        for (let i = 0; i < 3; i++) expect(asked[k]!.point[i]! + asked[k + 1]!.point[i]!).toBeCloseTo(2 * (i + 1), 12)
      }
    }
  })
})

describe('bad input', () => {
  const space = { dimension: 2, lower: -1, upper: 1 }
  it('is refused', () => {
    expect(() => lshade.open({ space: { dimension: 2 }, direction: 'minimize' })).toThrow('two finite bounds')
    expect(() => jso.open({ space, direction: 'minimize', populationSize: 3 })).toThrow(
      'populationSize must be an integer from 4',
    )
    expect(() => particleSwarm.open({ space, direction: 'minimize', topology: 'star' as never })).toThrow(
      'topology must be',
    )
    expect(() => snes.open({ space, direction: 'minimize', sigma: -1 })).toThrow('sigma must be a number from')
    expect(() => pgpe.open({ space, direction: 'minimize', start: [2, 0] })).toThrow('start must lie within the bounds')
    expect(() => openAiEs.open({ space, direction: 'minimize', sigmaDecay: 2 })).toThrow('sigmaDecay must be')
  })
})

const suite = (factory: SearchFactory<object>, options: object = {}) => ({
  id: factory.id,
  open: (from: Parameters<Parameters<typeof testOptimizer<Vector>>[1]['open']>[0]) =>
    factory.open(
      typeof from === 'string'
        ? { space: { dimension: 3, lower: -4, upper: 6 }, direction: from, seed: 5, ...options }
        : from,
    ),
  objective: rosenbrock,
  pointProblem: (x: Vector) => (x.every((v) => v >= -4 && v <= 6) ? undefined : `outside: ${x}`),
})

testOptimizer('lshade', suite(lshade, { maxEvaluations: 300 }))
testOptimizer('jso', suite(jso, { maxEvaluations: 300 }))
testOptimizer('particleSwarm', suite(particleSwarm))
testOptimizer('xnes', suite(xnes))
testOptimizer('snes', suite(snes))
testOptimizer('openAiEs', suite(openAiEs))
testOptimizer('pgpe', suite(pgpe))
