import {
  fitMarkovSwitching,
  type MarkovSwitchingModel,
  type MarkovSwitchingOptions,
  switchingFilter,
  switchingForecast,
  switchingStandardErrors,
} from '@regimen/regimes'
import { describe, expect, it } from 'vitest'
import { reference } from './reference.ts'

const full = process.env.REGIMEN_FULL === '1'
const text = reference('statsmodels_markov.json')
const series = text ? (JSON.parse(text) as { [name: string]: (number | null)[] }) : {}
const numbers = (name: string): number[] => (series[name] ?? []) as number[]

function close(actual: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  expected.forEach((value, i) => {
    expect(Math.abs(actual[i]! - value), `${i}: ${actual[i]} and ${value}`).toBeLessThan(
      tolerance * Math.max(1, Math.abs(value)),
    )
  })
}

function withParameters(model: MarkovSwitchingModel, at: readonly number[]): MarkovSwitchingModel {
  expect(at.length).toBe(model.parameters.data.length)
  return { ...model, parameters: { ...model.parameters, data: Float64Array.from(at) } }
}

describe.skipIf(!text)('published values', () => {
  it('Hamilton 1989: GNP, mean-switching AR(4), −181.26339', () => {
    const y = numbers('rgnp')
    const model = fitMarkovSwitching(y, { regimes: 2, order: 4, restarts: full ? 12 : 2 })
    expect(model.logLikelihood).toBeCloseTo(-181.26339, 4)
    close(
      model.parameters.data,
      [0.754673, 0.095915, -0.358811, 1.163516, 0.5913684624037407, 0.013486, -0.057521, -0.246983, -0.212923],
      1e-4,
    )
    const se = switchingStandardErrors(model, y)
    close([se[0]!, se[1]!, se[2]!, se[3]!, se[5]!, se[8]!], [0.0965, 0.0377, 0.2645, 0.0745, 0.12, 0.1105], 2e-3)
  })

  it('fedfunds, switching constant, −508.63592, with its predicted, filtered and smoothed probabilities', () => {
    const y = numbers('fedfunds')
    const model = fitMarkovSwitching(y, { regimes: 2, restarts: 3 })
    expect(model.logLikelihood).toBeCloseTo(-508.63592, 4)
    close(model.parameters.data, [0.9820939, 0.0503587, 3.70877, 9.556793, 4.441817583844001], 1e-4)
    const { predicted, filtered, smoothed, oneStep } = switchingFilter(model, y)
    const rows = (reference('results_predict_fedfunds.csv') ?? '').trim().split('\n').slice(1)
    expect(rows.length).toBe(y.length)
    rows.forEach((row, t) => {
      const [p1, , f1, , s1, , , , yhat] = row.split(',').map(Number)
      close([predicted[2 * t]!, filtered[2 * t]!, smoothed[2 * t]!, oneStep[t]!], [p1!, f1!, s1!, yhat!], 1e-4)
    })
  })

  it('GNP with two switching lags: −179.32354 and the predicted, filtered and smoothed probabilities', () => {
    const y = numbers('rgnp')
    const options = { regimes: 2, order: 2, switchingAutoregression: true }
    const published = [
      0.3812383,
      0.3564492,
      -0.0055216,
      1.195482,
      0.6677098 ** 2,
      0.3710719,
      0.4621503,
      0.7002937,
      -0.3206652,
    ]
    const given = withParameters(fitMarkovSwitching(y, { ...options, restarts: 1 }), published)
    const { predicted, filtered, smoothed, logLikelihood } = switchingFilter(given, y)
    expect(logLikelihood).toBeCloseTo(-179.32354, 4)
    const rows = (reference('results_predict_rgnp.csv') ?? '').split(/\r?\n/).slice(4, 4 + y.length - 2)
    expect(rows.at(-1)).not.toBe('')
    rows.forEach((row, i) => {
      const [p1, , f1, , s1] = row.split(',').map(Number)
      const t = i + 2
      close([predicted[2 * t]!, filtered[2 * t]!, smoothed[2 * t]!], [p1!, f1!, s1!], 1e-5)
    })
    expect(fitMarkovSwitching(y, { ...options, start: published }).logLikelihood).toBeGreaterThan(-179.3236)
  })

  const cases: [string, number, () => [number[], MarkovSwitchingOptions]][] = [
    [
      'fedfunds with its lag',
      -264.71069,
      () => [
        numbers('fedfunds').slice(1),
        { regimes: 2, exogenous: numbers('fedfunds').slice(0, -1), restarts: full ? 12 : 3 },
      ],
    ],
    [
      'areturns with lag and switching variance',
      -745.7977,
      () => [
        numbers('areturns').slice(1),
        { regimes: 2, exogenous: numbers('areturns').slice(0, -1), switchingVariance: true, restarts: full ? 12 : 3 },
      ],
    ],
    [
      'mumpspc without a constant',
      131.7225,
      () => [
        numbers('mumpspc').slice(1),
        {
          regimes: 2,
          exogenous: numbers('mumpspc').slice(0, -1),
          constant: false,
          switchingVariance: true,
          restarts: full ? 12 : 3,
        },
      ],
    ],
  ]
  it.each(cases)('%s, %f', (_, expected, make) => {
    const [y, options] = make()
    expect(fitMarkovSwitching(y, options).logLikelihood).toBeCloseTo(expected, 3)
  })

  const policy = (): [number[], number[][]] => {
    const fed = numbers('fedfunds')
    return [fed.slice(4), fed.slice(4).map((_, t) => [fed[t + 3]!, numbers('ogap')[t + 4]!, numbers('inf')[t + 4]!])]
  }

  it('fedfunds on lag, gap and inflation: two regimes −229.25614', () => {
    const [y, exogenous] = policy()
    expect(fitMarkovSwitching(y, { regimes: 2, exogenous, restarts: full ? 12 : 3 }).logLikelihood).toBeGreaterThan(
      -229.2562,
    )
  })

  it.skipIf(!full)(
    'fedfunds on lag, gap and inflation, three regimes: restarts reach −182.28 (long proof)',
    () => {
      const [y, exogenous] = policy()
      expect(fitMarkovSwitching(y, { regimes: 3, exogenous, restarts: 60 }).logLikelihood).toBeGreaterThan(-182.28)
    },
    600_000,
  )

  it('Filardo: driven transitions, −586.5718', () => {
    const csv = reference('mar_filardo.csv')
    const rows = (csv ?? '')
      .trim()
      .split(/\r\n|\r|\n/)
      .slice(1)
      .map((row) => row.split(',').map(Number))
    const y = rows.slice(1).map((row) => row[0]!)
    const transitionDrivers = rows.slice(0, -1).map((row) => row[1]!)
    const start = [
      4.35941747,
      -1.6493936,
      1.7702123,
      0.9945672,
      0.517298,
      -0.865888,
      Math.exp(-0.362469) ** 2,
      0.189474,
      0.079344,
      0.110944,
      0.122251,
    ]
    // The reference orders its regimes high to low; from its parameters nothing is left to gain.
    const model = fitMarkovSwitching(y, { regimes: 2, order: 4, transitionDrivers, start })
    expect(model.logLikelihood).toBeCloseTo(-586.5718, 3)
    const { filtered, smoothed } = switchingFilter(model, y, { transitionDrivers })
    for (const t of [20, 100, 300]) {
      expect(filtered[2 * t]).toBeCloseTo(rows[t + 1]![4]!, 2)
      expect(smoothed[2 * t]).toBeCloseTo(rows[t + 1]![5]!, 2)
    }
  })

  it('stays finite on the series that underflows', () => {
    const model = fitMarkovSwitching(numbers('gh5380_series'), { regimes: 2, switchingVariance: true, restarts: 3 })
    const beliefs = switchingFilter(model, numbers('gh5380_series'))
    expect([...model.parameters.data, ...beliefs.smoothed].every(Number.isFinite)).toBe(true)
  })
})

describe('Markov switching', () => {
  const y = Array.from({ length: 160 }, (_, t) => Math.sin(t * t) + (t % 40 < 20 ? 0 : 3))

  it('equals the peer on our own series', () => {
    // statsmodels 0.13.5, MarkovRegression(y, 2) with and without switching variance, computed 2026-11-21.
    const plain = fitMarkovSwitching(y, { regimes: 2, restarts: 2 })
    expect(plain.logLikelihood).toBeCloseTo(-201.9547365106905, 6)
    close(plain.parameters.data, [0.95597676, 0.04408302, -0.04134523, 3.06920166, 0.50802315], 1e-5)
    const { filtered, smoothed } = switchingFilter(plain, y)
    close([filtered[0]!, filtered[40]!, filtered[82]!], [0.9999058855, 0.3075829022, 0.9999990337], 1e-4)
    close([smoothed[0]!, smoothed[40]!, smoothed[82]!], [0.9999955892, 0.0200475528, 0.9999999554], 1e-4)
    const wide = fitMarkovSwitching(y, { regimes: 2, restarts: 2, switchingVariance: true })
    expect(wide.logLikelihood).toBeCloseTo(-201.93865950254926, 6)
    // MarkovAutoregression(y, 2, order=1, switching_ar=False) at these parameters.
    const ar = fitMarkovSwitching(y, { regimes: 2, order: 1, restarts: 1 })
    const at = [
      0.4207259558761691, 0.6130982309525643, 1.0309508206315732, 2.3192384865633424, 0.5273988415099501,
      0.8866947927254285,
    ]
    expect(switchingFilter(withParameters(ar, at), y).logLikelihood).toBeCloseTo(-239.1387690382032, 8)
  })

  // Values of fixtures/peers.py at these parameters: statsmodels 0.13.5.
  it('equals the peer with four lags, with lags that switch, and with driven transitions', () => {
    const four = fitMarkovSwitching(y, { regimes: 2, order: 4, start: [0.95, 0.08, 0, 3, 0.6, 0, 0, 0, 0] })
    const at = [0.95, 0.08, 0.1, 2.9, 0.6, 0.2, -0.1, 0.05, 0.1]
    const { filtered, smoothed, logLikelihood } = switchingFilter(withParameters(four, at), y)
    expect(logLikelihood).toBeCloseTo(-207.46715498949987, 8)
    // The peer's rows begin after the four that condition the rest.
    close(
      [4, 44, 86].map((t) => filtered[2 * t]!),
      [0.99830233, 0.99867754, 0.99887867],
      1e-7,
    )
    close(
      [4, 44, 86].map((t) => smoothed[2 * t]!),
      [0.99987772, 0.99985273, 0.99984055],
      1e-7,
    )
    expect(four.logLikelihood).toBeGreaterThan(logLikelihood)
    const everything = fitMarkovSwitching(y, {
      regimes: 2,
      order: 1,
      switchingAutoregression: true,
      switchingVariance: true,
      restarts: 1,
    })
    const wide = withParameters(everything, [0.95, 0.08, 0.1, 2.9, 0.4, 0.7, 0.2, -0.1])
    expect(switchingFilter(wide, y).logLikelihood).toBeCloseTo(-213.4225097914515, 8)
    const transitionDrivers = y.map((_, t) => Math.cos(t / 7))
    const driven = fitMarkovSwitching(y, {
      regimes: 2,
      order: 1,
      transitionDrivers,
      start: [2, -2.5, 0.7, -0.4, 0.1, 2.9, 0.6, 0.2],
    })
    const there = withParameters(driven, [2, -2.5, 0.7, -0.4, 0.1, 2.9, 0.6, 0.2])
    expect(switchingFilter(there, y, { transitionDrivers }).logLikelihood).toBeCloseTo(-211.10059328474034, 8)
    expect(driven.logLikelihood).toBeGreaterThan(-211.1006)
  })

  it('reaches the peer’s maxima with a lag and with three regimes', () => {
    const [after, before] = [y.slice(1), y.slice(0, -1)]
    const lag = fitMarkovSwitching(after, { regimes: 2, exogenous: before, restarts: 3 })
    expect(lag.logLikelihood).toBeCloseTo(-199.35531971536727, 5)
    close(lag.parameters.data.subarray(2), [-0.03050801, 2.92877238, -0.16168587, 0.04788952, 0.49767073], 1e-3)
    const wide = fitMarkovSwitching(after, { regimes: 2, exogenous: before, restarts: 3, switchingVariance: true })
    expect(wide.logLikelihood).toBeCloseTo(-199.2976608593769, 5)
    const three = Array.from({ length: 180 }, (_, t) => Math.sin(t * t) + [0, 3, 7][Math.floor(t / 20) % 3]!)
    const exogenous = three.map((_, t) => Math.cos(3 * t))
    const model = fitMarkovSwitching(three, { regimes: 3, exogenous, restarts: 4 })
    // The best of statsmodels' 40 random starts.
    expect(model.logLikelihood).toBeGreaterThan(-221.0844)
  })

  it('stays finite where every density underflows', () => {
    const far = y.map((value, t) => (t === 70 ? 1e8 : t === 71 ? -1e8 : value))
    const model = fitMarkovSwitching(y, { regimes: 2, restarts: 1, switchingVariance: true })
    const { filtered, smoothed, logLikelihood } = switchingFilter(model, far)
    expect([logLikelihood, ...filtered, ...smoothed].every(Number.isFinite)).toBe(true)
  })

  it('equals the sum over all paths of regimes (order 1, 2^6 paths)', () => {
    const model = fitMarkovSwitching(y, { regimes: 2, order: 1, restarts: 2 })
    const [p00, p10, m0, m1, v, phi] = model.parameters.data
    const a = [
      [p00!, 1 - p00!],
      [p10!, 1 - p10!],
    ]
    const pi = [p10! / (1 - p00! + p10!), (1 - p00!) / (1 - p00! + p10!)]
    const m = [m0!, m1!]
    const short = y.slice(17, 23)
    let total = 0
    for (let code = 0; code < 64; code++) {
      const s = Array.from({ length: 6 }, (_, t) => (code >> t) & 1)
      let p = pi[s[0]!]!
      for (let t = 1; t < 6; t++) {
        const e = short[t]! - m[s[t]!]! - phi! * (short[t - 1]! - m[s[t - 1]!]!)
        p *= (a[s[t - 1]!]![s[t]!]! * Math.exp((-0.5 * e * e) / v!)) / Math.sqrt(2 * Math.PI * v!)
      }
      total += p
    }
    expect(switchingFilter(model, short).logLikelihood).toBeCloseTo(Math.log(total), 9)
  })

  it('forecasts by running the chain forward', () => {
    const model = fitMarkovSwitching(y, { regimes: 2, restarts: 2 })
    const [p00, p10, m0, m1, v] = model.parameters.data
    const { filtered } = switchingFilter(model, y)
    let p = filtered.at(-2)!
    const { mean, variance, probabilities } = switchingForecast(model, y, 4)
    for (let h = 0; h < 4; h++) {
      p = p * p00! + (1 - p) * p10!
      expect(probabilities[2 * h]).toBeCloseTo(p, 10)
      expect(mean[h]).toBeCloseTo(p * m0! + (1 - p) * m1!, 10)
      expect(variance[h]).toBeCloseTo(v! + p * (1 - p) * (m1! - m0!) ** 2, 9)
    }
    // One step ahead the forecast is the filter's own prediction of a further row.
    const longer = switchingFilter(model, [...y, 0])
    expect(mean[0]).toBeCloseTo(longer.oneStep.at(-1)!, 10)
    const ar = fitMarkovSwitching(y, { regimes: 2, order: 2, restarts: 2 })
    expect(switchingForecast(ar, y, 2).mean[0]).toBeCloseTo(switchingFilter(ar, [...y, 0]).oneStep.at(-1)!, 9)
  })

  it('forecasts with switching lags and variances as the sum over all paths of regimes', () => {
    // Five rows and three to come: on each of the 2^8 paths the deviation u follows u' = φ₁ u + φ₂ u₋₁ + σ ε with the path's numbers, so
    // its mean and variance are known; the paths mix by probability.
    const fitted = fitMarkovSwitching(y, {
      regimes: 2,
      order: 2,
      switchingAutoregression: true,
      switchingVariance: true,
      restarts: 1,
    })
    const [p00, p10, m0, m1, v0, v1, f0, f1, g0, g1] = [0.9, 0.2, 0.1, 2.9, 0.4, 0.9, 0.5, -0.3, 0.2, 0.3] as const
    const model = withParameters(fitted, [p00, p10, m0, m1, v0, v1, f0, f1, g0, g1])
    expect(model.names.slice(4)).toEqual(['variance[0]', 'variance[1]', 'ar1[0]', 'ar1[1]', 'ar2[0]', 'ar2[1]'])
    const a = [
      [p00, 1 - p00],
      [p10, 1 - p10],
    ]
    const [m, v, f, g] = [
      [m0, m1],
      [v0, v1],
      [f0, f1],
      [g0, g1],
    ] as const
    const rows = y.slice(17, 22)
    const h = 3
    let total = 0
    const [mean, square, first] = [new Float64Array(h), new Float64Array(h), new Float64Array(h)]
    for (let code = 0; code < 2 ** 8; code++) {
      const s = Array.from({ length: 8 }, (_, t) => (code >> t) & 1)
      let p = s[0] === 0 ? p10 / (1 - p00 + p10) : (1 - p00) / (1 - p00 + p10)
      for (let t = 1; t < 8; t++) p *= a[s[t - 1]!]![s[t]!]!
      const u = rows.map((value, t) => value - m[s[t]!]!)
      for (let t = 2; t < 5; t++) {
        const e = u[t]! - f[s[t]!]! * u[t - 1]! - g[s[t]!]! * u[t - 2]!
        p *= Math.exp((-0.5 * e * e) / v[s[t]!]!) / Math.sqrt(2 * Math.PI * v[s[t]!]!)
      }
      total += p
      // Mean of u, and its variance and covariance with the row before.
      let [now, before, spread, old, shared] = [u[4]!, u[3]!, 0, 0, 0]
      for (let i = 0; i < h; i++) {
        const j = s[5 + i]!
        const next = f[j]! * now + g[j]! * before
        const grown = f[j]! ** 2 * spread + g[j]! ** 2 * old + 2 * f[j]! * g[j]! * shared + v[j]!
        const across = f[j]! * spread + g[j]! * shared
        ;[now, before, spread, old, shared] = [next, now, grown, spread, across]
        mean[i]! += p * (m[j]! + now)
        square[i]! += p * ((m[j]! + now) ** 2 + spread)
        if (j === 0) first[i]! += p
      }
    }
    const forecast = switchingForecast(model, rows, h)
    for (let i = 0; i < h; i++) {
      expect(forecast.probabilities[2 * i]).toBeCloseTo(first[i]! / total, 10)
      expect(forecast.mean[i]).toBeCloseTo(mean[i]! / total, 10)
      expect(forecast.variance[i]).toBeCloseTo(square[i]! / total - (mean[i]! / total) ** 2, 9)
    }
  })

  it('refuses what it cannot use', () => {
    expect(() => fitMarkovSwitching(y, { regimes: 1 })).toThrow('regimes must be an integer from 2 to 8, got 1')
    expect(() => fitMarkovSwitching([1, Number.NaN], { regimes: 2 })).toThrow('must be finite')
    expect(() => fitMarkovSwitching(y, { regimes: 2, exogenous: [1, 2] })).toThrow(
      '160 rows need as many rows of inputs',
    )
  })
})
