import { randomBytes } from 'node:crypto'
import { type Clock, createEvent, RegimenError, type RegimenEvent, type Tree } from '@regimen/core'
import type { Blobs } from './blobs/blobs.ts'
import { type AliasMove, apply, type Catalogue, emptyCatalogue, formatAt } from './catalogue.ts'
import { explained } from './files.ts'
import { chain, type LogRecord, readLine, unchain } from './log.ts'
import type { MetadataDriver } from './metadata/driver.ts'
import { FORMAT, upgraded } from './migrations.ts'
import { serial } from './serial.ts'

/** What every part of the store works with: the log, its replay, and the blobs. */
export interface Engine {
  readonly catalogue: Catalogue
  readonly metadata: MetadataDriver
  readonly blobs: Blobs
  readonly clock: Clock
  readonly actor: string
  readonly readOnly: boolean
  /** Takes what others wrote. */
  refresh(): Promise<void>
  /**
   * Decides on the newest state and appends what the decision says; decides again when somebody else was first. Decisions
   * must be pure: they may run several times.
   */
  commit(decide: () => readonly Draft[]): Promise<LogRecord[]>
  /** Reads a record in the layout of this release. */
  record(seq: number): Promise<LogRecord>
  /** Reads records from the log itself, as they were written. */
  records(from: number, limit: number): Promise<LogRecord[]>
  /** Called after every record that was taken into the index. */
  onRecord(listener: (record: LogRecord) => void): () => void
  close(): Promise<void>
}

/** An event before the clock has stamped it. */
export interface Draft {
  readonly type: string
  readonly reason: string
  readonly data: RegimenEvent['data']
  readonly inputs?: { readonly [name: string]: string }
  /** Time of an event that happened elsewhere. @default the store's clock */
  readonly time?: number
}

/** The record of an alias's move. */
export function moveDraft(data: AliasMove & { policy?: Tree }, reason: string): Draft {
  return { type: 'store/alias', reason, data: { ...data } }
}

const PAGE = 2_000

/** Opens the log: replays it, or begins it. */
export async function openEngine(options: {
  metadata: MetadataDriver
  blobs: Blobs
  clock: Clock
  actor: string
  readOnly: boolean
}): Promise<Engine> {
  const { metadata, blobs, clock, actor, readOnly } = options
  const catalogue = emptyCatalogue()
  const listeners = new Set<(record: LogRecord) => void>()
  const writer = randomBytes(6).toString('hex')
  let counter = 0
  let closed = false
  const inTurn = serial()

  const advance = (written: LogRecord): void => {
    const record = apply(catalogue, written)
    for (const listener of listeners) listener(record)
  }
  const catchUp = async (): Promise<void> => {
    if (closed) throw new RegimenError('the store is closed.', { code: 'CLOSED', where: 'store' })
    for (;;) {
      const lines = await metadata.read(catalogue.head.seq + 1, PAGE)
      for (const line of lines) advance(unchain(line, catalogue.head))
      if (lines.length < PAGE) return
    }
  }
  const commitNow = async (decide: () => readonly Draft[]): Promise<LogRecord[]> => {
    if (readOnly) {
      throw new RegimenError('the store was opened read-only.', {
        code: 'READ_ONLY',
        where: 'store',
        hint: 'Open it without { readOnly: true }.',
      })
    }
    for (;;) {
      await catchUp()
      const head = catalogue.head
      const drafts = decide()
      if (drafts.length === 0) return []
      let end = head
      const lines = drafts.map(({ time = clock.now(), ...draft }) => {
        const line = chain(createEvent({ time, ...draft }), end, actor, `${writer}-${counter++}`)
        end = line
        return line
      })
      let won: boolean
      try {
        won = await metadata.append(lines, head)
      } catch (error) {
        throw explained(error, 'store', 'the log cannot be written')
      }
      if (!won) continue
      const records: LogRecord[] = []
      for (const line of lines) {
        const record = unchain(line, records.at(-1) ?? head)
        advance(record)
        records.push(record)
      }
      return records
    }
  }

  await catchUp()
  if (!readOnly) {
    await commitNow(() => {
      const data = { format: FORMAT }
      if (catalogue.head.seq === 0)
        return [{ type: 'store/create', reason: 'The store was opened for the first time.', data }]
      const present = formatAt(catalogue, catalogue.head.seq)
      if (present === FORMAT) return []
      return [{ type: 'store/migrate', reason: `From here on records are of format ${FORMAT}, not ${present}.`, data }]
    })
  }
  return {
    catalogue,
    metadata,
    blobs,
    clock,
    actor,
    readOnly,
    refresh: () => inTurn(catchUp),
    commit: (decide) => inTurn(() => commitNow(decide)),
    async record(seq) {
      const [line] = await metadata.read(seq, 1)
      return upgraded(readLine(line!), formatAt(catalogue, seq))
    },
    async records(from, limit) {
      return (await metadata.read(from, limit)).map(readLine)
    },
    onRecord(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      if (closed) return
      await inTurn(async () => {
        closed = true
        await metadata.close()
        await blobs.driver.close?.()
      })
    },
  }
}
