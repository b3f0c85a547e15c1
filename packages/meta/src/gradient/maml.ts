import { check, describe } from '@regimen/core'
import { meanSquaredError, type TensorTree, valueAndGradient } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { IterationControls, MetaLearner, MetaNet, TaskLoss } from '../learner.ts'
import { moveStatistics } from '../statistics.ts'
import {
  applyOwn,
  asGradientParams,
  checkPositive,
  type InnerLoop,
  type InnerRates,
  initLoop,
  leavesOf,
  nameOwn,
  queryLosses,
  runLoop,
} from './inner-loop.ts'

/** Options that all learners of MAML's family take. */
export interface MamlOptions {
  /** What is adapted: any net of `@regimen/tensor`. */
  net: MetaNet
  /** Loss of the inner and the outer loop. @default meanSquaredError */
  loss?: TaskLoss
  /** Inner steps in training, ≥ 1. @default 1 */
  steps?: number
  /** Inner learning rate, > 0; the first value where rates are learned. @default 0.01 */
  rate?: number
  /**
   * Largest norm of one task's inner gradient, > 0: a longer one is cut to it, and reports say how often. Infinity leaves
   * gradients as they are and makes a graph about a tenth smaller. @default 100
   */
  bound?: number
  /**
   * Whether the outer gradient computes the inside of each inner step again instead of keeping it (`checkpoint` of
   * `@regimen/tensor`): less memory in long loops and with many tasks, a fifth to a half more time on the CPU. Random layers such
   * as dropout are an error with it. @default false
   */
  remat?: boolean
}

/**
 * Makes MAML: the shared start θ is moved so that a few steps of gradient descent from it do well on a new task,
 * θ ← θ − β ∇θ Σ L_query(θ − α ∇θ L_support(θ)), with the true second-order gradient through all steps.
 *
 * The reference of the family. {@link fomaml} is about twice as fast and close to it where the loss curves little;
 * {@link metaSgd} also learns the rates and usually adapts better in one step; {@link anil} adapts only the head.
 * A graph grows with the steps: `remat` bounds its memory; take {@link imaml} or {@link reptile} for more than about ten.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { evaluate, maml, metaTrain, sampleFamily, sinusoids } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = maml({ net: mlp({ sizes: [1, 20, 20, 1] }), rate: 0.02 })
 * const tasks = sampleFamily(sinusoids({ shots: 10 }), { seed: 1 })
 * const { model } = await metaTrain(learner, tasks, { iterations: 200, tasksPerBatch: 10 })
 * const { losses } = await evaluate(model, await tasks.batch(1_000_000, 50))
 * // after one step better than before it
 * losses[1]!.mean < losses[0]!.mean // => true
 * ```
 *
 * Reference: Finn, Abbeel and Levine 2017.
 */
export function maml(options: MamlOptions): MetaLearner {
  return defineGradient('meta/maml', options)
}

/**
 * Makes first-order MAML: as {@link maml}, with the inner gradients taken for constants, so that the outer gradient is the
 * query gradient at the adapted parameters. Half the cost; misleading where the inner loss curves strongly.
 *
 * ```ts
 * import { fomaml } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * fomaml({ net: mlp({ sizes: [1, 8, 1] }) }).controls(0, 1).secondOrder // => false
 * ```
 *
 * Reference: Finn, Abbeel and Levine 2017, section 5.2.
 */
export function fomaml(options: MamlOptions): MetaLearner {
  return defineGradient('meta/fomaml', options, { secondOrder: () => false })
}

/** Options of {@link anil}. */
export interface AnilOptions extends MamlOptions {
  /** Start of the paths that adapt, for example `'2'` or `'head'`. @default the last layer or part of the net */
  head?: string
}

/**
 * Makes ANIL: only the head adapts in the inner loop, the body is shared and learned by the outer loop alone. As good as
 * {@link maml} where a good representation is what tasks share, and several times cheaper, in adaptation too.
 *
 * ```ts
 * import { anil } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * anil({ net: mlp({ sizes: [1, 8, 1] }), head: '1' }).id // => 'meta/anil'
 * ```
 *
 * Reference: Raghu, Raghu, Bengio and Vinyals 2020.
 */
export function anil(options: AnilOptions): MetaLearner {
  const { head } = options
  return defineGradient('meta/anil', options, {
    adapts: (path, paths) => {
      const start = head ?? paths.at(-1)!.split('.')[0]!
      return path === start || path.startsWith(`${start}.`)
    },
  })
}

/**
 * Makes Meta-SGD: start and a rate of its own for every parameter are learned together, θ′ = θ − α ∘ ∇L(θ), α of the shape
 * of θ. Twice the meta-parameters; rates may turn negative. The usual choice for one step.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { metaSgd } from '@regimen/meta'
 * import { flattenTree, mlp } from '@regimen/tensor'
 *
 * const params = metaSgd({ net: mlp({ sizes: [1, 8, 1] }), rate: 0.02 }).init(createRng(1))
 * // kernel and bias of two layers, each with its rates
 * flattenTree(params).leaves.length // => 8
 * ```
 *
 * Reference: Li, Zhou, Chen and Li 2017.
 */
export function metaSgd(options: MamlOptions): MetaLearner {
  return defineGradient('meta/meta-sgd', options, { rates: 'perParameter' })
}

/** Options of {@link mamlPlusPlus}. */
export interface MamlPlusPlusOptions extends MamlOptions {
  /** Share of the iterations over which the multi-step loss fades into the last step's, 0 to 1. @default 0.3 */
  multiStep?: number
  /** Share of the iterations at the start that are of first order, 0 to 1. @default 0.2 */
  firstOrder?: number
}

/**
 * Makes MAML++: {@link maml} with a learned rate for each layer and step, the query loss of every step at first (weights
 * fade towards the last) and first-order gradients at first. Statistics of batch norm by step come with the net: `batchNorm` with
 * `statistics: 'perStep'` and one row more than `steps`, since a net is also judged after its last step. Pass `metaTrain` a cosine
 * rate: `{ rate: cosineDecay({ … }) }`. More stable than {@link maml} with five steps or more.
 *
 * ```ts
 * import { mamlPlusPlus } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = mamlPlusPlus({ net: mlp({ sizes: [1, 8, 1] }), steps: 4 })
 * Array.from(learner.controls(0, 100).stepWeights) // => [0.25, 0.25, 0.25, 0.25]
 * Array.from(learner.controls(99, 100).stepWeights) // => [0, 0, 0, 1]
 * ```
 *
 * Reference: Antoniou, Edwards and Storkey 2019.
 */
export function mamlPlusPlus(options: MamlPlusPlusOptions): MetaLearner {
  const { multiStep = 0.3, firstOrder = 0.2, steps = 5 } = options
  for (const [name, share] of Object.entries({ multiStep, firstOrder })) {
    check(
      share >= 0 && share <= 1,
      'meta/maml-plus-plus',
      () => `${name} must be a share from 0 to 1, got ${describe(share)}.`,
    )
  }
  return defineGradient(
    'meta/maml-plus-plus',
    { ...options, steps },
    {
      rates: 'perLayerStep',
      multiStep: (progress) => {
        const left = multiStep > 0 ? Math.max(0, 1 - progress / multiStep) : 0
        return Float32Array.from({ length: steps }, (_, i) =>
          i === steps - 1 ? 1 - (left * (steps - 1)) / steps : left / steps,
        )
      },
      secondOrder: (progress) => progress >= firstOrder,
    },
  )
}

/** Options of {@link cavia}. */
export interface CaviaOptions extends MamlOptions {
  /** Context numbers that a task owns, ≥ 1; the net must read so many inputs more. @default 4 */
  context?: number
}

/**
 * Makes CAVIA: all that a task owns is a short vector, zero at first, that is appended to every input; the net is shared. An
 * adaptation is a handful of numbers, so thousands of regimes can be kept, compared and interpolated. Wants a larger rate
 * (0.1 to 1) than {@link maml}.
 *
 * ```ts
 * import { cavia } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * // one input and four context numbers
 * cavia({ net: mlp({ sizes: [5, 20, 1] }), context: 4, rate: 1 }).steps // => 1
 * ```
 *
 * Reference: Zintgraf, Shiarlis, Kurin, Hofmann and Whiteson 2019.
 */
export function cavia(options: CaviaOptions): MetaLearner {
  const { context = 4 } = options
  check(
    Number.isInteger(context) && context >= 1,
    'meta/cavia',
    () => `context must be an integer ≥ 1, got ${describe(context)}.`,
  )
  return defineGradient('meta/cavia', options, { context })
}

interface Variant {
  readonly adapts?: InnerLoop['adapts']
  readonly rates?: InnerRates
  readonly context?: number
  /** Weights of the steps' query losses by progress, 0 to 1; absent for the last step's alone. */
  readonly multiStep?: (progress: number) => Float32Array
  readonly secondOrder?: (progress: number) => boolean
}

/** Reads the options that all gradient-based learners share. */
export function readLoop(where: string, options: MamlOptions, variant: Variant = {}, pull = 0): InnerLoop {
  const { net, loss = meanSquaredError, steps = 1, rate = 0.01, bound = 100, remat = false } = options
  check(Number.isInteger(steps) && steps >= 1, where, () => `steps must be an integer ≥ 1, got ${describe(steps)}.`)
  checkPositive(where, 'rate', rate)
  checkPositive(where, 'bound', bound, true)
  const { adapts = () => true, rates = 'fixed', context = 0 } = variant
  return { net, loss, steps, rate, bound, adapts, rates, context, pull, remat }
}

function defineGradient(id: string, options: MamlOptions, variant: Variant = {}): MetaLearner {
  const loop = readLoop(id, options, variant)
  const { steps, rate, bound, rates, context } = loop
  const { multiStep, secondOrder = () => true } = variant
  const lastOnly = Float32Array.from({ length: steps }, (_, i) => (i === steps - 1 ? 1 : 0))
  return {
    id,
    config: {
      steps,
      rate,
      ...(bound < Number.POSITIVE_INFINITY ? { bound } : {}),
      ...(context > 0 ? { context } : {}),
    },
    steps,
    innerRate: rates === 'fixed' ? rate : 1,
    loss: loop.loss,
    init: (rng) => initLoop(loop, rng),
    controls(iteration, iterations): IterationControls {
      const progress = iteration / iterations
      return { stepWeights: multiStep ? multiStep(progress) : lastOnly, secondOrder: secondOrder(progress) }
    },
    metaGradient(params, batch, controls) {
      const tasks = batch.support.x.shape[0]!
      const run = { steps, innerRate: controls.innerRate, tasks, training: true }
      // Outside of the outer gradient's tape, so that the tape sees numbers without a history.
      const first = controls.secondOrder ? undefined : runLoop(loop, asGradientParams(params), batch.support, run)
      const { gradient, aux } = valueAndGradient((p: TensorTree) => {
        const { net } = asGradientParams(p)
        const result = runLoop(
          loop,
          asGradientParams(p),
          batch.support,
          first ? { ...run, given: first.gradients } : run,
        )
        const changes = [...(first ?? result).changes]
        const lossAt = (step: number): tf.Tensor =>
          tf.mean(
            queryLosses(loop, net, result.path[step]!, batch.query, { step, ...(step === steps ? { changes } : {}) }),
          )
        const last = lossAt(steps)
        const objective = multiStep ? weightedLoss(lossAt, last, steps, controls.stepWeights) : last
        const statistics = moveStatistics(net, changes, 'net')
        return [objective, { loss: last, bounded: (first ?? result).bounded, statistics }] as const
      }, params)
      return { ...aux, gradient }
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

function weightedLoss(
  lossAt: (step: number) => tf.Tensor,
  last: tf.Tensor,
  steps: number,
  weights: tf.Tensor,
): tf.Tensor {
  const losses = Array.from({ length: steps }, (_, i) => (i === steps - 1 ? last : lossAt(i + 1)))
  return tf.sum(tf.mul(tf.stack(losses), weights))
}
