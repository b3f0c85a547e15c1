import { check, describe } from '@regimen/core'

/**
 * What is to be predicted from the close of a bar, as plain data.
 *
 * - `return`: the log return to the close `horizon` bars later.
 * - `direction`: 1, 0 or -1, where that return lies above, inside or below ± `deadZone`.
 * - `triple-barrier`: 1 when the price first rises by `takeProfit`, -1 when it first falls by `stopLoss`, 0 when neither
 *   happens within `horizon` bars. Highs and lows count; where one bar touches both, it is -1.
 * - `volatility`: the root of the summed squared log returns of the next `horizon` bars.
 */
export type LabelRule =
  | { readonly kind: 'return'; readonly horizon: number }
  | {
      readonly kind: 'direction'
      readonly horizon: number
      /** Half width of the dead zone in log return, or in units of the row's scale where one is given. @default 0 */
      readonly deadZone?: number
    }
  | {
      readonly kind: 'triple-barrier'
      readonly horizon: number
      /** Upper barrier in log return, or in units of the row's scale where one is given. Above 0. */
      readonly takeProfit: number
      /** Lower barrier, likewise. Above 0. */
      readonly stopLoss: number
    }
  | { readonly kind: 'volatility'; readonly horizon: number }

/** A decision whose label is not known yet. */
export interface OpenLabel {
  entry: number
  scale: number
  elapsed: number
  last: number
  squares: number
}

/** What a label must know of a closed bar. */
export interface LabelBar {
  readonly high: number
  readonly low: number
  readonly close: number
}

export function checkRule(rule: LabelRule, where: string): void {
  check(
    ['return', 'direction', 'triple-barrier', 'volatility'].includes(rule.kind),
    where,
    () => `kind must be return, direction, triple-barrier or volatility, got ${describe(rule.kind)}.`,
  )
  check(
    Number.isInteger(rule.horizon) && rule.horizon >= 1,
    where,
    () => `horizon must be a whole number of bars from 1, got ${describe(rule.horizon)}.`,
  )
  if (rule.kind === 'direction') {
    const { deadZone = 0 } = rule
    check(deadZone >= 0 && deadZone < Infinity, where, () => `deadZone must be 0 or more, got ${describe(deadZone)}.`)
  }
  if (rule.kind === 'triple-barrier') {
    for (const name of ['takeProfit', 'stopLoss'] as const) {
      check(rule[name] > 0, where, () => `${name} must be above 0, got ${describe(rule[name])}.`)
    }
  }
}

/** Takes the next bar; NaN while the label is open, its value once it is known. */
export function stepLabel(rule: LabelRule, open: OpenLabel, bar: LabelBar): number {
  open.elapsed++
  const done = open.elapsed >= rule.horizon
  if (rule.kind === 'volatility') {
    const r = Math.log(bar.close / open.last)
    open.squares += r * r
    open.last = bar.close
    return done ? Math.sqrt(open.squares) : Number.NaN
  }
  if (rule.kind === 'triple-barrier') {
    if (Math.log(bar.low / open.entry) <= -rule.stopLoss * open.scale) return -1
    if (Math.log(bar.high / open.entry) >= rule.takeProfit * open.scale) return 1
    return done ? 0 : Number.NaN
  }
  if (!done) return Number.NaN
  const r = Math.log(bar.close / open.entry)
  if (rule.kind === 'return') return r
  const zone = (rule.deadZone ?? 0) * open.scale
  return r > zone ? 1 : r < -zone ? -1 : 0
}
