import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { preset } from '@regimen/market'
import {
  type ChartPattern,
  type ChartPatternSpec,
  chartPatternNames,
  chartPatterns,
  evaluate,
  type MetaModel,
  type MetaNet,
  metaSgd,
  metaTrain,
  prototypical,
  regimeCeiling,
  regimeWindows,
  sampleFamily,
  type TaskFamily,
} from '@regimen/meta'
import { conv1d, cosineDecay, dense, mlp, sequential, softmaxCrossEntropy, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { type BenchContext, bench, type Figure } from './harness.ts'
import { baselines, mean, paired } from './meta-baselines.lib.ts'
import { compareLearners, contestants } from './meta-learners.lib.ts'

type Figures = { [name: string]: Figure }

/** Patterns on which nothing is trained or tuned. */
const UNSEEN: readonly ChartPattern[] = [
  'double-top',
  'inverse-head-and-shoulders',
  'bull-flag',
  'falling-wedge',
  'v-bottom',
  'cup-and-handle',
]

/** Bars over which a moment is described, up to the 80 that the family looks back by default. */
const HORIZONS = [3, 6, 10, 15, 20, 30, 40, 60, 80]
const ECHOES = [20, 40, 80]
/** Features of a moment. */
const WIDTH = 2 * HORIZONS.length + ECHOES.length + 2

export default bench({
  name: 'meta-regimes',
  description:
    'few-shot chart patterns that were never seen, and regime windows on simulator parameters that were never seen, against tuned baselines (--iterations, 6000 and 4000 by default, --tests 200; --part patterns, regimes or learners alone; for learners --only NAME,NAME and --out=FILE, which keeps what is trained and goes on from it)',
  async run(context) {
    const tests = context.number('tests', 200)
    const part = context.args[context.args.indexOf('--part') + 1]
    const only = context.args.includes('--part') ? part : undefined
    const figures: Figures = {}
    const wants = (name: string): boolean => only === undefined || only === name
    if (wants('patterns')) await patterns(context.number('iterations', 6000), tests, figures, context.log)
    if (wants('regimes')) await regimes(context.number('iterations', 4000), tests, figures, context.log)
    if (wants('learners')) Object.assign(figures, await learners(context, tests))
    return { figures }
  },
})

/**
 * Four convolutions over time, the last of which see the whole window, pooled by mean and maximum, and a linear layer: where in the
 * window a shape lies is lost.
 */
function convolutional(outputs: number): MetaNet {
  const layer = { padding: 'same', activation: 'relu', initializer: 'heUniform' } as const
  const body = sequential([
    conv1d({ ...layer, inputs: 1, outputs: 32, window: 7, stride: 2 }),
    conv1d({ ...layer, inputs: 32, outputs: 64, window: 5, stride: 2 }),
    conv1d({ ...layer, inputs: 64, outputs: 64, window: 5, stride: 2 }),
    conv1d({ ...layer, inputs: 64, outputs: 64, window: 5 }),
  ])
  const head = dense({ inputs: 128, outputs })
  return {
    init: (rng) => ({ body: body.init(rng.split('body')), head: head.init(rng.split('head')) }),
    apply(params, x, context) {
      const tree = params as { readonly [part: string]: TensorTree }
      const h = body.apply(tree.body as never, tf.expandDims(x, -1), context)
      return head.apply(tree.head as never, tf.concat([tf.mean(h, -2), tf.max(h, -2)], -1), context)
    },
  }
}

/**
 * Tasks of drawn zigzags for training alone. In half of them classes come in groups of three relatives, which differ by the heights of
 * their knots: so the net learns to look at what tells like shapes apart.
 */
function relatives(ways: number): TaskFamily<ChartPatternSpec> {
  const drawn = chartPatterns({ shots: 5, queries: 5, ways, patterns: 'drawn' })
  return {
    draw(rng) {
      const spec = drawn.draw(rng)
      if (rng.uniform() < 0.5) return spec
      const patterns = spec.patterns.map((_, label) => {
        const knots = spec.patterns[label - (label % 3)] as readonly number[]
        const height = Math.max(...knots) - Math.min(...knots)
        return label % 3 === 0 ? knots : knots.map((price) => price + rng.normal(0, 0.25 * height))
      })
      return { ...spec, patterns }
    },
    task: (spec, rng) => drawn.task(spec, rng),
  }
}

async function patterns(
  iterations: number,
  tests: number,
  figures: Figures,
  log: (line: string) => void,
): Promise<void> {
  const sizes = { shots: 5, queries: 10 }
  const known = chartPatternNames.filter((name) => !UNSEEN.includes(name))
  const validation = await sampleFamily(chartPatterns({ ...sizes, patterns: known }), { seed: 'validation' }).batch(
    0,
    40,
  )
  const test = await sampleFamily(chartPatterns({ ...sizes, patterns: UNSEEN }), { seed: 'test' }).batch(0, tests)
  // Prototypical nets learn more from tasks of more classes than they will be asked for (Snell et al. 2017, section 3.1).
  const learner = (ways: number) => prototypical({ net: convolutional(64), ways, embedding: 64 })
  const trained = await metaTrain(learner(15), sampleFamily(relatives(15), { seed: 'train' }), {
    iterations,
    tasksPerBatch: 2,
    rate: cosineDecay({ from: 1.5e-3, to: 3e-5, steps: iterations }),
    onReport: ({ iteration, loss }) => {
      if (iteration % 500 === 0) log(`patterns ${iteration}: ${loss.toFixed(3)}`)
    },
  })
  const model = { learner: learner(5), params: trained.model.params }
  const ours = (await evaluate(model, test)).accuracies!.at(-1)!
  log(`pattern: ${ours.mean.toFixed(3)} ± ${ours.interval.toFixed(3)}`)
  report('pattern', ours.values, await baselines(test, validation, 5, convolutional(5)), figures, log)
}

/** Regime tasks of markets with parameters of their own: for training, validation and test. */
function regimeTasks(tests: number) {
  const family = regimeWindows({
    market: preset('equity-daily'),
    shots: 5,
    queries: 5,
    horizons: HORIZONS,
    echoes: ECHOES,
  })
  // A market takes milliseconds to simulate, so a fixed number of them is revisited, with other windows each time.
  const train = sampleFamily(family, { seed: 'train', tasks: 400 })
  const draw = (seed: string, count: number) => {
    const rng = createRng(seed)
    return Array.from({ length: count }, () => {
      const spec = family.draw(rng)
      return { spec, task: family.task(spec, rng) }
    })
  }
  const validation = draw('validation', 40).map(({ task }) => task)
  return { train, validation, test: draw('test', tests) }
}

/** Every learner on the regime tasks: accuracy and latency. */
function learners(context: BenchContext, tests: number): Promise<Figures> {
  const { train, validation, test } = regimeTasks(tests)
  const list = (name: string): string | undefined => {
    const at = context.args.findIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`))
    return at < 0 ? undefined : (context.args[at]!.split('=')[1] ?? context.args[at + 1])
  }
  const [only, file] = [list('only')?.split(','), list('out')]
  return compareLearners({
    contestants: contestants(WIDTH, 6),
    train,
    validation,
    test: test.map(({ task }) => task),
    iterations: context.number('iterations', 4000),
    ...(only ? { only } : {}),
    ...(file ? { file } : {}),
    log: context.log,
  })
}

async function regimes(
  iterations: number,
  tests: number,
  figures: Figures,
  log: (line: string) => void,
): Promise<void> {
  const { train, validation, test } = regimeTasks(tests)
  const net = (outputs: number) => mlp({ sizes: [WIDTH, 64, 64, outputs] })
  const candidates = {
    prototypical: prototypical({ net: net(16), ways: 6, embedding: 16 }),
    metaSgd: metaSgd({ net: net(6), loss: softmaxCrossEntropy, steps: 3, rate: 0.02 }),
  }
  let best: { model: MetaModel; accuracy: number } | undefined
  for (const [name, learner] of Object.entries(candidates)) {
    const { model } = await metaTrain(learner, train, {
      iterations,
      tasksPerBatch: 16,
      rate: cosineDecay({ from: 2e-3, to: 2e-5, steps: iterations }),
      validation,
      validateEvery: 250,
    })
    const accuracy = (await evaluate(model, validation)).accuracies!.at(-1)!.mean
    log(`regimes, ${name} on validation tasks: ${accuracy.toFixed(3)}`)
    if (!best || accuracy > best.accuracy) best = { model, accuracy }
  }
  const { model } = best!
  const tasks = test.map(({ task }) => task)
  const ours = (await evaluate(model, tasks)).accuracies!.at(-1)!
  log(`regimes: ${ours.mean.toFixed(3)} ± ${ours.interval.toFixed(3)}`)
  report('regime', ours.values, await baselines(tasks, validation, 6, net(6)), figures, log)
  // A particle filter over thousands of bars takes a second a task.
  const sighted = test.slice(0, 60)
  const ceilings = sighted.map(({ spec, task }) => regimeCeiling(spec, task.query))
  const onSighted = mean(ours.values.subarray(0, ceilings.length))
  figures.regime_ceiling = {
    value: mean(ceilings),
    note: `the simulator's true filter, which knows the parameters and sees all bars, on ${ceilings.length} tasks`,
  }
  figures.regime_share_of_ceiling = { value: onSighted / mean(ceilings), note: 'on the same tasks' }
}

function report(
  name: string,
  ours: Float64Array,
  rivals: { [name: string]: number[] },
  figures: Figures,
  log: (line: string) => void,
): void {
  figures[`${name}_accuracy`] = mean(ours)
  const best = Object.entries(rivals).reduce((a, b) => (mean(b[1]) > mean(a[1]) ? b : a))
  for (const [rival, values] of Object.entries(rivals)) {
    figures[`${name}_${rival}`] = mean(values)
    log(`${name}, ${rival}: ${mean(values).toFixed(3)}`)
  }
  figures[`${name}_best_baseline`] = { value: mean(best[1]), note: best[0] }
  const gain = paired(ours, best[1])
  figures[`${name}_gain`] = { value: gain.mean, note: `95 % from ${gain.low.toFixed(3)} to ${gain.high.toFixed(3)}` }
}
