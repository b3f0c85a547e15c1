import { createRng } from '@regimen/core'
import { mlp } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import type { OnlineLearner } from '../src/index.ts'

export const base = {
  net: mlp({ sizes: [2, 12, 2] }),
  inputs: 2,
  outputs: 2,
  batchSize: 8,
  rate: 0.03,
  seed: 3,
  strategy: {
    replay: { bytes: 4000 },
    penalty: { kind: 'ewc' as const, lambda: 1, anchors: 'latest' as const, decay: 0.5 },
  },
}
export const gate = { bytes: 2000, every: 5, samples: 32, tolerance: 0 }

export const bar = (t: number): { x: number[]; y: number } => {
  const rng = createRng(`bar/${t}`)
  const x = [rng.normal(), rng.normal()]
  return { x, y: x[0]! + x[1]! > 0 ? 1 : 0 }
}

/** Feeds bars `from` to `until`, whose labels come `delay` bars later; ids are the bars' numbers. */
export async function feed(
  learner: OnlineLearner<unknown>,
  from: number,
  until: number,
  delay = 3,
  flip = false,
): Promise<void> {
  for (let t = from; t < until; t++) {
    await learner.observe(bar(t).x)
    if (t >= delay) await learner.label(t - delay, flip ? 1 - bar(t - delay).y : bar(t - delay).y, t)
  }
}

/** The learner of the kill test. */
export const killed = { ...base, gate, consolidateEvery: 4 }
