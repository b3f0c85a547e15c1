import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { compile, type TensorLeaf, useBackend } from '../src/index.ts'
import { floats, relativeError } from './support/arrays.ts'
import { KERNEL_CASES } from './support/kernel-cases.ts'

const full = process.env.REGIMEN_FULL === '1'
const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu

/** Each case starts a session, so a page tries every eighth unless all were asked for. */
const cases = KERNEL_CASES.filter((_, i) => full || i % 8 === 0)

describe.skipIf(!gpu)('on WebGPU in a page', () => {
  for (const { kernel, note, fn, inputs } of cases) {
    test(`${note ? `${kernel} ${note}` : kernel}, compiled for the card, equals eager tfjs`, async () => {
      await useBackend('cpu')
      const eager = compile(fn, { execution: 'eager' })
      const compiled = compile(fn, { device: 'gpu' })
      const expected = [await eager(...inputs)].flat() as TensorLeaf[]
      const actual = [await compiled(...inputs)].flat() as TensorLeaf[]
      const { device } = compiled.explain()[0]!
      await compiled.dispose()
      expect(device).toMatchObject({ chosen: 'gpu', provider: 'webgpu' })
      actual.forEach((result, i) => {
        expect(result.dtype).toBe(expected[i]!.dtype)
        expect([...result.shape]).toEqual([...expected[i]!.shape])
        expect(relativeError(result.data, expected[i]!.data)).toBeLessThan(3e-4)
      })
    })
  }

  test("tfjs's own backend for WebGPU computes the gradient of a small net", async () => {
    const numbers = (leaf: TensorLeaf): tf.Tensor => tf.tensor(leaf.data, [...leaf.shape])
    const slope = async (): Promise<ArrayLike<number>> => {
      const [w, x] = [numbers(floats([6, 4], 1)), numbers(floats([5, 6], 2))]
      const g = tf.tidy(() =>
        tf.grad((v: tf.Tensor) => tf.mean(tf.square(tf.tanh(tf.matMul(x as tf.Tensor2D, v as tf.Tensor2D)))))(w),
      )
      const data = await g.data()
      tf.dispose([w, x, g])
      return data
    }
    await useBackend('cpu')
    const expected = await slope()
    expect((await useBackend('webgpu')).backend).toBe('webgpu')
    const before = tf.memory().numTensors
    expect(relativeError(await slope(), expected)).toBeLessThan(3e-4)
    expect(tf.memory().numTensors).toBe(before)
    await useBackend('cpu')
  })
})
