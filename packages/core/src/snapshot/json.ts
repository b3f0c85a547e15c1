import { describe, RegimenError } from '../errors.ts'
import { type Snapshot, snapshotProblem } from '../snapshot.ts'
import { type ArrayLeaf, allocate, type Dtype, isDtype, sizeOfShape, type Tree } from '../tree.ts'
import { isShape } from './binary.ts'
import { corrupt, fromTagged, type Json, toTagged } from './tagged.ts'

const FORMAT = 1

/**
 * Writes a snapshot as JSON that a person can read and a diff can compare: one line a field, one line an array. It is as
 * exact as the binary form: values that JSON lacks are strings (`"NaN"`, `"-0"`, `"Infinity"`, 64-bit integers) and a NaN
 * with a payload is written with its bits (`"NaN:7ff8000000000123"`). Roughly three times the size of `encodeSnapshot`.
 *
 * ```ts
 * import { createSnapshot, snapshotFromJson, snapshotToJson } from '@regimen/core'
 *
 * const snapshot = createSnapshot({ id: 'example/low', version: 1, config: {}, state: { low: -Infinity, ticks: 12n } })
 * const text = snapshotToJson(snapshot)
 * text.includes('"ticks": {"$bigint": "12"}') // => true
 * snapshotFromJson(text) // => snapshot
 * ```
 */
export function snapshotToJson(snapshot: Snapshot): string {
  const problem = snapshotProblem(snapshot)
  if (problem) throw new RegimenError(`${problem}.`, { code: 'INVALID_STATE', where: 'core/snapshot' })
  const { id, version, library, config, state, children } = snapshot
  const tagged = toTagged({ id, version, library, config, state, children }, '', { leaf: writeLeaf })
  return `${print({ format: 'regimen-snapshot', formatVersion: FORMAT, ...(tagged as object) }, '')}\n`
}

/**
 * Reads what {@link snapshotToJson} wrote, bit for bit. Anything else is a `RegimenError` that names the path.
 *
 * ```ts
 * import { hashSnapshot, snapshotFromJson } from '@regimen/core'
 *
 * const snapshot = snapshotFromJson(`{
 *   "format": "regimen-snapshot", "formatVersion": 1,
 *   "id": "example/mean", "version": 1, "library": "0.1.0", "config": {}, "children": {},
 *   "state": { "mean": { "$array": "float64", "shape": [2], "data": [0.5, "-0"] } }
 * }`)
 * hashSnapshot(snapshot).length // => 64
 * ```
 */
export function snapshotFromJson(text: string): Snapshot {
  let json: Json
  try {
    json = JSON.parse(text) as Json
  } catch (cause) {
    throw corrupt(`The text is not JSON: ${(cause as Error).message}.`, cause)
  }
  const tree = fromTagged(json, '', readLeaf)
  if (tree === null || typeof tree !== 'object' || !('format' in tree) || tree.format !== 'regimen-snapshot') {
    throw corrupt('The text is JSON but no snapshot: "format" must be "regimen-snapshot".')
  }
  const { format: _, formatVersion, ...snapshot } = tree as { readonly [key: string]: Tree }
  if (formatVersion !== FORMAT) {
    throw new RegimenError(`The snapshot is in format ${describe(formatVersion)}, this release reads ${FORMAT}.`, {
      code: 'SNAPSHOT_FORMAT',
      where: 'core/snapshot',
      hint: 'Upgrade @regimen/core.',
    })
  }
  const problem = snapshotProblem(snapshot)
  if (problem) throw corrupt(`${problem}.`)
  return snapshot as Snapshot
}

function writeLeaf({ dtype, shape, data }: ArrayLeaf): Json {
  const size = data.length
  const list: Json[] = new Array(size)
  if (dtype === 'float64' || dtype === 'float32') {
    const bits = bitsOf(data, dtype)
    for (let i = 0; i < size; i++) list[i] = writeFloat(data[i] as number, bits, i, dtype)
  } else {
    for (let i = 0; i < size; i++) list[i] = typeof data[i] === 'bigint' ? String(data[i]) : (data[i] as number)
  }
  return { $array: dtype, shape, data: list }
}

function writeFloat(value: number, bits: BigUint64Array | Uint32Array, at: number, dtype: Dtype): Json {
  if (Number.isNaN(value)) {
    const hex = bits[at]!.toString(16).padStart(dtype === 'float64' ? 16 : 8, '0')
    return hex === QUIET[dtype as 'float64'] ? 'NaN' : `NaN:${hex}`
  }
  if (!Number.isFinite(value)) return String(value)
  if (Object.is(value, -0)) return '-0'
  if (dtype === 'float64') return value
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return Number(value.toPrecision(9))
}

const QUIET = { float64: '7ff8000000000000', float32: '7fc00000' } as const

function readLeaf(tagged: { readonly [key: string]: Json }, path: string): ArrayLeaf {
  const { $array: dtype, shape, data: list } = tagged
  if (!isDtype(dtype)) throw corrupt(`${path} has the unknown dtype ${describe(dtype)}.`)
  if (!isShape(shape)) throw corrupt(`${path} has the impossible shape ${describe(shape)}.`)
  if (!Array.isArray(list) || list.length !== sizeOfShape(shape)) {
    throw corrupt(
      `${path} of shape [${shape.join(', ')}] needs a list of ${sizeOfShape(shape)}, got ${describe(list)}.`,
    )
  }
  const data = allocate(dtype, list.length)
  const bits = dtype === 'float64' || dtype === 'float32' ? bitsOf(data, dtype) : undefined
  for (let i = 0; i < list.length; i++) {
    const item = list[i] as Json
    if (!readElement(item, dtype, data, bits, i)) throw corrupt(`${path}[${i}] is no ${dtype}: ${describe(item)}.`)
  }
  return { dtype, shape, data } as ArrayLeaf
}

function readElement(
  item: Json,
  dtype: Dtype,
  data: ArrayLeaf['data'],
  bits: BigUint64Array | Uint32Array | undefined,
  at: number,
): boolean {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    if (typeof item !== 'string' || !/^-?\d{1,20}$/.test(item)) return false
    data[at] = BigInt(item)
    return data[at] === BigInt(item)
  }
  if (bits === undefined) {
    if (typeof item !== 'number' || (dtype === 'bool' && item > 1)) return false
    data[at] = item
    return Object.is(data[at], item)
  }
  if (typeof item === 'number') {
    data[at] = item
    return true
  }
  if (typeof item !== 'string') return false
  if (item === '-0' || item === 'Infinity' || item === '-Infinity') {
    data[at] = Number(item)
    return true
  }
  const width = dtype === 'float64' ? 16 : 8
  const hex = item === 'NaN' ? QUIET[dtype as 'float64'] : /^NaN:([0-9a-f]+)$/.exec(item)?.[1]
  if (hex?.length !== width) return false
  if (bits instanceof BigUint64Array) bits[at] = BigInt(`0x${hex}`)
  else bits[at] = Number.parseInt(hex, 16)
  return Number.isNaN(data[at])
}

// A float's bits, because reading a NaN as a number may lose its payload.
function bitsOf(data: ArrayLeaf['data'], dtype: 'float64' | 'float32'): BigUint64Array | Uint32Array {
  return dtype === 'float64'
    ? new BigUint64Array(data.buffer, data.byteOffset, data.length)
    : new Uint32Array(data.buffer, data.byteOffset, data.length)
}

function print(json: Json, indent: string): string {
  if (json === null || typeof json !== 'object') return JSON.stringify(json)
  const inner = `${indent}  `
  if (Array.isArray(json)) {
    if (json.every((item) => item === null || typeof item !== 'object')) return `[${json.map(printScalar).join(', ')}]`
    return `[\n${json.map((item: Json) => inner + print(item, inner)).join(',\n')}\n${indent}]`
  }
  const entries = Object.entries(json as { readonly [key: string]: Json })
  const tagged = entries.some(([key]) => key.startsWith('$') && !key.startsWith('$$'))
  const fields = entries.map(([key, value]) => `${JSON.stringify(key)}: ${print(value, inner)}`)
  if (tagged || fields.length === 0) return `{${fields.join(', ')}}`
  return `{\n${fields.map((field) => inner + field).join(',\n')}\n${indent}}`
}

function printScalar(item: Json): string {
  return JSON.stringify(item)
}
