import { check, describe } from '@regimen/core'

/** What learning has cost: divide by `updates` for one update. */
export interface UpdateCost {
  /** Bytes of parameters, moments, penalty and memories. */
  readonly bytes: number
  readonly updates: number
  /** Samples that went through the net for them: new, remembered, guarding, and the teacher's. */
  readonly samples: number
  /** Seconds of the updates since it was opened, by its clock. */
  readonly seconds: number
}

/** Options of {@link continualMetrics}. */
export interface ContinualMetricsOptions {
  /** Accuracy of guessing, for `retention`: one for all tasks or one each. @default 0 */
  chance?: number | readonly number[]
  /** Accuracy of the untrained net on each task, for `forwardTransfer`. */
  untrained?: readonly number[]
  /** Accuracy on each task of a net that learned all tasks so far together, for `intransigence`. */
  joint?: readonly number[]
  /** What learning has cost, as a trainer's `cost` says, for `bytes`, `samplesPerUpdate` and `secondsPerUpdate`. */
  cost?: UpdateCost
}

/** What an accuracy matrix says. */
export interface ContinualMetrics {
  /** Mean accuracy over all tasks at the end. */
  readonly averageAccuracy: number
  /** Mean accuracy on each task just after it was learned. */
  readonly learnedAccuracy: number
  /** Mean of R[last][j] − R[j][j] over all tasks but the last: below 0 is forgetting. */
  readonly backwardTransfer: number
  /** Mean of R[j−1][j] − untrained[j] over all tasks but the first; undefined without `untrained`. */
  readonly forwardTransfer: number | undefined
  /** Mean of the best accuracy a task ever had before the end less the one at the end, over all tasks but the last. */
  readonly forgetting: number
  /** Mean of joint[j] − R[j][j]: what could not be learned any more; undefined without `joint`. */
  readonly intransigence: number | undefined
  /** Mean of (R[last][j] − c) / (R[j][j] − c) over the tasks that were learned above chance. */
  readonly retention: number
  /** Memory of parameters, moments, penalty and remembered samples; undefined without `cost`. */
  readonly bytes: number | undefined
  /** Samples that went through the net in an update: the compute, whatever the machine. */
  readonly samplesPerUpdate: number | undefined
  /** Seconds of an update on this machine. */
  readonly secondsPerUpdate: number | undefined
}

/**
 * Summarizes an accuracy matrix, R[i][j] being the accuracy on task j after learning task i: average accuracy, backward and
 * forward transfer, forgetting, intransigence and retention, and what an update costs. Rows may stop at the diagonal; forward transfer needs one
 * entry more. With hundreds of tasks, give only the diagonal and the last row and leave the rest NaN.
 *
 * ```ts
 * import { continualMetrics } from '@regimen/continual'
 *
 * const metrics = continualMetrics([[0.9], [0.7, 0.8]], { chance: 0.5 })
 * metrics.averageAccuracy // ≈ 0.75
 * metrics.backwardTransfer // ≈ -0.2
 * metrics.forgetting // ≈ 0.2
 * metrics.retention // ≈ 0.75
 * ```
 *
 * References: Lopez-Paz and Ranzato 2017 (transfer); Chaudhry et al. 2018 (forgetting, intransigence).
 */
export function continualMetrics(
  matrix: readonly ArrayLike<number>[],
  options: ContinualMetricsOptions = {},
): ContinualMetrics {
  const where = 'continual/metrics'
  const tasks = matrix.length
  check(tasks >= 1, where, () => 'the accuracy matrix must have a row for each task, got none.')
  const last = matrix[tasks - 1]!
  const chance = (j: number): number =>
    typeof options.chance === 'number' ? options.chance : (options.chance?.[j] ?? 0)
  for (let j = 0; j < tasks; j++) {
    for (const [row, value] of [
      [j, matrix[j]![j]],
      [tasks - 1, last[j]],
    ] as const) {
      check(
        value !== undefined && value >= 0 && value <= 1,
        where,
        () => `R[${row}][${j}] must be an accuracy from 0 to 1, got ${describe(value)}.`,
      )
    }
  }
  for (const name of ['untrained', 'joint'] as const) {
    const given = options[name]
    check(
      given === undefined || given.length === tasks,
      where,
      () => `${name} must hold ${tasks} accuracies, got ${given?.length}.`,
    )
  }
  const all = Array.from({ length: tasks }, (_, j) => j)
  const early = all.slice(0, -1)
  const learned = (j: number): number => matrix[j]![j]!
  const best = (j: number): number => {
    let top = 0
    for (let i = 0; i < tasks - 1; i++) top = Math.max(top, finite(matrix[i]![j], 0))
    return top
  }
  const judged = all.filter((j) => learned(j) > chance(j))
  const { untrained, joint, cost } = options
  return {
    averageAccuracy: mean(all.map((j) => last[j]!)),
    learnedAccuracy: mean(all.map(learned)),
    backwardTransfer: mean(early.map((j) => last[j]! - learned(j))),
    forwardTransfer:
      untrained && mean(all.slice(1).map((j) => finite(matrix[j - 1]![j], untrained[j]!) - untrained[j]!)),
    forgetting: mean(early.map((j) => best(j) - last[j]!)),
    intransigence: joint && mean(all.map((j) => joint[j]! - learned(j))),
    retention: mean(judged.map((j) => (last[j]! - chance(j)) / (learned(j) - chance(j)))),
    bytes: cost?.bytes,
    samplesPerUpdate: cost && cost.samples / Math.max(1, cost.updates),
    secondsPerUpdate: cost && cost.seconds / Math.max(1, cost.updates),
  }
}

function finite(value: number | undefined, otherwise: number): number {
  return value !== undefined && Number.isFinite(value) ? value : otherwise
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}
