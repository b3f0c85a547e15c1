// What the kill test and its child do to a spilled buffer, over a folder.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SpillBlobs, type SpilledReplay, spilledReplay } from '../src/index.ts'

export function folderBlobs(folder: string): SpillBlobs {
  mkdirSync(folder, { recursive: true })
  return {
    async read(name) {
      try {
        return new Uint8Array(readFileSync(join(folder, name)))
      } catch {
        return undefined
      }
    },
    async write(name, bytes) {
      writeFileSync(join(folder, `${name}.new`), bytes)
      renameSync(join(folder, `${name}.new`), join(folder, name))
    },
    async remove(name) {
      rmSync(join(folder, name), { force: true })
    },
  }
}

export const spilled = { bytes: 24 * 64, width: 4, page: 8, resident: 2, seed: 'kill' }

export const openSpilled = (blobs: SpillBlobs): Promise<SpilledReplay> => spilledReplay({ ...spilled, blobs })

/** Sample number i. */
export const sampleOf = (i: number) => ({ x: [i, 2 * i, -i, 0.5], y: i % 3, group: i % 5 })
