import { randomBytes } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { readdir, readFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, check, describe, systemClock } from '@regimen/core'
import {
  codeOf,
  explained,
  type FileOperations,
  renamePatiently,
  syncFolder,
  systemFiles,
  writeAtomically,
} from '../files.ts'
import type { BlobDriver, BlobEntry } from './driver.ts'

/** How {@link folderBlobs} works. */
export interface FolderBlobsOptions {
  /** File operations, to inject faults in tests. @default the system's */
  files?: FileOperations
  /** Stamps blobs that are used again. @default systemClock */
  clock?: Clock
}

const WHERE = 'store/folder-blobs'
const NAME = /^[0-9a-f]{64}$/

/**
 * Keeps blobs as files in a folder, the default: `ab/abcd…` by the first two digits of the name. A blob is written to a
 * temporary file, forced to disk, renamed into place, and the folder is forced to disk, so that no kill or power cut leaves
 * half of one. Choose `s3Blobs` where several machines share a store.
 *
 * ```ts
 * import { mkdtemp } from 'node:fs/promises'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { folderBlobs } from '@regimen/store'
 *
 * const blobs = folderBlobs(await mkdtemp(join(tmpdir(), 'blobs-')))
 * await blobs.read('0'.repeat(64)) // => undefined
 * ```
 */
export function folderBlobs(folder: string, options: FolderBlobsOptions = {}): BlobDriver {
  const { files = systemFiles, clock = systemClock } = options
  const temporaries = join(folder, 'tmp')
  const made = new Set<string>()
  /** Shards that are there at the first write are forced to disk together: whoever made them may not have come to it. */
  let looked = false
  const pathOf = (name: string): string => {
    check(NAME.test(name), WHERE, () => `a blob's name must be 64 hexadecimal digits, got ${describe(name)}.`)
    return join(folder, name.slice(0, 2), name)
  }
  const ensure = async (path: string, parent?: string): Promise<void> => {
    if (made.has(path)) return
    await files.mkdir(path)
    if (parent !== undefined) await syncFolder(files, parent)
    made.add(path)
  }
  const writing = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      await ensure(temporaries)
      return await work()
    } catch (error) {
      throw explained(error, WHERE, `a blob cannot be written to ${folder}`)
    }
  }
  const placeFor = async (name: string): Promise<string> => {
    const path = pathOf(name)
    if (!looked) {
      const present = await readdir(folder)
      await syncFolder(files, folder)
      for (const shard of present) made.add(join(folder, shard))
      looked = true
    }
    await ensure(join(folder, name.slice(0, 2)), folder)
    return path
  }
  const temporary = (): string => join(temporaries, randomBytes(9).toString('hex'))

  return {
    name: 'folder',
    read: (name) => absentAsUndefined(() => readFile(pathOf(name))),
    write: (name, bytes) => writing(() => writeAtomically(files, temporary(), [bytes], () => placeFor(name))),
    writeStream: (chunks, nameAtEnd) =>
      writing(() =>
        writeAtomically(files, temporary(), chunks, async () => {
          const name = await nameAtEnd()
          return name === undefined ? undefined : placeFor(name)
        }),
      ),
    async readStream(name) {
      const path = pathOf(name)
      const fd = await absentAsUndefined(() => files.open(path, 'r'))
      return fd === undefined ? undefined : createReadStream(path, { fd, highWaterMark: 1 << 18 })
    },
    async *list() {
      for (const shard of ((await absentAsUndefined(() => readdir(folder))) ?? []).sort()) {
        if (!/^[0-9a-f]{2}$/.test(shard)) continue
        for (const name of (await readdir(join(folder, shard))).sort()) {
          const entry = NAME.test(name) ? await statOf(name, join(folder, shard, name)) : undefined
          if (entry) yield entry
        }
      }
    },
    stat: (name) => statOf(name, pathOf(name)),
    remove: (name) => writing(async () => void (await absentAsUndefined(() => files.remove(pathOf(name))))),
    async touch(name) {
      const now = clock.now() / 1000
      await absentAsUndefined(() => utimes(pathOf(name), now, now))
    },
    quarantine: (name) =>
      writing(async () => {
        const aside = join(folder, 'quarantine')
        await ensure(aside)
        await renamePatiently(files, pathOf(name), join(aside, `${name}.${randomBytes(3).toString('hex')}`))
      }),
    async sweep(before) {
      let removed = 0
      for (const name of (await absentAsUndefined(() => readdir(temporaries))) ?? []) {
        const entry = await statOf(name, join(temporaries, name))
        if (!entry || entry.modified >= before) continue
        await files.remove(join(temporaries, name))
        removed++
      }
      return removed
    },
  }
}

async function statOf(name: string, path: string): Promise<BlobEntry | undefined> {
  const found = await absentAsUndefined(async () => statSync(path))
  return found && { name, size: found.size, modified: found.mtimeMs }
}

async function absentAsUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw explained(error, WHERE, 'a blob cannot be reached')
  }
}
