import { check, describe } from '@regimen/core'

/** A quadratic penalty on the parameters: (λ / 2) Σ Ωᵢ (θᵢ − θ*ᵢ)². */
export interface QuadraticPenalty {
  /** Ω, at least 0. */
  readonly importance: Float64Array
  /** θ*. */
  readonly anchor: Float64Array
}

/** How {@link consolidate} joins what is to be protected. */
export interface ConsolidateOptions {
  /** Importance of each parameter for the task just learned, at least 0. */
  importance: ArrayLike<number>
  /** The parameters after it. */
  params: ArrayLike<number>
  /**
   * `separate` keeps the pull of every task to its own parameters; `latest` pulls with all importance to the latest.
   * @default 'separate'
   */
  anchors?: 'separate' | 'latest'
  /** Share γ of the old importance that remains, 0 to 1. @default 1 */
  decay?: number
  /** Protects each parameter by this factor, at least 0: 0 leaves it free for later tasks. @default all 1 */
  mask?: ArrayLike<number>
}

/**
 * Adds a task to a quadratic penalty. A sum of quadratic penalties is one: Σₖ Fₖ (θ − θₖ)² = F (θ − θ̄)² + constant with
 * F = Σ Fₖ and θ̄ = Σ Fₖ θₖ / F. So separate anchors for a thousand tasks take two vectors, and the time of one. Importances
 * come from {@link fisherDiagonal}, {@link openPathIntegral} or {@link outputSensitivity}.
 *
 * ```ts
 * import { consolidate } from '@regimen/continual'
 *
 * const first = consolidate(undefined, { importance: [1], params: [0] })
 * const both = consolidate(first, { importance: [3], params: [4] })
 * both.importance // => [4]
 * both.anchor // => [3]
 * consolidate(first, { importance: [3], params: [4], anchors: 'latest', decay: 0.5 }).importance // => [3.5]
 * ```
 *
 * References: Kirkpatrick et al. 2017 (separate anchors); Huszár 2018 (their sum); Schwarz et al. 2018 (online, γ).
 */
export function consolidate(penalty: QuadraticPenalty | undefined, options: ConsolidateOptions): QuadraticPenalty {
  const { importance, params, anchors = 'separate', decay = 1, mask } = options
  const where = 'continual/consolidate'
  const size = params.length
  check(importance.length === size, where, () => `importance must hold ${size} numbers, got ${importance.length}.`)
  check(mask === undefined || mask.length === size, where, () => `mask must hold ${size} numbers, got ${mask?.length}.`)
  check(
    penalty === undefined || penalty.anchor.length === size,
    where,
    () => `the penalty is of ${penalty?.anchor.length} parameters, not ${size}.`,
  )
  check(decay >= 0 && decay <= 1, where, () => `decay must lie from 0 to 1, got ${describe(decay)}.`)
  const next = { importance: new Float64Array(size), anchor: new Float64Array(size) }
  for (let i = 0; i < size; i++) {
    const fresh = importance[i]! * (mask?.[i] ?? 1)
    check(
      fresh >= 0 && fresh < Number.POSITIVE_INFINITY,
      where,
      () => `importance must be finite and at least 0, got ${fresh} at ${i}.`,
    )
    const old = decay * (penalty?.importance[i] ?? 0)
    const total = old + fresh
    next.importance[i] = total
    next.anchor[i] =
      anchors === 'latest' || total === 0 ? params[i]! : (old * (penalty?.anchor[i] ?? 0) + fresh * params[i]!) / total
  }
  return next
}

/** What {@link suggestLambda} weighs against each other. */
export interface LambdaData {
  /** Importance of the parameters for the old tasks. */
  old: ArrayLike<number>
  /** Curvature (Fisher diagonal) of the new task at the anchor. */
  new: ArrayLike<number>
  /** Gradient of the new task's loss at the anchor. */
  gradient: ArrayLike<number>
  /** By how much the old loss may rise, in units of the loss, > 0. @default 0.02 */
  tolerance?: number
}

/**
 * Suggests λ from data: the smallest for which the quadratic model predicts that learning the new task raises the old loss by
 * no more than the tolerance. The new optimum lies at Δ = −g / (F_new + λ F_old), the old loss rises by ½ Σ F_old Δ². A start
 * for a search, since a diagonal sees neither correlations nor the way to the optimum.
 *
 * ```ts
 * import { suggestLambda } from '@regimen/continual'
 *
 * // ½ / (1 + λ)² = 0.02 at λ = 4
 * suggestLambda({ old: [1], new: [1], gradient: [1], tolerance: 0.02 }) // ≈ 4
 * ```
 */
export function suggestLambda(data: LambdaData): number {
  const { old, new: fresh, gradient, tolerance = 0.02 } = data
  const where = 'continual/suggest-lambda'
  check(tolerance > 0, where, () => `tolerance must be above 0, got ${describe(tolerance)}.`)
  check(
    old.length === fresh.length && old.length === gradient.length,
    where,
    () => `old, new and gradient must be of one length, got ${old.length}, ${fresh.length} and ${gradient.length}.`,
  )
  const rise = (lambda: number): number => {
    let sum = 0
    for (let i = 0; i < old.length; i++) {
      const curvature = fresh[i]! + lambda * old[i]!
      if (old[i]! > 0 && gradient[i] !== 0) sum += 0.5 * old[i]! * (gradient[i]! / curvature) ** 2
    }
    return sum
  }
  if (rise(0) <= tolerance) return 0
  let high = 1
  while (rise(high) > tolerance && high < 1e30) high *= 2
  let low = 0
  for (let k = 0; k < 100 && high - low > 1e-12 * high; k++) {
    const middle = (low + high) / 2
    if (rise(middle) > tolerance) low = middle
    else high = middle
  }
  return high
}
