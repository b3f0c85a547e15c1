import { createRng } from '@regimen/core'
import { compileProgram, geneticProgramming, type Program, printProgram } from '@regimen/evolve'
import { simplifyProgram } from '@regimen/evolve/formulas'
import { testOptimizer } from '@regimen/testing'
import { evaluate } from 'mathjs'
import { describe, expect, it } from 'vitest'

const FULL = process.env.REGIMEN_FULL === '1'

const xs = Array.from({ length: 20 }, (_, i) => -1 + (2 * i) / 19)
const quartic = (x: number): number => x ** 4 + x ** 3 + x ** 2 + x
const error = (program: Program): number => {
  const f = compileProgram(program)
  return xs.reduce((sum, x) => sum + Math.abs(f([x]) - quartic(x)), 0)
}

describe('geneticProgramming', () => {
  it('recovers x⁴ + x³ + x² + x', () => {
    let recovered = 0
    const seeds = FULL ? 10 : 2
    for (let seed = 1; seed <= seeds; seed++) {
      const optimizer = geneticProgramming.open({
        variables: ['x'],
        operators: ['+', '-', '*', '/'],
        direction: 'minimize',
        populationSize: 500,
        seed,
      })
      while (optimizer.generations < 60 && (optimizer.best?.value ?? 1) > 1e-9) {
        optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: error(point) })))
      }
      if (optimizer.best!.value > 1e-9) continue
      recovered++
      // It is the polynomial everywhere, not only where it was trained.
      expect(compileProgram(optimizer.best!.point)([3])).toBeCloseTo(quartic(3), 6)
    }
    expect(recovered).toBeGreaterThanOrEqual(Math.ceil(seeds * 0.8))
  })

  it('recovers a planted trading rule', () => {
    // Returns are positive exactly when the fast average is above the slow one and volatility is low.
    const rng = createRng(1)
    const days = Array.from({ length: 300 }, () => {
      const [fast, slow, volatility] = [rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform()]
      const long = fast > slow && volatility < 0.5
      return { inputs: [fast, slow, volatility], long, gain: long ? 0.01 : -0.01 }
    })
    const profit = (program: Program): number => {
      const rule = compileProgram(program)
      return days.reduce((sum, { inputs, gain }) => sum + rule(inputs) * gain, 0)
    }
    const optimizer = geneticProgramming.open({
      variables: ['fast', 'slow', 'volatility'],
      gives: 'boolean',
      direction: 'maximize',
      parsimony: 1e-4,
      seed: 1,
    })
    const most = days.reduce((sum, { long, gain }) => sum + (long ? gain : 0), 0)
    while (optimizer.generations < 60 && (optimizer.best?.value ?? 0) < most - 1e-9) {
      optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: profit(point) })))
    }
    const rule = compileProgram(optimizer.best!.point)
    const agreed = days.filter(({ inputs, long }) => (rule(inputs) === 1) === long).length
    expect(agreed / days.length).toBeGreaterThan(0.98)
  })

  it('prefers the shorter of two that are as good', () => {
    const optimizer = geneticProgramming.open({ variables: ['x'], direction: 'minimize', parsimony: 1, seed: 1 })
    while (optimizer.generations < 15) optimizer.tell(optimizer.ask().map(({ id }) => ({ id, value: 0 })))
    const lengths = optimizer.ask().map(({ point }) => point.codes.length)
    expect(lengths.reduce((a, b) => a + b, 0) / lengths.length).toBeLessThan(5)
  })
})

describe('programs', () => {
  const random = (seed: number): Program[] =>
    geneticProgramming
      .open({
        variables: ['x', 'y'],
        operators: ['+', '-', '*', 'sin', 'neg', 'abs', 'max'],
        direction: 'minimize',
        seed,
      })
      .ask(14)
      .map(({ point }) => point)

  it('compute what their printed formula says, and what its simplification says', () => {
    for (const program of random(3)) {
      const run = compileProgram(program)
      const [printed, simplified] = [printProgram(program), simplifyProgram(program)]
      for (const [x, y] of [
        [0.3, -1.2],
        [2, 0.5],
      ] as const) {
        // Constants are printed with six digits.
        expect(evaluate(printed, { x, y })).toBeCloseTo(run([x, y]), 3)
        expect(evaluate(simplified, { x, y })).toBeCloseTo(run([x, y]), 3)
      }
    }
  })

  it('are protected: no NaN from division, root or logarithm', () => {
    const asked = geneticProgramming
      .open({ variables: ['x'], operators: ['/', '-', 'log', 'sqrt', 'exp'], direction: 'minimize', seed: 2 })
      .ask(200)
    for (const { point } of asked) for (const x of [0, -1, 1]) expect(compileProgram(point)([x])).not.toBeNaN()
  })

  it('simplifies like terms and leaves decisions', () => {
    const twice: Program = {
      operators: ['+', '>'],
      variables: ['x'],
      codes: Int32Array.of(0, -2, -2),
      constants: new Float64Array(3),
    }
    expect(simplifyProgram(twice)).toBe('2 * x')
    expect(simplifyProgram({ ...twice, codes: Int32Array.of(1, -2, -2) })).toBe('(x > x)')
  })
})

describe('bad input', () => {
  it('is refused', () => {
    const open = (options: object) => () =>
      geneticProgramming.open({ variables: ['x'], direction: 'minimize', ...options })
    expect(open({ variables: [] })).toThrow('variables must be names')
    expect(open({ operators: ['+', 'median'] })).toThrow('there is no operator "median"')
    expect(open({ gives: 'boolean', operators: ['+', 'and'] })).toThrow('decisions need a comparison')
    expect(open({ populationSize: 2 })).toThrow('populationSize must be an integer from 10')
    expect(open({ constants: [1, 1] })).toThrow('constants must be a range')
  })
})

testOptimizer('geneticProgramming', {
  id: 'evolve/genetic-programming',
  open: (from) =>
    geneticProgramming.open(
      typeof from === 'string' ? { variables: ['x'], direction: from, populationSize: 20, seed: 3 } : from,
    ),
  objective: error,
})
