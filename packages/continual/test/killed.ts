import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A life in a process of its own. */
export interface LifeOptions {
  /** File beside this one. */
  readonly child: string
  readonly args: readonly string[]
  /** It is killed so long after it wrote so many bytes of output. @default it lives to its end */
  readonly kill?: { readonly after: number; readonly wait: number }
}

/** Runs a child until it ends or is killed by the system; gives the signal that killed it. */
export function live({ child, args, kill }: LifeOptions): Promise<NodeJS.Signals | null> {
  return new Promise((resolve, reject) => {
    const file = fileURLToPath(new URL(`./${child}.ts`, import.meta.url))
    const node = ['--conditions=@regimen/source', '--import', 'tsx', file, ...args]
    const life = spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'inherit'] })
    let done = 0
    life.stdout.on('data', (bytes: Buffer) => {
      const before = done
      done += bytes.length
      if (kill && before < kill.after && done >= kill.after) setTimeout(() => life.kill('SIGKILL'), kill.wait)
    })
    life.on('error', reject)
    life.on('close', (_, signal) => resolve(signal))
  })
}
