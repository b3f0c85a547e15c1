import { prioritizedReplay, type ReplayDraw } from '@regimen/continual'
import { createRng } from '@regimen/core'
import { bench, timing } from './harness.ts'

const WIDTH = 8
const BATCH = 256

export default bench({
  name: 'continual-replay',
  description: 'prioritized buffer of 1,000,000 transitions: samples drawn and given new priorities in a second',
  run(context) {
    const size = context.number('transitions', 1_000_000)
    const rounds = context.number('rounds', 15)
    const batches = context.number('batches', 800)
    // Inputs, one label, the group and 16 bytes of the sum tree.
    const buffer = prioritizedReplay({ bytes: size * (4 * (WIDTH + 1) + 4 + 16), width: WIDTH, seed: 1 })
    const rng = createRng(2)
    const x = new Float32Array(WIDTH)
    const begin = performance.now()
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < WIDTH; j++) x[j] = rng.uniform()
      buffer.add({ x, y: i % 2 })
    }
    const filled = performance.now() - begin
    const errors = Float64Array.from({ length: BATCH }, () => rng.exponential())
    let draw: ReplayDraw | undefined
    const times: number[] = []
    let sum = 0
    for (let round = -3; round < rounds; round++) {
      const started = performance.now()
      for (let i = 0; i < batches; i++) {
        draw = buffer.draw(BATCH, draw)
        sum += draw.weights[0]!
        errors[i % BATCH] = draw.x[0]! * 3
        buffer.update(draw.slots, errors)
      }
      if (round >= 0) times.push(performance.now() - started)
    }
    if (!(sum > 0)) throw new Error('Nothing was drawn.')
    const { median, spread } = timing(times)
    return {
      figures: {
        samples_per_s: { value: (batches * BATCH * 1000) / median, unit: '1/s', spread },
        filled_per_s: { value: (size * 1000) / filled, unit: '1/s' },
        transitions: buffer.size,
        bytes: buffer.bytes,
      },
    }
  },
})
