import type { Bars } from '../bars.ts'
import type { Catalog } from './families.ts'
import { logRatio } from './rolling.ts'
import type { Batch } from './types.ts'

// Rows at a time: what a family reads and writes stays in the second-level cache.
const CHUNK = 8192

/**
 * Computes the wanted features of one timeframe over whole bars; NaN before each one's warm-up. Since no feature looks back further
 * than its warm-up, the bars are cut into chunks that begin that much earlier.
 */
export function batchColumns(bars: Bars, catalog: Catalog): (Float64Array | undefined)[] {
  const size = bars.time.length
  // One allocation: the system hands out and takes back large pages at once.
  const all = new Float64Array(size * catalog.wanted.filter(Boolean).length)
  let used = 0
  const columns = catalog.wanted.map((is) => (is ? all.subarray(used++ * size, used * size) : undefined))
  const lead = catalog.warmup
  const buffers = allocate(Math.min(size, CHUNK + lead))
  // Backwards, so that each chunk overwrites the lead of the one after it, which is not warm there.
  for (let start = CHUNK * Math.floor(Math.max(0, size - 1) / CHUNK); start >= 0; start -= CHUNK) {
    const from = Math.max(0, start - lead)
    const end = Math.min(size, start + CHUNK)
    const batch = prepare(bars, from, end, buffers)
    let k = 0
    for (const family of catalog.families) {
      const own = columns.slice(k, k + family.features.length)
      family.batch(
        batch,
        own.map((column) => column?.subarray(from, end)),
      )
      k += own.length
    }
  }
  catalog.features.forEach(({ warmup }, f) => {
    columns[f]?.fill(Number.NaN, 0, Math.min(size, warmup - 1))
  })
  return columns
}

interface Buffers {
  readonly base: readonly Float64Array[]
  readonly temps: Float64Array[]
  readonly shared: Map<string, Float64Array>
}

function allocate(length: number): Buffers {
  const base = Array.from({ length: 6 }, () => new Float64Array(length))
  return { base, temps: [], shared: new Map() }
}

function prepare(bars: Bars, from: number, end: number, { base, temps, shared }: Buffers): Batch {
  const size = end - from
  const known = new Set<string>()
  const view = (values: Float64Array): Float64Array => values.subarray(from, end)
  const [open, high, low, close] = [view(bars.open), view(bars.high), view(bars.low), view(bars.close)]
  const cut = base.map((values) => values.subarray(0, size))
  const [logOpen, logHigh, logLow, logClose, ret, trueRange] = cut
  for (let i = 0; i < size; i++) {
    const c = close[i]!
    const log = Math.log(c)
    logClose![i] = log
    logOpen![i] = log + logRatio(open[i]!, c)
    logHigh![i] = log + logRatio(high[i]!, c)
    logLow![i] = log + logRatio(low[i]!, c)
  }
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
      temps[k] ??= new Float64Array(base[0]!.length)
      return temps[k].subarray(0, size)
    },
    shared(key, fill) {
      const column = shared.get(key) ?? new Float64Array(base[0]!.length)
      shared.set(key, column)
      const values = column.subarray(0, size)
      if (!known.has(key)) fill(values)
      known.add(key)
      return values
    },
  }
}

/** Wilder's true range: the bar's range, stretched to the close before. */
export function rangeWith(high: number, low: number, before: number): number {
  return Math.max(high, before) - Math.min(low, before)
}
