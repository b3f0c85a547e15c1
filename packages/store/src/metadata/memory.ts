import type { LogLine } from '../log.ts'
import type { MetadataDriver } from './driver.ts'

/**
 * Keeps the log in memory, for tests and dry runs; it is gone with the process.
 *
 * ```ts
 * import { memoryBlobs, memoryMetadata, openStore } from '@regimen/store'
 *
 * const store = await openStore({ metadata: memoryMetadata(), blobs: memoryBlobs() })
 * store.models() // => []
 * await store.close()
 * ```
 */
export function memoryMetadata(): MetadataDriver {
  const log: LogLine[] = []
  return {
    name: 'memory',
    async append(lines, head) {
      if (log.length !== head.seq) return false
      log.push(...lines)
      return true
    },
    read: async (from, limit) => log.slice(from - 1, from - 1 + limit),
    close: async () => {},
  }
}
