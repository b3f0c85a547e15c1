import { check } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { type DenseParams, mlp } from './dense.ts'
import { checkInput, checkSize, defineNet, type Net } from './net.ts'

/** Options of {@link hierarchicalTimeframeNet}. */
export interface HierarchicalTimeframeOptions {
  /** Names of the timeframes from the coarsest to the finest, for example `['1d', '4h', '1h']`. */
  timeframes: readonly string[]
  /** Features of each timeframe. @default 45 */
  featuresPerTimeframe?: number
  /** Features that concern all timeframes together. @default 8 */
  crossFeatures?: number
  /** Width of the hidden layers, even. @default 128 */
  hidden?: number
  /** Size of the output. @default 1 */
  outputs?: number
}

/** Parameters of {@link hierarchicalTimeframeNet}: an encoder for each timeframe by name, and the head. */
export type HierarchicalTimeframeParams = {
  encoders: { [timeframe: string]: DenseParams[] }
  head: DenseParams[]
}

/**
 * Makes a net for features of several timeframes. Each has an encoder (features → hidden → hidden / 2, ReLU); it also
 * reads the code of the next coarser timeframe, so the daily picture informs the hourly one and never the reverse. The
 * head reads all codes and the cross features (→ hidden / 2 → outputs).
 *
 * Inputs are [n, timeframes · featuresPerTimeframe + crossFeatures], in the order of `timeframes`, cross features last.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { hierarchicalTimeframeNet } from '@regimen/tensor'
 *
 * const net = hierarchicalTimeframeNet({ timeframes: ['1d', '1h'] })
 * const params = net.init(createRng(1))
 * // the hourly encoder reads 45 features and the 64 numbers of the daily code
 * params.encoders['1h']![0]!.kernel.shape // => [109, 128]
 * ```
 */
export function hierarchicalTimeframeNet(options: HierarchicalTimeframeOptions): Net<HierarchicalTimeframeParams> {
  const { timeframes, featuresPerTimeframe = 45, crossFeatures = 8, hidden = 128, outputs = 1 } = options
  const where = 'tensor/hierarchical-timeframe-net'
  check(timeframes.length > 0, where, () => 'timeframes is empty.', "Pass { timeframes: ['1h'] }.")
  check(new Set(timeframes).size === timeframes.length, where, () => `timeframes repeat: ${timeframes.join(', ')}.`)
  checkSize(where, 'featuresPerTimeframe', featuresPerTimeframe)
  checkSize(where, 'half of hidden', hidden / 2)
  const code = hidden / 2
  const encoders = timeframes.map((_, i) =>
    mlp({ sizes: [featuresPerTimeframe + (i > 0 ? code : 0), hidden, code], outputActivation: 'relu' }),
  )
  const head = mlp({ sizes: [timeframes.length * code + crossFeatures, code, outputs] })
  const inputs = timeframes.length * featuresPerTimeframe + crossFeatures
  return defineNet<HierarchicalTimeframeParams>({
    init: (rng) => ({
      encoders: Object.fromEntries(timeframes.map((name, i) => [name, encoders[i]!.init(rng.split(name))])),
      head: head.init(rng.split('head')),
    }),
    taskAxis: (params) => head.taskAxis(params.head),
    apply(params, x, context) {
      checkInput(where, x, inputs)
      const parts = tf.split(
        x,
        [...timeframes.map(() => featuresPerTimeframe), ...(crossFeatures > 0 ? [crossFeatures] : [])],
        x.rank - 1,
      )
      const codes: tf.Tensor[] = []
      timeframes.forEach((name, i) => {
        const features = i === 0 ? parts[0]! : tf.concat([parts[i]!, codes[i - 1]!], x.rank - 1)
        codes.push(encoders[i]!.apply(params.encoders[name]!, features, context))
      })
      const cross = crossFeatures > 0 ? [parts.at(-1)!] : []
      return head.apply(params.head, tf.concat([...codes, ...cross], x.rank - 1), context)
    },
  })
}
