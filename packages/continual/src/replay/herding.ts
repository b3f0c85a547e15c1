import { check, describe } from '@regimen/core'

/** Features of the candidates, row-major. */
export interface SelectionOptions {
  /** Numbers in a row of features, ≥ 1. */
  width: number
  /** How many rows to select, from 1 to all. */
  count: number
}

/**
 * Selects rows whose mean stays as near as possible to the mean of all: each next row is the one that brings the mean of
 * those selected nearest to it. The order matters, since any beginning of the list is a good selection too. Use features of
 * the net's last hidden layer. For a selection that covers the corners instead, take {@link kCenterSelection}.
 *
 * ```ts
 * import { herdingSelection } from '@regimen/continual'
 *
 * // the mean is 4; then 4 and 3 average 3.5, nearer to it than 4 and 8 (6) or 4 and 1 (2.5)
 * herdingSelection([1, 3, 4, 8], { width: 1, count: 2 }) // => [2, 1]
 * ```
 *
 * References: Welling 2009; Rebuffi et al. 2017 (iCaRL), algorithm 4.
 */
export function herdingSelection(features: ArrayLike<number>, options: SelectionOptions): Int32Array {
  const { width, count } = options
  const rows = checkSelection('continual/herding-selection', features, options)
  const mean = new Float64Array(width)
  for (let i = 0; i < features.length; i++) mean[i % width]! += features[i]! / rows
  const sum = new Float64Array(width)
  const taken = new Uint8Array(rows)
  const selected = new Int32Array(count)
  for (let k = 0; k < count; k++) {
    let best = Number.POSITIVE_INFINITY
    let at = -1
    for (let i = 0; i < rows; i++) {
      if (taken[i]) continue
      let distance = 0
      for (let j = 0; j < width; j++) distance += (mean[j]! - (sum[j]! + features[i * width + j]!) / (k + 1)) ** 2
      if (distance < best) {
        best = distance
        at = i
      }
    }
    taken[at] = 1
    selected[k] = at
    for (let j = 0; j < width; j++) sum[j]! += features[at * width + j]!
  }
  return selected
}

/**
 * Selects rows that cover the data: beginning with the row nearest to the mean, each next one is farthest from all selected
 * (the greedy k-center rule, within a factor of two of the best cover). Outliers are selected early; {@link herdingSelection}
 * is not moved by them.
 *
 * ```ts
 * import { kCenterSelection } from '@regimen/continual'
 *
 * kCenterSelection([0, 4, 5, 10], { width: 1, count: 3 }) // => [2, 0, 3]
 * ```
 *
 * References: Gonzalez 1985; Sener and Savarese 2018.
 */
export function kCenterSelection(features: ArrayLike<number>, options: SelectionOptions): Int32Array {
  const { width, count } = options
  const rows = checkSelection('continual/k-center-selection', features, options)
  const selected = new Int32Array(count)
  selected[0] = herdingSelection(features, { width, count: 1 })[0]!
  const nearest = new Float64Array(rows).fill(Number.POSITIVE_INFINITY)
  for (let k = 1; k <= count; k++) {
    const last = selected[k - 1]! * width
    nearest[selected[k - 1]!] = -1
    let farthest = -1
    for (let i = 0; i < rows; i++) {
      let distance = 0
      for (let j = 0; j < width; j++) distance += (features[i * width + j]! - features[last + j]!) ** 2
      if (distance < nearest[i]!) nearest[i] = distance
      if (farthest < 0 || nearest[i]! > nearest[farthest]!) farthest = i
    }
    if (k < count) selected[k] = farthest
  }
  return selected
}

function checkSelection(where: string, features: ArrayLike<number>, { width, count }: SelectionOptions): number {
  check(Number.isInteger(width) && width >= 1, where, () => `width must be an integer from 1, got ${describe(width)}.`)
  const rows = features.length / width
  check(
    Number.isInteger(rows) && rows >= 1,
    where,
    () => `features must hold whole rows of ${width}, got ${features.length} numbers.`,
  )
  check(
    Number.isInteger(count) && count >= 1 && count <= rows,
    where,
    () => `count must be an integer from 1 to the ${rows} rows, got ${describe(count)}.`,
  )
  for (let i = 0; i < features.length; i++) {
    check(Number.isFinite(features[i]!), where, () => `features must be finite, got ${features[i]} at ${i}.`)
  }
  return rows
}
