import { describe, expect, test } from 'vitest'
import {
  blockBootstrap,
  forecastTargets,
  type MarketParameters,
  preset,
  presetNames,
  simulate,
  stylizedFacts,
  trueFilter,
} from '../src/index.ts'

const DAY = 86_400_000

/** One asset, Gaussian, no gaps: what remains is a hidden Markov model. */
function gaussian(change: Partial<MarketParameters>): MarketParameters {
  return { ...preset('separable'), name: 'test', ...change }
}

const two = gaussian({
  regimes: [
    { name: 'calm', drift: 0.5, volatility: 0.15, autoregression: 0.2, duration: 6 },
    { name: 'wild', drift: -0.8, volatility: 0.3, autoregression: -0.3, duration: 4 },
  ],
  transitions: [
    [0, 1],
    [1, 0],
  ],
})

describe('what the simulator promises', () => {
  test('bars are well formed, on the calendar, and the same for the same seed', () => {
    for (const name of presetNames) {
      const market = simulate(name, { bars: 300, seed: 4 })
      for (const { time, open, high, low, close, volume } of market.assets) {
        for (let t = 0; t < 300; t++) {
          const top = Math.max(open[t]!, close[t]!)
          const bottom = Math.min(open[t]!, close[t]!)
          if (!(low[t]! > 0 && low[t]! <= bottom && high[t]! >= top && volume![t]! > 0)) expect.fail(`${name} row ${t}`)
          if (t > 0 && !(time[t]! > time[t - 1]!)) expect.fail(`${name} time ${t}`)
        }
      }
      expect(simulate(name, { bars: 300, seed: 4 }).bars).toEqual(market.bars)
      expect(simulate(name, { bars: 300, seed: 5 }).bars.close).not.toEqual(market.bars.close)
    }
    const weekdays = simulate('equity-hourly', { bars: 100, seed: 1 }).bars.time
    for (const t of weekdays) {
      const date = new Date(t)
      expect(date.getUTCDay() % 6).not.toBe(0)
      expect(date.getUTCHours()).toBeGreaterThanOrEqual(14)
      expect(date.getUTCHours()).toBeLessThan(21)
    }
  })

  test('a longer run begins with the shorter one', () => {
    const short = simulate('equity-basket-daily', { bars: 200, seed: 2 })
    const long = simulate('equity-basket-daily', { bars: 400, seed: 2 })
    expect(long.regimes.slice(0, 200)).toEqual(short.regimes)
    expect(long.assets[2]!.close.slice(0, 200)).toEqual(short.assets[2]!.close)
    expect(long.bars.volume!.slice(0, 200)).toEqual(short.bars.volume)
  })

  test('returns have the stated drift, volatility, autoregression and kurtosis in each regime', () => {
    const { returns, regimes, parameters } = simulate(two, { bars: 120_000, seed: 1 })
    const year = parameters.barsPerYear
    for (const [s, regime] of parameters.regimes.entries()) {
      const shocks: number[] = []
      const mu = regime.drift / year
      for (let t = 1; t < returns.length; t++) {
        if (regimes[t] === s) shocks.push(returns[t]! - mu - regime.autoregression * (returns[t - 1]! - mu))
      }
      const n = shocks.length
      const scale = regime.volatility / Math.sqrt(year)
      const mean = shocks.reduce((a, b) => a + b, 0) / n / scale
      const variance = shocks.reduce((a, b) => a + (b / scale) ** 2, 0) / n
      const fourth = shocks.reduce((a, b) => a + (b / scale) ** 4, 0) / n
      // Standard errors: 1/√n, √(2/n), √(96/n) with n near 50,000.
      expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(n))
      expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / n))
      expect(Math.abs(fourth - 3)).toBeLessThan(4 * Math.sqrt(96 / n))
    }
  })

  test('stays have the stated mean; semi-Markov stays avoid the shortest', () => {
    for (const durationShape of [1, 3]) {
      const { regimes } = simulate({ ...two, durationShape }, { bars: 100_000, seed: 3 })
      const stays: number[][] = [[], []]
      let since = 0
      for (let t = 1; t < regimes.length; t++) {
        if (regimes[t] === regimes[t - 1]) continue
        if (since > 0) stays[regimes[t - 1]!]!.push(t - since)
        since = t
      }
      for (const [s, mean] of [6, 4].entries()) {
        const of = stays[s]!
        expect(of.reduce((a, b) => a + b, 0) / of.length).toBeCloseTo(mean, 0)
        // Geometric: P(1) = 1 / mean. Three stages of p = 3 / (3 + mean - 1): P(1) = p³.
        const p = durationShape === 1 ? 1 / mean : (3 / (2 + mean)) ** 3
        expect(of.filter((stay) => stay === 1).length / of.length).toBeCloseTo(p, 1)
      }
    }
  })

  test('shocks have unit variance with Student-t tails, and the GARCH factor averages one', () => {
    const base = preset('no-regimes-daily')
    const heavy = { ...base, innovations: { degreesOfFreedom: 6 }, regimes: [{ ...base.regimes[0]!, drift: 0 }] }
    const { returns, volatility } = simulate(heavy, { bars: 200_000, seed: 1 })
    let second = 0
    let fourth = 0
    for (let t = 0; t < returns.length; t++) {
      const z = returns[t]! / volatility[t]!
      second += z ** 2 / returns.length
      fourth += z ** 4 / returns.length
    }
    expect(second).toBeCloseTo(1, 1)
    // Kurtosis of Student-t with 6 degrees: 3 + 6 / (6 - 4) = 6; its own standard error is large.
    expect(fourth / second ** 2).toBeGreaterThan(5)
    expect(fourth / second ** 2).toBeLessThan(7.5)
    const clustered = simulate(
      { ...heavy, innovations: preset('equity-daily').innovations },
      { bars: 100_000, seed: 1 },
    )
    const base2 = (0.17 * 0.17) / 261
    const factor = clustered.volatility.reduce((sum, v) => sum + (v * v) / base2, 0) / clustered.volatility.length
    expect(factor).toBeGreaterThan(0.85)
    expect(factor).toBeLessThan(1.15)
  })

  test('assets are correlated as stated', () => {
    const { returns, volatility } = simulate('equity-basket-daily', { bars: 20_000, seed: 1 })
    const z = (t: number, a: number): number => returns[t * 3 + a]! / volatility[t * 3 + a]!
    let xy = 0
    let xx = 0
    let yy = 0
    for (let t = 0; t < 20_000; t++) {
      xy += z(t, 0) * z(t, 2)
      xx += z(t, 0) ** 2
      yy += z(t, 2) ** 2
    }
    expect(xy / Math.sqrt(xx * yy)).toBeCloseTo(0.6, 1)
  })

  test('events: a crash, a flash and a drift do what they say and touch nothing before', () => {
    const plain = simulate('random-walk', { bars: 100, seed: 1 })
    const with_ = (event: NonNullable<Parameters<typeof simulate>[1]['events']>[number]) =>
      simulate('random-walk', { bars: 100, seed: 1, events: [event] })
    const flash = with_({ kind: 'flash', at: 50, bars: 2, depth: 0.2 })
    expect(flash.bars.close[50]! / plain.bars.close[50]!).toBeCloseTo(0.8, 12)
    expect(flash.bars.close[51]! / plain.bars.close[51]!).toBeCloseTo(Math.sqrt(0.8), 12)
    expect(flash.bars.close[52]! / plain.bars.close[52]!).toBeCloseTo(1, 12)
    const inside = with_({ kind: 'flash', at: 50, bars: 0, depth: 0.2 })
    expect(inside.bars.close).toEqual(plain.bars.close)
    expect(inside.bars.low[50]).toBeCloseTo(0.8 * Math.min(plain.bars.open[50]!, plain.bars.close[50]!), 9)
    const crash = with_({ kind: 'crash', at: 50, bars: 5, depth: 0.4 })
    expect(crash.bars.close.slice(0, 50)).toEqual(plain.bars.close.slice(0, 50))
    let doubled = Math.log1p(-0.4)
    for (let t = 50; t < 55; t++) doubled += 2 * plain.returns[t]!
    expect(Math.log(crash.bars.close[54]! / crash.bars.close[49]!)).toBeCloseTo(doubled, 9)
    const drift = with_({ kind: 'drift', at: 50, bars: 10, drift: 2.61, volatility: 3 })
    expect(drift.returns[99]).toBeCloseTo(3 * plain.returns[99]! + 0.01, 12)
    expect(() => with_({ kind: 'crash', at: 100, bars: 1, depth: 0.1 })).toThrow("an event's row must lie from 0 to 99")
  })

  test('refuses impossible parameters', () => {
    expect(() => simulate('nothing' as never, { bars: 1, seed: 0 })).toThrow('preset must be one of equity-daily')
    expect(() => simulate('separable', { bars: 0, seed: 0 })).toThrow('bars must be a whole number from 1, got 0')
    expect(() =>
      simulate(
        {
          ...two,
          transitions: [
            [1, 0],
            [1, 0],
          ],
        },
        { bars: 1, seed: 0 },
      ),
    ).toThrow('0 on the diagonal')
    expect(() => simulate({ ...two, innovations: { degreesOfFreedom: 2 } }, { bars: 1, seed: 0 })).toThrow('above 2')
  })
})

describe('the true filter', () => {
  test('closed form: equals the sum over every regime path', () => {
    const { bars, returns, parameters } = simulate(two, { bars: 9, seed: 5 })
    const filtered = trueFilter(bars, { parameters, observe: 'close' })
    const year = parameters.barsPerYear
    // Long-run shares of stays of 6 and 4 bars are 0.6 and 0.4.
    const start = [0.6, 0.4]
    const move = [
      [5 / 6, 1 / 6],
      [1 / 4, 3 / 4],
    ]
    const density = (t: number, s: number): number => {
      const { drift, volatility, autoregression } = parameters.regimes[s]!
      const mu = drift / year
      const scale = volatility / Math.sqrt(year)
      const z = (returns[t]! - mu - (t > 0 ? autoregression * (returns[t - 1]! - mu) : 0)) / scale
      return Math.exp(-0.5 * z * z) / (scale * Math.sqrt(2 * Math.PI))
    }
    let before = 1
    for (let t = 0; t < 9; t++) {
      const mass = [0, 0]
      for (let path = 0; path < 2 ** (t + 1); path++) {
        let p = 1
        for (let u = 0; u <= t; u++) {
          const s = (path >> u) & 1
          p *= (u === 0 ? start[s]! : move[(path >> (u - 1)) & 1]![s]!) * density(u, s)
        }
        mass[(path >> t) & 1]! += p
      }
      const total = mass[0]! + mass[1]!
      expect(filtered.probabilities[t * 2]).toBeCloseTo(mass[0]! / total, 9)
      expect(filtered.logScore[t]).toBeCloseTo(Math.log(total / before), 9)
      const next = (mass[0]! * move[0]![0]! + mass[1]! * move[1]![0]!) / total
      expect(filtered.predicted[t * 2]).toBeCloseTo(next, 9)
      const means = parameters.regimes.map((r) => r.drift / year + r.autoregression * (returns[t]! - r.drift / year))
      const mean = next * means[0]! + (1 - next) * means[1]!
      expect(filtered.mean[t]).toBeCloseTo(mean, 12)
      const spread = parameters.regimes.map((r) => r.volatility ** 2 / year)
      const second = next * (spread[0]! + means[0]! ** 2) + (1 - next) * (spread[1]! + means[1]! ** 2)
      expect(filtered.variance[t]).toBeCloseTo(second - mean * mean, 12)
      before = total
    }
  })

  test('is calibrated: of what it calls p likely, a share p happens', () => {
    for (const observe of ['bar', 'close'] as const) {
      const semi = { ...two, durationShape: 3 }
      const { bars, parameters, regimes } = simulate(semi, { bars: 20_000, seed: 6 })
      const { predicted } = trueFilter(bars, { parameters, observe })
      const sum = new Float64Array(5)
      const hits = new Float64Array(5)
      const count = new Float64Array(5)
      for (let t = 0; t + 1 < 20_000; t++) {
        const p = predicted[t * 2]!
        const b = Math.min(4, Math.floor(p * 5))
        sum[b]! += p
        count[b]! += 1
        if (regimes[t + 1] === 0) hits[b]! += 1
      }
      for (let b = 0; b < 5; b++) {
        if (count[b]! < 500) continue
        expect(Math.abs(hits[b]! - sum[b]!) / count[b]!).toBeLessThan(4 * Math.sqrt(0.25 / count[b]!))
      }
    }
  })

  test('bars tell more than closes', () => {
    const { bars, parameters, regimes } = simulate(two, { bars: 4000, seed: 7 })
    const right = (observe: 'bar' | 'close'): number => {
      const { probabilities } = trueFilter(bars, { parameters, observe })
      return regimes.reduce((sum, s, t) => sum + Number(probabilities[t * 2 + s]! > 0.5), 0) / 4000
    }
    expect(right('bar')).toBeGreaterThan(right('close') + 0.05)
  })

  test('the particle filter agrees with the closed form where there is one', () => {
    const semi = { ...two, durationShape: 2, overnight: 0.2 }
    const { bars } = simulate(semi, { bars: 300, seed: 8 })
    const still = { ...semi, innovations: { garch: { alpha: 0, beta: 0, gamma: 0, cap: 16 } } }
    const exact = trueFilter(bars, { parameters: semi })
    const particles = trueFilter(bars, { parameters: still, particles: 1500 })
    expect([exact.exact, particles.exact]).toEqual([true, false])
    let distance = 0
    let scores = 0
    for (let t = 0; t < 300; t++) {
      distance += Math.abs(exact.probabilities[t * 2]! - particles.probabilities[t * 2]!) / 300
      scores += exact.logScore[t]! - particles.logScore[t]!
    }
    expect(distance).toBeLessThan(0.003)
    expect(Math.abs(scores / 300)).toBeLessThan(0.001)
  })

  test('the truth scores better than a wrong truth, with GARCH, jumps and gaps too', () => {
    const { bars, parameters } = simulate('equity-daily', { bars: 1500, seed: 9 })
    const score = (p: MarketParameters): number =>
      trueFilter(bars, { parameters: p, particles: 40 }).logScore.reduce((a, b) => a + b, 0)
    const truth = score(parameters)
    const louder = parameters.regimes.map((r) => ({ ...r, volatility: 1.3 * r.volatility }))
    expect(truth).toBeGreaterThan(score({ ...parameters, regimes: louder }) + 10)
    expect(truth).toBeGreaterThan(score({ ...parameters, innovations: {} }) + 10)
  })

  test('appending bars changes nothing before, and injected events break nothing', () => {
    const events = [
      { kind: 'flash', at: 60, bars: 0, depth: 0.6 },
      { kind: 'crash', at: 90, bars: 2, depth: 0.7 },
    ] as const
    for (const name of ['separable', 'crypto-hourly'] as const) {
      const { bars, parameters } = simulate(name, { bars: 160, seed: 10, events })
      const cut = (x: Float64Array): Float64Array => x.slice(0, 120)
      const early = {
        ...bars,
        time: cut(bars.time),
        open: cut(bars.open),
        high: cut(bars.high),
        low: cut(bars.low),
        close: cut(bars.close),
      }
      const options = { parameters, particles: 30 }
      const whole = trueFilter(bars, options)
      const part = trueFilter(early, options)
      const k = parameters.regimes.length
      expect(whole.probabilities.slice(0, 120 * k)).toEqual(part.probabilities)
      expect(whole.mean.slice(0, 119)).toEqual(part.mean.slice(0, 119))
      for (const column of [whole.probabilities, whole.mean, whole.variance, whole.logScore]) {
        expect(column.every(Number.isFinite)).toBe(true)
      }
    }
  })
})

test('forecast targets: sizing, clipping, the dead band and the horizon by hand', () => {
  // Deviation a year √(0.0001 · 256) = 0.16, so a full position is 0.15 / 0.16; S = (0.001 + 0.00005) · 256 / 0.16 = 1.68.
  const forecast = { mean: [0.001, 0.0011, -0.001, 0.01], variance: [0.0001, 0.0001, 0.0001, 0.0001] }
  const full = 0.15 / 0.16
  const targets = forecastTargets(forecast, { barsPerYear: 256 })
  expect(targets[0]).toBeCloseTo((full * 1.68) / 2, 12)
  expect(targets[1]).toBe(targets[0])
  expect(targets[2]).toBeCloseTo((-full * ((0.00095 * 256) / 0.16)) / 2, 12)
  expect(targets[3]).toBeCloseTo(full, 12)
  // Over a horizon of two bars the mean at the third is (0.00105 - 0.001) / 2 = 0.000025.
  const smooth = forecastTargets(forecast, { barsPerYear: 256, horizon: 2, band: 0 })
  expect(smooth[2]).toBeCloseTo((full * ((0.000075 * 256) / 0.16)) / 2, 12)
})

describe('stylized facts', () => {
  test('statistics by hand', () => {
    const returns = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? 1 : -1))
    const report = stylizedFacts(returns, { maxLag: 2 })
    expect(report).toMatchObject({ count: 12, mean: 0, deviation: 1, skewness: 0, excessKurtosis: -2 })
    // Lag 1: eleven products of -1 over twelve of 1; lag 2: ten of 1.
    expect(report.autocorrelation[0]).toBeCloseTo(-11 / 12, 12)
    expect(report.autocorrelation[1]).toBeCloseTo(10 / 12, 12)
    expect(() => stylizedFacts(new Float64Array(100))).toThrow('returns must vary')
  })

  test('the market presets have them, white noise has not', () => {
    for (const name of ['equity-daily', 'forex-daily', 'commodity-daily', 'crypto-daily'] as const) {
      for (let seed = 0; seed < (process.env.REGIMEN_FULL === '1' ? 10 : 2); seed++) {
        const { facts } = stylizedFacts(simulate(name, { bars: 8000, seed }).returns)
        expect(facts.map((fact) => [fact.name, fact.holds])).toEqual(facts.map((fact) => [fact.name, true]))
      }
    }
    const noise = stylizedFacts(simulate('random-walk', { bars: 8000, seed: 1 }).returns)
    expect(noise.holds).toBe(false)
    expect(noise.facts.find((fact) => fact.name === 'fat tails')?.holds).toBe(false)
    expect(noise.facts.find((fact) => fact.name === 'volatility clustering')?.holds).toBe(false)
  })
})

test('block bootstrap: rows of the source in blocks of the stated mean length, chained without jumps', () => {
  const { bars } = simulate('equity-daily', { bars: 500, seed: 1 })
  const sample = blockBootstrap(bars, { seed: 2, meanBlock: 10, length: 20_000 })
  const rowOf = new Map<string, number>()
  for (let i = 1; i < 500; i++) rowOf.set(bars.volume![i]!.toString(), i)
  let runs = 1
  for (let i = 0; i < 20_000; i++) {
    const row = rowOf.get(sample.volume![i]!.toString())!
    const before = i === 0 ? bars.close[0]! : sample.close[i - 1]!
    if (Math.abs(sample.close[i]! / before / (bars.close[row]! / bars.close[row - 1]!) - 1) > 1e-9)
      expect.fail(`row ${i}`)
    if (Math.abs(sample.low[i]! / before / (bars.low[row]! / bars.close[row - 1]!) - 1) > 1e-9) expect.fail(`row ${i}`)
    if (i > 0) {
      const previous = rowOf.get(sample.volume![i - 1]!.toString())!
      if (row !== previous + 1 && !(previous === 499 && row === 1)) runs++
    }
  }
  expect(20_000 / runs).toBeGreaterThan(9)
  expect(20_000 / runs).toBeLessThan(11)
  expect(sample.time[600]! - sample.time[599]!).toBe(DAY)
})
