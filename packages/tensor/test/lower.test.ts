import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { LOWERINGS } from '../src/compile/lower/index.ts'
import { compile, type TensorLeaf } from '../src/index.ts'
import { floats, relativeError } from './support/arrays.ts'
import { KERNEL_CASES } from './support/kernel-cases.ts'

describe('every kernel with a lowering, compiled against eager', () => {
  for (const { kernel, note, fn, inputs } of KERNEL_CASES) {
    test(note ? `${kernel} ${note}` : kernel, async () => {
      const eager = compile(fn, { execution: 'eager' })
      const compiled = compile(fn)
      const expected = [await eager(...inputs)].flat() as TensorLeaf[]
      const actual = [await compiled(...inputs)].flat() as TensorLeaf[]
      await compiled.dispose()
      expect(actual.length).toBe(expected.length)
      actual.forEach((result, i) => {
        expect(result.dtype).toBe(expected[i]!.dtype)
        expect([...result.shape]).toEqual([...expected[i]!.shape])
        expect(relativeError(result.data, expected[i]!.data)).toBeLessThan(1e-5)
      })
    })
  }

  test('Cumsum along a negative axis, which eager tfjs gives a wrong shape', async () => {
    const compiled = compile((v: tf.Tensor) => tf.cumsum(v, -2))
    const { data, shape } = await compiled({
      dtype: 'float32',
      shape: [1, 2, 3],
      data: Float32Array.of(1, 2, 3, 4, 5, 6),
    })
    await compiled.dispose()
    expect([...shape]).toEqual([1, 2, 3])
    // down the rows: 1 + 4, 2 + 5, 3 + 6
    expect(Array.from(data)).toEqual([1, 2, 3, 5, 7, 9])
  })

  test('Select of whole rows, which eager tfjs computes wrongly, is refused by name', async () => {
    const rows = (condition: tf.Tensor, t: tf.Tensor, e: tf.Tensor): tf.Tensor =>
      tf.engine().runKernel('Select', { condition, t, e }) as tf.Tensor
    await expect(compile(rows)(Uint8Array.of(1, 0), floats([2, 3], 1), floats([2, 3], 2))).rejects.toThrow(
      'the tfjs kernel Select',
    )
  })

  const modes = [
    [false, false],
    [true, false],
    [false, true],
  ] as const
  for (const [corners, half] of modes) {
    test(`resizing has its exact adjoint, also where eager tfjs's is wrong (corners ${corners}, half pixels ${half})`, async () => {
      for (const resize of [tf.image.resizeBilinear, tf.image.resizeNearestNeighbor]) {
        const forward = compile((x: tf.Tensor) => resize(x as tf.Tensor4D, [4, 11], corners, half))
        const back = compile((x: tf.Tensor, dy: tf.Tensor) =>
          tf.grad((v: tf.Tensor) => resize(v as tf.Tensor4D, [4, 11], corners, half))(x, dy),
        )
        const x = floats([2, 7, 6, 3], 1)
        const dy = floats([2, 4, 11, 3], 2)
        const y = await forward(x)
        const dx = await back(x, dy)
        await forward.dispose()
        await back.dispose()
        // <dy, R x> = <R' dy, x> for all x and dy is what makes R' the adjoint.
        const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
          Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0)
        expect(dx.shape).toEqual(x.shape)
        expect(dot(dy.data, y.data)).toBeCloseTo(dot(dx.data, x.data), 4)
      }
    })
  }

  test('no lowering is without a case', () => {
    const covered = new Set(KERNEL_CASES.map(({ kernel }) => kernel))
    expect(Object.keys(LOWERINGS).filter((kernel) => !covered.has(kernel))).toEqual([])
  })
})
