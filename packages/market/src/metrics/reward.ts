import { check, describe } from '@regimen/core'

/** Options of {@link openReward}. */
export interface RewardOptions {
  /** Whose increments are paid: of the Sharpe ratio, of the Sortino ratio, or the plain return. @default 'sharpe' */
  ratio?: 'sharpe' | 'sortino' | 'return'
  /** Weight of the newest return in the running moments. Above 0 and below 1. @default 0.01 */
  rate?: number
  /** Charged for each unit by which the drawdown deepens. 0 or more. @default 0 */
  drawdownPenalty?: number
  /** Charged for the square of exposure beyond `leverageLimit`. 0 or more. @default 0 */
  leveragePenalty?: number
  /** Exposure that is free of charge, as a fraction of equity. 0 or more. @default 1 */
  leverageLimit?: number
}

/** Where a reward function stands: plain data. */
export interface RewardState {
  /** Running mean of returns. */
  readonly mean: number
  /** Running mean of squared returns, or of squared losses for Sortino. */
  readonly second: number
  readonly equity: number
  readonly peak: number
  readonly count: number
}

/** A running reward function. */
export interface Reward {
  /** Takes the return of one bar and the exposure held over it, and pays for them. */
  update(simpleReturn: number, exposure?: number): number
  /** The state from which `openReward(options, state)` continues identically. */
  state(): RewardState
}

/**
 * Opens a risk-adjusted reward for learners, one bar at a time: the increment of an exponentially weighted Sharpe ratio
 * (Moody and Saffell's differential Sharpe ratio, D = (B ΔA - ½ A ΔB) / (B - A²)^{3/2} with A, B the moments before the
 * bar) or of the Sortino ratio, less penalties for a deepening drawdown and for leverage. Summed over an episode the
 * increments tell nearly what the ratio tells at its end, but they say at every bar which action earned it.
 *
 * Gotchas: the first bar only starts the moments and pays 0 before penalties; while the moments show no variation yet the
 * increment is 0 too; the Sharpe increment can punish a very large gain, the Sortino increment never does.
 *
 * ```ts
 * import { openReward } from '@regimen/market'
 *
 * const reward = openReward({ ratio: 'return', drawdownPenalty: 2 })
 * reward.update(0.1) // => 0.1
 * reward.update(-0.05) // ≈ -0.15
 * ```
 *
 * Reference: Moody and Saffell, "Learning to Trade via Direct Reinforcement", IEEE Transactions on Neural Networks 12
 * (2001).
 */
export function openReward(options: RewardOptions = {}, from?: RewardState): Reward {
  const where = 'market/reward'
  const { ratio = 'sharpe', rate = 0.01, drawdownPenalty = 0, leveragePenalty = 0, leverageLimit = 1 } = options
  check(
    ratio === 'sharpe' || ratio === 'sortino' || ratio === 'return',
    where,
    () => `ratio must be "sharpe", "sortino" or "return", got ${describe(ratio)}.`,
  )
  check(rate > 0 && rate < 1, where, () => `rate must lie between 0 and 1, got ${describe(rate)}.`)
  for (const [name, value] of Object.entries({ drawdownPenalty, leveragePenalty, leverageLimit })) {
    check(value >= 0 && value < Infinity, where, () => `${name} must be 0 or more, got ${describe(value)}.`)
  }
  let { mean, second, equity, peak, count } = from ?? { mean: 0, second: 0, equity: 1, peak: 1, count: 0 }

  const increment = (r: number): number => {
    if (ratio === 'return') return r
    const square = ratio === 'sharpe' || r < 0 ? r * r : 0
    const beforeMean = mean
    const beforeSecond = second
    const weight = count === 0 ? 1 : rate
    mean += weight * (r - mean)
    second += weight * (square - second)
    if (count === 0) return 0
    const deltaMean = r - beforeMean
    if (ratio === 'sharpe') {
      const variance = beforeSecond - beforeMean * beforeMean
      if (variance <= 1e-12 * beforeSecond) return 0
      return (beforeSecond * deltaMean - 0.5 * beforeMean * (square - beforeSecond)) / variance ** 1.5
    }
    if (beforeSecond === 0) return 0
    const downside = Math.sqrt(beforeSecond)
    if (r > 0) return (r - 0.5 * beforeMean) / downside
    return (beforeSecond * (r - 0.5 * beforeMean) - 0.5 * beforeMean * square) / downside ** 3
  }

  return {
    update(simpleReturn, exposure = 0) {
      const paid = increment(simpleReturn)
      const before = 1 - equity / peak
      equity *= 1 + simpleReturn
      if (equity > peak) peak = equity
      const deeper = Math.max(0, 1 - equity / peak - before)
      const excess = Math.max(0, Math.abs(exposure) - leverageLimit)
      count++
      return paid - drawdownPenalty * deeper - leveragePenalty * excess * excess
    },
    state: () => ({ mean, second, equity, peak, count }),
  }
}
