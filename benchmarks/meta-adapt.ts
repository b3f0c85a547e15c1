import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { maml, openAdapter } from '@regimen/meta'
import { hierarchicalTimeframeNet } from '@regimen/tensor'
import { bench, timing } from './harness.ts'

export default bench({
  name: 'meta-adapt',
  description:
    'latency of adapt: five steps of hierarchicalTimeframeNet on 5 to 50 samples, padded to buckets, one thread',
  async run(context) {
    const runs = context.number('runs', 1000)
    const learner = maml({ net: hierarchicalTimeframeNet({ timeframes: ['1h'] }), steps: 5, rate: 0.01 })
    const adapter = openAdapter({ learner, params: learner.init(createRng(1)) }, { sizes: [8, 16, 32, 64] })
    const rng = createRng(2)
    const draw = (samples: number) => {
      const numbers = (size: number) => Float32Array.from({ length: size }, () => rng.normal())
      return {
        x: { dtype: 'float32' as const, shape: [samples, 53], data: numbers(samples * 53) },
        y: { dtype: 'float32' as const, shape: [samples, 1], data: numbers(samples) },
      }
    }
    const began = performance.now()
    await adapter.warmup(draw(8))
    const warmup = performance.now() - began
    const times: number[] = []
    let better = 0
    for (let i = 0; i < runs + 50; i++) {
      const support = draw(rng.int(5, 51))
      const begin = performance.now()
      const adapted = await adapter(support)
      const elapsed = performance.now() - begin
      if (i < 50) continue
      times.push(elapsed)
      if (adapted.lossAfter < adapted.lossBefore) better++
    }
    await adapter.dispose()
    if (better < 0.99 * runs) throw new Error(`only ${better} of ${runs} adaptations lowered the support loss`)
    const { median, min, spread } = timing(times)
    const sorted = [...times].sort((a, b) => a - b)
    return {
      figures: {
        median_ms: { value: median, unit: 'ms', spread },
        p99_ms: { value: sorted[Math.floor(0.99 * sorted.length)]!, unit: 'ms' },
        min_ms: { value: min, unit: 'ms' },
        warmup_ms: { value: warmup, unit: 'ms', note: 'four sizes compiled, once' },
      },
    }
  },
})
