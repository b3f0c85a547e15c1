import type { Bars } from '../bars.ts'
import { type Dynamics, shockDensity } from './dynamics.ts'

/** How likely one bar is under a regime and a variance factor. Reused from bar to bar. */
export class BarLikelihood {
  /** The bar's standardized shock, ln p(return), and ln p(open, high, low, return): set by `weigh`. */
  shock = 0
  logReturn = 0
  logBar = 0
  readonly #d: Dynamics
  readonly #density: (z: number) => number
  readonly #logScale: Float64Array
  readonly #shaped: boolean
  #r = 0
  #lagged = Number.NaN
  #season = 1
  #logSeason = 0
  #gapShare = 0
  #gapDistance = 0
  #reach = 0

  constructor(d: Dynamics, shaped: boolean) {
    this.#d = d
    this.#density = shockDensity(d)
    this.#logScale = d.scale.map(Math.log)
    this.#shaped = shaped
  }

  take(bars: Bars, t: number, previous: number, r: number, season: number, gapShare: number): void {
    this.#lagged = t === 0 ? Number.NaN : this.#r
    this.#r = r
    this.#season = season
    this.#logSeason = Math.log(season)
    this.#gapShare = gapShare
    if (!this.#shaped) return
    const open = bars.open[t]!
    const gap = Math.log(open / previous)
    const high = Math.log(bars.high[t]! / open)
    const low = Math.log(bars.low[t]! / open)
    const c = r - gap
    this.#gapDistance = (gap - gapShare * r) ** 2
    this.#reach = high * (high - c) + low * (low - c)
  }

  /**
   * Weighs regime `s` with variance factor `h`, whose logarithm the caller knows. Given the return, the open is a point of
   * a Brownian bridge and high and low are its extremes, P(max > m | end c) = exp(-2 m (m - c) / σ²); terms that are the
   * same for all hypotheses are left out of `logBar`.
   */
  weigh(s: number, h: number, logH: number): void {
    const mu = this.#d.drift[s]!
    const lagged = this.#lagged
    const carried = !Number.isNaN(lagged) ? this.#d.phi[s]! * (lagged - mu) : 0
    const scale = this.#d.scale[s]! * Math.sqrt(h) * this.#season
    const logScale = this.#logScale[s]! + 0.5 * logH + this.#logSeason
    this.shock = (this.#r - mu - carried) / scale
    this.logReturn = this.#density(this.shock) - logScale
    this.logBar = this.logReturn
    if (!this.#shaped) return
    const w = this.#gapShare
    const square = scale * scale
    this.logBar -= (2 * this.#reach) / (square * (1 - w)) + 4 * logScale
    if (w > 0) this.logBar -= (0.5 * this.#gapDistance) / (square * w * (1 - w)) + logScale
  }
}
