import { arrayLeaf, type Dtype, describe, hashTree, isArrayLeaf, type Tree } from '@regimen/core'
import { ContractError } from './contract-error.ts'

/**
 * Turns what an algorithm takes or answers into a tree, so that it can be copied and compared bit for bit: bare typed arrays
 * become leaves, `undefined` becomes null. Anything else that is no data is a contract error.
 */
export function asTree(value: unknown, path = 'value'): Tree {
  if (value === undefined || value === null) return null
  if (typeof value !== 'object') {
    if (typeof value === 'function' || typeof value === 'symbol') throw noData(value, path)
    return value as Tree
  }
  if (isArrayLeaf(value)) return value
  if (ArrayBuffer.isView(value)) {
    const dtype = DTYPES[(value as Uint8Array)[Symbol.toStringTag]]
    if (dtype === undefined) throw noData(value, path)
    const data = value as Float64Array
    return arrayLeaf(dtype as 'float64', [data.length], data) as Tree
  }
  if (Array.isArray(value)) return value.map((item, i) => asTree(item, `${path}[${i}]`))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) throw noData(value, path)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asTree(item, `${path}.${key}`)]))
}

/** The hash of {@link asTree}: equal exactly when two values are the same bit for bit. */
export function fingerprint(value: unknown): string {
  return hashTree(asTree(value))
}

/** Where two values differ first, as a sentence; undefined when they are the same bit for bit. */
export function difference(got: unknown, expected: unknown): string | undefined {
  const a = asTree(got)
  const b = asTree(expected)
  return hashTree(a) === hashTree(b) ? undefined : locate(a, b, '')
}

/** Whether a NaN hides anywhere in a value, and where. */
export function findNaN(value: unknown, path = ''): string | undefined {
  if (typeof value === 'number') return Number.isNaN(value) ? path || 'the value itself' : undefined
  if (value === null || typeof value !== 'object') return undefined
  if (ArrayBuffer.isView(value)) {
    if (!(value instanceof Float64Array || value instanceof Float32Array)) return undefined
    const at = value.findIndex((x) => Number.isNaN(x))
    return at < 0 ? undefined : `${path}[${at}]`
  }
  for (const [key, item] of Object.entries(value)) {
    const found = findNaN(item, `${path}.${key}`)
    if (found) return found
  }
  return undefined
}

const DTYPES: { readonly [tag: string]: Dtype | undefined } = {
  Float64Array: 'float64',
  Float32Array: 'float32',
  Int32Array: 'int32',
  Int16Array: 'int16',
  Int8Array: 'int8',
  Uint32Array: 'uint32',
  Uint16Array: 'uint16',
  Uint8Array: 'uint8',
  BigInt64Array: 'int64',
  BigUint64Array: 'uint64',
}

function locate(a: Tree, b: Tree, path: string): string {
  const here = path || 'the value'
  if (isArrayLeaf(a) && isArrayLeaf(b)) {
    if (a.dtype !== b.dtype || `${a.shape}` !== `${b.shape}`) {
      return `${here} is ${a.dtype} [${a.shape}] and should be ${b.dtype} [${b.shape}]`
    }
    for (let i = 0; i < a.data.length; i++) {
      if (!Object.is(a.data[i], b.data[i])) return `${here}[${i}] is ${a.data[i]} and should be ${b.data[i]}`
    }
    return `${here} differs in the payload of a NaN`
  }
  if (isBranch(a) && isBranch(b)) {
    const left = a as { readonly [key: string]: Tree }
    const right = b as { readonly [key: string]: Tree }
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
      const at = Array.isArray(a) ? `${path}[${key}]` : `${path}.${key}`
      if (!Object.hasOwn(left, key)) return `${at} is missing`
      if (!Object.hasOwn(right, key)) return `${at} should not be there`
      if (hashTree(left[key]!) !== hashTree(right[key]!)) return locate(left[key]!, right[key]!, at)
    }
  }
  return `${here} is ${describe(a)} and should be ${describe(b)}`
}

function isBranch(tree: Tree): boolean {
  return typeof tree === 'object' && tree !== null && !isArrayLeaf(tree)
}

function noData(value: unknown, path: string): ContractError {
  return new ContractError('what goes in and comes out is data', `${path} is ${describe(value)}; pass a \`view\`.`)
}
