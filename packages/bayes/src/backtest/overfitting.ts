import { check, describe } from '@regimen/core'
import { type MatrixLike, normalCdf, normalQuantile, toMatrix } from '@regimen/core/math'

/** What {@link deflatedSharpe} needs; Sharpe ratios are per observation, not annualized. */
export interface DeflatedSharpeOptions {
  /** Sharpe ratio of the chosen strategy. */
  sharpe: number
  /** Returns that it was computed from. */
  observations: number
  /** Strategies that were tried. */
  trials: number
  /** Variance of the Sharpe ratios of all that were tried. */
  variance: number
  /** Skewness of the returns. @default 0 */
  skewness?: number
  /** Kurtosis of the returns; 3 for normal ones. @default 3 */
  kurtosis?: number
}

/**
 * Computes the deflated Sharpe ratio: the probability that the true Sharpe ratio of the best of N tried strategies is above what the best
 * of N worthless ones would show, SR₀ = √V·((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))) with Euler's γ. Below 0.95 the winner may be luck. Give it the
 * number of all trials, the failed ideas of last month included.
 *
 * ```ts
 * import { deflatedSharpe } from '@regimen/bayes'
 *
 * const { benchmark, probability } = deflatedSharpe({ sharpe: 2.5 / Math.sqrt(250), observations: 1250, trials: 100, variance: 0.5 / 250, skewness: -3, kurtosis: 10 })
 * benchmark // ≈ 0.1132
 * probability // ≈ 0.9004
 * ```
 *
 * Reference: D. Bailey & M. López de Prado, "The deflated Sharpe ratio", 2014, with the numbers of its example.
 */
export function deflatedSharpe(options: DeflatedSharpeOptions): { benchmark: number; probability: number } {
  const { sharpe, observations, trials, variance, skewness = 0, kurtosis = 3 } = options
  const where = 'bayes/deflated-sharpe'
  check(Number.isFinite(sharpe), where, () => `sharpe must be finite, got ${describe(sharpe)}.`)
  check(observations >= 2, where, () => `observations must be at least 2, got ${describe(observations)}.`)
  check(Number.isInteger(trials) && trials >= 1, where, () => `trials must be from 1, got ${describe(trials)}.`)
  check(variance >= 0, where, () => `variance must be at least 0, got ${describe(variance)}.`)
  const euler = 0.5772156649015329
  const benchmark =
    trials === 1
      ? 0
      : Math.sqrt(variance) *
        ((1 - euler) * normalQuantile(1 - 1 / trials) + euler * normalQuantile(1 - 1 / (trials * Math.E)))
  const spread = Math.sqrt(1 - skewness * sharpe + ((kurtosis - 1) / 4) * sharpe * sharpe)
  return { benchmark, probability: normalCdf(((sharpe - benchmark) * Math.sqrt(observations - 1)) / spread) }
}

/** What {@link overfittingProbability} found. */
export interface OverfittingResult {
  /** Share of splits in which the best in sample was below the median out of sample. */
  readonly probability: number
  /** ln(ω / (1 − ω)) of the winner's relative rank ω out of sample, a split each. */
  readonly logits: Float64Array
}

/**
 * Estimates the probability that the search overfits, by combinatorially symmetric cross-validation: cuts the returns of all tried
 * strategies (a row a period, a column a strategy) into blocks, takes half of the blocks as the sample in every possible way, and looks where the
 * best strategy of the sample ranks in the other half. About ½ means that the search chose by luck.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { overfittingProbability } from '@regimen/bayes'
 *
 * const rng = createRng(1)
 * const skilled = Array.from({ length: 400 }, () => Array.from({ length: 10 }, (_, k) => rng.normal(k === 3 ? 0.3 : 0, 1)))
 * overfittingProbability(skilled).probability < 0.05 // => true
 * ```
 *
 * Reference: D. Bailey et al., "The probability of backtest overfitting", 2015.
 */
export function overfittingProbability(returns: MatrixLike, options: { blocks?: number } = {}): OverfittingResult {
  const { blocks = 10 } = options
  const where = 'bayes/overfitting'
  const { rows, cols, data } = toMatrix(returns, where)
  check(
    Number.isInteger(blocks) && blocks >= 2 && blocks % 2 === 0 && blocks <= 20,
    where,
    () => `blocks must be even, from 2 to 20, got ${describe(blocks)}.`,
  )
  check(
    rows >= 2 * blocks && cols >= 2,
    where,
    () => `needs at least ${2 * blocks} rows and 2 columns, got ${rows} × ${cols}.`,
  )
  // Sums and squares of each block and strategy make any union's Sharpe ratio.
  const sums = new Float64Array(blocks * cols)
  const squares = new Float64Array(blocks * cols)
  const lengths = new Float64Array(blocks)
  for (let i = 0; i < rows; i++) {
    const block = Math.floor((i * blocks) / rows)
    lengths[block]!++
    for (let k = 0; k < cols; k++) {
      const r = data[i * cols + k]!
      sums[block * cols + k]! += r
      squares[block * cols + k]! += r * r
    }
  }
  const sharpe = (mask: number, k: number): number => {
    let n = 0
    let sum = 0
    let square = 0
    for (let b = 0; b < blocks; b++) {
      if (!((mask >> b) & 1)) continue
      n += lengths[b]!
      sum += sums[b * cols + k]!
      square += squares[b * cols + k]!
    }
    const variance = square / n - (sum / n) ** 2
    return variance > 0 ? sum / n / Math.sqrt(variance) : 0
  }
  const logits: number[] = []
  const all = (1 << blocks) - 1
  for (let mask = 0; mask <= all; mask++) {
    if (bits(mask) !== blocks / 2) continue
    let winner = 0
    let best = Number.NEGATIVE_INFINITY
    for (let k = 0; k < cols; k++) {
      const value = sharpe(mask, k)
      if (value > best) {
        best = value
        winner = k
      }
    }
    const outside = sharpe(all ^ mask, winner)
    let rank = 1
    for (let k = 0; k < cols; k++) if (k !== winner && sharpe(all ^ mask, k) <= outside) rank++
    const share = rank / (cols + 1)
    logits.push(Math.log(share / (1 - share)))
  }
  return { probability: logits.filter((logit) => logit <= 0).length / logits.length, logits: Float64Array.from(logits) }
}

function bits(mask: number): number {
  let count = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++
  return count
}
