import {
  arrayLeaf,
  check,
  createLifetime,
  createRng,
  createSnapshot,
  describe,
  type LongTaskOptions,
  RegimenError,
  restore,
  type Snapshot,
  schema,
  type Tree,
} from '@regimen/core'
import { adam, type Fetched, type Net, type TensorLeaf, type UpdateRule } from '@regimen/tensor'
import { averageProject, projectGradient } from './constraint/gem.ts'
import { flatNet } from './flat.ts'
import { type Fisher, openFisher } from './importance/fisher.ts'
import { openSensitivity } from './importance/output-sensitivity.ts'
import { pathImportance } from './importance/path-integral.ts'
import { consolidate, type QuadraticPenalty } from './importance/penalty.ts'
import type { PerSampleSum } from './importance/per-sample.ts'
import { balancedReplay } from './replay/balanced.ts'
import { reservoirReplay } from './replay/reservoir.ts'
import { ringReplay } from './replay/ring.ts'
import { allFinite, type ReplayBuffer, type ReplayDraw, type ReplayOptions } from './replay/store.ts'
import { compileSteps } from './steps.ts'
import { checkStrategy, type Strategy } from './strategy.ts'

/** Options of {@link openTrainer}. */
export interface TrainerOptions<P> {
  net: Net<P>
  /** Numbers in an input, or its shape. */
  inputs: number | readonly number[]
  /** Numbers that the net puts out: classes, or targets. */
  outputs: number
  /** How forgetting is prevented. @default {} (fine-tuning) */
  strategy?: Strategy
  /** Classes with cross-entropy, or numbers with squared error. @default 'softmax' */
  likelihood?: 'softmax' | 'gaussian'
  /** @default adam() */
  rule?: UpdateRule
  /** Learning rate, above 0. @default 1e-3 */
  rate?: number
  /** New samples in an update, ≥ 1. @default 32 */
  batchSize?: number
  /** Forget the rule's moments when a task begins. @default true */
  resetRule?: boolean
  /** @default 0 */
  seed?: number | string
  /** Parameters to start from. @default net.init */
  params?: Fetched<P>
}

/** Samples of a task, or of a batch. */
export interface TaskData {
  /** Inputs, row-major. */
  readonly x: ArrayLike<number>
  /** Classes, or targets row-major. */
  readonly y: ArrayLike<number>
  /** Number of the task, for balanced buffers, `gem` and task-wise outputs. @default 0 in `step`, the next one in `learn` */
  readonly task?: number
  /** The only classes that this task may answer with: the task-incremental scenario. @default all */
  readonly classes?: readonly number[]
}

/** What came of an update. */
export interface StepReport {
  /** Loss on the new samples before the update. */
  readonly loss: number
  /** False where the update ended in NaN or infinity: nothing was changed. */
  readonly accepted: boolean
}

/** A net that learns one task after the other. */
export interface Trainer<P> {
  /** Tasks that were learned. */
  readonly tasks: number
  /** Samples set aside because a number in them was not finite. */
  readonly refused: number
  /** The memory of samples, where the strategy has one. */
  readonly replay: ReplayBuffer | undefined
  /** Bytes of parameters, moments, penalty and memories. */
  readonly bytes: number
  params(): Fetched<P>
  /** Learns a task in epochs and then consolidates it. */
  learn(
    task: TaskData,
    options?: LongTaskOptions & { epochs?: number },
  ): Promise<{ readonly loss: number; readonly updates: number }>
  /**
   * One update on at most `batchSize` samples, without any boundary: for streams. `keep` is asked with the new parameters in
   * place; where it says no the old ones return, and the samples are remembered all the same.
   */
  step(batch: TaskData, keep?: () => Promise<boolean>): Promise<StepReport>
  /** Protects what was learned up to here: measures importances on these samples and anchors the penalty. */
  consolidate(task: TaskData): Promise<void>
  /** The net's outputs, row-major. Give `classes` to a task-incremental net. */
  predict(x: ArrayLike<number>, classes?: readonly number[]): Promise<Float32Array>
  /** Share of right classes. */
  accuracy(task: TaskData): Promise<number>
  /** Loss on samples, without learning. */
  loss(batch: TaskData): Promise<number>
  snapshot(): Snapshot
  /** Goes back to a snapshot of a trainer of the same options. */
  restore(snapshot: Snapshot): void
  dispose(): Promise<void>
}

const WHERE = 'continual/trainer'
const OFF = -1e9

/**
 * Opens a trainer for a sequence of tasks. The strategies differ by data and combine: a penalty (EWC, online EWC, SI, MAS),
 * distillation (LwF), replay (ER, DER, DER++), constrained gradients (GEM, A-GEM); `{}` is fine-tuning. Each update is one
 * compiled graph on typed arrays. Time a task does not grow with the number of tasks, but for `gem`.
 *
 * ```ts
 * import { openTrainer } from '@regimen/continual'
 * import { mlp } from '@regimen/tensor'
 * import '@tensorflow/tfjs'
 *
 * const trainer = openTrainer({
 *   net: mlp({ sizes: [2, 8, 2] }),
 *   inputs: 2,
 *   outputs: 2,
 *   rate: 0.05,
 *   strategy: { replay: { bytes: 10_000 } },
 * })
 * // The label is the sign of one input in the first task, of the other one in the second.
 * const first = { x: [1, 0, -1, 0], y: [0, 1] }
 * await trainer.learn(first, { epochs: 60 })
 * await trainer.learn({ x: [0, 1, 0, -1], y: [0, 1] }, { epochs: 60 })
 * await trainer.accuracy(first) // => 1
 * await trainer.dispose()
 * ```
 *
 * References: Kirkpatrick et al. 2017 (EWC); Zenke et al. 2017 (SI); Aljundi et al. 2018 (MAS); Li and Hoiem 2016 (LwF); Chaudhry
 * et al. 2019 (ER, A-GEM); Buzzega et al. 2020 (DER, DER++); Lopez-Paz and Ranzato 2017 (GEM).
 */
export function openTrainer<P>(options: TrainerOptions<P>, from?: Snapshot): Trainer<P> {
  const {
    strategy = {},
    likelihood = 'softmax',
    rule = adam(),
    rate = 1e-3,
    batchSize = 32,
    resetRule = true,
  } = options
  const { outputs, seed = 0 } = options
  const shape = typeof options.inputs === 'number' ? [options.inputs] : [...options.inputs]
  for (const [name, value] of Object.entries({ outputs, batchSize, inputs: shape.reduce((a, b) => a * b, 1) })) {
    check(
      Number.isInteger(value) && value >= 1,
      WHERE,
      () => `${name} must be an integer from 1, got ${describe(value)}.`,
    )
  }
  check(rate > 0 && rate < Number.POSITIVE_INFINITY, WHERE, () => `rate must be above 0, got ${describe(rate)}.`)
  checkStrategy(strategy)
  const width = shape.reduce((a, b) => a * b, 1)
  const targets = likelihood === 'softmax' ? 1 : outputs
  const { penalty, distill, replay, constraint } = strategy
  const flat = flatNet(options.net)
  const steps = compileSteps(flat, rule, likelihood)
  const lifetime = createLifetime(WHERE)
  const keepsLogits = (replay?.logits ?? 0) > 0
  const labelWeight = replay?.labels ?? (keepsLogits ? 0 : 1)
  const openReplay = { ring: ringReplay, reservoir: reservoirReplay, balanced: balancedReplay }[
    replay?.buffer ?? 'reservoir'
  ]
  check(
    openReplay !== undefined,
    WHERE,
    () => `replay.buffer must be ring, reservoir or balanced, got ${describe(replay?.buffer)}.`,
  )
  const replayOptions = (bytes: number, label: string): ReplayOptions => ({
    bytes,
    width,
    targets,
    extras: label === 'replay' && keepsLogits ? outputs : 0,
    seed: `${seed}/${label}`,
  })
  const config = {
    inputs: shape,
    outputs,
    batchSize,
    likelihood,
    rate,
    resetRule,
    strategy: JSON.parse(JSON.stringify(strategy)) as Tree,
  }

  let rng = createRng(seed)
  let vector = options.params ? flat.toVector(options.params) : flat.init(createRng(`${seed}/init`))
  const freshRule = (): { [slot: string]: TensorLeaf } => ({ ...rule.init(leaf(vector)) })
  let state = freshRule()
  let pull: QuadraticPenalty | undefined
  let path: Float32Array | undefined = penalty?.kind === 'si' ? new Float32Array(flat.size) : undefined
  let start: Float32Array = vector
  let teacher: Float32Array | undefined
  // Which outputs of the teacher belong together: [outputs, outputs], ones within a head.
  let taught: Float32Array | undefined
  let tasks = 0
  let refused = 0
  let heads: { readonly [task: string]: readonly number[] } = {}
  let memory: ReplayBuffer | undefined = replay && openReplay(replayOptions(replay.bytes, 'replay'))
  let guards: ReplayBuffer[] =
    constraint?.kind === 'a-gem' ? [balancedReplay(replayOptions(constraint.bytes, 'guard'))] : []
  let fisher: Fisher | undefined
  let sensitivity: PerSampleSum | undefined
  // Float32 copies of the penalty, made once a task.
  let pulled: { importance: Float32Array; anchor: Float32Array } | undefined

  const offsetsOf = (classes: readonly number[] | undefined): Float32Array => {
    const row = new Float32Array(outputs)
    if (!classes) return row
    row.fill(OFF)
    for (const c of classes) {
      check(
        Number.isInteger(c) && c >= 0 && c < outputs,
        WHERE,
        () => `classes must lie from 0 to ${outputs - 1}, got ${describe(c)}.`,
      )
      row[c] = 0
    }
    return row
  }
  const checkData = (data: TaskData): number => {
    const n = data.x.length / width
    check(
      Number.isInteger(n) && n >= 1,
      WHERE,
      () => `x must hold rows of ${width}, got ${data.x.length} numbers.`,
      'A changed input width needs a new net.',
    )
    check(data.y.length === n * targets, WHERE, () => `y must hold ${n * targets} numbers, got ${data.y.length}.`)
    check(
      data.task === undefined || (Number.isInteger(data.task) && data.task >= 0),
      WHERE,
      () => `task must be a whole number from 0, got ${describe(data.task)}.`,
    )
    if (likelihood === 'softmax') {
      for (let i = 0; i < n; i++) {
        const y = data.y[i]!
        check(
          !Number.isFinite(y) || (Number.isInteger(y) && y >= 0 && y < outputs),
          WHERE,
          () => `y must hold classes from 0 to ${outputs - 1}, got ${y} at ${i}.`,
        )
      }
    }
    return n
  }
  /** Rows whose numbers are all finite; the others are counted. */
  const usable = (data: TaskData, n: number): Int32Array => {
    const rows: number[] = []
    for (let i = 0; i < n; i++) {
      let fine = true
      for (let j = 0; j < width && fine; j++) fine = Math.abs(data.x[i * width + j]!) <= 3.4e38
      for (let j = 0; j < targets && fine; j++) fine = Math.abs(data.y[i * targets + j]!) <= 3.4e38
      if (fine) rows.push(i)
    }
    refused += n - rows.length
    return Int32Array.from(rows)
  }
  const partOf = (data: TaskData, rows: ArrayLike<number>, size: number) => {
    const [x, y, weights, offsets] = [
      new Float32Array(size * width),
      new Float32Array(size * targets),
      new Float32Array(size),
      new Float32Array(size * outputs),
    ]
    const shift = offsetsOf(data.classes)
    for (let i = 0; i < rows.length; i++) {
      x.set(slice(data.x, rows[i]! * width, width), i * width)
      y.set(slice(data.y, rows[i]! * targets, targets), i * targets)
      weights[i] = 1
      offsets.set(shift, i * outputs)
    }
    return leaves(size, x, y, offsets, weights)
  }
  const leaves = (n: number, x: Float32Array, y: Float32Array, offsets: Float32Array, weights: Float32Array) => ({
    x: { dtype: 'float32' as const, shape: [n, ...shape], data: x },
    y: { dtype: 'float32' as const, shape: [n, targets], data: y },
    offsets: { dtype: 'float32' as const, shape: [n, outputs], data: offsets },
    weights: { dtype: 'float32' as const, shape: [n], data: weights },
  })
  const drawn = (draw: ReplayDraw) => {
    const offsets = new Float32Array(draw.count * outputs)
    for (let i = 0; i < draw.count; i++) {
      const classes = heads[draw.groups[i]!]
      if (classes) offsets.set(offsetsOf(classes), i * outputs)
    }
    return leaves(draw.count, draw.x, draw.y, offsets, draw.weights)
  }
  const besideNow = () => {
    const count = replay?.batch ?? batchSize
    const full = memory !== undefined && memory.size > 0
    const logits = full && keepsLogits ? memory!.draw(count) : undefined
    const labels = full && labelWeight > 0 ? memory!.draw(count) : undefined
    return {
      labels: labels ? { ...drawn(labels), weight: labelWeight } : null,
      logits: logits
        ? {
            ...drawn(logits),
            weight: replay!.logits!,
            wanted: { dtype: 'float32' as const, shape: [count, outputs], data: logits.extra },
          }
        : null,
      teacher:
        teacher && taught && distill
          ? {
              vector: teacher,
              weight: distill.weight,
              temperature: distill.temperature ?? 2,
              heads: { dtype: 'float32' as const, shape: [outputs, outputs], data: taught },
            }
          : null,
    }
  }
  const nothing = { labels: null, logits: null, teacher: null }
  const remember = (data: TaskData, rows: ArrayLike<number>, made: Float32Array, group: number): void => {
    const takes = [
      ...(memory ? [memory] : []),
      ...(constraint ? [guards[constraint.kind === 'gem' ? guards.length - 1 : 0]!] : []),
    ]
    for (const buffer of takes) {
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i]!
        buffer.add({
          x: slice(data.x, row * width, width),
          y: slice(data.y, row * targets, targets),
          group,
          ...(buffer === memory && keepsLogits ? { extra: made.subarray(i * outputs, (i + 1) * outputs) } : {}),
        })
      }
    }
  }
  const addPull = (gradient: Float64Array): void => {
    if (!pull || !penalty) return
    for (let i = 0; i < gradient.length; i++)
      gradient[i]! += penalty.lambda * pull.importance[i]! * (vector[i]! - pull.anchor[i]!)
  }
  const update = async (data: TaskData, rows: Int32Array): Promise<StepReport & { made: Float32Array }> => {
    const batch = partOf(data, rows, batchSize)
    const beside = besideNow()
    let next: { vector: TensorLeaf; state: { readonly [slot: string]: TensorLeaf }; path: TensorLeaf | null }
    let loss: number
    let made: Float32Array
    if (!constraint) {
      const pullNow = pulled && penalty ? { ...pulled, lambda: penalty.lambda } : null
      const result = await steps.train(vector, state, batch, beside, pullNow, path ?? null, rate)
      loss = result.loss.data[0]!
      made = result.outputs.data as Float32Array
      next = result as typeof next
    } else {
      const result = await steps.slope(vector, batch, beside)
      loss = result.loss.data[0]!
      made = result.outputs.data as Float32Array
      const gradient = Float64Array.from(result.gradient.data)
      addPull(gradient)
      if (!Number.isFinite(loss) || !allFinite(gradient)) return { loss, accepted: false, made }
      const memories: Float32Array[] = []
      // The last memory of gem is the task's own.
      for (const guard of constraint.kind === 'gem' ? guards.slice(0, -1) : guards) {
        if (guard.size === 0) continue
        const old = await steps.slope(vector, drawn(guard.draw(constraint.batch ?? batchSize)), nothing)
        memories.push(old.gradient.data as Float32Array)
      }
      const turned =
        constraint.kind === 'gem'
          ? projectGradient(gradient, memories, { margin: constraint.margin ?? 0 })
          : memories.length > 0
            ? averageProject(gradient, memories[0]!)
            : gradient
      const applied = await steps.apply(vector, state, Float32Array.from(turned), rate)
      const walked = path?.map((work, i) => work - result.gradient.data[i]! * (applied.vector.data[i]! - vector[i]!))
      next = {
        ...(applied as { vector: TensorLeaf; state: { [slot: string]: TensorLeaf } }),
        path: walked ? leaf(walked) : null,
      }
    }
    const after = next.vector.data as Float32Array
    if (!Number.isFinite(loss) || !finiteVector(after)) return { loss, accepted: false, made }
    vector = after
    state = { ...next.state }
    if (next.path) path = next.path.data as Float32Array
    return { loss, accepted: true, made }
  }
  const beginTask = (task: number, classes: readonly number[] | undefined): void => {
    if (distill && tasks > 0) {
      teacher = vector
      taught = headMatrix(Object.values(heads), outputs)
    }
    if (classes) heads = { ...heads, [task]: [...classes] }
    if (constraint?.kind === 'gem')
      guards.push(reservoirReplay(replayOptions(constraint.bytes, `guard-${guards.length}`)))
    if (resetRule) state = freshRule()
  }
  const measure = async (data: TaskData): Promise<Float64Array> => {
    const n = data.x.length / width
    const rows = usableQuietly(data, n)
    const wanted = penalty!.kind === 'si' ? 0 : (penalty!.samples ?? 1000)
    const chosen =
      rows.length > wanted
        ? createRng(`${seed}/measure/${tasks}`)
            .sample(rows.length, wanted)
            .map((i) => rows[i]!)
        : rows
    const part = partOf(data, chosen, chosen.length)
    const samples = { x: part.x.data, y: part.y.data, width: shape }
    if (penalty!.kind === 'mas') {
      sensitivity ??= openSensitivity(flat)
      return sensitivity.mean(vector, samples)
    }
    fisher ??= openFisher(flat, {
      kind: (penalty as { fisher?: 'exact' }).fisher ?? 'exact',
      likelihood,
      outputs,
    })
    return fisher.diagonal(vector, samples, { offsets: offsetsOf(data.classes), seed: `${seed}/fisher/${tasks}` })
  }
  const usableQuietly = (data: TaskData, n: number): Int32Array => {
    const before = refused
    const rows = usable(data, n)
    refused = before
    return rows
  }
  const setPull = (next: QuadraticPenalty | undefined): void => {
    pull = next
    pulled = next && { importance: Float32Array.from(next.importance), anchor: Float32Array.from(next.anchor) }
  }

  const trainer: Trainer<P> = {
    get tasks() {
      return tasks
    },
    get refused() {
      return refused
    },
    get replay() {
      return memory
    },
    get bytes() {
      const moments = Object.values(state).reduce((sum, one) => sum + one.data.byteLength, 0)
      const kept = [...(memory ? [memory] : []), ...guards].reduce((sum, buffer) => sum + buffer.bytes, 0)
      const vectors = 4 + (path ? 8 : 0) + (distill ? 4 : 0) + (penalty ? 24 : 0)
      return flat.size * vectors + moments + kept
    },
    params: () => flat.toParams(vector),
    async learn(data, { epochs = 1, signal, onProgress } = {}) {
      lifetime.check()
      check(
        Number.isInteger(epochs) && epochs >= 1,
        WHERE,
        () => `epochs must be an integer from 1, got ${describe(epochs)}.`,
      )
      const n = checkData(data)
      offsetsOf(data.classes)
      const task = data.task ?? tasks
      const rows = usable(data, n)
      check(rows.length > 0, WHERE, () => `none of the ${n} samples is finite.`)
      beginTask(task, data.classes)
      const batches = Math.ceil(rows.length / batchSize)
      let sum = 0
      let updates = 0
      for (let epoch = 1; epoch <= epochs; epoch++) {
        const order = rng.shuffle(rows.slice())
        sum = 0
        for (let b = 0; b < batches; b++) {
          signal?.throwIfAborted()
          const chosen = order.subarray(b * batchSize, (b + 1) * batchSize)
          const { loss, accepted, made } = await update(data, chosen)
          if (!accepted) {
            throw new RegimenError(`an update of task ${task} ended in a number that is not finite (loss ${loss}).`, {
              code: 'DIVERGED',
              where: WHERE,
              hint: 'Lower the rate, or λ: the product of rate, λ and the largest importance must stay below 2.',
            })
          }
          // Once a sample, and with the logits of the trained net.
          if (epoch === epochs) remember(data, chosen, made, task)
          sum += loss
          updates++
          onProgress?.({ done: updates, total: epochs * batches })
        }
      }
      await trainer.consolidate(data)
      tasks++
      return { loss: sum / batches, updates }
    },
    async step(data, keep) {
      lifetime.check()
      const n = checkData(data)
      check(
        n <= batchSize,
        WHERE,
        () => `a step takes at most ${batchSize} samples, got ${n}.`,
        'Raise batchSize, or use learn.',
      )
      if (constraint?.kind === 'gem' && guards.length === 0) beginTask(0, undefined)
      const rows = usable(data, n)
      if (rows.length === 0) return { loss: 0, accepted: false }
      const before = { vector, state, path }
      const { loss, accepted, made } = await update(data, rows)
      if (!accepted) return { loss, accepted }
      remember(data, rows, made, data.task ?? 0)
      if (!keep || (await keep())) return { loss, accepted: true }
      vector = before.vector
      state = before.state
      path = before.path
      return { loss, accepted: false }
    },
    async consolidate(data) {
      lifetime.check()
      checkData(data)
      if (!penalty) return
      const latest = penalty.kind !== 'ewc' || penalty.anchors === 'latest'
      const importance =
        penalty.kind === 'si' ? pathImportance(path!, start, vector, penalty.damping ?? 0.1) : await measure(data)
      setPull(
        consolidate(pull, {
          importance,
          params: vector,
          anchors: latest ? 'latest' : 'separate',
          decay: (penalty.kind === 'ewc' ? penalty.decay : undefined) ?? 1,
        }),
      )
      if (path) path = new Float32Array(flat.size)
      start = vector
    },
    async predict(x, classes) {
      lifetime.check()
      const n = x.length / width
      check(Number.isInteger(n) && n >= 1, WHERE, () => `x must hold rows of ${width}, got ${x.length} numbers.`)
      const input = { dtype: 'float32' as const, shape: [n, ...shape], data: Float32Array.from(x) }
      const result = (await steps.predict(vector, input)).data as Float32Array
      const shift = offsetsOf(classes)
      if (classes) for (let i = 0; i < result.length; i++) result[i]! += shift[i % outputs]!
      return result
    },
    async accuracy(data) {
      const n = checkData(data)
      const made = await trainer.predict(data.x, data.classes)
      let right = 0
      for (let i = 0; i < n; i++) {
        let best = 0
        for (let c = 1; c < outputs; c++) if (made[i * outputs + c]! > made[i * outputs + best]!) best = c
        if (best === data.y[i]) right++
      }
      return right / n
    },
    async loss(data) {
      lifetime.check()
      const n = checkData(data)
      const made = await trainer.predict(data.x, data.classes)
      let sum = 0
      for (let i = 0; i < n; i++) {
        const row = made.subarray(i * outputs, (i + 1) * outputs)
        if (likelihood === 'gaussian')
          for (let j = 0; j < outputs; j++) sum += (row[j]! - data.y[i * outputs + j]!) ** 2 / 2 / outputs
        else {
          const top = row.reduce((a, b) => Math.max(a, b))
          sum += top + Math.log(row.reduce((total, value) => total + Math.exp(value - top), 0)) - row[data.y[i]!]!
        }
      }
      return sum / n
    },
    snapshot() {
      lifetime.check()
      const children: { [name: string]: Snapshot } = {}
      if (memory) children.replay = memory.snapshot()
      for (const [i, guard] of guards.entries()) children[`guard-${i}`] = guard.snapshot()
      const saved = (data: Float32Array | undefined): Tree => (data ? arrayLeaf('float32', [flat.size], data) : null)
      const saved64 = (data: Float64Array | undefined): Tree => (data ? arrayLeaf('float64', [flat.size], data) : null)
      return createSnapshot<Tree, Tree>({
        id: WHERE,
        version: 1,
        config,
        children,
        state: {
          vector: saved(vector),
          rule: Object.fromEntries(
            Object.entries(state).map(([slot, one]) => [
              slot,
              arrayLeaf('float32', one.shape, one.data as Float32Array),
            ]),
          ),
          rng: rng.state(),
          importance: saved64(pull?.importance),
          anchor: saved64(pull?.anchor),
          path: saved(path),
          start: saved(start),
          teacher: saved(teacher),
          taught: taught ? arrayLeaf('float32', [outputs, outputs], taught) : null,
          tasks,
          refused,
          heads: Object.fromEntries(Object.entries(heads).map(([task, classes]) => [task, [...classes]])),
        },
      })
    },
    restore(snapshot) {
      lifetime.check()
      const {
        state: saved,
        config: savedConfig,
        children,
      } = restore(snapshot, {
        id: WHERE,
        version: 1,
        state: stateSchema(flat.size, outputs, state),
        children: 'any',
      })
      check(
        JSON.stringify(savedConfig) === JSON.stringify(config),
        WHERE,
        () => 'the snapshot is of a trainer with other options.',
        'Open it with the options it was made with.',
      )
      vector = saved.vector.data
      state = { ...saved.rule }
      rng = createRng(saved.rng)
      setPull(
        saved.importance && saved.anchor ? { importance: saved.importance.data, anchor: saved.anchor.data } : undefined,
      )
      path = saved.path?.data
      start = saved.start.data
      teacher = saved.teacher?.data
      taught = saved.taught?.data
      tasks = saved.tasks
      refused = saved.refused
      heads = saved.heads
      memory = children.replay && openReplay(children.replay)
      guards = Object.keys(children)
        .filter((name) => name.startsWith('guard-'))
        .map((_, i) => (constraint?.kind === 'gem' ? reservoirReplay : balancedReplay)(children[`guard-${i}`]!))
    },
    async dispose() {
      if (!lifetime.end()) return
      await steps.dispose()
      await fisher?.dispose()
      await sensitivity?.dispose()
    },
  }
  if (from) trainer.restore(from)
  return trainer
}

function stateSchema(size: number, outputs: number, state: { readonly [slot: string]: TensorLeaf }) {
  const vector = schema.leaf('float32', [size])
  const vector64 = schema.nullable(schema.leaf('float64', [size]))
  const rule = Object.fromEntries(Object.entries(state).map(([slot, one]) => [slot, schema.leaf('float32', one.shape)]))
  const rng = {
    key: schema.string(),
    c: schema.number(),
    s0: schema.number(),
    s1: schema.number(),
    s2: schema.number(),
  }
  return schema.object({
    vector,
    rule: schema.object(rule),
    rng: schema.object(rng),
    importance: vector64,
    anchor: vector64,
    path: schema.nullable(vector),
    start: vector,
    teacher: schema.nullable(vector),
    taught: schema.nullable(schema.leaf('float32', [outputs, outputs])),
    tasks: schema.integer({ min: 0 }),
    refused: schema.integer({ min: 0 }),
    heads: schema.record(schema.list(schema.integer({ min: 0 }))),
  })
}

/** Ones where two outputs belong to the same head; one head of all outputs where none is named. */
function headMatrix(heads: readonly (readonly number[])[], outputs: number): Float32Array {
  const matrix = new Float32Array(outputs * outputs)
  if (heads.length === 0) return matrix.fill(1)
  for (const head of heads) for (const a of head) for (const b of head) matrix[a * outputs + b] = 1
  return matrix
}

function leaf(data: Float32Array): TensorLeaf {
  return { dtype: 'float32', shape: [data.length], data }
}

/** As `allFinite`, for the one kind of array that is checked after every update. */
function finiteVector(values: Float32Array): boolean {
  let zero = 0
  for (let i = 0; i < values.length; i++) zero += values[i]! * 0
  return zero === 0
}

function slice(values: ArrayLike<number>, from: number, count: number): ArrayLike<number> {
  if (values instanceof Float32Array || values instanceof Float64Array) return values.subarray(from, from + count)
  return Array.from({ length: count }, (_, i) => values[from + i]!)
}
