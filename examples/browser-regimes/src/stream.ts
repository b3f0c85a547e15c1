import { simulate } from '@regimen/market'
import { fitBarRegimes, onlineBarRegimes } from '@regimen/regimes'

/** Bars of the past, on which the regimes are fitted before the stream begins. */
const PAST = 800
/** From the most volatile to the calmest. */
const NAMES = ['wild', 'lively', 'calm']

/** A market that streams, and the detector that follows it. */
export interface Stream {
  readonly close: readonly number[]
  /** Log returns; the first is 0. */
  readonly returns: readonly number[]
  /** P(regime) after each bar. */
  readonly beliefs: readonly Float64Array[]
  /** The likeliest regime after each bar. */
  readonly regimes: readonly number[]
  /** Names of the regimes, in their order. */
  readonly names: readonly string[]
  /** Takes the next bar in; false when the market is over. */
  next(): boolean
}

/** Simulates a market, fits regimes to its past, and follows it from there, one bar at a time and never ahead. */
export function openStream(seed: string): Stream {
  const { bars } = simulate('equity-daily', { bars: 6000, seed })
  const { open, high, low, close } = bars
  const past = {
    open: open.slice(0, PAST),
    high: high.slice(0, PAST),
    low: low.slice(0, PAST),
    close: close.slice(0, PAST),
  }
  const model = fitBarRegimes(past, { regimes: NAMES.length, restarts: 2, maxIterations: 40 })
  const scale = model.scale.data
  const order = NAMES.map((_, i) => i).sort((a, b) => scale[b]! - scale[a]!)
  const detector = onlineBarRegimes.open({ model })
  const closes: number[] = []
  const returns: number[] = []
  const beliefs: Float64Array[] = []
  const regimes: number[] = []
  const next = (): boolean => {
    const t = closes.length
    if (t >= close.length) return false
    detector.update({ open: open[t]!, high: high[t]!, low: low[t]!, close: close[t]! })
    const belief = Float64Array.from(order, (regime) => detector.filtered[regime]!)
    closes.push(close[t]!)
    returns.push(t > 0 ? Math.log(close[t]! / close[t - 1]!) : 0)
    beliefs.push(belief)
    regimes.push(belief.indexOf(Math.max(...belief)))
    return true
  }
  while (closes.length < PAST) next()
  return { close: closes, returns, beliefs, regimes, names: NAMES, next }
}
