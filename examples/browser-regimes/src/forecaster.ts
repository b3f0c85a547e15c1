import { createRng } from '@regimen/core'
import { preset } from '@regimen/market'
import {
  type Adapted,
  type Adapter,
  type MetaModel,
  maml,
  metaTrain,
  openAdapter,
  regimeReturns,
  sampleFamily,
  type TaskLoss,
  type TaskSet,
} from '@regimen/meta'
import { gaussianNll, mlp } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'

/** Bars that an adaptation learns from, and past returns that a forecast looks at. */
export const SHOTS = 32
const LAGS = 8

export type Device = 'cpu' | 'gpu'

/** A forecast of the next log return. */
export interface Forecast {
  readonly mean: number
  readonly deviation: number
}

/** The prediction holds the mean and the logarithm of the variance. */
const density: TaskLoss = (prediction, target, options) => {
  const [mean, logVariance] = tf.split(prediction, 2, prediction.rank - 1) as [tf.Tensor, tf.Tensor]
  return gaussianNll({ mean, logVariance }, target, options)
}

const market = preset('equity-daily')
const average = market.regimes.reduce((sum, regime) => sum + regime.volatility / market.regimes.length, 0)
/** Returns are counted in the market's average deviation, as in the tasks that the net practises on. */
const UNIT = average / Math.sqrt(market.barsPerYear)

/** Practises on stretches of other simulated markets, each with parameters of its own. */
export async function practise(onProgress: (share: number) => void): Promise<MetaModel> {
  const learner = maml({
    net: mlp({ sizes: [LAGS + 1, 24, 2], activation: 'tanh' }),
    loss: density,
    steps: 3,
    rate: 0.05,
    bound: 10,
  })
  const family = regimeReturns({ market, volatility: 0.4, shots: SHOTS, lags: LAGS })
  const { model } = await metaTrain(learner, sampleFamily(family, { seed: 'practice', tasks: 60 }), {
    iterations: 120,
    tasksPerBatch: 8,
    rate: 3e-3,
    seed: 1,
    onProgress: ({ done, total }) => onProgress(done / (total ?? done)),
  })
  return model
}

/** The first forecasts compile; this makes it happen before the market moves. */
export async function openForecaster(model: MetaModel, device: Device): Promise<Adapter> {
  const adapter = openAdapter(model, { sizes: [SHOTS], device })
  const rng = createRng(1)
  const returns = Array.from({ length: SHOTS + LAGS }, () => rng.normal(0, UNIT))
  await adapter.warmup(
    samples(
      returns,
      Array.from({ length: SHOTS }, (_, i) => LAGS + i),
    ),
  )
  return adapter
}

/** What was known before each of the named bars, and the return that came. */
export function samples(returns: readonly number[], bars: readonly number[]): TaskSet {
  const x = new Float32Array(bars.length * (LAGS + 1))
  const y = new Float32Array(bars.length)
  bars.forEach((bar, row) => {
    let square = 0
    for (let lag = 0; lag < LAGS; lag++) {
      const r = (returns[bar - LAGS + lag] ?? 0) / UNIT
      x[row * (LAGS + 1) + lag] = r
      square += (r * r) / LAGS
    }
    x[row * (LAGS + 1) + LAGS] = 0.5 * Math.log(square + 1e-12)
    y[row] = (returns[bar] ?? 0) / UNIT
  })
  return {
    x: { dtype: 'float32', shape: [bars.length, LAGS + 1], data: x },
    y: { dtype: 'float32', shape: [bars.length, 1], data: y },
  }
}

/** The adapted net's forecast of the bar after the last. */
export async function forecast(adapted: Adapted, returns: readonly number[]): Promise<Forecast> {
  const { data } = await adapted.predict(samples(returns, [returns.length]).x)
  return { mean: data[0]! * UNIT, deviation: Math.exp(data[1]! / 2) * UNIT }
}

/** What a forecast costs when the return comes: the negative logarithm of its density, in units of the average bar. */
export function costOf({ mean, deviation }: Forecast, actual: number): number {
  const z = (actual - mean) / deviation
  return 0.5 * z * z + Math.log(deviation / UNIT)
}
