import { lgamma } from '@regimen/core/math'
import { checkParameters, type MarketParameters } from './parameters.ts'

/** The parameters of one asset per bar, with everything constant computed once. Simulator and true filter share it. */
export interface Dynamics {
  readonly drift: Float64Array
  readonly scale: Float64Array
  readonly phi: Float64Array
  readonly jumpRate: number
  readonly jumpMean: number
  readonly jumpDeviation: number
  readonly degrees: number
  readonly omega: number
  readonly alpha: number
  readonly beta: number
  readonly gamma: number
  readonly cap: number
  readonly clustered: boolean
  /** Deviation of a bar's return over all regimes, for volume. */
  readonly typical: number
}

export function dynamicsOf(parameters: MarketParameters, asset: number): Dynamics {
  checkParameters(parameters)
  const { regimes, barsPerYear, innovations } = parameters
  const { volatilityScale, driftScale } = parameters.assets[asset]!
  const { garch, jumps, degreesOfFreedom } = innovations
  const scale = Float64Array.from(regimes, (r) => (r.volatility * volatilityScale) / Math.sqrt(barsPerYear))
  return {
    drift: Float64Array.from(regimes, (r) => (r.drift * driftScale) / barsPerYear),
    scale,
    phi: Float64Array.from(regimes, (r) => r.autoregression),
    jumpRate: (jumps?.perYear ?? 0) / barsPerYear,
    jumpMean: jumps?.mean ?? 0,
    jumpDeviation: jumps?.deviation ?? 1,
    degrees: degreesOfFreedom ?? Infinity,
    omega: garch ? 1 - garch.alpha - garch.beta - garch.gamma / 2 : 1,
    alpha: garch?.alpha ?? 0,
    beta: garch?.beta ?? 0,
    gamma: garch?.gamma ?? 0,
    cap: garch?.cap ?? Infinity,
    clustered: garch !== undefined,
    typical: Math.sqrt(scale.reduce((sum, s) => sum + s * s, 0) / scale.length),
  }
}

/** The variance factor of the next bar, from this bar's factor `h` and its shock in units of the regime's volatility. */
export function nextVariance(d: Dynamics, h: number, shock: number): number {
  if (!d.clustered) return 1
  const squared = Math.min(shock * shock, d.cap * h)
  return d.omega + (d.alpha + (shock < 0 ? d.gamma : 0)) * squared + d.beta * h
}

const LOG_2PI = Math.log(2 * Math.PI)

/** Log density of a standardized shock: unit-variance Student-t (or Gaussian), mixed with the jump component. */
export function shockDensity(d: Dynamics): (z: number) => number {
  const { degrees: v, jumpRate, jumpMean, jumpDeviation } = d
  const gaussian = v === Infinity
  const constant = gaussian ? -0.5 * LOG_2PI : lgamma((v + 1) / 2) - lgamma(v / 2) - 0.5 * Math.log(Math.PI * (v - 2))
  const power = -(v + 1) / 2
  const body = gaussian
    ? (z: number): number => constant - 0.5 * z * z
    : (z: number): number => constant + power * Math.log1p((z * z) / (v - 2))
  if (jumpRate === 0) return body
  const logStay = Math.log1p(-jumpRate)
  const logJump = Math.log(jumpRate) - 0.5 * LOG_2PI - Math.log(jumpDeviation)
  return (z) => {
    const plain = logStay + body(z)
    const j = (z - jumpMean) / jumpDeviation
    const jump = logJump - 0.5 * j * j
    return plain > jump ? plain + Math.log1p(Math.exp(jump - plain)) : jump + Math.log1p(Math.exp(plain - jump))
  }
}

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** The bars' opening times from `start` on, by the market's calendar. */
export function calendarTimes(parameters: MarketParameters, n: number, start: number): Float64Array {
  const { calendar, interval } = parameters
  const time = new Float64Array(n)
  let t = start
  for (let i = 0; i < n; i++) {
    while (!isOpen(calendar, t)) t += interval >= DAY ? DAY : HOUR - (t % HOUR)
    time[i] = t
    t += interval
  }
  return time
}

function isOpen(calendar: MarketParameters['calendar'], t: number): boolean {
  if (calendar.kind === 'continuous') return true
  // Day 0 of the epoch was a Thursday.
  const weekday = (Math.floor(t / DAY) + 4) % 7
  if (weekday === 0 || weekday === 6) return false
  if (calendar.kind === 'weekdays') return true
  const hour = Math.floor((t % DAY) / HOUR)
  return hour >= calendar.openHour && hour < calendar.openHour + calendar.hours
}

/** Volatility multiplier of the bar that opens at `t`, known in advance. */
export function seasonOf(parameters: MarketParameters, t: number): number {
  return parameters.seasonality?.volatility[Math.floor((t % DAY) / HOUR)] ?? 1
}

/** Share of the bar's variance that lies between the close before and its open. */
export function gapShareOf(parameters: MarketParameters, t: number, previous: number): number {
  if (parameters.overnight === 0) return 0
  return parameters.interval >= DAY || t - previous > parameters.interval ? parameters.overnight : 0
}
