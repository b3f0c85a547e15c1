import { createRng } from '@regimen/core'
import { type MetaNet, stackTasks, type Task, type TaskSet } from '@regimen/meta'
import {
  adam,
  addTaskAxis,
  compile,
  dense,
  flattenTree,
  softmaxCrossEntropy,
  type TensorLeaf,
  type TensorTree,
  unflattenTree,
  valueAndGradient,
} from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'

export const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length

/** Mean of the differences a − b with its 95 % interval by Student's t. */
export function paired(a: ArrayLike<number>, b: ArrayLike<number>): { mean: number; low: number; high: number } {
  const gains = Array.from(a, (value, i) => value - b[i]!)
  const centre = mean(gains)
  const error = Math.sqrt(mean(gains.map((gain) => (gain - centre) ** 2)) / (gains.length - 1))
  const reach = studentQuantile(gains.length - 1) * error
  return { mean: centre, low: centre - reach, high: centre + reach }
}

/** The 97.5 % quantile of Student's t by the expansion of Cornish and Fisher, good to 0.3 % from 6 degrees of freedom on. */
function studentQuantile(freedom: number): number {
  const z = 1.959964
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2)
}

/**
 * Accuracies by task of the baselines, each with the setting that is best on the validation tasks: the same net from scratch, logistic
 * regression, nearest centroid and nearest neighbours.
 */
export async function baselines(
  test: readonly Task[],
  validation: readonly Task[],
  ways: number,
  same: MetaNet,
): Promise<{ [name: string]: number[] }> {
  const out: { [name: string]: number[] } = {}
  const choose = async (name: string, settings: ((tasks: readonly Task[]) => Promise<number[]> | number[])[]) => {
    let best = { score: -1, run: settings[0]! }
    for (const run of settings) {
      const score = mean(await run(validation))
      if (score > best.score) best = { score, run }
    }
    out[name] = await best.run(test)
  }
  const width = test[0]!.support.x.shape[1]!
  const nets = (net: MetaNet, l2s: readonly number[]) =>
    [0.003, 0.02].flatMap((rate) =>
      [50, 200].flatMap((steps) =>
        l2s.map((l2) => (tasks: readonly Task[]) => fromScratch(net, tasks, { rate, steps, l2 })),
      ),
    )
  await choose('scratch', nets(same, [0]))
  await choose('logistic', nets(dense({ inputs: width, outputs: ways }), [0, 0.01, 0.1]))
  await choose('centroid', [
    (tasks) => tasks.map((task) => accuracy(task, (row) => nearestCentroid(task.support, row, ways))),
  ])
  await choose(
    'neighbours',
    [1, 3, 5].map(
      (k) => (tasks: readonly Task[]) =>
        tasks.map((task) => accuracy(task, (row) => neighbours(task.support, row, ways, k))),
    ),
  )
  return out
}

/** Trains a net of its own for each task with Adam, at most twenty tasks batched, which bounds the memory. */
async function fromScratch(
  net: MetaNet,
  tasks: readonly Task[],
  { rate, steps, l2 }: { rate: number; steps: number; l2: number },
): Promise<number[]> {
  const rule = adam({ l2 })
  const size = Math.min(20, tasks.length)
  const start = compile((params: tf.Tensor[]) => addTaskAxis(params, size))
  const { leaves, structure } = flattenTree<TensorLeaf>(net.init(createRng(1)))
  const build = (list: readonly tf.Tensor[]) => unflattenTree(structure, list) as TensorTree
  const step = compile(
    (params: tf.Tensor[], state: { [slot: string]: tf.Tensor }, x: tf.Tensor, y: tf.Tensor, speed: tf.Tensor) => {
      const { gradient } = valueAndGradient(
        (p: tf.Tensor[]) => tf.sum(softmaxCrossEntropy(net.apply(build(p), x, { tasks: true }), y, { perTask: true })),
        params,
      )
      return rule.apply(params, { gradients: gradient, state, rate: speed })
    },
  )
  const judge = compile((params: tf.Tensor[], x: tf.Tensor, y: tf.Tensor) =>
    tf.mean(tf.cast(tf.equal(tf.argMax(net.apply(build(params), x, { tasks: true }), -1), y), 'float32'), 1),
  )
  const out: number[] = []
  for (let at = 0; at < tasks.length; at += size) {
    // The last batch reaches back, so that all have one size.
    const from = Math.min(at, tasks.length - size)
    const { support, query } = stackTasks(tasks.slice(from, from + size))
    let params = await start(leaves)
    let state = rule.init(params)
    for (let i = 0; i < steps; i++) ({ params, state } = await step(params, state, support.x, support.y, rate))
    const { data } = await judge(params, query.x, query.y)
    out.push(...data.subarray(at - from))
  }
  await Promise.all([start.dispose(), step.dispose(), judge.dispose()])
  return out
}

const rowOf = ({ x }: TaskSet, i: number): Float32Array => {
  const width = x.data.length / x.shape[0]!
  return x.data.subarray(i * width, (i + 1) * width) as Float32Array
}

function accuracy({ query }: Task, classify: (row: Float32Array) => number): number {
  const n = query.x.shape[0]!
  let right = 0
  for (let i = 0; i < n; i++) if (classify(rowOf(query, i)) === query.y.data[i]) right++
  return right / n
}

const distance = (a: Float32Array, b: ArrayLike<number>): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0)

function nearestCentroid(support: TaskSet, row: Float32Array, ways: number): number {
  const n = support.x.shape[0]!
  const centres = Array.from({ length: ways }, () => new Float64Array(row.length))
  for (let i = 0; i < n; i++)
    rowOf(support, i).forEach((value, j) => {
      centres[support.y.data[i]!]![j]! += (value * ways) / n
    })
  const distances = centres.map((centre) => distance(row, centre))
  return distances.indexOf(Math.min(...distances))
}

function neighbours(support: TaskSet, row: Float32Array, ways: number, k: number): number {
  const order = Array.from({ length: support.x.shape[0]! }, (_, i) => ({ i, d: distance(row, rowOf(support, i)) }))
  order.sort((a, b) => a.d - b.d)
  const votes = new Float64Array(ways)
  // The nearer neighbour decides ties.
  order.slice(0, k).forEach(({ i }, rank) => {
    votes[support.y.data[i]!]! += 1 - 1e-3 * rank
  })
  return votes.indexOf(Math.max(...votes))
}
