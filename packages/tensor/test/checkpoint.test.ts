import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { averageTrees, checkpoint, compile, hessianVectorProduct, random, valueAndGradient } from '../src/index.ts'
import { floats, relativeError } from './support/arrays.ts'

const w = floats([4, 4], 1, -0.7, 0.7)
const x = floats([3, 4], 2)

/** One layer; `wrap` decides whether its inside is kept. */
type Layer = (h: tf.Tensor, w: tf.Tensor) => tf.Tensor
const layer: Layer = (h, v) => tf.sigmoid(tf.add(tf.tanh(tf.matMul(h, v)), tf.mul(0.3, h)))
const deep =
  (wrap: (one: Layer) => Layer, depth = 4) =>
  (v: tf.Tensor, h: tf.Tensor): tf.Tensor => {
    const one = wrap(layer)
    let out = h
    for (let i = 0; i < depth; i++) out = one(out, v)
    return tf.sum(tf.square(out))
  }
const plain = deep((one) => one)
const saving = deep(checkpoint)

/** Value, gradient, and the Hessian times the parameters themselves. */
const orders = (f: typeof plain) => (v: tf.Tensor, h: tf.Tensor) => {
  const { value, gradient } = valueAndGradient((p: tf.Tensor) => f(p, h), v)
  return [value, gradient, hessianVectorProduct((p: tf.Tensor) => f(p, h), v, v)]
}

describe('checkpoint', () => {
  test.each(['eager', 'compiled'] as const)(
    'values, gradients and second derivatives are unchanged, %s',
    async (execution) => {
      const [a, b] = [compile(orders(plain), { execution }), compile(orders(saving), { execution })]
      const [expected, actual] = [await a(w, x), await b(w, x)]
      expected.forEach((leaf, i) => {
        expect(relativeError(actual[i]!.data, leaf.data)).toBeLessThan(2e-6)
      })
      await a.dispose()
      await b.dispose()
    },
  )

  test('the gradient agrees with finite differences', () => {
    const at = (data: ArrayLike<number>): tf.Tensor => tf.tensor(Array.from(data), [4, 4])
    const value = (data: Float32Array): number =>
      tf.tidy(() => saving(at(data), tf.tensor(x.data, [3, 4])).dataSync()[0]!)
    const slope = tf.tidy(() =>
      tf
        .grad((v: tf.Tensor) => saving(v, tf.tensor(x.data, [3, 4])))(at(w.data))
        .dataSync()
        .slice(),
    )
    for (const i of [0, 5, 15]) {
      const [up, down] = [Float32Array.from(w.data), Float32Array.from(w.data)]
      up[i]! += 1e-2
      down[i]! -= 1e-2
      expect((value(up) - value(down)) / (up[i]! - down[i]!)).toBeCloseTo(slope[i]!, 3)
    }
  })

  test('a gradient that is taken inside it, as an inner loop does, is differentiated through', async () => {
    // One step of descent on Σ (x·w)³ and the gradient of what comes of it, by hand for numbers: w' = w − a·3x³w².
    const descend = (v: tf.Tensor, at: tf.Tensor): tf.Tensor =>
      tf.sub(v, tf.mul(0.1, valueAndGradient((p: tf.Tensor) => tf.sum(tf.pow(tf.mul(p, at), 3)), v).gradient))
    const step = checkpoint(descend)
    const slope = compile(
      (v: tf.Tensor, at: tf.Tensor) => valueAndGradient((p: tf.Tensor) => tf.sum(step(step(p, at), at)), v).gradient,
    )
    // w = 1, x = 1: w₁ = 0.7, w₂ = 0.7 − 0.3 · 0.49; dw₂/dw = (1 − 0.6 · 0.7)(1 − 0.6 · 1) = 0.58 · 0.4
    expect((await slope(1, 1)).data[0]).toBeCloseTo(0.232, 6)
    await slope.dispose()
  })

  test('the compiled graph computes the inside again, and fewer bytes are alive at once', async () => {
    const gradient = (f: typeof plain) =>
      compile((v: tf.Tensor, h: tf.Tensor) => valueAndGradient((p: tf.Tensor) => f(p, h), v).gradient)
    const big = floats([256, 4], 3)
    const long = (wrap: (one: Layer) => Layer) => gradient(deep(wrap, 24))
    const [kept, again] = [long((one) => one), long(checkpoint)]
    expect(relativeError((await again(w, big)).data, (await kept(w, big)).data)).toBeLessThan(1e-5)
    const [a, b] = [kept.explain()[0]!, again.explain()[0]!]
    // 24 layers hold their products, tanh, sums and sigmoids, or only what goes from layer to layer.
    expect(b.passes.at(-1)!.nodes).toBeGreaterThan(a.passes.at(-1)!.nodes + 24 * 3)
    expect(b.peakBytes).toBeLessThan(0.7 * a.peakBytes)
    await kept.dispose()
    await again.dispose()
  })

  test('trees go in and out, whole numbers pass through, and what is not used has the gradient zero', () => {
    const pick = checkpoint(({ v, rows }: { v: tf.Tensor; rows: tf.Tensor }, unused: tf.Tensor) => ({
      taken: tf.mul(tf.gather(v, tf.cast(rows, 'int32')), 3),
      rows,
      shape: unused.shape,
    }))
    const total = (p: { v: tf.Tensor; unused: tf.Tensor }) =>
      tf.sum(pick({ v: p.v, rows: tf.tensor1d([1, 1], 'int32') }, p.unused).taken)
    const { gradient } = valueAndGradient(total, { v: tf.tensor1d([1, 2, 3]), unused: tf.tensor1d([7]) })
    expect(Array.from(gradient.v.dataSync())).toEqual([0, 6, 0])
    expect(Array.from(gradient.unused.dataSync())).toEqual([0])
  })

  test('eager gradients leave nothing behind', () => {
    const [v, h] = [tf.tensor(w.data, [4, 4]), tf.tensor(x.data, [3, 4])]
    tf.dispose(tf.tidy(() => tf.grad((p: tf.Tensor) => saving(p, h))(v)))
    const before = tf.memory().numTensors
    tf.dispose(tf.tidy(() => tf.grad((p: tf.Tensor) => saving(p, h))(v)))
    expect(tf.memory().numTensors).toBe(before)
  })

  test('what would be wrong silently is refused', () => {
    const outside = tf.tensor1d([2])
    const captures = checkpoint((v: tf.Tensor) => tf.mul(v, outside))
    expect(() => tf.grad((v: tf.Tensor) => tf.sum(captures(v)))(tf.tensor1d([1]))).toThrow('Pass it as an argument')
    const draws = checkpoint((v: tf.Tensor) => tf.mul(v, random.normal([1])))
    expect(() => tf.grad((v: tf.Tensor) => tf.sum(draws(v)))(tf.tensor1d([1]))).toThrow('draws random numbers')
  })
})

test('averages are weighted, and weights that say nothing are refused', () => {
  const tree = (a: number) => [{ dtype: 'float32' as const, shape: [2], data: Float32Array.of(a, -a) }]
  // (1 · 2 + 3 · 6) / 4
  expect(Array.from(averageTrees([tree(2), tree(6)], [1, 3])[0]!.data)).toEqual([5, -5])
  expect(() => averageTrees([tree(1)], [0])).toThrow('sum above 0')
  expect(() => averageTrees([], [])).toThrow('as many trees')
})
