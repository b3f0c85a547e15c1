import type { Bars } from '../bars.ts'
import type { Catalog } from './families.ts'
import type { Batch } from './types.ts'

// Rows at a time: what a family reads and writes stays in the second-level cache.
const CHUNK = 4096

/**
 * Computes every feature of one timeframe over whole bars; NaN before each one's warm-up. Since no feature looks back further
 * than its warm-up, the bars are cut into chunks that begin that much earlier.
 */
export function batchColumns(bars: Bars, catalog: Catalog): Float64Array[] {
  const size = bars.time.length
  // One allocation: the system hands out and takes back large pages at once.
  const all = new Float64Array(size * catalog.features.length)
  const columns = catalog.features.map((_, f) => all.subarray(f * size, (f + 1) * size))
  const lead = catalog.warmup
  const buffers = allocate(Math.min(size, CHUNK + lead), catalog.features.length)
  for (let start = 0; start < size; start += CHUNK) {
    const from = Math.max(0, start - lead)
    const end = Math.min(size, start + CHUNK)
    const batch = prepare(bars, from, end, buffers)
    const out = buffers.out.map((column) => column.subarray(0, end - from))
    let k = 0
    for (const family of catalog.families) {
      family.batch(batch, out.slice(k, k + family.features.length))
      k += family.features.length
    }
    for (let f = 0; f < k; f++) columns[f]!.set(out[f]!.subarray(start - from), start)
  }
  catalog.features.forEach(({ warmup }, f) => {
    columns[f]!.fill(Number.NaN, 0, Math.min(size, warmup - 1))
  })
  return columns
}

interface Buffers {
  readonly shared: readonly Float64Array[]
  readonly out: readonly Float64Array[]
  readonly temps: Float64Array[]
}

function allocate(length: number, features: number): Buffers {
  const make = (count: number): Float64Array[] => Array.from({ length: count }, () => new Float64Array(length))
  return { shared: make(6), out: make(features), temps: [] }
}

function prepare(bars: Bars, from: number, end: number, { shared, temps }: Buffers): Batch {
  const size = end - from
  const view = (values: Float64Array): Float64Array => values.subarray(from, end)
  const [open, high, low, close] = [view(bars.open), view(bars.high), view(bars.low), view(bars.close)]
  const cut = shared.map((values) => values.subarray(0, size))
  const [logOpen, logHigh, logLow, logClose, ret, trueRange] = cut
  for (let i = 0; i < size; i++) logOpen![i] = Math.log(open[i]!)
  for (let i = 0; i < size; i++) logHigh![i] = Math.log(high[i]!)
  for (let i = 0; i < size; i++) logLow![i] = Math.log(low[i]!)
  for (let i = 0; i < size; i++) logClose![i] = Math.log(close[i]!)
  ret![0] = 0
  trueRange![0] = high[0]! - low[0]!
  for (let i = 1; i < size; i++) {
    ret![i] = logClose![i]! - logClose![i - 1]!
    trueRange![i] = rangeWith(high[i]!, low[i]!, close[i - 1]!)
  }
  return {
    size,
    time: view(bars.time),
    open,
    high,
    low,
    close,
    volume: bars.volume ? view(bars.volume) : open,
    logOpen: logOpen!,
    logHigh: logHigh!,
    logLow: logLow!,
    logClose: logClose!,
    ret: ret!,
    trueRange: trueRange!,
    temp(k) {
      temps[k] ??= new Float64Array(shared[0]!.length)
      return temps[k].subarray(0, size)
    },
  }
}

/** Wilder's true range: the bar's range, stretched to the close before. */
export function rangeWith(high: number, low: number, before: number): number {
  return Math.max(high, before) - Math.min(low, before)
}
