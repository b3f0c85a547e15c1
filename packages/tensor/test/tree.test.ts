import type * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { flattenTree, mapTree, unflattenTree } from '../src/index.ts'
import { floats } from './support/arrays.ts'

test('a tree taken apart and put together is the same tree', () => {
  const tree = { a: floats([2]), list: [floats([1]), { deep: floats([]) }], name: 'net', none: null }
  const { leaves, paths, structure } = flattenTree(tree)
  expect(paths).toEqual(['a', 'list.0', 'list.1.deep'])
  expect(unflattenTree(structure, leaves)).toEqual(tree)
})

test('a lone leaf is a tree whose path is empty', () => {
  const leaf = floats([3])
  const { paths, structure } = flattenTree(leaf)
  expect(paths).toEqual([''])
  expect(unflattenTree(structure, [leaf])).toBe(leaf)
})

test('mapping several trees pairs their leaves, and refuses trees of other forms', () => {
  const sizes = mapTree(
    (a: { shape: readonly number[] }, b) => a.shape.length - b!.shape.length,
    { w: floats([2, 2]) },
    { w: floats([1]) },
  )
  expect(sizes).toEqual({ w: 1 })
  expect(() => mapTree((a: tf.Tensor) => a, { w: floats([1]) }, { v: floats([1]) })).toThrow(
    'leaves at w, another at v',
  )
})
