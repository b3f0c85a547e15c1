import '@tensorflow/tfjs'
import { describe, expect, test } from 'vitest'
import { LOWERINGS } from '../src/compile/lower/index.ts'
import { compile, type TensorLeaf } from '../src/index.ts'
import { relativeError } from './support/arrays.ts'
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

  test('no lowering is without a case', () => {
    const covered = new Set(KERNEL_CASES.map(({ kernel }) => kernel))
    expect(Object.keys(LOWERINGS).filter((kernel) => !covered.has(kernel))).toEqual([])
  })
})
