import { check, describe } from '@regimen/core'
import type { BlobRef } from '../blobs/blobs.ts'
import type { BlobEntry } from '../blobs/driver.ts'
import { type Catalogue, refsOf, type Version } from '../catalogue.ts'
import type { Engine } from '../engine.ts'
import { dataOf, type LogRecord } from '../log.ts'

/** What garbage collection may take. */
export interface GcOptions {
  /** Milliseconds that an unneeded blob must be old: longer than any publish takes. @default 86400000 (a day) */
  grace?: number
  /** Only tells what would go. @default false */
  dryRun?: boolean
}

/** What garbage collection took, or would take. */
export interface GcResult {
  readonly removed: readonly string[]
  /** Stored bytes freed. */
  readonly bytes: number
  /** Unneeded blobs that are still within the grace period. */
  readonly spared: number
  /** Temporary files of writes that a kill cut short. */
  readonly temporaries: number
}

// Looks anew before every so many removals, which then run side by side.
const BATCH = 32

/** Removes blobs that no version and no run needs. */
export async function collectGarbage(engine: Engine, options: GcOptions = {}): Promise<GcResult> {
  const { grace = 86_400_000, dryRun = false } = options
  check(grace >= 0, 'store/gc', () => `grace must be milliseconds of at least 0, got ${describe(grace)}.`)
  const { driver } = engine.blobs
  await engine.refresh()
  const needed = neededBlobs(engine.catalogue)
  // Versions that are published meanwhile join what is needed.
  const stop = engine.onRecord((record) => {
    for (const blob of blobsOf(record)) needed.add(blob)
  })
  try {
    const before = engine.clock.now() - grace
    const removed: string[] = []
    let bytes = 0
    let spared = 0
    const take = async ({ name, size }: BlobEntry): Promise<void> => {
      if (!dryRun) {
        const now = await driver.stat?.(name)
        // A publish that found the blob has touched it.
        if (needed.has(name) || (now && now.modified >= before)) return
        await driver.remove?.(name)
      }
      removed.push(name)
      bytes += size
    }
    let batch: BlobEntry[] = []
    const flush = async (): Promise<void> => {
      if (!dryRun) await engine.refresh()
      await Promise.all(batch.map(take))
      batch = []
    }
    for await (const entry of driver.list()) {
      if (needed.has(entry.name)) continue
      if (entry.modified >= before) spared++
      else if (batch.push(entry) === BATCH) await flush()
    }
    await flush()
    const temporaries = dryRun ? 0 : ((await driver.sweep?.(before)) ?? 0)
    if (!dryRun && removed.length > 0) {
      const data = { removed: removed.length, bytes }
      await engine.commit(() => [{ type: 'store/gc', reason: `${removed.length} blobs were needed by nothing.`, data }])
    }
    return { removed, bytes, spared, temporaries }
  } finally {
    stop()
  }
}

/** Every blob that a living version or a run refers to. */
export function neededBlobs(catalogue: Catalogue): Set<string> {
  const needed = new Set<string>()
  for (const { versions } of catalogue.models.values()) {
    for (const { blobs, deleted } of versions) if (!deleted) for (const blob of blobs) needed.add(blob)
  }
  for (const { chunks, files } of catalogue.runs.values()) {
    for (const { blob } of chunks) needed.add(blob)
    for (const blob of files) needed.add(blob)
  }
  return needed
}

function blobsOf(record: LogRecord): string[] {
  if (record.type === 'store/publish') return refsOf(dataOf<Version>(record)).map(({ blob }) => blob)
  if (record.type === 'store/steps') return [dataOf<BlobRef>(record).blob]
  if (record.type !== 'store/run-end') return []
  return Object.values(dataOf<{ files: { [name: string]: BlobRef } }>(record).files).map(({ blob }) => blob)
}
