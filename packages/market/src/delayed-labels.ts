import { check, describe } from '@regimen/core'
import { checkRule, type LabelBar, type LabelRule, type OpenLabel, stepLabel } from './labels/rules.ts'

/** A decision's inputs with the label that has now become known. */
export interface LabelledSample<X> {
  /** Bars taken before the one at whose close the decision was made. */
  readonly row: number
  readonly x: X
  readonly y: number
}

/** Options of {@link openDelayedLabels}. */
export interface DelayedLabelsOptions {
  /** What is to be predicted. */
  rule: LabelRule
}

/** A queue's state: plain data where `X` is. */
export interface DelayedLabelsState<X> {
  readonly count: number
  readonly pending: readonly (Readonly<OpenLabel> & { readonly row: number; readonly x: X })[]
}

/** Inputs that wait for their labels. */
export interface DelayedLabels<X> {
  /**
   * Takes a closed bar: returns the samples whose labels are known at its close, oldest decision first, then holds `x`,
   * the inputs of the decision made at this close. Without `x` nothing is held.
   */
  update(bar: LabelBar, x?: X, scale?: number): LabelledSample<X>[]
  /** Number of decisions that wait. */
  readonly size: number
  /** The state from which `openDelayedLabels(options, state)` continues identically. */
  state(): DelayedLabelsState<X>
}

/**
 * Opens a queue that gives an online learner each label only when it is known: what was decided at the close of bar t
 * comes back with its label at the close of the bar that settles it, never before. Fed with the same bars it releases
 * exactly what {@link labelBars} computes afterwards.
 *
 * Gotchas: `x` is held, not copied, so hand over a fresh array each time; a learner that updates on release sees labels
 * `horizon` bars late, which is the truth.
 *
 * ```ts
 * import { openDelayedLabels } from '@regimen/market'
 *
 * const queue = openDelayedLabels<string>({ rule: { kind: 'direction', horizon: 2 } })
 * const at = (close: number) => ({ high: close, low: close, close })
 * queue.update(at(100), 'first') // => []
 * queue.update(at(105), 'second') // => []
 * queue.update(at(103)) // => [{ row: 0, x: 'first', y: 1 }]
 * ```
 */
export function openDelayedLabels<X>(options: DelayedLabelsOptions, from?: DelayedLabelsState<X>): DelayedLabels<X> {
  const where = 'market/delayed-labels'
  const { rule } = options
  checkRule(rule, where)
  let count = from?.count ?? 0
  let pending = (from?.pending ?? []).map((held) => ({ ...held }))
  return {
    update(bar, x, scale = 1) {
      for (const name of ['high', 'low', 'close'] as const) {
        check(
          bar[name] > 0 && bar[name] < Infinity,
          where,
          () => `${name} must be above 0, got ${describe(bar[name])} in bar ${count}.`,
        )
      }
      const released: LabelledSample<X>[] = []
      const waiting: typeof pending = []
      for (const held of pending) {
        const y = stepLabel(rule, held, bar)
        if (Number.isNaN(y)) waiting.push(held)
        else released.push({ row: held.row, x: held.x, y })
      }
      pending = waiting
      if (x !== undefined && scale > 0) {
        pending.push({ row: count, x, entry: bar.close, last: bar.close, scale, elapsed: 0, squares: 0 })
      }
      count++
      return released
    },
    get size() {
      return pending.length
    },
    state: () => ({ count, pending: pending.map((held) => ({ ...held })) }),
  }
}
