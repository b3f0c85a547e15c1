import { arrayLeaf, cloneTree, type Dtype, isArrayLeaf } from '@regimen/core'
import { expect, it } from 'vitest'

it('arrayLeaf copies, converts lists and checks the size', () => {
  const source = new Float64Array([1, 2])
  const leaf = arrayLeaf('float64', [2], source)
  source[0] = 9
  expect(leaf).toEqual({ dtype: 'float64', shape: [2], data: new Float64Array([1, 2]) })
  expect(arrayLeaf('float32', [1], [0.1]).data[0]).toBe(Math.fround(0.1))
  expect(arrayLeaf('int64', [2]).data).toEqual(new BigInt64Array(2))
  expect(() => arrayLeaf('float64', [3], [1, 2])).toThrow('[core/tree] shape [3] needs 3 elements, got 2')
  expect(() => arrayLeaf('float64', [-1])).toThrow('shape must hold whole numbers of at least 0, got [-1]')
  expect(() => arrayLeaf('float16' as Dtype, [1])).toThrow('dtype is unknown, got "float16"')
})

it('isArrayLeaf accepts only what fits', () => {
  expect(isArrayLeaf(arrayLeaf('bool', [2], [0, 1]))).toBe(true)
  expect(isArrayLeaf({ dtype: 'bool', shape: [1], data: new Uint8Array([2]) })).toBe(false)
  expect(isArrayLeaf({ dtype: 'float32', shape: [1], data: new Float64Array(1) })).toBe(false)
  expect(isArrayLeaf({ dtype: 'float64', shape: [2], data: new Float64Array(1) })).toBe(false)
  expect(isArrayLeaf(null)).toBe(false)
})

it('cloneTree shares nothing and keeps NaN payloads', () => {
  const bits = new BigUint64Array([0x7ff0000000000001n])
  const tree = { list: [{ w: arrayLeaf('float64', [1], new Float64Array(bits.buffer)) }], n: 1n, none: null }
  const copy = cloneTree(tree)
  expect(copy).toEqual(tree)
  expect(copy.list[0]!.w.data.buffer).not.toBe(tree.list[0]!.w.data.buffer)
  expect(new BigUint64Array(copy.list[0]!.w.data.buffer)).toEqual(bits)
})
