import { check } from '@regimen/core'
import type { TaskData } from '../rows.ts'
import { checkCount } from '../structure/task-net.ts'

/** Options of {@link describeTask}. */
export interface DescribeOptions {
  /** Numbers in an input, ≥ 1. */
  inputs: number
  /** Classes, or numbers in a target, ≥ 1. */
  outputs: number
  /** What labels are. @default 'softmax' */
  likelihood?: 'softmax' | 'gaussian'
}

/**
 * Describes a task by a few numbers, so that tasks can be compared before a net has seen them: of every input its mean m and
 * log(1 + σ); of every output (a class is one, 0 or 1) its mean and its correlation with each input, 0 where either is constant.
 * 2 · inputs + outputs · (1 + inputs) numbers, whatever the number of samples. Pass standardized inputs: differences of raw prices
 * would drown the rest. Linear only: tasks that differ in an interaction alone look the same; the losses of stored
 * nets (`retrieve` of `openSkills`) tell those apart. Rows that are not finite are left out.
 *
 * ```ts
 * import { describeTask } from '@regimen/continual'
 *
 * const rising = describeTask({ x: [-1, 1, -1, 1], y: [0, 1, 0, 1] }, { inputs: 1, outputs: 2 })
 * // mean 0, log 2; class 0: share ½, correlation −1; class 1: ½, 1
 * rising // ≈ [0, 0.6931472, 0.5, -1, 0.5, 1]
 * ```
 */
export function describeTask(samples: Pick<TaskData, 'x' | 'y'>, options: DescribeOptions): Float64Array {
  const { inputs, outputs, likelihood = 'softmax' } = options
  const where = 'continual/describe-task'
  checkCount('inputs', inputs, where)
  checkCount('outputs', outputs, where)
  const { x, y } = samples
  const targets = likelihood === 'softmax' ? 1 : outputs
  const n = x.length / inputs
  check(Number.isInteger(n) && n >= 1, where, () => `x must hold rows of ${inputs}, got ${x.length} numbers.`)
  check(y.length === n * targets, where, () => `y must hold ${n * targets} numbers, got ${y.length}.`)
  const columns = inputs + outputs
  const row = new Float64Array(columns)
  const mean = new Float64Array(columns)
  const square = new Float64Array(columns)
  const cross = new Float64Array(inputs * outputs)
  let count = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < inputs; j++) row[j] = x[i * inputs + j]!
    for (let k = 0; k < outputs; k++) {
      const label = y[i * targets + (targets === 1 && likelihood === 'softmax' ? 0 : k)]!
      row[inputs + k] = likelihood === 'gaussian' || !Number.isFinite(label) ? label : label === k ? 1 : 0
    }
    if (!row.every(Number.isFinite)) continue
    count++
    // Welford: the deviations before and after the mean has moved.
    const before = row.map((value, c) => value - mean[c]!)
    for (let c = 0; c < columns; c++) {
      mean[c]! += before[c]! / count
      square[c]! += before[c]! * (row[c]! - mean[c]!)
    }
    for (let j = 0; j < inputs; j++)
      for (let k = 0; k < outputs; k++) cross[j * outputs + k]! += before[j]! * (row[inputs + k]! - mean[inputs + k]!)
  }
  check(count > 0, where, () => `none of the ${n} samples is finite.`)
  const made: number[] = []
  for (let j = 0; j < inputs; j++) made.push(mean[j]!, Math.log1p(Math.sqrt(square[j]! / count)))
  for (let k = 0; k < outputs; k++) {
    made.push(mean[inputs + k]!)
    for (let j = 0; j < inputs; j++) {
      const scale = Math.sqrt(square[j]! * square[inputs + k]!)
      made.push(scale > 0 ? Math.min(1, Math.max(-1, cross[j * outputs + k]! / scale)) : 0)
    }
  }
  return Float64Array.from(made)
}
