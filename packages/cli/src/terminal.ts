import type { Progress } from '@regimen/core'

/** Where a command writes and what it may do there. */
export interface Terminal {
  /** Text for people, on standard output; nothing with `--json`. */
  say(line: string): void
  /** How far something is: a bar that redraws itself on a terminal, a line now and then elsewhere. */
  progress(name: string): (progress: Progress) => void
  /** One JSON value on standard output. */
  json(value: unknown): void
  /** Columns of the terminal. */
  readonly width: number
}

/** What a terminal is made of; the process has it all. */
export interface TerminalOptions {
  readonly out: { write(text: string): unknown }
  readonly err: {
    write(text: string): unknown
    readonly isTTY?: boolean | undefined
    readonly columns?: number | undefined
  }
  /** Standard output belongs to one JSON value. */
  readonly quiet: boolean
}

const BAR = 24

/** Opens the terminal of a process: results go to standard output, progress to standard error. */
export function openTerminal({ out, err, quiet }: TerminalOptions): Terminal {
  const width = Math.max(40, Math.min(err.columns ?? 80, 120))
  return {
    width,
    say: (line) => {
      if (!quiet) out.write(`${line}\n`)
    },
    json: (value) => {
      out.write(`${JSON.stringify(value)}\n`)
    },
    progress(name) {
      let shown = -1
      return ({ done, total = 0, message }) => {
        const share = total > 0 ? Math.min(1, done / total) : 0
        const step = err.isTTY ? Math.floor(share * 200) : Math.floor(share * 4)
        if (step === shown) return
        shown = step
        const percent = `${Math.floor(100 * share)} %`.padStart(5)
        if (!err.isTTY) {
          if (step > 0) err.write(`${name}: ${percent.trim()}\n`)
          return
        }
        const filled = Math.round(share * BAR)
        const text = `${name.padEnd(16)} ${'█'.repeat(filled)}${'░'.repeat(BAR - filled)} ${percent}  ${message ?? ''}`
        err.write(`\r${text.slice(0, width - 1).padEnd(width - 1)}${share === 1 ? `\r${' '.repeat(width - 1)}\r` : ''}`)
      }
    },
  }
}

/** Lays out rows in columns, by `align` to the left (`l`) or right (`r`): the first left and the others right unless told. */
export function table(rows: readonly (readonly string[])[], align = `l${'r'.repeat(rows[0]!.length)}`): string[] {
  const widths = rows[0]!.map((_, c) => Math.max(...rows.map((row) => row[c]!.length)))
  return rows.map((row) =>
    row
      .map((cell, c) => (align[c] === 'l' ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)))
      .join('  ')
      .trimEnd(),
  )
}
