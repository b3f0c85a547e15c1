import { createRng } from '@regimen/core'
import { type BarRegimeModel, barRegimeFilter, fitBarRegimes, onlineBarRegimes } from '@regimen/regimes'
import { causalChecks, testLive } from '@regimen/testing'
import { describe, expect, it } from 'vitest'
import { BarBeliefs, type BarParameters, filterBars, stageTransitions } from '../src/bars/bar-filter.ts'
import { barSeries, gapShareOf } from '../src/bars/bar-series.ts'
import { stationaryOf } from '../src/hmm/chain.ts'

const calmShocks = {
  alpha: 0,
  gamma: 0,
  beta: 0,
  degrees: 6,
  jumpRate: 0.01,
  jumpMean: -1,
  jumpDeviation: 3,
}
const two: BarParameters = {
  k: 2,
  stages: 2,
  drift: Float64Array.of(0.001, -0.002),
  scale: Float64Array.of(0.01, 0.02),
  echo: Float64Array.of(0.1, -0.2),
  leave: Float64Array.of(0.2, 0.4),
  moves: Float64Array.of(0, 1, 1, 0),
  shocks: calmShocks,
}

/** A market of two regimes: stays of two geometric stages, clustered variance, Brownian ranges and gaps. */
function market(n: number, seed: string) {
  const rng = createRng(seed)
  const bars = { open: [100], high: [101], low: [99], close: [100] }
  const regimes = [0]
  let [s, stage, h] = [0, 0, 1]
  for (let t = 1; t < n; t++) {
    while (rng.uniform() < 2 / 60) {
      if (++stage < 2) continue
      s = 1 - s
      stage = 0
      break
    }
    const deviation = [0.006, 0.02][s]! * Math.sqrt(h)
    const z = rng.normal()
    const r = [0.001, -0.001][s]! + deviation * z
    const gap = 0.2 * r + deviation * Math.sqrt(0.16) * rng.normal()
    const c = r - gap
    const reach = (sign: number) =>
      (c + sign * Math.sqrt(c * c - 1.6 * deviation * deviation * Math.log(1 - rng.uniform()))) / 2
    const before = bars.close[t - 1]!
    const open = before * Math.exp(gap)
    bars.open.push(open)
    bars.close.push(before * Math.exp(r))
    bars.high.push(open * Math.exp(reach(1)))
    bars.low.push(open * Math.exp(reach(-1)))
    regimes.push(s)
    h = 0.07 + (0.05 + (z < 0 ? 0.06 : 0)) * z * z * h + 0.85 * h
  }
  return { bars, regimes }
}

/** ln of the mixed Student-t with 6 degrees at variance 1, and normal jumps: by hand from their densities. */
function logShock(z: number): number {
  // t₆ has variance 3/2, so z √1.5 is a t₆: Γ(3.5) / (√(6π) Γ(3)) = 15√π/8 / (2 √(6π)) = 0.3827327723.
  const body = Math.sqrt(1.5) * 0.3827327723098717 * (1 + (1.5 * z * z) / 6) ** -3.5
  const jump = Math.exp(-0.5 * ((z + 1) / 3) ** 2) / (3 * Math.sqrt(2 * Math.PI))
  return Math.log(0.99 * body + 0.01 * jump)
}

describe('bars as random walks', () => {
  it('turns a bar into its return and what its range tells', () => {
    // In logs: closes 0, then open 0.01, high 0.03, low −0.01, close 0.02. From the open: h = 0.02, l = −0.02, c = 0.01;
    // 4 (0.02 · 0.01 + 0.02 · 0.03) / (1 − ¼) = 0.0032 / 0.75; the gap 0.01 lies 0.005 from a quarter of 0.02: 0.000025 / (3/16).
    const bars = {
      open: [1, Math.exp(0.01)],
      high: [1, Math.exp(0.03)],
      low: [1, Math.exp(-0.01)],
      close: [1, Math.exp(0.02)],
    }
    const { returns, spread, freedom } = barSeries(bars, 0.25)
    expect(returns[1]).toBeCloseTo(0.02, 14)
    expect(spread[1]).toBeCloseTo(0.0032 / 0.75 + (0.000025 * 16) / 3, 14)
    expect([...freedom]).toEqual([4, 5])
    // The gap's slope on the return: 0.01 / 0.02.
    expect(gapShareOf([bars])).toBeCloseTo(0.5, 12)
  })

  it('gives a spread that is chi-squared with its degrees of freedom', () => {
    const { bars } = market(4000, 'spread')
    const x = barSeries(bars, 0.2)
    // The mean ratio of spread to squared return must be that of their degrees, 5 to 1.
    const sum = (a: Float64Array) => a.reduce((total, v) => total + v, 0)
    expect(sum(x.spread) / sum(x.returns.map((r) => r * r))).toBeCloseTo(5, 0)
    expect(gapShareOf([bars])).toBeCloseTo(0.2, 1)
  })
})

describe('the filter of bars', () => {
  it('makes stays of two stages: P(d bars) = d p² (1 − p)^(d − 1)', () => {
    const a = stageTransitions(two)
    // Rows and columns: (0, 0), (0, 1), (1, 0), (1, 1). Leaving regime 0 is reaching column 2.
    let p = [1, 0]
    for (let d = 1; d <= 6; d++) {
      expect(p[0]! * a[2]! + p[1]! * a[6]!).toBeCloseTo(d * 0.04 * 0.8 ** (d - 1), 14)
      p = [p[0]! * a[0]! + p[1]! * a[4]!, p[0]! * a[1]! + p[1]! * a[5]!]
    }
    for (let i = 0; i < 4; i++) expect(a.slice(4 * i, 4 * i + 4).reduce((s, v) => s + v)).toBeCloseTo(1, 14)
  })

  it('equals the sum over all 4^5 paths where variance does not cluster', () => {
    const { bars } = market(5, 'paths')
    const x = barSeries(bars, 0.2)
    const a = stageTransitions(two)
    const start = stationaryOf(a, 4)
    const logBar = (t: number, s: number) => {
      const variance = two.scale[s]! ** 2
      const echo = t > 0 ? two.echo[s]! * (x.returns[t - 1]! - two.drift[s]!) : 0
      const z = (x.returns[t]! - two.drift[s]! - echo) / Math.sqrt(variance)
      const own = logShock(z) - 0.5 * Math.log(variance)
      return own - 0.5 * (x.freedom[t]! * Math.log(variance) + x.spread[t]! / variance)
    }
    let total = 0
    const last = [0, 0]
    for (let code = 0; code < 4 ** 5; code++) {
      const path = Array.from({ length: 5 }, (_, t) => Math.floor(code / 4 ** t) % 4)
      let p = start[path[0]!]!
      for (let t = 1; t < 5; t++) p *= a[path[t - 1]! * 4 + path[t]!]!
      path.forEach((i, t) => {
        p *= Math.exp(logBar(t, i >> 1))
      })
      total += p
      last[path[4]! >> 1]! += p
    }
    const beliefs = new BarBeliefs(5, 2, 2)
    expect(filterBars(two, x, beliefs)).toBeCloseTo(Math.log(total), 9)
    const filtered = beliefs.filtered.subarray(16)
    expect(filtered[0]! + filtered[1]!).toBeCloseTo(last[0]! / total, 10)
  })

  it('follows the GJR recursion exactly where there is one regime', () => {
    const one: BarParameters = {
      k: 1,
      stages: 1,
      drift: Float64Array.of(0),
      scale: Float64Array.of(0.01),
      echo: Float64Array.of(0),
      leave: Float64Array.of(0.1),
      moves: Float64Array.of(1),
      shocks: { ...calmShocks, alpha: 0.05, gamma: 0.1, beta: 0.8 },
    }
    // Returns −2 %, +1 %, +10 %: z = −2 from h = 1; h = 0.1 + 0.15 · 4 + 0.8 = 1.5; z² = 1/1.5, so h = 0.1 + 0.05 + 1.2 = 1.35;
    // z² = 100/1.35 is above 16: h = 0.1 + 0.05 · 16 · 1.35 + 0.8 · 1.35 = 2.26.
    const x = {
      rows: 4,
      returns: Float64Array.of(-0.02, 0.01, 0.1, 0),
      spread: new Float64Array(4),
      freedom: new Float64Array(4),
    }
    const beliefs = new BarBeliefs(4, 1, 1)
    const logLikelihood = filterBars(one, x, beliefs)
    ;[1, 1.5, 1.35, 2.26].forEach((h, t) => {
      expect(beliefs.factor[t]).toBeCloseTo(h, 12)
    })
    const z = [-2, 1 / Math.sqrt(1.5), 10 / Math.sqrt(1.35), 0]
    const expected = [1, 1.5, 1.35, 2.26].map((h, t) => logShock(z[t]!) - 0.5 * Math.log(1e-4 * h))
    expected.forEach((value, t) => {
      expect(beliefs.logReturn[t]).toBeCloseTo(value, 9)
    })
    expect(logLikelihood).toBeCloseTo(
      expected.reduce((a, b) => a + b),
      8,
    )
  })
})

describe('fitBarRegimes', () => {
  const { bars, regimes } = market(3000, 'fit')
  const model = fitBarRegimes(bars, { regimes: 2, restarts: 2 })

  it('finds the parameters that made the bars, and the regimes with them', () => {
    // Ordered by drift: the wild falling one first.
    const [wild, calm] = model.scale.data
    expect(Math.abs(Math.log(wild! / 0.02))).toBeLessThan(0.1)
    expect(Math.abs(Math.log(calm! / 0.006))).toBeLessThan(0.1)
    expect(model.drift.data[1]).toBeCloseTo(0.001, 3)
    expect(model.gapShare).toBeCloseTo(0.2, 1)
    for (const p of model.leave.data) expect(Math.abs(Math.log(p * 30))).toBeLessThan(0.5)
    const { alpha, gamma, beta, degrees } = model.shocks
    expect(alpha + gamma / 2 + beta).toBeGreaterThan(0.85)
    expect(gamma).toBeGreaterThan(0.02)
    expect(degrees).toBeGreaterThan(10)
    const { filtered } = barRegimeFilter(model, bars)
    const right = regimes.filter((s, t) => filtered[2 * t + 1]! > 0.5 === (s === 0)).length
    expect(right / 3000).toBeGreaterThan(0.97)
  })

  it('climbs at each iteration, tells as much, and is deterministic', () => {
    for (let i = 1; i < model.history.length; i++) expect(model.history[i]!).toBeGreaterThan(model.history[i - 1]!)
    expect(model.history.at(-1)).toBe(model.logLikelihood)
    expect(barRegimeFilter(model, bars).logLikelihood).toBeCloseTo(model.logLikelihood, 8)
    expect(model.converged).toBe(true)
    const part = {
      open: bars.open.slice(0, 400),
      high: bars.high.slice(0, 400),
      low: bars.low.slice(0, 400),
      close: bars.close.slice(0, 400),
    }
    const done: number[] = []
    const options = { regimes: 2, restarts: 2, maxIterations: 12, seed: 3 }
    const first = fitBarRegimes([part, part], { ...options, onProgress: (progress) => done.push(progress.done) })
    expect(fitBarRegimes([part, part], options)).toEqual(first)
    expect(done).toEqual([1, 2])
    expect(first.rows).toBe(800)
  })

  it('does not look ahead', async () => {
    const closes = Array.from({ length: 200 }, (_, t) => t)
    const cut = (rows: readonly number[]) => {
      const of = (column: number[]) => rows.map((t) => column[t]!)
      return { open: of(bars.open), high: of(bars.high), low: of(bars.low), close: of(bars.close) }
    }
    for (const check of Object.values(
      causalChecks({
        series: closes,
        run: (prefix) => barRegimeFilter(model, cut(prefix as number[])).filtered.filter((_, i) => i % 2 === 0),
        prefixes: 5,
      }),
    ))
      await check()
  })

  it('does not underflow far from every regime', () => {
    const open = [100, 100, 1e-140, 1e140, 100, 100]
    const far = { open, high: open, low: open, close: [100, 1e-140, 1e140, 100, 100, 100] }
    const wide = {
      open,
      high: open.map((o, t) => Math.max(o, far.close[t]!)),
      low: open.map((o, t) => Math.min(o, far.close[t]!)),
      close: far.close,
    }
    // Without jumps and with thin tails no density of such a bar can be held.
    const thin = { ...model, shocks: { ...model.shocks, degrees: 100, jumpRate: 0 } }
    for (const m of [model, thin]) {
      const { filtered, logReturn, logLikelihood } = barRegimeFilter(m, wide)
      expect([...filtered, ...logReturn, logLikelihood].every(Number.isFinite)).toBe(true)
      expect(filtered[10]! + filtered[11]!).toBeCloseTo(1, 12)
    }
  })

  it('survives bars that do not move and refuses what it cannot use', () => {
    const flat = new Array<number>(60).fill(100)
    const still: BarRegimeModel = fitBarRegimes(
      { open: flat, high: flat, low: flat, close: flat },
      { regimes: 2, restarts: 1 },
    )
    for (const leaf of [still.drift, still.scale, still.leave, still.moves])
      expect(leaf.data.every(Number.isFinite)).toBe(true)
    expect(() => fitBarRegimes({ open: [1], high: [1], low: [1], close: [1] }, { regimes: 2 })).toThrow(
      '2 regimes need at least 40 bars, got 1',
    )
    expect(() => fitBarRegimes({ ...bars, high: [1] }, { regimes: 2 })).toThrow('as many opens, highs, lows and closes')
    expect(() =>
      fitBarRegimes({ ...bars, close: bars.close.map((c, t) => (t === 7 ? Number.NaN : c)) }, { regimes: 2 }),
    ).toThrow('got row 7')
    expect(() =>
      fitBarRegimes({ ...bars, high: bars.high.map((h, t) => (t === 9 ? bars.low[9]! / 2 : h)) }, { regimes: 2 }),
    ).toThrow('got row 9')
    expect(() => fitBarRegimes(bars, { regimes: 2, signal: AbortSignal.abort(new Error('enough')) })).toThrow('enough')
  })
})

describe('onlineBarRegimes', () => {
  const { bars } = market(700, 'live')
  const model = fitBarRegimes(bars, { regimes: 2, restarts: 2, maxIterations: 30 })
  const bar = (t: number) => ({ open: bars.open[t]!, high: bars.high[t]!, low: bars.low[t]!, close: bars.close[t]! })

  it('follows the batch filter exactly and predicts by the transitions of stages', () => {
    const live = onlineBarRegimes.open({ model })
    const { filtered, predicted, logReturn } = barRegimeFilter(model, bars)
    for (let t = 0; t < 200; t++) {
      if (t > 0) expect(live.predictNext()[0]).toBeCloseTo(predicted[2 * t]!, 12)
      expect(live.predict(bar(t))[0]).toBeCloseTo(filtered[2 * t]!, 12)
      live.update(bar(t))
      expect(live.filtered[0]).toBeCloseTo(filtered[2 * t]!, 12)
      expect(live.logScore).toBeCloseTo(logReturn[t]!, 9)
    }
    // In the long run the shares of two regimes are those of their stays: stages (1 − p) / p + 1 bars, each second stay.
    const stay = Array.from(model.leave.data, (p) => 1 + (2 * (1 - p)) / p)
    expect(live.predictNext(3000)[0]).toBeCloseTo(stay[0]! / (stay[0]! + stay[1]!), 6)
    expect(() => onlineBarRegimes.open({ model: { ...model, kind: 'hmm' as 'bar-regimes' } })).toThrow('fitBarRegimes')
  })

  const stream = Array.from({ length: 16 }, (_, i) => ({ x: bar(55 + i) }))
  testLive('onlineBarRegimes', { factory: onlineBarRegimes, config: { model }, stream })
})
