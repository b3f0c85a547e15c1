import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { preset } from '@regimen/market'
import {
  type ChartPattern,
  chartPatternNames,
  chartPatterns,
  evaluate,
  type MetaModel,
  maml,
  metaTrain,
  prototypical,
  regimeCeiling,
  regimeReturns,
  regimeWindows,
  sampleFamily,
  stackTasks,
  type Task,
  type TaskLoss,
  type TaskSampler,
  type TaskSet,
} from '@regimen/meta'
import {
  adam,
  addTaskAxis,
  compile,
  dense,
  flattenTree,
  gaussianNll,
  mlp,
  type Net,
  softmaxCrossEntropy,
  type TensorLeaf,
  unflattenTree,
  valueAndGradient,
} from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { bench, type Figure } from './harness.ts'

type Figures = { [name: string]: Figure }

/** Patterns that the net never trains on. */
const UNSEEN: readonly ChartPattern[] = [
  'double-top',
  'inverse-head-and-shoulders',
  'bull-flag',
  'falling-wedge',
  'v-bottom',
  'cup-and-handle',
]

export default bench({
  name: 'meta-regimes',
  description:
    'few-shot chart patterns, regime windows and return forecasts on simulator parameters never seen, against tuned baselines (--iterations 1500, --seeds 10 and --tests 200 for the full form; 600, 3 and 100 else)',
  async run(context) {
    const iterations = context.number('iterations', 600)
    const tests = context.number('tests', 100)
    const figures: Figures = { iterations }
    await patterns(iterations, tests, figures, context.log)
    await regimes(iterations, tests, figures, context.log)
    await forecasts(iterations, context.number('seeds', 3), tests, figures, context.log)
    return { figures }
  },
})

async function patterns(
  iterations: number,
  tests: number,
  figures: Figures,
  log: (line: string) => void,
): Promise<void> {
  log('chart patterns')
  const known = chartPatternNames.filter((name) => !UNSEEN.includes(name))
  const train = sampleFamily(chartPatterns({ shots: 5, queries: 10, patterns: known }), { seed: 'train' })
  const held = chartPatterns({ shots: 5, queries: 10, patterns: UNSEEN })
  const test = await sampleFamily(held, { seed: 'test' }).batch(0, tests)
  const validation = await sampleFamily(chartPatterns({ shots: 5, queries: 10, patterns: known }), {
    seed: 'validation',
  }).batch(0, 40)
  const learner = prototypical({ net: mlp({ sizes: [32, 128, 64, 32] }), ways: 5, embedding: 32 })
  const { model } = await metaTrain(learner, train, {
    iterations,
    tasksPerBatch: 16,
    rate: 2e-3,
    validation,
    validateEvery: 100,
  })
  const ours = (await evaluate(model, test)).accuracies!.at(-1)!
  const rivals = await baselines(test, validation, 5, 32)
  report('pattern', ours.values, rivals, figures)
}

async function regimes(
  iterations: number,
  tests: number,
  figures: Figures,
  log: (line: string) => void,
): Promise<void> {
  log('regime windows')
  const family = regimeWindows({ market: preset('equity-daily'), shots: 5, queries: 5, window: 20 })
  const draw = (seed: string, count: number) => {
    const rng = createRng(seed)
    return Array.from({ length: count }, () => {
      const spec = family.draw(rng)
      return { spec, task: family.task(spec, rng) }
    })
  }
  // A market takes milliseconds to simulate, so a fixed number of them is revisited.
  const train = draw('train', 200).map(({ task }) => task)
  const sampler: TaskSampler = {
    batch: (index, count) => {
      const rng = createRng(`order/${index}`)
      return Array.from({ length: count }, () => train[rng.int(0, train.length)]!)
    },
  }
  const validation = draw('validation', 40).map(({ task }) => task)
  const test = draw('test', tests)
  const learner = prototypical({ net: mlp({ sizes: [40, 64, 16] }), ways: 6, embedding: 16 })
  const { model } = await metaTrain(learner, sampler, {
    iterations,
    tasksPerBatch: 16,
    validation,
    validateEvery: 50,
    patience: 4,
  })
  const tasks = test.map(({ task }) => task)
  const ours = (await evaluate(model, tasks)).accuracies!.at(-1)!
  report('regime', ours.values, await baselines(tasks, validation, 6, 40), figures)
  // A particle filter over thousands of bars takes a second a task.
  const sighted = test.slice(0, 20)
  const ceiling = sighted.reduce((sum, { spec, task }) => sum + regimeCeiling(spec, task.query) / sighted.length, 0)
  figures.regime_ceiling = {
    value: ceiling,
    note: `the simulator's true filter, which sees all bars, on ${sighted.length} tasks`,
  }
  figures.regime_share_of_ceiling = ours.mean / ceiling
}

const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length

function paired(a: ArrayLike<number>, b: ArrayLike<number>): { mean: number; low: number; high: number } {
  const gains = Array.from(a, (value, i) => value - b[i]!)
  const centre = mean(gains)
  const error = Math.sqrt(mean(gains.map((gain) => (gain - centre) ** 2)) / (gains.length - 1))
  return { mean: centre, low: centre - 1.96 * error, high: centre + 1.96 * error }
}

function report(name: string, ours: Float64Array, rivals: { [name: string]: number[] }, figures: Figures): void {
  figures[`${name}_accuracy`] = mean(ours)
  const best = Object.entries(rivals).reduce((a, b) => (mean(b[1]) > mean(a[1]) ? b : a))
  for (const [rival, values] of Object.entries(rivals)) figures[`${name}_${rival}`] = mean(values)
  figures[`${name}_best_baseline`] = { value: mean(best[1]), note: best[0] }
  const gain = paired(ours, best[1])
  figures[`${name}_gain`] = { value: gain.mean, note: `95 % from ${gain.low.toFixed(3)} to ${gain.high.toFixed(3)}` }
}

/** Accuracies by task of the baselines, each with the setting that is best on the validation tasks. */
async function baselines(
  test: readonly Task[],
  validation: readonly Task[],
  ways: number,
  width: number,
): Promise<{ [name: string]: number[] }> {
  const out: { [name: string]: number[] } = {}
  const choose = async (name: string, settings: ((tasks: readonly Task[]) => Promise<number[]> | number[])[]) => {
    let best = { score: -1, run: settings[0]! }
    for (const run of settings) {
      const score = mean(await run(validation))
      if (score > best.score) best = { score, run }
    }
    out[name] = await best.run(test)
  }
  const nets = (net: () => Net<never>, l2s: readonly number[]) =>
    [0.003, 0.02].flatMap((rate) =>
      [50, 200].flatMap((steps) =>
        l2s.map((l2) => (tasks: readonly Task[]) => fromScratch(net(), tasks, { rate, steps, l2 })),
      ),
    )
  await choose(
    'scratch',
    nets(() => mlp({ sizes: [width, 64, ways] }) as Net<never>, [0]),
  )
  await choose(
    'logistic',
    nets(() => dense({ inputs: width, outputs: ways }) as Net<never>, [0, 0.01, 0.1]),
  )
  await choose('centroid', [
    (tasks) => tasks.map((task) => accuracy(task, (row) => nearestCentroid(task.support, row, ways))),
  ])
  await choose(
    'neighbours',
    [1, 3, 5].map(
      (k) => (tasks: readonly Task[]) =>
        tasks.map((task) => accuracy(task, (row) => neighbours(task.support, row, ways, k))),
    ),
  )
  return out
}

/** Trains a net of its own for each task, all tasks batched, with Adam. */
async function fromScratch(
  net: Net<never>,
  tasks: readonly Task[],
  { rate, steps, l2 }: { rate: number; steps: number; l2: number },
): Promise<number[]> {
  const rule = adam({ l2 })
  const { support, query } = stackTasks(tasks)
  type Tree = Parameters<typeof net.apply>[0]
  const start = compile((params: tf.Tensor[]) => addTaskAxis(params, tasks.length))
  const { leaves, structure } = flattenTree<TensorLeaf>(net.init(createRng(1)))
  const build = (list: readonly tf.Tensor[]): Tree => unflattenTree(structure, list) as Tree
  const step = compile(
    (params: tf.Tensor[], state: { [slot: string]: tf.Tensor }, x: tf.Tensor, y: tf.Tensor, speed: tf.Tensor) => {
      const { gradient } = valueAndGradient(
        (p: tf.Tensor[]) => tf.sum(softmaxCrossEntropy(net.apply(build(p), x), y, { perTask: true })),
        params,
      )
      return rule.apply(params, { gradients: gradient, state, rate: speed })
    },
  )
  const judge = compile((params: tf.Tensor[], x: tf.Tensor, y: tf.Tensor) =>
    tf.mean(tf.cast(tf.equal(tf.argMax(net.apply(build(params), x), -1), y), 'float32'), 1),
  )
  let params = await start(leaves)
  let state = rule.init(params)
  for (let i = 0; i < steps; i++) ({ params, state } = await step(params, state, support.x, support.y, rate))
  const { data } = await judge(params, query.x, query.y)
  await Promise.all([start.dispose(), step.dispose(), judge.dispose()])
  return Array.from(data)
}

const rowOf = ({ x }: TaskSet, i: number): Float32Array => {
  const width = x.data.length / x.shape[0]!
  return x.data.subarray(i * width, (i + 1) * width) as Float32Array
}

function accuracy({ query }: Task, classify: (row: Float32Array) => number): number {
  const n = query.x.shape[0]!
  let right = 0
  for (let i = 0; i < n; i++) if (classify(rowOf(query, i)) === query.y.data[i]) right++
  return right / n
}

const distance = (a: Float32Array, b: ArrayLike<number>): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0)

function nearestCentroid(support: TaskSet, row: Float32Array, ways: number): number {
  const n = support.x.shape[0]!
  const centres = Array.from({ length: ways }, () => new Float64Array(row.length))
  for (let i = 0; i < n; i++)
    rowOf(support, i).forEach((value, j) => {
      centres[support.y.data[i]!]![j]! += (value * ways) / n
    })
  const distances = centres.map((centre) => distance(row, centre))
  return distances.indexOf(Math.min(...distances))
}

function neighbours(support: TaskSet, row: Float32Array, ways: number, k: number): number {
  const order = Array.from({ length: support.x.shape[0]! }, (_, i) => ({ i, d: distance(row, rowOf(support, i)) }))
  order.sort((a, b) => a.d - b.d)
  const votes = new Float64Array(ways)
  // The nearer neighbour decides ties.
  order.slice(0, k).forEach(({ i }, rank) => {
    votes[support.y.data[i]!]! += 1 - 1e-3 * rank
  })
  return votes.indexOf(Math.max(...votes))
}

const split = (prediction: tf.Tensor): [tf.Tensor, tf.Tensor] =>
  tf.split(prediction, 2, prediction.rank - 1) as [tf.Tensor, tf.Tensor]

const density: TaskLoss = (prediction, target, options) => {
  const [location, logVariance] = split(prediction)
  return gaussianNll({ mean: location, logVariance }, target, options)
}
/** QLIKE of the predicted variance against the squared return, without the part that the forecast cannot change. */
const volatility: TaskLoss = (prediction, target, options) => {
  const [, logVariance] = split(prediction)
  return gaussianNll({ mean: tf.zerosLike(target), logVariance }, target, options)
}
const squared: TaskLoss = (prediction, target, options) => {
  const [location] = split(prediction)
  const losses = tf.square(tf.sub(location, target))
  return options.perTask ? tf.mean(losses, [1, 2]) : tf.mean(losses)
}

async function forecasts(
  iterations: number,
  seeds: number,
  tests: number,
  figures: Figures,
  log: (line: string) => void,
): Promise<void> {
  const family = regimeReturns({ market: preset('forex-daily'), volatility: 0.4 })
  const test = await sampleFamily(family, { seed: 'test' }).batch(0, tests)
  const validation = await sampleFamily(family, { seed: 'validation' }).batch(0, 40)
  const scores: { [name: string]: number[] } = {}
  const add = (name: string, value: number) => {
    scores[name] = [...(scores[name] ?? []), value]
  }
  const byRegime = new Map<string, number[]>()
  for (let seed = 0; seed < seeds; seed++) {
    log(`forecasts, seed ${seed}`)
    const learner = maml({
      net: mlp({ sizes: [9, 32, 2], activation: 'tanh' }),
      loss: density,
      steps: 3,
      rate: 0.05,
      bound: 10,
    })
    const { model } = await metaTrain(learner, sampleFamily(family, { seed: `train/${seed}`, tasks: 400 }), {
      iterations,
      tasksPerBatch: 8,
      seed,
      validation,
      validateEvery: 100,
    })
    const fresh = { learner, params: learner.init(createRng(seed)) }
    const settings = [20, 60].flatMap((steps) => [0.02, 0.1].map((innerRate) => ({ steps, innerRate })))
    let chosen = { settings: settings[0]!, loss: Number.POSITIVE_INFINITY }
    for (const one of settings) {
      const loss = (await evaluate(fresh, validation, one)).losses.at(-1)!.mean
      if (loss < chosen.loss) chosen = { settings: one, loss }
    }
    const under = (of: MetaModel, loss: TaskLoss): MetaModel => ({ params: of.params, learner: { ...learner, loss } })
    for (const [name, loss] of Object.entries({ density, volatility, squared })) {
      const { losses } = await evaluate(under(model, loss), test)
      const scratch = (await evaluate(under(fresh, loss), test, chosen.settings)).losses.at(-1)!
      add(`${name}_adapted`, losses.at(-1)!.mean)
      add(`${name}_fixed`, losses[0]!.mean)
      add(`${name}_scratch`, scratch.mean)
      if (name !== 'density') continue
      test.forEach(({ label }, i) => {
        const gain = losses[0]!.values[i]! - losses.at(-1)!.values[i]!
        byRegime.set(label!, [...(byRegime.get(label!) ?? []), gain])
      })
    }
  }
  for (const [name, values] of Object.entries(scores)) figures[`forecast_${name}`] = mean(values)
  if (seeds > 1) {
    for (const name of ['density', 'volatility', 'squared']) {
      for (const rival of ['fixed', 'scratch']) {
        const { mean: gain, low, high } = paired(scores[`${name}_${rival}`]!, scores[`${name}_adapted`]!)
        figures[`forecast_${name}_gain_over_${rival}`] = {
          value: gain,
          note: `95 % from ${low.toFixed(4)} to ${high.toFixed(4)}, ${seeds} seeds`,
        }
      }
    }
  }
  for (const [regime, gains] of byRegime) figures[`forecast_density_gain_${regime}`] = mean(gains)
}
