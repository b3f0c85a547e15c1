import { check, describe } from '@regimen/core'
import { softmaxCrossEntropy, type TensorLeaf } from '@regimen/tensor'
import { type Adapted, type AdaptOptions, adapt } from './adapt.ts'
import { evaluate } from './evaluate.ts'
import type { MetaModel } from './model.ts'
import type { Task, TaskSet } from './tasks/task.ts'

/** Options of {@link ensemble}. */
export interface EnsembleOptions {
  /**
   * Weights of the members: all the same, by their loss on the task's own support after adaptation, or by their mean query loss on
   * validation tasks. @default 'equal'
   */
  weighting?: 'equal' | 'support' | 'validation'
  /** Tasks for `weighting: 'validation'`; keep others for the final test. @default none */
  validation?: readonly Task[]
  /** Loss by which a member must be worse to weigh 1/e of another, > 0. @default 0.1 */
  temperature?: number
}

/** Models that adapt and answer together. */
export interface Ensemble {
  readonly models: readonly MetaModel[]
  /** Adapts every member to the support. */
  adapt(support: TaskSet, options?: AdaptOptions): Promise<AdaptedEnsemble>
}

/** The members of an ensemble after they have adapted to one task. */
export interface AdaptedEnsemble {
  readonly members: readonly Adapted[]
  /** Weight of each, summing to 1. */
  readonly weights: Float64Array
  /** Probabilities of the classes, [n, ways], where targets are classes; else the weighted mean of the answers. */
  predict(x: TensorLeaf): Promise<TensorLeaf>
}

/**
 * Joins models into an ensemble: each adapts to the support in its own way, and their answers are averaged, probabilities where
 * targets are classes (softmax of each member's logits), P = Σ wₘ Pₘ. By convexity its log loss is at most the weighted mean of the
 * members', whoever they are; it pays most when members of different kinds err on different samples. Weights by loss are
 * wₘ ∝ exp(−Lₘ / temperature).
 *
 * A support loss flatters members that fit their support by gradients; take validation tasks where there are any. For one member out of
 * several take {@link chooseLearner}, which costs one adaptation instead of all.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { createRng } from '@regimen/core'
 * import { chartPatterns, ensemble, matching, prototypical } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const sizes = { net: mlp({ sizes: [64, 16, 8] }), ways: 3, embedding: 8 }
 * const models = [prototypical(sizes), matching(sizes)].map((learner) => ({ learner, params: learner.init(createRng(1)) }))
 * const family = chartPatterns({ shots: 3, ways: 3 })
 * const rng = createRng(2)
 * const { support, query } = family.task(family.draw(rng), rng)
 * const team = await ensemble(models)
 * const adapted = await team.adapt(support)
 * const { data } = await adapted.predict(query.x)
 * data[0]! + data[1]! + data[2]! // ≈ 1
 * ```
 */
export async function ensemble(models: readonly MetaModel[], options: EnsembleOptions = {}): Promise<Ensemble> {
  const { weighting = 'equal', validation, temperature = 0.1 } = options
  check(models.length > 0, WHERE, () => 'the list of models is empty.')
  check(
    weighting === 'equal' || weighting === 'support' || weighting === 'validation',
    WHERE,
    () => `weighting must be "equal", "support" or "validation", got ${describe(weighting)}.`,
  )
  check(
    temperature > 0 && Number.isFinite(temperature),
    WHERE,
    () => `temperature must be finite and above 0, got ${describe(temperature)}.`,
  )
  check(
    weighting !== 'validation' || (validation !== undefined && validation.length > 0),
    WHERE,
    () => 'weighting by validation needs validation tasks.',
    'Pass { validation: tasks } that no member was trained on.',
  )
  check(
    weighting !== 'support' || models.every(({ learner }) => learner.loss === models[0]!.learner.loss),
    WHERE,
    () => 'the members have different losses, so their support losses cannot be compared.',
    'Weight by validation, where one loss judges all.',
  )
  const losses = weighting === 'validation' ? await validationLosses(models, validation!) : undefined
  return {
    models,
    async adapt(support, settings) {
      const members: Adapted[] = []
      for (const model of models) members.push(await adapt(model, support, settings))
      const weights = weightsOf(
        weighting === 'support' ? members.map(({ lossAfter }) => lossAfter) : (losses ?? models.map(() => 0)),
        temperature,
      )
      const classes = support.y.dtype === 'int32'
      return { members, weights, predict: async (x) => mix(members, weights, x, classes) }
    },
  }
}

const WHERE = 'meta/ensemble'

/** Mean query loss of each model, by one loss for all. */
async function validationLosses(models: readonly MetaModel[], tasks: readonly Task[]): Promise<number[]> {
  const loss = tasks[0]!.query.y.dtype === 'int32' ? softmaxCrossEntropy : models[0]!.learner.loss
  const losses: number[] = []
  for (const { learner, ...model } of models) {
    losses.push((await evaluate({ ...model, learner: { ...learner, loss } }, tasks)).losses.at(-1)!.mean)
  }
  return losses
}

/** wₘ ∝ exp(−Lₘ / temperature); a loss that is not finite weighs nothing. */
function weightsOf(losses: readonly number[], temperature: number): Float64Array {
  const least = Math.min(...losses.filter(Number.isFinite))
  check(least < Number.POSITIVE_INFINITY, WHERE, () => `no member has a finite loss, got ${losses.join(', ')}.`)
  const raw = Float64Array.from(losses, (loss) => (Number.isFinite(loss) ? Math.exp((least - loss) / temperature) : 0))
  const total = raw.reduce((a, b) => a + b, 0)
  return raw.map((weight) => weight / total)
}

async function mix(
  members: readonly Adapted[],
  weights: Float64Array,
  x: TensorLeaf,
  classes: boolean,
): Promise<TensorLeaf> {
  let sum: Float32Array | undefined
  let shape: readonly number[] = []
  for (const [m, member] of members.entries()) {
    const answer = await member.predict(x)
    check(
      sum === undefined || String(answer.shape) === String(shape),
      WHERE,
      () => `member ${m} answers with shape [${answer.shape.join(', ')}], those before with [${shape.join(', ')}].`,
      'Give all members the same number of ways, or outputs.',
    )
    shape = answer.shape
    const values = classes ? softmaxRows(answer) : answer.data
    sum ??= new Float32Array(values.length)
    for (let i = 0; i < values.length; i++) sum[i]! += weights[m]! * values[i]!
  }
  return { dtype: 'float32', shape: [...shape], data: sum! }
}

function softmaxRows({ data, shape }: TensorLeaf): Float64Array {
  const ways = shape.at(-1)!
  const out = new Float64Array(data.length)
  for (let at = 0; at < data.length; at += ways) {
    let top = Number.NEGATIVE_INFINITY
    for (let i = at; i < at + ways; i++) top = Math.max(top, data[i]!)
    let total = 0
    for (let i = at; i < at + ways; i++) total += out[i] = Math.exp(data[i]! - top)
    for (let i = at; i < at + ways; i++) out[i]! /= total
  }
  return out
}
