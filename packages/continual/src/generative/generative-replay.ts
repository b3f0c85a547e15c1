import {
  type ArrayLeaf,
  arrayLeaf,
  type Clock,
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
  systemClock,
  type Tree,
} from '@regimen/core'
import { adam, type Fetched, type Net, type TensorLeaf, type UpdateRule } from '@regimen/tensor'
import type { UpdateCost } from '../metrics.ts'
import { accuracyOf, lossOf, outputsFor } from '../net-calls.ts'
import { checkRows, createBatch, fillRows, finiteRows, finiteVector, type RowShape, type TaskData } from '../rows.ts'
import { floats } from '../steps.ts'
import { checkCount } from '../structure/task-net.ts'
import { compileGenerative } from './steps.ts'

/** Options of {@link openGenerativeReplay}. */
export interface GenerativeReplayOptions<P> {
  /** The net that answers. */
  net: Net<P>
  /** Numbers in an input, or its shape. */
  inputs: number | readonly number[]
  /** Numbers that the net puts out: classes, or targets. */
  outputs: number
  /** Classes with cross-entropy, or numbers with squared error. @default 'softmax' */
  likelihood?: 'softmax' | 'gaussian'
  /** What the generator takes inputs for: numbers from 0 to 1, or any (standardized ones are learned best). @default 'gaussian' */
  pixels?: 'bernoulli' | 'gaussian'
  /** Neurons in the hidden layers of the encoder; the decoder has them in reverse. @default [400, 400] */
  hidden?: readonly number[]
  /** Numbers in a code, ≥ 1. @default 50 */
  latent?: number
  /** Tells the generator the class, so that it draws each as often as it was seen; classes only. @default with 'softmax' */
  conditional?: boolean
  /** Softens the targets of generated samples, above 0. @default 2 */
  temperature?: number
  /** @default adam() */
  rule?: UpdateRule
  /** Learning rate of both nets, above 0. @default 1e-3 */
  rate?: number
  /** New samples in an update, and as many generated ones, ≥ 1. @default 128 */
  batchSize?: number
  /** @default 0 */
  seed?: number | string
  /** Measures what updates cost. @default systemClock */
  clock?: Clock
}

/** A net that learns one task after the other beside what its generator dreams of the earlier ones. */
export interface GenerativeReplay<P> {
  /** Tasks that were learned. */
  readonly tasks: number
  /** Samples set aside because a number in them was not finite. */
  readonly refused: number
  /** Bytes while it learns: both nets, as they are and as they were, and the rule's moments. No sample is kept. */
  readonly bytes: number
  /** Memory, and what the updates so far have taken. */
  readonly cost: UpdateCost
  /** Parameters of the net that answers. */
  params(): Fetched<P>
  /** Learns a task in epochs. Where it fails or is aborted nothing has changed. */
  learn(
    task: TaskData,
    options?: LongTaskOptions & { epochs?: number },
  ): Promise<{ readonly loss: number; readonly updates: number }>
  /** The net's outputs, row-major. */
  predict(x: ArrayLike<number>): Promise<Float32Array>
  /** Share of right classes. */
  accuracy(task: TaskData): Promise<number>
  /** Loss on samples, without learning. */
  loss(task: TaskData): Promise<number>
  /** Inputs that the generator draws; of one class each where it is conditional and `classes` are given. */
  generate(count: number, classes?: ArrayLike<number>): Promise<Float32Array>
  snapshot(): Snapshot
  /** Goes back to a snapshot of one of the same options. */
  restore(snapshot: Snapshot): void
  dispose(): Promise<void>
}

const WHERE = 'continual/generative-replay'

/**
 * Opens a net that keeps no sample and still replays: a variational autoencoder learns to draw inputs like those seen. A new task
 * is learned beside as many drawn inputs of the tasks before, whose soft targets are the outputs of the net as it was. In the k-th
 * task the new samples' loss weighs 1 / k, the drawn ones' the rest; the generator learns in the same updates by the same shares.
 *
 * Choose it where samples must not be kept; where they may, `openTrainer` with replay is cheaper and better. Gotchas: the
 * generator needs far more epochs than the net, and what it draws badly is forgotten; errors add up with every task. For images
 * from 0 to 1 take `pixels: 'bernoulli'`. Classes may come in any order,
 * and come again.
 *
 * ```ts
 * import { openGenerativeReplay } from '@regimen/continual'
 * import { mlp } from '@regimen/tensor'
 * import '@tensorflow/tfjs'
 *
 * const net = openGenerativeReplay({
 *   net: mlp({ sizes: [2, 16, 3] }),
 *   inputs: 2,
 *   outputs: 3,
 *   hidden: [16],
 *   latent: 2,
 *   rate: 0.01,
 *   batchSize: 8,
 * })
 * const around = (x: number, y: number) => [x, y, x + 0.1, y, x, y + 0.1, x - 0.1, y, x, y - 0.1]
 * const first = { x: [...around(-2, 0), ...around(2, 0)], y: [0, 0, 0, 0, 0, 1, 1, 1, 1, 1] }
 * await net.learn(first, { epochs: 150 })
 * await net.learn({ x: around(0, 2), y: [2, 2, 2, 2, 2] }, { epochs: 150 })
 * await net.accuracy(first) // => 1
 * await net.dispose()
 * ```
 *
 * References: Shin et al. 2017 (deep generative replay); van de Ven and Tolias 2018 (with distillation, and its weights); van de Ven,
 * Siegelmann and Tolias 2020 (generators that know the class).
 */
export function openGenerativeReplay<P>(options: GenerativeReplayOptions<P>, from?: Snapshot): GenerativeReplay<P> {
  const { outputs, likelihood = 'softmax', pixels = 'gaussian', hidden = [400, 400], latent = 50 } = options
  const { temperature = 2, rule = adam(), rate = 1e-3, batchSize = 128, seed = 0, clock = systemClock } = options
  const { conditional = likelihood === 'softmax' } = options
  const shape = typeof options.inputs === 'number' ? [options.inputs] : [...options.inputs]
  const width = shape.reduce((a, b) => a * b, 1)
  for (const [name, value] of Object.entries({ outputs, batchSize, latent, inputs: width }))
    checkCount(name, value, WHERE)
  for (const size of hidden) checkCount('hidden', size, WHERE)
  for (const [name, value] of Object.entries({ rate, temperature }))
    check(
      value > 0 && value < Number.POSITIVE_INFINITY,
      WHERE,
      () => `${name} must be above 0, got ${describe(value)}.`,
    )
  check(
    !conditional || likelihood === 'softmax',
    WHERE,
    () => 'only classes can be a condition.',
    'Leave conditional out.',
  )
  check(
    pixels === 'bernoulli' || pixels === 'gaussian',
    WHERE,
    () => `pixels must be bernoulli or gaussian, got ${describe(pixels)}.`,
  )
  const shapes: RowShape = { shape, width, outputs, likelihood, targets: likelihood === 'softmax' ? 1 : outputs }
  const classes = conditional ? outputs : 0
  const steps = compileGenerative(options.net, {
    shapes,
    vae: { width, classes, hidden, latent, likelihood: pixels },
    rule,
    temperature,
    seed,
  })
  const { size } = steps
  const config = {
    inputs: shape,
    outputs,
    likelihood,
    pixels,
    hidden,
    latent,
    conditional,
    temperature,
    rate,
    batchSize,
  }
  const lifetime = createLifetime(WHERE)
  const now = {
    vector: steps.init(createRng(`${seed}/init`)),
    rng: createRng(seed),
    /** How often each class was seen. */
    seen: new Float64Array(outputs),
    tasks: 0,
    refused: 0,
    updates: 0,
    samples: 0,
  }
  let seconds = 0
  let busy = false
  const ruleBytes = Object.values(rule.init(leafOf(now.vector))).reduce((sum, one) => sum + one.data.byteLength, 0)
  const batch = createBatch(batchSize, shapes)
  const noShift = new Float32Array(outputs)

  const checkData = (data: TaskData): number => {
    const n = checkRows(data, shapes, WHERE)
    check(
      data.classes === undefined,
      WHERE,
      () => 'a task cannot have classes of its own: what is generated is of no task.',
      'Use openTrainer with replay, or leave classes out.',
    )
    if (pixels === 'bernoulli') {
      const wrong = Array.prototype.findIndex.call(data.x, (value: number) => value < 0 || value > 1) as number
      check(wrong < 0, WHERE, () => `bernoulli inputs must lie from 0 to 1, got ${data.x[wrong]} at ${wrong}.`)
    }
    return n
  }
  /** Rows of ones where a class stands. */
  const conditions = (count: number, classAt: (i: number) => number): ArrayLeaf<'float32'> | null => {
    if (!conditional) return null
    const rows = new Float32Array(count * outputs)
    for (let i = 0; i < count; i++) rows[i * outputs + classAt(i)] = 1
    return arrayLeaf('float32', [count, outputs], rows)
  }

  const self: GenerativeReplay<P> = {
    get tasks() {
      return now.tasks
    },
    get refused() {
      return now.refused
    },
    get bytes() {
      return 2 * size * 4 + ruleBytes
    },
    get cost() {
      return { bytes: self.bytes, updates: now.updates, samples: now.samples, seconds }
    },
    params: () => steps.params(now.vector),
    async learn(data, { epochs = 1, signal, onProgress } = {}) {
      lifetime.check()
      checkCount('epochs', epochs, WHERE)
      const n = checkData(data)
      const rows = finiteRows(data, shapes)
      check(rows.length > 0, WHERE, () => `none of the ${n} samples is finite.`)
      check(!busy, WHERE, () => 'it is still learning another task.', 'Await one learn before the next.')
      busy = true
      const begin = clock.monotonic()
      const drawn = steps.randomState()
      const rng = createRng(now.rng.state())
      const before = now.tasks > 0 ? now.vector : null
      const batches = Math.ceil(rows.length / batchSize)
      const total = epochs * batches
      try {
        let vector = now.vector
        let state: { readonly [slot: string]: TensorLeaf } = { ...rule.init(leafOf(vector)) }
        let sum = 0
        for (let epoch = 0; epoch < epochs; epoch++) {
          const order = rng.shuffle(rows.slice())
          sum = 0
          for (let b = 0; b < batches; b++) {
            signal?.throwIfAborted()
            fillRows(batch, data, order.subarray(b * batchSize, (b + 1) * batchSize), shapes, noShift)
            const dreams = before && {
              vector: before,
              condition: conditions(batchSize, () => rng.categorical(now.seen)),
            }
            const made = await steps.train(vector, state, batch, dreams, 1 / (now.tasks + 1), rate)
            const loss = floats(made.loss)[0]!
            const after = floats(made.vector)
            if (!Number.isFinite(loss) || !finiteVector(after)) throw diverged(loss, now.tasks)
            vector = after
            state = made.state
            sum += loss
            onProgress?.({ done: epoch * batches + b + 1, total })
          }
        }
        if (likelihood === 'softmax') for (const row of rows) now.seen[data.y[row]!]!++
        now.vector = vector
        now.rng = rng
        now.tasks++
        now.refused += n - rows.length
        now.updates += total
        now.samples += epochs * rows.length + (before ? 2 * total * batchSize : 0)
        return { loss: sum / batches, updates: total }
      } catch (error) {
        steps.restoreRandom(drawn)
        throw error
      } finally {
        busy = false
        seconds += (clock.monotonic() - begin) / 1000
      }
    },
    async predict(x) {
      lifetime.check()
      return outputsFor((rows) => steps.predict(now.vector, rows), x, shapes, WHERE)
    },
    async accuracy(data) {
      checkData(data)
      return accuracyOf(await self.predict(data.x), data, outputs)
    },
    async loss(data) {
      checkData(data)
      return lossOf(await self.predict(data.x), data.y, shapes)
    },
    async generate(count, wanted) {
      lifetime.check()
      checkCount('count', count, WHERE)
      check(now.tasks > 0, WHERE, () => 'nothing was learned that could be generated.', 'Learn a task first.')
      if (wanted) {
        check(conditional, WHERE, () => 'the generator knows no classes.', 'Open it with conditional: true.')
        check(wanted.length === count, WHERE, () => `classes must hold ${count} numbers, got ${wanted.length}.`)
        for (const c of Array.from(wanted))
          check(now.seen[c]! > 0, WHERE, () => `classes must be ones that were learned, got ${describe(c)}.`)
      }
      const draw = createRng(now.rng.state()).split('generate')
      const condition = conditions(count, (i) => wanted?.[i] ?? draw.categorical(now.seen))
      return steps.generate(now.vector, condition, count)
    },
    snapshot() {
      lifetime.check()
      return createSnapshot<Tree, Tree>({
        id: WHERE,
        version: 1,
        config,
        state: {
          vector: arrayLeaf('float32', [size], now.vector),
          seen: arrayLeaf('float64', [outputs], now.seen),
          rng: now.rng.state(),
          random: steps.randomState(),
          tasks: now.tasks,
          refused: now.refused,
          updates: now.updates,
          samples: now.samples,
        },
      })
    },
    restore(snapshot) {
      lifetime.check()
      const count = schema.integer({ min: 0 })
      const number = schema.number()
      const stream = schema.object({ key: schema.string(), c: number, s0: number, s1: number, s2: number })
      const { state, config: saved } = restore(snapshot, {
        id: WHERE,
        version: 1,
        state: schema.object({
          vector: schema.leaf('float32', [size]),
          seen: schema.leaf('float64', [outputs]),
          rng: stream,
          random: stream,
          tasks: count,
          refused: count,
          updates: count,
          samples: count,
        }),
      })
      check(
        JSON.stringify(saved) === JSON.stringify(config),
        WHERE,
        () => 'the snapshot is of one with other options.',
        'Open it with the options it was made with.',
      )
      const { vector, seen, rng, random, ...counts } = state
      steps.restoreRandom(random)
      Object.assign(now, { ...counts, vector: vector.data, seen: seen.data.slice(), rng: createRng(rng) })
    },
    async dispose() {
      if (lifetime.end()) await steps.dispose()
    },
  }
  if (from) self.restore(from)
  return self
}

function leafOf(data: Float32Array): TensorLeaf {
  return { dtype: 'float32', shape: [data.length], data }
}

function diverged(loss: number, task: number): RegimenError {
  return new RegimenError(`an update of task ${task} ended in a number that is not finite (loss ${loss}).`, {
    code: 'DIVERGED',
    where: WHERE,
    hint: 'Lower the rate, or standardize the inputs.',
  })
}
