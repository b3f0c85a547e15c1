import { fstatSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { RegimenError } from '@regimen/core'
import { codeOf, explained, type FileOperations, syncFolder, systemFiles } from '../files.ts'
import { EMPTY_LOG, type LogHead, type LogLine, sha256 } from '../log.ts'
import { serial } from '../serial.ts'
import type { LogNote, MetadataDriver } from './driver.ts'

/** How {@link fileMetadata} opens its file. */
export interface FileMetadataOptions {
  /** Refuses to write, and to create the file. @default false */
  readOnly?: boolean
  /** File operations, to inject faults in tests. @default the system's */
  files?: FileOperations
}

const WHERE = 'store/file-metadata'
const CHUNK = 1 << 22
const HEADER = /^([0-9a-f]{64}) (\d{1,9}) /

/**
 * Keeps the log in one append-only text file, for where no SQLite is to be had: one line a record, its sha-256, its length,
 * its JSON. It needs no lock, so no kill can leave one behind: a writer appends its record with one `O_APPEND` write, and of
 * several records that continue the same head the first in the file is the log's; the others lost and are ignored. What a
 * kill cut short is shorter than it says and is ignored too. It relies on appends being atomic: local disks, not NFS.
 *
 * ```ts
 * import { mkdtemp } from 'node:fs/promises'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { fileMetadata } from '@regimen/store'
 *
 * const metadata = fileMetadata(join(await mkdtemp(join(tmpdir(), 'store-')), 'log.txt'))
 * await metadata.read(1, 10) // => []
 * await metadata.close()
 * ```
 */
export function fileMetadata(path: string, options: FileMetadataOptions = {}): MetadataDriver {
  const { readOnly = false, files = systemFiles } = options
  let writer: number | undefined
  let reader: number | undefined
  let broken: unknown
  let head: LogHead = EMPTY_LOG
  /** Where the first unread byte is, and where each record's line starts. */
  let at = 0
  const starts: number[] = []
  const lengths: number[] = []
  const hashes: string[] = []
  const notes: LogNote[] = []
  const known = new Map<string, number>([[EMPTY_LOG.hash, 0]])

  const openReader = async (): Promise<number | undefined> => {
    if (reader !== undefined) return reader
    try {
      reader = await files.open(path, 'r')
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw explained(error, WHERE, `${path} cannot be read`)
    }
    return reader
  }

  /** Takes the lines that were appended since the last look. */
  const catchUp = async (): Promise<void> => {
    const file = await openReader()
    if (file === undefined) return
    const size = fstatSync(file).size
    if (size < at) throw damaged(`${path} shrank from ${at} to ${size} bytes`)
    let rest: Uint8Array = new Uint8Array(0)
    let offset = at
    while (offset < size) {
      const chunk = new Uint8Array(Math.min(CHUNK, size - offset))
      const bytesRead = readSync(file, chunk, 0, chunk.length, offset)
      if (bytesRead === 0) break
      const bytes =
        rest.length === 0 ? chunk.subarray(0, bytesRead) : Buffer.concat([rest, chunk.subarray(0, bytesRead)])
      const base = offset - rest.length
      offset += bytesRead
      let begin = 0
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, begin)) {
        take(bytes.subarray(begin, end), base + begin)
        begin = end + 1
      }
      rest = bytes.subarray(begin)
      at = base + begin
    }
    // The last line has no end yet: it is whole, or still being written, or was cut short.
    if (rest.length > 0 && isWhole(rest)) {
      take(rest, at)
      at += rest.length
    }
  }

  const take = (line: Uint8Array, offset: number): void => {
    if (line.length === 0) return
    const header = headerOf(line)
    const body = line.subarray(header?.[0].length ?? 0)
    const right = header !== null && sha256(body) === header[1]
    if (!right || Number(header[2]) !== body.length) {
      const cut = header === null ? isStart(line) : !right && body.length < Number(header[2])
      notes.push(
        cut
          ? {
              kind: 'note',
              problem: `byte ${offset}: a write of ${line.length} bytes was cut short and never committed`,
            }
          : { kind: 'damage', problem: `byte ${offset}: the line after record ${head.seq} was altered` },
      )
      return
    }
    const { seq, prev } = JSON.parse(Buffer.from(body).toString('utf8')) as { seq: number; prev: string }
    if (prev === head.hash && seq === head.seq + 1) {
      head = { seq, hash: header[1]! }
      known.set(head.hash, seq)
      hashes.push(head.hash)
      starts.push(offset + header[0].length)
      lengths.push(body.length)
    } else if (known.get(prev) === seq - 1 || beaten.has(prev)) {
      // The rest of a beaten batch continues a beaten line.
      beaten.add(header[1]!)
    } else {
      notes.push({
        kind: 'damage',
        problem: `byte ${offset}: record ${seq} does not continue record ${head.seq}; one before it was altered, removed or moved`,
      })
    }
  }
  const beaten = new Set<string>()

  const openWriter = async (): Promise<number> => {
    if (writer !== undefined) return writer
    await files.mkdir(dirname(path))
    writer = await files.open(path, 'a')
    await syncFolder(files, dirname(path))
    return writer
  }

  const append = async (lines: readonly LogLine[], expected: LogHead): Promise<boolean> => {
    if (broken !== undefined) {
      throw new RegimenError('an earlier write to the log failed, and what the disk holds is unknown.', {
        code: 'STORE_IO',
        where: WHERE,
        hint: 'Close the store and open it again.',
        cause: broken,
      })
    }
    if (readOnly) throw new RegimenError('the log was opened read-only.', { code: 'READ_ONLY', where: WHERE })
    await catchUp()
    if (head.hash !== expected.hash) return false
    // A line break before, so that a line after one that was cut short stands alone; one after, to know the end by.
    const bytes = Buffer.from(
      lines.map(({ hash, text }) => `\n${hash} ${Buffer.byteLength(text)} ${text}\n`).join(''),
      'utf8',
    )
    try {
      const file = await openWriter()
      await files.write(file, bytes)
      await files.sync(file)
    } catch (error) {
      // After a failed fsync the kernel may have dropped the pages: only a new look tells what is there.
      if (writer !== undefined) broken = error
      throw explained(error, WHERE, `${path} cannot be appended to`)
    }
    await catchUp()
    return known.get(lines[0]!.hash) === lines[0]!.seq
  }

  const read = async (from: number, limit: number): Promise<readonly LogLine[]> => {
    await catchUp()
    const damage = notes.find((note) => note.kind === 'damage')
    if (damage && from + limit > head.seq) throw damaged(`${path}, ${damage.problem}`)
    const end = Math.min(head.seq, from - 1 + limit)
    if (end < from) return []
    const file = (await openReader())!
    const first = starts[from - 1]!
    const bytes = Buffer.alloc(starts[end - 1]! + lengths[end - 1]! - first)
    const bytesRead = readSync(file, bytes, 0, bytes.length, first)
    const lines: LogLine[] = []
    for (let i = from - 1; i < end; i++) {
      const start = starts[i]! - first
      if (start + lengths[i]! > bytesRead) throw damaged(`${path} ends inside record ${i + 1}`)
      const text = bytes.toString('utf8', start, start + lengths[i]!)
      lines.push({ seq: i + 1, hash: hashes[i]!, text })
    }
    return lines
  }

  const inTurn = serial()
  return {
    name: 'file',
    append: (lines, expected) => inTurn(() => append(lines, expected)),
    read: (from, limit) => inTurn(() => read(from, limit)),
    inspect: () =>
      inTurn(async () => {
        await catchUp()
        return [...notes]
      }),
    async close() {
      for (const file of [writer, reader]) if (file !== undefined) await files.close(file)
      writer = undefined
      reader = undefined
    },
  }
}

function headerOf(line: Uint8Array): RegExpExecArray | null {
  return HEADER.exec(Buffer.from(line.buffer, line.byteOffset, Math.min(80, line.length)).toString('latin1'))
}

function isStart(line: Uint8Array): boolean {
  if (line.length > 75) return false
  const text = Buffer.from(line).toString('latin1')
  return /^[0-9a-f]{0,64}$/.test(text) || /^[0-9a-f]{64} \d{0,9}$/.test(text)
}

/** Whether a line without its line break is as long as it says. */
function isWhole(line: Uint8Array): boolean {
  const header = headerOf(line)
  return header !== null && line.length - header[0].length >= Number(header[2])
}

function damaged(problem: string): RegimenError {
  return new RegimenError(`${problem}.`, {
    code: 'CORRUPT_LOG',
    where: WHERE,
    hint: 'Restore the store from a backup; fsck lists all damage.',
  })
}
