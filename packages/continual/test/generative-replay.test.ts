import { createRng } from '@regimen/core'
import { compile, mlp, type TensorLeaf } from '@regimen/tensor'
import { testNoLeak, testSnapshot } from '@regimen/testing'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { type VaeParams, vaeNet } from '../src/generative/vae.ts'
import { openGenerativeReplay, openTrainer, type TaskData } from '../src/index.ts'
import { dreaming } from './lives.ts'
import { contradicting } from './tasks.ts'

/** Points around a place of their own for every class. */
function blobs(classes: readonly number[], n: number, seed: string): TaskData {
  const rng = createRng(seed)
  const y = Int32Array.from({ length: n }, (_, i) => classes[i % classes.length]!)
  const x = new Float32Array(2 * n)
  for (let i = 0; i < n; i++) {
    const [a, b] = center(y[i]!)
    x[2 * i] = a + rng.normal(0, 0.25)
    x[2 * i + 1] = b + rng.normal(0, 0.25)
  }
  return { x, y }
}
const center = (c: number): [number, number] => [1.5 * Math.cos((c * Math.PI) / 3), 1.5 * Math.sin((c * Math.PI) / 3)]

const base = {
  net: mlp({ sizes: [2, 32, 6] }),
  inputs: 2,
  outputs: 6,
  hidden: [32, 32],
  latent: 2,
  batchSize: 32,
  rate: 0.005,
  seed: 2,
}

describe('the autoencoder', () => {
  const leaf = (shape: number[], ...data: number[]): TensorLeaf => ({
    dtype: 'float32',
    shape,
    data: Float32Array.from(data),
  })
  // One input, one code number, no hidden layer: μ = 0.5 x + 0.1, log σ² = −x, x̂ = 2 z − 0.3.
  const params = {
    encoder: [{ kernel: leaf([1, 2], 0.5, -1), bias: leaf([2], 0.1, 0) }],
    decoder: [{ kernel: leaf([1, 1], 2), bias: leaf([1], -0.3) }],
    spread: leaf([1], 0.4),
  }
  const shape = { width: 1, classes: 0, hidden: [], latent: 1 }
  const [x, noise] = [0.8, createRng(5).normal()]
  const [mean, logVariance] = [0.5 * x + 0.1, -x]
  const made = 2 * (mean + Math.exp(logVariance / 2) * noise) - 0.3
  const divergence = 0.5 * (mean ** 2 + Math.exp(logVariance) - 1 - logVariance)

  it('has the bound worked by hand, of numbers and of pixels', async () => {
    for (const [likelihood, missed] of [
      ['gaussian', 0.5 * ((x - made) ** 2 * Math.exp(-0.4) + 0.4 + Math.log(2 * Math.PI))],
      // −x log s − (1 − x) log(1 − s) of s = 1 / (1 + exp(−x̂)).
      ['bernoulli', -x * Math.log(1 / (1 + Math.exp(-made))) - (1 - x) * Math.log(1 / (1 + Math.exp(made)))],
    ] as const) {
      const vae = vaeNet({ ...shape, likelihood })
      const loss = compile(
        (given: VaeParams, rows: tf.Tensor, weights: tf.Tensor) => vae.loss(given, rows, null, weights),
        { seed: 5 },
      )
      // The second row weighs nothing.
      const { data } = await loss(params, leaf([2, 1], x, 0.1), leaf([2], 1, 0))
      expect(data[0]).toBeCloseTo(missed + divergence, 5)
      await loss.dispose()
    }
  })

  it('draws by the decoder, of numbers with their spread', async () => {
    const rng = createRng(9)
    const [z, e] = [rng.normal(), rng.normal()]
    for (const [likelihood, expected] of [
      ['gaussian', 2 * z - 0.3 + Math.exp(0.2) * e],
      ['bernoulli', 1 / (1 + Math.exp(-(2 * z - 0.3)))],
    ] as const) {
      const vae = vaeNet({ ...shape, likelihood })
      const draw = compile((given: VaeParams) => vae.sample(given, null, 1), { seed: 9 })
      expect((await draw(params)).data[0]).toBeCloseTo(expected, 5)
      await draw.dispose()
    }
  })
})

describe('openGenerativeReplay', () => {
  it('keeps classes that it dreams of, where fine-tuning forgets them', { timeout: 60_000 }, async () => {
    const pairs = [
      [0, 1],
      [2, 3],
      [4, 5],
    ]
    const replay = openGenerativeReplay(base)
    const plain = openTrainer({ net: base.net, inputs: 2, outputs: 6, rate: 0.005, batchSize: 32, seed: 2 })
    for (const [k, pair] of pairs.entries()) {
      const data = blobs(pair, 160, `train ${k}`)
      const { updates } = await replay.learn(data, { epochs: 60 })
      expect(updates).toBe(300)
      await plain.learn(data, { epochs: 60 })
    }
    const all = blobs([0, 1, 2, 3, 4, 5], 300, 'test')
    expect(await plain.accuracy(all)).toBeLessThan(0.5)
    expect(await replay.accuracy(all)).toBeGreaterThan(0.9)
    expect(await replay.loss(all)).toBeLessThan(0.5)
    // What it dreams of the very first class lies where that class lay, and as widely.
    const dreams = await replay.generate(200, new Uint8Array(200))
    const [xs, ys] = [dreams.filter((_, i) => i % 2 === 0), dreams.filter((_, i) => i % 2 === 1)]
    const mean = (list: Float32Array) => list.reduce((a, b) => a + b, 0) / list.length
    expect(Math.hypot(mean(xs) - center(0)[0], mean(ys) - center(0)[1])).toBeLessThan(0.4)
    expect(await replay.generate(200, new Uint8Array(200))).toEqual(dreams)
    const deviation = Math.sqrt(mean(xs.map((value) => (value - mean(xs)) ** 2)))
    expect(deviation).toBeGreaterThan(0.1)
    expect(deviation).toBeLessThan(0.6)
    // Both nets twice, two moments with their weights; 3 tasks of 300 updates, each sample beside a dream from the second on.
    const size =
      2 * 32 +
      32 +
      32 * 6 +
      6 +
      (8 * 32 + 32 + 32 * 32 + 32 + 32 * 4 + 4) +
      (8 * 32 + 32 + 32 * 32 + 32 + 32 * 2 + 2) +
      2
    expect(replay.cost).toMatchObject({ bytes: 16 * size + 8, updates: 900, samples: 3 * 60 * 160 + 2 * 2 * 300 * 32 })
    await replay.dispose()
    await plain.dispose()
  })

  it('weighs the new samples of the k-th task by 1 / k, what it dreams by the rest', async () => {
    // At a rate of next to nothing the nets stay as they are: new samples always have the loss n, dreams always d. The tasks then
    // report L₁ = n, L₂ = n / 2 + d / 2 and L₃ = n / 3 + 2 d / 3, so that 3 L₃ = 4 L₂ − L₁.
    const replay = openGenerativeReplay({ ...base, rate: 1e-30 })
    const data = blobs([0, 1, 2], 320, 'same')
    const losses: number[] = []
    for (let k = 0; k < 3; k++) losses.push((await replay.learn(data, { epochs: 20 })).loss)
    const [first, second, third] = losses as [number, number, number]
    expect(Math.abs(second / first - 1)).toBeGreaterThan(0.1)
    expect(third / ((4 * second - first) / 3)).toBeCloseTo(1, 1)
    // The other way round: 3 L₃ = L₁ + 2 L₂.
    expect(Math.abs(third / ((first + 2 * second) / 3) - 1)).toBeGreaterThan(0.05)
    await replay.dispose()
  })

  it('learns numbers without classes', { timeout: 60_000 }, async () => {
    const net = mlp({ sizes: [2, 32, 1] })
    const replay = openGenerativeReplay({ ...base, net, outputs: 1, likelihood: 'gaussian' })
    const line = (from: number, seed: string): TaskData => {
      const rng = createRng(seed)
      const x = Float32Array.from({ length: 320 }, (_, i) => (i % 2 ? rng.normal(0, 0.2) : from + rng.uniform()))
      return { x, y: Float32Array.from({ length: 160 }, (_, i) => Math.sin(2 * x[2 * i]!)) }
    }
    await replay.learn(line(-1.5, 'left'), { epochs: 100 })
    const before = await replay.loss(line(-1.5, 'left test'))
    await replay.learn(line(0.5, 'right'), { epochs: 100 })
    expect(before).toBeLessThan(0.02)
    expect(await replay.loss(line(0.5, 'right test'))).toBeLessThan(0.05)
    expect(await replay.loss(line(-1.5, 'left test'))).toBeLessThan(0.1)
    await expect(replay.generate(1, [0])).rejects.toThrow('knows no classes')
    expect(await replay.generate(70)).toHaveLength(140)
    await replay.dispose()
  })

  it('is as before where learning fails, is aborted or is given what does not fit', async () => {
    const replay = openGenerativeReplay({ ...dreaming, pixels: 'bernoulli' })
    await expect(replay.generate(1)).rejects.toThrow('nothing was learned')
    const data = { x: [0, 1, 0.5, 0.2], y: [0, 0] }
    await replay.learn(data)
    const before = replay.snapshot()
    const stop = new AbortController()
    const options = {
      epochs: 9,
      signal: stop.signal,
      onProgress: ({ done }: { done: number }) => done === 4 && stop.abort(),
    }
    const learning = replay.learn(data, options)
    await expect(replay.learn(data)).rejects.toThrow('still learning')
    await expect(learning).rejects.toThrow('abort')
    await expect(replay.learn({ x: [1, 2, 3], y: [0] })).rejects.toThrow('rows of 2')
    await expect(replay.learn({ x: [1, 0], y: [2] })).rejects.toThrow('classes from 0 to 1')
    await expect(replay.learn({ x: [1, 2], y: [1] })).rejects.toThrow('from 0 to 1, got 2 at 1')
    await expect(replay.learn({ ...data, classes: [0] })).rejects.toThrow('classes of its own')
    await expect(replay.learn({ x: [Number.NaN, 0], y: [1] })).rejects.toThrow('none of the 1 samples is finite')
    await expect(replay.learn(data, { epochs: 0 })).rejects.toThrow('epochs must be')
    await expect(replay.generate(1, [1])).rejects.toThrow('classes must be ones that were learned, got 1')
    await expect(replay.generate(1, [0, 0])).rejects.toThrow('classes must hold 1 numbers')
    expect(replay.snapshot()).toEqual(before)
    // A row that is not finite is set aside and counted.
    await replay.learn({ x: [0, 1, Number.NaN, 0], y: [0, 1] })
    expect(replay.refused).toBe(1)
    for (const [wrong, message] of [
      [{ latent: 0 }, 'latent must be an integer from 1'],
      [{ hidden: [0.5] }, 'hidden must be an integer'],
      [{ rate: 0 }, 'rate must be above 0'],
      [{ temperature: Number.NaN }, 'temperature must be above 0'],
      [{ likelihood: 'gaussian', conditional: true }, 'only classes can be a condition'],
    ] as const)
      expect(() => openGenerativeReplay({ ...dreaming, ...wrong })).toThrow(message)
    expect(() => openGenerativeReplay({ ...dreaming, latent: 3 }, before)).toThrow()
    expect(() => openGenerativeReplay({ ...dreaming, temperature: 3 }, before)).toThrow('other options')
    await replay.dispose()
    await expect(replay.predict([0, 0])).rejects.toThrow('disposed')
  })

  it('says that a rate is too large, without a change', async () => {
    const replay = openGenerativeReplay({ ...dreaming, rate: 1e30 })
    const before = replay.snapshot()
    await expect(replay.learn(contradicting(0, 64, 1), { epochs: 4 })).rejects.toThrow('not finite')
    expect(replay.snapshot()).toEqual(before)
    await replay.dispose()
  })
})

testSnapshot('openGenerativeReplay', {
  id: 'continual/generative-replay',
  open: (from) => openGenerativeReplay(dreaming, from),
  async step(replay, i) {
    const { loss } = await replay.learn(contradicting(i, 24, i), { epochs: 2 })
    return [loss, ...(await replay.predict([0.5, -1])), ...(await replay.generate(2, [0, 1]))]
  },
  snapshot: (replay) => replay.snapshot(),
  dispose: (replay) => void replay.dispose(),
  steps: 3,
})

testNoLeak('openGenerativeReplay', {
  count: () => tf.memory().numTensors,
  async run() {
    const replay = openGenerativeReplay(dreaming)
    await replay.learn(contradicting(0, 24, 0))
    await replay.learn(contradicting(1, 24, 1))
    await replay.generate(3)
    const { kernel } = (replay.params() as { kernel: TensorLeaf }[])[0]!
    expect(kernel.shape).toEqual([2, 8])
    await replay.dispose()
  },
})
