import {
  check,
  createSnapshot,
  type Detector,
  describe,
  isSnapshot,
  restore,
  type Snapshot,
  schema,
} from '@regimen/core'

/** Configuration of {@link openCusum}. */
export type CusumConfig = {
  /** Level of the series while nothing has changed. */
  readonly mean: number
  /** Standard deviation of the series, above 0. */
  readonly deviation: number
  /** Slack k, in deviations: half of the shift worth noticing. From 0. @default 0.5 */
  readonly slack?: number
  /** Threshold h, in deviations, above 0; with slack 0.5, h = 5 raises a false alarm about every 465 rows. @default 5 */
  readonly threshold?: number
}

const ID = 'regimes/cusum'
const STATE = schema.object({ up: schema.number(), down: schema.number(), rows: schema.integer({ min: 0 }) })

/**
 * Opens Page's two-sided CUSUM: S⁺ ← max(0, S⁺ + z − k), S⁻ ← max(0, S⁻ − z − k) with z = (x − mean)/deviation; `update` is true
 * when either passes h, and both start anew. The quickest detector of a known shift, at constant cost; the level must be
 * known, else use `bayesianChangePoints`.
 *
 * ```ts
 * import { openCusum } from '@regimen/regimes'
 *
 * const detector = openCusum({ mean: 0, deviation: 1, threshold: 4 })
 * // A shift of 2 adds 1.5 a row: 1.5, 3, 4.5.
 * Array.from([0, 0, 2, 2, 2], (x) => detector.update(x)) // => [false, false, false, false, true]
 * ```
 *
 * Reference: Page, Biometrika 41 (1954); Montgomery, Introduction to Statistical Quality Control, table 9.3 for run lengths.
 */
export function openCusum(from: CusumConfig | Snapshot): Detector {
  const saved = isSnapshot(from) ? restore(from, { id: ID, version: 1, config: schema.any(), state: STATE }) : undefined
  const config = (saved?.config ?? from) as CusumConfig
  const { mean, deviation, slack = 0.5, threshold = 5 } = config
  check(Number.isFinite(mean), ID, () => `mean must be finite, got ${describe(mean)}.`)
  check(deviation > 0 && Number.isFinite(deviation), ID, () => `deviation must be above 0, got ${describe(deviation)}.`)
  check(
    slack >= 0 && threshold > 0,
    ID,
    () => `slack must be at least 0 and threshold above 0, got ${slack}, ${threshold}.`,
  )
  let { up, down, rows } = saved?.state ?? { up: 0, down: 0, rows: 0 }
  return {
    update(x) {
      check(Number.isFinite(x), ID, () => `a row must be finite, got ${describe(x)}.`, 'Leave missing rows out.')
      const z = (x - mean) / deviation
      up = Math.max(0, up + z - slack)
      down = Math.max(0, down - z - slack)
      rows++
      if (up <= threshold && down <= threshold) return false
      up = 0
      down = 0
      return true
    },
    snapshot: () => createSnapshot({ id: ID, version: 1, config: { ...config }, state: { up, down, rows } }),
  }
}
