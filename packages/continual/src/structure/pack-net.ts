import { arrayLeaf, check, createRng, describe, type Infer, type Snapshot, schema } from '@regimen/core'
import { compile, type Fetched, type Net } from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import { flatNet } from '../flat.ts'
import { batchLoss } from '../steps.ts'
import { openFit } from './fit.ts'
import { largest } from './largest.ts'
import { openTaskNet, type TaskNet, type TaskNetOptions } from './task-net.ts'

/** Options of {@link openPackNet}. */
export interface PackNetOptions<P> extends TaskNetOptions {
  net: Net<P>
  /** Share of the weights still free that a task keeps, above 0 up to 1, in every layer. @default 0.5 */
  keep?: number
  /** Epochs of a task after pruning, as a share of its epochs, at least 0. @default 0.5 */
  retrain?: number
}

/** One net whose weights are dealt out to tasks. */
export interface PackNet<P> extends TaskNet {
  /** Share of the weights that no task has taken. */
  free(): number
  /** The parameters with which a task is answered: zero where a weight is free or belongs to a later task. */
  params(task: number): Fetched<P>
}

const WHERE = 'continual/pack-net'

/**
 * Packs task after task into one net and forgets nothing. A task trains all weights that are still free, keeps in every layer
 * the share of them that is largest in size, and gives the rest back as zeros; what it keeps is trained once more and never moves
 * again. It may use what earlier tasks keep. Biases and norms, parameters of fewer than two axes, are each task's own. Earlier
 * outputs stay equal bit for bit.
 *
 * Choose it where tasks are known at prediction and memory is bounded; `openProgressiveNet` grows instead, penalties and replay
 * need no task. Gotchas: with `keep` 0.5 the fifth task finds a sixteenth of the weights; once `free` is near 0 a new task learns
 * little but its biases. Memory: two bytes a weight beside the weights, and the biases of every task. At most 65,535 tasks.
 *
 * ```ts
 * import { openPackNet } from '@regimen/continual'
 * import { mlp } from '@regimen/tensor'
 * import '@tensorflow/tfjs'
 *
 * const packed = openPackNet({ net: mlp({ sizes: [2, 16, 2] }), inputs: 2, outputs: 2, rate: 0.05 })
 * // The label is the sign of the input; in the second task it is turned around.
 * await packed.learn({ x: [1, 0, -1, 0], y: [0, 1] }, { epochs: 40 })
 * const before = await packed.predict([1, 0], 0)
 * await packed.learn({ x: [1, 0, -1, 0], y: [1, 0] }, { epochs: 40 })
 * const after = await packed.predict([1, 0], 0)
 * after.every((value, i) => value === before[i]) // => true
 * await packed.accuracy({ x: [1, 0, -1, 0], y: [1, 0], task: 1 }) // => 1
 * packed.free() // => 0.25
 * await packed.dispose()
 * ```
 *
 * Reference: Mallya and Lazebnik 2018, PackNet.
 */
export function openPackNet<P>(options: PackNetOptions<P>, from?: Snapshot): PackNet<P> {
  const { net, keep = 0.5, retrain = 0.5 } = options
  check(keep > 0 && keep <= 1, WHERE, () => `keep must be above 0 and at most 1, got ${describe(keep)}.`)
  check(Number.isFinite(retrain) && retrain >= 0, WHERE, () => `retrain must be at least 0, got ${describe(retrain)}.`)
  const flat = flatNet(net)
  const layers = placesOf(flat.sizes, flat.ranks, true)
  const weights = layers.reduce((sum, layer) => sum + layer.length, 0)
  check(weights > 0, WHERE, () => 'the net has no parameters of two axes to deal out.')
  const own = placesOf(flat.sizes, flat.ranks, false).flat()
  // A weight belongs to the task owner − 1; 0 is free.
  let owner = new Uint16Array(flat.size)
  let shared = new Float32Array(flat.size)
  let owns: readonly Float32Array[] = []

  const vectorOf = (task: number): Float32Array => {
    const vector = new Float32Array(flat.size)
    for (let i = 0; i < vector.length; i++) if (owner[i]! > 0 && owner[i]! <= task + 1) vector[i] = shared[i]!
    for (let i = 0; i < own.length; i++) vector[own[i]!] = owns[task]![i]!
    return vector
  }
  const saves = schema.object({
    owner: schema.leaf('uint16', [flat.size]),
    shared: schema.leaf('float32', [flat.size]),
    owns: schema.list(schema.leaf('float32', [own.length])),
  })
  const base = openTaskNet<Infer<typeof saves>>(WHERE, options, ({ shapes, seed, ...context }) => {
    const fit = openFit(
      (vector, batch) => batchLoss(net.apply(flat.tree(vector), batch.x, { training: true }), batch, shapes.likelihood),
      { shapes, ...context },
    )
    const predict = compile((vector: tf.Tensor, x: tf.Tensor) => net.apply(flat.tree(vector), x), {
      maxSignatures: 64,
    })
    return {
      config: { keep, retrain },
      bytes: () => flat.size * 6 + owns.length * own.length * 4,
      async learn(lesson) {
        const { task, epochs } = lesson
        check(task < 65_535, WHERE, () => 'it holds at most 65535 tasks.')
        const fresh = flat.init(createRng(`${seed}/init/${task}`))
        const start = shared.slice()
        const last = owns.at(-1)
        for (const layer of layers) for (const i of layer) if (owner[i] === 0) start[i] = fresh[i]!
        for (let i = 0; i < own.length; i++) start[own[i]!] = last ? last[i]! : fresh[own[i]!]!
        const open = maskOf(owner, own, 0)
        const wide = await lesson.learn(fit, start, { name: 'wide', epochs, mask: open })
        const taken = owner.slice()
        const pruned = wide.vector.slice()
        for (const layer of layers) {
          const free = layer.filter((i) => owner[i] === 0)
          for (const i of free) pruned[i] = 0
          for (const i of largest(wide.vector, free, Math.round(keep * free.length))) {
            taken[i] = task + 1
            pruned[i] = wide.vector[i]!
          }
        }
        const again = Math.round(retrain * epochs)
        const made =
          again === 0
            ? { vector: pruned, loss: wide.loss }
            : await lesson.learn(fit, pruned, { name: 'kept', epochs: again, mask: maskOf(taken, own, task + 1) })
        owner = taken
        shared = made.vector.slice()
        owns = [...owns, Float32Array.from(own, (i) => made.vector[i]!)]
        return made.loss
      },
      predict: (task, x) => predict(vectorOf(task), x),
      state: () => ({
        owner: arrayLeaf('uint16', [flat.size], owner),
        shared: arrayLeaf('float32', [flat.size], shared),
        owns: owns.map((one) => arrayLeaf('float32', [own.length], one)),
      }),
      schema: saves,
      restore(saved) {
        owner = Uint16Array.from(saved.owner.data)
        shared = Float32Array.from(saved.shared.data)
        owns = saved.owns.map((one) => one.data)
      },
      async dispose() {
        await fit.dispose()
        await predict.dispose()
      },
    }
  })
  if (from) base.restore(from)
  return Object.assign(base, {
    free: () => layers.reduce((sum, layer) => sum + layer.filter((i) => owner[i] === 0).length, 0) / weights,
    params(task: number) {
      check(
        Number.isInteger(task) && task >= 0 && task < owns.length,
        WHERE,
        () => `task must be the number of one of the ${owns.length} tasks learned, got ${describe(task)}.`,
      )
      return flat.toParams(vectorOf(task))
    },
  })
}

/** Ones where a parameter is a task's own or its weight has this owner. */
function maskOf(owner: Uint16Array, own: readonly number[], wanted: number): Float32Array {
  const mask = Float32Array.from(owner, (one) => (one === wanted ? 1 : 0))
  for (const i of own) mask[i] = 1
  return mask
}

/** Places in the vector of the leaves with at least two axes (weights) or with fewer (biases, norms), by leaf. */
function placesOf(sizes: readonly number[], ranks: readonly number[], weights: boolean): number[][] {
  let at = 0
  return sizes.flatMap((size, k) => {
    const begin = at
    at += size
    return ranks[k]! >= 2 === weights ? [Array.from({ length: size }, (_, i) => begin + i)] : []
  })
}
