import { checkCount, checkSpans, type LabelSpans, labelledRows, purge, type Split } from './split.ts'

/** Options of {@link walkForward}. */
export interface WalkForwardOptions {
  /** Rows of each test. From 1. */
  testSize: number
  /** Rows before the first test; with `window: 'sliding'` the length of every training part. From 1. */
  trainSize: number
  /** Whether training starts at the first row or keeps its length. @default 'expanding' */
  window?: 'expanding' | 'sliding'
  /** Rows by which the test moves on. From 1. @default testSize */
  step?: number
  /** Extra rows kept free between the last training label and the test. 0 or more. @default 0 */
  embargo?: number
}

/**
 * Cuts a series into tests that follow one another in time, each with the past to learn from. Training rows whose labels
 * are not known before the test's first row are left out, so that nothing of the test leaks through overlapping labels.
 * This is the split that live trading allows; {@link purgedKFold} uses data better where order does not matter.
 *
 * ```ts
 * import { walkForward } from '@regimen/market'
 *
 * // Labels two bars ahead; the last two rows have none.
 * const end = [2, 3, 4, 5, 6, 7, -1, -1]
 * const [first] = walkForward({ end }, { trainSize: 4, testSize: 2 })
 * Array.from(first!.train) // => [0, 1]
 * Array.from(first!.test) // => [4, 5]
 * ```
 */
export function walkForward(labels: LabelSpans, options: WalkForwardOptions): Split[] {
  const where = 'market/walk-forward'
  const n = checkSpans(labels, where)
  const { testSize, trainSize, window = 'expanding', step = testSize, embargo = 0 } = options
  checkCount(testSize, 'testSize', 1, where)
  checkCount(trainSize, 'trainSize', 1, where)
  checkCount(step, 'step', 1, where)
  checkCount(embargo, 'embargo', 0, where)
  const splits: Split[] = []
  for (let at = trainSize; at < n; at += step) {
    const test = labelledRows(labels, at, Math.min(n, at + testSize))
    if (test.length === 0) continue
    const past = labelledRows(labels, window === 'sliding' ? at - trainSize : 0, at)
    const train = purge(past, labels, test, 0).filter((i) => labels.end[i]! < test[0]! - embargo)
    splits.push({ train: Int32Array.from(train), test: Int32Array.from(test) })
  }
  return splits
}
