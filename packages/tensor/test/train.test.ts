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
  mlp,
  sequential,
  sgd,
  softmaxCrossEntropy,
  type TensorLeaf,
  train,
} from '../src/index.ts'

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
  await expect(train(net, { x: leaf([1, 1], [1]), y: leaf([1, 1], [0]) }, { epochs: 0 })).rejects.toThrow(
    'epochs must be',
  )
})
