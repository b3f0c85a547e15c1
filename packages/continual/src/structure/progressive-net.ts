import { type ArrayLeaf, arrayLeaf, check, createRng, describe, type Infer, type Snapshot, schema } from '@regimen/core'
import {
  type Compiled,
  compile,
  type DenseParams,
  type Fetched,
  initialize,
  mlp,
  type TensorLeaf,
} from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { type FlatNet, flatNet } from '../flat.ts'
import { batchLoss } from '../steps.ts'
import { type Extra, openFit } from './fit.ts'
import { checkCount, openTaskNet, type TaskLesson, type TaskNet, type TaskNetOptions } from './task-net.ts'

/** Options of {@link openProgressiveNet}. */
export interface ProgressiveNetOptions extends TaskNetOptions {
  /** Numbers in an input. */
  inputs: number
  /** Neurons of each hidden layer of a column, at least one layer. */
  hidden: readonly number[]
  /** Neurons of the adapter between a layer of an earlier column and the next layer of a new one, ≥ 1. @default 8 */
  adapter?: number
  /** How many of the latest columns a new one may draw on, ≥ 0. @default 4 */
  sources?: number
  /** Share of the loss that a source must save to stay connected, up to 1; 0 drops those that harm only. @default 0.05 */
  use?: number
}

/** What a column draws on. */
export interface ProgressiveColumn {
  /** Numbers of the earlier columns that stayed connected. */
  readonly sources: readonly number[]
  /** For each of them, the share of the loss that it saves: 1 − L / L(without it), on the task's own samples. */
  readonly use: readonly number[]
}

/** A net that grows by a column for every task. */
export interface ProgressiveNet extends TaskNet {
  columns(): readonly ProgressiveColumn[]
}

type Lateral = { down: tf.Tensor; up: tf.Tensor }
type Column = { layers: DenseParams[]; laterals: Lateral[][] }
type Trained = ProgressiveColumn & { readonly vector: Float32Array }

const WHERE = 'continual/progressive-net'

/**
 * Grows by a column for each task and never touches an old one. Layer i of a new column sees its own layer below, and the layers
 * below of earlier columns through adapters: z = W h + Σ U relu(V h′), with U zero at first. After learning, each source is cut
 * in turn; the one that saves the smallest share of the loss is dropped for good as long as that share is under `use`. Earlier
 * outputs stay equal bit for bit.
 *
 * Choose it where tasks are known at prediction, transfer matters and memory may grow; `openPackNet` stays within one net.
 * Gotchas: a prediction runs all columns that its column draws on, directly or through others; ReLU layers only.
 *
 * ```ts
 * import { openProgressiveNet } from '@regimen/continual'
 * import '@tensorflow/tfjs'
 *
 * const net = openProgressiveNet({ inputs: 2, hidden: [8], outputs: 2, rate: 0.05 })
 * await net.learn({ x: [1, 0, -1, 0], y: [0, 1] }, { epochs: 40 })
 * const before = await net.predict([1, 0], 0)
 * await net.learn({ x: [1, 0, -1, 0], y: [1, 0] }, { epochs: 40 })
 * const after = await net.predict([1, 0], 0)
 * after.every((value, i) => value === before[i]) // => true
 * await net.accuracy({ x: [1, 0, -1, 0], y: [1, 0], task: 1 }) // => 1
 * await net.dispose()
 * ```
 *
 * Reference: Rusu et al. 2016, Progressive neural networks.
 */
export function openProgressiveNet(options: ProgressiveNetOptions, from?: Snapshot): ProgressiveNet {
  const { inputs, hidden, outputs, adapter = 8, sources = 4, use = 0.05 } = options
  check(hidden.length >= 1, WHERE, () => 'hidden must name at least one layer, got [].')
  for (const width of hidden) checkCount('hidden', width, WHERE)
  checkCount('inputs', inputs, WHERE)
  checkCount('outputs', outputs, WHERE)
  checkCount('adapter', adapter, WHERE)
  check(
    Number.isInteger(sources) && sources >= 0,
    WHERE,
    () => `sources must be an integer from 0, got ${describe(sources)}.`,
  )
  check(use >= 0 && use <= 1, WHERE, () => `use must be from 0 to 1, got ${describe(use)}.`)
  const sizes = [inputs, ...hidden, outputs]
  const flats: FlatNet<Column>[] = []
  const flatOf = (count: number): FlatNet<Column> => {
    flats[count] ??= columnOf(sizes, adapter, count)
    return flats[count]
  }
  let columns: readonly Trained[] = []
  const graphs = new Map<number, Compiled<[Extra, tf.Tensor], TensorLeaf>>()

  /** The column and all that it draws on, in ascending order. */
  const neededBy = (last: readonly number[]): number[] => {
    const found = new Set(last)
    for (const id of found) for (const source of columns[id]!.sources) found.add(source)
    return [...found].sort((a, b) => a - b)
  }
  const vectors = (ids: readonly number[]) => Object.fromEntries(ids.map((id) => [`c${id}`, columns[id]!.vector]))
  /** Inside a graph: the outputs of a column whose parameters are `own`. */
  const outputOf = (own: Column, drawn: readonly number[], frozen: Extra, x: tf.Tensor): tf.Tensor => {
    const layers = new Map<number, tf.Tensor[]>()
    for (const id of neededBy(drawn)) {
      const { sources: from } = columns[id]!
      layers.set(id, columnLayers(flatOf(from.length).tree(frozen[`c${id}`]!), from, layers, x))
    }
    return columnLayers(own, drawn, layers, x).at(-1)!
  }
  const graphOf = (id: number): Compiled<[Extra, tf.Tensor], TensorLeaf> => {
    const known = graphs.get(id)
    if (known) return known
    const { sources: drawn } = columns[id]!
    const graph = compile(
      (all: Extra, x: tf.Tensor) => outputOf(flatOf(drawn.length).tree(all[`c${id}`]!), drawn, all, x),
      { maxSignatures: 64 },
    )
    graphs.set(id, graph)
    return graph
  }
  const forget = async (): Promise<void> => {
    const open = [...graphs.values()]
    graphs.clear()
    for (const graph of open) await graph.dispose()
  }

  const saves = schema.list(
    schema.object({
      sources: schema.list(schema.integer({ min: 0 })),
      use: schema.list(schema.number()),
      vector: schema.leaf('float32', [null]),
    }),
  )
  const base = openTaskNet<Infer<typeof saves>>(WHERE, options, ({ shapes, seed, ...context }) => {
    /** A fit of a column that draws on these. */
    const fitOf = (drawn: readonly number[]) =>
      openFit(
        (vector, batch, frozen) =>
          batchLoss(outputOf(flatOf(drawn.length).tree(vector), drawn, frozen, batch.x), batch, shapes.likelihood),
        { shapes, ...context },
      )
    /** Drops the source that saves least, again and again, until each saves enough. */
    const select = async (lesson: TaskLesson, drawn: readonly number[], learned: Float32Array): Promise<Trained> => {
      let kept = [...drawn]
      let vector = learned
      for (;;) {
        const flat = flatOf(kept.length)
        const extra = vectors(neededBy(kept))
        const fit = fitOf(kept)
        const saved: number[] = []
        try {
          const whole = kept.length > 0 ? await lesson.loss(fit, vector, { extra }) : 0
          for (let s = 0; s < kept.length; s++) {
            const cut = await lesson.loss(fit, flat.toVector(silenced(flat.toParams(vector), s)), { extra })
            saved.push(cut > 0 ? 1 - whole / cut : 0)
          }
        } finally {
          await fit.dispose()
        }
        const least = saved.indexOf(Math.min(...saved))
        if (least < 0 || saved[least]! >= use) return { sources: kept, use: saved, vector }
        const { layers, laterals } = flat.toParams(vector)
        vector = flatOf(kept.length - 1).toVector({ layers, laterals: laterals.filter((_, s) => s !== least) })
        kept = kept.filter((_, s) => s !== least)
      }
    }
    return {
      config: { hidden: [...hidden], adapter, sources, use },
      bytes: () => columns.reduce((sum, { vector }) => sum + 4 * vector.length, 0),
      async learn(lesson) {
        const { task, epochs } = lesson
        const drawn = columns.map((_, id) => id).slice(Math.max(0, task - sources))
        const fit = fitOf(drawn)
        try {
          const start = flatOf(drawn.length).init(createRng(`${seed}/init/${task}`))
          const extra = vectors(neededBy(drawn))
          const { vector, loss } = await lesson.learn(fit, start, { name: 'column', epochs, extra })
          const column = await select(lesson, drawn, vector)
          columns = [...columns, column]
          return loss
        } finally {
          await fit.dispose()
        }
      },
      predict: (task, x: ArrayLeaf<'float32'>) => graphOf(task)(vectors(neededBy([task])), x),
      state: () =>
        columns.map(({ sources: drawn, use: saved, vector }) => ({
          sources: [...drawn],
          use: [...saved],
          vector: arrayLeaf('float32', [vector.length], vector),
        })),
      schema: saves,
      restore(saved) {
        for (const [id, column] of saved.entries()) {
          const { size } = flatOf(column.sources.length)
          check(
            column.vector.data.length === size && column.sources.every((source) => source < id),
            WHERE,
            () => `column ${id} must hold ${size} numbers and draw on earlier columns only.`,
            'The snapshot is damaged.',
          )
        }
        columns = saved.map((column) => ({ ...column, vector: column.vector.data }))
        void forget()
      },
      dispose: forget,
    }
  })
  if (from) base.restore(from)
  return Object.assign(base, {
    columns: () => columns.map(({ sources: drawn, use: saved }) => ({ sources: [...drawn], use: [...saved] })),
  })
}

/** All layers of a column, the outputs last; `layers` holds those of the columns it draws on. */
function columnLayers(
  column: Column,
  drawn: readonly number[],
  layers: ReadonlyMap<number, readonly tf.Tensor[]>,
  x: tf.Tensor,
): tf.Tensor[] {
  const made: tf.Tensor[] = []
  for (const [i, { kernel, bias }] of column.layers.entries()) {
    let z: tf.Tensor = tf.add(tf.matMul(made[i - 1] ?? x, kernel), bias!)
    if (i > 0) {
      for (const [s, id] of drawn.entries()) {
        const { down, up } = column.laterals[s]![i - 1]!
        z = tf.add(z, tf.matMul(tf.relu(tf.matMul(layers.get(id)![i - 1]!, down)), up))
      }
    }
    made.push(i < column.layers.length - 1 ? tf.relu(z) : z)
  }
  return made
}

/** Lays out the parameters of a column with so many sources. */
function columnOf(sizes: readonly number[], adapter: number, count: number): FlatNet<Column> {
  const own = mlp({ sizes })
  return flatNet<Column>({
    init: (rng) => ({
      layers: own.init(rng.split('column')),
      laterals: Array.from({ length: count }, (_, s) =>
        sizes.slice(1, -1).map((width, i) => ({
          down: initialize('heUniform', [width, adapter], rng.split(`down-${s}-${i}`)),
          up: initialize('zeros', [adapter, sizes[i + 2]!], rng),
        })),
      ),
    }),
    apply: ({ layers }, x) => own.apply(layers, x),
    taskAxis: () => undefined,
  })
}

/** The column without what one source adds. */
function silenced({ layers, laterals }: Fetched<Column>, source: number): Fetched<Column> {
  const mute = ({ down, up }: Fetched<Lateral>): Fetched<Lateral> => ({
    down,
    up: { dtype: 'float32', shape: up.shape, data: new Float32Array(up.data.length) },
  })
  return { layers, laterals: laterals.map((one, s) => (s === source ? one.map(mute) : one)) }
}
