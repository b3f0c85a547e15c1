import { openOnlineLearner } from '@regimen/continual'
import { fomaml, type MetaLearner, type TaskLoss } from '@regimen/meta'
import type { Open, StreamLearner } from '@regimen/pipeline'
import type { Fetched } from '@regimen/tensor'
import { gaussianNll, mlp, type Net } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs'
import type { PresetSettings } from './settings.ts'

type Mlp = ReturnType<typeof mlp>
/** Parameters of the mean net as plain data. */
export type MeanParams = Fetched<Mlp extends Net<infer P> ? P : never>

/** The net that forecasts the mean. */
export function meanNet({ features, hidden }: PresetSettings): Mlp {
  return mlp({ sizes: [features.length, hidden, 1], activation: 'tanh' })
}

/** Opens the mean net as a learner on a stream: replay against forgetting and a penalty that keeps it near what it knew. */
export function openMeanLearner(settings: PresetSettings, params?: MeanParams): Open<StreamLearner> {
  const { features, rate, lambda, seed } = settings
  return (from) =>
    openOnlineLearner(
      {
        net: meanNet(settings),
        inputs: features.length,
        outputs: 1,
        likelihood: 'gaussian',
        rate,
        batchSize: 8,
        seed,
        ...(params && { params }),
        strategy: {
          replay: { bytes: 1 << 17, batch: 24 },
          penalty: { kind: 'ewc', lambda, fisher: 'empirical', anchors: 'latest', decay: 0.9, samples: 200 },
        },
        consolidateEvery: 30,
      },
      from,
    )
}

const density: TaskLoss = (prediction, target, options) => {
  const [mean, logVariance] = tf.split(prediction, 2, prediction.rank - 1) as [tf.Tensor, tf.Tensor]
  return gaussianNll({ mean, logVariance }, target, options)
}

/** The learner whose net is adapted to a regime from a few dozen returns: mean and variance. */
export function densityLearner({ features, hidden, innerSteps }: PresetSettings): MetaLearner {
  return fomaml({
    net: mlp({ sizes: [features.length, hidden, 2], activation: 'tanh' }),
    loss: density,
    steps: innerSteps,
    rate: 0.05,
    bound: 5,
  })
}
