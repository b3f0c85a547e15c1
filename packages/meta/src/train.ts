import {
  check,
  createRng,
  createSnapshot,
  describe,
  type LongTaskOptions,
  type RegimenEvent,
  type Snapshot,
  type Tree,
} from '@regimen/core'
import {
  adam,
  clipByGlobalNorm,
  constantRate,
  paramsFromSnapshot,
  type RuleState,
  type Schedule,
  type TensorLeaf,
  type TensorTree,
  type UpdateRule,
} from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import { compileEvaluation } from './evaluate.ts'
import type { Controls, MetaLearner, SetTensors, Weights } from './learner.ts'
import {
  allFinite,
  compileTrees,
  diverged,
  type Execution,
  type MetaModel,
  MODEL_VERSION,
  type Runner,
  scalarOf,
} from './model.ts'
import type { TaskSampler } from './tasks/sampler.ts'
import { checkTask, stackTasks, type Task } from './tasks/task.ts'

/** When the query loss counts as flat. */
export interface FlatOptions {
  /** Iterations whose mean is compared with the mean of as many before, ≥ 1. @default 500 */
  window?: number
  /** Relative improvement below which the loss is flat, ≥ 0. @default 0.005 */
  tolerance?: number
}

/** Options of {@link metaTrain}. */
export interface MetaTrainOptions extends LongTaskOptions {
  /** Meta-iterations altogether, those before a resume included, ≥ 1. @default 1000 */
  iterations?: number
  /** Tasks in a meta-iteration, ≥ 1. @default 25 */
  tasksPerBatch?: number
  /** Outer learning rate, or a schedule by iteration. @default 1e-3 */
  rate?: number | Schedule
  /** Outer rule. @default the learner's, else Adam */
  rule?: UpdateRule
  /** Largest global norm of the meta-gradient, > 0; Infinity for none. @default 10 */
  clip?: number
  /** Start of the initial parameters' stream. @default 0 */
  seed?: number | string
  /** Parameters to start from. @default learner.init */
  params?: Weights
  /** Continue from a checkpoint, exactly. */
  from?: Snapshot
  /** Tasks that decide when to stop and which parameters are kept; never learned from. */
  validation?: readonly Task[]
  /** Iterations between validations, ≥ 1. @default 100 */
  validateEvery?: number
  /** Validations without a better loss before stopping, ≥ 1. @default never */
  patience?: number
  /** Stop when the training tasks' query loss is flat; true for the defaults. @default never */
  flat?: boolean | FlatOptions
  /** How often an iteration that ends in NaN or infinity may be taken back with both rates halved. @default 8 */
  recoveries?: number
  /** Iterations between checkpoints, ≥ 1. @default none */
  checkpointEvery?: number
  /** Gets every checkpoint. */
  onCheckpoint?: (snapshot: Snapshot) => void | Promise<void>
  /** Gets the report of every iteration. */
  onReport?: (report: MetaReport) => void
  /** Hears of every recovery as a `meta/recover` event. */
  onEvent?: (event: RegimenEvent) => void
  /** Time of the events, UTC epoch milliseconds. @default () => 0 */
  now?: () => number
  /** How the step is compiled; `execution: 'eager'` to debug. */
  compile?: Execution
}

/** How one meta-iteration went. */
export interface MetaReport {
  /** Counted from 1. */
  readonly iteration: number
  /** Mean query loss after adaptation. */
  readonly loss: number
  /** Loss on the validation tasks, where they were measured in this iteration. */
  readonly validationLoss?: number
  /** Share of inner gradients that were cut to the bound. */
  readonly bounded: number
  /** Outer rate. */
  readonly rate: number
}

/** What {@link metaTrain} returns. */
export interface MetaTrainResult {
  /** The model: with the best validation loss where there are validation tasks, else the last. */
  readonly model: MetaModel
  /** Query loss of every iteration of this run. */
  readonly losses: Float64Array
  /** Best validation loss, where there are validation tasks. */
  readonly validationLoss?: number
  readonly iterations: number
  /** Why it ended. */
  readonly stopped: 'iterations' | 'patience' | 'flat'
  /** Iterations that were taken back. */
  readonly recoveries: number
  /** From which `metaTrain(learner, sampler, { from })` continues exactly. */
  readonly checkpoint: Snapshot
}

/**
 * Trains any meta-learner on tasks from a sampler. One meta-iteration (inner loops of all tasks, meta-gradient, outer update) is
 * one compiled call; the next batch is sampled meanwhile. An iteration that ends in a number that is not finite is taken back
 * and repeated with both rates halved, which they stay. Every task is checked before the first iteration uses it.
 *
 * Stops after `iterations`, after `patience` validations without progress, or when the query loss is flat. A checkpoint holds
 * the whole state; with the same sampler a resumed run ends in the same bytes.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { fomaml, metaTrain, sampleFamily, sinusoids } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = fomaml({ net: mlp({ sizes: [1, 8, 1] }) })
 * const tasks = sampleFamily(sinusoids({ shots: 5 }), { seed: 1 })
 * const half = await metaTrain(learner, tasks, { iterations: 10, tasksPerBatch: 4 })
 * const resumed = await metaTrain(learner, tasks, { iterations: 20, tasksPerBatch: 4, from: half.checkpoint })
 * const whole = await metaTrain(learner, tasks, { iterations: 20, tasksPerBatch: 4 })
 * resumed.losses[9] === whole.losses[19] // => true
 * ```
 */
export async function metaTrain(
  learner: MetaLearner,
  sampler: TaskSampler,
  options: MetaTrainOptions = {},
): Promise<MetaTrainResult> {
  const settings = readOptions(options)
  const { iterations, tasksPerBatch, rate, validateEvery, patience, flat, recoveries: allowed } = settings
  const rule = options.rule ?? learner.rule ?? adam()
  const { validation } = options
  for (const task of validation ?? []) checkTask(task, WHERE)
  const run = startOf(learner, rule, options)
  const step = compileStep(learner, rule, settings.clip, options.compile ?? {})
  const judge = validation && compileEvaluation(learner, learner.steps, options.compile ?? {})
  const judged = validation && stackTasks(validation)
  const losses: number[] = []
  let stopped: MetaTrainResult['stopped'] = 'iterations'
  const batchAt = (index: number): Promise<readonly Task[]> =>
    Promise.resolve(sampler.batch(index, tasksPerBatch)).then((tasks) => {
      for (const task of tasks) checkTask(task, WHERE)
      return tasks
    })
  try {
    let pending = run.iteration < iterations ? batchAt(run.iteration) : undefined
    while (run.iteration < iterations) {
      options.signal?.throwIfAborted()
      const batch = stackTasks((await pending)!)
      const { stepWeights, secondOrder } = learner.controls(run.iteration, iterations)
      let report: MetaReport
      for (;;) {
        const speed = run.shrink * rate(run.iteration)
        const innerRate = run.shrink * learner.innerRate
        const result = step(run.params, run.state, batch, speed, {
          innerRate,
          stepWeights,
          secondOrder,
        })
        pending = run.iteration + 1 < iterations ? batchAt(run.iteration + 1) : undefined
        // Awaited in the next turn; until then a failure must not count as unhandled.
        pending?.catch(() => {})
        const next = (await result) as StepResult
        const loss = scalarOf(next.loss)
        if (Number.isFinite(loss) && allFinite(next.params)) {
          run.params = next.params
          run.state = next.state
          report = { iteration: run.iteration + 1, loss, bounded: scalarOf(next.bounded), rate: speed }
          break
        }
        run.recoveries++
        if (run.recoveries > allowed) {
          throw diverged(
            WHERE,
            `the query loss is ${loss} in iteration ${run.iteration + 1}, after ${allowed} halvings of the rates.`,
            'Look for huge features, lower the inner rate, or lower the bound.',
          )
        }
        run.shrink /= 2
        options.onEvent?.({
          type: 'meta/recover',
          time: options.now?.() ?? 0,
          reason: 'The iteration ended in a number that is not finite, so it was taken back and both rates halved.',
          data: { iteration: run.iteration + 1, loss: String(loss), shrink: run.shrink },
        })
      }
      run.iteration++
      losses.push(report.loss)
      run.recent.push(report.loss)
      if (judge && judged && (run.iteration % validateEvery === 0 || run.iteration === iterations)) {
        const validationLoss = await validationOf(judge, run.params, judged, learner.innerRate)
        report = { ...report, validationLoss }
        if (validationLoss < run.best.loss) {
          run.best = { loss: validationLoss, params: run.params, waited: 0 }
        } else run.best.waited++
      }
      options.onReport?.(report)
      options.onProgress?.({
        done: run.iteration,
        total: iterations,
        message: `query loss ${report.loss.toPrecision(4)}`,
      })
      if (options.checkpointEvery && run.iteration % options.checkpointEvery === 0) {
        await options.onCheckpoint?.(checkpointOf(learner, run))
      }
      if (patience !== undefined && run.best.waited >= patience) {
        stopped = 'patience'
        break
      }
      if (flat && isFlat(run.recent, flat)) {
        stopped = 'flat'
        break
      }
    }
  } finally {
    await step.dispose()
    await judge?.dispose()
  }
  return {
    model: { learner, params: judge && run.best.loss < Number.POSITIVE_INFINITY ? run.best.params : run.params },
    losses: Float64Array.from(losses),
    ...(judge ? { validationLoss: run.best.loss } : {}),
    iterations: run.iteration,
    stopped,
    recoveries: run.recoveries,
    checkpoint: checkpointOf(learner, run),
  }
}

const WHERE = 'meta/meta-train'

interface StepResult {
  readonly loss: TensorLeaf
  readonly bounded: TensorLeaf
  readonly params: Weights
  readonly state: RuleState
}

/** What changes from iteration to iteration. */
interface Run {
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

function compileStep(learner: MetaLearner, rule: UpdateRule, clip: number, execution: Execution): Runner {
  return compileTrees(
    (params: TensorTree, state: RuleState<tf.Tensor>, batch: Batch, rate: tf.Tensor, controls: Controls) => {
      const { loss, gradient, bounded } = learner.metaGradient(params, batch, controls)
      const gradients = clip === Number.POSITIVE_INFINITY ? gradient : clipByGlobalNorm(gradient, clip)
      return { loss, bounded, ...rule.apply(params, { gradients, state, rate }) }
    },
    execution,
  )
}

async function validationOf(
  judge: Runner,
  params: Weights,
  batch: ReturnType<typeof stackTasks>,
  innerRate: number,
): Promise<number> {
  const { losses } = (await judge(params, batch, innerRate)) as { losses: TensorLeaf }
  const last = losses.data.subarray(losses.data.length - losses.shape[1]!)
  let sum = 0
  for (const loss of last) sum += loss / last.length
  return sum
}

/** Whether the mean of the last window is hardly better than that of the one before; looks once a window. */
function isFlat(recent: number[], { window, tolerance }: Required<FlatOptions>): boolean {
  if (recent.length < 2 * window) return false
  const mean = (from: number): number => recent.slice(from, from + window).reduce((a, b) => a + b, 0) / window
  const [before, now] = [mean(0), mean(window)]
  recent.splice(0, window)
  return before - now < tolerance * Math.abs(before)
}

function startOf(learner: MetaLearner, rule: UpdateRule, options: MetaTrainOptions): Run {
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
    WHERE,
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

function checkpointOf(learner: MetaLearner, run: Run): Snapshot {
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

interface Settings {
  readonly iterations: number
  readonly tasksPerBatch: number
  readonly rate: Schedule
  readonly clip: number
  readonly validateEvery: number
  readonly patience: number | undefined
  readonly flat: Required<FlatOptions> | undefined
  readonly recoveries: number
}

function readOptions(options: MetaTrainOptions): Settings {
  const { iterations = 1000, tasksPerBatch = 25, rate = 1e-3, clip = 10, validateEvery = 100, recoveries = 8 } = options
  const { patience, flat, checkpointEvery = 1 } = options
  const counts = { iterations, tasksPerBatch, validateEvery, patience: patience ?? 1, checkpointEvery }
  for (const [name, value] of Object.entries(counts)) {
    check(Number.isInteger(value) && value >= 1, WHERE, () => `${name} must be an integer ≥ 1, got ${describe(value)}.`)
  }
  check(clip > 0, WHERE, () => `clip must be above 0, got ${describe(clip)}.`)
  check(
    typeof rate !== 'number' || (rate > 0 && rate < Number.POSITIVE_INFINITY),
    WHERE,
    () => `rate must be finite and above 0, got ${describe(rate)}.`,
  )
  check(
    patience === undefined || (options.validation?.length ?? 0) > 0,
    WHERE,
    () => 'patience needs validation tasks.',
    'Pass { validation: await sampler.batch(…) } from tasks held out.',
  )
  const { window = 500, tolerance = 0.005 } = typeof flat === 'object' ? flat : {}
  check(Number.isInteger(window) && window >= 1, WHERE, () => `flat.window must be an integer ≥ 1, got ${window}.`)
  check(tolerance >= 0, WHERE, () => `flat.tolerance must be ≥ 0, got ${describe(tolerance)}.`)
  return {
    iterations,
    tasksPerBatch,
    rate: typeof rate === 'number' ? constantRate(rate) : rate,
    clip,
    validateEvery,
    patience,
    flat: flat ? { window, tolerance } : undefined,
    recoveries,
  }
}
