import { check, describe, type Rng } from '@regimen/core'
import { addTaskAxis, checkpoint, flattenTree, type TensorTree, unflattenTree, valueAndGradient } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { MetaNet, SetTensors, TaskLoss, Weights } from '../learner.ts'
import { readChanges, type StatisticChange, type StatisticUpdates } from '../statistics.ts'

/** Where the inner loop's step sizes come from. */
export type InnerRates = 'fixed' | 'perParameter' | 'perLayerStep'

/** What distinguishes one gradient-based learner from another; the loop exists once. */
export interface InnerLoop {
  readonly net: MetaNet
  readonly loss: TaskLoss
  readonly steps: number
  /** Which parameters a task owns, by path. */
  readonly adapts: (path: string, paths: readonly string[]) => boolean
  readonly rates: InnerRates
  /** First value of learned rates. */
  readonly rate: number
  /** Numbers that are appended to every input and are all that a task owns; 0 for none. */
  readonly context: number
  /** Largest norm of one task's inner gradient; Infinity for none. */
  readonly bound: number
  /** Pull λ of the task's parameters towards the shared ones. */
  readonly pull: number
  /** Whether the inside of a step is forgotten and computed again in the outer gradient. */
  readonly remat: boolean
}

/** How one run of the loop is to go. */
export interface InnerRun {
  readonly steps: number
  readonly innerRate: tf.Tensor
  readonly tasks?: number
  /** Batch norm measures each batch and its running statistics move; otherwise it relies on them. */
  readonly training: boolean
  /** Gradients of an earlier run, to be taken for constants: the first-order approximation. */
  readonly given?: readonly (readonly tf.Tensor[])[]
}

/** The task's own parameters after each step, and the gradients that led there. */
export interface InnerResult {
  readonly path: readonly (readonly tf.Tensor[])[]
  readonly gradients: readonly (readonly tf.Tensor[])[]
  readonly bounded: tf.Tensor
  /** How the passes over the support would move running statistics. */
  readonly changes: readonly StatisticChange[]
}

/** Parameters of the gradient-based learners: those of the net, and the learned rates where there are any. */
export interface GradientParams {
  readonly net: TensorTree
  readonly rates: readonly tf.Tensor[] | undefined
}

/** Tells a tree of meta-parameters for what the gradient-based learners keep in it. */
export function asGradientParams(params: TensorTree): GradientParams {
  const { net, rates } = params as { readonly net: TensorTree; readonly rates: readonly tf.Tensor[] }
  return { net, rates }
}

/** Makes the meta-parameters: the net's, and one rate tensor for each leaf that a task owns. */
export function initLoop(loop: InnerLoop, rng: Rng): Weights {
  const net = loop.net.init(rng) as Weights
  if (loop.rates === 'fixed') return { net }
  const { leaves, paths } = flattenTree<{ shape: number[] }>(net)
  const rates = leaves
    .filter((_, i) => loop.adapts(paths[i]!, paths))
    .map(({ shape }) => {
      const form = loop.rates === 'perParameter' ? shape : [loop.steps]
      const size = form.reduce((a, b) => a * b, 1)
      return { dtype: 'float32' as const, shape: [...form], data: new Float32Array(size).fill(loop.rate) }
    })
  return { net, rates }
}

/** How one pass through the net is to go. */
export interface Pass {
  readonly tasks: boolean
  /** Inner steps taken before it: the row of per-step statistics. */
  readonly step: number
  readonly training: boolean
  /** Takes what a pass in training would change in running statistics. */
  readonly changes?: StatisticChange[]
}

/** The net's output with the leaves that a task owns in place of the shared ones. */
export function applyOwn(
  loop: InnerLoop,
  net: TensorTree,
  own: readonly tf.Tensor[],
  x: tf.Tensor,
  { tasks, step, training, changes }: Pass,
): tf.Tensor {
  const { leaves, paths, structure } = flattenTree<tf.Tensor>(net)
  let next = 0
  const mixed =
    loop.context > 0 ? leaves : leaves.map((leaf, i) => (loop.adapts(paths[i]!, paths) ? own[next++]! : leaf))
  const input = loop.context > 0 ? appendContext(x, own[0]!, tasks) : x
  const updates: StatisticUpdates = []
  // Steps beyond those of training go on with the last row of statistics.
  const context = { tasks, step: Math.min(step, loop.steps), training, updates }
  const output = loop.net.apply(unflattenTree(structure, mixed) as TensorTree, input, context)
  changes?.push(...readChanges(mixed, leaves, updates))
  return output
}

/**
 * Adapts by gradient descent: p ← p − rate · g, g cut to the bound for each task. Ordinary differentiable code: under an outer
 * gradient it is of second order, unless the gradients are `given`.
 */
export function runLoop(loop: InnerLoop, params: GradientParams, support: SetTensors, run: InnerRun): InnerResult {
  const { steps, tasks, given, training } = run
  // Outside of a gradient there is nothing to save, and callers may ask for the slopes.
  const saving = loop.remat && !given && tf.engine().state.gradientDepth > 0
  const changes: StatisticChange[] = []
  const start = ownStart(loop, params.net, tasks)
  const path: (readonly tf.Tensor[])[] = [start]
  const gradients: (readonly tf.Tensor[])[] = []
  const cut: tf.Tensor[] = []
  let own = start
  for (let step = 0; step < steps; step++) {
    let touched: readonly number[] = []
    const advance = (from: readonly tf.Tensor[], at: Surroundings) => {
      const found: StatisticChange[] = []
      const raw =
        given?.[step] ??
        supportGradient(loop, at.params.net, from, at.support, { step, tasks, training, changes: found })
      const pulled =
        loop.pull > 0 && !given ? raw.map((g, i) => tf.add(g, tf.mul(tf.sub(from[i]!, at.start[i]!), loop.pull))) : raw
      const { slopes, over } = given ? { slopes: pulled } : limit(pulled, loop.bound, tasks !== undefined)
      const next = from.map((p, i) => tf.sub(p, tf.mul(slopes[i]!, rateOf(at.params, i, step, at.innerRate, loop))))
      touched = found.map(({ leaf }) => leaf)
      return { next, over: over ?? null, by: found.map(({ by }) => detached(by)), slopes: saving ? [] : slopes }
    }
    const around = { params, support, start, innerRate: run.innerRate }
    const { next, over, by, slopes } = (saving ? checkpoint(advance) : advance)(own, around)
    if (over) cut.push(over)
    changes.push(...by.map((change, i) => ({ leaf: touched[i]!, by: change })))
    gradients.push(slopes)
    own = next
    path.push(own)
  }
  const bounded =
    cut.length > 0
      ? tf.div(
          cut.reduce((a, b) => tf.add(a, b)),
          cut.length,
        )
      : tf.scalar(0)
  return { path, gradients, bounded, changes }
}

/** What a step reads besides the task's own parameters. */
interface Surroundings {
  readonly params: GradientParams
  readonly support: SetTensors
  readonly start: readonly tf.Tensor[]
  readonly innerRate: tf.Tensor
}

/** A report: no gradient follows it. */
function detached(report: tf.Tensor): tf.Tensor {
  return tf.customGrad(() => ({ value: tf.clone(report), gradFunc: () => [] }))()
}

/** The task's own parameters before any step. */
export function ownStart(loop: InnerLoop, net: TensorTree, tasks: number | undefined): tf.Tensor[] {
  if (loop.context > 0) return [tf.zeros(tasks === undefined ? [loop.context] : [tasks, loop.context])]
  const { leaves, paths } = flattenTree<tf.Tensor>(net)
  const chosen = leaves.filter((_, i) => loop.adapts(paths[i]!, paths))
  check(chosen.length > 0, 'meta/inner-loop', () => `no parameter adapts, the paths are ${paths.join(', ')}.`)
  return tasks === undefined ? chosen : addTaskAxis(chosen, tasks)
}

/** Names the task's own leaves by their path, as adaptations hand them out. */
export function nameOwn(loop: InnerLoop, net: TensorTree, own: readonly tf.Tensor[]): { [path: string]: tf.Tensor } {
  if (loop.context > 0) return { context: own[0]! }
  const { paths } = flattenTree<tf.Tensor>(net)
  const names = paths.filter((path) => loop.adapts(path, paths))
  return Object.fromEntries(own.map((leaf, i) => [names[i]!, leaf]))
}

/** The leaves of {@link nameOwn}, in order. */
export function leavesOf(own: TensorTree): tf.Tensor[] {
  return flattenTree<tf.Tensor>(own).leaves
}

/** Gradient of the sum over tasks of the support loss, by the task's own parameters. */
export function supportGradient(
  loop: InnerLoop,
  net: TensorTree,
  own: readonly tf.Tensor[],
  set: SetTensors,
  run: {
    readonly step: number
    readonly tasks: number | undefined
    readonly training: boolean
    readonly changes: StatisticChange[]
  },
): tf.Tensor[] {
  const { step, training } = run
  const tasks = run.tasks !== undefined
  const changes: StatisticChange[] = []
  const total = (p: readonly tf.Tensor[]) => {
    const prediction = applyOwn(loop, net, p, set.x, { tasks, step, training, changes })
    return [tf.sum(loop.loss(prediction, set.y, lossOptions(set, tasks))), changes.map(({ by }) => by)] as const
  }
  const { gradient, aux } = valueAndGradient(total, [...own])
  run.changes.push(...changes.map(({ leaf }, i) => ({ leaf, by: aux[i]! })))
  return [...gradient]
}

/** Query loss of each task in training, [T], after `step` inner steps. */
export function queryLosses(
  loop: InnerLoop,
  net: TensorTree,
  own: readonly tf.Tensor[],
  set: SetTensors,
  { step, changes }: { readonly step: number; readonly changes?: StatisticChange[] },
): tf.Tensor {
  const pass = { tasks: true, step, training: true, ...(changes ? { changes } : {}) }
  return loop.loss(applyOwn(loop, net, own, set.x, pass), set.y, lossOptions(set, true))
}

/** Options of a loss for a set: weights where there are any, one number a task where there is a task axis. */
export function lossOptions(set: SetTensors, perTask: boolean): { weights?: tf.Tensor; perTask: boolean } {
  return set.weights ? { weights: set.weights, perTask } : { perTask }
}

/** Squared norm over all leaves: of each task, [T], or altogether. */
export function squaredNorms(leaves: readonly tf.Tensor[], tasks: boolean): tf.Tensor {
  const first = tasks ? 1 : 0
  return leaves.map((leaf) => tf.sum(tf.square(leaf), axesFrom(first, leaf.rank))).reduce((a, b) => tf.add(a, b))
}

/** Shapes one number a task so that it broadcasts over a leaf. */
export function perTaskFactor(factor: tf.Tensor, leaf: tf.Tensor): tf.Tensor {
  return factor.rank === 0 ? factor : tf.reshape(factor, [factor.shape[0]!, ...new Array(leaf.rank - 1).fill(1)])
}

/** Axes from `first` up to the rank. */
export function axesFrom(first: number, rank: number): number[] {
  return Array.from({ length: rank - first }, (_, i) => first + i)
}

/** Fails unless a number is finite and above zero, or infinite where that means none. */
export function checkPositive(where: string, name: string, value: number, orInfinite = false): void {
  check(
    value > 0 && (orInfinite || value < Number.POSITIVE_INFINITY),
    where,
    () => `${name} must be ${orInfinite ? '' : 'finite and '}above 0, got ${describe(value)}.`,
  )
}

function rateOf(params: GradientParams, leaf: number, step: number, scale: tf.Tensor, loop: InnerLoop): tf.Tensor {
  if (!params.rates) return scale
  const rate = params.rates[leaf]!
  if (loop.rates === 'perParameter') return tf.mul(rate, scale)
  // Beyond the steps of training the last rate goes on.
  const at = Math.min(step, loop.steps - 1)
  return tf.mul(tf.reshape(tf.slice(rate, [at], [1]), []), scale)
}

// g · bound / √max(|g|², bound²): no root of zero, so that it can be differentiated.
function limit(
  slopes: readonly tf.Tensor[],
  bound: number,
  tasks: boolean,
): { slopes: readonly tf.Tensor[]; over?: tf.Tensor } {
  if (bound === Number.POSITIVE_INFINITY) return { slopes }
  const squared = squaredNorms(slopes, tasks)
  const factor = tf.div(bound, tf.sqrt(tf.maximum(squared, bound * bound)))
  const over = detached(tf.mean(tf.cast(tf.greater(squared, bound * bound), 'float32')))
  return { slopes: slopes.map((slope) => tf.mul(slope, perTaskFactor(factor, slope))), over }
}

function appendContext(x: tf.Tensor, context: tf.Tensor, tasks: boolean): tf.Tensor {
  const size = context.shape.at(-1)!
  const lead = tasks ? [context.shape[0]!] : []
  const shaped = tf.reshape(context, [...lead, ...new Array(x.rank - 1 - lead.length).fill(1), size])
  const spread = tf.add(shaped, tf.zeros([...x.shape.slice(0, -1), size]))
  return tf.concat([x, spread], x.rank - 1)
}
