import { max, min, ratio, sub } from './kernel/expression.ts'
import type { Columns, FeatureFamily } from './types.ts'

/** Shape of the bar itself, as shares of its range, 0 for a bar without range: `body` (signed), `upperShadow`, `lowerShadow`. */
export const candle: FeatureFamily = {
  features: [
    { name: 'body', warmup: 1 },
    { name: 'upperShadow', warmup: 1 },
    { name: 'lowerShadow', warmup: 1 },
  ],
  formulas({ open, high, low, close }) {
    const range = sub(high, low)
    return [
      ratio(sub(close, open), range, 0),
      ratio(sub(high, max(open, close)), range, 0),
      ratio(sub(min(open, close), low), range, 0),
    ]
  },
  push(bars, out, k) {
    const { at } = bars
    const range = bars.high[at]! - bars.low[at]!
    out[k] = range === 0 ? 0 : (bars.close[at]! - bars.open[at]!) / range
    out[k + 1] = range === 0 ? 0 : (bars.high[at]! - top(bars, at)) / range
    out[k + 2] = range === 0 ? 0 : (bottom(bars, at) - bars.low[at]!) / range
  },
}

function top({ open, close }: Columns, i: number): number {
  return Math.max(open[i]!, close[i]!)
}

function bottom({ open, close }: Columns, i: number): number {
  return Math.min(open[i]!, close[i]!)
}
