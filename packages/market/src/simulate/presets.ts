import { check, describe } from '@regimen/core'
import type { MarketParameters, RegimeParameters } from './parameters.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** The six regimes in the order that every regime preset uses. */
export const REGIMES: readonly string[] = [
  'bull-low',
  'bull-high',
  'sideways-low',
  'sideways-high',
  'bear-low',
  'bear-high',
]

/** Where each of the six regimes goes when it ends. Calm follows calm, fear follows fear, recoveries start volatile. */
const TRANSITIONS: readonly (readonly number[])[] = [
  [0, 0.25, 0.4, 0.05, 0.2, 0.1],
  [0.45, 0, 0.1, 0.25, 0.05, 0.15],
  [0.5, 0.1, 0, 0.1, 0.25, 0.05],
  [0.1, 0.35, 0.2, 0, 0.05, 0.3],
  [0.2, 0.1, 0.3, 0.1, 0, 0.3],
  [0.05, 0.4, 0.05, 0.4, 0.1, 0],
]

/** Rows of drift, volatility (both annual), autoregression and mean stay in bars, in the order of {@link REGIMES}. */
type RegimeTable = readonly (readonly [drift: number, volatility: number, phi: number, duration: number])[]

function regimes(table: RegimeTable): RegimeParameters[] {
  return table.map(([drift, volatility, autoregression, duration], s) => ({
    name: REGIMES[s]!,
    drift,
    volatility,
    autoregression,
    duration,
  }))
}

const EQUITY: RegimeTable = [
  [0.21, 0.1, 0.04, 120],
  [0.27, 0.21, 0.03, 45],
  [0.02, 0.09, -0.05, 60],
  [0, 0.22, -0.06, 35],
  [-0.2, 0.14, 0.04, 45],
  [-0.54, 0.34, 0.03, 30],
]
const FOREX: RegimeTable = [
  [0.13, 0.065, 0.05, 130],
  [0.2, 0.11, 0.04, 65],
  [0, 0.05, -0.05, 60],
  [0, 0.1, -0.06, 35],
  [-0.13, 0.065, 0.05, 130],
  [-0.22, 0.12, 0.04, 65],
]
const COMMODITY: RegimeTable = [
  [0.32, 0.15, 0.04, 120],
  [0.5, 0.28, 0.04, 60],
  [0, 0.12, -0.04, 60],
  [0, 0.25, -0.06, 35],
  [-0.32, 0.16, 0.04, 100],
  [-0.7, 0.33, 0.04, 55],
]
const CRYPTO: RegimeTable = [
  [0.9, 0.38, 0.04, 110],
  [1.8, 0.75, 0.04, 60],
  [0, 0.3, -0.04, 60],
  [0, 0.6, -0.06, 35],
  [-0.75, 0.4, 0.04, 80],
  [-2.0, 0.85, 0.04, 45],
]

/** U-shaped trading day of an exchange that is open from 14 to 21 UTC. */
const SESSION_VOLATILITY = hours((h) => (h === 14 ? 1.35 : h === 20 ? 1.1 : h === 15 ? 1.05 : 0.85))
const SESSION_VOLUME = hours((h) => (h === 14 ? 1.6 : h === 20 ? 1.5 : 0.78))
/** Round-the-clock market that wakes with London and New York. */
const GLOBAL_VOLATILITY = hours((h) => (h >= 12 && h < 17 ? 1.35 : h >= 7 && h < 12 ? 1.1 : 0.8))
const GLOBAL_VOLUME = hours((h) => (h >= 12 && h < 17 ? 1.7 : h >= 7 && h < 12 ? 1.2 : 0.6))

function hours(shape: (hour: number) => number): number[] {
  return Array.from({ length: 24 }, (_, h) => shape(h))
}

/**
 * The same market on shorter bars. Shorter bars show their regime sooner, so the drifts are scaled to keep the ceiling
 * where it belongs; an hour's echo is fainter than a day's.
 */
function stretch(table: RegimeTable, barsPerDay: number, drifts: number, echo: number): RegimeTable {
  return table.map(([drift, volatility, autoregression, stay]) => [
    drift * drifts,
    volatility,
    autoregression * echo,
    stay * barsPerDay,
  ])
}

const SIX = { transitions: TRANSITIONS, correlation: 0, overnight: 0 } as const
const VOLUME = { level: 1_000_000, persistence: 0.7, noise: 0.25, response: 0.5 } as const
const one = (symbol: string, price: number): MarketParameters['assets'] => [
  { symbol, price, volatilityScale: 1, driftScale: 1 },
]

const equityDaily: MarketParameters = {
  ...SIX,
  name: 'equity-daily',
  interval: DAY,
  barsPerYear: 261,
  calendar: { kind: 'weekdays' },
  regimes: regimes(EQUITY),
  durationShape: 2,
  innovations: {
    degreesOfFreedom: 6,
    garch: { alpha: 0.03, beta: 0.88, gamma: 0.07, cap: 16 },
    jumps: { perYear: 1.5, mean: -1, deviation: 3 },
  },
  overnight: 0.25,
  volume: VOLUME,
  assets: one('EQUITY', 100),
  costs: { commission: 0.0002, spread: 0.0002, slippage: 0.0001, borrowRate: 0.005 },
}
const forexDaily: MarketParameters = {
  ...SIX,
  name: 'forex-daily',
  interval: DAY,
  barsPerYear: 261,
  calendar: { kind: 'weekdays' },
  regimes: regimes(FOREX),
  durationShape: 1,
  innovations: {
    degreesOfFreedom: 7,
    garch: { alpha: 0.03, beta: 0.91, gamma: 0.03, cap: 16 },
    jumps: { perYear: 1, mean: -0.5, deviation: 3 },
  },
  volume: VOLUME,
  assets: one('FOREX', 1.2),
  costs: { spread: 0.0001, slippage: 0.00005, borrowRate: 0.002 },
}
const commodityDaily: MarketParameters = {
  ...SIX,
  name: 'commodity-daily',
  interval: DAY,
  barsPerYear: 261,
  calendar: { kind: 'weekdays' },
  regimes: regimes(COMMODITY),
  durationShape: 2,
  innovations: {
    degreesOfFreedom: 6,
    garch: { alpha: 0.04, beta: 0.9, gamma: 0.03, cap: 16 },
    jumps: { perYear: 1.5, mean: -0.5, deviation: 3 },
  },
  overnight: 0.15,
  volume: VOLUME,
  assets: one('COMMODITY', 60),
  costs: { commission: 0.0001, spread: 0.0004, slippage: 0.0001, borrowRate: 0.003 },
}
const cryptoDaily: MarketParameters = {
  ...SIX,
  name: 'crypto-daily',
  interval: DAY,
  barsPerYear: 365.25,
  calendar: { kind: 'continuous' },
  regimes: regimes(CRYPTO),
  durationShape: 2,
  innovations: {
    degreesOfFreedom: 5,
    garch: { alpha: 0.06, beta: 0.86, gamma: 0.04, cap: 16 },
    jumps: { perYear: 3, mean: -0.7, deviation: 3 },
  },
  volume: VOLUME,
  assets: one('CRYPTO', 20_000),
  costs: { commission: 0.001, spread: 0.0004, slippage: 0.0002, borrowRate: 0.05 },
}

const PRESETS: { readonly [name in PresetName]: MarketParameters } = {
  'equity-daily': equityDaily,
  'forex-daily': forexDaily,
  'commodity-daily': commodityDaily,
  'crypto-daily': cryptoDaily,
  'equity-hourly': {
    ...equityDaily,
    name: 'equity-hourly',
    interval: HOUR,
    barsPerYear: 261 * 7,
    calendar: { kind: 'session', openHour: 14, hours: 7 },
    regimes: regimes(stretch(EQUITY, 7, 0.75, 0.2)),
    overnight: 0.5,
    seasonality: { volatility: SESSION_VOLATILITY, volume: SESSION_VOLUME },
    volume: { ...VOLUME, level: 140_000 },
  },
  'forex-hourly': {
    ...forexDaily,
    name: 'forex-hourly',
    interval: HOUR,
    barsPerYear: 261 * 24,
    regimes: regimes(stretch(FOREX, 24, 1, 0.05)),
    seasonality: { volatility: GLOBAL_VOLATILITY, volume: GLOBAL_VOLUME },
    volume: { ...VOLUME, level: 40_000 },
  },
  'commodity-hourly': {
    ...commodityDaily,
    name: 'commodity-hourly',
    interval: HOUR,
    barsPerYear: 261 * 24,
    regimes: regimes(stretch(COMMODITY, 24, 0.95, 0.05)),
    overnight: 0,
    seasonality: { volatility: GLOBAL_VOLATILITY, volume: GLOBAL_VOLUME },
    volume: { ...VOLUME, level: 40_000 },
  },
  'crypto-hourly': {
    ...cryptoDaily,
    name: 'crypto-hourly',
    interval: HOUR,
    barsPerYear: 365.25 * 24,
    regimes: regimes(stretch(CRYPTO, 24, 0.65, 0.05)),
    seasonality: { volatility: GLOBAL_VOLATILITY, volume: GLOBAL_VOLUME },
    volume: { ...VOLUME, level: 40_000 },
  },
  /** Three correlated equities that share their regimes. */
  'equity-basket-daily': {
    ...equityDaily,
    name: 'equity-basket-daily',
    assets: [
      { symbol: 'BROAD', price: 100, volatilityScale: 1, driftScale: 1 },
      { symbol: 'GROWTH', price: 60, volatilityScale: 1.4, driftScale: 1.3 },
      { symbol: 'STEADY', price: 40, volatilityScale: 0.8, driftScale: 0.7 },
    ],
    correlation: 0.6,
  },
  /** One regime, clustered volatility, a premium and nothing to time: a method that finds regimes here is wrong. */
  'no-regimes-daily': {
    ...equityDaily,
    name: 'no-regimes-daily',
    regimes: [{ name: 'only', drift: 0.05, volatility: 0.17, autoregression: 0, duration: 1 }],
    transitions: [],
    durationShape: 1,
  },
  /** One regime and Gaussian shocks without drift: a random walk. */
  'random-walk': {
    ...equityDaily,
    name: 'random-walk',
    regimes: [{ name: 'only', drift: 0, volatility: 0.16, autoregression: 0, duration: 1 }],
    transitions: [],
    durationShape: 1,
    innovations: {},
    overnight: 0,
  },
  /** Three Gaussian regimes that a person could tell apart by eye: for tests, not for judging methods. */
  separable: {
    ...equityDaily,
    name: 'separable',
    regimes: [
      { name: 'bull-low', drift: 1.2, volatility: 0.08, autoregression: 0, duration: 100 },
      { name: 'sideways-low', drift: 0, volatility: 0.25, autoregression: 0, duration: 100 },
      { name: 'bear-high', drift: -2.5, volatility: 0.7, autoregression: 0, duration: 100 },
    ],
    transitions: [
      [0, 0.5, 0.5],
      [0.5, 0, 0.5],
      [0.5, 0.5, 0],
    ],
    durationShape: 1,
    innovations: {},
    overnight: 0,
  },
}

/** Name of a frozen preset. */
export type PresetName =
  | 'equity-daily'
  | 'forex-daily'
  | 'commodity-daily'
  | 'crypto-daily'
  | 'equity-hourly'
  | 'forex-hourly'
  | 'commodity-hourly'
  | 'crypto-hourly'
  | 'equity-basket-daily'
  | 'no-regimes-daily'
  | 'random-walk'
  | 'separable'

/** Names of all presets. */
export const presetNames: readonly PresetName[] = /* @__PURE__ */ Object.keys(PRESETS) as PresetName[]

/**
 * Returns the ground truth of a frozen preset: `equity`, `forex`, `commodity` and `crypto`, each `-daily` and `-hourly`,
 * with six regimes; `equity-basket-daily` with three correlated assets; `no-regimes-daily` and `random-walk`, where
 * there is nothing to find; `separable`, three Gaussian regimes for tests. The regime presets are calibrated so that a
 * strategy that filters with these very parameters earns an annual Sharpe ratio of 0.8 to 1.5 after costs: a method
 * that claims more has looked ahead. They never change, so figures stay comparable between versions.
 *
 * To vary one, copy and change: `{ ...preset('equity-daily'), name: 'mine', durationShape: 1 }`.
 *
 * ```ts
 * import { preset } from '@regimen/market'
 *
 * preset('crypto-daily').regimes.map((regime) => regime.name).join(' ')
 * // => 'bull-low bull-high sideways-low sideways-high bear-low bear-high'
 * ```
 */
export function preset(name: PresetName): MarketParameters {
  check(
    Object.hasOwn(PRESETS, name),
    'market/simulate',
    () => `preset must be one of ${presetNames.join(', ')}, got ${describe(name)}.`,
  )
  return structuredClone(PRESETS[name])
}
