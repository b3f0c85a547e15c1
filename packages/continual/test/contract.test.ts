// The promises of every learner, over the trainer, the learner of streams and all buffers.
import { type AsyncLive, type AsyncLiveFactory, isSnapshot, type Snapshot } from '@regimen/core'
import { dense } from '@regimen/tensor'
import { testLive, testSnapshot } from '@regimen/testing'
import '@tensorflow/tfjs-core'
import {
  balancedReplay,
  diverseReplay,
  exemplarReplay,
  openOnlineLearner,
  openTrainer,
  prioritizedReplay,
  type ReplayBuffer,
  reservoirReplay,
  ringReplay,
} from '../src/index.ts'

interface Config {
  readonly seed: number
}
type Input = readonly number[]
type Bar = AsyncLive<Input, number, Float32Array>

const options = {
  net: dense({ inputs: 2, outputs: 2 }),
  inputs: 2,
  outputs: 2,
  batchSize: 2,
  strategy: { replay: { bytes: 200 }, penalty: { kind: 'ewc' as const, lambda: 1 } },
}

/** A net is no data: a factory knows it, and its configuration holds the rest. */
function factoryOf(
  id: string,
  open: (seed: number, from?: Snapshot) => Bar,
): AsyncLiveFactory<Config, Input, number, Float32Array> {
  return {
    id,
    version: 1,
    async open(from) {
      return isSnapshot(from) ? open(1, from) : open(from.seed)
    },
  }
}

const stream = [
  { x: [0.5, -1], y: 1 },
  { x: [-0.25, 0.75], y: 0 },
  { x: [1, 0.5], y: 1 },
  { x: [-1.5, -0.5], y: 0 },
]

testLive('openOnlineLearner', {
  config: { seed: 1 },
  stream,
  factory: factoryOf('continual/online', (seed, from) => {
    const learner = openOnlineLearner(
      { ...options, seed, gate: { bytes: 64, every: 3, samples: 1 }, consolidateEvery: 1 },
      from,
    )
    return {
      async update(x, y) {
        const { id } = await learner.observe(x)
        await learner.label(id, y ?? 0, id)
      },
      predict: (x) => learner.predict(x),
      snapshot: async () => learner.snapshot(),
      dispose() {
        void learner.dispose()
      },
    }
  }),
})

testLive('openTrainer', {
  config: { seed: 1 },
  stream,
  factory: factoryOf('continual/trainer', (seed, from) => {
    const trainer = openTrainer({ ...options, seed }, from)
    return {
      async update(x, y) {
        await trainer.step({ x, y: [y ?? 0] })
      },
      predict: (x) => trainer.predict(x),
      snapshot: async () => trainer.snapshot(),
      dispose() {
        void trainer.dispose()
      },
    }
  }),
})

const BUFFERS: { readonly [name: string]: (from: { bytes: number; width: number } | Snapshot) => ReplayBuffer } = {
  ringReplay,
  reservoirReplay,
  balancedReplay,
  prioritizedReplay,
  exemplarReplay,
  diverseReplay,
}
for (const [name, open] of Object.entries(BUFFERS)) {
  testSnapshot(name, {
    open: (from) => open(from ?? { bytes: 28 * 4, width: 1 }),
    step(buffer, i) {
      buffer.add({ x: [i], y: i % 2, group: i % 3, similarity: -1 + (i % 4) / 3 })
      const draw = buffer.draw(3)
      return [...draw.x, ...draw.weights]
    },
    snapshot: (buffer) => buffer.snapshot(),
  })
}
