import { check, createRng, describe, type Rng } from '@regimen/core'
import type { Bars } from '../bars.ts'

/** Options of {@link blockBootstrap}. */
export interface BlockBootstrapOptions {
  /** Same seed, same sample. */
  seed: number | string
  /** Mean length of a block in bars. From 1. @default the cube root of the number of bars, rounded up */
  meanBlock?: number
  /** Number of bars to make. From 1. @default as many as there are */
  length?: number
}

/**
 * Draws rows for a stationary bootstrap: blocks of geometric length that start anywhere and wrap around. Each row follows
 * the one before with probability 1 - 1 / meanBlock.
 */
export function stationaryRows(n: number, length: number, meanBlock: number, rng: Rng, rows: Int32Array): void {
  let row = 0
  for (let i = 0; i < length; i++) {
    row = i === 0 || rng.uniform() * meanBlock < 1 ? rng.int(0, n) : (row + 1) % n
    rows[i] = row
  }
}

/**
 * Makes a new price path from real bars by the stationary block bootstrap: bars are drawn in blocks of random length and
 * chained by their ratios to the close before, so short-range dependence (clustering, gaps, ranges, volume) survives
 * while the long path is new. The second source of test markets beside {@link simulate}: nothing about it is modelled, but
 * neither is the truth known, and regimes longer than the blocks are broken up.
 *
 * Gotchas: the first source bar has no close before it and is never drawn; times are those of a series that starts where
 * the source starts, one interval a bar where the sample is longer than the source.
 *
 * ```ts
 * import { blockBootstrap, simulate } from '@regimen/market'
 *
 * const { bars } = simulate('equity-daily', { bars: 300, seed: 3 })
 * const sample = blockBootstrap(bars, { seed: 1, meanBlock: 20 })
 * sample.close.length // => 300
 * ```
 *
 * Reference: Politis and Romano, "The Stationary Bootstrap", JASA 89 (1994).
 */
export function blockBootstrap(bars: Bars, options: BlockBootstrapOptions): Bars {
  const where = 'market/block-bootstrap'
  const n = bars.time.length
  check(n >= 2, where, () => `bars must hold at least two bars, got ${n}.`)
  const { seed, meanBlock = Math.ceil(Math.cbrt(n)), length = n } = options
  check(meanBlock >= 1, where, () => `meanBlock must be 1 or more, got ${describe(meanBlock)}.`)
  check(
    Number.isInteger(length) && length >= 1,
    where,
    () => `length must be a whole number from 1, got ${describe(length)}.`,
  )
  const rows = new Int32Array(length)
  stationaryRows(n - 1, length, meanBlock, createRng(seed), rows)
  const column = (): Float64Array => new Float64Array(length)
  const sample = { time: column(), open: column(), high: column(), low: column(), close: column() }
  const volume = bars.volume ? column() : undefined
  let price = bars.close[0]!
  for (let i = 0; i < length; i++) {
    const row = rows[i]! + 1
    const scale = price / bars.close[row - 1]!
    check(
      Number.isFinite(scale) && Number.isFinite(bars.close[row]!),
      where,
      () => `prices must be finite, got ${bars.close[row]} in row ${row}.`,
      'Repair the bars first.',
    )
    sample.time[i] = i < n ? bars.time[i]! : sample.time[i - 1]! + bars.interval
    sample.open[i] = bars.open[row]! * scale
    sample.high[i] = bars.high[row]! * scale
    sample.low[i] = bars.low[row]! * scale
    price = bars.close[row]! * scale
    sample.close[i] = price
    if (volume) volume[i] = bars.volume![row]!
  }
  return volume ? { ...sample, volume, interval: bars.interval } : { ...sample, interval: bars.interval }
}
