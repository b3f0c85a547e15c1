import { check, describe, type LongTaskOptions, type RegimenEvent, type Snapshot } from '@regimen/core'
import { adam, constantRate, type Schedule, type TensorLeaf, type UpdateRule } from '@regimen/tensor'
import { compileEvaluation } from './evaluate.ts'
import { checkPositive } from './gradient/inner-loop.ts'
import type { MetaLearner, Weights } from './learner.ts'
import { allFinite, diverged, type Execution, type InnerPoint, type MetaModel, type Runner, scalarOf } from './model.ts'
import type { TaskSampler } from './tasks/sampler.ts'
import { checkDisjoint, checkTaskFor, stackTasks, type Task, type TaskBatch } from './tasks/task.ts'
import { checkpointOf, isFlat, openStep, startOf } from './training-run.ts'

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
  /**
   * Batches of `tasksPerBatch` tasks that make up one meta-iteration, ≥ 1: they are computed one after the other and their gradients
   * averaged, which is the meta-gradient of all their tasks at the memory of one batch. @default 1
   */
  accumulate?: number
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
  /** Tasks that decide when to stop, which parameters are kept and which inner loop they get; never learned from. */
  validation?: readonly Task[]
  /**
   * Inner rates and numbers of steps from which the best on the validation tasks is chosen for the model after training; what is
   * left out stays as it was in training. @default the learner's
   */
  chooseInner?: { readonly rates?: readonly number[]; readonly steps?: readonly number[] }
  /**
   * Tasks kept for the final test: a training or validation task that reaches into their time is an error, for the first batch before
   * any training. All tasks must then carry their time.
   */
  test?: readonly Task[]
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
  /** The model: with the best validation loss where there are validation tasks, else the last; `inner` as chosen. */
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
  const { iterations, tasksPerBatch, accumulate, rate, validateEvery, patience, flat, recoveries: allowed } = settings
  const rule = options.rule ?? learner.rule ?? adam()
  const { validation, test } = options
  for (const task of [...(validation ?? []), ...(test ?? [])]) checkTaskFor(learner, task, WHERE)
  if (validation && test) checkDisjoint(validation, test)
  const run = startOf(learner, rule, options)
  const step = openStep(learner, rule, settings.clip, options.compile ?? {})
  const judge = validation && compileEvaluation(learner, learner.steps, options.compile ?? {})
  const judged = validation && stackTasks(validation)
  const losses: number[] = []
  let stopped: MetaTrainResult['stopped'] = 'iterations'
  const batchAt = (index: number): Promise<readonly Task[]> =>
    Promise.resolve(sampler.batch(index, tasksPerBatch * accumulate)).then((tasks) => {
      for (const task of tasks) checkTaskFor(learner, task, WHERE)
      if (test) checkDisjoint(tasks, test)
      return tasks
    })
  try {
    let pending = run.iteration < iterations ? batchAt(run.iteration) : undefined
    while (run.iteration < iterations) {
      options.signal?.throwIfAborted()
      const parts = inParts((await pending)!, accumulate).map(stackTasks)
      const { stepWeights, secondOrder } = learner.controls(run.iteration, iterations)
      let report: MetaReport
      for (;;) {
        const speed = run.shrink * rate(run.iteration)
        const innerRate = run.shrink * learner.innerRate
        const result = step.run(run.params, run.state, parts, speed, {
          innerRate,
          stepWeights,
          secondOrder,
        })
        pending = run.iteration + 1 < iterations ? batchAt(run.iteration + 1) : undefined
        // Awaited in the next turn; until then a failure must not count as unhandled.
        pending?.catch(() => {})
        const next = await result
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
      if (flat) run.recent.push(report.loss)
      if (judge && judged && (run.iteration % validateEvery === 0 || run.iteration === iterations)) {
        const validationLoss = (await lossesByStep(judge, run.params, judged, learner.innerRate))[learner.steps]!
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
  const params = run.best.loss < Number.POSITIVE_INFINITY ? run.best.params : run.params
  const inner = judged && options.chooseInner && (await chooseInner({ learner, params }, judged, options))
  return {
    model: inner ? { learner, params, inner } : { learner, params },
    losses: Float64Array.from(losses),
    ...(judge ? { validationLoss: run.best.loss } : {}),
    iterations: run.iteration,
    stopped,
    recoveries: run.recoveries,
    checkpoint: checkpointOf(learner, run),
  }
}

const WHERE = 'meta/meta-train'

/** The rate and number of steps with the least validation loss; one evaluation a rate measures every number of steps. */
async function chooseInner(
  { learner, params }: MetaModel,
  batch: TaskBatch,
  { chooseInner: choice = {}, compile = {} }: MetaTrainOptions,
): Promise<InnerPoint> {
  const { rates = [learner.innerRate], steps = [learner.steps] } = choice
  const judge = compileEvaluation(learner, Math.max(...steps), compile)
  let best = { loss: Number.POSITIVE_INFINITY, innerRate: learner.innerRate, steps: learner.steps }
  try {
    for (const innerRate of rates) {
      const losses = await lossesByStep(judge, params, batch, innerRate)
      for (const count of steps) {
        const loss = losses[count]!
        if (loss < best.loss) best = { loss, innerRate, steps: count }
      }
    }
  } finally {
    await judge.dispose()
  }
  return { innerRate: best.innerRate, steps: best.steps }
}

/** Mean query loss of a batch after 0, 1, … inner steps. */
async function lossesByStep(judge: Runner, params: Weights, batch: TaskBatch, innerRate: number): Promise<number[]> {
  const { data, shape } = ((await judge(params, batch, innerRate)) as { losses: TensorLeaf }).losses
  const tasks = shape[1]!
  const means = new Array<number>(shape[0]!).fill(0)
  for (let i = 0; i < data.length; i++) means[Math.floor(i / tasks)]! += data[i]! / tasks
  return means
}

/** A sampler may give fewer tasks than asked for; the parts stay of one size as far as that goes. */
function inParts(tasks: readonly Task[], count: number): readonly Task[][] {
  const size = Math.ceil(tasks.length / count)
  return Array.from({ length: Math.ceil(tasks.length / size) }, (_, i) => tasks.slice(i * size, (i + 1) * size))
}

interface Settings {
  readonly iterations: number
  readonly tasksPerBatch: number
  readonly accumulate: number
  readonly rate: Schedule
  readonly clip: number
  readonly validateEvery: number
  readonly patience: number | undefined
  readonly flat: Required<FlatOptions> | undefined
  readonly recoveries: number
}

function readOptions(options: MetaTrainOptions): Settings {
  const { iterations = 1000, tasksPerBatch = 25, rate = 1e-3, clip = 10, validateEvery = 100, recoveries = 8 } = options
  const { patience, flat, checkpointEvery = 1, accumulate = 1 } = options
  const counts = { iterations, tasksPerBatch, accumulate, validateEvery, patience: patience ?? 1, checkpointEvery }
  for (const [name, value] of Object.entries(counts)) {
    check(Number.isInteger(value) && value >= 1, WHERE, () => `${name} must be an integer ≥ 1, got ${describe(value)}.`)
  }
  check(clip > 0, WHERE, () => `clip must be above 0, got ${describe(clip)}.`)
  check(
    typeof rate !== 'number' || (rate > 0 && rate < Number.POSITIVE_INFINITY),
    WHERE,
    () => `rate must be finite and above 0, got ${describe(rate)}.`,
  )
  for (const option of ['patience', 'chooseInner'] as const) {
    check(
      options[option] === undefined || (options.validation?.length ?? 0) > 0,
      WHERE,
      () => `${option} needs validation tasks.`,
      'Pass { validation: await sampler.batch(…) } from tasks held out.',
    )
  }
  for (const rate of options.chooseInner?.rates ?? []) checkPositive(WHERE, 'chooseInner.rates', rate)
  for (const steps of options.chooseInner?.steps ?? []) {
    check(
      Number.isInteger(steps) && steps >= 1,
      WHERE,
      () => `chooseInner.steps must be integers ≥ 1, got ${describe(steps)}.`,
    )
  }
  const { window = 500, tolerance = 0.005 } = typeof flat === 'object' ? flat : {}
  check(Number.isInteger(window) && window >= 1, WHERE, () => `flat.window must be an integer ≥ 1, got ${window}.`)
  check(tolerance >= 0, WHERE, () => `flat.tolerance must be ≥ 0, got ${describe(tolerance)}.`)
  return {
    iterations,
    tasksPerBatch,
    accumulate,
    rate: typeof rate === 'number' ? constantRate(rate) : rate,
    clip,
    validateEvery,
    patience,
    flat: flat ? { window, tolerance } : undefined,
    recoveries,
  }
}
