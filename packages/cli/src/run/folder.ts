import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { RegimenError } from '@regimen/core'

/** Names of what lies in a run's folder. */
export const FILES = {
  config: 'run.json',
  checkpoint: 'checkpoint.bin',
  result: 'result.json',
  report: 'report.html',
  store: 'store',
} as const

/** Makes a folder to write into; the error says in one line why that cannot be. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    const probe = join(folder, '.writable')
    await writeWhole(probe, '')
    await rm(probe)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new RegimenError(`the folder ${folder} cannot be written to (${code}).`, {
      code: 'UNWRITABLE',
      where: 'run',
      hint: 'Pass --out with a folder that may be written to.',
      cause,
    })
  }
}

/** Writes a file so that a crash leaves either the old one or the new one, whole. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const part = `${path}.part`
  const file = await open(part, 'w')
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(part, path)
}

/** Reads a file; undefined where there is none. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
