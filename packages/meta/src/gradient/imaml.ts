import { check, describe } from '@regimen/core'
import { flattenTree, hessianVectorProduct, type TensorTree, unflattenTree, valueAndGradient } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { MetaLearner, SetTensors } from '../learner.ts'
import { moveStatistics } from '../statistics.ts'
import {
  applyOwn,
  asGradientParams,
  axesFrom,
  checkPositive,
  type InnerLoop,
  initLoop,
  leavesOf,
  lossOptions,
  nameOwn,
  perTaskFactor,
  queryLosses,
  runLoop,
} from './inner-loop.ts'
import { type MamlOptions, readLoop } from './maml.ts'

/** Options of {@link imaml}. */
export interface ImamlOptions extends MamlOptions {
  /** Pull λ towards the shared start, > 0: the inner objective is L + λ/2 · |φ − θ|². @default 2 */
  pull?: number
  /** Conjugate-gradient steps that solve for the meta-gradient, ≥ 1. @default 5 */
  solverSteps?: number
}

/**
 * Makes implicit MAML: a task minimizes L_support(φ) + λ/2 · |φ − θ|², and the meta-gradient follows from where it ends, not
 * from how it got there: (I + H/λ)⁻¹ ∇L_query(φ), solved by conjugate gradients with Hessian-vector products. Memory and graph
 * do not grow with the inner steps' second derivatives, so 10 or 20 steps are fine; it needs them, because the formula
 * holds at the minimum only. Keep rate · (λ + curvature) below 2.
 *
 * ```ts
 * import { imaml } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * imaml({ net: mlp({ sizes: [1, 8, 1] }), steps: 10, rate: 0.05, pull: 1 }).steps // => 10
 * ```
 *
 * Reference: Rajeswaran, Finn, Kakade and Levine 2019.
 */
export function imaml(options: ImamlOptions): MetaLearner {
  const where = 'meta/imaml'
  const { pull = 2, solverSteps = 5, steps = 10 } = options
  checkPositive(where, 'pull', pull)
  check(
    Number.isInteger(solverSteps) && solverSteps >= 1,
    where,
    () => `solverSteps must be an integer ≥ 1, got ${describe(solverSteps)}.`,
  )
  const loop = readLoop(where, { ...options, steps }, {}, pull)
  return {
    id: where,
    config: { steps, rate: loop.rate, pull, solverSteps },
    steps,
    innerRate: loop.rate,
    loss: loop.loss,
    init: (rng) => initLoop(loop, rng),
    controls: () => ({ stepWeights: new Float32Array([1]), secondOrder: false }),
    metaGradient(params, batch, { innerRate }) {
      const tasks = batch.support.x.shape[0]!
      const gradientParams = asGradientParams(params)
      const { net } = gradientParams
      const run = { steps, innerRate, tasks, training: true }
      const { path, bounded, changes } = runLoop(loop, gradientParams, batch.support, run)
      const own = [...path.at(-1)!]
      const { value, gradient, aux } = valueAndGradient((p: tf.Tensor[]) => {
        const all = [...changes]
        const losses = queryLosses(loop, net, p, batch.query, { step: steps, changes: all })
        return [tf.sum(losses), moveStatistics(net, all, 'net')] as const
      }, own)
      const solved = solve(loop, net, own, batch.support, { right: gradient, pull, solverSteps })
      const { structure } = flattenTree<tf.Tensor>(net)
      const shared = solved.map((leaf) => tf.mean(leaf, 0))
      return {
        loss: tf.div(value, tasks),
        gradient: { net: unflattenTree(structure, shared) } as TensorTree,
        bounded,
        statistics: aux,
      }
    },
    adapt(params, support, settings) {
      const { net } = asGradientParams(params)
      const { path, bounded } = runLoop(loop, asGradientParams(params), support, { ...settings, training: false })
      return { path: path.map((own) => nameOwn(loop, net, own)), bounded }
    },
    predict: (params, own, x, at) =>
      applyOwn(loop, asGradientParams(params).net, leavesOf(own), x, { ...at, step: at.steps, training: false }),
  }
}

// Conjugate gradients for (I + H/λ) v = g, all tasks at once: H is block-diagonal over them.
function solve(
  loop: InnerLoop,
  net: TensorTree,
  own: tf.Tensor[],
  support: SetTensors,
  { right, pull, solverSteps }: { right: tf.Tensor[]; pull: number; solverSteps: number },
): tf.Tensor[] {
  const loss = (p: tf.Tensor[]): tf.Tensor => {
    const prediction = applyOwn(loop, net, p, support.x, { tasks: true, step: loop.steps, training: true })
    return tf.sum(loop.loss(prediction, support.y, lossOptions(support, true)))
  }
  const multiply = (v: tf.Tensor[]): tf.Tensor[] =>
    hessianVectorProduct(loss, own, v).map((h, i) => tf.add(v[i]!, tf.div(h, pull)))
  const combine = (a: tf.Tensor[], factor: tf.Tensor, b: tf.Tensor[]): tf.Tensor[] =>
    a.map((leaf, i) => tf.add(leaf, tf.mul(perTaskFactor(factor, leaf), b[i]!)))
  // A solved task has a residual of zero; the small number keeps its steps at zero instead of 0/0.
  const ratio = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.div(a, tf.add(b, 1e-20))
  let solution = right.map((leaf) => tf.zerosLike(leaf))
  let residual = right
  let direction = right
  let square = dots(residual, residual)
  for (let i = 0; i < solverSteps; i++) {
    const image = multiply(direction)
    const step = ratio(square, dots(direction, image))
    solution = combine(solution, step, direction)
    residual = combine(residual, tf.neg(step), image)
    const next = dots(residual, residual)
    direction = combine(residual, ratio(next, square), direction)
    square = next
  }
  return solution
}

function dots(a: readonly tf.Tensor[], b: readonly tf.Tensor[]): tf.Tensor {
  return a.map((leaf, i) => tf.sum(tf.mul(leaf, b[i]!), axesFrom(1, leaf.rank))).reduce((x, y) => tf.add(x, y))
}
