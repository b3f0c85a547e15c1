import { RegimenError } from '@regimen/core'
import type { Bars } from '../bars.ts'
import { ENTROPY_TERMS } from './dependence.ts'
import type { Catalog } from './families.ts'
import { openTimeframe } from './history.ts'
import { compile, type Program } from './kernel/compile.ts'
import { both, type Expression, gt, le, lt, select } from './kernel/expression.ts'
import { WHERE } from './plan.ts'
import { INPUTS, openSeries, type Series } from './series.ts'

/** Rows at a time: what a chunk is computed from and through stays in the cache. */
const CHUNK = 8192

/**
 * Computes the wanted features of one timeframe over whole bars; NaN before each one's warm-up. The formulas run as WebAssembly, two rows
 * at a time; where the platform forbids that, every bar is pushed through the live form instead, many times slower.
 */
export function batchColumns(bars: Bars, catalog: Catalog): (Float64Array | undefined)[] {
  const size = bars.time.length
  const columns = catalog.wanted.map((is) => (is ? unwritten(size) : undefined))
  const compiled = compiledOf(catalog)
  if (compiled) runChunks(bars, catalog, compiled, columns)
  else pushAll(bars, catalog, columns)
  let k = 0
  for (const { features, byTime } of catalog.families) {
    byTime?.(bars.time, columns.slice(k, k + features.length))
    k += features.length
  }
  catalog.features.forEach(({ warmup }, f) => {
    columns[f]?.fill(Number.NaN, 0, Math.min(size, warmup - 1))
  })
  return columns
}

/** A column that will be written in every row: in Node without zeroing it first, which takes as long as writing it. */
function unwritten(size: number): Float64Array {
  const { Buffer } = globalThis as { Buffer?: { allocUnsafeSlow?(bytes: number): Uint8Array } }
  const bytes = Buffer?.allocUnsafeSlow?.(size * Float64Array.BYTES_PER_ELEMENT)
  return bytes?.byteOffset === 0 ? new Float64Array(bytes.buffer, 0, size) : new Float64Array(size)
}

type Columns = readonly (Float64Array | undefined)[]

interface Compiled {
  readonly program: Program
  /** Which feature each formula is; the last one marks bars that are not clean. */
  readonly features: readonly number[]
}

/** Since no feature looks back further than its warm-up, the bars are cut into chunks that begin that much earlier. */
function runChunks(bars: Bars, catalog: Catalog, { program, features }: Compiled, columns: Columns): void {
  const size = bars.time.length
  const { inputs } = program
  const series = [bars.open, bars.high, bars.low, bars.close, bars.volume ?? bars.open]
  for (let start = 0; start < size; start += CHUNK) {
    const from = Math.max(0, start - catalog.warmup)
    const end = Math.min(size, start + CHUNK)
    for (let k = 0; k < series.length; k++) inputs[k]!.set(series[k]!.subarray(from, end))
    inputs[INPUTS - 1]!.fill(bars.close[from]!, 0, end - from)
    program.run(start - from, end - from, (k, column) => {
      const rows = column.subarray(start - from, end - from)
      if (k < features.length) columns[features[k]!]!.set(rows, start)
      else if (rows.includes(1)) refuse(bars, start + rows.indexOf(1))
    })
  }
}

function pushAll(bars: Bars, catalog: Catalog, columns: Columns): void {
  const { time, open, high, low, close, volume } = bars
  const live = openTimeframe(catalog, undefined)
  for (let i = 0; i < time.length; i++) {
    const traded = catalog.volume ? volume![i]! : 0
    const [o, h, l, c] = [open[i]!, high[i]!, low[i]!, close[i]!]
    if (!(l > 0 && o > 0 && c > 0 && h < Number.POSITIVE_INFINITY && o <= h && c <= h && traded >= 0)) refuse(bars, i)
    live.push({
      time: time[i]!,
      open: open[i]!,
      high: high[i]!,
      low: low[i]!,
      close: close[i]!,
      ...(volume && { volume: volume[i]! }),
    })
    for (let f = 0; f < columns.length; f++) {
      const column = columns[f]
      if (column) column[i] = live.values[f]!
    }
  }
}

function refuse({ time, open, high, low, close, volume }: Bars, i: number): never {
  throw new RegimenError(
    `the bar at ${time[i]} is not clean: ${open[i]}, ${high[i]}, ${low[i]}, ${close[i]}, ${volume?.[i]}.`,
    { code: 'INVALID_BARS', where: WHERE, hint: 'Pass the bars through repairBars.' },
  )
}

/** Programs by what they compute: the same features are often asked for again. */
const programs = new Map<string, Compiled | 'forbidden'>()
const MOST_PROGRAMS = 8

/** The catalog's formulas as a program, made on first use; undefined where WebAssembly is absent or forbidden. */
function compiledOf(catalog: Catalog): Compiled | undefined {
  const key = `${catalog.volume} ${catalog.names.filter((_, k) => catalog.wanted[k])}`
  let known = programs.get(key)
  if (!known) {
    const formulas: Expression[] = []
    const features: number[] = []
    const series = openSeries()
    let k = 0
    for (const family of catalog.families) {
      const all = family.formulas?.(series) ?? []
      all.forEach((formula, j) => {
        if (!catalog.wanted[k + j]) return
        formulas.push(formula)
        features.push(k + j)
      })
      k += family.features.length
    }
    formulas.push(flaws(series, catalog.volume))
    known = compiled(formulas, features, catalog.warmup) ?? 'forbidden'
    const [oldest] = programs.keys()
    if (oldest !== undefined && programs.size >= MOST_PROGRAMS) programs.delete(oldest)
    programs.set(key, known)
  }
  return known === 'forbidden' ? undefined : known
}

/** 1 where a bar is not clean. */
function flaws({ open, high, low, close, volume }: Series, withVolume: boolean): Expression {
  const clean = [
    gt(low, 0),
    gt(open, 0),
    gt(close, 0),
    lt(high, Number.POSITIVE_INFINITY),
    le(open, high),
    le(close, high),
  ]
  return select([...clean, ...(withVolume ? [le(0, volume)] : [])].reduce(both), 0, 1)
}

function compiled(formulas: Expression[], features: number[], warmup: number): Compiled | undefined {
  if (typeof WebAssembly !== 'object') return undefined
  try {
    return { program: compile(formulas, INPUTS, CHUNK + warmup, ENTROPY_TERMS), features }
  } catch (error) {
    // What a page's security policy answers, and a platform without vectors.
    if (error instanceof WebAssembly.CompileError) return undefined
    throw error
  }
}
