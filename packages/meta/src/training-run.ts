import { check, createRng, createSnapshot, type Snapshot, type Tree } from '@regimen/core'
import {
  clipByGlobalNorm,
  paramsFromSnapshot,
  type RuleState,
  type TensorLeaf,
  type TensorTree,
  type UpdateRule,
} from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import type { Controls, MetaLearner, SetTensors, Weights } from './learner.ts'
import { compileTrees, type Execution, MODEL_VERSION, type Runner } from './model.ts'
import { replaceLeaves } from './statistics.ts'
import type { FlatOptions, MetaTrainOptions } from './train.ts'

/** What one compiled meta-iteration gives. */
export interface StepResult {
  readonly loss: TensorLeaf
  readonly bounded: TensorLeaf
  readonly params: Weights
  readonly state: RuleState
}

/** What changes from iteration to iteration. */
export interface Run {
  iteration: number
  params: Weights
  state: RuleState
  shrink: number
  recoveries: number
  best: { loss: number; params: Weights; waited: number }
  /** Query losses that the test of flatness still needs. */
  recent: number[]
}

type Batch = { readonly support: SetTensors; readonly query: SetTensors }

/** Compiles a whole meta-iteration: inner loops, meta-gradient, clipping, outer rule, running statistics. */
export function compileStep(learner: MetaLearner, rule: UpdateRule, clip: number, execution: Execution): Runner {
  return compileTrees(
    (params: TensorTree, state: RuleState<tf.Tensor>, batch: Batch, rate: tf.Tensor, controls: Controls) => {
      const { loss, gradient, bounded, statistics } = learner.metaGradient(params, batch, controls)
      const gradients = clip === Number.POSITIVE_INFINITY ? gradient : clipByGlobalNorm(gradient, clip)
      const next = rule.apply(params, { gradients, state, rate })
      return { loss, bounded, params: replaceLeaves(next.params, statistics), state: next.state }
    },
    execution,
  )
}

/** Whether the mean of the last window is hardly better than that of the one before; looks once a window. */
export function isFlat(recent: number[], { window, tolerance }: Required<FlatOptions>): boolean {
  if (recent.length < 2 * window) return false
  const mean = (from: number): number => recent.slice(from, from + window).reduce((a, b) => a + b, 0) / window
  const [before, now] = [mean(0), mean(window)]
  recent.splice(0, window)
  return before - now < tolerance * Math.abs(before)
}

/** Where a run begins: afresh, or where a checkpoint left it. */
export function startOf(
  learner: MetaLearner,
  rule: UpdateRule,
  options: Pick<MetaTrainOptions, 'from' | 'seed' | 'params'>,
): Run {
  const { from, seed = 0 } = options
  const params = options.params ?? learner.init(createRng(seed).split('init'))
  const fresh: Run = {
    iteration: 0,
    params,
    state: rule.init(params),
    shrink: 1,
    recoveries: 0,
    best: { loss: Number.POSITIVE_INFINITY, params, waited: 0 },
    recent: [],
  }
  if (!from) return fresh
  check(
    from.id === `${learner.id}/training` && from.version === MODEL_VERSION,
    'meta/meta-train',
    () =>
      `the checkpoint is of ${from.id} version ${from.version}, not of ${learner.id}/training version ${MODEL_VERSION}.`,
    'Resume with the learner that the checkpoint was made with.',
  )
  const form = { params, rule: fresh.state, best: params }
  const stored = paramsFromSnapshot(from, form)
  const numbers = from.state as { [name: string]: Tree }
  return {
    iteration: Number(numbers.iteration),
    params: stored.params,
    state: stored.rule,
    shrink: Number(numbers.shrink),
    recoveries: Number(numbers.recoveries),
    best: {
      loss: numbers.bestLoss === null ? Number.POSITIVE_INFINITY : Number(numbers.bestLoss),
      params: stored.best,
      waited: Number(numbers.waited),
    },
    recent: (numbers.recent as readonly number[]).slice(),
  }
}

/** Everything from which a run continues exactly. */
export function checkpointOf(learner: MetaLearner, run: Run): Snapshot {
  const { best } = run
  return createSnapshot({
    id: `${learner.id}/training`,
    version: MODEL_VERSION,
    config: learner.config,
    state: {
      params: run.params,
      rule: run.state,
      best: best.params,
      bestLoss: best.loss === Number.POSITIVE_INFINITY ? null : best.loss,
      waited: best.waited,
      iteration: run.iteration,
      shrink: run.shrink,
      recoveries: run.recoveries,
      recent: run.recent.slice(),
    } as Tree,
  })
}
