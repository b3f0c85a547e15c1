import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { openReference, runReference } from '../src/compile/reference.ts'
import { compile, type TensorLeaf } from '../src/index.ts'
import { relativeError } from './support/arrays.ts'
import { KERNEL_CASES } from './support/kernel-cases.ts'

describe('the interpreter in double precision agrees with tfjs', () => {
  for (const { kernel, note, fn, inputs } of KERNEL_CASES) {
    test(note ? `${kernel} ${note}` : kernel, async () => {
      const expected = [await compile(fn, { execution: 'eager' })(...inputs)].flat() as TensorLeaf[]
      const reference = await openReference(fn, inputs)
      const actual = reference.run(inputs.map(({ data }) => Float64Array.from(data)))
      actual.forEach((data, i) => {
        expect(relativeError(data, expected[i]!.data)).toBeLessThan(1e-5)
      })
    })
  }
})

test('double precision: a difference that float32 cannot see', async () => {
  const input = { shape: [1], data: Float64Array.of(1 + 1e-12) }
  const result = (await runReference((x: tf.Tensor) => tf.sub(x, 1), [input])) as { data: Float64Array }
  // 1 + 1e-12 is stored to 2.2e-16.
  expect(Math.abs(result.data[0]! - 1e-12)).toBeLessThan(2.3e-16)
})

test('its derivatives agree with its own finite differences to 1e-7', async () => {
  const f = (x: tf.Tensor): tf.Tensor => tf.sum(tf.mul(x, tf.sigmoid(x)))
  const x = Float64Array.of(-1.3, 0.2, 0.9)
  const args = [{ dtype: 'float32', shape: [3], data: Float32Array.from(x) }]
  const value = await openReference(f, args)
  const [slope] = (await openReference((v: tf.Tensor) => tf.grad(f)(v), args)).run([x])
  const h = 1e-5
  slope!.forEach((d, i) => {
    const at = (shift: number): number => value.run([x.map((v, j) => (i === j ? v + shift : v))])[0]![0]!
    expect(Math.abs((at(h) - at(-h)) / (2 * h) - d)).toBeLessThan(1e-7)
  })
})
