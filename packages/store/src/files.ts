import { closeSync, fsync, mkdirSync, openSync, renameSync, unlinkSync, write, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { RegimenError } from '@regimen/core'

/**
 * The file operations that the folder drivers stand on; an open file is its descriptor. Pass another one to inject faults (a
 * full disk, a failing fsync) or to count; every write goes through it.
 */
export interface FileOperations {
  open(path: string, flags: string): Promise<number>
  /** Writes all bytes; a short write is an error. */
  write(file: number, bytes: Uint8Array): Promise<void>
  /** Forces what was written to the disk. */
  sync(file: number): Promise<void>
  close(file: number): Promise<void>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  mkdir(path: string): Promise<void>
}

const writeAsync = promisify(write) as (file: number, bytes: Uint8Array) => Promise<{ bytesWritten: number }>
const syncAsync = promisify(fsync)
/** Up to here a write into the page cache is over sooner than a thread could take it. */
const SMALL = 1 << 16

/**
 * The file operations of the operating system. What waits for the disk runs on another thread; what only changes a directory
 * takes microseconds and is done at once.
 */
export const systemFiles: FileOperations = {
  open: async (path, flags) => openSync(path, flags),
  async write(file, bytes) {
    const written = bytes.length <= SMALL ? writeSync(file, bytes) : (await writeAsync(file, bytes)).bytesWritten
    if (written === bytes.length) return
    if (written === 0) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' })
    // The rest tells the real reason, or succeeds.
    await systemFiles.write(file, bytes.subarray(written))
  },
  sync: (file) => syncAsync(file),
  close: async (file) => closeSync(file),
  rename: async (from, to) => renameSync(from, to),
  remove: async (path) => unlinkSync(path),
  mkdir: async (path) => void mkdirSync(path, { recursive: true }),
}

/** Makes a rename survive a power cut. Windows has no such call and does not need it: its renames are journaled. */
export async function syncFolder(files: FileOperations, folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await files.open(folder, 'r')
  try {
    await files.sync(handle)
  } finally {
    await files.close(handle)
  }
}

/** Renames, patiently: on Windows a virus scanner may hold a fresh file for a moment. */
export async function renamePatiently(files: FileOperations, from: string, to: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await files.rename(from, to)
      return
    } catch (error) {
      if (process.platform !== 'win32' || attempt === 9 || !BUSY.has(codeOf(error) ?? '')) throw error
      await new Promise((done) => setTimeout(done, 10 << Math.min(attempt, 5)))
    }
  }
}

const BUSY = new Set(['EPERM', 'EACCES', 'EBUSY'])

/**
 * Writes a file so that there is either all of it or none: temporary file, fsync, rename, fsync of the folder. Where it goes
 * is asked for once its bytes are safe; undefined drops them.
 */
export async function writeAtomically(
  files: FileOperations,
  temporary: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  target: () => Promise<string | undefined>,
): Promise<void> {
  const handle = await files.open(temporary, 'wx')
  let path: string | undefined
  try {
    try {
      for await (const chunk of chunks) await files.write(handle, chunk)
      await files.sync(handle)
    } finally {
      await files.close(handle)
    }
    path = await target()
    await (path === undefined ? files.remove(temporary) : renamePatiently(files, temporary, path))
  } catch (error) {
    await files.remove(temporary).catch(() => {})
    throw error
  }
  if (path !== undefined) await syncFolder(files, dirname(path))
}

/** The `code` of a system error. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/** Turns a system error into one that says what to do; a RegimenError passes unchanged. */
export function explained(error: unknown, where: string, what: string): RegimenError {
  if (error instanceof RegimenError) return error
  const code = codeOf(error) ?? 'UNKNOWN'
  const [name, hint] = WAYS_OUT[code] ?? ['STORE_IO', 'What was committed before is intact; look at the cause.']
  const detail = error instanceof Error ? error.message : String(error)
  return new RegimenError(`${what}: ${detail}.`, { code: name, where, hint, cause: error })
}

const WAYS_OUT: { readonly [code: string]: readonly [string, string] } = {
  ENOSPC: ['DISK_FULL', 'Free space (gc removes what no version needs); what was committed before is intact.'],
  EDQUOT: ['DISK_FULL', 'Free space (gc removes what no version needs); what was committed before is intact.'],
  EROFS: ['READ_ONLY', 'Open the store with { readOnly: true }, or let this user write to the folder.'],
  EACCES: ['READ_ONLY', 'Open the store with { readOnly: true }, or let this user write to the folder.'],
  EPERM: ['READ_ONLY', 'Open the store with { readOnly: true }, or let this user write to the folder.'],
}
