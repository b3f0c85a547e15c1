import { check, describe } from './errors.ts'

/** Element types that a leaf of a state tree may have. */
export type Dtype =
  | 'float64'
  | 'float32'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint32'
  | 'uint16'
  | 'uint8'
  | 'bool'
  | 'int64'
  | 'uint64'

/** The typed array that stores each {@link Dtype}; `bool` is one byte, 0 or 1. */
export interface DtypeArrays {
  float64: Float64Array
  float32: Float32Array
  int32: Int32Array
  int16: Int16Array
  int8: Int8Array
  uint32: Uint32Array
  uint16: Uint16Array
  uint8: Uint8Array
  bool: Uint8Array
  int64: BigInt64Array
  uint64: BigUint64Array
}

/** Any typed array that may stand in a leaf. */
export type TypedArray = DtypeArrays[Dtype]

/** An array with its shape, row-major: the one way in which numbers in bulk appear in a state. */
export type ArrayLeaf<D extends Dtype = Dtype> = {
  [K in D]: { readonly dtype: K; readonly shape: readonly number[]; readonly data: DtypeArrays[K] }
}[D]

/** State as data: what a snapshot may hold. No closures, class instances or live tensors. */
export type Tree =
  | null
  | boolean
  | number
  | string
  | bigint
  | ArrayLeaf
  | readonly Tree[]
  | { readonly [key: string]: Tree }

const CONSTRUCTORS: {
  readonly [D in Dtype]: { new (length: number): DtypeArrays[D]; readonly BYTES_PER_ELEMENT: number }
} = {
  float64: Float64Array,
  float32: Float32Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
}

/** How many bytes one element takes. */
export function bytesPerElement(dtype: Dtype): number {
  return CONSTRUCTORS[dtype].BYTES_PER_ELEMENT
}

/** Whether a string names a {@link Dtype}. */
export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(CONSTRUCTORS, name)
}

/** A zeroed typed array of the dtype's kind. */
export function allocate<D extends Dtype>(dtype: D, length: number): DtypeArrays[D] {
  return new CONSTRUCTORS[dtype](length)
}

/** The number of elements that a shape describes; 1 for the empty shape. */
export function sizeOfShape(shape: readonly number[]): number {
  let size = 1
  for (const side of shape) size *= side
  return size
}

/** The raw bytes of a typed array, as a view and not a copy. */
export function rawBytes(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/**
 * Makes an array leaf of a state tree from a shape and, optionally, its numbers in row-major order; zeros when they are
 * omitted. The numbers are copied, so a leaf never aliases a buffer that goes on changing. `bool` holds 0 and 1.
 *
 * ```ts
 * import { arrayLeaf } from '@regimen/core'
 *
 * const means = arrayLeaf('float64', [2, 2], [1, 2, 3, 4])
 * means.data // => new Float64Array([1, 2, 3, 4])
 * arrayLeaf('bool', [3]).data.length // => 3
 * ```
 */
export function arrayLeaf<D extends Dtype>(
  dtype: D,
  shape: readonly number[],
  data?: DtypeArrays[D] | readonly DtypeArrays[D][number][],
): { readonly dtype: D; readonly shape: readonly number[]; readonly data: DtypeArrays[D] } {
  check(isDtype(dtype), 'core/tree', () => `dtype is unknown, got ${describe(dtype)}.`, 'Pass float64, int32, bool, …')
  check(
    shape.every((side) => Number.isSafeInteger(side) && side >= 0),
    'core/tree',
    () => `shape must hold whole numbers of at least 0, got ${describe(shape)}.`,
  )
  const size = sizeOfShape(shape)
  check(
    data === undefined || data.length === size,
    'core/tree',
    () => `shape [${shape.join(', ')}] needs ${size} elements, got ${data?.length}.`,
  )
  const copy = allocate(dtype, size)
  if (data !== undefined && ArrayBuffer.isView(data) && kindOf(data) === kindOf(copy)) {
    // Byte for byte, because reading a float may quieten a signalling NaN.
    rawBytes(copy).set(rawBytes(data))
  } else if (data !== undefined) {
    for (let i = 0; i < size; i++) copy[i] = data[i] as DtypeArrays[D][number]
  }
  return { dtype, shape: [...shape], data: copy }
}

/**
 * Whether a value is an array leaf: `{ dtype, shape, data }` with a typed array that fits both.
 *
 * ```ts
 * import { arrayLeaf, isArrayLeaf } from '@regimen/core'
 *
 * isArrayLeaf(arrayLeaf('int32', [2])) // => true
 * isArrayLeaf([1, 2]) // => false
 * ```
 */
export function isArrayLeaf(value: unknown): value is ArrayLeaf {
  return looksLikeLeaf(value) && leafProblem(value) === undefined
}

/**
 * Copies a tree so that nothing in it is shared with the original; typed arrays are copied bit for bit.
 *
 * ```ts
 * import { arrayLeaf, cloneTree } from '@regimen/core'
 *
 * const state = { count: 1, mean: arrayLeaf('float64', [1], [2]) }
 * const copy = cloneTree(state)
 * copy.mean.data[0] = 9
 * state.mean.data[0] // => 2
 * ```
 */
export function cloneTree<T extends Tree>(tree: T): T {
  return clone(tree) as T
}

function clone(tree: Tree): Tree {
  if (tree === null || typeof tree !== 'object') return tree
  if (Array.isArray(tree)) return tree.map(clone)
  if (looksLikeLeaf(tree)) {
    const data = allocate(tree.dtype, tree.data.length)
    rawBytes(data).set(rawBytes(tree.data))
    return { dtype: tree.dtype, shape: [...tree.shape], data } as ArrayLeaf
  }
  const copy: { [key: string]: Tree } = {}
  for (const [key, value] of Object.entries(tree)) setOwn(copy, key, clone(value))
  return copy
}

/** Sets a key without ever touching the prototype, whatever the key is called. */
export function setOwn(target: { [key: string]: Tree }, key: string, value: Tree): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
  } else target[key] = value
}

/** Whether a value is meant as an array leaf: a typed array under `data` beside a dtype and a shape. */
export function looksLikeLeaf(value: unknown): value is ArrayLeaf {
  if (value === null || typeof value !== 'object') return false
  const leaf = value as Partial<ArrayLeaf>
  return ArrayBuffer.isView(leaf.data) && typeof leaf.dtype === 'string' && Array.isArray(leaf.shape)
}

/** What is wrong with something that looks like a leaf; undefined when nothing is. */
export function leafProblem(leaf: ArrayLeaf): string | undefined {
  const { dtype, shape, data } = leaf
  if (!isDtype(dtype)) return `has the unknown dtype ${describe(dtype)}`
  if (!shape.every((side) => Number.isSafeInteger(side) && side >= 0)) return `has the impossible shape [${shape}]`
  const kind = kindOf(allocate(dtype, 0))
  if (kindOf(data) !== kind) return `is ${dtype} and needs a ${kind}, got ${describe(data)}`
  if (sizeOfShape(shape) !== data.length) {
    return `has shape [${shape.join(', ')}] and needs ${sizeOfShape(shape)} elements, got ${data.length}`
  }
  if (dtype === 'bool') {
    const at = (data as Uint8Array).findIndex((byte) => byte > 1)
    if (at >= 0) return `is bool and may hold only 0 and 1, got ${data[at]} at ${at}`
  }
  return undefined
}

// By tag and not by instanceof, so that arrays of another realm count.
function kindOf(data: ArrayBufferView): string {
  return (data as Uint8Array)[Symbol.toStringTag]
}
