import { check, describe } from '../errors.ts'
import type { Rng } from '../rng.ts'

/** A prepared categorical distribution: plain data, one entry a category. */
export interface AliasTable {
  /** Chance of keeping the drawn column. */
  readonly keep: Float64Array
  /** The category that takes the rest of the column. */
  readonly alias: Int32Array
}

/**
 * Prepares a categorical distribution for draws in constant time (Walker's alias method, built as Vose 1991). Use it
 * for many draws from the same weights; for one draw `rng.categorical(weights)` is cheaper. Weights need not sum to 1.
 *
 * ```ts
 * import { aliasTable, createRng, drawAlias } from '@regimen/core'
 *
 * const table = aliasTable([0, 3, 0])
 * drawAlias(table, createRng(1)) // => 1
 * ```
 *
 * Reference: M. D. Vose, "A linear algorithm for generating random numbers with a given distribution", 1991.
 */
export function aliasTable(weights: ArrayLike<number>): AliasTable {
  const n = weights.length
  let total = 0
  for (let i = 0; i < n; i++) {
    const weight = weights[i]!
    check(
      weight >= 0 && weight < Number.POSITIVE_INFINITY,
      'core/alias',
      () => `weights[${i}] must be finite and at least 0, got ${describe(weight)}.`,
    )
    total += weight
  }
  check(total > 0, 'core/alias', () => `weights must have a positive sum, got ${total}.`)
  const keep = new Float64Array(n)
  const alias = new Int32Array(n)
  // One work list holds both kinds: columns short of 1 from the left, columns above 1 from the right.
  const work = new Int32Array(n)
  let shorts = 0
  let longs = n
  for (let i = 0; i < n; i++) {
    keep[i] = (weights[i]! / total) * n
    alias[i] = i
    if (keep[i]! < 1) work[shorts++] = i
    else work[--longs] = i
  }
  while (shorts > 0 && longs < n) {
    const short = work[--shorts]!
    const long = work[longs]!
    alias[short] = long
    keep[long] = keep[long]! + keep[short]! - 1
    if (keep[long]! < 1) {
      longs++
      work[shorts++] = long
    }
  }
  // What is left differs from 1 by rounding only, unless its weight is 0 and must never be drawn.
  while (shorts > 0) {
    const short = work[--shorts]!
    if (weights[short]! > 0) keep[short] = 1
  }
  for (; longs < n; longs++) keep[work[longs]!] = 1
  return { keep, alias }
}

/**
 * Draws a category from an {@link aliasTable} in constant time.
 *
 * ```ts
 * import { aliasTable, createRng, drawAlias } from '@regimen/core'
 *
 * const rng = createRng(1)
 * const table = aliasTable([1, 3])
 * let ones = 0
 * for (let i = 0; i < 10_000; i++) ones += drawAlias(table, rng)
 * Math.abs(ones / 10_000 - 0.75) < 0.02 // => true
 * ```
 */
export function drawAlias(table: AliasTable, rng: Rng): number {
  const column = rng.int(0, table.keep.length)
  return rng.uniform() < table.keep[column]! ? column : table.alias[column]!
}
