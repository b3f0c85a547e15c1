import type { Dimension, Rng } from '@regimen/core'
import { lbfgs } from '@regimen/core/math'
import { fromUnit, toUnit } from '../space.ts'
import type { Acquisition } from './acquisition.ts'
import type { GaussianProcess } from './gaussian-process.ts'
import type { TrustRegion } from './trust-region.ts'

/** One column of the model. */
export interface Coordinate {
  readonly name: string
  readonly dimension: Dimension
  readonly levels: number
}

/** Puts grid coordinates on their grid. */
function snap(space: readonly Coordinate[], point: Float64Array): void {
  for (const [j, { dimension, levels }] of space.entries())
    if (Number.isFinite(levels)) point[j] = toUnit(dimension, fromUnit(dimension, point[j]!))
}

/**
 * The point of largest acquisition: many draws, the best of them climbed, grids then tried value by value. `merit` says how bad each row of
 * the model is, so that draws are made around the best ones too.
 */
export function maximize(
  acquisition: Acquisition,
  space: readonly Coordinate[],
  model: GaussianProcess,
  merit: readonly number[],
  rng: Rng,
  options: { readonly region: TrustRegion | undefined; readonly repeats: boolean },
): Float64Array {
  const { region, repeats } = options
  const d = space.length
  // Without noise a second evaluation of a point teaches nothing, however good the model finds it.
  const known = new Set(Array.from({ length: model.n }, (_, i) => model.x.subarray(i * d, (i + 1) * d).join()))
  const box = region?.box(model.lengthscales)
  const lower = box?.lower ?? new Float64Array(d)
  const upper = box?.upper ?? new Float64Array(d).fill(1)
  const order = Array.from(merit.keys()).sort((a, b) => merit[a]! - merit[b]!)
  const draws: { point: Float64Array; value: number }[] = []
  const consider = (point: Float64Array): void => {
    for (let j = 0; j < d; j++) point[j] = Math.min(Math.max(point[j]!, lower[j]!), upper[j]!)
    snap(space, point)
    if (repeats || !known.has(point.join())) draws.push({ point, value: acquisition.evaluate(point) })
  }
  for (let k = 0; k < 300; k++) {
    const point = new Float64Array(d)
    for (let j = 0; j < d; j++) point[j] = rng.uniform(lower[j], upper[j])
    consider(point)
  }
  // Starts everywhere, or the climb would never leave the basin of the best point.
  const everywhere = [...draws].sort((a, b) => b.value - a.value).slice(0, 4)
  for (let k = 0; k < 100; k++) {
    // Around the best points, a few coordinates at a time where there are many.
    const center = order[rng.int(0, Math.min(5, order.length))]!
    const share = Math.min(1, 10 / d)
    const width = 10 ** rng.uniform(-3, -0.7)
    const point = Float64Array.from(model.x.subarray(center * d, center * d + d))
    for (let j = 0; j < d; j++) {
      if (rng.uniform() > share) continue
      point[j] =
        Number.isFinite(space[j]!.levels) && rng.uniform() < 0.5 ? rng.uniform() : point[j]! + width * rng.normal()
    }
    consider(point)
  }
  draws.sort((a, b) => b.value - a.value)
  // All grid points taken: repeat the best.
  let best = draws[0] ?? { point: Float64Array.from(model.x.subarray(0, d)), value: Number.NEGATIVE_INFINITY }
  for (const { point } of new Set([...draws.slice(0, 3), ...everywhere])) {
    const low = Float64Array.from(lower)
    const high = Float64Array.from(upper)
    for (let j = 0; j < d; j++) if (Number.isFinite(space[j]!.levels)) low[j] = high[j] = point[j]!
    const climbed = lbfgs(
      (x, gradient) => {
        const value = -acquisition.evaluate(x, gradient)
        for (let j = 0; j < d; j++) gradient[j] = -gradient[j]!
        return value
      },
      point,
      { lower: low, upper: high, maxIterations: 50, gradientTolerance: 1e-4, valueTolerance: 1e-8 },
    )
    const refined = improveGrid(acquisition, space, climbed.x, -climbed.value, rng)
    if (refined.value > best.value && (repeats || !known.has(refined.point.join()))) best = refined
  }
  return best.point
}

/** Coordinate descent over the parameters with a finite number of values. */
function improveGrid(
  acquisition: Acquisition,
  space: readonly Coordinate[],
  start: Float64Array,
  startValue: number,
  rng: Rng,
): { point: Float64Array; value: number } {
  const point = Float64Array.from(start)
  let value = startValue
  for (const [j, { levels, dimension }] of space.entries()) {
    if (!Number.isFinite(levels)) continue
    const kept = point[j]!
    let bestHere = kept
    const tries = Math.min(levels, 24)
    for (let k = 0; k < tries; k++) {
      const u = levels <= 24 ? (k + 0.5) / levels : k < 12 ? kept + (k - 5.5) / levels : rng.uniform()
      point[j] = toUnit(dimension, fromUnit(dimension, Math.min(Math.max(u, 0), 1)))
      const here = acquisition.evaluate(point)
      if (here > value) {
        value = here
        bestHere = point[j]!
      }
    }
    point[j] = bestHere
  }
  return { point, value }
}
