import { check, describe, Rng } from '@regimen/core'
import { toUnit } from '../space.ts'
import type { Study } from '../study.ts'

/** Options of {@link importance}. */
export interface ImportanceOptions {
  /** Regression trees. @default 48 */
  trees?: number
  /** @default 0 */
  seed?: number | string
}

interface Leaf {
  readonly low: Float64Array
  readonly high: Float64Array
  readonly value: number
}

/**
 * Measures how much of the objective's variance each parameter explains by itself (fANOVA): fits a forest of regression trees to the complete
 * trials, integrates it exactly over all other parameters, and compares the variance of what remains with the whole. Shares sum to at
 * most 1; what is missing is interactions. Names come in order of importance. Parameters that not every trial has count as the middle of their
 * range where they are absent.
 *
 * ```ts
 * import { importance, openStudy, randomSampler } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', sampler: randomSampler(), seed: 1 })
 * await study.optimize((t) => 3 * t.float('big', 0, 1) + 0.3 * t.float('small', 0, 1) + 0 * t.float('none', 0, 1), { trials: 150 })
 * const shares = importance(study)
 * Object.keys(shares)[0] // => 'big'
 * shares.big! > 0.9 // => true
 * ```
 *
 * Reference: F. Hutter, H. Hoos & K. Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML 2014.
 */
export function importance(study: Study, options: ImportanceOptions = {}): { readonly [name: string]: number } {
  const { trees = 48, seed = 0 } = options
  const where = 'bayes/importance'
  check(Number.isInteger(trees) && trees >= 1, where, () => `trees must be from 1, got ${describe(trees)}.`)
  const space = [...study.space]
  const trials = study.completed
  check(trials.length >= 4, where, () => `needs at least 4 complete trials, got ${trials.length}.`)
  const d = space.length
  const x = trials.map(({ params }) =>
    Float64Array.from(space, ([name, dimension]) =>
      params[name] === undefined ? 0.5 : Math.min(Math.max(toUnit(dimension, params[name]), 0), 1),
    ),
  )
  const y = Float64Array.from(trials, ({ value }) => value)
  const shares = new Float64Array(d)
  let counted = 0
  for (let t = 0; t < trees; t++) {
    const rng = new Rng(`${seed}/${t}`)
    const rows = Int32Array.from(y, () => rng.int(0, y.length))
    const leaves = grow(x, y, Array.from(rows), new Float64Array(d), new Float64Array(d).fill(1), 0)
    const mean = leaves.reduce((sum, leaf) => sum + leaf.value * volume(leaf, -1), 0)
    const total = leaves.reduce((sum, leaf) => sum + (leaf.value - mean) ** 2 * volume(leaf, -1), 0)
    if (!(total > 0)) continue
    counted++
    for (let j = 0; j < d; j++) shares[j]! += marginalVariance(leaves, j, mean) / total
  }
  const named = space.map(([name], j) => [name, counted === 0 ? 0 : shares[j]! / counted] as const)
  return Object.fromEntries(named.sort((a, b) => b[1] - a[1]))
}

/** The tree's boxes: splits where the squared error falls most, down to pairs of rows. */
function grow(
  x: readonly Float64Array[],
  y: Float64Array,
  rows: number[],
  low: Float64Array,
  high: Float64Array,
  depth: number,
): Leaf[] {
  const n = rows.length
  let sum = 0
  for (const i of rows) sum += y[i]!
  let best = { gain: 1e-12, column: -1, cut: 0 }
  if (n >= 4 && depth < 24) {
    for (let j = 0; j < low.length; j++) {
      rows.sort((a, b) => x[a]![j]! - x[b]![j]!)
      let left = 0
      for (let k = 0; k < n - 1; k++) {
        left += y[rows[k]!]!
        const a = x[rows[k]!]![j]!
        const b = x[rows[k + 1]!]![j]!
        if (a === b || k < 1 || k > n - 3) continue
        const gain = (left * left) / (k + 1) + (sum - left) ** 2 / (n - k - 1) - (sum * sum) / n
        if (gain > best.gain) best = { gain, column: j, cut: (a + b) / 2 }
      }
    }
  }
  const { column, cut } = best
  if (column < 0) return [{ low, high, value: sum / n }]
  const cutHigh = Float64Array.from(high)
  const cutLow = Float64Array.from(low)
  cutHigh[column] = cut
  cutLow[column] = cut
  const below = rows.filter((i) => x[i]![column]! < cut)
  const above = rows.filter((i) => x[i]![column]! >= cut)
  return [...grow(x, y, below, low, cutHigh, depth + 1), ...grow(x, y, above, cutLow, high, depth + 1)]
}

/** Volume of a box, one column left out. */
function volume(leaf: Leaf, without: number): number {
  let product = 1
  for (let j = 0; j < leaf.low.length; j++) if (j !== without) product *= leaf.high[j]! - leaf.low[j]!
  return product
}

/** Variance over column j of the mean over all other columns; that mean is constant between the tree's cuts. */
function marginalVariance(leaves: readonly Leaf[], j: number, mean: number): number {
  const cuts = [...new Set(leaves.flatMap((leaf) => [leaf.low[j]!, leaf.high[j]!]))].sort((a, b) => a - b)
  let variance = 0
  for (let k = 0; k < cuts.length - 1; k++) {
    const middle = (cuts[k]! + cuts[k + 1]!) / 2
    let value = 0
    for (const leaf of leaves)
      if (leaf.low[j]! <= middle && middle < leaf.high[j]!) value += leaf.value * volume(leaf, j)
    variance += (cuts[k + 1]! - cuts[k]!) * (value - mean) ** 2
  }
  return variance
}
