import { createRng } from '@regimen/core'
import { compile, dense, flattenTree, type TensorLeaf, type TensorTree } from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import {
  chartPatterns,
  evaluate,
  type MetaLearner,
  type MetaModel,
  maml,
  metaTrain,
  type SetTensors,
  sampleEpisodes,
  sampleFamily,
  stackTasks,
  type Task,
  type TaskSet,
  type Weights,
} from '../../src/index.ts'

export const column = (values: readonly number[]): TensorLeaf => ({
  dtype: 'float32',
  shape: [values.length, 1],
  data: Float32Array.from(values),
})

export const labels = (values: readonly number[]): TensorLeaf => ({
  dtype: 'int32',
  shape: [values.length],
  data: Int32Array.from(values),
})

export const setOf = (x: readonly number[], y: readonly number[]): TaskSet => ({ x: column(x), y: column(y) })

/** y = w x. */
export const line = dense({ inputs: 1, outputs: 1, bias: false })

/** y = w x with a rate of next to nothing: a model that stays at w. */
export const fixed = (w: number): MetaModel => ({
  learner: maml({ net: line, rate: 1e-12 }),
  params: { net: { kernel: leaf([1, 1], [w]) } },
})

/** One sample, x = 1, with this target. */
export const taskAt = (y: number): Task => ({ support: setOf([1], [y]), query: setOf([1], [y]) })

/** Accuracy on patterns that were never seen, after a short training on others: mean less its 95 % interval. Guessing has 1/3. */
export async function unseenPatterns(learner: MetaLearner): Promise<number> {
  const sizes = { shots: 3, queries: 5, ways: 3, span: [1, 1] as const }
  const known = ['double-top', 'double-bottom', 'bull-flag', 'bear-flag', 'v-bottom', 'spike-top'] as const
  const held = ['head-and-shoulders', 'inverse-head-and-shoulders', 'rising-wedge', 'cup-and-handle'] as const
  const { model } = await metaTrain(learner, sampleFamily(chartPatterns({ ...sizes, patterns: known }), { seed: 1 }), {
    iterations: 200,
    tasksPerBatch: 8,
    rate: 3e-3,
  })
  const tasks = await sampleFamily(chartPatterns({ ...sizes, patterns: held }), { seed: 2 }).batch(0, 60)
  const { mean, interval } = (await evaluate(model, tasks)).accuracies!.at(-1)!
  return mean - interval
}

/** Accuracy on classes that are numbered anew in every task, after a short training: two of the corners of a square, in any order. */
export async function boundLabels(learner: MetaLearner, shots: number): Promise<number> {
  const rng = createRng(1)
  const corners = [0, 1, 2, 3].flatMap((k) =>
    Array.from({ length: 16 }, () => [k & 1, k >> 1].map((v) => 2 * v - 1 + 0.2 * rng.normal())),
  )
  const tasks = sampleEpisodes(
    { x: leaf([64, 2], corners.flat()), labels: Array.from({ length: 64 }, (_, i) => Math.floor(i / 16)) },
    { ways: 2, shots, queries: 2, seed: 1 },
  )
  const { model } = await metaTrain(learner, tasks, { iterations: 400, tasksPerBatch: 16, rate: 5e-3, seed: 1 })
  return (await evaluate(model, await tasks.batch(1_000_000, 60))).accuracies!.at(-1)!.mean
}

/** The meta-gradient of a learner as flat numbers, in the order of the tree. */
export async function metaGradient(
  learner: MetaLearner,
  params: Weights,
  tasks: readonly Task[],
): Promise<{ loss: number; bounded: number; gradient: number[] }> {
  const { stepWeights, secondOrder } = learner.controls(0, 1)
  type Batch = { readonly support: SetTensors; readonly query: SetTensors }
  const run = compile(((p: TensorTree, batch: Batch, innerRate: tf.Tensor, weights: tf.Tensor) =>
    learner.metaGradient(p, batch, { innerRate, stepWeights: weights, secondOrder })) as (
    ...args: readonly unknown[]
  ) => unknown)
  const result = (await run(
    params as never,
    stackTasks(tasks) as never,
    learner.innerRate as never,
    stepWeights as never,
  )) as {
    loss: TensorLeaf
    bounded: TensorLeaf
    gradient: unknown
  }
  await run.dispose()
  return {
    loss: result.loss.data[0]!,
    bounded: result.bounded.data[0]!,
    gradient: flattenTree<TensorLeaf>(result.gradient).leaves.flatMap(({ data }) => [...data]),
  }
}

/** A leaf as float32. */
export const leaf = (shape: readonly number[], data: readonly number[]): TensorLeaf => ({
  dtype: 'float32',
  shape: [...shape],
  data: Float32Array.from(data),
})

/** Relative error of two lists by their norms. */
export function relativeError(a: readonly number[], b: readonly number[]): number {
  return Math.hypot(...a.map((value, i) => value - b[i]!)) / Math.hypot(...b)
}

/** The numbers of one leaf of a tree, by its path. */
export function numbersAt(tree: unknown, path: string): number[] {
  const { leaves, paths } = flattenTree<TensorLeaf>(tree)
  return [...leaves[paths.indexOf(path)]!.data]
}
