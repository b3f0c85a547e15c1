// What the kill test of nets runs: one of each structure, learning task after task, saved as one snapshot.
import { createSnapshot, type Snapshot } from '@regimen/core'
import { mlp } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import {
  openGrowingTrainer,
  openModularNet,
  openPackNet,
  openProgressiveNet,
  openTrainer,
  type TaskData,
} from '../src/index.ts'
import { contradicting } from './tasks.ts'

const base = { inputs: 2, outputs: 2, rate: 0.02, batchSize: 8, seed: 4 }
const kronecker = { kind: 'ewc' as const, lambda: 1, fisher: 'kronecker' as const }

/** Everything with a snapshot that learns whole tasks. */
export const NETS: {
  readonly [name: string]: (from?: Snapshot) => {
    learn(task: TaskData): Promise<unknown>
    predict(x: ArrayLike<number>, task?: number): Promise<Float32Array>
    snapshot(): Snapshot
    dispose(): Promise<void>
  }
} = {
  openPackNet: (from) => {
    const net = openPackNet({ ...base, net: mlp({ sizes: [2, 12, 2] }) }, from)
    return { ...net, predict: (x, task) => net.predict(x, task ?? 0) }
  },
  openProgressiveNet: (from) => {
    const net = openProgressiveNet({ ...base, hidden: [4], sources: 1 }, from)
    return { ...net, predict: (x, task) => net.predict(x, task ?? 0) }
  },
  openModularNet: (from) => openModularNet({ ...base, hidden: [6] }, from),
  openGrowingTrainer: (from) =>
    openGrowingTrainer(
      { ...base, hidden: [2], grow: { maximum: 6, patience: 1, tolerance: 0.5 }, strategy: { replay: { bytes: 400 } } },
      from,
    ),
  'openTrainer with fisher kronecker': (from) =>
    openTrainer({ ...base, net: mlp({ sizes: [2, 4, 2] }), strategy: { penalty: kronecker } }, from),
  'openTrainer with a diverse buffer': (from) =>
    openTrainer(
      { ...base, net: mlp({ sizes: [2, 4, 2] }), strategy: { replay: { bytes: 400, buffer: 'diverse', compare: 3 } } },
      from,
    ),
}

export const taskOf = (i: number): TaskData => contradicting(i % 3, 24, i)

/** All of them together. */
export interface Nets {
  readonly nets: { readonly [name: string]: ReturnType<(typeof NETS)[string]> }
  readonly steps: number
}

export function openNets(from?: Snapshot): Nets {
  const nets = Object.fromEntries(Object.entries(NETS).map(([name, open]) => [name, open(from?.children[name])]))
  return { nets, steps: Number(from?.state ?? 0) }
}

export async function stepNets({ nets, steps }: Nets): Promise<Nets> {
  for (const net of Object.values(nets)) await net.learn(taskOf(steps))
  return { nets, steps: steps + 1 }
}

export function saveNets({ nets, steps }: Nets): Snapshot {
  const children = Object.fromEntries(Object.entries(nets).map(([name, net]) => [name, net.snapshot()]))
  return createSnapshot({ id: 'test/nets', version: 1, config: {}, state: steps, children })
}
