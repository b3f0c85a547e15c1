import { testLive } from '@regimen/testing'
import { featureStream } from '../src/index.ts'

const bar = (i: number) => {
  const price = 100 + Math.sin(i) + 0.01 * i
  return {
    time: i * 60_000,
    open: price,
    high: price + 0.5,
    low: price - 0.5,
    close: price + 0.2,
    volume: 10 + (i % 3),
  }
}

testLive('featureStream', {
  factory: featureStream,
  config: { timeframes: ['1m', '2m'] },
  stream: Array.from({ length: 12 }, (_, i) => ({ x: bar(i) })),
  // Only a bar after the last one can be asked about.
  probes: [bar(1_000), bar(1_001)],
  documentedNaN: 'features are NaN before their warm-up',
})
