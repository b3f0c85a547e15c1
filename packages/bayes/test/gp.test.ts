import {
  fitGaussianProcess,
  gp,
  logExpectedImprovement,
  memoryStorage,
  openStudy,
  predictGaussianProcess,
} from '@regimen/bayes'
import { Rng } from '@regimen/core'
import { normalLogCdf, numericalGradient } from '@regimen/core/math'
import { describe, expect, it } from 'vitest'
import { expectedImprovement } from '../src/gp/acquisition.ts'
import { logFeasibility, temper, together } from '../src/gp/feasibility.ts'
import { condition, createPosterior, type GaussianProcess, matern52 } from '../src/gp/gaussian-process.ts'
import { logExpectedImprovementSlope } from '../src/gp/log-ei.ts'
import { createRegion } from '../src/gp/trust-region.ts'

const rng = new Rng(11)
const rows = Array.from({ length: 14 }, () => [rng.uniform(), rng.uniform(), rng.int(0, 3)])
const targets = rows.map(([a, b, c]) => Math.sin(5 * a!) + b! ** 2 + 0.3 * c! + 0.05 * rng.normal())

describe('log-EI', () => {
  it('equals ln(φ(z) + z·Φ(z)) where that can be computed', () => {
    // h(0) = φ(0) = 1/√(2π); h(1) = φ(1) + Φ(1) = .2419707245 + .8413447461 = 1.0833154706.
    expect(logExpectedImprovement(0)).toBeCloseTo(-0.5 * Math.log(2 * Math.PI), 14)
    expect(logExpectedImprovement(1)).toBeCloseTo(Math.log(1.0833154705876864), 13)
    expect(logExpectedImprovement(9)).toBeCloseTo(Math.log(9), 12)
  })

  it('is accurate to 1e-8 at z = −30', () => {
    // Independent route: the continued alternating series of h/φ = z⁻² − 3z⁻⁴ + 15z⁻⁶ − 105z⁻⁸ + 945z⁻¹⁰ − 10395z⁻¹² + …,
    // whose error is below the first term left out: 135135 / 30¹⁴ = 3e-16 against 1.1e-3.
    const q = 1 / 900
    const series = q * (1 - q * (3 - q * (15 - q * (105 - q * (945 - q * 10395)))))
    const want = -450 - 0.5 * Math.log(2 * Math.PI) + Math.log(series)
    const ratio = Math.exp(logExpectedImprovement(-30) - want)
    expect(Math.abs(ratio - 1)).toBeLessThan(1e-10)
  })

  it('has no seam where its formulas meet, and never underflows', () => {
    for (const z of [-1, -50]) {
      const slope = logExpectedImprovementSlope(z)
      const jump = logExpectedImprovement(z + 1e-9) - logExpectedImprovement(z - 1e-9)
      expect(Math.abs(jump - 2e-9 * slope)).toBeLessThan(1e-10 * Math.abs(slope) + 3e-12 * z * z)
    }
    expect(Number.isFinite(logExpectedImprovement(-1e6))).toBe(true)
    for (const z of [-40, -8, -1.5, -0.5, 2]) {
      const numeric = (logExpectedImprovement(z + 1e-5) - logExpectedImprovement(z - 1e-5)) / 2e-5
      expect(logExpectedImprovementSlope(z) / numeric).toBeCloseTo(1, 6)
    }
  })
})

describe('the Gaussian process', () => {
  it('has the posterior of the closed form for two points', () => {
    // K = s·[[1, k], [k, 1]] + noise·I with k = matern52(.5/ℓ). By hand: with a = s + v, b = s·k, the inverse is
    // [[a, −b], [−b, a]] / (a² − b²).
    const [length, signal, noise] = [0.7, 1.3, 0.2]
    const model = condition({
      n: 2,
      d: 1,
      x: Float64Array.of(0.1, 0.6),
      categorical: new Uint8Array(1),
      lengthscales: Float64Array.of(length),
      signal,
      noise,
      mean: 5,
      deviation: 2,
      y: Float64Array.of(-1, 1),
      logPosterior: 0,
    })
    const a = signal + noise
    const b = signal * matern52(0.5 / length)
    const det = a * a - b * b
    const alpha = [(-a - b) / det, (a + b) / det]
    const k1 = signal * matern52(0.2 / length)
    const k2 = signal * matern52(0.3 / length)
    const { mean, deviation } = predictGaussianProcess(model, [0.3])
    expect(mean).toBeCloseTo(5 + 2 * (k1 * alpha[0]! + k2 * alpha[1]!), 12)
    const variance = signal - (a * k1 * k1 - 2 * b * k1 * k2 + a * k2 * k2) / det
    expect(deviation).toBeCloseTo(2 * Math.sqrt(variance), 12)
    // Matérn-5/2 at r = 1: (1 + √5 + 5/3)·e^(−√5) = .52399411.
    expect(matern52(1)).toBeCloseTo(0.5239941088318203, 12)
  })

  it('has the likelihood of the closed form for two points', () => {
    const posterior = createPosterior(Float64Array.of(0, 1), Float64Array.of(-1, 1), 1, new Uint8Array(1), undefined)
    const theta = Float64Array.of(Math.log(0.9), Math.log(1.2), Math.log(0.1))
    const a = 1.2 + 0.1
    const b = 1.2 * matern52(1 / 0.9)
    const det = a * a - b * b
    // ½ yᵀK⁻¹y = (a + b)/det, plus ½ ln det + ln 2π, plus the priors' squares.
    // Gamma (3, 6): 6ℓ − 2 ln ℓ.
    const priors = 6 * 0.9 - 2 * Math.log(0.9) + 0.5 * (Math.log(1.2) ** 2 + ((Math.log(0.1) + 6) / 4) ** 2)
    expect(posterior(theta, new Float64Array(3))).toBeCloseTo(
      (a + b) / det + 0.5 * Math.log(det) + Math.log(2 * Math.PI) + priors,
      10,
    )
  })

  it('has gradients that agree with finite differences to 1e-6', () => {
    const y = Float64Array.from(targets, (v) => v - 1)
    const posterior = createPosterior(Float64Array.from(rows.flat()), y, 3, Uint8Array.of(0, 0, 1), undefined)
    const unused = new Float64Array(5)
    for (const theta of [
      [-0.5, 0.2, 0.4, 0.3, -4],
      [-2, 1, 0, -1, -1],
    ]) {
      const gradient = new Float64Array(5)
      posterior(Float64Array.from(theta), gradient)
      const numeric = numericalGradient((t) => posterior(Float64Array.from(t), unused), theta)
      for (let k = 0; k < 5; k++)
        expect(Math.abs(gradient[k]! - numeric[k]!)).toBeLessThan(1e-6 * (1 + Math.abs(numeric[k]!)))
    }
  })

  it.each([1, 12])('has a log-EI gradient that agrees with finite differences, %i draws', (samples) => {
    const model = fitGaussianProcess(rows, targets, { categorical: [2], noise: samples === 1 ? 0.001 : 0.05 })
    const acquisition = expectedImprovement(model, new Rng(5), samples)
    for (const point of [
      [0.31, 0.77, 1],
      [0.9, 0.05, 0],
    ]) {
      const gradient = new Float64Array(3)
      acquisition.evaluate(Float64Array.from(point), gradient)
      for (const j of [0, 1]) {
        const at = (h: number) => acquisition.evaluate(Float64Array.from(point, (v, i) => (i === j ? v + h : v)))
        const numeric = (at(1e-5) - at(-1e-5)) / 2e-5
        expect(Math.abs(gradient[j]! - numeric)).toBeLessThan(1e-5 * (1 + Math.abs(numeric)))
      }
      expect(gradient[2]).toBe(0)
    }
  })

  it('finds the scales that the data have', () => {
    // The second column does nothing, so its length scale must come out long.
    const draw = new Rng(2)
    const x = Array.from({ length: 40 }, () => [draw.uniform(), draw.uniform()])
    const model = fitGaussianProcess(
      x,
      x.map(([a]) => Math.sin(8 * a!)),
    )
    expect(model.lengthscales[1]! / model.lengthscales[0]!).toBeGreaterThan(10)
    expect(model.noise).toBeLessThan(1e-3)
    expect(predictGaussianProcess(model, [0.4, 0.9]).mean).toBeCloseTo(Math.sin(3.2), 2)
  })

  it('tells noise from signal, and survives constant and repeated data', () => {
    const draw = new Rng(8)
    const x = Array.from({ length: 60 }, () => [draw.uniform()])
    const noisy = fitGaussianProcess(
      x,
      x.map(([a]) => a! + 0.3 * draw.normal()),
    )
    // Var(a) = 1/12, noise .09: about .52 of the whole.
    expect(noisy.noise).toBeGreaterThan(0.3)
    expect(noisy.noise).toBeLessThan(0.75)
    const constant: GaussianProcess = fitGaussianProcess([[0.5], [0.5], [0.5]], [2, 2, 2])
    expect(predictGaussianProcess(constant, [0.1]).mean).toBeCloseTo(2, 9)
    expect(() => fitGaussianProcess([[0]], [Number.NaN])).toThrow('must be finite')
  })
})

describe('the feasibility model', () => {
  const model = fitGaussianProcess(
    rows,
    targets.map((v) => v - 1.2),
    { categorical: [2], noise: 0.01 },
  )

  it('is the probability that the violation is at most 0', () => {
    for (const point of [
      [0.3, 0.2, 1],
      [0.9, 0.9, 0],
    ]) {
      const { mean, deviation } = predictGaussianProcess(model, point)
      const want = normalLogCdf(-mean / deviation)
      expect(logFeasibility([model]).evaluate(Float64Array.from(point))).toBeCloseTo(want, 9)
      expect(logFeasibility([model, model]).evaluate(Float64Array.from(point))).toBeCloseTo(2 * want, 9)
    }
  })

  it('has a gradient that agrees with finite differences, alone and times the improvement', () => {
    const improvement = expectedImprovement(fitGaussianProcess(rows, targets, { noise: 0.001 }), new Rng(1), 1)
    for (const acquisition of [logFeasibility([model, model]), together(improvement, logFeasibility([model]))]) {
      const point = [0.31, 0.77, 1]
      const gradient = new Float64Array(3)
      acquisition.evaluate(Float64Array.from(point), gradient)
      for (const j of [0, 1]) {
        const at = (h: number) => acquisition.evaluate(Float64Array.from(point, (v, i) => (i === j ? v + h : v)))
        const numeric = (at(1e-5) - at(-1e-5)) / 2e-5
        expect(Math.abs(gradient[j]! - numeric)).toBeLessThan(1e-5 * (1 + Math.abs(numeric)))
      }
    }
  })

  it('draws violations together and leaves their sign', () => {
    // Root mean square of 0, −3, 4 and √11: √((9 + 16 + 11)/4) = 3.
    const [zero, minus, plus] = temper([0, -3, 4, Math.sqrt(11)])
    expect(zero).toBe(0)
    expect(minus).toBeCloseTo(-Math.log(2), 12)
    expect(plus).toBeCloseTo(Math.log(7 / 3), 12)
  })

  it('never takes an infeasible row for the incumbent', () => {
    const worst = targets.indexOf(Math.max(...targets))
    const plain = fitGaussianProcess(rows, targets, { categorical: [2], noise: 1e-6 })
    const point = Float64Array.from([0.5, 0.5, 1])
    const { mean, deviation } = predictGaussianProcess(plain, point)
    // With the worst row alone eligible the improvement is measured from its value.
    const value = expectedImprovement(plain, new Rng(1), 1, (row) => row === worst).evaluate(point)
    const want = Math.log(deviation) + logExpectedImprovement((targets[worst]! - mean) / deviation)
    expect(value + Math.log(plain.deviation)).toBeCloseTo(want, 3)
  })
})

describe('the trust region', () => {
  it('grows with success, shrinks with failure and begins again', () => {
    const x = Array.from({ length: 60 }, (_, i) => [i / 60, 0.5])
    const falling = createRegion(
      x,
      x.map((_, i) => 1 - i / 60),
      4,
    )
    expect(falling.side).toBe(1.6)
    expect(falling.center).toBe(x[59])
    // d = 2, so four misses halve: .8 → .1 takes 12 misses after the 4 of the start.
    expect(createRegion(x.slice(0, 16), new Array(16).fill(1), 4).side).toBeCloseTo(0.1, 12)
    expect(createRegion(x, new Array(60).fill(1), 4).from).toBeGreaterThan(0)
  })
})

describe('the sampler', () => {
  const branin = (x: number, y: number) =>
    (y - (5.1 * x * x) / (4 * Math.PI ** 2) + (5 * x) / Math.PI - 6) ** 2 +
    10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) +
    10

  it('finds the minimum of Branin, .397887, within 35 trials', async () => {
    const study = openStudy({ direction: 'minimize', sampler: gp(), seed: 0 })
    await study.optimize((t) => branin(t.float('x', -5, 10), t.float('y', 0, 15)), { trials: 35 })
    expect(study.best!.value - 0.39788735).toBeLessThan(5e-3)
  })

  it('searches mixed spaces and maximizes', async () => {
    const study = openStudy({ direction: 'maximize', sampler: gp(), seed: 1 })
    await study.optimize(
      (t) => {
        const kind = t.categorical('kind', ['a', 'b', 'c'])
        const n = t.int('n', 1, 30)
        return (kind === 'b' ? 1 : 0) - ((n - 21) / 10) ** 2 - (t.float('x', 0, 1) - 0.3) ** 2
      },
      { trials: 40 },
    )
    expect(study.best!.params.kind).toBe('b')
    expect(study.best!.params.n).toBe(21)
    expect(study.best!.value).toBeGreaterThan(0.999)
  })

  it('finds the optimum on the edge of a constraint, from a start where nothing is feasible', async () => {
    // Minimize x + y with x·y ≥ 1 on [0, 2]²: 2 at (1, 1). Only x·y ≥ 1 is feasible, about a third of the square.
    const study = openStudy({ direction: 'minimize', sampler: gp({ startup: 4 }), seed: 2 })
    for (const [x, y] of [
      [0.1, 0.2],
      [0.5, 0.3],
      [0.2, 1.6],
      [1.2, 0.4],
    ] as const)
      study.enqueue({ x, y })
    await study.optimize(
      (t) => {
        const [x, y] = [t.float('x', 0, 2), t.float('y', 0, 2)]
        t.constrain([1 - x * y])
        return x + y
      },
      { trials: 30 },
    )
    expect(study.completed.slice(0, 4).every((t) => t.violations[0]! > 0)).toBe(true)
    expect(study.best!.violations[0]).toBeLessThanOrEqual(0)
    expect(study.best!.value).toBeLessThan(2.001)
  })

  it('keeps its trust region where trials are feasible', async () => {
    // The objective falls towards (0, 0); only x + y ≥ 1.6 is feasible. The box must stand on the edge, at its best trial.
    const study = openStudy({ direction: 'minimize', sampler: gp({ startup: 6, trustRegion: true }), seed: 2 })
    await study.optimize(
      (t) => {
        const [x, y] = [t.float('x', 0, 1), t.float('y', 0, 1)]
        t.constrain([1.6 - x - y])
        return x * x + y * y
      },
      { trials: 30 },
    )
    // 2·.8² = 1.28 at (.8, .8).
    expect(study.best!.value).toBeLessThan(1.281)
    const far = study.completed.slice(20).filter((t) => t.violations[0]! > 0.5)
    expect(far.length).toBeLessThan(3)
  })

  it('spreads a batch and continues identically after a resume', () => {
    const space = { x: { type: 'float', low: 0, high: 1 }, y: { type: 'float', low: 0, high: 1 } } as const
    const storage = memoryStorage()
    const study = openStudy({ direction: 'minimize', sampler: gp(), seed: 3, storage, worker: 'w' })
    const evaluate = (s: typeof study, n: number) => {
      for (let i = 0; i < n; i++) {
        const t = s.ask(space)
        s.tell(t, ((t.params.x as number) - 0.4) ** 2 + Math.abs((t.params.y as number) - 0.6))
      }
    }
    evaluate(study, 13)
    const copy = openStudy({
      direction: 'minimize',
      sampler: gp(),
      seed: 3,
      storage: memoryStorage(storage.entries),
      worker: 'v',
    })
    evaluate(study, 2)
    evaluate(copy, 2)
    expect(copy.trials.map((t) => t.params)).toEqual(study.trials.map((t) => t.params))
    const batch = Array.from({ length: 4 }, () => study.ask(space).params)
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < i; j++)
        expect(
          Math.hypot(
            (batch[i]!.x as number) - (batch[j]!.x as number),
            (batch[i]!.y as number) - (batch[j]!.y as number),
          ),
        ).toBeGreaterThan(1e-5)
  })

  it('is not led astray by noise', async () => {
    // The noise is as large as the bowl is deep near its minimum; the model must still say where that is.
    const draw = new Rng(6)
    const study = openStudy({ direction: 'minimize', sampler: gp({ noisy: true }), seed: 5 })
    await study.optimize((t) => 4 * (t.float('x', 0, 1) - 0.7) ** 2 + 0.2 * draw.normal(), { trials: 40 })
    const tail = study.completed.slice(25).map((t) => t.params.x as number)
    const middle = tail.sort((a, b) => a - b)[7]!
    expect(Math.abs(middle - 0.7)).toBeLessThan(0.1)
  })

  it('searches 25 parameters in a trust region better than chance', async () => {
    const run = async (sampler: ReturnType<typeof gp>) => {
      const study = openStudy({ direction: 'minimize', sampler, seed: 2 })
      await study.optimize(
        (t) => Array.from({ length: 25 }, (_, i) => (t.float(`x${i}`, 0, 1) - 0.3) ** 2).reduce((a, b) => a + b),
        { trials: 40 },
      )
      return study.best!.value
    }
    expect(await run(gp())).toBeLessThan(0.5 * (await run(gp({ startup: 40 }))))
  })
})
