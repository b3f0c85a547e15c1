import { type ArrayLeaf, arrayLeaf, check, createRng, describe, type Infer, type Snapshot, schema } from '@regimen/core'
import { compile, mlp } from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import { flatNet } from '../flat.ts'
import { accuracyOf, lossOf } from '../net-calls.ts'
import type { RowShape, TaskData } from '../rows.ts'
import { batchLoss } from '../steps.ts'
import { openFit } from './fit.ts'
import { openRouter, type Place } from './router.ts'
import { checkCount, openTaskNet, type TaskNet, type TaskNetOptions } from './task-net.ts'

/** Options of {@link openModularNet}. */
export interface ModularNetOptions extends TaskNetOptions {
  /** Numbers in an input. */
  inputs: number
  /** Neurons of each hidden layer of a module. */
  hidden: readonly number[]
  /**
   * A module is taken for a new task where its loss there is at most this share of the loss of the best constant answer, from 0
   * (never) to 1. @default 0.5
   */
  bar?: number
  /** Numbers to which inputs are projected for routing, ≥ 1; more than `inputs` leaves them as they are. @default 64 */
  embedding?: number
}

/** Which tasks a module answers. */
export interface NetModule {
  readonly tasks: readonly number[]
}

/** A net of modules. */
export interface ModularNet extends TaskNet {
  modules(): readonly NetModule[]
  /** The task whose inputs each row looks most like. */
  route(x: ArrayLike<number>): Int32Array
  /** The outputs for a task; without one each row is answered as {@link route} says. */
  predict(x: ArrayLike<number>, task?: number): Promise<Float32Array>
}

const WHERE = 'continual/modular-net'

/**
 * Learns tasks with as many small nets as they need. For a new task the loss of every module on its samples is measured; the best
 * is taken as it is where its loss is low enough, else a new module is trained. No module ever changes again, so earlier outputs stay
 * equal bit for bit, and a task that comes back costs no update. Of each task's inputs it keeps a Gaussian, by which an input
 * whose task is not named finds its own: the one with the highest density among random projections of the input.
 *
 * Choose it where few kinds of task come back often: memory grows with the kinds, not the tasks (but for the Gaussians). Where tasks
 * share what they need in part, `openProgressiveNet` draws on earlier columns; `openPackNet` stays within one net. Gotchas: tasks
 * whose inputs look alike cannot be told apart without being named; measuring takes a pass over the samples a module.
 *
 * ```ts
 * import { openModularNet } from '@regimen/continual'
 * import '@tensorflow/tfjs'
 *
 * const net = openModularNet({ inputs: 2, hidden: [8], outputs: 2, rate: 0.05, bar: 0.3 })
 * const near = { x: [1, 0, -1, 0, 1, 1, -1, -1], y: [0, 1, 0, 1] }
 * const far = { x: [1, 10, -1, 10, 1, 11, -1, 9], y: [1, 0, 1, 0] }
 * await net.learn(near, { epochs: 60 })
 * await net.learn(far, { epochs: 60 })
 * await net.learn(near, { epochs: 60 })
 * net.modules() // => [{ tasks: [0, 2] }, { tasks: [1] }]
 * await net.accuracy(far) // => 1
 * await net.dispose()
 * ```
 *
 * References: Jacobs et al. 1991 (mixtures of experts); Aljundi, Chakravarty and Tuytelaars 2017 (expert gate).
 */
export function openModularNet(options: ModularNetOptions, from?: Snapshot): ModularNet {
  const { inputs, hidden, outputs, bar = 0.5, embedding = 64, likelihood = 'softmax' } = options
  for (const width of hidden) checkCount('hidden', width, WHERE)
  for (const [name, value] of Object.entries({ inputs, outputs, embedding })) checkCount(name, value, WHERE)
  check(bar >= 0 && bar <= 1, WHERE, () => `bar must be from 0 to 1, got ${describe(bar)}.`)
  const rows: RowShape = {
    shape: [inputs],
    width: inputs,
    outputs,
    likelihood,
    targets: likelihood === 'softmax' ? 1 : outputs,
  }
  const router = openRouter({ width: inputs, embedding, seed: `${options.seed ?? 0}/router` })
  const flat = flatNet(mlp({ sizes: [inputs, ...hidden, outputs] }))
  let modules: readonly Float32Array[] = []
  let places: readonly (Place & { readonly module: number })[] = []

  const saves = schema.object({
    modules: schema.list(schema.leaf('float32', [flat.size])),
    places: schema.list(
      schema.object({
        module: schema.integer({ min: 0 }),
        weight: schema.number({ min: 0 }),
        mean: schema.leaf('float64', [router.size]),
        scatter: schema.leaf('float64', [router.size, router.size]),
      }),
    ),
  })
  const base = openTaskNet<Infer<typeof saves>>(WHERE, options, ({ shapes, seed, ...context }) => {
    const fit = openFit(
      (vector, batch) => batchLoss(flat.net.apply(flat.tree(vector), batch.x), batch, shapes.likelihood),
      { shapes, ...context },
    )
    const predict = compile((vector: tf.Tensor, x: tf.Tensor) => flat.net.apply(flat.tree(vector), x), {
      maxSignatures: 64,
    })
    return {
      config: { hidden: [...hidden], bar, embedding },
      bytes: () => modules.length * flat.size * 4 + router.bytes + places.length * router.bytesPerPlace,
      async learn(lesson) {
        const { data, task, epochs } = lesson
        const losses: number[] = []
        for (const vector of modules) losses.push(await lesson.loss(fit, vector))
        const best = losses.indexOf(Math.min(...losses))
        const fits = best >= 0 && losses[best]! <= bar * constantLoss(data, lesson.rows, shapes)
        const made = fits
          ? undefined
          : await lesson.learn(fit, flat.init(createRng(`${seed}/init/${task}`)), { name: 'module', epochs })
        if (made) modules = [...modules, made.vector]
        places = [...places, { module: made ? modules.length - 1 : best, ...router.placeOf(data.x, lesson.rows) }]
        return made ? made.loss : losses[best]!
      },
      predict: (task, x: ArrayLeaf<'float32'>) => predict(modules[places[task]!.module]!, x),
      state: () => ({
        modules: modules.map((vector) => arrayLeaf('float32', [flat.size], vector)),
        places: places.map(({ module, weight, mean, scatter }) => ({
          module,
          weight,
          mean: arrayLeaf('float64', [router.size], mean),
          scatter: arrayLeaf('float64', [router.size, router.size], scatter),
        })),
      }),
      schema: saves,
      restore(saved) {
        check(
          saved.places.every(({ module }) => module < saved.modules.length),
          WHERE,
          () => `there are ${saved.modules.length} modules, but a task names another.`,
          'The snapshot is damaged.',
        )
        modules = saved.modules.map(({ data }) => data)
        places = saved.places.map((one) => ({
          module: one.module,
          n: router.size,
          weight: one.weight,
          mean: one.mean.data,
          scatter: one.scatter.data,
        }))
      },
      async dispose() {
        await fit.dispose()
        await predict.dispose()
      },
    }
  })
  if (from) base.restore(from)
  const told = { predict: base.predict, accuracy: base.accuracy, loss: base.loss }
  const route = (x: ArrayLike<number>): Int32Array => {
    check(places.length > 0, WHERE, () => 'no task was learned yet.', 'Learn one first.')
    check(
      x.length > 0 && x.length % inputs === 0,
      WHERE,
      () => `x must hold rows of ${inputs}, got ${x.length} numbers.`,
    )
    return router.route(x, places)
  }
  const routed = async (x: ArrayLike<number>): Promise<Float32Array> => {
    const tasks = route(x)
    const made = new Float32Array(tasks.length * outputs)
    for (const task of new Set(tasks)) {
      const own = [...tasks.keys()].filter((i) => tasks[i] === task)
      const part = new Float32Array(own.length * inputs)
      for (const [to, i] of own.entries()) for (let j = 0; j < inputs; j++) part[to * inputs + j] = x[i * inputs + j]!
      const outs = await told.predict(part, task)
      for (const [at, i] of own.entries()) made.set(outs.subarray(at * outputs, (at + 1) * outputs), i * outputs)
    }
    return made
  }
  return Object.assign(base, {
    modules: () => modules.map((_, m) => ({ tasks: [...places.keys()].filter((task) => places[task]!.module === m) })),
    route,
    predict: (x: ArrayLike<number>, task?: number) => (task === undefined ? routed(x) : told.predict(x, task)),
    accuracy: async (data: TaskData) =>
      data.task === undefined ? accuracyOf(await routed(data.x), data, outputs) : told.accuracy(data),
    loss: async (data: TaskData) =>
      data.task === undefined ? lossOf(await routed(data.x), data.y, rows) : told.loss(data),
  })
}

/** Loss of the best answer that does not look at the input: the entropy of the labels, or half their variance. */
function constantLoss({ y }: TaskData, rows: Int32Array, { likelihood, outputs, targets }: RowShape): number {
  if (likelihood === 'softmax') {
    const counts = new Float64Array(outputs)
    for (const row of rows) counts[y[row]!]!++
    return counts.reduce(
      (sum, count) => sum - (count > 0 ? (count / rows.length) * Math.log(count / rows.length) : 0),
      0,
    )
  }
  let variance = 0
  for (let j = 0; j < targets; j++) {
    let mean = 0
    for (const row of rows) mean += y[row * targets + j]! / rows.length
    for (const row of rows) variance += (y[row * targets + j]! - mean) ** 2 / rows.length / targets
  }
  return variance / 2
}
