import { aliasTable, createReservoir, createRng, drawAlias, offer, type Rng } from '@regimen/core'
import { lgamma } from '@regimen/core/math'
import { describe, expect, it } from 'vitest'

const N = 40_000

/** Every draw must fall within five standard errors of the mean and (for the fourth moments given) the variance. */
function expectMoments(draw: (rng: Rng) => number, mean: number, variance: number, kurtosis: number) {
  const rng = createRng(11)
  let sum = 0
  let squares = 0
  for (let i = 0; i < N; i++) {
    const x = draw(rng)
    sum += x - mean
    squares += (x - mean) ** 2
  }
  expect(Math.abs(sum / N)).toBeLessThan(5 * Math.sqrt(variance / N))
  expect(Math.abs(squares / N - variance)).toBeLessThan(5 * variance * Math.sqrt((kurtosis - 1) / N))
}

/** Kolmogorov–Smirnov distance to a distribution function; 1.95/√N is the 0.1% critical value. */
function expectDistribution(draw: (rng: Rng) => number, cdf: (x: number) => number) {
  const rng = createRng(12)
  const sorted = Float64Array.from({ length: N }, () => draw(rng)).sort()
  let distance = 0
  // Every eighth order statistic: a lower bound of the full distance, and the distribution functions here are slow.
  for (let i = 0; i < N; i += 8) {
    const f = cdf(sorted[i]!)
    distance = Math.max(distance, f - i / N, (i + 1) / N - f)
  }
  expect(distance).toBeLessThan(1.95 / Math.sqrt(N))
}

/** ∫ density from `from` to x by Simpson's rule: slow, independent of the library's own special functions. */
function integrate(density: (x: number) => number, from: number, x: number, steps = 120) {
  if (x <= from) return 0
  const h = (x - from) / steps
  let total = density(from) + density(x)
  for (let i = 1; i < steps; i++) total += density(from + i * h) * (i % 2 === 1 ? 4 : 2)
  return (total * h) / 3
}

describe('rng', () => {
  it('continues identically from its state, whatever was drawn', () => {
    const rng = createRng(7)
    for (let i = 0; i < 100; i++) rng.normal()
    const copy = createRng(JSON.parse(JSON.stringify(rng.state())))
    const draw = (r: Rng) => [
      r.uniform(),
      r.int(0, 10),
      r.normal(),
      r.gamma(0.3),
      r.beta(2, 3),
      r.studentT(4),
      r.poisson(50),
      ...r.dirichlet([1, 2]),
      ...r.permutation(5),
    ]
    for (let i = 0; i < 20; i++) expect(draw(copy)).toEqual(draw(rng))
  })

  it('splits by label, untouched by what was drawn before', () => {
    const used = createRng('a')
    used.uniform()
    expect(used.split('w').uniform()).toBe(createRng('a').split('w').uniform())
    expect(used.split('w').uniform()).not.toBe(used.split('v').uniform())
  })

  it('is uniform', () => {
    expectMoments((r) => r.uniform(2, 5), 3.5, 9 / 12, 1.8)
    expectDistribution(
      (r) => r.uniform(),
      (x) => x,
    )
  })

  it('draws whole numbers without bias, also over a wide range', () => {
    const rng = createRng(3)
    const counts = new Float64Array(6)
    for (let i = 0; i < N; i++) counts[rng.int(-2, 4) + 2]!++
    // χ² with 5 degrees of freedom exceeds 20.5 with probability 0.001.
    expect(counts.reduce((chi, c) => chi + (c - N / 6) ** 2 / (N / 6), 0)).toBeLessThan(20.5)
    for (let i = 0; i < 100; i++) {
      const wide = rng.int(0, 2 ** 50)
      expect(Number.isInteger(wide) && wide >= 0 && wide < 2 ** 50).toBe(true)
    }
    expect(() => rng.int(3, 3)).toThrow('[core/rng] int needs whole numbers low < high, got 3 and 3.')
  })

  it('is normal in the middle and in the tail', () => {
    const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)
    expectMoments((r) => r.normal(), 0, 1, 3)
    expectMoments((r) => r.normal(5, 2), 5, 4, 3)
    expectDistribution(
      (r) => r.normal(),
      (x) => integrate(density, -9, x),
    )
    // P(|Z| > 3.4426) = 5.762e-4: the share that the ziggurat's tail branch makes. 1,000,000 draws give 576 ± 24.
    const rng = createRng(4)
    let beyond = 0
    for (let i = 0; i < 1_000_000; i++) if (Math.abs(rng.normal()) > 3.442619855899) beyond++
    expect(Math.abs(beyond - 576.2)).toBeLessThan(5 * 24)
  })

  it('draws gamma, below and above shape 1', () => {
    for (const shape of [0.05, 0.5, 1, 2.5, 60]) {
      expectMoments((r) => r.gamma(shape, 3), 3 * shape, 9 * shape, 3 + 6 / shape)
    }
    const density = (x: number) => Math.exp(1.5 * Math.log(x || 1e-300) - x - lgamma(2.5))
    expectDistribution(
      (r) => r.gamma(2.5),
      (x) => integrate(density, 0, x),
    )
  })

  it('draws beta, also where both gammas would underflow', () => {
    for (const [a, b] of [
      [2, 3],
      [0.5, 0.5],
      [0.01, 0.02],
      [1, 1],
      [30, 0.7],
    ] as const) {
      const s = a + b
      const variance = (a * b) / (s * s * (s + 1))
      const excess = (6 * ((a - b) ** 2 * (s + 1) - a * b * (s + 2))) / (a * b * (s + 2) * (s + 3))
      expectMoments((r) => r.beta(a, b), a / s, variance, 3 + excess)
    }
    // I_x(1/2, 1/2) = (2/π) asin √x, the arcsine law.
    expectDistribution(
      (r) => r.beta(0.5, 0.5),
      (x) => (2 / Math.PI) * Math.asin(Math.sqrt(x)),
    )
  })

  it('draws Student t with the closed forms of 1 and 2 degrees of freedom', () => {
    expectDistribution(
      (r) => r.studentT(1),
      (x) => 0.5 + Math.atan(x) / Math.PI,
    )
    expectDistribution(
      (r) => r.studentT(2),
      (x) => 0.5 + x / (2 * Math.sqrt(2 + x * x)),
    )
    expectMoments((r) => r.studentT(10), 0, 10 / 8, 3 + 6 / 6)
  })

  it('draws exponential and Poisson, on both sides of the change of method', () => {
    expectDistribution(
      (r) => r.exponential(2),
      (x) => 1 - Math.exp(-x / 2),
    )
    for (const mean of [0.2, 4, 29, 31, 1000]) expectMoments((r) => r.poisson(mean), mean, mean, 3 + 1 / mean)
    expect(createRng(1).poisson(0)).toBe(0)
  })

  it('draws Dirichlet weights on the simplex', () => {
    const alpha = [1, 2, 5]
    const out = new Float64Array(3)
    expectMoments((r) => r.dirichlet(alpha, out)[1]!, 2 / 8, (2 * 6) / (64 * 9), 3) // Beta(2, 6), kurtosis 2.7 < 3
    for (const shape of [1e-3, 1]) {
      const weights = createRng(6).dirichlet([shape, shape, shape, shape])
      expect(weights.reduce((total, w) => total + w)).toBeCloseTo(1, 12)
    }
    expectMoments((r) => r.dirichlet([0.01, 0.01, 0.02], out)[2]!, 0.5, 0.25 / 1.04, 1.1)
  })

  it('draws categories directly and by alias table, never one of weight 0', () => {
    const weights = [1, 0, 3, 6, 0, 2.5]
    const total = 12.5
    const table = aliasTable(weights)
    const exact = new Float64Array(6)
    for (let i = 0; i < 6; i++) {
      exact[i]! += table.keep[i]! / 6
      exact[table.alias[i]!]! += (1 - table.keep[i]!) / 6
    }
    for (let i = 0; i < 6; i++) expect(exact[i]).toBeCloseTo(weights[i]! / total, 14)
    for (const draw of [(r: Rng) => r.categorical(weights), (r: Rng) => drawAlias(table, r)]) {
      const rng = createRng(2)
      const counts = new Float64Array(6)
      for (let i = 0; i < N; i++) counts[draw(rng)]!++
      expect(counts[1]).toBe(0)
      expect(counts[4]).toBe(0)
      // χ² with 3 degrees of freedom exceeds 16.3 with probability 0.001.
      const chi = [0, 2, 3, 5].reduce((sum, i) => {
        const expected = (weights[i]! / total) * N
        return sum + (counts[i]! - expected) ** 2 / expected
      }, 0)
      expect(chi).toBeLessThan(16.3)
    }
    expect(() => aliasTable([0, 0])).toThrow('weights must have a positive sum')
    expect(() => createRng(1).categorical([0])).toThrow('positive, finite sum')
  })

  it('shuffles so that every order is equally likely', () => {
    const rng = createRng(5)
    const counts = new Map<string, number>()
    for (let i = 0; i < 24_000; i++) {
      const key = rng.permutation(4).join('')
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    expect(counts.size).toBe(24)
    // χ² with 23 degrees of freedom exceeds 49.7 with probability 0.001.
    expect([...counts.values()].reduce((chi, c) => chi + (c - 1000) ** 2 / 1000, 0)).toBeLessThan(49.7)
    expect(rng.shuffle(['a', 'b', 'c']).sort()).toEqual(['a', 'b', 'c'])
  })

  it('samples without replacement, sparse and dense', () => {
    const rng = createRng(8)
    for (const [n, count] of [
      [1000, 5],
      [10, 9],
      [4, 4],
      [3, 0],
    ] as const) {
      const drawn = rng.sample(n, count)
      expect(new Set(drawn).size).toBe(count)
      expect(drawn.every((i) => i >= 0 && i < n)).toBe(true)
    }
    let sum = 0
    for (let i = 0; i < 5000; i++) for (const x of rng.sample(101, 3)) sum += x
    expect(Math.abs(sum / 15_000 - 50)).toBeLessThan(5 * Math.sqrt((101 ** 2 - 1) / 12 / 15_000))
    expect(() => rng.sample(3, 4)).toThrow('got count 4 of n 3')
  })

  it('keeps every item of a stream with equal chance in a reservoir', () => {
    const rng = createRng(9)
    const counts = new Float64Array(10)
    for (let run = 0; run < 10_000; run++) {
      const reservoir = createReservoir<number>(3)
      for (let i = 0; i < 10; i++) offer(reservoir, i, rng)
      for (const item of reservoir.items) counts[item]!++
    }
    for (const c of counts) expect(Math.abs(c - 3000)).toBeLessThan(5 * Math.sqrt(10_000 * 0.3 * 0.7))
  })

  it('fills arrays with the numbers that single draws give', () => {
    const one = createRng(1)
    expect(createRng(1).fillNormal(new Float64Array(5), 1, 2)).toEqual(
      Float64Array.from({ length: 5 }, () => one.normal(1, 2)),
    )
    const two = createRng(1)
    expect(createRng(1).fillUniform(new Float64Array(5), 1, 2)).toEqual(
      Float64Array.from({ length: 5 }, () => two.uniform(1, 2)),
    )
  })

  it('refuses impossible parameters by name', () => {
    const rng = createRng(1)
    expect(() => rng.gamma(0)).toThrow('[core/rng] gamma needs a finite shape above 0, got 0.')
    expect(() => rng.beta(1, Number.NaN)).toThrow('beta needs a finite b above 0, got NaN')
    expect(() => rng.poisson(-1)).toThrow('poisson needs a mean of at least 0, got -1')
    expect(() => createRng(Number.NaN)).toThrow('seed must be a finite number or a string')
  })
})
