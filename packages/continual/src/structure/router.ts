import { createRng } from '@regimen/core'
import {
  addCovariance,
  cholesky,
  covarianceOf,
  createCovariance,
  mahalanobisBatch,
  type RunningCovariance,
} from '@regimen/core/math'

/** Where the inputs of a task lie. */
export type Place = RunningCovariance

/** Tells by an input alone to which of several places it belongs. */
export interface Router {
  /** Numbers to which an input is projected. */
  readonly size: number
  readonly bytes: number
  readonly bytesPerPlace: number
  placeOf(x: ArrayLike<number>, rows: ArrayLike<number>): Place
  /** For each row the number of the place with the highest density. */
  route(x: ArrayLike<number>, places: readonly Place[]): Int32Array
}

/** Share of the mean variance that is added to every variance, so that what never moved in training is no proof against a place. */
const RIDGE = 0.05

/** Opens a router: random projections, the same for all places, and a Gaussian for each place over them. */
export function openRouter(options: {
  readonly width: number
  readonly embedding: number
  readonly seed: string
}): Router {
  const { width, embedding } = options
  const whole = embedding >= width
  const size = whole ? width : embedding
  const matrix = createRng(options.seed).fillNormal(new Float64Array(whole ? 0 : width * size), 0, 1 / Math.sqrt(width))
  const project = (x: ArrayLike<number>, row: number, out: Float64Array): void => {
    if (whole) {
      for (let j = 0; j < width; j++) out[j] = x[row * width + j]!
      return
    }
    out.fill(0)
    for (let i = 0; i < width; i++) {
      const value = x[row * width + i]!
      if (value === 0) continue
      for (let j = 0; j < size; j++) out[j]! += value * matrix[i * size + j]!
    }
  }
  const factorOf = (place: Place): ReturnType<typeof cholesky> => {
    const { data } = covarianceOf(place, 0)
    let ridge = 0
    for (let j = 0; j < size; j++) ridge += (RIDGE * data[j * size + j]!) / size
    for (let j = 0; j < size; j++) data[j * size + j]! += ridge + 1e-9
    return cholesky({ rows: size, cols: size, data })
  }
  return {
    size,
    bytes: matrix.byteLength,
    bytesPerPlace: 8 * (size * size + size + 1) + 4,
    placeOf(x, rows) {
      const place = createCovariance(size)
      const out = new Float64Array(size)
      for (let i = 0; i < rows.length; i++) {
        project(x, rows[i]!, out)
        addCovariance(place, out)
      }
      return place
    },
    route(x, places) {
      const n = x.length / width
      const points = new Float64Array(n * size)
      for (let i = 0; i < n; i++) project(x, i, points.subarray(i * size, (i + 1) * size))
      const best = new Int32Array(n)
      const least = new Float64Array(n).fill(Number.POSITIVE_INFINITY)
      const distances = new Float64Array(n)
      for (const [k, place] of places.entries()) {
        const factor = factorOf(place)
        mahalanobisBatch({ rows: n, cols: size, data: points }, place.mean, factor, distances)
        for (let i = 0; i < n; i++) {
          const score = distances[i]! + factor.logDet
          if (score < least[i]!) {
            least[i] = score
            best[i] = k
          }
        }
      }
      return best
    },
  }
}
