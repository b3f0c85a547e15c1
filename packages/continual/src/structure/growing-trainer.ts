import {
  check,
  createEvent,
  createSnapshot,
  describe,
  type EventSink,
  restore,
  type Snapshot,
  schema,
  systemClock,
} from '@regimen/core'
import { type ActivationName, type DenseParams, mlp } from '@regimen/tensor'
import { learnEpochs, openTrainerCore } from '../trainer-core.ts'
import type { Trainer, TrainerOptions } from '../trainer-types.ts'
import { growSnapshot } from './grow-snapshot.ts'
import { checkCount } from './task-net.ts'

/** When a net grows, and how far. */
export interface GrowthRule {
  /** Neurons that a hidden layer may have at most. */
  maximum: number
  /** Neurons added at once, ≥ 1. @default half of what the layer has */
  by?: number
  /** How many losses in a row may fail to fall before the net grows, ≥ 1. @default 3 */
  patience?: number
  /** Share by which a loss must be below the best so far to count as a fall, 0 up to 1 (not included). @default 0.01 */
  tolerance?: number
  /** A net whose loss is at most this is good enough and does not grow, ≥ 0. @default 0 */
  wanted?: number
  /** Updates whose mean loss is one of these losses in a stream of `step`s; in `learn` each epoch is one, ≥ 1. @default 50 */
  window?: number
}

/** Options of {@link openGrowingTrainer}. */
export interface GrowingTrainerOptions extends Omit<TrainerOptions<DenseParams[]>, 'net' | 'inputs'> {
  /** Numbers in an input. */
  inputs: number
  /** Neurons of each hidden layer at first, at least one layer. */
  hidden: readonly number[]
  /** Between the layers. @default 'relu' */
  activation?: ActivationName
  grow: GrowthRule
  /** Hears why and where the net grew. */
  events?: EventSink
}

/** A trainer whose net grows. */
export interface GrowingTrainer extends Trainer<DenseParams[]> {
  /** Neurons of each hidden layer now. */
  readonly hidden: readonly number[]
  /** How often the net has grown. */
  readonly growths: number
}

type Watch = { best: number | null; stale: number; sum: number; count: number }

const WHERE = 'continual/growing-trainer'

/**
 * Opens a trainer of a multi-layer perceptron that grows when its loss has stopped falling: after `patience` losses in a row that are
 * not below the best by `tolerance`, the narrowest hidden layer gets neurons by {@link growMlp}. At that moment the outputs stay what
 * they are, the rule keeps its moments, penalties and the teacher of distillation their hold on the old weights, replay its samples;
 * new weights begin with moments and importances of zero. Every growth is an event that says which loss would not fall.
 *
 * Take it where it is not known how large a net the tasks will need; where they are known, a fixed net of that size is cheaper. Gotchas:
 * each growth compiles new graphs; a new task begins a new count; with a rate too high the loss stays up for another reason and
 * growing does not help. Not with `maskedRule` or Kronecker-factored importances, which are of one size.
 *
 * ```ts
 * import { openGrowingTrainer } from '@regimen/continual'
 * import '@tensorflow/tfjs'
 *
 * const trainer = openGrowingTrainer({
 *   inputs: 2,
 *   hidden: [1],
 *   outputs: 2,
 *   rate: 0.05,
 *   grow: { maximum: 8, wanted: 0.1 },
 * })
 * // Exclusive or, which one neuron cannot tell.
 * await trainer.learn({ x: [0, 0, 0, 1, 1, 0, 1, 1], y: [0, 1, 1, 0] }, { epochs: 300 })
 * trainer.hidden[0]! > 1 // => true
 * await trainer.dispose()
 * ```
 *
 * References: Ash 1989 (dynamic node creation); Chen et al. 2016 (Net2Net).
 */
export function openGrowingTrainer(options: GrowingTrainerOptions, from?: Snapshot): GrowingTrainer {
  const { grow, activation = 'relu', events, clock = systemClock, seed = 0, inputs, outputs, strategy } = options
  const { maximum, patience = 3, tolerance = 0.01, wanted = 0, window = 50 } = grow
  check(options.hidden.length >= 1, WHERE, () => 'hidden must name at least one layer, got [].')
  for (const width of options.hidden) checkCount('hidden', width, WHERE)
  const counts = { maximum, patience, window, inputs, ...(grow.by === undefined ? {} : { by: grow.by }) }
  for (const [name, value] of Object.entries(counts)) checkCount(name, value, WHERE)
  check(
    tolerance >= 0 && tolerance < 1,
    WHERE,
    () => `grow.tolerance must be from 0 up to 1, got ${describe(tolerance)}.`,
  )
  check(wanted >= 0, WHERE, () => `grow.wanted must be at least 0, got ${describe(wanted)}.`)
  const { penalty } = strategy ?? {}
  check(
    !(penalty?.kind === 'ewc' && penalty.fisher === 'kronecker'),
    WHERE,
    () => 'Kronecker-factored importances do not grow with the net.',
    'Take another fisher.',
  )
  const config = {
    inputs,
    hidden: [...options.hidden],
    activation,
    grow: { maximum, by: grow.by ?? null, patience, tolerance, wanted, window },
  }
  let hidden: readonly number[] = [...options.hidden]
  let growths = 0
  let watch: Watch = { best: null, stale: 0, sum: 0, count: 0 }
  // Of trainers that this one has outgrown.
  let seconds = 0
  const openCore = (saved?: Snapshot) => {
    const { params, ...rest } = options
    const given = params && !saved ? { params } : {}
    return openTrainerCore({ ...rest, ...given, net: mlp({ sizes: [inputs, ...hidden, outputs], activation }) }, saved)
  }
  const enlarge = async (loss: number): Promise<void> => {
    const layer = hidden.indexOf(Math.min(...hidden))
    const width = hidden[layer]!
    const by = Math.min(grow.by ?? Math.ceil(width / 2), maximum - width)
    const saved = growSnapshot(core.trainer.snapshot(), {
      sizes: [inputs, ...hidden, outputs],
      layer,
      by,
      seed: `${seed}/${growths}`,
    })
    const { best } = watch
    const old = core.trainer
    hidden = hidden.map((one, i) => (i === layer ? one + by : one))
    core = openCore(saved)
    seconds += old.cost.seconds
    growths++
    watch = { best: null, stale: 0, sum: 0, count: 0 }
    await old.dispose()
    events?.emit(
      createEvent({
        type: 'continual/grow',
        time: clock.now(),
        reason: `The loss, now ${loss}, has not fallen by ${100 * tolerance} % below ${best} for ${patience} measurements: hidden layer ${layer} grows from ${width} to ${width + by} neurons.`,
        data: { layer, from: width, to: width + by, loss, best, growths },
      }),
    )
  }
  /** Takes one loss, and grows where it is one too many that has not fallen. */
  const observe = async (loss: number): Promise<void> => {
    const { best } = watch
    const falls = best === null || loss < best - tolerance * Math.abs(best)
    watch = falls ? { ...watch, best: loss, stale: 0 } : { ...watch, stale: watch.stale + 1 }
    if (watch.stale >= patience && loss > wanted && Math.min(...hidden) < maximum) await enlarge(loss)
  }
  const count = schema.integer({ min: 0 })
  const open = (snapshot: Snapshot): void => {
    const saved = restore(snapshot, {
      id: WHERE,
      version: 1,
      state: schema.object({
        hidden: schema.list(schema.integer({ min: 1 })),
        growths: count,
        watch: schema.object({ best: schema.nullable(schema.number()), stale: count, sum: schema.number(), count }),
      }),
      children: ['trainer'],
    })
    check(
      JSON.stringify(saved.config) === JSON.stringify(config) && saved.state.hidden.length === hidden.length,
      WHERE,
      () => 'the snapshot is of a trainer with other options.',
      'Open it with the options it was made with.',
    )
    const before = { core, hidden }
    hidden = [...saved.state.hidden]
    try {
      core = openCore(saved.children.trainer)
    } catch (error) {
      hidden = before.hidden
      throw error
    }
    growths = saved.state.growths
    watch = { ...saved.state.watch }
    void before.core.trainer.dispose()
  }
  let core = openCore()
  if (from) open(from)
  return {
    get hidden() {
      return [...hidden]
    },
    get growths() {
      return growths
    },
    get tasks() {
      return core.trainer.tasks
    },
    get refused() {
      return core.trainer.refused
    },
    get replay() {
      return core.trainer.replay
    },
    get bytes() {
      return core.trainer.bytes
    },
    get cost() {
      const { cost } = core.trainer
      return { ...cost, seconds: cost.seconds + seconds }
    },
    params: () => core.trainer.params(),
    learn(data, how) {
      watch = { best: null, stale: 0, sum: 0, count: 0 }
      return learnEpochs(() => core.lessons, data, how, observe)
    },
    async step(batch, keep) {
      const report = await core.trainer.step(batch, keep)
      if (!report.accepted) return report
      watch = { ...watch, sum: watch.sum + report.loss, count: watch.count + 1 }
      if (watch.count >= window) {
        const mean = watch.sum / watch.count
        watch = { ...watch, sum: 0, count: 0 }
        await observe(mean)
      }
      return report
    },
    consolidate: (data) => core.trainer.consolidate(data),
    predict: (x, classes) => core.trainer.predict(x, classes),
    accuracy: (data) => core.trainer.accuracy(data),
    loss: (data) => core.trainer.loss(data),
    snapshot: () =>
      createSnapshot({
        id: WHERE,
        version: 1,
        config,
        state: { hidden: [...hidden], growths, watch: { ...watch } },
        children: { trainer: core.trainer.snapshot() },
      }),
    restore: open,
    dispose: () => core.trainer.dispose(),
  }
}
