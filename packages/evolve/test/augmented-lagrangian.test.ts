import { augmentedLagrangian, cmaEs, geneticAlgorithm, minimize } from '@regimen/evolve'
import { testOptimizer } from '@regimen/testing'
import { describe, expect, it } from 'vitest'

type Vector = Float64Array

const wrapped = augmentedLagrangian(cmaEs)
const sphere = (x: Vector): number => x.reduce((sum, v) => sum + v * v, 0)

interface Held {
  readonly multipliers: { readonly gamma: { readonly data: Vector }; readonly omega: { readonly data: Vector } }
}

/** Runs and gives the multipliers at the end. */
function solve(
  f: (x: Vector) => number,
  g: (x: Vector) => number[],
  start: number[],
  evaluations: number,
  seed: number,
): { point: Vector; value: number; gamma: number[] } {
  const space = { dimension: start.length }
  const optimizer = wrapped.open({ space, direction: 'minimize', start, sigma: 1, restarts: 'none', seed })
  while (optimizer.evaluations < evaluations && optimizer.stopped === undefined) {
    optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: f(point), violations: g(point) })))
  }
  const { multipliers } = optimizer.snapshot().state as unknown as Held
  return { ...optimizer.best!, gamma: Array.from(multipliers.gamma.data) }
}

describe('augmentedLagrangian', () => {
  it('finds an optimum on the edge, and its multiplier', () => {
    // min |x|² with x₀ ≥ 1: x* = (1, 0, …); ∇f + γ·∇g = 2·x₀ − γ = 0 gives γ* = 2.
    for (const seed of [1, 2, 3]) {
      const { point, value, gamma } = solve(sphere, (x) => [1 - x[0]!], [3, 3, 3, 3, 3], 4000, seed)
      expect(gamma[0]).toBeCloseTo(2, 2)
      expect(value).toBeCloseTo(1, 4)
      expect(value).toBeGreaterThanOrEqual(1)
      expect(point[0]).toBeCloseTo(1, 4)
    }
  })

  it('lets go of a constraint that holds anyway', () => {
    const { value, gamma } = solve(sphere, (x) => [x[0]! - 5], [3, 3], 2500, 1)
    expect(gamma[0]).toBe(0)
    expect(value).toBeLessThan(1e-8)
  })

  it('meets several constraints at once', () => {
    // min (x − 3)² + (y − 3)² with x ≤ 1, y ≤ 2: the corner (1, 2), value 5.
    const { point, value } = solve(
      (x) => (x[0]! - 3) ** 2 + (x[1]! - 3) ** 2,
      (x) => [x[0]! - 1, x[1]! - 2],
      [0, 0],
      900,
      2,
    )
    expect(Array.from(point, (v) => Math.round(v * 1e4) / 1e4)).toEqual([1, 2])
    expect(value).toBeCloseTo(5, 4)
  })

  it('gets closer than the feasibility rules where five constraints meet', async () => {
    // min |x|² in ten dimensions with x₀ … x₄ ≥ 1: value 5.
    const run = (optimizer: typeof cmaEs) =>
      minimize(
        (x: Vector) => ({ value: sphere(x), violations: Array.from(x.subarray(0, 5), (v) => 1 - v) }),
        { dimension: 10 } as const,
        {
          optimizer,
          options: { sigma: 1, restarts: 'none' },
          start: new Array(10).fill(2),
          evaluations: 8000,
          seed: 1,
        },
      )
    const [rules, lagrangian] = [await run(cmaEs), await run(wrapped)]
    expect(lagrangian.value - 5).toBeLessThan((rules.value - 5) / 10)
    expect(lagrangian.value).toBeGreaterThanOrEqual(5)
  })

  it('does the same however results are told', () => {
    const run = (pieces: boolean): unknown => {
      const optimizer = wrapped.open({ space: { dimension: 2 }, direction: 'minimize', start: [2, 1], seed: 3 })
      for (let round = 0; round < 30; round++) {
        const results = optimizer
          .ask()
          .map(({ id, point }) => ({ id, value: sphere(point), violations: [1 - point[0]!] }))
        if (pieces) for (const one of results.reverse()) optimizer.tell([one])
        else optimizer.tell(results)
      }
      return optimizer.snapshot()
    }
    expect(run(true)).toEqual(run(false))
  })

  it('wraps any optimizer, over named parameters too, and maximizes', () => {
    // Most return under a turnover of at most 12: return grows with both, turnover is speed·size.
    const space = { speed: { type: 'int', low: 1, high: 10 }, size: { type: 'float', low: 0, high: 5 } } as const
    const optimizer = augmentedLagrangian(geneticAlgorithm).open({ space, direction: 'maximize', seed: 1 })
    while (optimizer.evaluations < 6000) {
      optimizer.tell(
        optimizer.ask().map(({ id, point: { speed, size } }) => ({
          id,
          value: Math.log(speed) + 2 * Math.log(size + 1e-9),
          violations: [speed * size - 12],
        })),
      )
    }
    // speed·size = 12: log 12 + log size is largest for the largest size, 4 with speed 3 (5 would need 2.4).
    const { point } = optimizer.best!
    expect(point.speed * point.size).toBeLessThanOrEqual(12)
    expect([2, 3]).toContain(point.speed)
    expect(optimizer.best!.value).toBeGreaterThan(Math.log(12) + Math.log(4) - 0.1)
  })
})

describe('bad input', () => {
  it('is refused, and changes nothing', () => {
    const optimizer = wrapped.open({ space: { dimension: 2 }, direction: 'minimize' })
    const asked = optimizer.ask()
    optimizer.tell([{ id: asked[0]!.id, value: 1, violations: [0.5, -1] }])
    const before = optimizer.snapshot()
    const tell = (result: object) => () => optimizer.tell([{ id: asked[1]!.id, value: 1, ...result }])
    expect(tell({ violations: [1] })).toThrow('has 1 violations, and others 2')
    expect(tell({ violations: [1, Number.NaN] })).toThrow('violation 1 of id 1 must be a finite number, got NaN')
    expect(tell({ value: Number.NaN, violations: [0, 0] })).toThrow('must be a number')
    expect(tell({ value: Number.NEGATIVE_INFINITY, violations: [0, 0] })).toThrow('not the best infinity')
    expect(tell({ id: 0 })).toThrow('was never asked for, or was told already')
    expect(optimizer.snapshot()).toEqual(before)
    const { children, ...rest } = before
    expect(Object.keys(children)).toEqual(['inner'])
    expect(() => wrapped.open({ ...rest, children: {} })).toThrow('children.inner: is missing')
  })
})

for (const [name, violations] of [
  ['with a constraint', (x: Vector) => [1 - x[0]!]],
  ['with none', () => []],
] as const) {
  testOptimizer<Vector>(`augmentedLagrangian(cmaEs), ${name}`, {
    id: 'evolve/augmented-lagrangian/cma-es',
    open: (from) => {
      const optimizer = wrapped.open(
        typeof from === 'string'
          ? { space: { dimension: 3, lower: -4, upper: 6 } as const, direction: from, seed: 5 }
          : from,
      )
      if (name === 'with none') return optimizer
      // A constraint that always holds, so that the best that was told is the best feasible.
      const { tell } = optimizer
      return Object.defineProperties(Object.create(optimizer) as typeof optimizer, {
        tell: {
          value: (results: Parameters<typeof tell>[0]) =>
            tell(
              results.map((one) =>
                typeof one === 'object' && one !== null && !('failed' in one)
                  ? { ...one, violations: [-1 - Math.abs(one.value as number) || -1] }
                  : one,
              ),
            ),
        },
      })
    },
    objective: (x) => sphere(x) + violations(x).length,
  })
}
