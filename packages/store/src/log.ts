import { createHash } from 'node:crypto'
import { describe, RegimenError, type RegimenEvent, type Tree } from '@regimen/core'

/** One line of the audit log: an event with its place in the chain. */
export interface LogRecord extends RegimenEvent {
  /** Position, from 1, without gaps. The order of time is this one, whatever the clocks said. */
  readonly seq: number
  /** Who did it. */
  readonly actor: string
  /** Makes records of the same content differ, so that of two equal claims exactly one wins. */
  readonly nonce: string
  /** Hash of the record before; 64 zeros for the first. */
  readonly prev: string
  /** sha-256 of the record's JSON, which contains `prev`: changing any record changes every later hash. */
  readonly hash: string
}

/** The data of a record as what this library wrote there; its hash vouches for it. */
export function dataOf<T>({ data }: { readonly data: RegimenEvent['data'] }): T {
  return data as T
}

/** A record as drivers keep it: opaque text with its number and hash. */
export interface LogLine {
  readonly seq: number
  /** sha-256 of `text`. */
  readonly hash: string
  /** JSON of the record, without its hash. */
  readonly text: string
}

/** The end of a log; seq 0 and zeros when it is empty. */
export interface LogHead {
  readonly seq: number
  readonly hash: string
}

export const EMPTY_LOG: LogHead = { seq: 0, hash: '0'.repeat(64) }

// One record must stay small: every process that opens the store reads all of them.
const MAX_RECORD = 1 << 20

/** sha-256 as 64 hexadecimal digits, natively: some ten times as fast as the portable one. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** Chains an event to the head of the log. */
export function chain(event: RegimenEvent, head: LogHead, actor: string, nonce: string): LogLine {
  const { type, time, reason, inputs, data } = event
  const seq = head.seq + 1
  const text = JSON.stringify({ seq, time, actor, nonce, type, reason, inputs, data: toPlain(data), prev: head.hash })
  if (text.length > MAX_RECORD) {
    throw new RegimenError(`the record ${type} takes ${text.length} characters, at most ${MAX_RECORD} are allowed.`, {
      code: 'METADATA_TOO_LARGE',
      where: 'store/log',
      hint: 'Publish bulky data as a file of the version: { files: { name: bytes } }.',
    })
  }
  return { seq, hash: sha256(text), text }
}

/** Reads a line and checks its hash and its place after `before`; otherwise an error that names the record. */
export function unchain(line: LogLine, before: LogHead): LogRecord {
  const record = readLine(line)
  if (line.seq !== before.seq + 1)
    throw damaged(line, `follows record ${before.seq}: records are missing or out of order`)
  if (record.prev !== before.hash)
    throw damaged(line, `does not continue record ${before.seq}: that one was altered or replaced`)
  return record
}

/** Reads a line and checks its hash alone. */
export function readLine(line: LogLine): LogRecord {
  if (sha256(line.text) !== line.hash) throw damaged(line, 'does not match its hash')
  let record: LogRecord
  try {
    record = { ...(JSON.parse(line.text) as LogRecord), hash: line.hash }
  } catch {
    throw damaged(line, 'is not JSON')
  }
  if (record.seq !== line.seq) throw damaged(line, `calls itself record ${describe(record.seq)}`)
  return record
}

function damaged(line: LogLine, problem: string): RegimenError {
  return new RegimenError(`record ${line.seq} ${problem}.`, {
    code: 'CORRUPT_LOG',
    where: 'store/log',
    hint: 'Restore the store from a backup; fsck lists all damage.',
  })
}

/** The log is JSON: what JSON lacks is written as `{"$number":"NaN"}`, `{"$bigint":"12"}`, an array leaf as its hash. */
function toPlain(tree: Tree): unknown {
  if (typeof tree === 'number') {
    if (Object.is(tree, -0)) return { $number: '-0' }
    return Number.isFinite(tree) ? tree : { $number: String(tree) }
  }
  if (typeof tree === 'bigint') return { $bigint: String(tree) }
  if (tree === null || typeof tree !== 'object') return tree
  if (Array.isArray(tree)) return tree.map(toPlain)
  if (ArrayBuffer.isView((tree as { data?: unknown }).data)) {
    const { dtype, shape, data } = tree as { dtype: string; shape: readonly number[]; data: Uint8Array }
    return { $array: dtype, shape, sha256: sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) }
  }
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, toPlain(value)]))
}
