import { check, describe } from '@regimen/core'

/** Something that happens to a simulated market beside its regimes. Rows count from 0. */
export type MarketEvent =
  /** A fall of `depth` (0.3 is 30 %) spread over `bars` bars, with doubled volatility. */
  | { readonly kind: 'crash'; readonly at: number; readonly bars: number; readonly depth: number }
  /**
   * A sudden fall of `depth` that recovers over the next `bars` bars; with 0 bars it happens and recovers within one
   * bar and shows in the low only.
   */
  | { readonly kind: 'flash'; readonly at: number; readonly bars: number; readonly depth: number }
  /** Parameters that move over `bars` bars and stay moved: `drift` is added per year, `volatility` multiplies. */
  | {
      readonly kind: 'drift'
      readonly at: number
      readonly bars: number
      readonly drift?: number
      readonly volatility?: number
    }

export interface EventPlan {
  /** Added to each bar's drift. */
  readonly drift: Float64Array
  /** Multiplies each bar's volatility. */
  readonly volatility: Float64Array
  /** Added to each bar's log return. */
  readonly shock: Float64Array
  /** Fraction by which each bar's low dips below its body. */
  readonly dip: Float64Array
}

/** Turns events into columns that the simulator adds. */
export function scheduleEvents(events: readonly MarketEvent[], n: number, barsPerYear: number): EventPlan {
  const where = 'market/simulate'
  const drift = new Float64Array(n)
  const volatility = new Float64Array(n).fill(1)
  const shock = new Float64Array(n)
  const dip = new Float64Array(n)
  for (const event of events) {
    const { kind, at, bars } = event
    check(
      Number.isInteger(at) && at >= 0 && at < n,
      where,
      () => `an event's row must lie from 0 to ${n - 1}, got ${describe(at)}.`,
    )
    check(
      Number.isInteger(bars) && bars >= (kind === 'flash' ? 0 : 1),
      where,
      () => `a ${kind} must last ${kind === 'flash' ? 0 : 1} or more whole bars, got ${describe(bars)}.`,
    )
    if (kind === 'drift') {
      const { drift: added = 0, volatility: factor = 1 } = event
      check(factor > 0, where, () => `a drift's volatility must be above 0, got ${describe(factor)}.`)
      for (let t = at; t < n; t++) {
        const share = Math.min(1, (t - at + 1) / bars)
        drift[t] = drift[t]! + (share * added) / barsPerYear
        volatility[t] = volatility[t]! * (1 + share * (factor - 1))
      }
      continue
    }
    const { depth } = event
    check(depth > 0 && depth < 1, where, () => `depth must lie between 0 and 1, got ${describe(depth)}.`)
    const fall = Math.log1p(-depth)
    if (kind === 'crash') {
      for (let t = at; t < Math.min(n, at + bars); t++) {
        shock[t] = shock[t]! + fall / bars
        volatility[t] = volatility[t]! * 2
      }
    } else if (bars === 0) {
      dip[at] = depth
    } else {
      shock[at] = shock[at]! + fall
      for (let t = at + 1; t < Math.min(n, at + 1 + bars); t++) shock[t] = shock[t]! - fall / bars
    }
  }
  return { drift, volatility, shock, dip }
}
