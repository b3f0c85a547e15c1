// What the kill test runs: a net that dreams and a library of skills, step by step, saved as one snapshot.
import { createRng, createSnapshot, type Snapshot } from '@regimen/core'
import { mlp } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { type GenerativeReplay, openGenerativeReplay, openSkills, type SkillLibrary } from '../src/index.ts'
import { contradicting } from './tasks.ts'

/** A net that dreams, small enough for a test. */
export const dreaming = {
  net: mlp({ sizes: [2, 8, 2] }),
  inputs: 2,
  outputs: 2,
  hidden: [8],
  latent: 2,
  batchSize: 16,
  rate: 0.01,
}

/** Two things that live together. */
export interface Life {
  readonly net: GenerativeReplay<unknown>
  readonly library: SkillLibrary
  /** Steps taken. */
  readonly steps: number
}

export function openLife(from?: Snapshot): Life {
  const net = openGenerativeReplay(dreaming, from?.children.net)
  const library = openSkills(
    {
      inputs: 2,
      features: 1,
      capacity: 3,
      async losses(model, { y }) {
        const { level } = model.state as { level: number }
        return Float64Array.from(y, (label) => Math.abs(label - level))
      },
    },
    from?.children.library,
  )
  return { net, library, steps: Number(from?.state ?? 0) }
}

export async function stepLife({ net, library, steps }: Life): Promise<Life> {
  await net.learn(contradicting(steps, 20, steps))
  const rng = createRng(`life/${steps}`)
  const level = rng.int(0, 5)
  const samples = { x: new Float64Array(12), y: Float64Array.from({ length: 6 }, () => level + rng.normal()) }
  const name = `level ${level}`
  if (library.get(name)) {
    library.hold(name, samples)
    await library.validate(steps)
  } else {
    const model = createSnapshot({ id: 'test/level', version: 1, config: {}, state: { level } })
    await library.add({ name, model, descriptor: [level], samples, time: steps })
  }
  return { net, library, steps: steps + 1 }
}

export function saveLife({ net, library, steps }: Life): Snapshot {
  const children = { net: net.snapshot(), library: library.snapshot() }
  return createSnapshot({ id: 'test/life', version: 1, config: {}, state: steps, children })
}
