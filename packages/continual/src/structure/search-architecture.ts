import {
  type Candidate,
  type CategoricalDimension,
  check,
  describe,
  type Evaluation,
  type IntDimension,
  type LongTaskOptions,
  type Optimizer,
} from '@regimen/core'
import { activation, dense, flatten, gru, lstm, mlp, type Net, residual, sequential } from '@regimen/tensor'
import { flatNet } from '../flat.ts'
import type { TaskData } from '../rows.ts'
import { openTrainer } from '../trainer.ts'
import type { TrainerOptions } from '../trainer-types.ts'
import { checkCount } from './task-net.ts'

/** What a hidden layer is made of: `gru` and `lstm` need inputs of steps and features. */
export type CellName = 'dense' | 'residual' | 'gru' | 'lstm'

/** One net that can be chosen. */
export type Architecture = {
  cell: CellName
  /** Neurons of every hidden layer. */
  width: number
  /** Hidden layers. */
  depth: number
}

/** Options of {@link architectureSpace}. */
export interface ArchitectureSpaceOptions {
  /** @default ['dense', 'residual'] */
  cells?: readonly CellName[]
  /** Least and most neurons of a layer, ≥ 1; searched on a logarithmic scale. @default [4, 64] */
  widths?: readonly [low: number, high: number]
  /** Fewest and most hidden layers, ≥ 1. @default [1, 3] */
  depths?: readonly [low: number, high: number]
}

/** The space of {@link architectureSpace}. */
export type ArchitectureSpace = {
  readonly cell: CategoricalDimension<CellName>
  readonly width: IntDimension
  readonly depth: IntDimension
}

const CELLS: readonly CellName[] = ['dense', 'residual', 'gru', 'lstm']
const WHERE = 'continual/search-architecture'

/**
 * Describes which architectures are searched, as a space that every optimizer of `@regimen/bayes` and `@regimen/evolve` takes.
 *
 * ```ts
 * import { architectureSpace } from '@regimen/continual'
 *
 * architectureSpace({ widths: [8, 32] }).width // => { type: 'int', low: 8, high: 32, log: true }
 * ```
 */
export function architectureSpace(options: ArchitectureSpaceOptions = {}): ArchitectureSpace {
  const { cells = ['dense', 'residual'], widths = [4, 64], depths = [1, 3] } = options
  check(
    cells.length > 0 && cells.every((cell) => CELLS.includes(cell)),
    WHERE,
    () => `cells must be some of ${CELLS.join(', ')}, got ${describe(cells)}.`,
  )
  for (const [name, [low, high]] of Object.entries({ widths, depths })) {
    checkCount(name, low, WHERE)
    checkCount(name, high, WHERE)
    check(low <= high, WHERE, () => `${name} must be in order, got ${low} and ${high}.`)
  }
  return {
    cell: { type: 'categorical', choices: [...cells] },
    width: { type: 'int', low: widths[0], high: widths[1], log: true },
    depth: { type: 'int', low: depths[0], high: depths[1] },
  }
}

/** What a net takes and gives. */
export interface ArchitectureShape {
  /** Numbers in an input, or steps and features. */
  inputs: number | readonly number[]
  outputs: number
}

/**
 * Makes the net of an architecture: hidden layers of one width with ReLU (`dense`), the same with x + f(x) around each layer but the
 * first (`residual`), or stacked recurrent layers of which the last step counts (`gru`, `lstm`), and a linear layer to the outputs.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { buildArchitecture } from '@regimen/continual'
 *
 * const net = buildArchitecture({ cell: 'gru', width: 3, depth: 2 }, { inputs: [20, 5], outputs: 1 })
 * Object.keys(net.init(createRng(0))).length // => 3
 * ```
 */
export function buildArchitecture(architecture: Architecture, shape: ArchitectureShape): Net<unknown> {
  const { cell, width, depth } = architecture
  check(CELLS.includes(cell), WHERE, () => `cell must be one of ${CELLS.join(', ')}, got ${describe(cell)}.`)
  checkCount('width', width, WHERE)
  checkCount('depth', depth, WHERE)
  const { inputs, outputs } = shape
  const sides = typeof inputs === 'number' ? [inputs] : inputs
  const end = dense({ inputs: width, outputs })
  if (cell === 'gru' || cell === 'lstm') {
    check(
      sides.length === 2,
      WHERE,
      () => `${cell} needs inputs of steps and features, got ${describe(inputs)}.`,
      'Leave recurrent cells out of the space.',
    )
    const layers = Array.from({ length: depth }, (_, i) =>
      (cell === 'gru' ? gru : lstm)({ inputs: i === 0 ? sides[1]! : width, hidden: width, sequences: i < depth - 1 }),
    )
    return sequential<unknown[]>([...layers, end] as Net<unknown>[])
  }
  const flat = sides.reduce((a, b) => a * b, 1)
  const hidden = (from: number): Net<unknown> =>
    dense({ inputs: from, outputs: width, activation: 'relu', initializer: 'heUniform' }) as Net<unknown>
  const whole =
    cell === 'dense'
      ? [mlp({ sizes: [flat, ...new Array<number>(depth).fill(width), outputs] })]
      : [hidden(flat), ...Array.from({ length: depth - 1 }, () => residual(hidden(width))), activation('linear'), end]
  return sequential<unknown[]>([...(sides.length > 1 ? [flatten()] : []), ...whole] as Net<unknown>[])
}

/** A task with the samples that judge what was learned of it. */
export interface JudgedTask {
  readonly train: TaskData
  readonly test: TaskData
}

/** Options of {@link searchArchitecture}: those of a trainer, without its net, and how to search. */
export interface SearchArchitectureOptions extends Omit<TrainerOptions<unknown>, 'net' | 'params'>, LongTaskOptions {
  /** Proposes architectures of an {@link architectureSpace}; it minimizes. */
  optimizer: Optimizer<Architecture>
  /** Nets to try, ≥ 1. @default 20 */
  trials?: number
  /** Nets asked for at once, ≥ 1. @default 1 */
  batch?: number
  /** Epochs of each task, ≥ 1. @default 10 */
  epochs?: number
  /** Added to the loss for every parameter, ≥ 0. @default 0 */
  price?: number
}

/** What came of one architecture. */
export interface ArchitectureTrial {
  readonly architecture: Architecture
  readonly parameters: number
  /** Mean loss on all tasks after the last one, and the price of the parameters; undefined where training failed. */
  readonly value: number | undefined
  /** Why it failed. */
  readonly failed: string | undefined
}

/** What {@link searchArchitecture} found. */
export interface ArchitectureSearch {
  /** The best of all; its value is defined. */
  readonly best: ArchitectureTrial
  /** Its net, untrained. */
  readonly net: Net<unknown>
  readonly trials: readonly ArchitectureTrial[]
}

/**
 * Searches for the net that keeps a sequence of tasks best: each architecture that the optimizer proposes learns all tasks one after
 * the other by the given strategy, and is judged by its mean loss on the held-out samples of all of them at the end, forgetting
 * included. Any optimizer that can ask and tell will do; the families do not depend on each other, so it is passed in. A net whose
 * training diverges is told as failed.
 *
 * ```ts
 * import { type Architecture, searchArchitecture } from '@regimen/continual'
 * import { createSnapshot, type Optimizer } from '@regimen/core'
 * import '@tensorflow/tfjs'
 *
 * // Three nets in turn, as an optimizer.
 * const nets = [2, 8, 16].map((width) => ({ cell: 'dense', width, depth: 1 }) as const)
 * let asked = 0
 * const inTurn: Optimizer<Architecture> = {
 *   direction: 'minimize',
 *   ask: () => [{ id: asked, point: nets[asked++]! }],
 *   tell: () => {},
 *   best: undefined,
 *   stopped: undefined,
 *   snapshot: () => createSnapshot({ id: 'example/in-turn', version: 1, config: null, state: asked }),
 * }
 * const data = { x: [0, 0, 0, 1, 1, 0, 1, 1], y: [0, 1, 1, 0] }
 * const { best, trials } = await searchArchitecture([{ train: data, test: data }], {
 *   optimizer: inTurn,
 *   trials: 3,
 *   inputs: 2,
 *   outputs: 2,
 *   rate: 0.05,
 *   epochs: 100,
 * })
 * trials.map((trial) => trial.parameters) // => [12, 42, 82]
 * best.value! < 0.1 // => true
 * ```
 *
 * Reference: Elsken, Metzen and Hutter 2019 (survey).
 */
export async function searchArchitecture(
  tasks: readonly JudgedTask[],
  options: SearchArchitectureOptions,
): Promise<ArchitectureSearch> {
  const { optimizer, trials: count = 20, batch = 1, epochs = 10, price = 0, signal, onProgress, ...rest } = options
  check(tasks.length > 0, WHERE, () => 'there must be at least one task, got none.')
  for (const [name, value] of Object.entries({ trials: count, batch, epochs })) checkCount(name, value, WHERE)
  check(Number.isFinite(price) && price >= 0, WHERE, () => `price must be at least 0, got ${describe(price)}.`)
  check(
    optimizer.direction === 'minimize',
    WHERE,
    () => `the optimizer must minimize, got ${describe(optimizer.direction)}.`,
  )
  const shape = { inputs: rest.inputs, outputs: rest.outputs }
  const judge = async ({ point }: Candidate<Architecture>): Promise<ArchitectureTrial> => {
    const net = buildArchitecture(point, shape)
    const trial = { architecture: { ...point }, parameters: flatNet(net).size }
    const trainer = openTrainer({ ...rest, net })
    try {
      for (const { train } of tasks) await trainer.learn(train, { epochs, ...(signal ? { signal } : {}) })
      let value = price * trial.parameters
      for (const { test } of tasks) value += (await trainer.loss(test)) / tasks.length
      return Number.isFinite(value)
        ? { ...trial, value, failed: undefined }
        : { ...trial, value: undefined, failed: `its loss is ${value}.` }
    } catch (error) {
      if ((error as { code?: string }).code !== 'DIVERGED') throw error
      return { ...trial, value: undefined, failed: (error as Error).message }
    } finally {
      await trainer.dispose()
    }
  }
  const trials: ArchitectureTrial[] = []
  while (trials.length < count && optimizer.stopped === undefined) {
    const candidates = optimizer.ask(Math.min(batch, count - trials.length))
    const told: Evaluation[] = []
    for (const candidate of candidates) {
      signal?.throwIfAborted()
      const trial = await judge(candidate)
      trials.push(trial)
      const { id } = candidate
      told.push(trial.value === undefined ? { id, failed: trial.failed! } : { id, value: trial.value })
      onProgress?.({ done: trials.length, total: count })
    }
    optimizer.tell(told)
    if (candidates.length === 0) break
  }
  const best = trials
    .filter(({ value }) => value !== undefined)
    .reduce<ArchitectureTrial | undefined>((a, b) => (a === undefined || b.value! < a.value! ? b : a), undefined)
  check(
    best !== undefined,
    WHERE,
    () => `none of the ${trials.length} nets could be trained: ${trials[0]?.failed ?? 'the optimizer proposed none.'}`,
    'Lower the rate.',
  )
  return { best, net: buildArchitecture(best.architecture, shape), trials }
}
