import { check, createRng, describe, type Rng } from '@regimen/core'
import type { Bars } from '../bars.ts'
import { regimeChain, sampleRegimes } from './chain.ts'
import { calendarTimes, dynamicsOf, gapShareOf, nextVariance, seasonOf } from './dynamics.ts'
import { type MarketEvent, scheduleEvents } from './market-events.ts'
import type { MarketParameters } from './parameters.ts'
import { type PresetName, preset } from './presets.ts'

/** Options of {@link simulate}. */
export interface SimulateOptions {
  /** Number of bars. From 1. */
  bars: number
  /** Same seed, same market. */
  seed: number | string
  /** UTC epoch milliseconds of the first bar's open; the calendar moves it to the next open hour. @default 2000-01-03 */
  start?: number
  /** Events to inject. The true filter does not know of them. @default none */
  events?: readonly MarketEvent[]
}

/** A simulated market with the truth behind it. */
export interface SimulatedMarket {
  /** Bars of the first asset. */
  readonly bars: Bars
  /** Bars of every asset, aligned. */
  readonly assets: readonly Bars[]
  /** Index into `parameters.regimes`, bar by bar. */
  readonly regimes: Uint8Array
  /** True deviation of each bar's log return given the past and the regime, bars × assets, row-major. */
  readonly volatility: Float64Array
  /** Log returns from close to close, bars × assets, row-major. */
  readonly returns: Float64Array
  readonly parameters: MarketParameters
  readonly events: readonly MarketEvent[]
}

/** 2000-01-03 00:00 UTC, a Monday. */
const START = 946_857_600_000

/**
 * Simulates a market whose truth is known: a regime path (Markov, or semi-Markov with its own stays), and for each asset
 * log returns r_t = μ_s + φ_s (r_{t-1} - μ_s) + σ_s √h_t c_t z_t, where s is the regime at t, h a GJR-GARCH(1,1) factor
 * of mean one, c the hour's seasonality and z a Student-t or Gaussian shock of unit variance that a jump may replace.
 * Open, high and low come from a Brownian bridge of the same volatility; volume answers to the size of the return.
 *
 * Use it wherever a method is to be judged against the truth, with {@link trueFilter} as the ceiling; use
 * {@link blockBootstrap} where only real data will do. Presets are frozen: `simulate('equity-daily', …)` gives the same
 * bars in every version.
 *
 * Gotchas: drift is that of the log price, so an asset without drift gains σ²/2 a year on average; the first bar starts
 * in the long-run distribution of regimes and ages.
 *
 * ```ts
 * import { simulate } from '@regimen/market'
 *
 * const market = simulate('equity-daily', { bars: 500, seed: 7 })
 * market.bars.close.length // => 500
 * market.parameters.regimes.length // => 6
 * ```
 *
 * Reference: Hamilton, "A New Approach to the Economic Analysis of Nonstationary Time Series", Econometrica 57 (1989);
 * Glosten, Jagannathan, Runkle, Journal of Finance 48 (1993).
 */
export function simulate(market: PresetName | MarketParameters, options: SimulateOptions): SimulatedMarket {
  const parameters = typeof market === 'string' ? preset(market) : market
  const { bars: n, seed, start = START, events = [] } = options
  check(
    Number.isInteger(n) && n >= 1,
    'market/simulate',
    () => `bars must be a whole number from 1, got ${describe(n)}.`,
  )
  const dynamics = parameters.assets.map((_, a) => dynamicsOf(parameters, a))
  const k = dynamics.length
  const root = createRng(seed)
  const chain = regimeChain(parameters)
  const regimes = sampleRegimes(chain, n, root.split('regimes'))
  const time = calendarTimes(parameters, n, start)
  const plan = scheduleEvents(events, n, parameters.barsPerYear)
  const common = root.split('common')
  const own = parameters.assets.map(({ symbol }) => root.split(`asset/${symbol}`))
  const trace = parameters.assets.map(({ symbol }) => root.split(`bars/${symbol}`))
  const { correlation } = parameters
  const shared = Math.sqrt(correlation)
  const single = Math.sqrt(1 - correlation)
  const columns = parameters.assets.map(() => emptyBars(time, parameters.interval))
  const returns = new Float64Array(n * k)
  const volatility = new Float64Array(n * k)
  const variance = new Float64Array(k).fill(1)
  const before = new Float64Array(k)
  const price = Float64Array.from(parameters.assets, (asset) => asset.price)
  const volumeState = new Float64Array(k)

  for (let t = 0; t < n; t++) {
    const s = regimes[t]!
    const { degrees, jumpRate, jumpMean, jumpDeviation } = dynamics[0]!
    const factor = common.normal()
    // One mixing variable for all assets keeps each one's marginal Student-t and makes extremes joint.
    const mix = degrees === Infinity ? 1 : Math.sqrt((degrees - 2) / (2 * common.gamma(degrees / 2)))
    const jumps = jumpRate > 0 && common.uniform() < jumpRate
    const season = seasonOf(parameters, time[t]!)
    const gapShare = t === 0 ? 0 : gapShareOf(parameters, time[t]!, time[t - 1]!)
    for (let a = 0; a < k; a++) {
      const d = dynamics[a]!
      const normal = shared * factor + single * own[a]!.normal()
      const z = jumps ? jumpMean + jumpDeviation * normal : normal * mix
      const drift = d.drift[s]! + plan.drift[t]!
      const regimeScale = d.scale[s]! * plan.volatility[t]!
      const scale = regimeScale * Math.sqrt(variance[a]!) * season
      const r = drift + (t === 0 ? 0 : d.phi[s]! * (before[a]! - drift)) + scale * z + plan.shock[t]!
      variance[a] = nextVariance(d, variance[a]!, Math.sqrt(variance[a]!) * z)
      returns[t * k + a] = r
      volatility[t * k + a] = scale
      before[a] = r
      price[a] = writeBar(columns[a]!, t, price[a]!, r, scale, gapShare, plan.dip[t]!, trace[a]!)

      const { level, persistence, noise, response } = parameters.volume
      volumeState[a] = persistence * volumeState[a]! + noise * trace[a]!.normal()
      const hour = parameters.seasonality?.volume[Math.floor(time[t]! / 3_600_000) % 24] ?? 1
      columns[a]!.volume[t] = level * hour * Math.exp(volumeState[a]! + response * Math.log1p(Math.abs(r) / d.typical))
    }
  }
  return { bars: columns[0]!, assets: columns, regimes, volatility, returns, parameters, events }
}

type WritableBars = Bars & { readonly volume: Float64Array }

function emptyBars(time: Float64Array, interval: number): WritableBars {
  const column = (): Float64Array => new Float64Array(time.length)
  return { time, open: column(), high: column(), low: column(), close: column(), volume: column(), interval }
}

/** Writes one bar around the return `r` and gives back the close. High and low are those of a Brownian bridge. */
function writeBar(
  bars: WritableBars,
  t: number,
  previous: number,
  r: number,
  scale: number,
  gapShare: number,
  dip: number,
  rng: Rng,
): number {
  const gap = gapShare === 0 ? 0 : gapShare * r + Math.sqrt(gapShare * (1 - gapShare)) * scale * rng.normal()
  const c = r - gap
  const twoVariance = 2 * scale * scale * (1 - gapShare)
  const up = (c + Math.sqrt(c * c - twoVariance * Math.log(1 - rng.uniform()))) / 2
  const down = (c - Math.sqrt(c * c - twoVariance * Math.log(1 - rng.uniform()))) / 2
  const open = previous * Math.exp(gap)
  const close = previous * Math.exp(r)
  bars.open[t] = open
  bars.close[t] = close
  bars.high[t] = Math.max(open, close, open * Math.exp(up))
  bars.low[t] = Math.min(open, close, open * Math.exp(down), dip > 0 ? Math.min(open, close) * (1 - dip) : Infinity)
  return close
}
