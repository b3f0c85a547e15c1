import { check, describe } from '@regimen/core'
import { adam, flattenTree, sgd, type TensorTree, type UpdateRule, unflattenTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { Adaptation, AdaptationSettings, MetaLearner, SetTensors } from '../learner.ts'
import { moveStatistics, type StatisticChange } from '../statistics.ts'
import {
  applyOwn,
  asGradientParams,
  initLoop,
  leavesOf,
  nameOwn,
  ownStart,
  queryLosses,
  supportGradient,
} from './inner-loop.ts'
import { type MamlOptions, readLoop } from './maml.ts'

/** Options of {@link reptile}. */
export interface ReptileOptions extends Omit<MamlOptions, 'bound'> {
  /** Method of the inner loop: Adam without momentum, or plain gradient descent. @default 'adam' */
  inner?: 'adam' | 'sgd'
  /**
   * Parts that the samples of a task are dealt into, one after the other; each inner step sees the next part. From 2 on the start
   * learns what helps from part to part, as the paper's minibatches do, not how to fit the same samples fast. Samples sorted by
   * class with as many of each as there are parts give every part one of each. More parts than samples are as many as there are
   * samples. @default 1
   */
  parts?: number
}

/**
 * Makes Reptile: each task trains the net for some steps on all its samples, and the start moves towards where the tasks
 * ended, θ ← θ + ε · mean(φ − θ). The inner method is Adam with β₁ = 0, started afresh for each task. Only gradients of
 * first order, and no query set is needed; it wants more steps (5 to 20) and iterations than {@link maml}.
 *
 * The rate of `metaTrain` is ε; anneal it: `{ rate: (update) => 1 - update / iterations }`.
 *
 * ```ts
 * import { reptile } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * reptile({ net: mlp({ sizes: [1, 8, 1] }), steps: 8, rate: 0.01 }).id // => 'meta/reptile'
 * ```
 *
 * Reference: Nichol, Achiam and Schulman 2018.
 */
export function reptile(options: ReptileOptions): MetaLearner {
  const { steps = 5, inner = 'adam', parts = 1 } = options
  const where = 'meta/reptile'
  check(inner === 'adam' || inner === 'sgd', where, () => `inner must be "adam" or "sgd", got ${describe(inner)}.`)
  check(
    Number.isInteger(parts) && parts >= 1,
    where,
    () => `parts must be an integer ≥ 1, got ${describe(parts)}.`,
    'Take the shots of a class, or 1 for all samples in every step.',
  )
  const loop = readLoop(where, { ...options, steps, bound: Number.POSITIVE_INFINITY })
  const rule = inner === 'adam' ? adam({ beta1: 0 }) : sgd()
  const run = (
    net: TensorTree,
    set: SetTensors,
    settings: AdaptationSettings & { readonly training: boolean },
  ): { path: tf.Tensor[][]; changes: StatisticChange[] } => {
    const { tasks, training } = settings
    const changes: StatisticChange[] = []
    let own = ownStart(loop, net, tasks)
    let state = freshState(rule, own)
    const path = [own]
    for (let step = 0; step < settings.steps; step++) {
      const seen = partOf(set, step, parts, tasks === undefined ? 0 : 1)
      const gradients = supportGradient(loop, net, own, seen, { step, tasks, training, changes })
      const next = rule.apply(own, { gradients, state, rate: settings.innerRate })
      own = next.params
      state = next.state
      path.push(own)
    }
    return { path, changes }
  }
  return {
    id: where,
    config: { steps, rate: loop.rate, inner, parts },
    steps,
    innerRate: loop.rate,
    loss: loop.loss,
    rule: sgd(),
    init: (rng) => initLoop(loop, rng),
    controls: () => ({ stepWeights: new Float32Array([1]), secondOrder: false }),
    metaGradient(params, { support, query }, { innerRate }) {
      const tasks = support.x.shape[0]!
      const { net } = asGradientParams(params)
      const { path, changes } = run(net, join(support, query), { steps, innerRate, tasks, training: true })
      const own = path.at(-1)!
      const { leaves, structure } = flattenTree<tf.Tensor>(net)
      const gradient = leaves.map((leaf, i) => tf.sub(leaf, tf.mean(own[i]!, 0)))
      return {
        loss: tf.mean(queryLosses(loop, net, own, query, { step: steps, changes })),
        gradient: { net: unflattenTree(structure, gradient) } as TensorTree,
        bounded: tf.scalar(0),
        statistics: moveStatistics(net, changes, 'net'),
      }
    },
    adapt(params, support, settings): Adaptation {
      const { net } = asGradientParams(params)
      const { path } = run(net, support, { ...settings, training: false })
      return { path: path.map((own) => nameOwn(loop, net, own)), bounded: tf.scalar(0) }
    },
    predict: (params, own, x, at) =>
      applyOwn(loop, asGradientParams(params).net, leavesOf(own), x, { ...at, step: at.steps, training: false }),
  }
}

function freshState(rule: UpdateRule, own: readonly tf.Tensor[]): { [slot: string]: tf.Tensor } {
  const zeros = Object.entries(rule.init([...own])).map(([slot, { shape }]) => [slot, tf.zeros([...shape])] as const)
  return Object.fromEntries(zeros)
}

/** Every `parts`-th sample along an axis, in the steps' turn. */
function partOf(set: SetTensors, step: number, parts: number, axis: number): SetTensors {
  const n = set.x.shape[axis]!
  const most = Math.min(parts, n)
  if (most === 1) return set
  const from = step % most
  const ids = Array.from({ length: Math.ceil((n - from) / most) }, (_, i) => from + i * most)
  const take = (t: tf.Tensor): tf.Tensor => tf.gather(t, tf.tensor1d(ids, 'int32'), axis)
  return { x: take(set.x), y: take(set.y), weights: set.weights ? take(set.weights) : null }
}

function join(a: SetTensors, b: SetTensors): SetTensors {
  const weightsOf = (set: SetTensors): tf.Tensor => set.weights ?? tf.ones(set.x.shape.slice(0, 2))
  return {
    x: tf.concat([a.x, b.x], 1),
    y: tf.concat([a.y, b.y], 1),
    weights: a.weights || b.weights ? tf.concat([weightsOf(a), weightsOf(b)], 1) : null,
  }
}
