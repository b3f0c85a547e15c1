import { createRng } from '@regimen/core'
import { normalCdf } from '@regimen/core/math'
import { describe, expect, test } from 'vitest'
import {
  annualReturn,
  backtestOverfitting,
  bootstrapInterval,
  brierScore,
  calibration,
  calmar,
  crpsEnsemble,
  crpsGaussian,
  crpsStudentT,
  deflatedSharpe,
  directionalAccuracy,
  logScoreGaussian,
  logScoreStudentT,
  maxDrawdown,
  openReward,
  pitReport,
  probabilisticSharpe,
  profitFactor,
  roundTrips,
  sharpe,
  sortino,
  summarize,
  tailRatio,
  winRate,
} from '../src/index.ts'

describe('performance', () => {
  test('sharpe: mean 0.01, squares 0 + 0.0004 + 0.0004 + 0, deviation √(0.0008 / 3)', () => {
    expect(sharpe([0.01, 0.03, -0.01, 0.01], { periodsPerYear: 252 })).toBeCloseTo(
      (0.01 / Math.sqrt(0.0008 / 3)) * Math.sqrt(252),
      12,
    )
    expect(sharpe([0.01, 0.03, -0.01, 0.01], { periodsPerYear: 1, target: 0.01 })).toBeCloseTo(0, 12)
    expect(sharpe([0.1, 0.1, 0.1])).toBe(0)
  })

  test('sortino: only the shortfall counts, over all periods', () => {
    // mean 0.01; shortfall √(0.02² / 4) = 0.01.
    expect(sortino([0.01, 0.03, -0.02, 0.02], { periodsPerYear: 4 })).toBeCloseTo(2, 12)
    // Against a target of 0.01: mean 0; against 0.02 the shortfalls are 0.01 and 0.04.
    expect(sortino([0.01, 0.03, -0.02, 0.02], { periodsPerYear: 1, target: 0.02 })).toBeCloseTo(
      -0.01 / Math.sqrt(0.0017 / 4),
      12,
    )
    expect(sortino([0.1, 0])).toBe(Infinity)
    expect(sortino([0, 0])).toBe(0)
  })

  test('drawdown: 100 → 110 → 99 → 88 → 105.6 → 121 → 120', () => {
    const values = [110, 99, 88, 105.6, 121, 120]
    const returns = values.map((value, i) => value / (values[i - 1] ?? 100) - 1)
    const drawdown = maxDrawdown(returns)
    expect(drawdown.depth).toBeCloseTo(0.2, 12)
    expect(drawdown).toMatchObject({ peak: 0, trough: 2, duration: 3 })
    expect(maxDrawdown([-0.1, -0.1])).toMatchObject({ peak: -1, trough: 1, duration: 2 })
    expect(maxDrawdown([0.1, 0.1])).toEqual({ depth: 0, peak: -1, trough: -1, duration: 0 })
  })

  test('annual return and calmar: 1.5 · 0.8 · 1.25 = 1.5 in one year', () => {
    expect(annualReturn([0.5, -0.2, 0.25], { periodsPerYear: 3 })).toBeCloseTo(0.5, 12)
    expect(calmar([0.5, -0.2, 0.25], { periodsPerYear: 3 })).toBeCloseTo(0.5 / 0.2, 12)
    expect(annualReturn([0.1, -1])).toBe(-1)
    expect(calmar([0.1])).toBe(Infinity)
  })

  test('win rate, profit factor, tail ratio', () => {
    expect(winRate([1, -1, 2, 0])).toBeCloseTo(2 / 3, 12)
    expect(profitFactor([1, -1, 2, 0])).toBe(3)
    expect(profitFactor([])).toBe(0)
    expect(profitFactor([1])).toBe(Infinity)
    // Of -2 … 2 in steps of 1 the 5 % quantile is -1.8 and the 95 % quantile 1.8.
    expect(tailRatio([-2, -1, 0, 1, 2])).toBeCloseTo(1, 12)
    expect(tailRatio([-2, -1, 0, 1, 4])).toBeCloseTo(3.4 / 1.8, 12)
  })

  test('refuses NaN with its row', () => {
    expect(() => sharpe([0.1, Number.NaN])).toThrow('[market/sharpe] returns must be finite, got NaN in row 1.')
    expect(() => sharpe([0.1, 0.2], { periodsPerYear: 0 })).toThrow('periodsPerYear must be above 0, got 0')
  })
})

test('round trips: adding, reducing, and a fill that changes sides', () => {
  const fill = { time: 0, commission: 0, reason: 'target' } as const
  const trips = roundTrips([
    { ...fill, asset: 0, index: 1, units: 10, price: 100 },
    { ...fill, asset: 1, index: 1, units: -5, price: 50 },
    { ...fill, asset: 0, index: 2, units: 10, price: 110 },
    { ...fill, asset: 0, index: 3, units: -30, price: 120, commission: 3 },
    { ...fill, asset: 0, index: 5, units: 10, price: 115 },
    { ...fill, asset: 1, index: 6, units: 2, price: 40 },
  ])
  // Long 20 at 105 on average, sold at 120: 300 less two thirds of the fee. Short 10 at 120, covered at 115: 50 less 1.
  expect(trips).toEqual([
    { asset: 0, openedAt: 1, closedAt: 3, side: 'long', units: 20, profit: expect.closeTo(298, 9) },
    { asset: 0, openedAt: 3, closedAt: 5, side: 'short', units: 10, profit: expect.closeTo(49, 9) },
  ])
})

test('summary of a backtest: every figure by hand', () => {
  // 1000 at the start. 10 units bought at 100 and sold at 110 (fees 1 and 1.1), 5 sold short at 100 and covered at 90
  // (fees 0.5 and 0.45); one bar a year of 365.25 days.
  const year = 365.25 * 86_400_000
  const equity = Float64Array.of(1000, 1099, 1097.9, 1097.4, 1146.95)
  const result = {
    time: Float64Array.from(equity, (_, i) => i * year),
    interval: year,
    equity,
    returns: equity.map((value, i) => value / (equity[i - 1] ?? 1000) - 1),
    units: Float64Array.of(0, 10, 0, -5, 0),
    exposure: Float64Array.of(0, 1, 0, 0.5, 0),
    turnover: Float64Array.of(0, 1, 1, 0.5, 0.5),
    fills: [
      { index: 1, time: year, asset: 0, units: 10, price: 100, commission: 1, reason: 'target' },
      { index: 2, time: 2 * year, asset: 0, units: -10, price: 110, commission: 1.1, reason: 'target' },
      { index: 3, time: 3 * year, asset: 0, units: -5, price: 100, commission: 0.5, reason: 'target' },
      { index: 4, time: 4 * year, asset: 0, units: 5, price: 90, commission: 0.45, reason: 'target' },
    ],
    costs: { commission: 3.05, slippage: 0, financing: 0 },
    initialCash: 1000,
    ruinedAt: -1,
  } as const
  const summary = summarize(result)
  expect(summary).toMatchObject({ bars: 5, trades: 2, winRate: 1, profitFactor: Infinity, drawdownDuration: 2 })
  expect(summary.periodsPerYear).toBeCloseTo(1, 12)
  expect(summary.totalReturn).toBeCloseTo(0.14695, 12)
  expect(summary.annualReturn).toBeCloseTo(1.14695 ** 0.2 - 1, 12)
  expect(summary.maxDrawdown).toBeCloseTo(1.6 / 1099, 12)
  expect(summary.exposure).toBeCloseTo(0.3, 12)
  expect(summary.turnover).toBeCloseTo(0.6, 12)
  expect(summary.costs).toBeCloseTo(0.00305, 12)
  expect(summary.sharpe).toBeCloseTo(sharpe(result.returns, { periodsPerYear: 1 }), 12)
})

describe('selection bias', () => {
  test('probabilistic Sharpe ratio: the published example', () => {
    // Bailey and López de Prado (2012): SR 0.458 a month over 24 months, skewness -2.448, kurtosis 10.164 gives 0.913;
    // as if normal 0.982.
    expect(probabilisticSharpe({ sharpe: 0.458, count: 24, skewness: -2.448, kurtosis: 10.164 })).toBeCloseTo(0.913, 3)
    expect(probabilisticSharpe({ sharpe: 0.458, count: 24 })).toBeCloseTo(0.982, 3)
  })

  test('deflated Sharpe ratio: the published example', () => {
    // Bailey and López de Prado (2014): annual SR 2.5, 1250 days, variance 1/2, skewness -3, kurtosis 10. With 100 trials
    // SR* = 0.1132 and DSR = 0.9004; with 46 trials 0.9505; as if normal 88 trials would have been 0.9505.
    const evidence = { sharpe: 2.5 / Math.sqrt(250), count: 1250, trialVariance: 0.5 / 250 }
    const hundred = deflatedSharpe({ ...evidence, skewness: -3, kurtosis: 10, trials: 100 })
    expect(hundred.expectedMaximum).toBeCloseTo(0.1132, 4)
    expect(hundred.probability).toBeCloseTo(0.9004, 4)
    expect(deflatedSharpe({ ...evidence, skewness: -3, kurtosis: 10, trials: 46 }).probability).toBeCloseTo(0.9505, 4)
    expect(deflatedSharpe({ ...evidence, trials: 88 }).probability).toBeCloseTo(0.9505, 3)
    expect(deflatedSharpe({ ...evidence, trials: 1 }).expectedMaximum).toBe(0)
  })

  test('overfitting: two blocks by hand', () => {
    // Strategy 0 wins the first block (mean 3 against 1) and loses the second; strategy 1 the other way round: the winner
    // of either half is last of two in the other, relative rank 1/3.
    const report = backtestOverfitting([4, 2, 2, 0, 0, 2, 2, 4], { strategies: 2, blocks: 2 })
    expect(report.probability).toBe(1)
    expect(Array.from(report.logits)).toEqual([expect.closeTo(Math.log(0.5), 12), expect.closeTo(Math.log(0.5), 12)])
    expect(report.lossProbability).toBe(0)
  })

  test('overfitting: near a half for noise, near nothing for one truly better strategy', () => {
    const rng = createRng(11)
    const noise: number[] = []
    let skill = 0
    for (let seed = 0; seed < 12; seed++) {
      const returns = Float64Array.from({ length: 500 * 8 }, () => rng.normal())
      noise.push(backtestOverfitting(returns, { strategies: 8, blocks: 8 }).probability)
      for (let i = 0; i < 500; i++) returns[i * 8] = returns[i * 8]! + 0.4
      skill += backtestOverfitting(returns, { strategies: 8, blocks: 8 }).probability / 12
    }
    const mean = noise.reduce((a, b) => a + b, 0) / noise.length
    expect(mean).toBeGreaterThan(0.35)
    expect(mean).toBeLessThan(0.75)
    expect(skill).toBeLessThan(0.01)
  })

  test('bootstrap interval of a mean covers as stated and agrees with theory', () => {
    const rng = createRng(4)
    const runs = process.env.REGIMEN_FULL === '1' ? 600 : 60
    let covered = 0
    let errors = 0
    for (let run = 0; run < runs; run++) {
      const returns = Float64Array.from({ length: 100 }, () => rng.normal())
      const mean = (x: Float64Array): number => x.reduce((a, b) => a + b, 0) / x.length
      const interval = bootstrapInterval(returns, {
        statistic: mean,
        samples: 200,
        level: 0.9,
        seed: run,
        meanBlock: 1,
      })
      if (interval.low <= 0 && interval.high >= 0) covered++
      errors += interval.standardError / runs
    }
    // Independent values: the standard error of the mean of 100 is 0.1.
    expect(errors).toBeCloseTo(0.1, 2)
    expect(covered / runs).toBeGreaterThan(0.8)
    expect(covered / runs).toBeLessThan(0.98)
  })

  test('longer blocks widen the interval of a persistent series', () => {
    const rng = createRng(8)
    const series = new Float64Array(2000)
    for (let i = 1; i < 2000; i++) series[i] = 0.9 * series[i - 1]! + rng.normal()
    const mean = (x: Float64Array): number => x.reduce((a, b) => a + b, 0) / x.length
    const short = bootstrapInterval(series, { statistic: mean, samples: 300, meanBlock: 1 })
    const long = bootstrapInterval(series, { statistic: mean, samples: 300, meanBlock: 50 })
    // Theory: independence would give s / √n, the truth is √((1 + φ) / (1 - φ)) = 4.4 times that.
    expect(long.standardError / short.standardError).toBeGreaterThan(2.5)
    expect(long.standardError / short.standardError).toBeLessThan(5)
  })
})

/** ∫ (F(x) - 1[x ≥ y])² dx by the midpoint rule. */
function crpsByIntegral(y: number, cdf: (x: number) => number, reach: number): number {
  const step = reach / 200_000
  let sum = 0
  for (let x = y - reach + step / 2; x < y + reach; x += step) sum += (cdf(x) - (x >= y ? 1 : 0)) ** 2 * step
  return sum
}

describe('forecasts', () => {
  test('log scores', () => {
    expect(logScoreGaussian(3, 1, 2)).toBeCloseTo(-0.5 - Math.log(2) - 0.5 * Math.log(2 * Math.PI), 12)
    // Student-t with 3 degrees at its location: ln(2 / (π √3)) by hand.
    expect(logScoreStudentT(0, { df: 3, location: 0, scale: 1 })).toBeCloseTo(
      Math.log(2 / (Math.PI * Math.sqrt(3))),
      12,
    )
    expect(logScoreStudentT(5, { df: 3, location: 5, scale: 2 })).toBeCloseTo(
      Math.log(1 / (Math.PI * Math.sqrt(3))),
      12,
    )
  })

  test('CRPS: closed forms against the integral that defines it', () => {
    expect(crpsGaussian(0, 0, 1)).toBeCloseTo((Math.SQRT2 - 1) / Math.sqrt(Math.PI), 12)
    expect(crpsGaussian(1.7, 0.5, 2)).toBeCloseTo(
      crpsByIntegral(1.7, (x) => normalCdf((x - 0.5) / 2), 25),
      4,
    )
    // Student-t with 2 degrees has F(x) = 1/2 + x / (2 √(2 + x²)).
    const cdf = (x: number): number => 0.5 + x / (2 * Math.sqrt(2 + x * x))
    expect(crpsStudentT(0.8, { df: 2, location: 0, scale: 1 })).toBeCloseTo(crpsByIntegral(0.8, cdf, 400), 3)
    expect(crpsStudentT(2.6, { df: 2, location: 1, scale: 2 })).toBeCloseTo(
      2 * crpsStudentT(0.8, { df: 2, location: 0, scale: 1 }),
      12,
    )
  })

  test('CRPS of an ensemble: every pair by brute force, and its limit', () => {
    const rng = createRng(2)
    const samples = Array.from({ length: 40 }, () => rng.normal())
    let error = 0
    let spread = 0
    for (const x of samples) {
      error += Math.abs(x - 0.3) / 40
      for (const other of samples) spread += Math.abs(x - other) / 1600
    }
    expect(crpsEnsemble(0.3, samples)).toBeCloseTo(error - spread / 2, 12)
    expect(crpsEnsemble(2, [5])).toBe(3)
    const many = Float64Array.from({ length: 40_000 }, () => rng.normal())
    expect(crpsEnsemble(0.3, many)).toBeCloseTo(crpsGaussian(0.3, 0, 1), 2)
  })

  test('Brier: (0.2² + 0.2²) and (0.6² + 0.6²) on average 0.4', () => {
    expect(brierScore([0.8, 0.2, 0.4, 0.6], [0, 0])).toBeCloseTo(0.4, 12)
    expect(brierScore([0, 1, 0], [1])).toBe(0)
    expect(() => brierScore([0.5, 0.5], [2])).toThrow('outcomes must be classes from 0 to 1, got 2 in row 0')
  })

  test('calibration: bins by hand', () => {
    const { bins, error } = calibration([0.1, 0.3, 0.8, 1], [0, 1, 1, 1], { bins: 2 })
    expect(bins).toEqual([
      { from: 0, to: 0.5, count: 2, forecast: 0.2, observed: 0.5 },
      { from: 0.5, to: 1, count: 2, forecast: 0.9, observed: 1 },
    ])
    expect(error).toBeCloseTo(0.5 * 0.3 + 0.5 * 0.1, 12)
  })

  test('probability integral transform: the right forecaster passes, a wrong one fails', () => {
    const rng = createRng(3)
    const y = Array.from({ length: 800 }, () => rng.normal())
    expect(pitReport(y.map((v) => normalCdf(v))).pValue).toBeGreaterThan(0.05)
    expect(pitReport(y.map((v) => normalCdf(v / 2))).pValue).toBeLessThan(0.001)
    // Three values: the largest gap is 1 - 0.5 at the last one.
    expect(pitReport([0.1, 0.2, 0.5]).distance).toBeCloseTo(0.5, 12)
    const shifted = Array.from({ length: 1000 }, (_, i) => Math.min(1, (i + 0.5) / 1000 + 0.02))
    expect(pitReport(shifted).distance).toBeCloseTo(0.0205, 3)
  })

  test('directional accuracy', () => {
    expect(directionalAccuracy([1, -1, 2, 0], [0.5, 0.2, 0.1, 0.3])).toBeCloseTo(2 / 3, 12)
    expect(() => directionalAccuracy([Number.NaN], [1])).toThrow('NaN in row 0')
  })
})

describe('reward', () => {
  test('the differential Sharpe ratio is the derivative of the ratio with respect to the rate', () => {
    // With A' = A + η (r - A), B' = B + η (r² - B) and S = A / √(B - A²): dS/dη at 0 is what the reward pays.
    const state = { mean: 0.001, second: 0.0004, equity: 1, peak: 1, count: 10 }
    for (const r of [0.03, -0.02, 0.001]) {
      const ratio = (eta: number): number => {
        const a = state.mean + eta * (r - state.mean)
        const b = state.second + eta * (r * r - state.second)
        return a / Math.sqrt(b - a * a)
      }
      expect(openReward({}, state).update(r)).toBeCloseTo((ratio(1e-5) - ratio(-1e-5)) / 2e-5, 6)
    }
  })

  test('the Sortino increment is that of the downside ratio', () => {
    const state = { mean: 0.001, second: 0.0004, equity: 1, peak: 1, count: 10 }
    for (const r of [0.03, -0.02]) {
      const ratio = (eta: number): number => {
        const a = state.mean + eta * (r - state.mean)
        const b = state.second + eta * (Math.min(r, 0) ** 2 - state.second)
        return a / Math.sqrt(b)
      }
      expect(openReward({ ratio: 'sortino' }, state).update(r)).toBeCloseTo((ratio(1e-5) - ratio(-1e-5)) / 2e-5, 6)
    }
  })

  test('penalties: only a deeper drawdown and only leverage beyond the limit cost', () => {
    const reward = openReward({ ratio: 'return', drawdownPenalty: 1, leveragePenalty: 0.1, leverageLimit: 1 })
    expect(reward.update(0.1, 1)).toBeCloseTo(0.1, 12)
    expect(reward.update(-0.2, 3)).toBeCloseTo(-0.2 - 0.2 - 0.1 * 4, 12)
    expect(reward.update(0.1)).toBeCloseTo(0.1, 12)
    // Drawdown goes from 12 % to 12 % + 0.88 · 0.05: deeper by 0.044.
    expect(reward.update(-0.05)).toBeCloseTo(-0.05 - 0.044, 12)
  })

  test('continues from its state, and never pays NaN', () => {
    const rng = createRng(6)
    const whole = openReward({ drawdownPenalty: 0.5 })
    let half = openReward({ drawdownPenalty: 0.5 })
    for (let i = 0; i < 50; i++) {
      const r = i < 5 ? 0 : 0.01 * rng.normal()
      if (i === 25) half = openReward({ drawdownPenalty: 0.5 }, JSON.parse(JSON.stringify(half.state())))
      const paid = whole.update(r)
      expect(Number.isFinite(paid)).toBe(true)
      expect(half.update(r)).toBe(paid)
    }
  })
})
