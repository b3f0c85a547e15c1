import { check, createRng, describe } from '@regimen/core'
import { addTaskAxis, flattenTree, type TensorLeaf, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { lossOptions } from './gradient/inner-loop.ts'
import type { MetaLearner, SetTensors, Weights } from './learner.ts'
import {
  allFinite,
  compileTrees,
  diverged,
  type Execution,
  innerOf,
  type MetaModel,
  type Runner,
  scalarOf,
} from './model.ts'
import { checkTaskFor, type Task, type TaskSet } from './tasks/task.ts'

/** Options of {@link openAdapter}. */
export interface AdapterOptions extends Execution {
  /** Inner steps, ≥ 1. @default the model's */
  steps?: number
  /** Inner rate, > 0; the scale where rates are learned. @default the model's */
  innerRate?: number
  /** Numbers of samples to which support and inputs are padded. @default [8, 16, 32, 64, 128, 256, 512] */
  sizes?: readonly number[]
  /** How often a diverged adaptation is repeated with half the rate. @default 8 */
  recoveries?: number
}

/** Options of {@link adapt}. */
export type AdaptOptions = Omit<AdapterOptions, 'sizes' | 'device' | 'threads' | 'cache' | 'execution'>

/** How far one part of the net moved. */
export interface LayerChange {
  /** Path of the parameter: `0.kernel`, `context`. */
  readonly path: string
  /** Norm before. */
  readonly norm: number
  /** Norm of the difference. */
  readonly change: number
  /** change / norm; Infinity from zero. */
  readonly relative: number
}

/** Mean and deviation of predictions over members of an ensemble. */
export interface UncertainPrediction {
  readonly mean: TensorLeaf
  /** How much the members differ: uncertainty from having seen few samples, not the target's own noise. */
  readonly deviation: TensorLeaf
}

/** A net adapted to one task. */
export interface Adapted {
  /** What the task owns, as plain data. */
  readonly own: Weights
  /** Support loss before and after. */
  readonly lossBefore: number
  readonly lossAfter: number
  /** Share of inner gradients that were cut to the bound. */
  readonly bounded: number
  /** How often the rate had to be halved. */
  readonly recoveries: number
  /** Answers for inputs, [n, …] → [n, …]. */
  predict(x: TensorLeaf): Promise<TensorLeaf>
  /**
   * Answers with uncertainty: adapts an ensemble in one batched call, each member to the support with random weights
   * (Bayesian bootstrap), and compares their answers.
   */
  predictUncertain(x: TensorLeaf, options?: { members?: number; seed?: number | string }): Promise<UncertainPrediction>
  /** What changed, parameter by parameter in the order of the net. */
  explain(): Promise<readonly LayerChange[]>
  /**
   * Takes newly labelled samples in without gradients, for learners that can (prototypical nets); `keep` is the share of
   * weight that earlier samples retain, 0 to 1, 1 by default. Others are an error: adapt anew.
   */
  observe(set: TaskSet, options?: { keep?: number }): Promise<Adapted>
}

/** Adapts a model again and again on compiled functions that are made once. */
export interface Adapter {
  (support: TaskSet): Promise<Adapted>
  /** Compiles for every size ahead of the first call. */
  warmup(support: TaskSet): Promise<void>
  dispose(): Promise<void>
}

/**
 * Adapts a model to a support set and returns the adapted predictor: one compiled call, which serves 5 or 50 samples by
 * padding. The compiled functions are kept with the learner, so the next adaptation takes milliseconds. An adaptation that
 * ends in NaN or infinity, or worse than twice the loss that it began with, is repeated with half the rate.
 *
 * For control over when they are compiled and freed see {@link openAdapter}.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { createRng } from '@regimen/core'
 * import { adapt, maml, sinusoids } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = maml({ net: mlp({ sizes: [1, 20, 1] }), rate: 0.05 })
 * const model = { learner, params: learner.init(createRng(1)) }
 * const { support } = sinusoids({ shots: 10 }).task({ amplitude: 1, phase: 0 }, createRng(2))
 * const adapted = await adapt(model, support, { steps: 5 })
 * adapted.lossAfter < adapted.lossBefore // => true
 * const changes = await adapted.explain()
 * changes.map(({ path }) => path) // => ['0.kernel', '0.bias', '1.kernel', '1.bias']
 * ```
 */
export function adapt(model: MetaModel, support: TaskSet, options: AdaptOptions = {}): Promise<Adapted> {
  const { steps = innerOf(model).steps } = options
  let functions = compiled.get(model.learner)
  if (!functions) {
    functions = new Map()
    compiled.set(model.learner, functions)
  }
  let entry = functions.get(steps)
  if (!entry) {
    entry = compileAdaptation(model.learner, steps, SIZES, {})
    functions.set(steps, entry)
  }
  return run(model, support, entry, options)
}

/**
 * Opens an adapter for one model: the same as {@link adapt}, with compiled functions of its own that can be warmed up before
 * the market opens and disposed afterwards.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { createRng } from '@regimen/core'
 * import { anil, openAdapter, sinusoids } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = anil({ net: mlp({ sizes: [1, 20, 1] }) })
 * const adapter = openAdapter({ learner, params: learner.init(createRng(1)) }, { steps: 3, sizes: [8, 64] })
 * const { support } = sinusoids({ shots: 10 }).task({ amplitude: 1, phase: 0 }, createRng(2))
 * const adapted = await adapter(support)
 * const answer = await adapted.predict(support.x)
 * answer.shape // => [10, 1]
 * await adapter.dispose()
 * ```
 */
export function openAdapter(model: MetaModel, options: AdapterOptions = {}): Adapter {
  const { steps = innerOf(model).steps, sizes = SIZES, innerRate, recoveries, ...execution } = options
  const entry = compileAdaptation(model.learner, steps, sizes, execution)
  const settings: AdaptOptions = {
    steps,
    ...(innerRate === undefined ? {} : { innerRate }),
    ...(recoveries === undefined ? {} : { recoveries }),
  }
  const adapter = (support: TaskSet): Promise<Adapted> => run(model, support, entry, settings)
  return Object.assign(adapter, {
    async warmup(support: TaskSet): Promise<void> {
      const shaped = (leaf: TensorLeaf, size: number) => ({ dtype: leaf.dtype, shape: [size, ...leaf.shape.slice(1)] })
      for (const size of sizes) {
        const set = {
          x: shaped(support.x, size),
          y: shaped(support.y, size),
          weights: { dtype: 'float32', shape: [size] },
        }
        await entry.adapt.warmup([[model.params, set, 0]])
      }
      // The predictor's form depends on what an adaptation hands out, so it is made by using it.
      const { own } = await adapter(support)
      for (const size of sizes) await entry.predict.warmup([[model.params, own, shaped(support.x, size)]])
    },
    dispose: () => entry.dispose(),
  })
}

const SIZES = [8, 16, 32, 64, 128, 256, 512]

/** Functions that `adapt` compiled for a learner, by number of steps. They go when the learner is forgotten. */
const compiled = /* @__PURE__ */ new WeakMap<MetaLearner, Map<number, Functions>>()

type Params = TensorTree

interface Functions {
  readonly adapt: Runner
  readonly predict: Runner
  readonly start: Runner
  readonly ensemble: Runner
  readonly absorb: Runner | undefined
  dispose(): Promise<void>
}

function compileAdaptation(
  learner: MetaLearner,
  steps: number,
  sizes: readonly number[],
  execution: Execution,
): Functions {
  check(
    Number.isInteger(steps) && steps >= 1,
    'meta/adapt',
    () => `steps must be an integer ≥ 1, got ${describe(steps)}.`,
  )
  const bucket = (input: string, outputs?: Record<string, number>) => ({
    ...execution,
    buckets: { sizes, inputs: { [input]: 0 }, ...(outputs ? { outputs } : {}) },
    maxSignatures: 64,
    maxSessions: 32,
  })
  const lossOf = (params: Params, own: TensorTree, set: SetTensors, after: number): tf.Tensor => {
    if (learner.supportLoss) return learner.supportLoss(params, own, set)
    const prediction = learner.predict(params, own, set.x, { tasks: false, steps: after })
    return learner.loss(prediction, set.y, lossOptions(set, false))
  }
  const functions = {
    adapt: compileTrees((params: Params, support: SetTensors, innerRate: tf.Tensor) => {
      const { path, bounded } = learner.adapt(params, support, { steps, innerRate })
      const own = path.at(-1)!
      const [before, after] = [lossOf(params, path[0]!, support, 0), lossOf(params, own, support, steps)]
      return { own, before, after, bounded }
    }, bucket('1')),
    predict: compileTrees(
      (params: Params, own: TensorTree, x: tf.Tensor) => learner.predict(params, own, x, { tasks: false, steps }),
      bucket('2', { '': 0 }),
    ),
    start: compileTrees(
      (params: Params, support: SetTensors) =>
        learner.adapt(params, support, { steps, innerRate: tf.scalar(0) }).path[0]!,
      bucket('1'),
    ),
    ensemble: compileTrees(
      (params: Params, support: SetTensors, x: tf.Tensor, innerRate: tf.Tensor) => {
        const tasks = support.x.shape[0]!
        const own = learner.adapt(params, support, { steps, innerRate, tasks }).path.at(-1)!
        return learner.predict(params, own, addTaskAxis(x, tasks), { tasks: true, steps })
      },
      { ...execution, maxSignatures: 64 },
    ),
    absorb:
      learner.absorb &&
      compileTrees(
        (params: Params, own: TensorTree, set: SetTensors, keep: tf.Tensor) => learner.absorb!(params, own, set, keep),
        bucket('2'),
      ),
  }
  return {
    ...functions,
    async dispose() {
      for (const fn of Object.values(functions)) await fn?.dispose()
    },
  }
}

async function run(model: MetaModel, support: TaskSet, entry: Functions, options: AdaptOptions): Promise<Adapted> {
  const where = 'meta/adapt'
  const { innerRate = innerOf(model).innerRate, recoveries: allowed = 8 } = options
  check(
    innerRate > 0 && innerRate < Number.POSITIVE_INFINITY,
    where,
    () => `innerRate must be finite and above 0, got ${describe(innerRate)}.`,
  )
  checkTaskFor(model.learner, noTime(support), where)
  const set = withWeights(support)
  for (let recoveries = 0; ; recoveries++) {
    const rate = innerRate / 2 ** recoveries
    const result = (await entry.adapt(model.params, set, rate)) as {
      own: Weights
      before: TensorLeaf
      after: TensorLeaf
      bounded: TensorLeaf
    }
    const before = scalarOf(result.before)
    const after = scalarOf(result.after)
    if (Number.isFinite(after) && allFinite(result.own) && !(after > 2 * Math.abs(before) + 1e-6)) {
      return makeAdapted(model, support, entry, {
        own: result.own,
        lossBefore: before,
        lossAfter: after,
        bounded: scalarOf(result.bounded),
        recoveries,
        rate,
      })
    }
    if (recoveries >= allowed) {
      throw diverged(
        where,
        `the support loss went from ${before} to ${after}, even after ${recoveries} halvings of the rate ${innerRate}.`,
        'Scale the features, lower innerRate, or train the model for longer.',
      )
    }
  }
}

function makeAdapted(
  model: MetaModel,
  support: TaskSet,
  entry: Functions,
  facts: Pick<Adapted, 'own' | 'lossBefore' | 'lossAfter' | 'bounded' | 'recoveries'> & { rate: number },
): Adapted {
  const { own, rate, ...rest } = facts
  const where = 'meta/adapt'
  return {
    own,
    ...rest,
    predict: async (x) => (await entry.predict(model.params, own, x)) as TensorLeaf,
    async predictUncertain(x, { members = 16, seed = 0 } = {}) {
      check(
        Number.isInteger(members) && members >= 2,
        where,
        () => `members must be an integer ≥ 2, got ${describe(members)}.`,
      )
      const stacked = bootstrap(support, members, seed)
      const answers = (await entry.ensemble(model.params, stacked, x, rate)) as TensorLeaf
      return spread(answers)
    },
    async explain() {
      const start = flattenTree<TensorLeaf>(await entry.start(model.params, withWeights(support)))
      const end = flattenTree<TensorLeaf>(own).leaves
      return start.paths.map((path, i) => changeOf(path, start.leaves[i]!, end[i]!))
    },
    async observe(set, { keep = 1 } = {}) {
      check(
        entry.absorb !== undefined,
        where,
        () => `${model.learner.id} cannot take samples in without gradients.`,
        'Adapt anew with the new samples in the support.',
      )
      check(keep >= 0 && keep <= 1, where, () => `keep must be a share from 0 to 1, got ${describe(keep)}.`)
      checkTaskFor(model.learner, noTime(set), where)
      const next = await entry.absorb(model.params, own, withWeights(set), keep)
      return makeAdapted(model, support, entry, { ...facts, own: next as Weights })
    },
  }
}

function withWeights(set: TaskSet): { x: TensorLeaf; y: TensorLeaf; weights: Float32Array } {
  return { x: set.x, y: set.y, weights: set.weights ?? new Float32Array(set.x.shape[0]!).fill(1) }
}

// A support checked against itself is not earlier than itself.
function noTime(set: TaskSet): Task {
  const plain = { x: set.x, y: set.y, ...(set.weights ? { weights: set.weights } : {}) }
  return { support: { ...plain, described: set.described ?? false }, query: plain }
}

function bootstrap(
  support: TaskSet,
  members: number,
  seed: number | string,
): { x: TensorLeaf; y: TensorLeaf; weights: TensorLeaf } {
  const rng = createRng(seed)
  const n = support.x.shape[0]!
  const weights = new Float32Array(members * n)
  for (let i = 0; i < weights.length; i++) weights[i] = rng.exponential() * (support.weights?.[i % n] ?? 1)
  const repeat = (leaf: TensorLeaf): TensorLeaf => {
    const size = leaf.data.length
    const data = leaf.dtype === 'int32' ? new Int32Array(members * size) : new Float32Array(members * size)
    for (let m = 0; m < members; m++) data.set(leaf.data, m * size)
    return { dtype: leaf.dtype, shape: [members, ...leaf.shape], data } as TensorLeaf
  }
  return {
    x: repeat(support.x),
    y: repeat(support.y),
    weights: { dtype: 'float32', shape: [members, n], data: weights },
  }
}

function spread({ data, shape }: TensorLeaf): UncertainPrediction {
  const members = shape[0]!
  const size = data.length / members
  const mean = new Float32Array(size)
  const deviation = new Float32Array(size)
  for (let i = 0; i < size; i++) {
    let sum = 0
    for (let m = 0; m < members; m++) sum += data[m * size + i]!
    const centre = sum / members
    let square = 0
    for (let m = 0; m < members; m++) square += (data[m * size + i]! - centre) ** 2
    mean[i] = centre
    deviation[i] = Math.sqrt(square / (members - 1))
  }
  const leaf = (values: Float32Array): TensorLeaf => ({ dtype: 'float32', shape: shape.slice(1), data: values })
  return { mean: leaf(mean), deviation: leaf(deviation) }
}

function changeOf(path: string, before: TensorLeaf, after: TensorLeaf): LayerChange {
  let norm = 0
  let change = 0
  for (let i = 0; i < before.data.length; i++) {
    norm += before.data[i]! ** 2
    change += (after.data[i]! - before.data[i]!) ** 2
  }
  const [a, b] = [Math.sqrt(norm), Math.sqrt(change)]
  return { path, norm: a, change: b, relative: b === 0 ? 0 : b / a }
}
