import { createRng } from '@regimen/core'
import {
  compile,
  type Fetched,
  type HierarchicalTimeframeParams,
  hierarchicalTimeframeNet,
  meanSquaredError,
  sgd,
  valueAndGradient,
} from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import { bench } from './harness.ts'

const SAMPLES = 32
const STEPS = 5

export default bench({
  name: 'tensor-adapt',
  description: 'five adaptation steps of hierarchicalTimeframeNet on 32 samples, typed arrays to adapted parameters',
  async run(context) {
    const runs = context.number('runs', 1000)
    const net = hierarchicalTimeframeNet({ timeframes: ['1h'] })
    const rule = sgd()
    const adapt = compile((params: HierarchicalTimeframeParams, x: tf.Tensor, y: tf.Tensor, rate: tf.Tensor) => {
      let adapted = params
      for (let step = 0; step < STEPS; step++) {
        const { gradient } = valueAndGradient((p) => meanSquaredError(net.apply(p, x), y), adapted)
        adapted = rule.apply(adapted, { gradients: gradient, state: {}, rate }).params
      }
      return adapted
    })
    const rng = createRng(1)
    const numbers = (size: number) => Float32Array.from({ length: size }, () => rng.normal())
    const params: Fetched<HierarchicalTimeframeParams> = net.init(createRng(2))
    const times: number[] = []
    let moved = 0
    for (let i = 0; i < runs + 50; i++) {
      const x = { dtype: 'float32' as const, shape: [SAMPLES, 53], data: numbers(SAMPLES * 53) }
      const y = { dtype: 'float32' as const, shape: [SAMPLES, 1], data: numbers(SAMPLES) }
      const begin = performance.now()
      const adapted = await adapt(params as never, x, y, 0.01)
      const elapsed = performance.now() - begin
      if (i >= 50) times.push(elapsed)
      moved = Math.abs(adapted.head[0]!.kernel.data[0]! - params.head[0]!.kernel.data[0]!)
    }
    await adapt.dispose()
    if (!(moved > 0)) throw new Error('the parameters did not move')
    times.sort((a, b) => a - b)
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))]!
    return { figures: { median_ms: at(0.5), p99_ms: at(0.99) } }
  },
})
