import { check, describe } from '@regimen/core'
import type { TensorLeaf, TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { lossOptions } from './gradient/inner-loop.ts'
import type { MetaLearner, SetTensors } from './learner.ts'
import { compileTrees, type Execution, innerOf, type MetaModel, type Runner } from './model.ts'
import { checkTaskFor, stackTasks, type Task } from './tasks/task.ts'

/** Options of {@link evaluate}. */
export interface EvaluateOptions extends Execution {
  /** Inner steps, ≥ 0. @default the model's */
  steps?: number
  /** Inner rate, > 0. @default the model's */
  innerRate?: number
  /** Tasks in one compiled call, ≥ 1; bounds the memory. @default 256 */
  tasksPerCall?: number
}

/** A mean over tasks with its 95 % interval. */
export interface MeanOverTasks {
  readonly mean: number
  /** Half of the 95 % interval, 1.96 standard errors. */
  readonly interval: number
  /** One value a task. */
  readonly values: Float64Array
}

/** What {@link evaluate} measured. */
export interface Evaluation {
  /** Query loss after 0, 1, …, steps inner steps. */
  readonly losses: readonly MeanOverTasks[]
  /** Share of right classes after each number of steps, for tasks with int32 labels. */
  readonly accuracies?: readonly MeanOverTasks[]
}

/**
 * Measures a model on tasks: adapts to each task's support and judges it on the query, after every inner step from 0 on, all
 * tasks batched. Nothing of the model changes. Tasks are checked first.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { createRng } from '@regimen/core'
 * import { evaluate, maml, sampleFamily, sinusoids } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = maml({ net: mlp({ sizes: [1, 8, 1] }) })
 * const model = { learner, params: learner.init(createRng(1)) }
 * const tasks = await sampleFamily(sinusoids({ shots: 5 })).batch(0, 20)
 * const { losses } = await evaluate(model, tasks, { steps: 5 })
 * losses.length // => 6
 * ```
 */
export async function evaluate(
  model: MetaModel,
  tasks: readonly Task[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { learner } = model
  const inner = innerOf(model)
  const { steps = inner.steps, innerRate = inner.innerRate, tasksPerCall = 256, ...execution } = options
  const where = 'meta/evaluate'
  check(Number.isInteger(steps) && steps >= 0, where, () => `steps must be an integer ≥ 0, got ${describe(steps)}.`)
  check(
    Number.isInteger(tasksPerCall) && tasksPerCall >= 1,
    where,
    () => `tasksPerCall must be an integer ≥ 1, got ${describe(tasksPerCall)}.`,
  )
  check(tasks.length > 0, where, () => 'the list of tasks is empty.')
  for (const task of tasks) checkTaskFor(learner, task, where)
  const run = compileEvaluation(learner, steps, execution)
  try {
    const losses: number[][] = []
    const accuracies: number[][] = []
    for (let start = 0; start < tasks.length; start += tasksPerCall) {
      const part = tasks.slice(start, start + tasksPerCall)
      const result = (await run(model.params, stackTasks(part), innerRate)) as {
        losses: TensorLeaf
        accuracies: TensorLeaf | null
      }
      append(losses, result.losses, part.length)
      if (result.accuracies) append(accuracies, result.accuracies, part.length)
    }
    return {
      losses: losses.map(summarize),
      ...(accuracies.length > 0 ? { accuracies: accuracies.map(summarize) } : {}),
    }
  } finally {
    await run.dispose()
  }
}

type Batch = { readonly support: SetTensors; readonly query: SetTensors }

/** Query losses [steps + 1, T], and accuracies where targets are classes. */
export function compileEvaluation(learner: MetaLearner, steps: number, execution: Execution): Runner {
  return compileTrees((params: TensorTree, { support, query }: Batch, innerRate: tf.Tensor) => {
    const tasks = support.x.shape[0]!
    const { path } = learner.adapt(params, support, { steps, innerRate, tasks })
    const outputs = path.map((own, step) => learner.predict(params, own, query.x, { tasks: true, steps: step }))
    const losses = tf.stack(outputs.map((output) => learner.loss(output, query.y, lossOptions(query, true))))
    if (query.y.dtype !== 'int32') return { losses, accuracies: null }
    const hits = outputs.map((output) => {
      const right = tf.cast(tf.equal(tf.argMax(output, -1), query.y), 'float32')
      const weights = query.weights ?? tf.onesLike(right)
      return tf.div(tf.sum(tf.mul(right, weights), 1), tf.sum(weights, 1))
    })
    return { losses, accuracies: tf.stack(hits) }
  }, execution)
}

function append(rows: number[][], { data }: TensorLeaf, tasks: number): void {
  for (let step = 0; step * tasks < data.length; step++) {
    rows[step] = [...(rows[step] ?? []), ...data.subarray(step * tasks, (step + 1) * tasks)]
  }
}

/** Mean of one value a task, with the half-width of its 95 % interval. */
export function summarize(values: readonly number[]): MeanOverTasks {
  const n = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, n - 1)
  return { mean, interval: 1.96 * Math.sqrt(variance / n), values: Float64Array.from(values) }
}
