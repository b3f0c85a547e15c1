import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, test } from 'vitest'
import { compile } from '../src/index.ts'

beforeAll(() => tf.setBackend('cpu'))

// A batch without a row is a batch: a day without trades, a regime without samples.
const cases: readonly (readonly [string, (x: tf.Tensor) => tf.Tensor, number[]])[] = [
  ['elementwise', (x) => tf.tanh(tf.add(tf.mul(x, 2), 1)), [0, 3]],
  ['a sum over no row is 0', (x) => tf.sum(x, 0), [0, 3]],
  ['a product with a matrix', (x) => tf.matMul(x as tf.Tensor2D, tf.ones([3, 2])), [0, 3]],
  ['joined to rows', (x) => tf.concat([x, tf.ones([2, 3])], 0), [0, 3]],
  ['cut and reshaped', (x) => tf.reshape(tf.slice(x, [0, 1], [-1, 2]), [-1, 1, 2]), [0, 3]],
  ['transposed', (x) => tf.transpose(x), [0, 3]],
  ['broadcast', (x) => tf.add(x, tf.ones([1, 3])), [0, 3]],
  ['an empty inner axis', (x) => tf.sum(tf.exp(x), 1), [4, 0]],
]

describe('an axis of length 0, compiled, is what it is eagerly', () => {
  test.each(cases)('%s', async (_, fn, shape) => {
    const expected = tf.tidy(() => fn(tf.zeros(shape)))
    const run = compile(fn)
    const { shape: got, data } = await run({ dtype: 'float32', shape, data: new Float32Array(0) })
    expect(got).toEqual(expected.shape)
    expect(Array.from(data as Float32Array)).toEqual(Array.from(expected.dataSync()))
    await run.dispose()
  })

  test('a gradient at no row is empty', async () => {
    const slope = compile((x: tf.Tensor) => tf.grad((v) => tf.sum(tf.square(v)))(x))
    const { shape, data } = await slope({ dtype: 'float32', shape: [0, 2], data: new Float32Array(0) })
    expect([shape, data.length]).toEqual([[0, 2], 0])
    await slope.dispose()
  })
})
