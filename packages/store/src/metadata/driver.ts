import type { LogHead, LogLine } from '../log.ts'

/**
 * Keeps the log. A store's whole catalogue is the replay of its log, so this is all that a database has to do: append if nobody
 * else did, and read. Lines are opaque; what must hold is that `append` is atomic and durable.
 */
export interface MetadataDriver {
  /** What it is, for messages: `sqlite`, `file`, … */
  readonly name: string
  /**
   * Appends the lines, all or none, if the log still ends at `head`, and returns once they are on disk; false, with nothing
   * appended, when somebody else was first.
   */
  append(lines: readonly LogLine[], head: LogHead): Promise<boolean>
  /** Lines from number `from` on in order, at most `limit`; empty at the end. */
  read(from: number, limit: number): Promise<readonly LogLine[]>
  close(): Promise<void>
  /** Damage and oddities that reading in order does not show. */
  inspect?(): Promise<readonly LogNote[]>
}

/** Something that `inspect` found beside the log itself. */
export interface LogNote {
  /** `damage` is a record that was altered; `note` is harmless, such as the rest of a write that a kill cut short. */
  readonly kind: 'damage' | 'note'
  readonly problem: string
}
