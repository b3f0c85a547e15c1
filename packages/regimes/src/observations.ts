import { check, describe } from '@regimen/core'
import { type Dense, type MatrixLike, toMatrix, type VectorLike } from '@regimen/core/math'

/** What the models take: a plain series (one column), rows, a `Dense` or ml-matrix's `Matrix`. */
export type Observations = VectorLike | MatrixLike

/** A float64 array in a model's plain data. */
export type Float64Leaf = { readonly dtype: 'float64'; readonly shape: readonly number[]; readonly data: Float64Array }

/** Turns observations into rows; a NaN is refused unless it may mean "missing", an infinity always. */
export function toObservations(from: Observations, where: string, missing = false): Dense {
  const dense = toDense(from, where)
  const { rows, cols, data } = dense
  check(rows > 0 && cols > 0, where, () => `there must be observations, got ${rows} rows of ${cols} numbers.`)
  // One sum tells of any NaN or infinity; only then is the culprit looked for.
  let sum = 0
  for (let i = 0; i < data.length; i++) sum += data[i]! * 0
  if (sum === 0) return dense
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!
    if (Number.isFinite(value) || (missing && Number.isNaN(value))) continue
    check(
      false,
      where,
      () => `observations must be finite, got ${value} in row ${Math.floor(i / cols)}, column ${i % cols}.`,
      missing ? 'Mark missing values with NaN.' : 'Drop or repair these rows first.',
    )
  }
  return dense
}

function toDense(from: Observations, where: string): Dense {
  check(from !== null && typeof from === 'object', where, () => `observations must be numbers, got ${describe(from)}.`)
  if ('data' in from || 'to1DArray' in from) return toMatrix(from, where)
  if (from.length === 0 || typeof from[0] !== 'number') return toMatrix(from as MatrixLike, where)
  return { rows: from.length, cols: 1, data: Float64Array.from(from as ArrayLike<number>) }
}

/** Mean and variance of every column over the rows without NaN. A constant column gets a tiny variance instead of none. */
export function columnScales(x: Dense): { means: Float64Array; variances: Float64Array; constant: number[] } {
  const { rows, cols, data } = x
  const means = new Float64Array(cols)
  const variances = new Float64Array(cols)
  const constant: number[] = []
  for (let j = 0; j < cols; j++) {
    let n = 0
    let mean = 0
    let square = 0
    for (let t = 0; t < rows; t++) {
      const value = data[t * cols + j]!
      if (Number.isNaN(value)) continue
      n++
      const delta = value - mean
      mean += delta / n
      square += delta * (value - mean)
    }
    means[j] = mean
    variances[j] = n > 0 ? square / n : 0
    if (!(variances[j]! > 1e-28 * Math.max(1e-200, mean * mean))) {
      variances[j] = Math.max(1e-12, 1e-12 * mean * mean)
      constant.push(j)
    }
  }
  return { means, variances, constant }
}

/** Checks a whole number in a range at the door. */
export function checkCount(value: number, name: string, where: string, low = 1, high: number = 1e9): void {
  check(
    Number.isInteger(value) && value >= low && value <= high,
    where,
    () => `${name} must be an integer from ${low} to ${high}, got ${describe(value)}.`,
  )
}
