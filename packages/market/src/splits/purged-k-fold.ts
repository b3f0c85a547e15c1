import { check } from '@regimen/core'
import { checkCount, checkSpans, type LabelSpans, labelledRows, purge, type Split } from './split.ts'

/** Options of {@link purgedKFold}. */
export interface PurgedKFoldOptions {
  /** Number of folds. From 2. */
  folds: number
  /** Rows after each test that may not be learned from, for features that remember. 0 or more. @default 0 */
  embargo?: number
}

/**
 * Cuts a series into contiguous folds, each the test once, and learns from all the others except rows whose labels
 * overlap the test's and those within the embargo after it. Use it to compare models on little data; use
 * {@link walkForward} for what a trader could have done at the time, since here the future is learned from too.
 *
 * ```ts
 * import { purgedKFold } from '@regimen/market'
 *
 * // Labels one bar ahead.
 * const end = [1, 2, 3, 4, 5, 6, 7, 8, -1]
 * const splits = purgedKFold({ end }, { folds: 3, embargo: 1 })
 * Array.from(splits[1]!.test) // => [3, 4, 5]
 * Array.from(splits[1]!.train) // => [0, 1]
 * ```
 *
 * Reference: López de Prado, "Advances in Financial Machine Learning" (2018), chapter 7.
 */
export function purgedKFold(labels: LabelSpans, options: PurgedKFoldOptions): Split[] {
  const where = 'market/purged-k-fold'
  const n = checkSpans(labels, where)
  const { folds, embargo = 0 } = options
  checkCount(folds, 'folds', 2, where)
  checkCount(embargo, 'embargo', 0, where)
  check(folds <= n, where, () => `folds must be at most the number of rows ${n}, got ${folds}.`)
  return Array.from({ length: folds }, (_, f) => {
    const from = Math.floor((f * n) / folds)
    const to = Math.floor(((f + 1) * n) / folds)
    const test = labelledRows(labels, from, to)
    const others = [...labelledRows(labels, 0, from), ...labelledRows(labels, to, n)]
    return { train: Int32Array.from(purge(others, labels, test, embargo)), test: Int32Array.from(test) }
  })
}
