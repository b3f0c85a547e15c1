import { createRng } from '@regimen/core'
import { fitGaussianMixture, fitKMeans, mixtureScore } from '@regimen/regimes'
import { describe, expect, it } from 'vitest'
import { reference } from './reference.ts'

const rng = createRng('mixture')
const cloud = Array.from({ length: 600 }, (_, t) =>
  t % 3 === 0 ? [rng.normal(0, 1), rng.normal(0, 0.5)] : [rng.normal(5, 0.7), rng.normal(3, 1)],
)

describe('Gaussian mixture', () => {
  it('with one component is the sample mean and covariance', () => {
    // −1, 0, 4: mean 1, variance (4 + 1 + 9) / 3 = 14/3; ln L = −3/2 (ln 2π + ln 14/3 + 1).
    const model = fitGaussianMixture([-1, 0, 4], { components: 1 })
    expect(model.means.data[0]).toBeCloseTo(1, 12)
    expect(model.covariances.data[0]).toBeCloseTo(14 / 3, 12)
    expect(model.logLikelihood).toBeCloseTo(-1.5 * (Math.log(2 * Math.PI) + Math.log(14 / 3) + 1), 10)
    // Two parameters.
    expect(model.bic).toBeCloseTo(-2 * model.logLikelihood + 2 * Math.log(3), 10)
    expect(model.icl).toBeCloseTo(model.bic, 10)
  })

  it.each(['full', 'tied', 'diagonal', 'spherical'] as const)('climbs at each iteration: %s', (covariance) => {
    const { history, means } = fitGaussianMixture(cloud, {
      components: 3,
      covariance,
      tolerance: 0,
      maxIterations: 60,
      restarts: 2,
    })
    for (let i = 1; i < history.length; i++) expect(history[i]! - history[i - 1]!).toBeGreaterThan(-1e-8)
    expect(means.data.every(Number.isFinite)).toBe(true)
  })

  it('scores a row as the sum over its components', () => {
    const model = fitGaussianMixture(cloud, { components: 2, covariance: 'diagonal' })
    const x = [1, 2]
    let p = 0
    for (let c = 0; c < 2; c++) {
      let density = model.weights.data[c]!
      for (let j = 0; j < 2; j++) {
        const v = model.covariances.data[c * 4 + j * 3]!
        density *= Math.exp((-0.5 * (x[j]! - model.means.data[c * 2 + j]!) ** 2) / v) / Math.sqrt(2 * Math.PI * v)
      }
      p += density
    }
    expect(mixtureScore(model, [x]).logDensity[0]).toBeCloseTo(Math.log(p), 10)
  })

  it('continues from a model without getting worse, and is deterministic', () => {
    const first = fitGaussianMixture(cloud, { components: 2, seed: 3 })
    const again = fitGaussianMixture(cloud, { components: 2, seed: 3 })
    expect(again.means.data).toEqual(first.means.data)
    const warm = fitGaussianMixture(cloud, { components: 2, start: first })
    expect(warm.logLikelihood).toBeGreaterThanOrEqual(first.logLikelihood - 1e-9)
    expect(warm.history.length).toBeLessThan(5)
  })

  it('survives constant and collinear columns and fewer distinct rows than components', () => {
    const constant = fitGaussianMixture(
      cloud.map(([a]) => [a!, 7]),
      { components: 2 },
    )
    expect(constant.constantColumns).toEqual([1])
    expect(constant.covariances.data.every(Number.isFinite)).toBe(true)
    const collinear = fitGaussianMixture(
      cloud.map(([a]) => [a!, 2 * a!]),
      { components: 2 },
    )
    expect(collinear.floored).toBeGreaterThan(0)
    const few = fitGaussianMixture([1, 1, 1, 2, 2], { components: 3 })
    expect([...few.means.data, ...few.weights.data].every(Number.isFinite)).toBe(true)
  })

  it('places a starved component anew and says so', () => {
    // The second component begins where no row is, so its first count is 0.
    const x = Array.from({ length: 80 }, (_, t) => Math.sin(t * t) + (t % 2 === 0 ? 0 : 12))
    const start = { weights: [0.5, 0.5], means: [6, 1e6], covariances: [40, 1] }
    const model = fitGaussianMixture(x, { components: 2, start })
    expect(model.reseeded).toBe(1)
    const fresh = fitGaussianMixture(x, { components: 2 })
    expect(fresh.reseeded).toBe(0)
    expect(model.logLikelihood).toBeCloseTo(fresh.logLikelihood, 6)
    expect([...model.weights.data].map((w) => Math.round(100 * w))).toEqual([50, 50])
  })

  it('finds three clusters beside five nearly equal rows and not the spurious maximum on them', () => {
    const rows = Array.from({ length: 150 }, (_, t) => [
      Math.sin(t * t) + [0, 3.5, 8][t % 3]!,
      Math.cos(3 * t * t) + [0, 2, 1][t % 3]!,
    ])
    for (let i = 0; i < 5; i++) rows.push([2 + i * 1e-5, 2 + (i % 2) * 1e-5])
    // scikit-learn 1.2.1 from the three centres, and from a thin component on the five rows: fixtures/peers.py.
    const [proper, spurious] = [-502.29981690605933, -442.0924904975985]
    const options = { components: 3, restarts: 20, regularization: 1e-6, tolerance: 1e-13, maxIterations: 5000 }
    for (const seed of [0, 1, 2])
      expect(fitGaussianMixture(rows, { ...options, seed }).logLikelihood).toBeCloseTo(proper, 5)
    const thin = fitGaussianMixture(rows, {
      ...options,
      regularization: 1e-12,
      floor: 0,
      start: {
        weights: [1 / 3, 1 / 3, 1 / 3],
        means: [2, 2, 1.75, 1, 8, 1],
        covariances: [1e-10, 0, 0, 1e-10, 1, 0, 0, 1, 1, 0, 0, 1],
      },
    })
    expect(thin.logLikelihood).toBeCloseTo(spurious, 3)
  })

  it('refuses what it cannot use', () => {
    expect(() => fitGaussianMixture([1, 2], { components: 3 })).toThrow('3 components need at least 3 rows, got 2')
    expect(() => fitGaussianMixture([1, Number.NaN], { components: 1 })).toThrow('must be finite, got NaN in row 1')
    expect(() => fitGaussianMixture([[1, Number.POSITIVE_INFINITY]], { components: 1 })).toThrow('column 1')
    expect(() => fitGaussianMixture([], { components: 1 })).toThrow('there must be observations')
  })

  // scikit-learn 1.2, GaussianMixture(2, n_init=5, tol=1e-13, reg_covar=1e-6), computed 2026-11-21 on this very series.
  it.each([
    ['full', -450.8720674204833, 957.5710468085387],
    ['tied', -450.9006969987846, 942.4027845194398],
    ['diagonal', -451.75264755761566, 949.1818594523357],
    ['spherical', -451.83543497825787, 939.1970866631525],
  ] as const)('equals the peer on our own series: %s', (covariance, logLikelihood, bic) => {
    const x = Array.from({ length: 160 }, (_, t) => {
      const first = t % 40 < 20
      return [Math.sin(t * t) + (first ? 0 : 3), Math.cos(3 * t * t) + (first ? 0 : -2)]
    })
    const model = fitGaussianMixture(x, {
      components: 2,
      covariance,
      floor: 0,
      regularization: 1e-6,
      tolerance: 1e-13,
      maxIterations: 5000,
    })
    expect(model.logLikelihood).toBeCloseTo(logLikelihood, 6)
    expect(model.bic).toBeCloseTo(bic, 5)
  })

  const faithful = reference('faithful.json')
  it.skipIf(!faithful)('reaches −1130.2640 on Old Faithful', () => {
    const { x } = JSON.parse(faithful!) as { x: number[] }
    const rows = Array.from({ length: x.length / 2 }, (_, t) => x.slice(2 * t, 2 * t + 2))
    const model = fitGaussianMixture(rows, { components: 2 })
    expect(model.logLikelihood).toBeCloseTo(-1130.26396, 4)
    const big = model.weights.data[0]! > 0.5 ? 0 : 1
    expect(model.weights.data[big]).toBeCloseTo(0.6441, 4)
    expect(model.means.data[2 * big]).toBeCloseTo(4.2897, 4)
    expect(model.means.data[2 * big + 1]).toBeCloseTo(79.968, 3)
  })

  const iris = reference('iris.json')
  it.skipIf(!iris)('reaches −180.1855 on Iris and not the spurious −105.76', () => {
    const { rows } = JSON.parse(iris!) as { rows: number[][] }
    for (const seed of [0, 1, 2])
      expect(fitGaussianMixture(rows, { components: 3, restarts: 20, seed }).logLikelihood).toBeCloseTo(-180.1855, 3)
    expect(fitGaussianMixture(rows, { components: 2 }).logLikelihood).toBeCloseTo(-214.3547, 3)
  })
})

describe('k-means', () => {
  it('has the same result as plain Lloyd iterations', () => {
    const x = cloud.flat()
    const start = Float64Array.from([0, 0, 1, 1, 5, 5])
    const model = fitKMeans(cloud, { clusters: 3, start, tolerance: 0 })
    const centres = start.slice()
    let labels: number[] = []
    for (let pass = 0; pass < 200; pass++) {
      labels = cloud.map(([a, b]) => {
        const q = [0, 1, 2].map((c) => (a! - centres[2 * c]!) ** 2 + (b! - centres[2 * c + 1]!) ** 2)
        return q.indexOf(Math.min(...q))
      })
      for (let c = 0; c < 3; c++)
        for (let j = 0; j < 2; j++) {
          const own = labels.flatMap((label, t) => (label === c ? [x[2 * t + j]!] : []))
          centres[2 * c + j] = own.reduce((s, v) => s + v, 0) / own.length
        }
    }
    expect([...model.labels.data]).toEqual(labels)
    for (let i = 0; i < 6; i++) expect(model.centres.data[i]).toBeCloseTo(centres[i]!, 10)
  })
})
