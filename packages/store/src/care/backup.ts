import { RegimenError } from '@regimen/core'
import type { BlobDriver } from '../blobs/driver.ts'
import type { Engine } from '../engine.ts'
import { EMPTY_LOG, type LogHead, unchain } from '../log.ts'
import type { MetadataDriver } from '../metadata/driver.ts'
import { neededBlobs } from './gc.ts'

/** What a backup copied. */
export interface BackupResult {
  /** The last record in the backup; note it elsewhere, as an anchor for `verify`. */
  readonly head: LogHead
  /** Records copied this time. */
  readonly records: number
  /** Blobs copied this time. */
  readonly blobs: number
}

const PAGE = 500

/**
 * Copies a store that is in use to other drivers: first the blobs, then the log, which names only blobs that are there; the
 * same hashes, so the copy proves to be one. What the target has already is not copied again.
 */
export async function copyStore(
  engine: Engine,
  target: { metadata: MetadataDriver; blobs: BlobDriver },
): Promise<BackupResult> {
  await engine.refresh()
  const end = engine.catalogue.head
  let head = await endOf(engine, target.metadata, end)
  let blobs = 0
  for (const blob of neededBlobs(engine.catalogue)) {
    const there = target.blobs.stat ? await target.blobs.stat(blob) : await target.blobs.read(blob)
    if (there) continue
    // Read with verification, so that damage does not spread into the backup.
    await engine.blobs.get(blob)
    await target.blobs.write(blob, (await engine.blobs.driver.read(blob))!)
    blobs++
  }
  let records = 0
  while (head.seq < end.seq) {
    const lines = await engine.metadata.read(head.seq + 1, Math.min(PAGE, end.seq - head.seq))
    let last: LogHead = head
    for (const line of lines) {
      unchain(line, last)
      last = line
    }
    if (!(await target.metadata.append(lines, head))) throw notACopy(head.seq)
    head = { seq: last.seq, hash: last.hash }
    records += lines.length
  }
  return { head, records, blobs }
}

/** The head of the target, after making sure that its log is the beginning of ours. */
async function endOf(engine: Engine, target: MetadataDriver, end: LogHead): Promise<LogHead> {
  let head = EMPTY_LOG
  for (;;) {
    const lines = await target.read(head.seq + 1, PAGE)
    if (lines.length === 0) return head
    const ours = await engine.metadata.read(head.seq + 1, lines.length)
    for (const [i, line] of lines.entries()) {
      if (line.seq > end.seq || ours[i]?.hash !== line.hash) throw notACopy(line.seq)
      head = { seq: line.seq, hash: line.hash }
    }
  }
}

function notACopy(seq: number): RegimenError {
  return new RegimenError(`the target's log differs from this store's at record ${seq}.`, {
    code: 'NOT_A_COPY',
    where: 'store/backup',
    hint: 'Back up into an empty folder, or into an earlier backup of this store that nobody wrote to.',
  })
}
