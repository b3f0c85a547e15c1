import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { main } from '../src/main.ts'

/** An empty folder that the operating system cleans up. */
export function folder(): string {
  return mkdtempSync(join(tmpdir(), 'regimen-cli-'))
}

/** Runs a command line inside this process. */
export async function command(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const code = await main(args, {
    out: {
      write(text) {
        out += text
      },
    },
    err: {
      write(text) {
        err += text
      },
      columns: 80,
    },
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

/** A series as CSV: a wave with noise of its own, `n` daily bars. */
export function csv(n: number, line: (i: number, cells: string[]) => string = (_, cells) => cells.join()): string {
  const lines = ['date,open,high,low,close,volume']
  let close = 100
  let state = 1
  for (let i = 0; i < n; i++) {
    state = (state * 48271) % 2147483647
    const open = close
    close = open * (1 + 0.02 * (state / 2147483647 - 0.5) + 0.003 * Math.sin(i / 40))
    const [high, low] = [1.004 * Math.max(open, close), 0.996 * Math.min(open, close)]
    const day = new Date(Date.UTC(2015, 0, 1 + i)).toISOString().slice(0, 10)
    lines.push(line(i, [day, ...[open, high, low, close].map((price) => price.toFixed(4)), '1000']))
  }
  return `${lines.join('\n')}\n`
}
