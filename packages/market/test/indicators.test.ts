import { createRng } from '@regimen/core'
import { expect, test } from 'vitest'
import { rsi } from '../src/features/oscillators.ts'
import { emaAt } from '../src/features/window.ts'
import { createBars, featureSet } from '../src/index.ts'

const MIN = 60_000

/** Prices at the end, after enough bars of `before` for every feature to be warm. */
function table(
  ends: { open?: number[]; high?: number[]; low?: number[]; close: number[]; volume?: number[] },
  before = ends.close[0]!,
) {
  const pad = 400
  const fill = (values: number[] | undefined, first: number) => [
    ...new Array(pad).fill(first),
    ...(values ?? ends.close),
  ]
  const close = fill(ends.close, before)
  const bars = createBars({
    time: close.map((_, i) => i * MIN),
    open: fill(ends.open, before),
    high: fill(ends.high, before),
    low: fill(ends.low, before),
    close,
    volume: [...new Array(pad).fill(0), ...(ends.volume ?? ends.close.map(() => 0))],
  })
  const { columns, names } = featureSet({ timeframes: ['1m'] }).batch(bars)
  return (name: string, back = 0) => columns[names.indexOf(`1m.${name}`)]!.at(-1 - back)!
}

test('the exponential average by hand', () => {
  // n = 2, α = 1/2 over 4 values 1 2 4 8: seed 1.5; 1.5 + (4 - 1.5)/2 = 2.75; 2.75 + (8 - 2.75)/2 = 5.375.
  expect(emaAt(Float64Array.of(1, 2, 4, 8), 3, 2, 0.5, 4)).toBe(5.375)
})

test("Wilder's RSI: the published 14-day example", () => {
  // The usual worked example of RSI(14): its first four values are 70.53, 66.32, 66.55, 69.41.
  const closes = [
    44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.1, 45.42, 45.84, 46.08, 45.89, 46.03, 45.61, 46.28, 46.28, 46.0, 46.03,
    46.41,
  ]
  const changes = closes.slice(1).map((price, i) => price - closes[i]!)
  const published = [70.53, 66.32, 66.55, 69.41]
  for (let k = 0; k < 4; k++) {
    // A window that begins at the example's first change is Wilder's recursion from its seed.
    const w = 14 + k
    const gains = Float64Array.from(changes.slice(0, w), (d) => Math.max(d, 0))
    const losses = Float64Array.from(changes.slice(0, w), (d) => Math.max(-d, 0))
    const up = emaAt(gains, w - 1, 14, 1 / 14, w)
    const down = emaAt(losses, w - 1, 14, 1 / 14, w)
    // The closes are published to two decimals, so the index is good to about 0.1.
    expect(Math.abs((100 * up) / (up + down) - published[k]!)).toBeLessThan(0.1)
  }
  expect(rsi.features.map((feature) => feature.name)).toEqual(['rsi_7', 'rsi_14'])
})

test('RSI by hand: a window of changes that alternate +2, -1', () => {
  const closes = Array.from({ length: 400 }, (_, i) => 100 + Math.ceil(i / 2) * 2 - Math.floor(i / 2))
  const value = table({ close: closes }, closes[0])('rsi_14')
  // At the last bar (index 399, a rise): Wilder averages in the steady state alternate. With r = 13/14 the gain series is
  // 2, 0, 2, 0, …: G = (2/14) / (1 - r²); losses lag by one: L = (1/14) r / (1 - r²). So RSI = 100 · 2 / (2 + r).
  expect(value).toBeCloseTo((100 * 2) / (2 + 13 / 14), 1)
})

test('returns and gap', () => {
  const get = table({ open: [100, 104], high: [110, 121], low: [100, 104], close: [110, 121] }, 100)
  expect(get('ret_1')).toBeCloseTo(Math.log(1.1), 14)
  for (const k of [5, 10, 20, 60]) expect(get(`ret_${k}`)).toBeCloseTo(Math.log(1.21), 14)
  expect(get('gap')).toBeCloseTo(Math.log(104 / 110), 14)
})

test('one moving bar in a flat window: every volatility by its formula', () => {
  const get = table({ open: [100], high: [112], low: [96], close: [108] }, 100)
  const hl = Math.log(112 / 96)
  const co = Math.log(1.08)
  // One term of 20, the others are 0.
  expect(get('vol_20')).toBeCloseTo(Math.sqrt(co ** 2 / 20), 14)
  expect(get('vol_60')).toBeCloseTo(Math.sqrt(co ** 2 / 60), 14)
  expect(get('volRatio_10_60')).toBeCloseTo(0.5 * Math.log(60 / 10), 12)
  expect(get('parkinson_20')).toBeCloseTo(Math.sqrt(hl ** 2 / (20 * 4 * Math.LN2)), 14)
  expect(get('garmanKlass_20')).toBeCloseTo(Math.sqrt((0.5 * hl ** 2 - (2 * Math.LN2 - 1) * co ** 2) / 20), 14)
  // Yang-Zhang: no overnight move; the sample variance of one value a among 19 zeros is a²/20; Rogers-Satchell has one term.
  const rs = Math.log(112 / 108) * Math.log(1.12) + Math.log(96 / 108) * Math.log(0.96)
  const k = 0.34 / (1.34 + 21 / 19)
  expect(get('yangZhang_20')).toBeCloseTo(Math.sqrt((k * co ** 2) / 20 + ((1 - k) * rs) / 20), 14)
})

test('ATR, DI and ADX after one jump from rest', () => {
  const get = table({ open: [100], high: [112], low: [100], close: [108] }, 100)
  // True range 12 once: Wilder's average is 12/14. All directional movement is up: +DI − −DI = 100, DX = 100 once, ADX = 100/14.
  expect(get('atr_14')).toBeCloseTo(12 / 14 / 108, 14)
  expect(get('diSpread_14')).toBeCloseTo(100, 10)
  expect(get('adx_14')).toBeCloseTo(100 / 14, 10)
})

test('the true range reaches back to the close before a gap', () => {
  const get = table({ open: [120], high: [122], low: [119], close: [121] }, 100)
  expect(get('atr_14')).toBeCloseTo(22 / 14 / 121, 14)
})

test('averages, MACD and bands after one step from rest', () => {
  const get = table({ close: [127] }, 100)
  expect(get('smaDistance_20')).toBeCloseTo(Math.log(127 / 101.35), 13)
  for (const n of [10, 50, 100]) {
    expect(get(`smaDistance_${n}`)).toBeCloseTo(Math.log(127 / (100 + 27 / n)), 13)
  }
  expect(get('smaSlope_50')).toBeCloseTo(Math.log(100.54 / 100) / 5, 13)
  expect(get('smaSlope_20')).toBeCloseTo(Math.log(101.35 / 100) / 5, 13)
  // EMA: 100 + 2/(n+1) · 27.
  expect(get('emaDistance_12')).toBeCloseTo(Math.log(127 / (100 + 54 / 13)), 12)
  expect(get('emaSlope_12')).toBeCloseTo(Math.log(1 + 0.54 / 13), 12)
  expect(get('emaDistance_26')).toBeCloseTo(Math.log(127 / 102), 12)
  expect(get('emaSlope_26')).toBeCloseTo(Math.log(102 / 100), 12)
  const macd = 27 * (2 / 13 - 2 / 27)
  expect(get('macd')).toBeCloseTo(macd / 127, 12)
  expect(get('macdSignal')).toBeCloseTo((0.2 * macd) / 127, 12)
  expect(get('macdHistogram')).toBeCloseTo((0.8 * macd) / 127, 12)
  // 19 closes of 100 and one of 127: mean 101.35, variance 27² · (1/20)(19/20).
  const sigma = 27 * Math.sqrt(19 / 400)
  expect(get('bollinger_20')).toBeCloseTo((127 - 101.35) / (4 * sigma) + 0.5, 12)
  expect(get('bollingerWidth_20')).toBeCloseTo((4 * sigma) / 101.35, 12)
})

test('stochastic, range position and drawdown', () => {
  const get = table({ open: [100, 100, 100], high: [110, 100, 106], low: [100, 90, 100], close: [100, 95, 105] }, 100)
  // Low 90, high 110: (105 − 90) / 20 = 75 %; the bar before 25 %; the bar before that (100 − 100) / 10 = 0.
  expect(get('stochK_14')).toBeCloseTo(75, 12)
  expect(get('stochD_14_3')).toBeCloseTo(100 / 3, 12)
  expect(get('rangePosition_20')).toBeCloseTo(0.75, 14)
  expect(get('rangePosition_60')).toBeCloseTo(0.75, 14)
  expect(get('drawdown_250', 1)).toBeCloseTo(Math.log(0.95), 14)
  expect(get('drawdown_60', 1)).toBeCloseTo(Math.log(0.95), 14)
  expect(get('drawdown_60')).toBe(0)
})

test('volume: OBV, MFI, VWAP and z-score', () => {
  const get = table({ close: [102, 101, 103], volume: [10, 30, 20] }, 100)
  // +10 − 30 + 20 of 60.
  expect(get('obvChange_20')).toBeCloseTo(0, 14)
  expect(get('obvChange_20', 1)).toBeCloseTo(-20 / 40, 14)
  const [up, down] = [10 * 102 + 20 * 103, 30 * 101]
  expect(get('mfi_14')).toBeCloseTo((100 * up) / (up + down), 10)
  expect(get('vwapDistance_20')).toBeCloseTo(Math.log(103 / ((up + down) / 60)), 13)
  // 17 zeros, 10, 30, 20: mean 3, mean square 70, σ = √61.
  // 57 zeros: mean 1, mean square 70/3.
  expect(get('volumeZ_60')).toBeCloseTo(19 / Math.sqrt(70 / 3 - 1), 12)
  expect(get('volumeZ_20')).toBeCloseTo(17 / Math.sqrt(61), 12)
})

test('candle shape, efficiency and share of rises', () => {
  const get = table({ open: [100, 104], high: [110, 106], low: [98, 96], close: [104, 102] }, 100)
  expect([get('body'), get('upperShadow'), get('lowerShadow')]).toEqual([-0.2, 0.2, 0.6])
  const [up, down] = [Math.log(1.04), Math.log(104 / 102)]
  expect(get('efficiency_20')).toBeCloseTo(Math.log(1.02) / (up + down), 12)
  expect(get('upShare_20')).toBe(0.5)
})

test('skew and kurtosis of one return among zeros', () => {
  // p = 1/60: skewness (1 − 2p)/√(p(1 − p)), excess kurtosis (1 − 6p(1 − p))/(p(1 − p)) of a Bernoulli variable.
  const get = table({ close: [101] }, 100)
  const pq = (1 / 60) * (59 / 60)
  expect(get('skew_60')).toBeCloseTo((1 - 2 / 60) / Math.sqrt(pq), 9)
  expect(get('kurtosis_60')).toBeCloseTo((1 - 6 * pq) / pq, 8)
})

test('memory: alternating prices', () => {
  const get = table({ close: Array.from({ length: 300 }, (_, i) => (i % 2 ? 101 : 100)) }, 100)
  // Returns alternate ±a with mean 0: 49 products −a², 45 products −a² over 50 a².
  expect(get('autocorr_1')).toBeCloseTo(-49 / 50, 12)
  expect(get('autocorr_5')).toBeCloseTo(-45 / 50, 12)
  // The series always comes back: moves over even lags are zero, so the exponent is held at 0.
  expect(get('hurst_128')).toBe(0)
  // Triples alternate between 100 101 100 and 101 100 101: two equally frequent patterns of six.
  expect(get('entropy_60')).toBeCloseTo(Math.log(2) / Math.log(6), 12)
})

test('Hurst: a straight line has 1, a random walk about one half', () => {
  expect(table({ close: Array.from({ length: 300 }, (_, i) => 1.001 ** i) }, 1)('hurst_128')).toBeCloseTo(1, 9)
  const rng = createRng(9)
  let sum = 0
  for (let k = 0; k < 20; k++) {
    let price = 100
    sum += table(
      { close: Array.from({ length: 200 }, () => (price *= Math.exp(0.01 * rng.normal()))) },
      100,
    )('hurst_128')
  }
  // A window of 128 has a standard deviation of about 0.1, so the mean of 20 has 0.022; the estimator is biased a little down.
  expect(Math.abs(sum / 20 - 0.5)).toBeLessThan(0.09)
})

test('season: quarters of the day, the week, the month and the quarter', () => {
  const at = (iso: string) => {
    const one = [1]
    const { columns, names } = featureSet({ timeframes: ['1h'], volume: false }).batch(
      createBars({ time: [Date.parse(iso)], open: one, high: one, low: one, close: one, interval: '1h' }),
    )
    return (name: string) => Number(columns[names.indexOf(`1h.${name}`)]![0]!.toFixed(12)) + 0
  }
  // Monday 2024-01-01 06:00: a quarter of the day, and the start of week, month and quarter.
  const start = at('2024-01-01T06:00Z')
  expect(
    ['hourSin', 'hourCos', 'weekdaySin', 'weekdayCos', 'monthSin', 'monthCos', 'quarterSin', 'quarterCos'].map(start),
  ).toEqual([1, 0, 0, 1, 0, 1, 0, 1])
  // 2023-04-16: 15 of the 30 days of April are over.
  const half = at('2023-04-16T00:00Z')
  expect([half('monthSin'), half('monthCos')]).toEqual([0, -1])
})

test('relations of one minute to five minutes: a rise by 21 four minutes ago and a fall by 11 now', () => {
  const flat = 1_600
  const relation = (wick: boolean) => {
    const close = [...new Array(flat).fill(100), 121, 121, 121, 121, 110]
    const open = close.map((_, i) => (i === 0 ? 100 : close[i - 1]!))
    const bars = createBars({
      time: close.map((_, i) => i * MIN),
      open,
      high: close.map((c, i) => (wick && i === flat - 30 ? 131 : Math.max(c, open[i]!))),
      low: close.map((c, i) => Math.min(c, open[i]!)),
      close,
    })
    const { columns, names } = featureSet({ timeframes: ['1m', '5m'], volume: false }).batch(bars)
    return (name: string, back = 0) => columns[names.indexOf(`1m/5m.${name}`)]!.at(-1 - back)!
  }
  const get = relation(false)
  const r = 13 / 14
  expect(get('trendAgreement')).toBe(1)
  // With b = ln 1.1 the fast returns are 2b and −b, the slow one is b: √(5b²/20) · √5 over √(b²/20).
  expect(get('volatilityRatio')).toBeCloseTo(Math.log(5), 12)
  // The move b in units of √20 times its own volatility: b / (√5 b) and b / b.
  expect(get('momentumSpread')).toBeCloseTo(1 / Math.sqrt(5) - 1, 12)
  // Wilder averages of the gain 21, four bars old, and of the loss 11; the slow bar only rose.
  expect(get('rsiSpread')).toBeCloseTo((100 * 21 * r ** 4) / (21 * r ** 4 + 11) - 100, 10)
  // DX is 100 while only the rise counts, four bars, then |+DI − −DI| / (+DI + −DI); the slow bar has 100 once.
  const dx = (100 * Math.abs(21 * r ** 4 - 11)) / (21 * r ** 4 + 11)
  expect(get('adxSpread')).toBeCloseTo((100 * (r + r ** 2 + r ** 3 + r ** 4) + dx - 100) / 14, 10)
  expect(get('slowSmaDistance')).toBeCloseTo(Math.log(110 / 100.5), 13)
  expect(get('sinceSlowClose')).toBe(0)
  expect(get('sinceSlowClose', 1)).toBeCloseTo(Math.log(1.21), 13)
  // A wick 35 minutes ago lies within 20 slow bars and beyond 20 fast ones: 10 of 21 against 10 of 31.
  expect(relation(true)('rangePositionSpread')).toBeCloseTo(10 / 21 - 10 / 31, 13)
})
