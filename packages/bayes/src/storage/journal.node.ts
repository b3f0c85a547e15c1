import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { check, describe, RegimenError } from '@regimen/core'
import type { StudyEntry } from '../entries.ts'
import type { StudyStorage } from '../storage.ts'
import { parseEntry } from './codec.ts'

/** Options of {@link journalStorage}. */
export interface JournalOptions {
  /**
   * Flushes to the disk whenever a trial ends, so that a power cut loses no finished trial; a killed process loses none either
   * way.
   * @default true
   */
  durable?: boolean
  /**
   * Reads up to the first damaged record of a file that is damaged in the middle, and refuses to write to it.
   * @default false
   */
  salvage?: boolean
}

/** What was found when a journal was opened. */
export interface JournalReport {
  /** Complete records. */
  readonly records: number
  /** Bytes of an incomplete last record, cut off. */
  readonly dropped: number
  /** The first damaged record, from 1, where `salvage` stopped. */
  readonly damaged: number | undefined
}

/**
 * Keeps a study in one append-only text file: each line holds a checksum and one entry as JSON. It is the storage to take
 * where one process searches and the study must outlive it; for several processes take `sqliteStorage`. A file that a
 * crash cut at any byte opens again: all complete records are there, what remains of the last one is cut off and reported.
 * A second process is refused while the first is alive.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 * import { journalStorage } from '@regimen/bayes/journal'
 * import { mkdtempSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 *
 * const path = join(mkdtempSync(join(tmpdir(), 'study-')), 'study.journal')
 * const study = openStudy({ direction: 'minimize', storage: journalStorage(path) })
 * await study.optimize((trial) => trial.float('x', -1, 1) ** 2, { trials: 5 })
 * study.close()
 *
 * const again = openStudy({ direction: 'minimize', storage: journalStorage(path) })
 * again.completed.length // => 5
 * again.close()
 * ```
 */
export function journalStorage(
  path: string,
  options: JournalOptions = {},
): StudyStorage & { readonly report: JournalReport } {
  const { durable = true, salvage = false } = options
  const where = 'bayes/journal'
  check(typeof path === 'string' && path !== '', where, () => `path must name a file, got ${describe(path)}.`)
  const release = salvage ? () => {} : lock(path)
  let handle: number | undefined
  try {
    const { entries, good, total, unended, damaged } = parse(path, salvage)
    const report: JournalReport = { records: entries.length, dropped: damaged ? 0 : total - good, damaged }
    if (!salvage) {
      handle = openSync(path, 'a')
      if (good < fstatSync(handle).size) ftruncateSync(handle, good)
      if (unended) writeSync(handle, '\n')
    }
    let fresh: StudyEntry[] = entries
    return {
      report,
      append(added) {
        if (handle === undefined) {
          throw new RegimenError(`${path} is ${salvage ? 'opened for salvage' : 'closed'}; nothing can be added.`, {
            code: salvage ? 'READ_ONLY' : 'CLOSED',
            where,
            hint: 'Warm-start a new study from it.',
          })
        }
        // One write for all, so that they are added together or are cut off together.
        const bytes = Buffer.from(added.map(encode).join(''))
        for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at)
        if (durable && added.some((entry) => entry.t === 'finish' || entry.t === 'import')) fsyncSync(handle)
        fresh = fresh.concat(added)
      },
      read() {
        const out = fresh
        fresh = []
        return out
      },
      close() {
        if (handle === undefined) return
        closeSync(handle)
        handle = undefined
        release()
      },
    }
  } catch (error) {
    if (handle !== undefined) closeSync(handle)
    release()
    throw error
  }
}

function checksum(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, 8)
}

function encode(entry: StudyEntry): string {
  const json = JSON.stringify(entry)
  return `${checksum(json)} ${json}\n`
}

interface Parsed {
  readonly entries: StudyEntry[]
  /** Bytes of complete records. */
  readonly good: number
  readonly total: number
  /** The last record is complete but for its line end. */
  readonly unended: boolean
  readonly damaged: number | undefined
}

function parse(path: string, salvage: boolean): Parsed {
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  const entries: StudyEntry[] = []
  let good = 0
  while (good < bytes.length) {
    const end = bytes.indexOf(10, good)
    const line = bytes.toString('utf8', good, end < 0 ? bytes.length : end)
    const json = line.slice(9)
    if (line[8] === ' ' && checksum(json) === line.slice(0, 8)) {
      entries.push(parseEntry(json, `${path}: record ${entries.length + 1}`))
      if (end < 0) return { entries, good: bytes.length, total: bytes.length, unended: true, damaged: undefined }
      good = end + 1
      continue
    }
    const record = entries.length + 1
    if (salvage) return { entries, good, total: bytes.length, unended: false, damaged: record }
    // A crash leaves half a line at the very end. Anything else is no journal, or damage that must not be cut away.
    const torn = end < 0 && (entries.length > 0 || looksTorn(line))
    if (torn) break
    throw new RegimenError(
      entries.length === 0
        ? `${path} is no study journal: its first line is ${describe(line)}.`
        : `${path} is damaged at record ${record} (byte ${good} of ${bytes.length}).`,
      {
        code: entries.length === 0 ? 'FOREIGN_STUDY' : 'CORRUPT_STUDY',
        where: 'bayes/journal',
        hint:
          entries.length === 0
            ? 'Pass a file that journalStorage wrote, or a new path.'
            : 'Open it with { salvage: true } to read what comes before.',
      },
    )
  }
  return { entries, good, total: bytes.length, unended: false, damaged: undefined }
}

/** Whether a lone line can be the beginning of a first record. */
function looksTorn(line: string): boolean {
  return /^[0-9a-f]{0,8}$/.test(line) || /^[0-9a-f]{8} (\{|$)/.test(line)
}

/** Takes the lock file, or takes it over from a process that is gone. */
function lock(path: string): () => void {
  const file = `${path}.lock`
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
      return () => rmSync(file, { force: true })
    } catch (error) {
      const { code } = error as { code?: string }
      if (code !== 'EEXIST') {
        throw new RegimenError(`${path} cannot be opened: ${(error as Error).message}.`, {
          code: 'CANNOT_OPEN',
          where: 'bayes/journal',
          hint: 'Check that the folder exists and may be written.',
          cause: error,
        })
      }
      const owner = Number(readFileSync(file, 'utf8'))
      if (alive(owner)) {
        throw new RegimenError(`${path} is in use by process ${owner}.`, {
          code: 'STUDY_LOCKED',
          where: 'bayes/journal',
          hint: 'Close the other study, or share one through sqliteStorage.',
        })
      }
      rmSync(file, { force: true })
    }
  }
  throw new RegimenError(`${path} is being opened by another process.`, {
    code: 'STUDY_LOCKED',
    where: 'bayes/journal',
  })
}

function alive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}
