import { type ArrayLeaf, arrayLeaf, check, createSnapshot, describe, type Snapshot } from '@regimen/core'
import type { FeatureTable } from './features/feature-set.ts'

/** Options of {@link fitScaler}. */
export interface ScalerOptions {
  /**
   * Rows [start, end) that the scaler may look at: the training part. There is no default, so that nobody fits on the test
   * part by accident. Rows with a NaN (the warm-up) are left out.
   */
  train: { readonly start: number; readonly end: number }
  /**
   * `standard`: mean and standard deviation. `robust`: median and interquartile range / 1.349 (the standard deviation of a
   * Gaussian), for features with outliers.
   * @default 'standard'
   */
  method?: 'standard' | 'robust' | undefined
  /**
   * Largest absolute value that comes out, in standard deviations.
   * @default 10
   */
  clip?: number | undefined
}

/** A fitted scaler: plain data. */
export type ScalerModel = Snapshot<
  { readonly center: ArrayLeaf<'float64'>; readonly scale: ArrayLeaf<'float64'>; readonly rows: number },
  { readonly names: readonly string[]; readonly method: string; readonly clip: number }
>

const WHERE = 'market/scaler'
const ID = 'market/scaler'
const VERSION = 1

/**
 * Fits the scale of every feature on the training rows only. A feature that does not vary there gets scale 1, so it
 * comes out as its distance from that constant. The model is a snapshot: store it beside the learner, and scale live rows with
 * the same numbers.
 *
 * ```ts
 * import { fitScaler, scaleFeatures } from '@regimen/market'
 *
 * const table = { time: Float64Array.of(0, 1, 2), names: ['a'], columns: [Float64Array.of(1, 3, 9)], ready: 0 }
 * const scaler = fitScaler(table, { train: { start: 0, end: 2 } })
 * Array.from(scaleFeatures(scaler, table)) // => [-1, 1, 7]
 * ```
 */
export function fitScaler(table: FeatureTable, options: ScalerOptions): ScalerModel {
  const { train, method = 'standard', clip = 10 } = options
  const rows = table.time.length
  check(
    train !== undefined &&
      Number.isInteger(train.start) &&
      train.start >= 0 &&
      train.end > train.start &&
      train.end <= rows,
    WHERE,
    () => `train must be rows { start, end } within ${rows}, got ${describe(train)} ${train?.start}, ${train?.end}.`,
  )
  check(
    method === 'standard' || method === 'robust',
    WHERE,
    () => `method must be 'standard' or 'robust', got ${describe(method)}.`,
  )
  check(clip > 0, WHERE, () => `clip must be positive (Infinity for none), got ${describe(clip)}.`)
  const usable: number[] = []
  for (let i = train.start; i < train.end; i++) {
    if (table.columns.every((column) => Number.isFinite(column[i]!))) usable.push(i)
  }
  check(
    usable.length >= 2,
    WHERE,
    () => `${usable.length} training row(s) have every feature.`,
    `The features are warm from row ${table.ready} on.`,
  )
  const width = table.names.length
  const center = new Float64Array(width)
  const scale = new Float64Array(width)
  const values = new Float64Array(usable.length)
  for (let k = 0; k < width; k++) {
    for (let i = 0; i < usable.length; i++) values[i] = table.columns[k]![usable[i]!]!
    const [middle, spread] = method === 'standard' ? meanAndDeviation(values) : medianAndRange(values)
    center[k] = middle
    // Rounding leaves a constant column a deviation of about 1e-16 of its level.
    scale[k] = spread > 1e-12 * Math.max(Math.abs(middle), 1e-300) ? spread : 1
  }
  return createSnapshot({
    id: ID,
    version: VERSION,
    config: { names: [...table.names], method, clip },
    state: {
      center: arrayLeaf('float64', [width], center),
      scale: arrayLeaf('float64', [width], scale),
      rows: usable.length,
    },
  })
}

/**
 * Scales a table, or one live row, with a fitted scaler: (x − center) / scale, held within ±clip. This is the one place where
 * float64 becomes float32; the result is row-major, rows × features, ready for a tensor. A NaN of the warm-up stays NaN: begin
 * at `table.ready`.
 *
 * ```ts
 * import { fitScaler, scaleFeatures } from '@regimen/market'
 *
 * const table = { time: Float64Array.of(0, 1), names: ['a'], columns: [Float64Array.of(1, 3)], ready: 0 }
 * const scaler = fitScaler(table, { train: { start: 0, end: 2 } })
 * Array.from(scaleFeatures(scaler, Float64Array.of(4))) // => [2]
 * ```
 */
export function scaleFeatures(scaler: ScalerModel, features: FeatureTable | Float64Array): Float32Array {
  check(
    scaler?.id === ID && scaler.version === VERSION,
    WHERE,
    () => `the scaler must come from fitScaler, got ${describe(scaler)}.`,
  )
  const { names, clip } = scaler.config
  const center = scaler.state.center.data
  const scale = scaler.state.scale.data
  const width = names.length
  if (features instanceof Float64Array) {
    check(
      features.length === width,
      WHERE,
      () => `the row has ${features.length} features where the scaler has ${width}.`,
    )
    const out = new Float32Array(width)
    for (let k = 0; k < width; k++) out[k] = bounded((features[k]! - center[k]!) / scale[k]!, clip)
    return out
  }
  check(
    features.names.length === width && features.names.every((name, k) => name === names[k]),
    WHERE,
    () => 'the names of the table are not those that the scaler was fitted on.',
  )
  const rows = features.time.length
  const out = new Float32Array(rows * width)
  // In blocks, so that the rows being written stay in the cache while the columns pass.
  for (let begin = 0; begin < rows; begin += 256) {
    const end = Math.min(begin + 256, rows)
    for (let k = 0; k < width; k++) {
      const column = features.columns[k]!
      const middle = center[k]!
      const spread = scale[k]!
      for (let i = begin, at = begin * width + k; i < end; i++, at += width) {
        out[at] = bounded((column[i]! - middle) / spread, clip)
      }
    }
  }
  return out
}

function bounded(x: number, clip: number): number {
  return x > clip ? clip : Math.max(x, -clip)
}

function meanAndDeviation(values: Float64Array): [number, number] {
  let sum = 0
  for (const value of values) sum += value
  const mean = sum / values.length
  let squares = 0
  for (const value of values) squares += (value - mean) ** 2
  return [mean, Math.sqrt(squares / values.length)]
}

function medianAndRange(values: Float64Array): [number, number] {
  const sorted = values.sort()
  return [quantile(sorted, 0.5), (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 1.3489795003921634]
}

function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1)
  const low = Math.floor(at)
  const high = Math.min(low + 1, sorted.length - 1)
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!)
}
