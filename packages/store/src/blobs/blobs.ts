import { createHash, type Hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createInflate, deflate, deflateSync, inflate } from 'node:zlib'
import { RegimenError } from '@regimen/core'
import { sha256 } from '../log.ts'
import type { BlobDriver } from './driver.ts'

/** What is known of stored bytes: their address and their length before compression. */
export interface BlobRef {
  /** sha-256 of the content, which is its name. */
  readonly blob: string
  /** Bytes of the content. */
  readonly size: number
}

/** Content-addressed bytes over a driver: de-duplicated, compressed where that pays, verified on every read. */
export interface Blobs {
  readonly driver: BlobDriver
  put(bytes: Uint8Array): Promise<BlobRef>
  /** Stores a stream chunk by chunk, uncompressed. */
  putStream(chunks: AsyncIterable<Uint8Array>): Promise<BlobRef>
  /** The content; an error that names the blob where it is missing or damaged. */
  get(blob: string): Promise<Uint8Array>
  /** The content chunk by chunk. A damaged blob is an error at its end, so trust nothing before. */
  getStream(blob: string): AsyncIterable<Uint8Array>
  has(blob: string): Promise<boolean>
}

const WHERE = 'store/blobs'
/** Stored bytes begin with this and the codec, so that a file tells by itself how to read it. */
const MAGIC = Buffer.from('RGMB')
const RAW = 0
const DEFLATE = 1
const HEADER = 5
const PROBE = 1 << 12
/** From here on content is written while it is hashed, this much of it at a time. */
const SLICE = 1 << 17

const deflateAsync = promisify(deflate) as (bytes: Uint8Array, options: { level: number }) => Promise<Buffer>
const inflateAsync = promisify(inflate) as (bytes: Uint8Array) => Promise<Buffer>

/** Opens content addressing over a driver. New content over `quotaBytes`, all that is stored counted, is refused. */
export function openBlobs(driver: BlobDriver, quotaBytes: number = Number.POSITIVE_INFINITY): Blobs {
  const has = async (blob: string): Promise<boolean> =>
    driver.stat ? (await driver.stat(blob)) !== undefined : (await driver.read(blob)) !== undefined
  /** Whether the content is there already; if so, garbage collection spares it for another grace period. */
  const renewed = async (blob: string): Promise<boolean> => {
    const there = await has(blob)
    if (there) await driver.touch?.(blob)
    return there
  }
  /** Throws once what is stored and `more` bytes beside it are over the quota. */
  const quota = async (): Promise<(more: number) => void> => {
    if (quotaBytes === Number.POSITIVE_INFINITY) return () => {}
    let used = 0
    for await (const { size } of driver.list()) used += size
    return (more) => {
      if (used + more > quotaBytes) throw overQuota(used, more, quotaBytes)
    }
  }
  return {
    driver,
    has,
    async put(bytes) {
      if (driver.writeStream && bytes.length >= SLICE && quotaBytes === Number.POSITIVE_INFINITY) {
        const hashing = hashSlices(bytes)
        await driver.writeStream(await seal(bytes), async () => {
          const blob = await hashing
          return (await renewed(blob)) ? undefined : blob
        })
        return { blob: await hashing, size: bytes.length }
      }
      const blob = sha256(bytes)
      if (!(await renewed(blob))) {
        const sealed = Buffer.concat(await seal(bytes))
        const claim = await quota()
        claim(sealed.length)
        await driver.write(blob, sealed)
      }
      return { blob, size: bytes.length }
    },
    async putStream(chunks) {
      const hash = createHash('sha256')
      let size = 0
      const claim = await quota()
      const sealed = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.concat([MAGIC, Uint8Array.of(RAW)])
        for await (const chunk of chunks) {
          hash.update(chunk)
          size += chunk.length
          claim(HEADER + size)
          yield chunk
        }
      }
      let blob = ''
      if (driver.writeStream) {
        await driver.writeStream(sealed(), async () => {
          blob = hash.digest('hex')
          return (await renewed(blob)) ? undefined : blob
        })
      } else {
        const all: Uint8Array[] = []
        for await (const chunk of sealed()) all.push(chunk)
        blob = hash.digest('hex')
        if (!(await renewed(blob))) await driver.write(blob, Buffer.concat(all))
      }
      return { blob, size }
    },
    async get(blob) {
      const stored = await driver.read(blob)
      if (stored === undefined) throw missing(blob, driver)
      const content = await unseal(stored, blob)
      if (sha256(content) !== blob) throw damaged(blob, 'its content does not match its name')
      // A plain view: a Buffer's slice would not copy.
      return new Uint8Array(content.buffer, content.byteOffset, content.length)
    },
    async *getStream(blob) {
      const stream = await driver.readStream?.(blob)
      if (!stream) {
        yield await this.get(blob)
        return
      }
      const hash = createHash('sha256')
      yield* hashed(opened(stream, blob), hash)
      if (hash.digest('hex') !== blob) throw damaged(blob, 'its content does not match its name')
    },
  }
}

/** Hashes in slices, so that the event loop goes on with the writing meanwhile. */
async function hashSlices(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256')
  for (let at = 0; at < bytes.length; at += SLICE) {
    hash.update(bytes.subarray(at, at + SLICE))
    await setImmediate()
  }
  return hash.digest('hex')
}

/** Compresses where a sample says that it pays: weights look like noise, and deflating noise costs 20 ms a megabyte. */
async function seal(bytes: Uint8Array): Promise<readonly Uint8Array[]> {
  const middle = Math.max(0, (bytes.length - PROBE) >> 1)
  const sample = bytes.subarray(middle, middle + PROBE)
  const pays = bytes.length > 512 && deflateSync(sample, { level: 1 }).length < 0.8 * sample.length
  const packed = pays ? await deflateAsync(bytes, { level: 3 }) : bytes
  const smaller = packed.length < bytes.length
  return [Buffer.concat([MAGIC, Uint8Array.of(smaller ? DEFLATE : RAW)]), smaller ? packed : bytes]
}

async function unseal(stored: Uint8Array, blob: string): Promise<Uint8Array> {
  const codec = codecOf(stored, blob)
  const body = stored.subarray(HEADER)
  if (codec === RAW) return body
  try {
    return await inflateAsync(body)
  } catch (cause) {
    throw damaged(blob, 'it cannot be decompressed', cause)
  }
}

function codecOf(stored: Uint8Array, blob: string): number {
  if (stored.length < HEADER || !MAGIC.equals(stored.subarray(0, 4))) throw damaged(blob, 'its header was altered')
  const codec = stored[4]!
  if (codec !== RAW && codec !== DEFLATE) throw damaged(blob, `its codec is ${codec}`)
  return codec
}

async function* opened(stream: AsyncIterable<Uint8Array>, blob: string): AsyncGenerator<Uint8Array> {
  const source = stream[Symbol.asyncIterator]()
  let start = Buffer.alloc(0)
  while (start.length < HEADER) {
    const next = await source.next()
    if (next.done) break
    start = Buffer.concat([start, next.value])
  }
  const codec = codecOf(start, blob)
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    if (start.length > HEADER) yield start.subarray(HEADER)
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value
  }
  if (codec === RAW) {
    yield* rest()
    return
  }
  const { Readable } = await import('node:stream')
  const inflater = createInflate()
  Readable.from(rest())
    .on('error', (error) => inflater.destroy(error))
    .pipe(inflater)
  try {
    yield* inflater
  } catch (cause) {
    throw damaged(blob, 'it cannot be decompressed', cause)
  }
}

async function* hashed(chunks: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
}

function overQuota(used: number, more: number, quota: number): RegimenError {
  return new RegimenError(`${more} bytes more than ${used} exceed the quota of ${quota}.`, {
    code: 'QUOTA_EXCEEDED',
    where: WHERE,
    hint: 'Retire old versions and collect garbage: store.retain(policy), store.gc().',
  })
}

function missing(blob: string, driver: BlobDriver): RegimenError {
  return new RegimenError(`the blob ${blob} is missing from the ${driver.name}.`, {
    code: 'MISSING_BLOB',
    where: WHERE,
    hint: 'Run fsck({ repair: true, from: backup }).',
  })
}

function damaged(blob: string, problem: string, cause?: unknown): RegimenError {
  return new RegimenError(`the blob ${blob} is damaged: ${problem}.`, {
    code: 'CORRUPT_BLOB',
    where: WHERE,
    hint: 'Run fsck({ repair: true, from: backup }).',
    ...(cause === undefined ? {} : { cause }),
  })
}
