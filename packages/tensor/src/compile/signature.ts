import { describe, RegimenError } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { isRecord, type TensorDtype } from '../tree.ts'
import { DeviceArray } from './runtime/device-array.ts'

export type Numbers = Float32Array | Int32Array | Uint8Array

/** What a call's arguments look like, numbers aside: the key under which a compiled graph is kept. */
export interface Signature {
  readonly key: string
  readonly specs: readonly InputSpec[]
  /** Builds arguments of this form, with a tensor of `make`'s for each leaf. */
  build(make: (shape: readonly number[], dtype: TensorDtype) => tf.Tensor): unknown[]
}

/** Where an input sits among the arguments, and its type. */
export interface InputSpec {
  readonly path: string
  readonly shape: readonly number[]
  readonly dtype: TensorDtype
}

/** One call's arguments taken apart: the leaves' numbers in order, and the key of their form. */
export interface ReadArguments {
  readonly key: string
  readonly leaves: InputLeaf[]
}

/** One input. Tensors are read late, so that a call with typed arrays never touches tfjs. */
export interface InputLeaf {
  shape: readonly number[]
  readonly dtype: TensorDtype
  data: Numbers | tf.Tensor | DeviceArray | undefined
}

/** Reads the arguments of a call. It runs at every call, so it builds no paths. */
export function readArguments(args: readonly unknown[]): ReadArguments {
  const leaves: InputLeaf[] = []
  let key = ''
  const walk = (node: unknown): void => {
    const leaf = readLeaf(node)
    if (leaf) {
      leaves.push(leaf)
      key += `${leaf.dtype[0]}${leaf.shape.join('x')};`
    } else if (Array.isArray(node)) {
      key += '['
      for (let i = 0; i < node.length; i++) walk(node[i])
      key += ']'
    } else if (isRecord(node)) {
      key += '{'
      for (const name in node) {
        key += `${name}:`
        walk(node[name])
      }
      key += '}'
    } else {
      key += `${staticKey(node)};`
    }
  }
  for (let i = 0; i < args.length; i++) walk(args[i])
  return { key, leaves }
}

/** The form of a call's arguments, with paths. `shapes` replaces the leaves' own shapes (padding). */
export function signatureOf(args: readonly unknown[], key: string, shapes?: readonly (readonly number[])[]): Signature {
  const specs: InputSpec[] = []
  const collect = (node: unknown, path: string): void => {
    const leaf = readLeaf(node)
    if (leaf) specs.push({ path, shape: shapes?.[specs.length] ?? leaf.shape, dtype: leaf.dtype })
    else if (Array.isArray(node)) for (let i = 0; i < node.length; i++) collect(node[i], `${path}.${i}`)
    else if (isRecord(node)) for (const name in node) collect(node[name], `${path}.${name}`)
  }
  args.forEach((arg, i) => {
    collect(arg, String(i))
  })
  // The closure must not keep the first call's numbers alive, so it keeps a copy of the form only.
  const form = args.map(formOf)
  const build = (make: (shape: readonly number[], dtype: TensorDtype) => tf.Tensor): unknown[] => {
    let next = 0
    const rebuild = (node: unknown): unknown => {
      if (node === LEAF) {
        const spec = specs[next++]!
        return make(spec.shape, spec.dtype)
      }
      if (Array.isArray(node)) return node.map(rebuild)
      if (!isRecord(node)) return node
      const record: Record<string, unknown> = {}
      for (const name in node) record[name] = rebuild(node[name])
      return record
    }
    return form.map(rebuild)
  }
  return { key, specs, build }
}

const LEAF = Symbol('leaf')

function formOf(node: unknown): unknown {
  if (readLeaf(node)) return LEAF
  if (Array.isArray(node)) return node.map(formOf)
  if (!isRecord(node)) return node
  const record: Record<string, unknown> = {}
  for (const name in node) record[name] = formOf(node[name])
  return record
}

function readLeaf(node: unknown): InputLeaf | undefined {
  if (typeof node === 'number') return { shape: [], dtype: 'float32', data: Float32Array.of(node) }
  if (typeof node !== 'object' || node === null) return undefined
  if (node instanceof DeviceArray) return { shape: node.shape, dtype: node.dtype, data: node }
  if (node instanceof Float32Array) return { shape: [node.length], dtype: 'float32', data: node }
  if (node instanceof Int32Array) return { shape: [node.length], dtype: 'int32', data: node }
  if (node instanceof Uint8Array) return { shape: [node.length], dtype: 'bool', data: node }
  if (ArrayBuffer.isView(node)) throw wrongDtype(node.constructor.name)
  const leaf = node as { dtype?: unknown; shape?: unknown; data?: unknown; dataId?: unknown }
  if (typeof leaf.dtype !== 'string' || !Array.isArray(leaf.shape)) return undefined
  const isTensor = leaf.dataId !== undefined && node instanceof tf.Tensor
  if (!isTensor && leaf.data !== undefined && !ArrayBuffer.isView(leaf.data)) return undefined
  const shape = leaf.shape as number[]
  const dtype = leaf.dtype
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') throw wrongDtype(dtype)
  if (isTensor) return { shape, dtype, data: node }
  const data = leaf.data as Numbers | undefined
  if (data !== undefined) {
    if (!(data instanceof TYPES[dtype])) throw wrongDtype(`${dtype} with ${describe(data)} as data`)
    if (data.length !== sizeOf(shape)) {
      throw new RegimenError(
        `an input of shape [${shape.join(', ')}] needs ${sizeOf(shape)} numbers, got ${data.length}.`,
        { code: 'INVALID_ARGUMENT', where: 'tensor/compile', hint: 'Pass data that fills the shape.' },
      )
    }
  }
  return { shape, dtype, data }
}

const TYPES = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }

function wrongDtype(got: string): RegimenError {
  return new RegimenError(`an input must be float32, int32 or bool, got ${got}.`, {
    code: 'DTYPE',
    where: 'tensor/compile',
    hint: 'Convert it: Float32Array.from(values).',
  })
}

function staticKey(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'bigint') {
    return String(value)
  }
  throw new RegimenError(`arguments must be trees of tensors and plain values, got ${describe(value)}.`, {
    code: 'INVALID_ARGUMENT',
    where: 'tensor/compile',
    hint: 'Close over functions and class instances instead of passing them.',
  })
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1
  for (let i = 0; i < shape.length; i++) size *= shape[i]!
  return size
}

/** Zeros in the typed array that stores a dtype. */
export function zeros(dtype: TensorDtype, shape: readonly number[]): Numbers {
  return new TYPES[dtype](sizeOf(shape))
}
