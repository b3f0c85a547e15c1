import { check, describe } from '@regimen/core'
import { normalCdf, normalQuantile } from '@regimen/core/math'

/** What is known of a Sharpe ratio that is to be tested. Ratios are per period, not annual. */
export interface SharpeEvidence {
  /** Observed Sharpe ratio per period. */
  sharpe: number
  /** Number of returns. 2 or more. */
  count: number
  /** Skewness of the returns. @default 0 */
  skewness?: number
  /** Kurtosis of the returns (3 for a normal distribution, not the excess). @default 3 */
  kurtosis?: number
}

/** Options of {@link probabilisticSharpe}. */
export interface ProbabilisticSharpeOptions extends SharpeEvidence {
  /** Sharpe ratio per period that is to be beaten. @default 0 */
  benchmark?: number
}

/**
 * Computes the probability that the true Sharpe ratio exceeds a benchmark, given the length, skewness and kurtosis of the
 * track record: Φ((SR - SR*) √(n - 1) / √(1 - γ₃ SR + (γ₄ - 1) / 4 · SR²)). Use it for one strategy chosen in advance;
 * for the best of several use {@link deflatedSharpe}.
 *
 * ```ts
 * import { probabilisticSharpe } from '@regimen/market'
 *
 * probabilisticSharpe({ sharpe: 0.458, count: 24, skewness: -2.448, kurtosis: 10.164 }) // ≈ 0.9133610839
 * ```
 *
 * Reference: Bailey and López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15 (2012).
 */
export function probabilisticSharpe(options: ProbabilisticSharpeOptions): number {
  const where = 'market/probabilistic-sharpe'
  const { sharpe, count, skewness = 0, kurtosis = 3, benchmark = 0 } = options
  check(count >= 2, where, () => `count must be 2 or more, got ${describe(count)}.`)
  for (const [name, value] of Object.entries({ sharpe, skewness, kurtosis, benchmark })) {
    check(Number.isFinite(value), where, () => `${name} must be finite, got ${describe(value)}.`)
  }
  const spread = 1 - skewness * sharpe + ((kurtosis - 1) / 4) * sharpe * sharpe
  check(
    spread > 0,
    where,
    () => `skewness ${skewness} and kurtosis ${kurtosis} are impossible at this Sharpe ratio.`,
    'Kurtosis is at least 1 + skewness²; pass the full kurtosis, not the excess.',
  )
  return normalCdf(((sharpe - benchmark) * Math.sqrt(count - 1)) / Math.sqrt(spread))
}

/** Options of {@link deflatedSharpe}. */
export interface DeflatedSharpeOptions extends SharpeEvidence {
  /** Number of independent strategies or settings that were tried. A whole number from 1. */
  trials: number
  /** Variance of the trials' Sharpe ratios per period. 0 or more. */
  trialVariance: number
}

/**
 * Computes the deflated Sharpe ratio: {@link probabilisticSharpe} against the best ratio that luck alone would have found
 * in so many trials, SR* = √V ((1 - γ) Φ⁻¹(1 - 1/N) + γ Φ⁻¹(1 - 1/(N e))). Use it on the winner of any search; a value
 * below 0.95 is no evidence of skill at the usual level.
 *
 * Gotchas: correlated trials count as fewer; ratios are per period, so divide annual ones by √periodsPerYear and their
 * variance by periodsPerYear.
 *
 * ```ts
 * import { deflatedSharpe } from '@regimen/market'
 *
 * const { probability } = deflatedSharpe({
 *   sharpe: 2.5 / Math.sqrt(250),
 *   count: 1250,
 *   skewness: -3,
 *   kurtosis: 10,
 *   trials: 100,
 *   trialVariance: 0.5 / 250,
 * })
 * probability.toFixed(4) // => '0.9004'
 * ```
 *
 * Reference: Bailey and López de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio Management 40 (2014).
 */
export function deflatedSharpe(options: DeflatedSharpeOptions): { probability: number; expectedMaximum: number } {
  const where = 'market/deflated-sharpe'
  const { trials, trialVariance } = options
  check(trials >= 1, where, () => `trials must be 1 or more, got ${describe(trials)}.`)
  check(trialVariance >= 0, where, () => `trialVariance must be 0 or more, got ${describe(trialVariance)}.`)
  const euler = 0.5772156649015329
  const expectedMaximum =
    trials === 1
      ? 0
      : Math.sqrt(trialVariance) *
        ((1 - euler) * normalQuantile(1 - 1 / trials) + euler * normalQuantile(1 - 1 / (trials * Math.E)))
  return { probability: probabilisticSharpe({ ...options, benchmark: expectedMaximum }), expectedMaximum }
}
