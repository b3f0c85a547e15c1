import type { Bars } from '../bars.ts'
import type { Catalog } from './families.ts'
import type { Batch } from './types.ts'

/** Computes every feature of one timeframe over whole bars; NaN before each one's warm-up. */
export function batchColumns(bars: Bars, catalog: Catalog): Float64Array[] {
  const batch = prepare(bars)
  const size = batch.size
  const columns = catalog.features.map(() => new Float64Array(size))
  let k = 0
  for (const family of catalog.families) {
    if (size > 0) family.batch(batch, columns.slice(k, k + family.features.length))
    k += family.features.length
  }
  catalog.features.forEach(({ warmup }, f) => {
    columns[f]!.fill(Number.NaN, 0, Math.min(size, warmup - 1))
  })
  return columns
}

function prepare(bars: Bars): Batch {
  const size = bars.time.length
  const { open, high, low, close } = bars
  const logs = (values: Float64Array): Float64Array => {
    const out = new Float64Array(size)
    for (let i = 0; i < size; i++) out[i] = Math.log(values[i]!)
    return out
  }
  const logClose = logs(close)
  const ret = new Float64Array(size)
  const trueRange = new Float64Array(size)
  if (size > 0) trueRange[0] = high[0]! - low[0]!
  for (let i = 1; i < size; i++) {
    ret[i] = logClose[i]! - logClose[i - 1]!
    trueRange[i] = rangeWith(high[i]!, low[i]!, close[i - 1]!)
  }
  const temps: Float64Array[] = []
  return {
    size,
    time: bars.time,
    open,
    high,
    low,
    close,
    volume: bars.volume ?? new Float64Array(0),
    logOpen: logs(open),
    logHigh: logs(high),
    logLow: logs(low),
    logClose,
    ret,
    trueRange,
    temp(k) {
      temps[k] ??= new Float64Array(size)
      return temps[k]
    },
  }
}

/** Wilder's true range: the bar's range, stretched to the close before. */
export function rangeWith(high: number, low: number, before: number): number {
  return (high > before ? high : before) - (low < before ? low : before)
}
