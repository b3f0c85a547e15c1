import { RegimenError } from '@regimen/core'
import type { Engine } from '../engine.ts'
import { EMPTY_LOG, type LogHead, type LogRecord, unchain } from '../log.ts'
import { neededBlobs } from './gc.ts'

/** What `verify` is held against. */
export interface VerifyOptions {
  /** A head that was noted earlier, outside the store: proves that the log up to it was not rewritten as a whole. */
  anchor?: LogHead
}

/** State of the audit log. */
export interface Verification {
  readonly valid: boolean
  /** Records that were read and are right. */
  readonly records: number
  /** The last of them: note it elsewhere, as an anchor. */
  readonly head: LogHead
  readonly problems: readonly string[]
}

/** What {@link Store.fsck} does beside looking. */
export interface FsckOptions {
  /** Puts damaged blobs aside and fetches them, and missing ones, from `from`. @default false */
  repair?: boolean
  /** Where intact blobs may be had: a backup, opened as a store. */
  from?: { bytes(blob: string): Promise<Uint8Array> }
  /** Reads and hashes every blob; otherwise only looks whether it is there. @default true */
  deep?: boolean
}

/** Something that is wrong in a store. */
export interface FsckProblem {
  readonly kind: 'log' | 'missing-blob' | 'damaged-blob'
  readonly problem: string
  /** The blob, where it is one. */
  readonly blob?: string
  /** Versions that need it. */
  readonly versions?: readonly string[]
  readonly repaired: boolean
}

/** What `fsck` found. */
export interface FsckResult {
  /** Nothing is wrong, or all of it was repaired. */
  readonly clean: boolean
  readonly problems: readonly FsckProblem[]
  /** Harmless: the rests of writes that a kill cut short, blobs that nothing needs. */
  readonly notes: readonly string[]
  readonly records: number
  readonly blobs: number
}

const PAGE = 1_000

/** Reads the whole log and checks every hash and every link. */
export async function verifyLog(engine: Engine, { anchor }: VerifyOptions = {}): Promise<Verification> {
  const problems: string[] = []
  let head = EMPTY_LOG
  try {
    for (;;) {
      const lines = await engine.metadata.read(head.seq + 1, PAGE)
      for (const line of lines) {
        const { seq, hash }: LogRecord = unchain(line, head)
        head = { seq, hash }
        if (anchor?.seq === seq && anchor.hash !== hash) problems.push(`record ${seq} is not the one that was anchored`)
      }
      if (lines.length < PAGE) break
    }
  } catch (error) {
    if (!(error instanceof RegimenError)) throw error
    problems.push(error.message)
  }
  if (problems.length === 0 && head.seq < engine.catalogue.head.seq) {
    problems.push(`the log ends at record ${head.seq} and went on to ${engine.catalogue.head.seq}`)
  }
  if (anchor && problems.length === 0 && head.seq < anchor.seq) {
    problems.push(`the log ends at record ${head.seq}, before the anchored record ${anchor.seq}`)
  }
  for (const note of (await engine.metadata.inspect?.()) ?? []) if (note.kind === 'damage') problems.push(note.problem)
  return { valid: problems.length === 0, records: head.seq, head, problems }
}

/** Checks log and blobs against each other, and repairs what can be repaired. */
export async function checkStore(engine: Engine, options: FsckOptions = {}): Promise<FsckResult> {
  const { repair = false, deep = true, from } = options
  const { driver } = engine.blobs
  const verification = await verifyLog(engine)
  const problems: FsckProblem[] = verification.problems.map((problem) => ({ kind: 'log', problem, repaired: false }))
  const notes = ((await engine.metadata.inspect?.()) ?? [])
    .filter(({ kind }) => kind === 'note')
    .map((note) => note.problem)
  await engine.refresh().catch(() => {})

  const needed = neededBlobs(engine.catalogue)
  const users = usersOf(engine)
  const present = new Set<string>()
  let orphans = 0
  for await (const { name } of driver.list()) {
    present.add(name)
    if (!needed.has(name)) orphans++
  }
  for (const blob of new Set([...needed, ...present])) {
    let kind: FsckProblem['kind'] | undefined
    let problem = ''
    if (!present.has(blob)) {
      kind = 'missing-blob'
      problem = `the blob ${blob} is missing`
    } else if (deep) {
      try {
        await engine.blobs.get(blob)
      } catch (error) {
        if (!(error instanceof RegimenError) || error.code !== 'CORRUPT_BLOB') throw error
        kind = 'damaged-blob'
        problem = error.message
      }
    }
    if (kind === undefined) continue
    const versions = users(blob)
    let repaired = false
    if (repair) {
      if (kind === 'damaged-blob') await driver.quarantine?.(blob)
      const intact = needed.has(blob) ? await from?.bytes(blob).catch(() => undefined) : undefined
      if (intact) await engine.blobs.put(intact)
      // A damaged blob that nothing needs is repaired by being out of the way.
      repaired = intact !== undefined || !needed.has(blob)
    }
    problems.push({ kind, problem, blob, versions, repaired })
  }
  if (orphans > 0) notes.push(`${orphans} blobs are needed by nothing; gc removes them`)
  return {
    clean: problems.every(({ repaired }) => repaired),
    problems,
    notes,
    records: verification.records,
    blobs: present.size,
  }
}

function usersOf(engine: Engine): (blob: string) => string[] {
  return (blob) => {
    const found: string[] = []
    for (const [model, { versions }] of engine.catalogue.models) {
      versions.forEach(({ blobs, deleted }, index) => {
        if (!deleted && blobs.includes(blob)) found.push(`${model}@${index + 1}`)
      })
    }
    return found
  }
}
