import { check, describe } from '@regimen/core'
import { lgamma } from '@regimen/core/math'
import { checkCount, toObservations } from '../observations.ts'

/** Options of {@link bayesianChangePoints}. */
export interface BayesianChangeOptions {
  /** Expected rows between changes, above 1. @default 250 */
  duration?: number
  /** Prior mean of a segment's level. @default 0 */
  mean?: number
  /** Prior rows behind the mean, above 0. @default 0.1 */
  strength?: number
  /** Shape of the gamma prior of the precision, above 0. @default 1 */
  shape?: number
  /** Rate of the gamma prior of the precision, above 0; about shape times the noise variance. @default 1 */
  rate?: number
  /** Run lengths less probable than this are dropped, so that a row costs what the rest do. From 0. @default 1e-8 */
  prune?: number
}

/** What is known at each row about the rows since the last change. */
export interface BayesianChanges {
  /** Most probable run length at each row: rows since the last change, this one included. */
  readonly runLength: Int32Array
  /** P(the last change lies at most five rows back | rows up to t). */
  readonly recent: Float64Array
  /** ln p(x_t | rows before t). */
  readonly logScore: Float64Array
}

/**
 * Tracks the distribution of the time since the last change, causally (Bayesian online change points): each run length carries
 * a normal-gamma posterior whose predictive is a Student-t; all weights are logarithms. Says how sure it is, where `openCusum`
 * only says when.
 *
 * ```ts
 * import { bayesianChangePoints } from '@regimen/regimes'
 *
 * const x = [0.1, -0.2, 0, 0.2, -0.1, 0.1, 9.1, 9, 8.8, 9.2, 9]
 * const { runLength } = bayesianChangePoints(x, { duration: 50, rate: 0.05 })
 * runLength[5] // => 6
 * runLength[10] // => 5
 * ```
 *
 * Reference: Adams and MacKay, arXiv:0710.3742 (2007); Murphy, Conjugate Bayesian analysis of the Gaussian (2007), equation 110.
 */
export function bayesianChangePoints(series: ArrayLike<number>, options: BayesianChangeOptions = {}): BayesianChanges {
  const where = 'regimes/bocpd'
  const { duration = 250, mean: m0 = 0, strength = 0.1, shape = 1, rate = 1, prune = 1e-8 } = options
  const { rows: n, data: x } = toObservations(series, where)
  check(duration > 1, where, () => `duration must be above 1, got ${describe(duration)}.`)
  for (const [name, value] of Object.entries({ strength, shape, rate }))
    check(
      value > 0 && Number.isFinite(value),
      where,
      () => `${name} must be finite and above 0, got ${describe(value)}.`,
    )
  checkCount(n, 'rows', where)
  const change = Math.log(1 / duration)
  const stay = Math.log1p(-1 / duration)
  const runLength = new Int32Array(n)
  const recent = new Float64Array(n)
  const logScore = new Float64Array(n)
  interface Hypothesis {
    length: number
    weight: number
    mean: number
    beta: number
  }
  let runs: Hypothesis[] = [{ length: 0, weight: 0, mean: m0, beta: rate }]
  for (let t = 0; t < n; t++) {
    const value = x[t]!
    let evidence = Number.NEGATIVE_INFINITY
    const grown = runs.map((run) => {
      const kappa = strength + run.length
      const alpha = shape + run.length / 2
      const scale = (run.beta * (kappa + 1)) / (alpha * kappa)
      const e = value - run.mean
      const log =
        lgamma(alpha + 0.5) -
        lgamma(alpha) -
        0.5 * Math.log(2 * alpha * Math.PI * scale) -
        (alpha + 0.5) * Math.log1p((e * e) / (2 * alpha * scale))
      const weight = run.weight + log
      evidence = logAdd(evidence, weight)
      return {
        length: run.length + 1,
        weight,
        mean: run.mean + e / (kappa + 1),
        beta: run.beta + (0.5 * kappa * e * e) / (kappa + 1),
      }
    })
    logScore[t] = evidence
    let top = grown[0]!
    for (const run of grown) {
      run.weight -= evidence
      if (run.weight > top.weight) top = run
      if (run.length <= 5) recent[t]! += Math.exp(run.weight)
    }
    runLength[t] = top.length
    const kept = grown.filter((run) => run === top || run.weight > Math.log(prune))
    for (const run of kept) run.weight += stay
    runs = [{ length: 0, weight: change, mean: m0, beta: rate }, ...kept]
  }
  return { runLength, recent, logScore }
}

function logAdd(a: number, b: number): number {
  const top = Math.max(a, b)
  return top === Number.NEGATIVE_INFINITY ? top : top + Math.log1p(Math.exp(-Math.abs(a - b)))
}
