import { type Clock, systemClock } from '@regimen/core'
import type { BlobDriver } from './driver.ts'

/**
 * Keeps blobs in memory, for tests and dry runs.
 *
 * ```ts
 * import { memoryBlobs } from '@regimen/store'
 *
 * const blobs = memoryBlobs()
 * await blobs.write('ab'.repeat(32), new Uint8Array([1, 2]))
 * await blobs.read('ab'.repeat(32)) // => new Uint8Array([1, 2])
 * ```
 */
export function memoryBlobs(clock: Clock = systemClock): BlobDriver {
  const held = new Map<string, { bytes: Uint8Array; modified: number }>()
  return {
    name: 'memory',
    read: async (name) => held.get(name)?.bytes,
    write: async (name, bytes) => void held.set(name, { bytes: bytes.slice(), modified: clock.now() }),
    async *list() {
      for (const [name, { bytes, modified }] of [...held]) yield { name, size: bytes.length, modified }
    },
    async stat(name) {
      const found = held.get(name)
      return found && { name, size: found.bytes.length, modified: found.modified }
    },
    remove: async (name) => void held.delete(name),
    async touch(name) {
      const found = held.get(name)
      if (found) found.modified = clock.now()
    },
    quarantine: async (name) => void held.delete(name),
  }
}
