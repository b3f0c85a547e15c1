import { check, createRng, createSnapshot, type Snapshot, type Tree } from '@regimen/core'
import {
  averageTrees,
  clipByGlobalNorm,
  paramsFromSnapshot,
  type RuleState,
  type TensorLeaf,
  type TensorTree,
  type UpdateRule,
} from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import type { Controls, IterationControls, MetaGradient, MetaLearner, SetTensors, Weights } from './learner.ts'
import { compileTrees, type Execution, MODEL_VERSION } from './model.ts'
import { replaceLeaves } from './statistics.ts'
import type { TaskBatch } from './tasks/task.ts'
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

/** Runs meta-iterations on batches that are given in one part or several. */
export interface Step {
  run(
    params: Weights,
    state: RuleState,
    parts: readonly TaskBatch[],
    rate: number,
    controls: Given,
  ): Promise<StepResult>
  dispose(): Promise<void>
}

/** What a schedule gives for one iteration, with the inner rate. */
type Given = IterationControls & { readonly innerRate: number }

/**
 * Compiles a meta-iteration: inner loops, meta-gradient, clipping, outer rule, running statistics. One part is one graph; of several
 * parts the gradients are averaged outside, so that memory is that of one.
 */
export function openStep(learner: MetaLearner, rule: UpdateRule, clip: number, execution: Execution): Step {
  const update = (params: TensorTree, state: RuleState<tf.Tensor>, found: Found, rate: tf.Tensor) => {
    const { gradient, statistics } = found
    const gradients = clip === Number.POSITIVE_INFINITY ? gradient : clipByGlobalNorm(gradient, clip)
    const next = rule.apply(params, { gradients, state, rate })
    return { params: replaceLeaves(next.params, statistics), state: next.state }
  }
  const whole = compileTrees(
    (params: TensorTree, state: RuleState<tf.Tensor>, batch: Batch, rate: tf.Tensor, controls: Controls) => {
      const { loss, bounded, ...found } = learner.metaGradient(params, batch, controls)
      return { loss, bounded, ...update(params, state, found, rate) }
    },
    execution,
  )
  const part = compileTrees(
    (params: TensorTree, batch: Batch, controls: Controls) => learner.metaGradient(params, batch, controls),
    execution,
  )
  const finish = compileTrees(update, execution)
  return {
    async run(params, state, parts, rate, controls) {
      if (parts.length === 1) return (await whole(params, state, parts[0]!, rate, controls)) as StepResult
      const found: PartResult[] = []
      for (const batch of parts) found.push((await part(params, batch, controls)) as PartResult)
      const sizes = parts.map(({ support }) => support.x.shape[0]!)
      const { loss, bounded, gradient, statistics } = averageTrees(found, sizes)
      const next = await finish(params, state, { gradient, statistics }, rate)
      return { loss, bounded, ...(next as Pick<StepResult, 'params' | 'state'>) }
    },
    async dispose() {
      await Promise.all([whole.dispose(), part.dispose(), finish.dispose()])
    },
  }
}

interface PartResult extends Pick<StepResult, 'loss' | 'bounded'> {
  readonly gradient: Weights
  readonly statistics: { readonly [path: string]: TensorLeaf }
}

type Found = Pick<MetaGradient, 'gradient' | 'statistics'>

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
