import { createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { dense, mlp, sgd } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { afterEach, describe, expect, it } from 'vitest'
import {
  continualMetrics,
  openTrainer,
  type Strategy,
  type TaskData,
  type Trainer,
  type TrainerOptions,
} from '../src/index.ts'

const opened: Trainer<unknown>[] = []
function open<P>(options: TrainerOptions<P>, from?: ReturnType<Trainer<P>['snapshot']>): Trainer<P> {
  const trainer = openTrainer(options, from)
  opened.push(trainer as Trainer<unknown>)
  return trainer
}
afterEach(async () => {
  for (const trainer of opened.splice(0)) await trainer.dispose()
})

/** A regime: the label is the side of a line, whose place in the plane names the regime. */
function regime(k: number, n: number, seed: number): TaskData {
  const rng = createRng(seed)
  const x = new Float32Array(n * 2)
  const y = new Int32Array(n)
  for (let i = 0; i < n; i++) {
    const along = rng.uniform(-1, 1)
    x[2 * i] = along
    x[2 * i + 1] = 1.5 * k + rng.uniform(-0.5, 0.5)
    // Neighbours contradict each other.
    y[i] = along > 0 === (k % 2 === 0) ? 1 : 0
  }
  return { x, y }
}

const STRATEGIES: { readonly [name: string]: Strategy } = {
  ewc: { penalty: { kind: 'ewc', lambda: 20 } },
  'online ewc': { penalty: { kind: 'ewc', lambda: 20, anchors: 'latest', decay: 0.9, fisher: 'sampled' } },
  'kronecker ewc': { penalty: { kind: 'ewc', lambda: 20, fisher: 'kronecker', decay: 0.9 } },
  'gem with kronecker': {
    penalty: { kind: 'ewc', lambda: 1, fisher: 'kronecker' },
    constraint: { kind: 'gem', bytes: 500 },
  },
  si: { penalty: { kind: 'si', lambda: 2 } },
  mas: { penalty: { kind: 'mas', lambda: 1 } },
  lwf: { distill: { weight: 1 } },
  er: { replay: { bytes: 4000 } },
  der: { replay: { bytes: 4000, logits: 0.5 } },
  'der++': { replay: { bytes: 4000, logits: 0.5, labels: 0.5, buffer: 'balanced' } },
  gss: { replay: { bytes: 1000, buffer: 'diverse', compare: 4 } },
  gem: { constraint: { kind: 'gem', bytes: 2000 } },
  'a-gem': { constraint: { kind: 'a-gem', bytes: 4000 }, penalty: { kind: 'si', lambda: 0.1 } },
}

const base = { net: mlp({ sizes: [2, 24, 2] }), inputs: 2, outputs: 2, rate: 0.02, batchSize: 32, seed: 1 }

describe('openTrainer', () => {
  it('with EWC on a quadratic loss reaches the analytic solution', async () => {
    // f = w: loss ½ (w − c)², Fisher 1. With λ the second task ends at (c₂ + λ c₁) / (1 + λ), the third at
    // (c₃ + λ (θ₁ + θ₂)) / (1 + 2 λ) with separate anchors θ₁, θ₂.
    const net = dense({ inputs: 1, outputs: 1, bias: false })
    const lambda = 3
    const trainer = open({
      net,
      inputs: 1,
      outputs: 1,
      likelihood: 'gaussian',
      rule: sgd(),
      rate: 0.05,
      strategy: { penalty: { kind: 'ewc', lambda } },
    })
    const ends: number[] = []
    for (const c of [0.5, -2, 4]) {
      await trainer.learn({ x: [1], y: [c] }, { epochs: 300 })
      ends.push((trainer.params() as { kernel: { data: Float32Array } }).kernel.data[0]!)
    }
    expect(ends[0]).toBeCloseTo(0.5, 4)
    expect(ends[1]).toBeCloseTo((-2 + lambda * 0.5) / (1 + lambda), 4)
    expect(ends[2]).toBeCloseTo((4 + lambda * (ends[0]! + ends[1]!)) / (1 + 2 * lambda), 4)
  })

  it('forgets without a strategy, and replay and its kin prevent it', { timeout: 60_000 }, async () => {
    const retained = async (strategy: Strategy): Promise<number> => {
      const trainer = open({ ...base, strategy })
      const matrix: number[][] = []
      for (let k = 0; k < 2; k++) {
        await trainer.learn(regime(k, 256, k), { epochs: 12 })
        const row: number[] = []
        for (let j = 0; j <= k; j++) row.push(await trainer.accuracy(regime(j, 256, 100 + j)))
        matrix.push(row)
      }
      const metrics = continualMetrics(matrix, { chance: 0.5 })
      expect(metrics.learnedAccuracy, JSON.stringify(strategy)).toBeGreaterThan(0.85)
      return metrics.averageAccuracy
    }
    expect(await retained({})).toBeLessThan(0.8)
    for (const name of ['er', 'der++', 'gem', 'a-gem'])
      expect(await retained(STRATEGIES[name]!), name).toBeGreaterThan(0.9)
  })

  for (const [name, strategy] of Object.entries(STRATEGIES)) {
    it(`${name} continues from a snapshot to the identical state`, async () => {
      const trainer = open({ ...base, strategy })
      await trainer.learn(regime(0, 48, 0), { epochs: 2 })
      await trainer.learn(regime(1, 48, 1))
      const saved = decodeSnapshot(encodeSnapshot(trainer.snapshot()))
      const copy = open({ ...base, strategy }, saved)
      for (const one of [trainer, copy]) {
        await one.learn(regime(2, 48, 2))
        await one.step({ ...regime(0, 32, 3), task: 0 })
      }
      expect(copy.snapshot()).toEqual(trainer.snapshot())
    })
  }

  it('answers only with the classes of a task where they are given', async () => {
    const trainer = open({ ...base, net: mlp({ sizes: [2, 8, 4] }), outputs: 4, strategy: { replay: { bytes: 2000 } } })
    const shifted = regime(1, 64, 2)
    const data = { x: shifted.x, y: Array.from(shifted.y, (y) => y + 2), classes: [2, 3] }
    await trainer.learn({ ...regime(0, 64, 1), classes: [0, 1] }, { epochs: 8 })
    await trainer.learn(data, { epochs: 8 })
    expect(await trainer.accuracy({ ...regime(0, 64, 3), classes: [0, 1] })).toBeGreaterThan(0.9)
    const outputs = await trainer.predict([0, 0], [0, 1])
    expect(Math.max(outputs[2]!, outputs[3]!)).toBeLessThan(-1e8)
    await expect(trainer.predict([0, 0], [9])).rejects.toThrow('classes must lie from 0 to 3, got 9')
  })

  it('sets aside what is not finite, and refuses what does not fit without any change', async () => {
    const trainer = open({ ...base, strategy: { replay: { bytes: 2000 } } })
    const clean = open({ ...base, strategy: { replay: { bytes: 2000 } } })
    const before = trainer.snapshot()
    await expect(trainer.learn({ x: [1, 2, 3], y: [0] })).rejects.toThrow('rows of 2')
    await expect(trainer.learn({ x: [1, 2], y: [2] })).rejects.toThrow('classes from 0 to 1, got 2')
    await expect(trainer.learn({ x: [1, 2], y: [1], task: -1 })).rejects.toThrow('task must be a whole number')
    await expect(trainer.learn({ x: [Number.NaN, 2], y: [1] })).rejects.toThrow('none of the 1 samples is finite')
    expect({ ...(trainer.snapshot().state as object), refused: 0 }).toEqual(before.state)
    expect((await trainer.step({ x: [Number.POSITIVE_INFINITY, 2], y: [1] })).accepted).toBe(false)
    expect(trainer.refused).toBe(2)
    // A batch with a bad sample learns what the batch without it does.
    await trainer.step({ x: [1, 2, Number.NaN, 0, 3, 4], y: [0, 1, 1] })
    await clean.step({ x: [1, 2, 3, 4], y: [0, 1] })
    expect(trainer.params()).toEqual(clean.params())
    expect(() => open({ ...base, strategy: { replay: { bytes: 5 } } })).toThrow('too small for one sample')
    expect(() => open({ ...base, strategy: { penalty: { kind: 'ewc', lambda: -1 } } })).toThrow('penalty.lambda')
    expect(() => open({ ...base, rate: 1 }, before)).toThrow('other options')
  })

  it('takes back an update that is not finite', async () => {
    const net = dense({ inputs: 1, outputs: 1, bias: false })
    const trainer = open({ net, inputs: 1, outputs: 1, likelihood: 'gaussian', rule: sgd(), rate: 1e30 })
    const before = trainer.params()
    expect((await trainer.step({ x: [1e10], y: [-1e20] })).accepted).toBe(false)
    expect(trainer.params()).toEqual(before)
    await expect(trainer.learn({ x: [1e10], y: [-1e20] })).rejects.toThrow('not finite')
  })
})
