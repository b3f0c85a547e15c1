import type { Terminal } from '../terminal.ts'

/** What every command is given besides its own options. */
export interface CommandContext {
  readonly terminal: Terminal
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  /** One JSON value instead of text. */
  readonly json: boolean
}
