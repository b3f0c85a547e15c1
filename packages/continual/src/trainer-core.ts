import {
  type ArrayLeaf,
  arrayLeaf,
  check,
  createLifetime,
  createRng,
  createSnapshot,
  describe,
  type LongTaskOptions,
  RegimenError,
  type Rng,
  restore,
  type Snapshot,
  systemClock,
  type Tree,
} from '@regimen/core'
import { adam, type TensorLeaf } from '@regimen/tensor'
import { type FlatNet, flatNet } from './flat.ts'
import { openMemories } from './memories.ts'
import { accuracyOf, lossOf, outputsFor } from './net-calls.ts'
import { openProtection } from './protection.ts'
import { openLikeness } from './replay/likeness.ts'
import { checkRows, createBatch, fillRows, finiteRows, offsetsOf, type RowShape, type TaskData } from './rows.ts'
import { compileSteps, floats } from './steps.ts'
import { checkStrategy } from './strategy.ts'
import { headMatrix, leaf, stateSchema } from './trainer-state.ts'
import type { Trainer, TrainerOptions } from './trainer-types.ts'
import { type Learned, NOTHING, openUpdate, type Parts } from './update.ts'

const WHERE = 'continual/trainer'

/** A task that is being learned: data alone, so that it can go on in a trainer that was restored in between. */
export interface Plan {
  readonly data: TaskData
  readonly task: number
  readonly rows: Int32Array
  readonly shift: Float32Array
  /** Updates in an epoch. */
  readonly batches: number
}

/** How one epoch of a plan is gone through. */
interface EpochOptions {
  /** The last epoch: its samples are remembered, with what the trained net makes of them. */
  readonly last: boolean
  readonly signal?: AbortSignal | undefined
  readonly onUpdate?: () => void
}

/** The parts of `learn`, for what has to step in between two epochs. */
export interface Lessons {
  begin(data: TaskData): Promise<Plan>
  /** Mean loss of the epoch. */
  epoch(plan: Plan, options: EpochOptions): Promise<number>
  finish(plan: Plan): Promise<void>
}

/** Opens a trainer together with the parts of its `learn`. */
export function openTrainerCore<P>(
  options: TrainerOptions<P>,
  from?: Snapshot,
): { readonly trainer: Trainer<P>; readonly lessons: Lessons } {
  const { likelihood = 'softmax', rule = adam(), rate = 1e-3, batchSize = 32, resetRule = true } = options
  const { strategy = {}, outputs, seed = 0, clock = systemClock } = options
  const shape = typeof options.inputs === 'number' ? [options.inputs] : [...options.inputs]
  const width = shape.reduce((a, b) => a * b, 1)
  for (const [name, value] of Object.entries({ outputs, batchSize, inputs: width })) {
    check(
      Number.isInteger(value) && value >= 1,
      WHERE,
      () => `${name} must be an integer from 1, got ${describe(value)}.`,
    )
  }
  check(rate > 0 && rate < Number.POSITIVE_INFINITY, WHERE, () => `rate must be above 0, got ${describe(rate)}.`)
  checkStrategy(strategy, likelihood)
  const shapes: RowShape = { shape, width, outputs, likelihood, targets: likelihood === 'softmax' ? 1 : outputs }
  const flat = flatNet(options.net)
  const first = options.params ? flat.toVector(options.params) : flat.init(createRng(`${seed}/init`))
  const parts: Parts = {
    steps: compileSteps(flat, rule, likelihood),
    protection: openProtection(flat, strategy.penalty, { shape, outputs, likelihood, start: first, where: WHERE }),
    memories: openMemories(strategy, shapes, { batchSize, seed, where: WHERE }),
  }
  const { steps, protection, memories } = parts
  const likeness = strategy.replay?.buffer === 'diverse' ? openLikeness(flat, likelihood) : undefined
  const lifetime = createLifetime(WHERE)
  const config = {
    inputs: shape,
    outputs,
    batchSize,
    likelihood,
    rate,
    resetRule,
    // As a file holds it: without what is undefined.
    strategy: JSON.parse(JSON.stringify(strategy)),
  }
  const freshRule = (vector: Float32Array): { [slot: string]: TensorLeaf } => ({ ...rule.init(leaf(vector)) })
  const now: State = {
    rng: createRng(seed),
    vector: first,
    rule: freshRule(first),
    teacher: undefined,
    taught: undefined,
    tasks: 0,
    refused: 0,
    updates: 0,
    samples: 0,
  }
  let seconds = 0
  const batch = createBatch(batchSize, shapes)
  const update = openUpdate(parts, now, { strategy, rate, batchSize, outputs })

  const predictAt = (x: ArrayLeaf<'float32'>): Promise<TensorLeaf> => steps.predict(now.vector, x)
  const classesOf = ({ task, classes }: TaskData): readonly number[] | undefined => {
    const { heads } = memories
    if (classes || task === undefined || Object.keys(heads).length === 0) return classes
    check(
      heads[task] !== undefined,
      WHERE,
      () => `task ${task} is unknown; those with classes of their own are ${Object.keys(heads).join(', ')}.`,
      'Learn it first, or pass its classes.',
    )
    return heads[task]
  }
  const shiftOf = (data: TaskData): Float32Array => offsetsOf(classesOf(data), outputs, WHERE)
  /** `own` is the memory of gem that belongs to the task; the last one where it is undefined. */
  const learnBatch = async (data: TaskData, rows: ArrayLike<number>, shift: Float32Array, own: number | undefined) => {
    const begin = clock.monotonic()
    const made = await update(fillRows(batch, data, rows, shapes, shift), rows.length, own)
    seconds += (clock.monotonic() - begin) / 1000
    return made
  }
  /** Keeps the rows that were learned last, which still lie in the batch. */
  const remember = async (
    data: TaskData,
    rows: ArrayLike<number>,
    made: Float32Array,
    of: { readonly task: number; readonly own: number | undefined },
  ): Promise<void> => {
    const others = memories.compare()
    const similarity = others && (await likeness?.of(now.vector, batch, others))
    memories.remember(data, rows, made, { ...of, similarity })
  }
  /** At most so many finite samples of a task, on which something is measured. */
  const measured = (data: TaskData, shift: Float32Array) => {
    const { penalty } = strategy
    const rows = finiteRows(data, shapes)
    const wanted = penalty?.kind === 'si' ? 1 : (penalty?.samples ?? 1000)
    check(rows.length > 0, WHERE, () => 'none of the samples to measure on is finite.')
    const chosen =
      rows.length > wanted
        ? createRng(`${seed}/measure/${now.tasks}`)
            .sample(rows.length, wanted)
            .map((i) => rows[i]!)
        : rows
    const part = fillRows(createBatch(chosen.length, shapes), data, chosen, shapes, shift)
    return { chosen, x: part.x.data, y: part.y.data, offsets: shift }
  }
  const anchor = async (data: TaskData): Promise<void> => {
    if (!strategy.penalty) return
    const samples = measured(data, shiftOf(data))
    await protection.anchor(now.vector, samples, data.mask, `${seed}/fisher/${now.tasks}`)
  }
  const suggest = async (data: TaskData, shift: Float32Array): Promise<void> => {
    if (strategy.penalty?.lambda !== 'auto' || !protection.pull) return
    const samples = measured(data, shift)
    const { chosen } = samples
    const gradient = new Float64Array(flat.size)
    for (let at = 0; at < chosen.length; at += batchSize) {
      const rows = chosen.slice(at, at + batchSize)
      const part = await steps.slope(now.vector, fillRows(batch, data, rows, shapes, shift), NOTHING)
      const slope = floats(part.gradient)
      for (let i = 0; i < gradient.length; i++) gradient[i]! += (slope[i]! * rows.length) / chosen.length
    }
    await protection.suggest(now.vector, samples, gradient, `${seed}/lambda/${now.tasks}`)
  }
  const beginTask = (task: number, classes: readonly number[] | undefined): void => {
    if (strategy.distill && now.tasks > 0) {
      now.teacher = now.vector
      now.taught = headMatrix(Object.values(memories.heads), outputs)
    }
    memories.beginTask(task, classes)
    if (resetRule) now.rule = freshRule(now.vector)
  }

  const lessons: Lessons = {
    async begin(data) {
      lifetime.check()
      const n = checkRows(data, shapes, WHERE)
      checkMask(data.mask, flat)
      const task = data.task ?? now.tasks
      const classes = data.classes ?? memories.heads[task]
      const shift = offsetsOf(classes, outputs, WHERE)
      const rows = finiteRows(data, shapes)
      now.refused += n - rows.length
      check(rows.length > 0, WHERE, () => `none of the ${n} samples is finite.`)
      await suggest(data, shift)
      beginTask(task, classes)
      return { data, task, rows, shift, batches: Math.ceil(rows.length / batchSize) }
    },
    async epoch({ data, task, rows, shift, batches }, { last, signal, onUpdate }) {
      const order = now.rng.shuffle(rows.slice())
      let sum = 0
      for (let b = 0; b < batches; b++) {
        signal?.throwIfAborted()
        const chosen = order.subarray(b * batchSize, (b + 1) * batchSize)
        const { loss, accepted, made } = await learnBatch(data, chosen, shift, undefined)
        if (!accepted) {
          throw new RegimenError(`an update of task ${task} ended in a number that is not finite (loss ${loss}).`, {
            code: 'DIVERGED',
            where: WHERE,
            hint: 'Lower the rate, or λ: the product of rate, λ and the largest importance must stay below 2.',
          })
        }
        // Once a sample, and with the logits of the trained net.
        if (last) await remember(data, chosen, made, { task, own: undefined })
        sum += loss
        onUpdate?.()
      }
      return sum / batches
    },
    async finish({ data, task, rows, shift }) {
      if (memories.selects) {
        const x = createBatch(rows.length, shapes)
        fillRows(x, data, rows, shapes, shift)
        memories.select(data, rows, await outputsFor(predictAt, x.x.data, shapes, WHERE), task)
      }
      await anchor(data)
      now.tasks++
    },
  }

  const trainer: Trainer<P> = {
    get tasks() {
      return now.tasks
    },
    get refused() {
      return now.refused
    },
    get replay() {
      return memories.replay
    },
    get bytes() {
      const moments = Object.values(now.rule).reduce((sum, one) => sum + one.data.byteLength, 0)
      return flat.size * (4 + (strategy.distill ? 4 : 0)) + protection.bytes + moments + memories.bytes
    },
    get cost() {
      return { bytes: trainer.bytes, updates: now.updates, samples: now.samples, seconds }
    },
    params: () => flat.toParams(now.vector),
    learn: (data, how) => learnEpochs(() => lessons, data, how),
    async step(data, keep) {
      lifetime.check()
      const n = checkRows(data, shapes, WHERE)
      check(
        n <= batchSize,
        WHERE,
        () => `a step takes at most ${batchSize} samples, got ${n}.`,
        'Raise batchSize, or use learn.',
      )
      const shift = shiftOf(data)
      memories.checkTask(data.task)
      const rows = finiteRows(data, shapes)
      now.refused += n - rows.length
      if (rows.length === 0) return { loss: 0, accepted: false }
      const before = { vector: now.vector, rule: now.rule, path: protection.path }
      const { loss, accepted, made } = await learnBatch(data, rows, shift, data.task)
      if (!accepted) return { loss, accepted }
      await remember(data, rows, made, { task: data.task ?? 0, own: data.task })
      if (!keep || (await keep())) return { loss, accepted: true }
      now.vector = before.vector
      now.rule = before.rule
      protection.path = before.path
      return { loss, accepted: false }
    },
    async consolidate(data) {
      lifetime.check()
      checkRows(data, shapes, WHERE)
      checkMask(data.mask, flat)
      await anchor(data)
    },
    async predict(x, classes) {
      lifetime.check()
      const made = await outputsFor(predictAt, x, shapes, WHERE)
      const of = typeof classes === 'number' ? classesOf({ x, y: [], task: classes }) : classes
      if (!of) return made
      const shift = offsetsOf(of, outputs, WHERE)
      for (let i = 0; i < made.length; i++) made[i]! += shift[i % outputs]!
      return made
    },
    async accuracy(data) {
      checkRows(data, shapes, WHERE)
      return accuracyOf(await trainer.predict(data.x, classesOf(data)), data, outputs)
    },
    async loss(data) {
      checkRows(data, shapes, WHERE)
      return lossOf(await trainer.predict(data.x, classesOf(data)), data.y, shapes)
    },
    snapshot() {
      lifetime.check()
      const slots = Object.entries(now.rule).map(([slot, one]) => [slot, arrayLeaf('float32', one.shape, floats(one))])
      const { heads } = memories
      return createSnapshot<Tree, Tree>({
        id: WHERE,
        version: 1,
        config,
        children: memories.snapshots(),
        state: {
          vector: arrayLeaf('float32', [flat.size], now.vector),
          rule: Object.fromEntries(slots),
          rng: now.rng.state(),
          ...protection.state(),
          teacher: now.teacher ? arrayLeaf('float32', [flat.size], now.teacher) : null,
          taught: now.taught ? arrayLeaf('float32', [outputs, outputs], now.taught) : null,
          tasks: now.tasks,
          refused: now.refused,
          updates: now.updates,
          samples: now.samples,
          heads: Object.fromEntries(Object.entries(heads).map(([task, classes]) => [task, [...classes]])),
        },
      })
    },
    restore(snapshot) {
      lifetime.check()
      const saved = restore(snapshot, {
        id: WHERE,
        version: 1,
        state: stateSchema(flat.size, outputs, now.rule),
        children: 'any',
      })
      check(
        JSON.stringify(saved.config) === JSON.stringify(config),
        WHERE,
        () => 'the snapshot is of a trainer with other options.',
        'Open it with the options it was made with.',
      )
      const { state } = saved
      memories.restore(saved.children, state.heads)
      protection.restore(state)
      Object.assign(now, {
        rng: createRng(state.rng),
        vector: state.vector.data,
        rule: { ...state.rule },
        teacher: state.teacher?.data,
        taught: state.taught?.data,
        tasks: state.tasks,
        refused: state.refused,
        updates: state.updates,
        samples: state.samples,
      } satisfies State)
    },
    async dispose() {
      if (!lifetime.end()) return
      await steps.dispose()
      await protection.dispose()
      await likeness?.dispose()
    },
  }
  if (from) trainer.restore(from)
  return { trainer, lessons }
}

/**
 * Learns a task in epochs. The lessons are asked for again after each, since `between`, which sees the mean loss of every epoch but
 * the last, may have put a trainer of another size in their place.
 */
export async function learnEpochs(
  lessons: () => Lessons,
  data: TaskData,
  { epochs = 1, signal, onProgress }: LongTaskOptions & { epochs?: number } = {},
  between?: (loss: number) => Promise<void>,
): Promise<{ readonly loss: number; readonly updates: number }> {
  check(
    Number.isInteger(epochs) && epochs >= 1,
    WHERE,
    () => `epochs must be an integer from 1, got ${describe(epochs)}.`,
  )
  const plan = await lessons().begin(data)
  const total = epochs * plan.batches
  let done = 0
  let loss = 0
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const last = epoch === epochs
    loss = await lessons().epoch(plan, { last, signal, onUpdate: () => onProgress?.({ done: ++done, total }) })
    if (!last) await between?.(loss)
  }
  await lessons().finish(plan)
  return { loss, updates: total }
}

/** What changes while a trainer learns, beside its parts. */
interface State extends Learned {
  rng: Rng
  tasks: number
  refused: number
}

function checkMask<P>(mask: ArrayLike<number> | undefined, { size }: FlatNet<P>): void {
  check(mask === undefined || mask.length === size, WHERE, () => `mask must hold ${size} numbers, got ${mask?.length}.`)
}
