import { check, describe } from '@regimen/core'
import type { Bars } from '../bars.ts'
import { checkRule, type LabelRule, stepLabel } from './rules.ts'

/** Options of {@link labelBars}. */
export interface LabelOptions {
  /** What is to be predicted. */
  rule: LabelRule
  /**
   * Unit of the barriers and of the dead zone, one for each bar and known at its close, for example the realized
   * volatility so far. Rows that are not above 0 get no label. @default 1 everywhere
   */
  scale?: ArrayLike<number>
}

/** Labels with the rows that they look at. */
export interface Labels {
  /** NaN where the label is not known by the last bar. */
  readonly values: Float64Array
  /** Row at whose close the label of each row is known; -1 where it is not known yet. */
  readonly end: Int32Array
}

/**
 * Labels every bar with what came after it: forward return, direction with a dead zone, triple barrier or realized
 * volatility. Labels look ahead by nature, so each carries the row at whose close it is known; give that `end` to the
 * splitters ({@link walkForward}, {@link purgedKFold}, {@link combinatorialPurged}), which keep training labels away from
 * the test. For labels that arrive one by one as a market runs use {@link openDelayedLabels}.
 *
 * ```ts
 * import { labelBars } from '@regimen/market'
 *
 * const column = (...values: number[]) => Float64Array.from(values)
 * const close = column(100, 104, 95, 101)
 * const bars = { time: column(0, 1, 2, 3), open: close, high: close, low: close, close, interval: 1 }
 * const { values, end } = labelBars(bars, {
 *   rule: { kind: 'triple-barrier', horizon: 2, takeProfit: 0.03, stopLoss: 0.03 },
 * })
 * Array.from(values).join() // => '1,-1,1,NaN'
 * Array.from(end) // => [1, 2, 3, -1]
 * ```
 *
 * Reference: López de Prado, "Advances in Financial Machine Learning" (2018), chapter 3.
 */
export function labelBars(bars: Bars, options: LabelOptions): Labels {
  const where = 'market/labels'
  const { rule, scale } = options
  checkRule(rule, where)
  const n = bars.time.length
  check(
    scale === undefined || scale.length === n,
    where,
    () => `scale must have one value for each of ${n} bars, got ${scale?.length}.`,
  )
  for (let i = 0; i < n; i++) {
    for (const column of ['high', 'low', 'close'] as const) {
      const price = bars[column][i]!
      if (!(price > 0 && price < Infinity)) {
        check(false, where, () => `${column} must be above 0, got ${describe(price)} in row ${i}.`, 'Repair the bars.')
      }
    }
  }
  const values = new Float64Array(n).fill(Number.NaN)
  const end = new Int32Array(n).fill(-1)
  const open = { entry: 0, scale: 1, elapsed: 0, last: 0, squares: 0 }
  const bar = { high: 0, low: 0, close: 0 }
  for (let i = 0; i < n; i++) {
    const unit = scale ? scale[i]! : 1
    if (!(unit > 0)) continue
    open.entry = bars.close[i]!
    open.last = open.entry
    open.scale = unit
    open.elapsed = 0
    open.squares = 0
    for (let j = i + 1; j < n && end[i] === -1; j++) {
      bar.high = bars.high[j]!
      bar.low = bars.low[j]!
      bar.close = bars.close[j]!
      const value = stepLabel(rule, open, bar)
      if (Number.isNaN(value)) continue
      values[i] = value
      end[i] = j
    }
  }
  return { values, end }
}
