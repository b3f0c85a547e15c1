import { createRng, type RegimenEvent } from '@regimen/core'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  activation,
  adam,
  batchNorm,
  cosineDecay,
  dense,
  dropout,
  flattenTree,
  mlp,
  sequential,
  sgd,
  softmaxCrossEntropy,
  type TensorLeaf,
  type TrainCheckpoint,
  train,
} from '../src/index.ts'
import { relativeError } from './support/arrays.ts'

beforeAll(() => tf.setBackend('cpu'))

const leaf = (shape: number[], values: number[]): TensorLeaf => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(values),
})

// y = 2 x₁ − x₂ + 0.5
function linear(n: number, seed: number) {
  const rng = createRng(seed)
  const xs = Array.from({ length: n }, () => [rng.normal(), rng.normal()] as const)
  return {
    x: leaf([n, 2], xs.flat()),
    y: leaf(
      [n, 1],
      xs.map(([a, b]) => 2 * a - b + 0.5),
    ),
  }
}

describe('learning', () => {
  test('finds the weights of a linear function, with a last batch that is not full', async () => {
    const { params, epochs, stopped } = await train(dense({ inputs: 2, outputs: 1 }), linear(50, 1), {
      rule: sgd(),
      rate: 0.1,
      epochs: 40,
      batchSize: 16,
    })
    const found = [...params.kernel.data, ...params.bias!.data].map(Number)
    for (const [i, expected] of [2, -1, 0.5].entries()) expect(found[i]).toBeCloseTo(expected, 3)
    expect(epochs).toHaveLength(40)
    expect(stopped).toBe('epochs')
  })

  test('learns exclusive or, with labels', async () => {
    const data = {
      x: leaf([4, 2], [0, 0, 0, 1, 1, 0, 1, 1]),
      y: { dtype: 'int32' as const, shape: [4], data: Int32Array.of(0, 1, 1, 0) },
    }
    const net = mlp({ sizes: [2, 8, 2], activation: 'tanh', initializer: 'glorotUniform' })
    const { epochs } = await train(net, data, { loss: softmaxCrossEntropy, rate: 0.05, epochs: 200, seed: 3 })
    expect(epochs.at(-1)!.loss).toBeLessThan(0.05)
  })

  test('one step equals the step by hand: w = 1 − 0.1 · mean(2 (x − 0) x) over the weighted samples', async () => {
    const net = dense({ inputs: 1, outputs: 1, bias: false })
    // weights 1 and 3 on x = 1 and 2: gradient (1 · 2 + 3 · 8) / 4 = 6.5
    const data = { x: leaf([2, 1], [1, 2]), y: leaf([2, 1], [0, 0]), weights: Float32Array.of(1, 3) }
    const params = { kernel: leaf([1, 1], [1]) }
    const result = await train(net, data, { rule: sgd(), rate: 0.1, epochs: 1, params })
    expect(result.params.kernel.data[0]).toBeCloseTo(0.35, 6)
    expect(params.kernel.data[0]).toBe(1)
  })

  test('the same seed takes the same path, another seed another', async () => {
    const net = sequential([
      dense({ inputs: 2, outputs: 4 }),
      activation('tanh'),
      dropout(0.3),
      dense({ inputs: 4, outputs: 1 }),
    ])
    const run = (seed: number) => train(net, linear(20, 1), { epochs: 3, batchSize: 8, seed, rate: 0.01 })
    const [first, second, third] = [await run(1), await run(1), await run(2)]
    expect(first.params).toEqual(second.params)
    expect(first.epochs).toEqual(second.epochs)
    expect(first.params).not.toEqual(third.params)
  })

  test('batch norm keeps running averages of the data and the rule leaves them alone', async () => {
    const net = sequential([batchNorm({ features: 1, momentum: 0 }), dense({ inputs: 1, outputs: 1 })])
    const data = { x: leaf([4, 1], [3, 5, 7, 9]), y: leaf([4, 1], [0, 0, 0, 0]) }
    const { params } = await train(net, data, { rule: adam({ l2: 0.1 }), epochs: 2 })
    expect(params[0].mean!.data[0]).toBeCloseTo(6, 5)
    // unbiased variance of 3, 5, 7, 9
    expect(params[0].variance!.data[0]).toBeCloseTo(20 / 3, 4)
  })
})

describe('accumulate: batches in turn are one batch of all their samples', () => {
  // 50 samples in updates of 24, 24 and 2: the last batch is filled up with samples of weight 0.
  const data = { ...linear(50, 1), weights: Float32Array.from({ length: 50 }, (_, i) => (i % 3) / 2) }
  const net = mlp({ sizes: [2, 6, 1], activation: 'tanh' })
  const options = { rule: adam(), rate: 0.05, epochs: 3, seed: 4 }

  test.each([
    ['as it is', {}],
    ['with a clipped gradient', { clip: 0.1 }],
  ])('%s', async (_, more) => {
    const whole = await train(net, data, { ...options, ...more, batchSize: 24 })
    const updates: number[] = []
    const parts = await train(net, data, {
      ...{ ...options, ...more, batchSize: 8, accumulate: 3 },
      onProgress: ({ done, total }) => updates.push(done / total!),
    })
    const numbers = ({ params }: typeof whole) =>
      flattenTree<TensorLeaf>(params).leaves.flatMap(({ data }) => [...data])
    expect(relativeError(numbers(parts), numbers(whole))).toBeLessThan(1e-6)
    const losses = ({ epochs }: typeof whole) => epochs.map(({ loss }) => loss)
    expect(relativeError(losses(parts), losses(whole))).toBeLessThan(1e-6)
    expect(updates).toEqual(Array.from({ length: 9 }, (_, i) => (i + 1) / 9))
    // And it is no batch of eight.
    const eight = await train(net, data, { ...options, ...more, batchSize: 8 })
    expect(relativeError(numbers(eight), numbers(whole))).toBeGreaterThan(1e-3)
  })

  test('by hand: parts of weight 1 and 3 count 1 to 3, and one without weight not at all', async () => {
    const line = dense({ inputs: 1, outputs: 1, bias: false })
    // gradients 2 w x² = 2, 8 and 18 at w = 1: (1 · 2 + 3 · 8 + 0 · 18) / 4 = 6.5; losses (1 · 1 + 3 · 4) / 4 = 3.25
    const three = { x: leaf([3, 1], [1, 2, 3]), y: leaf([3, 1], [0, 0, 0]), weights: Float32Array.of(1, 3, 0) }
    const given = { rule: sgd(), rate: 0.1, epochs: 1, params: { kernel: leaf([1, 1], [1]) }, batchSize: 1 }
    const { params, epochs } = await train(line, three, { ...given, accumulate: 3 })
    expect(params.kernel.data[0]).toBeCloseTo(0.35, 6)
    expect(epochs[0]!.loss).toBeCloseTo(3.25, 6)
    // A loss that is not finite where nothing weighs does not spoil the update.
    const odd = await train(line, three, {
      ...{ ...given, accumulate: 3 },
      loss: (prediction, target, { weights }) =>
        tf.div(tf.sum(tf.mul(tf.sum(tf.square(tf.sub(prediction, target)), -1), weights!)), tf.sum(weights!)),
    })
    expect(odd.params.kernel.data[0]).toBeCloseTo(0.35, 6)
    const none = await train(line, { ...three, weights: new Float32Array(3) }, { ...given, accumulate: 3 })
    expect([none.params.kernel.data[0], none.epochs[0]!.loss]).toEqual([1, 0])
  })

  test('batch norm normalizes each part by itself and averages what the parts say', async () => {
    const normed = sequential([batchNorm({ features: 1, momentum: 0.5 }), dense({ inputs: 1, outputs: 1 })])
    const four = { x: leaf([4, 1], [3, 5, 7, 9]), y: leaf([4, 1], [0, 0, 0, 0]) }
    const { params } = await train(normed, four, { epochs: 1, batchSize: 2, accumulate: 2 })
    // Whatever the order, the parts' means average to 6: 0.5 · 0 + 0.5 · 6
    expect(params[0].mean!.data[0]).toBeCloseTo(3, 5)
    // Pairs of 3, 5, 7, 9 have unbiased variances of 2 and 2, 8 and 8, or 18 and 2; all four 20 / 3: 0.5 · 1 + 0.5 · v
    const found = 2 * params[0].variance!.data[0]! - 1
    expect([2, 8, 10].map((v) => Math.abs(v - found)).some((distance) => distance < 1e-4)).toBe(true)
  })

  test('dropout draws for each part; a run that was stopped between epochs goes on with the same draws', async () => {
    const random = sequential([dense({ inputs: 2, outputs: 8 }), dropout(0.5), dense({ inputs: 8, outputs: 1 })])
    const given = { ...options, batchSize: 8, accumulate: 2 }
    const whole = await train(random, data, given)
    let first: TrainCheckpoint<Parameters<typeof random.apply>[0]> | undefined
    await train(random, data, {
      ...given,
      onCheckpoint: (checkpoint) => {
        first ??= checkpoint
      },
    })
    const resumed = await train(random, data, { ...given, resume: structuredClone(first!) })
    expect(resumed.params).toEqual(whole.params)
    expect((await train(random, data, { ...given, seed: 5 })).params).not.toEqual(whole.params)
  })
})

describe('stopping', () => {
  test('early stopping keeps the parameters of the best epoch', async () => {
    // The validation data say the opposite of the training data: the first epoch is the best.
    const data = linear(32, 1)
    const validation = {
      x: data.x,
      y: leaf(
        [32, 1],
        Array.from(data.y.data as Float32Array, (y) => -y),
      ),
    }
    const net = dense({ inputs: 2, outputs: 1, initializer: 'zeros' })
    const one = await train(net, data, { epochs: 1, validation, rate: 0.05 })
    const result = await train(net, data, { epochs: 50, validation, patience: 3, rate: 0.05 })
    expect(result.stopped).toBe('patience')
    expect(result.epochs).toHaveLength(4)
    expect(result.params).toEqual(one.params)
    expect(result.epochs[0]!.validationLoss).toBeGreaterThan(0)
  })

  test('abort rejects with its reason between batches; progress counts them', async () => {
    const controller = new AbortController()
    const seen: number[] = []
    const running = train(dense({ inputs: 2, outputs: 1 }), linear(32, 1), {
      epochs: 100,
      batchSize: 16,
      signal: controller.signal,
      onProgress: ({ done, total }) => {
        seen.push(done)
        expect(total).toBe(200)
        if (done === 3) controller.abort(new Error('enough'))
      },
    })
    await expect(running).rejects.toThrow('enough')
    expect(seen).toEqual([1, 2, 3])
  })

  test('a rate schedule is read at each update', async () => {
    const rates: number[] = []
    await train(dense({ inputs: 2, outputs: 1 }), linear(4, 1), {
      epochs: 3,
      rate: cosineDecay({ from: 0.1, steps: 2 }),
      onEpoch: ({ rate }) => rates.push(Number(rate.toFixed(6))),
    })
    expect(rates).toEqual([0.1, 0.05, 0])
  })
})

describe('numbers that are not finite', () => {
  test('a step that overflows is taken back with half the rate and reported', async () => {
    const events: RegimenEvent[] = []
    const data = { x: leaf([1, 1], [1e15]), y: leaf([1, 1], [0]) }
    const params = { kernel: leaf([1, 1], [1]) }
    // gradient 2e30; rate 1e9 overflows float32, and halves until 2e30 · rate fits: 3.4e38 / 2e30 = 1.7e8 → 1.25e8
    const net = dense({ inputs: 1, outputs: 1, bias: false })
    const result = await train(net, data, {
      rule: sgd(),
      rate: 1e9,
      epochs: 1,
      params,
      onEvent: (e) => events.push(e),
      now: () => 7,
    })
    expect(result.recoveries).toBe(3)
    expect(events.map(({ type, time }) => `${type} ${time}`)).toEqual(new Array(3).fill('tensor/recover 7'))
    expect(events.map(({ data: { rate } }) => rate)).toEqual([5e8, 2.5e8, 1.25e8])
    expect(Number.isFinite(result.params.kernel.data[0])).toBe(true)
  })

  test('data that hold NaN end in an error, not in NaN parameters', async () => {
    const data = { x: leaf([1, 1], [Number.NaN]), y: leaf([1, 1], [0]) }
    await expect(train(dense({ inputs: 1, outputs: 1 }), data, { recoveries: 2 })).rejects.toThrow(
      'Look for NaN in the data',
    )
  })
})

test('wrong data are refused', async () => {
  const net = dense({ inputs: 1, outputs: 1 })
  await expect(train(net, { x: leaf([2, 1], [1, 2]), y: leaf([1, 1], [0]) })).rejects.toThrow(
    'data.y must hold 2 samples',
  )
  for (const [name, options] of Object.entries({ epochs: { epochs: 0 }, accumulate: { accumulate: 1.5 } })) {
    const running = train(net, { x: leaf([1, 1], [1]), y: leaf([1, 1], [0]) }, options)
    await expect(running).rejects.toThrow(`${name} must be an integer ≥ 1`)
  }
})
