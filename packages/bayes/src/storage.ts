import type { StudyEntry } from './entries.ts'

/** Where a study's entries are kept. Three methods make a driver; `testStudyStorage`-style checks live in the tests. */
export interface StudyStorage {
  /** Adds entries to the end, all or none; they are safe once it returns. */
  append(entries: readonly StudyEntry[]): void
  /** The entries that this object has not handed out yet, its own included, in the order that every reader sees. */
  read(): readonly StudyEntry[]
  /** Releases files and locks. */
  close(): void
}

/**
 * Keeps a study's entries in memory: for studies that need not outlive the process. Several studies opened on one memory
 * storage would steal each other's entries: open one each.
 *
 * ```ts
 * import { memoryStorage, openStudy } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', storage: memoryStorage() })
 * study.trials.length // => 0
 * ```
 */
export function memoryStorage(initial: readonly StudyEntry[] = []): StudyStorage & {
  /** Everything so far. */
  readonly entries: readonly StudyEntry[]
} {
  const entries: StudyEntry[] = [...initial]
  let seen = 0
  return {
    entries,
    append(added) {
      for (const entry of added) entries.push(entry)
    },
    read() {
      if (seen === entries.length) return []
      const fresh = entries.slice(seen)
      seen = entries.length
      return fresh
    },
    close() {},
  }
}
