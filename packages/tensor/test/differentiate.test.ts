import { createRng } from '@regimen/core'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, test } from 'vitest'
import {
  addTaskAxis,
  compile,
  hessianVectorProduct,
  meanSquaredError,
  mlp,
  perSampleGradients,
  sgd,
  toTensors,
  valueAndGradient,
} from '../src/index.ts'

beforeAll(() => tf.setBackend('cpu'))

test('f(a, b) = a² b: value 12, gradient (2ab, a²) = (12, 4); an unused leaf gets zeros', () => {
  const params = { a: tf.scalar(2), b: tf.scalar(3), unused: tf.ones([2]) }
  const { value, gradient } = valueAndGradient((p) => tf.mul(tf.square(p.a), p.b), params)
  expect(value.dataSync()[0]).toBe(12)
  expect([gradient.a.dataSync()[0], gradient.b.dataSync()[0]]).toEqual([12, 4])
  expect(Array.from(gradient.unused.dataSync())).toEqual([0, 0])
})

test('aux survives the tape, and differentiates in an outer pass', () => {
  // inner: value w², aux 5w; outer: d(aux)/dw = 5
  const outer = valueAndGradient(
    (p: { w: tf.Tensor }) => {
      const inner = valueAndGradient((q: { w: tf.Tensor }) => [tf.square(q.w), { five: tf.mul(q.w, 5) }] as const, p)
      return inner.aux.five
    },
    { w: tf.scalar(3) },
  )
  expect(outer.value.dataSync()[0]).toBe(15)
  expect(outer.gradient.w.dataSync()[0]).toBe(5)
})

test('no tensor is left behind', () => {
  const params = { w: tf.tensor1d([1, 2]) }
  const before = tf.memory().numTensors
  tf.tidy(() => {
    valueAndGradient((p) => [tf.sum(tf.sigmoid(p.w)), { aux: tf.exp(p.w) }] as const, params)
  })
  expect(tf.memory().numTensors).toBe(before)
})

test('Hessian of x²y at (2, 3): [[2y, 2x], [2x, 0]] · (1, 10) = (6 + 40, 4)', () => {
  const params = { x: tf.scalar(2), y: tf.scalar(3) }
  const product = hessianVectorProduct((p) => tf.mul(tf.square(p.x), p.y), params, {
    x: tf.scalar(1),
    y: tf.scalar(10),
  })
  expect(product.x.dataSync()[0]).toBeCloseTo(46, 5)
  expect(product.y.dataSync()[0]).toBeCloseTo(4, 5)
})

test('per-sample gradients equal a loop over the samples, and their mean the gradient of the batch', () => {
  const net = mlp({ sizes: [3, 4, 2], activation: 'tanh' })
  const params = toTensors(net.init(createRng(1)))
  const rng = createRng(2)
  const x = tf.tensor2d(
    Array.from({ length: 15 }, () => rng.normal()),
    [5, 3],
  )
  const y = tf.tensor2d(
    Array.from({ length: 10 }, () => rng.normal()),
    [5, 2],
  )
  const all = perSampleGradients(
    (p: typeof params, a, b) => meanSquaredError(net.apply(p, a), b, { perTask: true }),
    params,
    x,
    y,
  )
  for (let i = 0; i < 5; i++) {
    const one = (t: tf.Tensor2D) => tf.slice(t, [i, 0], [1, -1])
    const { gradient } = valueAndGradient((p) => meanSquaredError(net.apply(p, one(x)), one(y)), params)
    for (const layer of [0, 1]) {
      const got = tf.gather(all[layer]!.kernel, i)
      expect(tf.max(tf.abs(tf.sub(got, gradient[layer]!.kernel))).dataSync()[0]).toBeLessThan(1e-6)
    }
  }
  const { gradient } = valueAndGradient((p) => meanSquaredError(net.apply(p, x), y), params)
  const mean = tf.mean(all[0]!.bias!, 0)
  expect(tf.max(tf.abs(tf.sub(mean, gradient[0]!.bias!))).dataSync()[0]).toBeLessThan(1e-6)
})

test('a loss that mixes the samples is refused', () => {
  expect(() => perSampleGradients((p: tf.Tensor) => tf.sum(p), tf.ones([1]), tf.ones([3, 1]), tf.ones([3, 1]))).toThrow(
    'Pass { perTask: true }',
  )
})

test('the gradient of a repeated parameter is the sum over its copies', () => {
  const { gradient } = valueAndGradient(
    (p: { w: tf.Tensor }) => {
      const copies = addTaskAxis(p, 3)
      return tf.sum(tf.mul(copies.w, tf.tensor2d([[1], [10], [100]])))
    },
    { w: tf.tensor1d([2]) },
  )
  expect(gradient.w.dataSync()[0]).toBe(111)
})

test('a meta-gradient over a task axis is the sum over the tasks, each adapted on its own', async () => {
  const net = mlp({ sizes: [1, 5, 1], activation: 'tanh' })
  const params = net.init(createRng(4))
  type Params = Parameters<typeof net.apply>[0]
  const rng = createRng(5)
  const numbers = (size: number) => Float32Array.from({ length: size }, () => rng.normal())
  const data = [0, 1, 2, 3].map(() => ({ dtype: 'float32' as const, shape: [3, 4, 1], data: numbers(12) }))

  // One second-order inner step, then the loss on the query samples.
  const adapted = (p: Params, [x, y, qx, qy]: tf.Tensor[], perTask: boolean) => {
    const inner = (q: Params) => tf.sum(meanSquaredError(net.apply(q, x!), y!, { perTask }))
    const { gradient } = valueAndGradient(inner, p)
    const moved = sgd().apply(p, { gradients: gradient, state: {}, rate: 0.1 }).params
    return tf.sum(meanSquaredError(net.apply(moved, qx!), qy!, { perTask }))
  }
  const together = compile((p: Params, batch: tf.Tensor[]) => {
    return valueAndGradient((q: Params) => adapted(addTaskAxis(q, 3), batch, true), p).gradient
  })
  const found = await together(params, data)
  await together.dispose()
  tf.tidy(() => {
    const separate = [0, 1, 2].map((task) => {
      const own = data.map((leaf) => tf.gather(toTensors(leaf), task))
      return valueAndGradient((q: Params) => adapted(q, own, false), toTensors(params)).gradient
    })
    for (const layer of [0, 1]) {
      const sum = tf.addN(separate.map((gradient) => gradient[layer]!.kernel)).dataSync()
      found[layer]!.kernel.data.forEach((value, i) => {
        expect(Number(value)).toBeCloseTo(sum[i]!, 5)
      })
    }
  })
})
