/** A box around the best point, as the history of evaluations leaves it. */
export interface TrustRegion {
  /** First row that belongs to the present box; those before it led to a box that shrank to nothing. */
  readonly from: number
  readonly center: readonly number[]
  /** Side in units of the cube, before the scaling by length scales. */
  readonly side: number
  box(lengthscales: Float64Array): { lower: Float64Array; upper: Float64Array }
}

const FIRST_SIDE = 0.8
const LEAST_SIDE = 2 ** -7

/**
 * Replays TuRBO's rule over the losses in order: after three improvements in a row (by a thousandth) the side doubles up to 1.6,
 * after max(4, d) misses it halves; below 2⁻⁷ a new box begins with what comes next.
 */
export function createRegion(x: readonly (readonly number[])[], y: readonly number[], startup: number): TrustRegion {
  const d = x[0]?.length ?? 0
  const patience = Math.max(4, d)
  let from = 0
  let best = 0
  let side = FIRST_SIDE
  let successes = 0
  let failures = 0
  for (let i = 1; i < y.length; i++) {
    if (i < from + startup) {
      if (y[i]! < y[best]!) best = i
      continue
    }
    if (y[i]! < y[best]! - 1e-3 * Math.abs(y[best]!)) {
      successes++
      failures = 0
    } else {
      failures++
      successes = 0
    }
    if (y[i]! < y[best]!) best = i
    if (successes === 3) {
      side = Math.min(2 * side, 1.6)
      successes = 0
    } else if (failures === patience) {
      side /= 2
      failures = 0
    }
    // A fresh box needs data of its own before it may forget the old ones.
    if (side < LEAST_SIDE && i + startup < y.length) {
      from = i + 1
      best = from
      side = FIRST_SIDE
    }
  }
  const center = x[best]!
  return {
    from,
    center,
    side: Math.max(side, LEAST_SIDE),
    box(lengthscales) {
      let logMean = 0
      for (const l of lengthscales) logMean += Math.log(l) / d
      const lower = new Float64Array(d)
      const upper = new Float64Array(d)
      for (let j = 0; j < d; j++) {
        const half = 0.5 * Math.max(side, LEAST_SIDE) * (lengthscales[j]! / Math.exp(logMean))
        lower[j] = Math.max(0, center[j]! - half)
        upper[j] = Math.min(1, center[j]! + half)
      }
      return { lower, upper }
    },
  }
}
