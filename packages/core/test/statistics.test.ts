import { createRng } from '@regimen/core'
import {
  addCovariance,
  addMoment,
  autocorrelation,
  correlation,
  covarianceOf,
  createCovariance,
  createMoments,
  holm,
  mean,
  median,
  mergeCovariance,
  mergeMoments,
  momentSummary,
  normalCdf,
  pairedT,
  quantile,
  quantileInPlace,
  quantiles,
  ranks,
  selectInPlace,
  spearman,
  stationaryBootstrap,
  sum,
  variance,
  wilcoxon,
} from '@regimen/core/math'
import { describe, expect, it } from 'vitest'

const sample = (n: number, seed: number) => createRng(seed).fillNormal(new Float64Array(n))

describe('sums', () => {
  it('compensates what a plain loop loses', () => {
    // Ten million times 0.1 would be off by 1.6e-4 in a plain loop.
    const tenths = new Float64Array(1e5).fill(0.1)
    expect(sum(tenths)).toBe(10_000)
    expect(sum([1, 1e100, 1, -1e100])).toBe(2)
    expect(sum([1e308, 1e308])).toBe(Number.POSITIVE_INFINITY)
    expect(sum([1, 2, 3, 4], 1, 3)).toBe(5)
  })

  it('takes mean and variance of numbers with a large offset', () => {
    // 1e9 + {4, 7, 13, 16}: mean 10, squares 36 + 9 + 9 + 36 = 90, variance 30.
    const x = [4, 7, 13, 16].map((v) => v + 1e9)
    expect(mean(x)).toBe(1e9 + 10)
    expect(variance(x)).toBe(30)
    expect(variance(x, 0)).toBe(22.5)
    expect(mean([])).toBeNaN()
  })
})

describe('running moments', () => {
  it('equal the two-pass definitions, weighted and merged', () => {
    const x = sample(50, 1)
    const weights = Array.from({ length: 50 }, (_, i) => (i % 3) + 0.5)
    const whole = createMoments()
    const left = createMoments()
    const right = createMoments()
    x.forEach((value, i) => {
      addMoment(whole, value, weights[i]!)
      addMoment(i < 20 ? left : right, value, weights[i]!)
    })
    mergeMoments(left, right)
    mergeMoments(left, createMoments())
    const w = weights.reduce((a, b) => a + b)
    const m = x.reduce((total, value, i) => total + weights[i]! * value, 0) / w
    const power = (p: number) => x.reduce((total, value, i) => total + weights[i]! * (value - m) ** p, 0)
    for (const moments of [whole, left]) {
      const summary = momentSummary(moments)
      expect(moments.weight).toBeCloseTo(w, 12)
      expect(summary.mean).toBeCloseTo(m, 13)
      expect(summary.variance).toBeCloseTo(power(2) / (w - 1), 12)
      expect(summary.skewness).toBeCloseTo(power(3) / w / (power(2) / w) ** 1.5, 12)
      expect(summary.kurtosis).toBeCloseTo(power(4) / w / (power(2) / w) ** 2 - 3, 12)
      expect(moments.min).toBe(Math.min(...x))
      expect(moments.max).toBe(Math.max(...x))
    }
  })

  it('say 0, not NaN, for a constant stream', () => {
    const moments = createMoments()
    for (let i = 0; i < 3; i++) addMoment(moments, 5)
    expect(momentSummary(moments)).toEqual({ mean: 5, variance: 0, deviation: 0, skewness: 0, kurtosis: 0 })
  })

  it('give the covariance by definition, merged, weighted and faded', () => {
    const rows = Array.from({ length: 12 }, (_, i) => sample(3, i + 1))
    const whole = createCovariance(3)
    const parts = [createCovariance(3), createCovariance(3)]
    rows.forEach((row, i) => {
      addCovariance(whole, row)
      addCovariance(parts[i % 2]!, row)
    })
    mergeCovariance(parts[0]!, parts[1]!)
    const centre = [0, 1, 2].map((j) => mean(rows.map((row) => row[j]!)))
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        const expected = rows.reduce((total, row) => total + (row[i]! - centre[i]!) * (row[j]! - centre[j]!), 0) / 11
        expect(covarianceOf(whole).data[i * 3 + j]).toBeCloseTo(expected, 13)
        expect(covarianceOf(parts[0]!).data[i * 3 + j]).toBeCloseTo(expected, 13)
      }
    }
    // Decay ½ a step weighs the rows 0, 6, 3 by ¼, ½, 1: mean 24/7, scatter Σ w x² − W·mean² = 27 − 144/7.
    const faded = createCovariance(1)
    for (const x of [0, 6, 3]) addCovariance(faded, [x], 1, 0.5)
    expect(faded.mean[0]).toBeCloseTo(24 / 7, 14)
    expect(faded.scatter[0]).toBeCloseTo(27 - (1.75 * 24 * 24) / 49, 13)
    expect(() => covarianceOf(createCovariance(2))).toThrow('the weight must exceed ddof 1, got 0')
    expect(() => mergeCovariance(whole, createCovariance(2))).toThrow('both must have 3 variables, got 2')
  })
})

describe('quantiles', () => {
  it('interpolate like NumPy', () => {
    // numpy.quantile([1, 2, 4, 8], 0.4): position 0.4·3 = 1.2 → 2 + 0.2·(4 − 2).
    expect(quantile([8, 1, 4, 2], 0.4)).toBeCloseTo(2.4, 15)
    expect(median([3, 1, 2])).toBe(2)
    expect(quantile([7], 0.3)).toBe(7)
    expect(() => quantile([], 0.5)).toThrow('at least one number')
    expect(() => quantile([1], 1.5)).toThrow('p must lie in [0, 1], got 1.5')
  })

  it('select what sorting finds, with ties and in order', () => {
    for (const n of [1, 2, 3, 10, 101]) {
      for (const round of [0, 1, 3]) {
        const x = sample(n, n).map((value) => (round === 0 ? value : Math.round(value * round) + 0))
        const sorted = x.slice().sort()
        for (let k = 0; k < n; k++) expect(selectInPlace(x.slice(), k)).toBe(sorted[k])
        expect(selectInPlace(sorted.slice(), n >> 1)).toBe(sorted[n >> 1])
        const ps = [0, 0.1, 0.5, 0.77, 1]
        const together = quantiles(x, ps)
        ps.forEach((p, i) => {
          expect(quantileInPlace(x.slice(), p)).toBeCloseTo(together[i]!, 14)
        })
      }
    }
    // Only the first n numbers count.
    expect(quantileInPlace(Float64Array.of(2, 1, 99, 98), 1, 2)).toBe(2)
  })

  it('rank with ties and correlate', () => {
    expect(Array.from(ranks([10, 30, 10, 20, 30, 30]))).toEqual([1.5, 5, 1.5, 3, 5, 5])
    // Σxy = 2·(−1) + … by hand: x = (−1, 0, 1), y = (0, −1, 1) → r = 1/2.
    expect(correlation([1, 2, 3], [5, 4, 6])).toBeCloseTo(0.5, 15)
    expect(spearman([1, 2, 3], [50, 4, 6000])).toBeCloseTo(0.5, 15)
    expect(correlation([1, 1], [1, 2])).toBeNaN()
    expect(() => correlation([1], [1, 2])).toThrow('one length')
  })
})

describe('tests of hypotheses', () => {
  it('pairs by t', () => {
    // Differences 1, 2, 3: mean 2, error 1/√3; P(|t₂| > 2√3) = 1 − 2√3/√(12 + 2).
    const { statistic, pValue } = pairedT([2, 4, 6], [1, 2, 3])
    expect(statistic).toBeCloseTo(2 * Math.sqrt(3), 14)
    expect(pValue).toBeCloseTo(1 - Math.sqrt(12 / 14), 14)
    expect(pairedT([1, 2], [1, 2]).pValue).toBe(1)
    expect(pairedT([2, 3], [1, 2]).pValue).toBe(0)
    expect(() => pairedT([1], [2])).toThrow('needs at least 2 pairs, got 1')
  })

  it('pairs by signed ranks, exactly as counting all sign patterns', () => {
    const d = [3.1, -0.4, 2.2, 1.7, -1.1, 0.9, 4]
    const { statistic, pValue } = wilcoxon(d, new Float64Array(7))
    // Ranks of the negatives: 0.4 → 1, 1.1 → 3, so W = 4.
    expect(statistic).toBe(4)
    let atMost = 0
    for (let signs = 0; signs < 128; signs++) {
      let w = 0
      for (let rank = 1; rank <= 7; rank++) if (signs & (1 << (rank - 1))) w += rank
      if (w <= 4) atMost++
    }
    expect(pValue).toBeCloseTo((2 * atMost) / 128, 15)
    expect(wilcoxon([1, 1], [1, 1]).pValue).toBe(1)
  })

  it('falls back to the normal approximation with ties', () => {
    // scipy.stats.wilcoxon([1,1,2,-1,3,4,-2,5], method='asymptotic', correction=False): p = 0.10517…
    const x = [1, 1, 2, -1, 3, 4, -2, 5]
    // Ranks: three 1s share 2, two 2s share 4.5; W⁻ = 2 + 4.5; variance 8·9·17/24 − (24 + 6)/48 = 50.375.
    const { statistic, pValue } = wilcoxon(x, new Float64Array(8))
    expect(statistic).toBe(6.5)
    const z = (6.5 - 18) / Math.sqrt(50.375)
    expect(pValue).toBeCloseTo(0.1051719513086604, 12)
    expect(pValue).toBeCloseTo(2 * normalCdf(z), 15)
  })

  it('adjusts by Holm', () => {
    // Sorted .005·4 = .02, .01·3 = .03, .03·2 = .06, .04·1 = .04 → raised to .06.
    const adjusted = holm([0.01, 0.04, 0.03, 0.005])
    expect(Array.from(adjusted, (p) => Math.round(p * 1e12) / 1e12)).toEqual([0.03, 0.06, 0.06, 0.02])
    expect(Array.from(holm([0.9, 0.8]))).toEqual([1, 1])
    expect(() => holm([2])).toThrow('p-values must lie in [0, 1], got 2 at 0')
  })
})

describe('time series', () => {
  it('autocorrelates by definition and recovers an AR(1)', () => {
    expect(Array.from(autocorrelation([1, -1, 1, -1], 2))).toEqual([1, -0.75, 0.5])
    expect(Array.from(autocorrelation([3, 3, 3], 1))).toEqual([1, 0])
    const noise = sample(20_000, 5)
    let last = 0
    const series = noise.map((e) => {
      last = 0.6 * last + e
      return last
    })
    const acf = autocorrelation(series, 3)
    for (let lag = 1; lag <= 3; lag++) expect(Math.abs(acf[lag]! - 0.6 ** lag)).toBeLessThan(5 / Math.sqrt(20_000))
    expect(() => autocorrelation([1, 2], 2)).toThrow('lags must be an integer from 0 to 1')
  })

  it('bootstraps in blocks of the asked mean length, every index equally often', () => {
    const rng = createRng(6)
    const counts = new Float64Array(50)
    let breaks = 0
    for (let run = 0; run < 400; run++) {
      const indices = stationaryBootstrap(50, 5, rng)
      indices.forEach((index, i) => {
        counts[index]!++
        if (i > 0 && index !== (indices[i - 1]! + 1) % 50) breaks++
      })
    }
    // A break at 1/5 of the 400·49 steps, less the 1/50 of restarts that happen to continue.
    const share = breaks / (400 * 49)
    expect(Math.abs(share - 0.2 * 0.98)).toBeLessThan(5 * Math.sqrt((0.2 * 0.8) / (400 * 49)))
    // Counts have mean 400; blocks widen the spread about √(2·5) fold at most.
    for (const c of counts) expect(Math.abs(c - 400)).toBeLessThan(5 * Math.sqrt(400 * 10))
    expect(() => stationaryBootstrap(5, 0.5, rng)).toThrow('meanBlock must be at least 1')
  })
})
