import {
  check,
  createRng,
  describe,
  type LongTaskOptions,
  RegimenError,
  type RegimenEvent,
  type Rng,
  type RngState,
} from '@regimen/core'
import type * as tf from '@tensorflow/tfjs-core'
import { type CompileOptions, compile } from './compile/compile.ts'
import { meanSquaredError } from './losses.ts'
import type { Net } from './nets/net.ts'
import { adam } from './optimizers/adam.ts'
import type { RuleState, UpdateRule } from './optimizers/rule.ts'
import { constantRate, type Schedule } from './schedules.ts'
import { type Batch, openStep } from './train-step.ts'
import type { Fetched, TensorDtype, TensorLeaf } from './tree.ts'
import { flattenTree } from './tree.ts'

/** Samples along the first axis of both leaves. */
export interface TrainData {
  readonly x: TensorLeaf
  readonly y: TensorLeaf
  /** Weight of each sample, [n]. @default ones */
  readonly weights?: Float32Array
}

/** How one epoch went. */
export interface EpochReport {
  /** Counted from 1. */
  readonly epoch: number
  /** Mean of the batches' losses. */
  readonly loss: number
  /** Loss on the validation data, where there are any. */
  readonly validationLoss?: number
  /** Learning rate at the last batch. */
  readonly rate: number
}

/** All that training needs to go on after an epoch as if it had never stopped. Plain data, so it can be stored. */
export interface TrainCheckpoint<P> {
  readonly params: Fetched<P>
  /** The optimizer's state. */
  readonly state: RuleState
  /** Epochs that are done, one report each. */
  readonly epochs: readonly EpochReport[]
  /** Updates that are done. */
  readonly update: number
  /** Factor of the rate that recoveries left, 1 or less. */
  readonly shrink: number
  /** Steps that were taken back. */
  readonly recoveries: number
  /** The best epoch so far, with its parameters. */
  readonly best: { readonly loss: number; readonly params: Fetched<P>; readonly epoch: number }
  /** State of the stream from which dropout draws. */
  readonly random: RngState
}

/** Options of {@link train}. */
export interface TrainOptions<P> extends LongTaskOptions {
  /** Loss of a batch. @default meanSquaredError */
  loss?: (prediction: tf.Tensor, target: tf.Tensor, options: { weights?: tf.Tensor }) => tf.Tensor
  /** Gradient method. @default adam() */
  rule?: UpdateRule
  /** Learning rate, fixed or by the number of the update. @default 1e-3 */
  rate?: number | Schedule
  /** Passes over the data, ≥ 1. @default 10 */
  epochs?: number
  /** Samples in a batch, ≥ 1; the last batch of an epoch is padded with weight 0. @default 32 */
  batchSize?: number
  /**
   * Batches of `batchSize` samples that make up one update, ≥ 1: they are computed one after the other and their gradients
   * averaged by the samples' weights, which is the update of one batch of `accumulate · batchSize` at the memory of one of
   * `batchSize`. It is exact for losses that are means, Σ w l / Σ w, as all of this package. Each batch draws dropout of its own, so
   * with it only the distribution is the same; batch norm normalizes each batch by itself, and its running averages take the
   * mean of the batches' statistics, so it behaves as with `batchSize`. @default 1
   */
  accumulate?: number
  /** Start of shuffling, of the initial parameters and of dropout. @default 0 */
  seed?: number | string
  /** Parameters to start from. @default net.init(rng) */
  params?: Fetched<P>
  /** Data that decide when to stop; never learned from. */
  validation?: TrainData
  /** Epochs without a better validation loss (or loss) before stopping; the best parameters are kept. @default never */
  patience?: number
  /** Largest global norm of the gradient. @default unlimited */
  clip?: number
  /**
   * How often a step may be repeated: with half the rate where its loss or parameters are not finite, as it was where the
   * device was lost. @default 8
   */
  recoveries?: number
  /** Gets all that training needs to go on, after each epoch. */
  onCheckpoint?: (checkpoint: TrainCheckpoint<P>) => void
  /** Goes on after a checkpoint, with the data and options of then, and ends as if never stopped. @default from the start */
  resume?: TrainCheckpoint<P>
  /** Hears of every repeated step as a `tensor/recover` or `tensor/device-lost` event. */
  onEvent?: (event: RegimenEvent) => void
  /** Time of the events, UTC epoch milliseconds. @default () => 0 */
  now?: () => number
  /** Called after each epoch. */
  onEpoch?: (report: EpochReport) => void
  /** How the step is compiled. */
  compile?: Pick<CompileOptions, 'device' | 'threads' | 'execution' | 'cache'>
}

/** What {@link train} returns. */
export interface TrainResult<P> {
  /** The best parameters where `patience` is set, else the last. */
  params: Fetched<P>
  /** The optimizer's state after the last step. */
  state: RuleState
  readonly epochs: readonly EpochReport[]
  /** Why it ended: all epochs done, or no progress within `patience`. */
  readonly stopped: 'epochs' | 'patience'
  /** Steps that were taken back. */
  readonly recoveries: number
}

/**
 * Trains a net on batches with a compiled step: seeded shuffling, progress, early stopping and abort. A step that ends in
 * NaN or infinity is taken back and repeated with half the rate, which stays halved, and an event says so. A step whose
 * device is lost is repeated on a new session from the parameters before it; where that fails too, `resume` goes on from
 * the last checkpoint, here or on another device.
 *
 * ```ts
 * import { dense, sgd, train } from '@regimen/tensor'
 *
 * const leaf = (data: number[]) => ({ dtype: 'float32' as const, shape: [4, 1], data: new Float32Array(data) })
 * const data = { x: leaf([-1, 0, 1, 2]), y: leaf([-1, 1, 3, 5]) }
 * const { params } = await train(dense({ inputs: 1, outputs: 1 }), data, { rule: sgd(), rate: 0.1, epochs: 200 })
 * // y = 2 x + 1
 * params.kernel.data[0] // ≈ 2
 * ```
 */
export async function train<P>(net: Net<P>, data: TrainData, options: TrainOptions<P> = {}): Promise<TrainResult<P>> {
  const settings = readOptions(data, options)
  const { rule, rate, epochs, batchSize, accumulate, recoveries: allowed, patience } = settings
  const rng = createRng(options.seed ?? 0)
  const step = openStep(net, {
    ...options.compile,
    ...{ seed: options.seed ?? 0, loss: settings.loss, rule, clip: options.clip, accumulate },
  })
  const evaluate = options.validation && compileLoss(net, settings, options)
  const { resume } = options
  let params = resume?.params ?? options.params ?? net.init(rng.split('init'))
  let state = resume?.state ?? rule.init(params)
  let best = resume?.best ?? { loss: Number.POSITIVE_INFINITY, params, epoch: 0 }
  const reports: EpochReport[] = [...(resume?.epochs ?? [])]
  let stopped: 'epochs' | 'patience' = 'epochs'
  let shrink = resume?.shrink ?? 1
  let recovered = resume?.recoveries ?? 0
  let update = resume?.update ?? 0
  if (resume) step.restoreRandom(resume.random)
  const tell = (type: string, reason: string, data: RegimenEvent['data']): void =>
    options.onEvent?.({ type, time: options.now?.() ?? 0, reason, data })
  const samples = data.x.shape[0]!
  const perUpdate = batchSize * accumulate
  const total = epochs * Math.ceil(samples / perUpdate)
  try {
    for (let epoch = reports.length + 1; epoch <= epochs; epoch++) {
      const order = shuffled(samples, rng.split('shuffle').split(epoch))
      let sum = 0
      let batches = 0
      let speed = 0
      for (let start = 0; start < samples; start += perUpdate) {
        options.signal?.throwIfAborted()
        const parts = takeParts(data, order.subarray(start, start + perUpdate), batchSize)
        for (;;) {
          speed = shrink * rate(update)
          const drawn = step.randomState()
          const next = await step.run(params, state, parts, speed).catch((error) => {
            if (!isLost(error) || recovered >= allowed) throw error
          })
          if (!next) {
            recovered++
            step.restoreRandom(drawn)
            tell('tensor/device-lost', 'the device was lost, so the step is repeated', { epoch, update })
            continue
          }
          const { loss } = next
          if (Number.isFinite(loss) && allFinite(next.params)) {
            params = next.params
            state = next.state
            sum += loss
            break
          }
          recovered++
          if (recovered > allowed) throw diverged(loss, recovered, speed)
          shrink /= 2
          const reason = 'the step ended in a number that is not finite, so it was taken back and the rate halved'
          tell('tensor/recover', reason, { epoch, update, loss: String(loss), rate: shrink * rate(update) })
        }
        batches++
        update++
        options.onProgress?.({ done: update, total, message: `epoch ${epoch} of ${epochs}` })
      }
      const validationLoss = evaluate && options.validation && (await evaluate(params, options.validation))
      const report = {
        epoch,
        loss: sum / batches,
        rate: speed,
        ...(validationLoss === undefined ? {} : { validationLoss }),
      }
      reports.push(report)
      options.onEpoch?.(report)
      const measure = validationLoss ?? report.loss
      if (measure < best.loss) best = { loss: measure, params, epoch }
      options.onCheckpoint?.({
        ...{ params, state, epochs: [...reports], update, shrink, recoveries: recovered, best },
        random: step.randomState(),
      })
      if (patience !== undefined && epoch - best.epoch >= patience) {
        stopped = 'patience'
        break
      }
    }
  } finally {
    await step.dispose()
    await evaluate?.dispose()
  }
  return {
    params: patience === undefined ? params : best.params,
    state,
    epochs: reports,
    stopped,
    recoveries: recovered,
  }
}

interface Settings {
  loss: NonNullable<TrainOptions<unknown>['loss']>
  rule: UpdateRule
  rate: Schedule
  epochs: number
  batchSize: number
  accumulate: number
  recoveries: number
  patience: number | undefined
}

function readOptions<P>(data: TrainData, options: TrainOptions<P>): Settings {
  const { rate = 1e-3, epochs = 10, batchSize = 32, accumulate = 1, recoveries = 8, patience } = options
  const counts = { epochs, batchSize, accumulate, ...(patience === undefined ? {} : { patience }) }
  const where = 'tensor/train'
  for (const [name, value] of Object.entries(counts)) {
    check(Number.isInteger(value) && value >= 1, where, () => `${name} must be an integer ≥ 1, got ${describe(value)}.`)
  }
  for (const [name, set] of Object.entries({
    data,
    ...(options.validation ? { validation: options.validation } : {}),
  })) {
    const n = set.x.shape[0] ?? 0
    check(n >= 1, where, () => `${name}.x must hold at least one sample, got shape [${set.x.shape}].`)
    check(set.y.shape[0] === n, where, () => `${name}.y must hold ${n} samples as x, got shape [${set.y.shape}].`)
    check(
      set.weights === undefined || set.weights.length === n,
      where,
      () => `${name}.weights must hold ${n} numbers, got ${set.weights?.length}.`,
    )
  }
  return {
    loss: options.loss ?? meanSquaredError,
    rule: options.rule ?? adam(),
    rate: typeof rate === 'number' ? constantRate(rate) : rate,
    epochs,
    batchSize: Math.min(batchSize, data.x.shape[0]!),
    accumulate,
    recoveries,
    patience,
  }
}

function compileLoss<P>(net: Net<P>, { loss }: Settings, options: TrainOptions<P>) {
  const compiled = compile(
    (params: P, x: tf.Tensor, y: tf.Tensor, weights: tf.Tensor) => loss(net.apply(params, x), y, { weights }),
    { ...options.compile },
  )
  const evaluate = async (params: Fetched<P>, { x, y, weights }: TrainData): Promise<number> => {
    const ones = weights ?? new Float32Array(x.shape[0]!).fill(1)
    return (await compiled(params as never, x, y, ones)).data[0]!
  }
  return Object.assign(evaluate, { dispose: () => compiled.dispose() })
}

function shuffled(n: number, rng: Rng): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = rng.int(0, i + 1)
    const kept = order[i]!
    order[i] = order[j]!
    order[j] = kept
  }
  return order
}

/** The named rows in batches of one size. */
function takeParts(data: TrainData, rows: Int32Array, size: number): Batch[] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
    takeBatch(data, rows.subarray(i * size, (i + 1) * size), size),
  )
}

/** The named rows; a short batch repeats its first row with weight 0, so that one graph serves all. */
function takeBatch(data: TrainData, rows: Int32Array, size: number): Batch {
  const pick = (leaf: TensorLeaf): TensorLeaf => {
    const width = leaf.data.length / leaf.shape[0]!
    const taken = leaf.data.slice(0, 0).constructor as new (length: number) => Float32Array
    const out = new taken(size * width)
    for (let i = 0; i < size; i++) {
      const row = rows[i] ?? rows[0]!
      out.set(leaf.data.subarray(row * width, (row + 1) * width) as Float32Array, i * width)
    }
    return { dtype: leaf.dtype as TensorDtype, shape: [size, ...leaf.shape.slice(1)], data: out } as TensorLeaf
  }
  const weights = Float32Array.from({ length: size }, (_, i) => {
    const row = rows[i]
    return row === undefined ? 0 : (data.weights?.[row] ?? 1)
  })
  return { x: pick(data.x), y: pick(data.y), weights }
}

function allFinite(params: unknown): boolean {
  for (const { data } of flattenTree<TensorLeaf>(params).leaves) {
    for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i]!)) return false
  }
  return true
}

function isLost(error: unknown): boolean {
  return error instanceof RegimenError && error.code === 'DEVICE_LOST'
}

function diverged(loss: number, times: number, rate: number): RegimenError {
  return new RegimenError(`the loss is ${loss} after ${times} halvings of the rate (${rate}).`, {
    code: 'DIVERGED',
    where: 'tensor/train',
    hint: 'Look for NaN in the data, lower the rate, or clip the gradient.',
  })
}
