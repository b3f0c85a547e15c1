import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { preset } from '@regimen/market'
import { evaluate, type MetaModel, maml, metaTrain, regimeReturns, sampleFamily, type TaskLoss } from '@regimen/meta'
import { gaussianNll, mlp } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { bench, type Figure } from './harness.ts'
import { mean, paired } from './meta-baselines.lib.ts'

type Figures = { [name: string]: Figure }

export default bench({
  name: 'meta-forecasts',
  description:
    'density and volatility of the next return, adapted on 32 samples, against the net as it is and training from scratch, over --seeds 10 (--iterations 1500 --tests 200)',
  async run(context) {
    const iterations = context.number('iterations', 1500)
    const figures: Figures = { iterations }
    await forecasts(iterations, context.number('seeds', 10), context.number('tests', 200), figures, context.log)
    return { figures }
  },
})

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
    const settings = [3, 8, 20, 60].flatMap((steps) => [0.02, 0.1].map((innerRate) => ({ steps, innerRate })))
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
