import { createRng } from '@regimen/core'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, test } from 'vitest'
import { openReference } from '../src/compile/reference.ts'
import {
  attention,
  batchNorm,
  compile,
  conv1d,
  conv2d,
  dense,
  embedding,
  flatten,
  flattenTree,
  gru,
  hessianVectorProduct,
  lstm,
  meanSquaredError,
  mlp,
  type Net,
  type NetContext,
  sequential,
  type TensorLeaf,
  tcn,
  toTensors,
  transformerBlock,
  valueAndGradient,
  withUpdates,
} from '../src/index.ts'
import { distance, leaf, NET_CASES, norm, parameters, stacked } from './support/net-cases.ts'

beforeAll(() => tf.setBackend('cpu'))

describe.each(NET_CASES)('$name', ({ net, input, context }) => {
  const { tree, leaves, build } = parameters(net, 'params')
  const x = leaf(input, 'x')

  const output = (params: unknown, at: tf.Tensor) => net.apply(params, at, context)
  const objective = (params: unknown, at: tf.Tensor) => {
    const y = output(params, at)
    return meanSquaredError(y, tf.cos(tf.reshape(tf.range(0, y.size), y.shape)))
  }
  const gradientOf = (params: unknown, at: tf.Tensor) => valueAndGradient((p) => objective(p, at), params).gradient
  // v is the parameters themselves: any fixed direction does.
  const productOf = (params: unknown, at: tf.Tensor, along: unknown) =>
    hessianVectorProduct((p) => objective(p, at), params, along)

  /** Value, gradient and Hessian product in one graph, held against eager and against doubles. */
  const compare = async (params: unknown, at: TensorLeaf): Promise<void> => {
    const all = (p: unknown, z: tf.Tensor, along: unknown) => [output(p, z), gradientOf(p, z), productOf(p, z, along)]
    const args = [params, at, params]
    const compiled = compile(all)
    const native = await compiled(...(args as Parameters<typeof compiled>))
    await compiled.dispose()
    const numbers = (part: unknown) => flattenTree<TensorLeaf>(part).leaves.map(({ data }) => data as Float32Array)
    const eager = tf.tidy(() =>
      all(...(toTensors(args) as Parameters<typeof all>)).map((part) =>
        flattenTree<tf.Tensor>(part).leaves.map((t) => t.dataSync().slice()),
      ),
    )
    const exact = (await openReference(all as never, args)).run(numbers(args).map((data) => Float64Array.from(data)))
    let next = 0
    native.forEach((part, order) => {
      const arrays = numbers(part)
      const doubles = arrays.map(() => exact[next++]!)
      const size = norm(doubles.flatMap((values) => Array.from(values)))
      arrays.forEach((data, i) => {
        expect(distance(data, eager[order]![i]!)).toBeLessThanOrEqual((order === 2 ? 1e-4 : 1e-5) * size)
        expect(distance(data, doubles[i]!)).toBeLessThanOrEqual(1e-3 * size)
      })
    })
    expect(next).toBe(exact.length)
  }

  test('compiled equals eager, and float32 equals doubles, to second order', () => compare(tree, x))

  test('the same on the task axis', async () => {
    const [one, two] = [parameters(net, 'a').leaves, parameters(net, 'b').leaves]
    await compare(build(one.map((first, i) => stacked(first, two[i]!))), stacked(leaf(input, 'xa'), leaf(input, 'xb')))
  })

  test('a Hessian product in doubles agrees with finite differences', async () => {
    const gradient = await openReference(gradientOf as never, [tree, x])
    const product = await openReference(productOf as never, [tree, x, tree])
    const at = leaves.map(({ data }) => Float64Array.from(data as Float32Array))
    // Batch norm's averages are measured, not learned: they have no gradient, and the direction leaves them where they are.
    const { paths } = flattenTree(tree)
    const along = at.map((values, i) => values.map((value) => (/(mean|variance)$/.test(paths[i]!) ? 0 : value)))
    const input64 = Float64Array.from(x.data as Float32Array)
    const exact = product.run([...at, input64, ...along])
    const h = 1e-5
    const moved = (sign: number) => [
      ...at.map((values, i) => values.map((value, k) => value + sign * h * along[i]![k]!)),
      input64,
    ]
    const [ahead, behind] = [gradient.run(moved(1)), gradient.run(moved(-1))]
    const size = 1 + norm(exact.flatMap((values) => Array.from(values)))
    exact.forEach((values, i) => {
      const differences = values.map((_, k) => (ahead[i]![k]! - behind[i]![k]!) / (2 * h))
      expect(distance(values, differences) / size).toBeLessThan(1e-5)
      if (/(mean|variance)$/.test(paths[i]!)) expect(norm(Array.from(ahead[i]!))).toBe(0)
    })
  })

  test('a task axis gives each task its own net', () => {
    tf.tidy(() => {
      const tasks = ['a', 'b', 'c'].map((seed) => ({
        params: parameters(net, seed).leaves,
        x: leaf(input, `x${seed}`),
      }))
      const separate = tasks.map((task) => output(toTensors(build(task.params)), toTensors(task.x)))
      const own = leaves.map((_, i) => tf.stack(tasks.map((task) => toTensors(task.params[i]!))))
      const together = output(build(own), tf.stack(tasks.map((task) => toTensors(task.x))))
      const expected = tf.stack(separate)
      expect(together.shape).toEqual(expected.shape)
      expect(tf.max(tf.abs(tf.sub(together, expected))).dataSync()[0]).toBeLessThan(1e-5)
    })
  })

  test('shared parameters accept tasks', () => {
    tf.tidy(() => {
      const params = toTensors(tree)
      const inputs = ['a', 'b'].map((seed) => toTensors(leaf(input, seed)))
      const together = net.apply(params, tf.stack(inputs), { ...context, tasks: true })
      const expected = tf.stack(inputs.map((at) => output(params, at)))
      expect(together.shape).toEqual(expected.shape)
      expect(tf.max(tf.abs(tf.sub(together, expected))).dataSync()[0]).toBeLessThan(1e-5)
    })
  })
})

describe('by hand', () => {
  const values = (t: tf.Tensor) => Array.from(t.dataSync())

  test('an LSTM of one unit over two steps', () => {
    // All weights 1 on the input, 0.5 on the state, bias 0; x = 1 then −1.
    // step 1: every gate sees 1. s = σ(1) = 0.7310586, g = tanh(1) = 0.7615942; c = s g = 0.5567700
    //         h = s tanh(c) = 0.7310586 · 0.5055946 = 0.3696195
    // step 2: every gate sees −1 + 0.5 h = −0.8151902. s = 0.3068032, g = −0.6724903
    //         c = s · 0.5567700 + s g = 0.1708188 − 0.2063222 = −0.0355034; h = s tanh(c) = −0.0108879
    const params = { kernel: tf.ones([1, 4]), recurrent: tf.fill([1, 4], 0.5), bias: tf.zeros([4]) }
    const net = lstm({ inputs: 1, hidden: 1, sequences: true })
    const [first, second] = values(net.apply(params, tf.tensor3d([[[1], [-1]]])))
    expect(first).toBeCloseTo(0.3696, 4)
    expect(second).toBeCloseTo(-0.01089, 4)
  })

  test('causal attention ignores later steps, and its first step attends to itself alone', () => {
    const net = attention({ features: 2 })
    const params = {
      project: tf.concat([tf.eye(2), tf.eye(2), tf.eye(2)], 1),
      projectBias: tf.zeros([6]),
      output: tf.eye(2),
      outputBias: tf.zeros([2]),
    }
    const x = tf.tensor3d([
      [
        [1, 2],
        [3, -1],
        [0, 5],
      ],
    ])
    const y = values(net.apply(params, x))
    expect(y.slice(0, 2)).toEqual([1, 2])
    const longer = values(net.apply(params, tf.concat([x, tf.ones([1, 1, 2])], 1)))
    expect(longer.slice(0, 6)).toEqual(y)
    // Step 2: q·k / √2 = (3 − 2)/√2 and (9 + 1)/√2; weights 1/(1 + e^{9/√2}) and the rest.
    const w = 1 / (1 + Math.exp(9 / Math.SQRT2))
    expect(y[2]).toBeCloseTo(w * 1 + (1 - w) * 3, 5)
  })

  test.each([
    ['tcn', tcn({ inputs: 1, channels: [2, 2] })],
    ['conv1d', conv1d({ inputs: 1, outputs: 2, window: 3, dilation: 2 })],
    ['transformer', transformerBlock({ features: 1 })],
    ['lstm', lstm({ inputs: 1, hidden: 2, sequences: true })],
    ['gru', gru({ inputs: 1, hidden: 2, sequences: true })],
  ] as [string, Net<unknown>][])('%s never looks ahead', (_, net) => {
    const params = toTensors(net.init(createRng(3)))
    const x = toTensors(leaf([2, 9, 1], 'past')) as tf.Tensor3D
    const changed = tf.concat([tf.slice(x, [0, 0, 0], [2, 6, 1]), tf.fill([2, 3, 1], 100)], 1)
    const past = (t: tf.Tensor) => values(tf.slice(t, [0, 0, 0], [2, 6, t.shape[2]!]))
    expect(past(net.apply(params, changed))).toEqual(past(net.apply(params, x)))
  })

  test.each([1, 2, 3])('conv2d of %i channels equals tfjs, and so does its gradient', (inputs) => {
    const net = conv2d({ inputs, outputs: 3, window: 3, stride: 2, bias: false })
    const kernel = toTensors(leaf([3, 3, inputs, 3], 'kernel')) as tf.Tensor4D
    const x = toTensors(leaf([2, 7, 6, inputs], 'image')) as tf.Tensor4D
    const ours = (image: tf.Tensor): tf.Tensor => tf.sin(net.apply({ kernel }, image))
    const theirs = (image: tf.Tensor): tf.Tensor => tf.sin(tf.conv2d(image as tf.Tensor4D, kernel, 2, 'same'))
    for (const of of [(f: typeof ours) => f(x), (f: typeof ours) => tf.grad(f)(x)]) {
      expect(tf.max(tf.abs(tf.sub(of(ours), of(theirs)))).dataSync()[0]).toBeLessThan(1e-5)
    }
  })

  test('embedding looks up rows, for each task in its own table', () => {
    const net = embedding({ symbols: 3, outputs: 1 })
    const table = tf.tensor3d([
      [[1], [2], [3]],
      [[10], [20], [30]],
    ])
    expect(
      values(
        net.apply(
          { table },
          tf.tensor2d(
            [
              [2, 0],
              [2, 0],
            ],
            [2, 2],
            'int32',
          ),
        ),
      ),
    ).toEqual([3, 1, 30, 10])
  })

  test('embedding, compiled, equals eager to second order', async () => {
    const net = sequential([
      embedding({ symbols: 5, outputs: 3 }),
      flatten(),
      dense({ inputs: 6, outputs: 1, activation: 'tanh' }),
    ]) as Net<unknown>
    const { leaves, build } = parameters(net, 'embedding')
    const x: TensorLeaf = { dtype: 'int32', shape: [3, 2], data: Int32Array.of(0, 4, 4, 1, 2, 4) }
    const loss = (list: readonly tf.Tensor[], at: tf.Tensor): tf.Scalar =>
      tf.sum(tf.square(net.apply(build(list), at))) as tf.Scalar
    const derivatives = (list: readonly tf.Tensor[], at: tf.Tensor): tf.Tensor[] => {
      const first = tf.grads((...own) => loss(own, at))([...list])
      const second = tf.grads((...own) => {
        const slopes = tf.grads((...inner) => loss(inner, at))(own)
        return slopes.map((slope) => tf.sum(tf.square(slope))).reduce((a, b) => tf.add(a, b)) as tf.Scalar
      })([...list])
      return [loss(list, at), ...first, ...second]
    }
    const run = compile(derivatives as never) as unknown as (
      list: readonly TensorLeaf[],
      at: TensorLeaf,
    ) => Promise<TensorLeaf[]>
    const compiled = await run(leaves, x)
    const eager = derivatives(leaves.map((one) => toTensors(one)) as tf.Tensor[], toTensors(x) as tf.Tensor)
    for (const [i, { data }] of compiled.entries()) {
      const expected = eager[i]!.dataSync()
      const norm = Math.hypot(...expected)
      for (const [j, value] of data.entries())
        expect(Math.abs(Number(value) - expected[j]!)).toBeLessThan(1e-5 * norm + 1e-9)
    }
  })

  test('embedding gradients count each use', () => {
    const net = embedding({ symbols: 3, outputs: 1 })
    const { gradient } = valueAndGradient(
      (p: { table: tf.Tensor }) => tf.sum(net.apply(p, tf.tensor1d([2, 0, 2], 'int32'))),
      { table: tf.tensor2d([[1], [2], [3]]) },
    )
    expect(values(gradient.table)).toEqual([1, 0, 2])
  })

  test('batch norm updates its averages: 0.9 · 0 + 0.1 · 2 and 0.9 · 1 + 0.1 · 2', () => {
    const net = batchNorm({ features: 1 })
    const params = toTensors(net.init(createRng(1)))
    const updates: NonNullable<NetContext['updates']> = []
    // mean 2; unbiased variance ((1 − 2)² + (3 − 2)²) / 1 = 2
    net.apply(params, tf.tensor2d([[1], [3]]), { training: true, updates })
    const next = withUpdates(params, updates)
    expect(next.mean!.dataSync()[0]).toBeCloseTo(0.2, 6)
    expect(next.variance!.dataSync()[0]).toBeCloseTo(1.1, 6)
    expect(next.scale).toBe(params.scale)
  })

  test('per-step batch norm moves the row of its step only', () => {
    const net = batchNorm({ features: 1, statistics: 'perStep', steps: 3, momentum: 0 })
    const params = toTensors(net.init(createRng(1)))
    const updates: NonNullable<NetContext['updates']> = []
    net.apply(params, tf.tensor2d([[1], [3]]), { training: true, step: 1, updates })
    const next = withUpdates(params, updates)
    expect(values(next.mean!)).toEqual([0, 2, 0])
    expect(() => net.apply(params, tf.ones([2, 1]), { step: 3 })).toThrow('step must be an integer from 0 to 2')
  })

  test('the same seed makes the same parameters, and each parameter its own numbers', () => {
    const net = mlp({ sizes: [4, 4, 4] })
    const [first, second] = [net.init(createRng(5)), net.init(createRng(5))]
    expect(first).toEqual(second)
    expect(first[0]!.kernel.data).not.toEqual(first[1]!.kernel.data)
    expect(net.init(createRng(6))).not.toEqual(first)
  })

  test('a wrong input says what was expected', () => {
    const net = dense({ inputs: 3, outputs: 1 })
    const params = toTensors(net.init(createRng(1)))
    expect(() => net.apply(params, tf.ones([2, 4]))).toThrow('last axis must be 3, got shape [2, 4]')
    expect(() => dense({ inputs: 2.5, outputs: 1 })).toThrow('inputs must be an integer ≥ 1, got 2.5')
    expect(() => attention({ features: 5, heads: 2 })).toThrow('multiple of heads')
  })
})
