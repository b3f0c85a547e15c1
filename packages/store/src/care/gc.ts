import { check, describe } from '@regimen/core'
import { type Catalogue, refsOf, type Version } from '../catalogue.ts'
import type { Engine } from '../engine.ts'
import type { LogRecord } from '../log.ts'

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
    for await (const { name, size, modified } of driver.list()) {
      if (needed.has(name)) continue
      if (modified >= before) {
        spared++
        continue
      }
      if (!dryRun) {
        await engine.refresh()
        const now = driver.stat ? await driver.stat(name) : undefined
        // A publish that found the blob has touched it.
        if (needed.has(name) || (now && now.modified >= before)) continue
        await driver.remove?.(name)
      }
      removed.push(name)
      bytes += size
    }
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

function blobsOf({ type, data }: LogRecord): string[] {
  if (type === 'store/publish') return refsOf(data as never as Version).map(({ blob }) => blob)
  if (type === 'store/steps') return [data.blob as string]
  if (type === 'store/run-end')
    return Object.values(data.files as { [name: string]: { blob: string } }).map((ref) => ref.blob)
  return []
}
