import { check, describe } from '@regimen/core'

/** Options of {@link backtestOverfitting}. */
export interface OverfittingOptions {
  /** Number of strategies: columns of the matrix. 2 or more. */
  strategies: number
  /** Number of blocks that time is cut into; even, 2 to 20. C(blocks, blocks / 2) splits are judged. @default 10 */
  blocks?: number
}

/** Result of {@link backtestOverfitting}. */
export interface OverfittingReport {
  /** Share of splits in which the best strategy in sample ends in the lower half out of sample. */
  readonly probability: number
  /** Logit of the in-sample winner's relative rank out of sample, one for each split. */
  readonly logits: Float64Array
  /** Share of splits in which that winner lost money out of sample. */
  readonly lossProbability: number
}

/**
 * Estimates the probability of backtest overfitting by combinatorially symmetric cross-validation: time is cut into
 * blocks, each half of the blocks picks its best strategy by Sharpe ratio, and its rank is looked up in the other half.
 * Near 0.5 the search has found nothing but noise. Use it on the matrix of all settings that a search has tried; use
 * {@link deflatedSharpe} where only the winner and the number of trials are known.
 *
 * Gotchas: rows left over by the blocks are dropped from the start; ties share a rank from the pessimistic side.
 *
 * ```ts
 * import { backtestOverfitting } from '@regimen/market'
 *
 * // The second strategy is better in every period: never a mistake to choose it.
 * const returns = Float64Array.from({ length: 40 }, (_, i) => (i % 2) * 0.02 + (i % 3) * 0.01)
 * backtestOverfitting(returns, { strategies: 2, blocks: 4 }).probability // => 0
 * ```
 *
 * Reference: Bailey, Borwein, López de Prado and Zhu, "The Probability of Backtest Overfitting", Journal of Computational
 * Finance 20 (2017).
 */
export function backtestOverfitting(returns: ArrayLike<number>, options: OverfittingOptions): OverfittingReport {
  const where = 'market/backtest-overfitting'
  const { strategies: k, blocks = 10 } = options
  check(Number.isInteger(k) && k >= 2, where, () => `strategies must be a whole number from 2, got ${describe(k)}.`)
  check(
    Number.isInteger(blocks) && blocks >= 2 && blocks <= 20 && blocks % 2 === 0,
    where,
    () => `blocks must be an even whole number from 2 to 20, got ${describe(blocks)}.`,
  )
  const rows = returns.length / k
  check(
    Number.isInteger(rows),
    where,
    () => `returns must hold periods × ${k} strategies, got ${returns.length} values.`,
  )
  const size = Math.floor(rows / blocks)
  check(size >= 2, where, () => `each of ${blocks} blocks must have at least 2 periods, got ${rows} periods in all.`)
  const first = rows - size * blocks
  const sums = new Float64Array(blocks * k)
  const squares = new Float64Array(blocks * k)
  for (let i = first; i < rows; i++) {
    const block = Math.floor((i - first) / size)
    for (let s = 0; s < k; s++) {
      const r = returns[i * k + s]!
      if (!Number.isFinite(r)) check(false, where, () => `returns must be finite, got ${r} in row ${i}.`)
      sums[block * k + s] = sums[block * k + s]! + r
      squares[block * k + s] = squares[block * k + s]! + r * r
    }
  }

  const half = blocks / 2
  const count = size * half
  const inside = new Float64Array(k)
  const outside = new Float64Array(k)
  const logits: number[] = []
  let overfit = 0
  let losses = 0
  for (let mask = 0; mask < 1 << blocks; mask++) {
    if (bitsOf(mask) !== half) continue
    for (let s = 0; s < k; s++) {
      inside[s] = ratio(sums, squares, s, k, blocks, mask, count)
      outside[s] = ratio(sums, squares, s, k, blocks, ~mask, count)
    }
    let best = 0
    for (let s = 1; s < k; s++) if (inside[s]! > inside[best]!) best = s
    let below = 0
    for (let s = 0; s < k; s++) if (outside[s]! < outside[best]!) below++
    const rank = (below + 1) / (k + 1)
    const logit = Math.log(rank / (1 - rank))
    logits.push(logit)
    if (logit <= 0) overfit++
    if (outside[best]! < 0) losses++
  }
  return {
    probability: overfit / logits.length,
    logits: Float64Array.from(logits),
    lossProbability: losses / logits.length,
  }
}

function bitsOf(mask: number): number {
  let bits = 0
  for (let m = mask; m !== 0; m &= m - 1) bits++
  return bits
}

function ratio(
  sums: Float64Array,
  squares: Float64Array,
  s: number,
  k: number,
  blocks: number,
  mask: number,
  count: number,
): number {
  let sum = 0
  let square = 0
  for (let b = 0; b < blocks; b++) {
    if (((mask >> b) & 1) === 0) continue
    sum += sums[b * k + s]!
    square += squares[b * k + s]!
  }
  const mean = sum / count
  const variance = square / count - mean * mean
  return variance > 1e-18 * (square / count) ? mean / Math.sqrt(variance) : 0
}
