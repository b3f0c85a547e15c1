import { describe, RegimenError } from '../errors.ts'
import { type Snapshot, snapshotProblem } from '../snapshot.ts'
import { type ArrayLeaf, allocate, bytesPerElement, isDtype, rawBytes, sizeOfShape } from '../tree.ts'
import { crc32 } from './crc32.ts'
import { corrupt, fromTagged, type Json, toTagged } from './tagged.ts'

const MAGIC = 'REGIMEN\0'
const FORMAT = 1
const PREAMBLE = 32
const ALIGNMENT = 8

/**
 * Writes a snapshot as one self-describing binary: a preamble of 32 bytes (magic, format, lengths, checksums), a header in
 * JSON that names every array's dtype, shape, place and checksum, then the arrays' raw little-endian bytes, each aligned to
 * 8 bytes. Every bit survives: NaN payloads inside arrays, −0, infinities, bigints. (A NaN that is a plain number has no
 * payload in JavaScript.) The header comes first, so a reader of a stream knows what follows and where. Use
 * `snapshotToJson` where a person should read it.
 *
 * ```ts
 * import { arrayLeaf, createSnapshot, decodeSnapshot, encodeSnapshot } from '@regimen/core'
 *
 * const snapshot = createSnapshot({
 *   id: 'example/mean',
 *   version: 1,
 *   config: {},
 *   state: { mean: arrayLeaf('float64', [2], [Number.NaN, -0]) },
 * })
 * decodeSnapshot(encodeSnapshot(snapshot)) // => snapshot
 * ```
 */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const problem = snapshotProblem(snapshot)
  if (problem) {
    throw new RegimenError(`${problem}.`, {
      code: 'INVALID_STATE',
      where: 'core/snapshot',
      hint: 'Make it with createSnapshot.',
    })
  }
  const leaves: { data: Uint8Array; at: number }[] = []
  let end = 0
  const { id, version, library, config, state, children } = snapshot
  const json = toTagged({ id, version, library, config, state, children }, '', {
    leaf: ({ dtype, shape, data }) => {
      const bytes = rawBytes(data)
      const at = end
      leaves.push({ data: bytes, at })
      end = align(at + bytes.length)
      return { $array: dtype, shape, at, crc: crc32(bytes) }
    },
  })
  const text = new TextEncoder().encode(JSON.stringify(json))
  const headerLength = align(text.length)
  const out = new Uint8Array(PREAMBLE + headerLength + end)
  // Spaces, so that the header stays JSON up to its aligned end.
  out.fill(0x20, PREAMBLE + text.length, PREAMBLE + headerLength)
  out.set(text, PREAMBLE)
  for (const leaf of leaves) out.set(leaf.data, PREAMBLE + headerLength + leaf.at)

  const view = new DataView(out.buffer)
  for (let i = 0; i < MAGIC.length; i++) out[i] = MAGIC.charCodeAt(i)
  view.setUint32(8, FORMAT, true)
  view.setUint32(12, headerLength, true)
  view.setBigUint64(16, BigInt(end), true)
  view.setUint32(24, crc32(out.subarray(PREAMBLE, PREAMBLE + headerLength)), true)
  view.setUint32(28, crc32(out.subarray(0, 28)), true)
  return out
}

/**
 * Reads what {@link encodeSnapshot} wrote. Bytes that are cut short, damaged or of a newer format are a `RegimenError` that
 * names the offset, never a wrong model: everything is under a checksum. The arrays of the result are its own.
 *
 * ```ts
 * import { createSnapshot, decodeSnapshot, encodeSnapshot } from '@regimen/core'
 *
 * const bytes = encodeSnapshot(createSnapshot({ id: 'example/count', version: 1, config: {}, state: { count: 3n } }))
 * decodeSnapshot(bytes).state // => { count: 3n }
 * ```
 */
export function decodeSnapshot(bytes: Uint8Array | ArrayBuffer): Snapshot {
  const input = bytes instanceof Uint8Array ? rawBytes(bytes) : new Uint8Array(bytes)
  const { headerLength, dataLength } = readPreamble(input)
  const start = PREAMBLE + headerLength
  const json = readHeader(input.subarray(PREAMBLE, start))

  let cursor = 0
  const tree = fromTagged(json, '', (tagged, path) => {
    const leaf = readLeaf(input, tagged, path, start, cursor, dataLength)
    const unpadded = cursor + leaf.data.byteLength
    cursor = align(unpadded)
    for (let i = start + unpadded; i < start + cursor; i++) {
      if (input[i] !== 0) throw corrupt(`The padding at byte ${i} is not zero.`)
    }
    return leaf
  })
  if (cursor !== dataLength)
    throw corrupt(`The arrays end at byte ${start + cursor}, ${dataLength - cursor} too early.`)
  const problem = snapshotProblem(tree)
  if (problem) throw corrupt(`The header at byte ${PREAMBLE} is no snapshot: ${problem}.`)
  return tree as Snapshot
}

function readPreamble(input: Uint8Array): { headerLength: number; dataLength: number } {
  for (let i = 0; i < MAGIC.length; i++) {
    if (i < input.length && input[i] !== MAGIC.charCodeAt(i)) {
      throw corrupt(`Byte ${i} is no part of a snapshot's magic number: these bytes are something else.`)
    }
  }
  if (input.length < PREAMBLE) throw corrupt(`The bytes end at ${input.length}, inside the preamble of ${PREAMBLE}.`)
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  if (view.getUint32(28, true) !== crc32(input.subarray(0, 28))) {
    throw corrupt('The preamble at bytes 0 to 28 does not match its checksum.')
  }
  const format = view.getUint32(8, true)
  if (format !== FORMAT) {
    throw new RegimenError(`The snapshot is in format ${format} and this release reads format ${FORMAT}.`, {
      code: 'SNAPSHOT_FORMAT',
      where: 'core/snapshot',
      hint: 'Upgrade @regimen/core.',
    })
  }
  const headerLength = view.getUint32(12, true)
  const dataLength = Number(view.getBigUint64(16, true))
  const length = PREAMBLE + headerLength + dataLength
  if (input.length !== length) {
    throw corrupt(
      input.length < length
        ? `The bytes end at ${input.length} and should go on to ${length}.`
        : `${input.length - length} bytes too many follow byte ${length}.`,
    )
  }
  if (view.getUint32(24, true) !== crc32(input.subarray(PREAMBLE, PREAMBLE + headerLength))) {
    throw corrupt(`The header at bytes ${PREAMBLE} to ${PREAMBLE + headerLength} does not match its checksum.`)
  }
  return { headerLength, dataLength }
}

function readHeader(bytes: Uint8Array): Json {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json
  } catch (cause) {
    throw corrupt(`The header at byte ${PREAMBLE} is not JSON.`, cause)
  }
}

function readLeaf(
  input: Uint8Array,
  tagged: { readonly [key: string]: Json },
  path: string,
  start: number,
  cursor: number,
  dataLength: number,
): ArrayLeaf {
  const { $array: dtype, shape, at, crc } = tagged
  if (!isDtype(dtype)) throw corrupt(`${path} has the unknown dtype ${describe(dtype)}.`)
  if (!isShape(shape)) throw corrupt(`${path} has the impossible shape ${describe(shape)}.`)
  if (at !== cursor) throw corrupt(`${path} should start at byte ${start + cursor}, the header says ${describe(at)}.`)
  const size = sizeOfShape(shape)
  const length = size * bytesPerElement(dtype)
  if (!(cursor + length <= dataLength)) {
    throw corrupt(`${path} takes bytes ${start + cursor} to ${start + cursor + length}, past the end.`)
  }
  const bytes = input.subarray(start + cursor, start + cursor + length)
  if (crc32(bytes) !== crc) {
    throw corrupt(`${path} at bytes ${start + cursor} to ${start + cursor + length} does not match its checksum.`)
  }
  const data = allocate(dtype, size)
  rawBytes(data).set(bytes)
  return { dtype, shape, data } as ArrayLeaf
}

/** Whether a value parsed from a file is a list of sizes. */
export function isShape(shape: Json | undefined): shape is readonly number[] {
  return Array.isArray(shape) && shape.every((side) => Number.isSafeInteger(side) && (side as number) >= 0)
}

function align(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT
}
