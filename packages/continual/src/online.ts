import {
  type ArrayLeaf,
  arrayLeaf,
  check,
  createEvent,
  createSnapshot,
  describe,
  type EventSink,
  restore,
  type Snapshot,
  schema,
  type Tree,
} from '@regimen/core'
import type { Fetched } from '@regimen/tensor'
import type { UpdateCost } from './metrics.ts'
import { reservoirReplay } from './replay/reservoir.ts'
import { allFinite, type ReplayBuffer } from './replay/store.ts'
import { openTrainer } from './trainer.ts'
import type { TrainerOptions } from './trainer-types.ts'

/** Refuses updates that make the learner worse at samples that it never learns. */
export interface GateOptions {
  /** Memory of the held-back samples in bytes. */
  bytes: number
  /** Every so many labelled samples one is held back, ≥ 2. @default 10 */
  every?: number
  /** Held-back samples that decide on an update, ≥ 1. @default 64 */
  samples?: number
  /** By how much their mean loss may rise, ≥ 0. @default 0.05 */
  tolerance?: number
}

/** Options of {@link openOnlineLearner}. */
export interface OnlineOptions<P> extends TrainerOptions<P> {
  /** Observations after which a label that has not come is given up, ≥ 1. @default 1000 */
  expireAfter?: number
  /** @default no gate */
  gate?: GateOptions
  /** Updates between two consolidations of the strategy's penalty, ≥ 1. @default never */
  consolidateEvery?: number
  /** Hears of updates, refusals and consolidations. */
  events?: EventSink
}

/** What the learner said before it knew. */
export interface Observed {
  /** Names the observation when its label comes. */
  readonly id: number
  /** The net's outputs. */
  readonly outputs: Float32Array
}

/** Counts and scores of a stream. Accuracy and loss are prequential: by the outputs from before the label was known. */
export interface StreamReport {
  readonly observed: number
  readonly labelled: number
  /** Waiting for their labels. */
  readonly pending: number
  /** Labels that never came. */
  readonly expired: number
  /** Samples set aside because a number in them was NaN or infinite. */
  readonly refused: number
  readonly updates: number
  /** Updates that were taken back: by the gate, or because they were not finite. */
  readonly updatesRefused: number
  /** Share of right classes, 0 with the `gaussian` likelihood. */
  readonly accuracy: number
  /** Mean loss. */
  readonly loss: number
}

/** A learner on a stream. */
export interface OnlineLearner<P> {
  /**
   * Answers for an input and holds it until its label comes; an input that is not finite is counted and held no longer. `group` is
   * the regime it belongs to, for memories that balance groups (0 if unsaid).
   */
  observe(x: ArrayLike<number>, group?: number): Promise<Observed>
  /**
   * Takes the label of an observation: scores it, then learns it (at most one update a call). False where the observation has
   * expired or was set aside.
   */
  label(id: number, y: number | ArrayLike<number>, time: number): Promise<boolean>
  predict(x: ArrayLike<number>): Promise<Float32Array>
  report(): StreamReport
  params(): Fetched<P>
  readonly bytes: number
  /** Memory, and what the updates have taken; for `continualMetrics`. */
  readonly cost: UpdateCost
  snapshot(): Snapshot
  dispose(): Promise<void>
}

const WHERE = 'continual/online'

type Held = {
  readonly id: number
  readonly x: ArrayLeaf<'float32'>
  readonly outputs: ArrayLeaf<'float32'>
  readonly group: number
}
type Queued = { readonly x: ArrayLeaf<'float32'>; readonly y: ArrayLeaf<'float32'>; readonly group: number }

const whole = schema.integer({ min: 0 })
const held = schema.object({
  id: schema.integer({ min: 0 }),
  x: schema.leaf('float32', [null]),
  outputs: schema.leaf('float32', [null]),
  group: whole,
})
const queued = schema.object({ x: schema.leaf('float32', [null]), y: schema.leaf('float32', [null]), group: whole })
const COUNTS = ['observed', 'labelled', 'expired', 'refused', 'updates', 'updatesRefused', 'right'] as const

/**
 * Opens a learner for a stream whose labels come late: every input is answered first and learned when its label is known. Samples
 * gather to a batch, so a bar costs at most one update of fixed size, with replay and penalty as the strategy says. With a gate
 * every tenth sample is held back, and an update that raises the loss on those is taken back, which also bounds what wrong labels
 * can do. For tasks that are known as a whole take {@link openTrainer}.
 *
 * ```ts
 * import { openOnlineLearner } from '@regimen/continual'
 * import { mlp } from '@regimen/tensor'
 * import '@tensorflow/tfjs'
 *
 * const learner = openOnlineLearner({
 *   net: mlp({ sizes: [1, 8, 2] }),
 *   inputs: 1,
 *   outputs: 2,
 *   batchSize: 4,
 *   rate: 0.05,
 *   strategy: { replay: { bytes: 4096 } },
 * })
 * for (let bar = 0; bar < 200; bar++) {
 *   const x = Math.sin(bar)
 *   const { id } = await learner.observe([x])
 *   await learner.label(id, x > 0 ? 1 : 0, bar)
 * }
 * learner.report().accuracy > 0.8 // => true
 * await learner.dispose()
 * ```
 *
 * Reference: Gama, Sebastião and Rodrigues 2013 (prequential evaluation).
 */
export function openOnlineLearner<P>(options: OnlineOptions<P>, from?: Snapshot): OnlineLearner<P> {
  const {
    expireAfter = 1000,
    gate,
    consolidateEvery,
    events,
    likelihood = 'softmax',
    batchSize = 32,
    outputs,
  } = options
  const { every = 10, samples = 64, tolerance = 0.05 } = gate ?? {}
  const integers = { expireAfter, every, samples, ...(consolidateEvery === undefined ? {} : { consolidateEvery }) }
  for (const [name, value] of Object.entries(integers)) {
    const least = name === 'every' ? 2 : 1
    check(
      Number.isInteger(value) && value >= least,
      WHERE,
      () => `${name} must be an integer from ${least}, got ${describe(value)}.`,
    )
  }
  check(tolerance >= 0, WHERE, () => `gate.tolerance must be at least 0, got ${describe(tolerance)}.`)
  const width = typeof options.inputs === 'number' ? options.inputs : options.inputs.reduce((a, b) => a * b, 1)
  const targets = likelihood === 'softmax' ? 1 : outputs
  const config: Tree = {
    expireAfter,
    every,
    samples,
    tolerance,
    gated: gate !== undefined,
    consolidateEvery: consolidateEvery ?? 0,
  }
  const saved =
    from &&
    restore(from, {
      id: WHERE,
      version: 1,
      state: schema.object({
        counts: schema.record(whole),
        loss: schema.number(),
        pending: schema.list(held),
        queue: schema.list(queued),
      }),
      children: gate ? ['trainer', 'held'] : ['trainer'],
    })
  check(
    !saved || JSON.stringify(saved.config) === JSON.stringify(config),
    WHERE,
    () => 'the snapshot is of a learner with other options.',
    'Open it with the options it was made with.',
  )
  const trainer = openTrainer(options, saved?.children.trainer)
  const back: ReplayBuffer | undefined =
    gate &&
    reservoirReplay(saved?.children.held ?? { bytes: gate.bytes, width, targets, seed: `${options.seed ?? 0}/held` })
  const counts = Object.fromEntries(COUNTS.map((name) => [name, saved?.state.counts[name] ?? 0])) as {
    [name in (typeof COUNTS)[number]]: number
  }
  let lossSum = saved?.state.loss ?? 0
  const pending = new Map<number, Held>((saved?.state.pending ?? []).map((one) => [one.id, one]))
  let queue: Queued[] = [...(saved?.state.queue ?? [])]

  const score = (made: Float32Array, y: Float32Array): void => {
    counts.labelled++
    if (likelihood === 'gaussian') {
      lossSum += made.reduce((sum, value, j) => sum + (value - y[j]!) ** 2, 0) / 2 / outputs
      return
    }
    const top = made.reduce((a, b) => Math.max(a, b))
    lossSum += top + Math.log(made.reduce((sum, value) => sum + Math.exp(value - top), 0)) - made[y[0]!]!
    if (made[y[0]!] === top) counts.right++
  }
  const emit = (type: string, time: number, reason: string, data: { readonly [key: string]: Tree }): void =>
    events?.emit(createEvent({ type: `continual/${type}`, time, reason, data }))
  const update = async (time: number): Promise<void> => {
    const x = new Float32Array(queue.length * width)
    const y = new Float32Array(queue.length * targets)
    for (const [i, one] of queue.entries()) {
      x.set(one.x.data, i * width)
      y.set(one.y.data, i * targets)
    }
    const groups = Int32Array.from(queue, (one) => one.group)
    queue = []
    const test = back && back.size >= Math.min(samples, back.capacity) ? back.draw(samples) : undefined
    const before = test ? await trainer.loss(test) : 0
    let after = before
    const { loss, accepted } = await trainer.step({ x, y, groups }, async () => {
      if (test) after = await trainer.loss(test)
      return Number.isFinite(after) && after <= before + tolerance
    })
    counts.updates++
    const data = { update: counts.updates, loss: String(loss), before, after: String(after) }
    if (accepted)
      emit('update', time, `The update was kept; the loss on held-back samples went from ${before} to ${after}.`, data)
    else {
      counts.updatesRefused++
      emit(
        'update-refused',
        time,
        `The update was taken back: the held-back loss would have gone from ${before} to ${after}, by more than ${tolerance}, or it was not finite.`,
        data,
      )
    }
    if (consolidateEvery && counts.updates % consolidateEvery === 0) {
      const memory =
        trainer.replay && trainer.replay.size > 0 ? trainer.replay.draw(Math.min(1000, 8 * batchSize)) : { x, y }
      await trainer.consolidate(memory)
      emit('consolidate', time, `${consolidateEvery} updates have passed.`, { update: counts.updates })
    }
  }
  return {
    async observe(x, group = 0) {
      check(
        x.length === width,
        WHERE,
        () => `an input must hold ${width} numbers, got ${x.length}.`,
        'A changed input width needs a new learner.',
      )
      check(
        Number.isInteger(group) && group >= 0,
        WHERE,
        () => `group must be a whole number from 0, got ${describe(group)}.`,
      )
      const id = counts.observed++
      const oldest = pending.keys().next()
      if (!oldest.done && oldest.value <= id - expireAfter) {
        pending.delete(oldest.value)
        counts.expired++
      }
      if (!allFinite(x)) {
        counts.refused++
        return { id, outputs: new Float32Array(outputs) }
      }
      const copy = arrayLeaf('float32', [width], Float32Array.from(x))
      const made = await trainer.predict(copy.data)
      pending.set(id, { id, x: copy, outputs: arrayLeaf('float32', [outputs], made), group })
      return { id, outputs: made }
    },
    async label(id, y, time) {
      check(
        Number.isInteger(id) && id >= 0 && id < counts.observed,
        WHERE,
        () => `id must be one that observe returned, got ${describe(id)}.`,
      )
      const target = Float32Array.from(typeof y === 'number' ? [y] : y)
      check(target.length === targets, WHERE, () => `a label must hold ${targets} numbers, got ${target.length}.`)
      const fits =
        likelihood !== 'softmax' ||
        !Number.isFinite(target[0]) ||
        (Number.isInteger(target[0]) && target[0]! >= 0 && target[0]! < outputs)
      check(fits, WHERE, () => `a label must be a class from 0 to ${outputs - 1}, got ${target[0]}.`)
      const one = pending.get(id)
      if (!one) return false
      pending.delete(id)
      if (!allFinite(target)) {
        counts.refused++
        return false
      }
      score(one.outputs.data, target)
      if (back && counts.labelled % every === 0) back.add({ x: one.x.data, y: target })
      else queue.push({ x: one.x, y: arrayLeaf('float32', [targets], target), group: one.group })
      if (queue.length >= batchSize) await update(time)
      return true
    },
    predict: (x) => trainer.predict(x),
    params: () => trainer.params(),
    report: () => ({
      observed: counts.observed,
      labelled: counts.labelled,
      pending: pending.size,
      expired: counts.expired,
      refused: counts.refused,
      updates: counts.updates,
      updatesRefused: counts.updatesRefused,
      accuracy: counts.labelled ? counts.right / counts.labelled : 0,
      loss: counts.labelled ? lossSum / counts.labelled : 0,
    }),
    get bytes() {
      return trainer.bytes + (back?.bytes ?? 0) + 4 * (expireAfter * (width + outputs) + batchSize * (width + targets))
    },
    get cost() {
      return { ...trainer.cost, bytes: this.bytes }
    },
    snapshot: () =>
      createSnapshot<Tree, Tree>({
        id: WHERE,
        version: 1,
        config,
        state: { counts: { ...counts }, loss: lossSum, pending: [...pending.values()], queue: [...queue] },
        children: { trainer: trainer.snapshot(), ...(back ? { held: back.snapshot() } : {}) },
      }),
    dispose: () => trainer.dispose(),
  }
}
