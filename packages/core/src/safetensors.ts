import { check, describe, RegimenError } from './errors.ts'
import {
  type ArrayLeaf,
  allocate,
  bytesPerElement,
  type Dtype,
  leafProblem,
  looksLikeLeaf,
  rawBytes,
  setOwn,
  sizeOfShape,
  type Tree,
} from './tree.ts'

/** What a safetensors file holds. */
export interface Safetensors {
  /** Tensors by name. */
  readonly tensors: { readonly [name: string]: ArrayLeaf }
  /** Free text by key, from the file's `__metadata__`. */
  readonly metadata: { readonly [key: string]: string }
}

const WHERE = 'core/safetensors'
// The limit of the format's reference implementation.
const MAX_HEADER = 100_000_000

const NAMES: { readonly [D in Dtype]: string } = {
  float64: 'F64',
  float32: 'F32',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
}
const DTYPES = new Map<string, Dtype>(Object.entries(NAMES).map(([dtype, name]) => [name, dtype as Dtype]))

/**
 * Writes tensors in the safetensors format, which Python, Rust and most model hubs read: the length of the header as a 64-bit
 * integer, the header in JSON, then the raw little-endian bytes. The header is padded so that the data starts at a multiple
 * of 8, and wide elements come first, so that every tensor is aligned; equal input gives equal bytes. Use it to exchange
 * weights; use `encodeSnapshot` for a whole model with its configuration.
 *
 * ```ts
 * import { arrayLeaf, decodeSafetensors, encodeSafetensors } from '@regimen/core'
 *
 * const w = arrayLeaf('float32', [2, 2], [1, 2, 3, 4])
 * const bytes = encodeSafetensors({ w }, { trained: 'yes' })
 * decodeSafetensors(bytes) // => { tensors: { w }, metadata: { trained: 'yes' } }
 * ```
 *
 * Reference: https://huggingface.co/docs/safetensors
 */
export function encodeSafetensors(
  tensors: { readonly [name: string]: ArrayLeaf },
  metadata: { readonly [key: string]: string } = {},
): Uint8Array {
  const entries = Object.entries(tensors)
  for (const [name, leaf] of entries) {
    check(name !== '__metadata__', WHERE, () => 'a tensor cannot be called "__metadata__".', 'Rename it.')
    const problem = looksLikeLeaf(leaf) ? leafProblem(leaf) : `must be an array leaf, got ${describe(leaf)}`
    check(problem === undefined, WHERE, () => `tensors.${name} ${problem}.`, 'Pass arrayLeaf(dtype, shape, data).')
  }
  for (const [key, text] of Object.entries(metadata)) {
    check(typeof text === 'string', WHERE, () => `metadata.${key} must be a string, got ${describe(text)}.`)
  }
  entries.sort(([a, x], [b, y]) => bytesPerElement(y.dtype) - bytesPerElement(x.dtype) || (a < b ? -1 : 1))

  const header: { [key: string]: Tree } = {}
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata
  let end = 0
  for (const [name, { dtype, shape, data }] of entries) {
    setOwn(header, name, { dtype: NAMES[dtype], shape, data_offsets: [end, end + data.byteLength] })
    end += data.byteLength
  }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const length = Math.ceil(text.length / 8) * 8
  const out = new Uint8Array(8 + length + end)
  out.fill(0x20, 8, 8 + length)
  out.set(text, 8)
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true)
  let at = 8 + length
  for (const [, { data }] of entries) {
    out.set(rawBytes(data), at)
    at += data.byteLength
  }
  return out
}

/**
 * Reads a safetensors file. As the format demands, the tensors must cover the data without a hole or an overlap; a header
 * that lies about lengths, shapes or offsets is a `RegimenError` that names the tensor, before anything is allocated. Half
 * precision (F16, BF16) and 8-bit floats have no typed array here and are refused by name. The arrays are copies.
 *
 * ```ts
 * import { arrayLeaf, decodeSafetensors, encodeSafetensors } from '@regimen/core'
 *
 * const bytes = encodeSafetensors({ steps: arrayLeaf('int64', [1], [3n]) })
 * decodeSafetensors(bytes).tensors.steps?.data // => new BigInt64Array([3n])
 * ```
 */
export function decodeSafetensors(bytes: Uint8Array | ArrayBuffer): Safetensors {
  const input = bytes instanceof Uint8Array ? rawBytes(bytes) : new Uint8Array(bytes)
  const { header, start } = readHeader(input)
  const spans: { name: string; dtype: Dtype; shape: readonly number[]; begin: number; end: number }[] = []
  const tensors: { [name: string]: Tree } = {}
  const metadata: { [key: string]: string } = {}
  for (const [name, entry] of Object.entries(header)) {
    if (name !== '__metadata__') {
      spans.push({ name, ...readEntry(name, entry, input.length - start) })
      // Keeps the order of the header in the result.
      setOwn(tensors, name, null)
    } else if (!isRecord(entry) || !Object.values(entry).every((text) => typeof text === 'string')) {
      throw corrupt('__metadata__ must hold strings only.')
    } else for (const [key, text] of Object.entries(entry)) setOwn(metadata, key, text as string)
  }
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let at = 0
  for (const { name, dtype, shape, begin, end } of spans) {
    if (begin !== at) throw corrupt(`tensors.${name} starts at byte ${begin} of the data and should start at ${at}.`)
    const data = allocate(dtype, sizeOfShape(shape))
    rawBytes(data).set(input.subarray(start + begin, start + end))
    const leaf = { dtype, shape, data } as ArrayLeaf
    const problem = leafProblem(leaf)
    if (problem) throw corrupt(`tensors.${name} ${problem}.`)
    setOwn(tensors, name, leaf)
    at = end
  }
  if (start + at !== input.length) throw corrupt(`the tensors end at byte ${start + at}, the file at ${input.length}.`)
  return { tensors: tensors as { [name: string]: ArrayLeaf }, metadata }
}

function readHeader(input: Uint8Array): { header: { readonly [name: string]: unknown }; start: number } {
  if (input.length < 8) throw corrupt(`the file has ${input.length} bytes, the length of its header takes 8.`)
  const length = Number(new DataView(input.buffer, input.byteOffset, 8).getBigUint64(0, true))
  if (length > MAX_HEADER) throw corrupt(`the header claims ${length} bytes, more than the format's ${MAX_HEADER}.`)
  if (8 + length > input.length) throw corrupt(`the header ends at byte ${8 + length}, the file at ${input.length}.`)
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(input.subarray(8, 8 + length)))
  } catch (cause) {
    throw corrupt('the header at byte 8 is not JSON.', cause)
  }
  if (input[8] !== 0x7b || !isRecord(header)) throw corrupt('the header at byte 8 must be a JSON object.')
  return { header, start: 8 + length }
}

function readEntry(
  name: string,
  entry: unknown,
  available: number,
): { dtype: Dtype; shape: readonly number[]; begin: number; end: number } {
  if (!isRecord(entry)) throw corrupt(`tensors.${name} must be an object, got ${describe(entry)}.`)
  const { dtype: code, shape, data_offsets: offsets } = entry
  const dtype = typeof code === 'string' ? DTYPES.get(code) : undefined
  if (dtype === undefined) {
    throw new RegimenError(`tensors.${name} has the dtype ${describe(code)}.`, {
      code: 'UNSUPPORTED_DTYPE',
      where: WHERE,
      hint: `Convert it to one of ${[...DTYPES.keys()].join(', ')}.`,
    })
  }
  if (!isSizes(shape)) throw corrupt(`tensors.${name} has the impossible shape ${describe(shape)}.`)
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw corrupt(`tensors.${name} has the impossible data_offsets ${describe(offsets)}.`)
  }
  const [begin, end] = offsets as [number, number]
  if (end > available) throw corrupt(`tensors.${name} ends at byte ${end} of the data, which has ${available}.`)
  const needed = sizeOfShape(shape) * bytesPerElement(dtype)
  if (end - begin !== needed) throw corrupt(`tensors.${name} needs ${needed} bytes and has ${end - begin}.`)
  return { dtype, shape, begin, end }
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && side >= 0)
}

function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function corrupt(problem: string, cause?: unknown): RegimenError {
  return new RegimenError(problem, {
    code: 'CORRUPT_SAFETENSORS',
    where: WHERE,
    hint: 'Fetch or export the file again.',
    ...(cause === undefined ? {} : { cause }),
  })
}
