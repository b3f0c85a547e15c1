import { check } from '@regimen/core'
import { checkCount, checkSpans, type LabelSpans, labelledRows, purge, type Split } from './split.ts'

/** Options of {@link combinatorialPurged}. */
export interface CombinatorialOptions {
  /** Number of contiguous groups that the rows are cut into. From 2 to 24. */
  groups: number
  /** Groups that are tested at a time. From 1, below `groups`. */
  testGroups: number
  /** Rows after each test group that may not be learned from. 0 or more. @default 0 */
  embargo?: number
}

/** A split that knows which groups it tests. */
export interface CombinatorialSplit extends Split {
  readonly groups: readonly number[]
}

/** Result of {@link combinatorialPurged}. */
export interface CombinatorialSplits {
  readonly splits: readonly CombinatorialSplit[]
  /**
   * Whole backtest paths: `paths[p][g]` is the split whose test gives group g of path p. Every split's every test group
   * is used in exactly one path.
   */
  readonly paths: readonly (readonly number[])[]
}

/**
 * Tests every combination of groups on models learned from the rest, purged and embargoed around each test group, and
 * tells how the tests join into C(groups - 1, testGroups - 1) whole backtest paths. Many paths instead of one give a
 * distribution of Sharpe ratios; see {@link deflatedSharpe} and {@link backtestOverfitting} for what to do with it.
 *
 * ```ts
 * import { combinatorialPurged } from '@regimen/market'
 *
 * const end = Array.from({ length: 60 }, (_, i) => Math.min(59, i + 1))
 * const { splits, paths } = combinatorialPurged({ end }, { groups: 6, testGroups: 2 })
 * splits.length // => 15
 * paths.length // => 5
 * ```
 *
 * Reference: López de Prado, "Advances in Financial Machine Learning" (2018), chapter 12.
 */
export function combinatorialPurged(labels: LabelSpans, options: CombinatorialOptions): CombinatorialSplits {
  const where = 'market/combinatorial-purged'
  const n = checkSpans(labels, where)
  const { groups, testGroups, embargo = 0 } = options
  checkCount(groups, 'groups', 2, where)
  checkCount(testGroups, 'testGroups', 1, where)
  checkCount(embargo, 'embargo', 0, where)
  check(groups <= Math.min(24, n), where, () => `groups must be at most ${Math.min(24, n)}, got ${groups}.`)
  check(testGroups < groups, where, () => `testGroups must be below groups ${groups}, got ${testGroups}.`)
  const bounds = Array.from({ length: groups + 1 }, (_, g) => Math.floor((g * n) / groups))
  const rows = Array.from({ length: groups }, (_, g) => labelledRows(labels, bounds[g]!, bounds[g + 1]!))
  const splits = combinations(groups, testGroups).map((chosen): CombinatorialSplit => {
    let train = rows.filter((_, g) => !chosen.includes(g)).flat()
    for (const g of chosen) train = purge(train, labels, rows[g]!, embargo)
    const test = chosen.flatMap((g) => rows[g]!)
    return { groups: chosen, train: Int32Array.from(train), test: Int32Array.from(test) }
  })
  const uses = rows.map((_, g) => splits.flatMap((split, s) => (split.groups.includes(g) ? [s] : [])))
  const paths = uses[0]!.map((_, p) => uses.map((of) => of[p]!))
  return { splits, paths }
}

function combinations(n: number, k: number, from = 0): number[][] {
  if (k === 0) return [[]]
  const all: number[][] = []
  for (let g = from; g <= n - k; g++) for (const rest of combinations(n, k - 1, g + 1)) all.push([g, ...rest])
  return all
}
