import { createRequire } from 'node:module'
import { hasSqlite } from '@regimen/core/sqlite'
import { compile, useBackend } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs'
import { table } from '../terminal.ts'
import type { CommandContext } from './context.ts'

/** One thing that was looked at. */
interface Finding {
  readonly what: string
  readonly ok: boolean
  readonly detail: string
}

/** Says what this machine offers: Node, runtimes, backends, the database, versions. */
export async function doctorCommand({ terminal, json }: CommandContext): Promise<void> {
  const findings: Finding[] = [
    { what: 'Node', ok: true, detail: `${process.version} on ${process.platform} ${process.arch}` },
    await compiled(),
    await backend('wasm'),
    await backend('webgpu'),
    installed('webgpu', 'the GPU in Node: npm install webgpu'),
    installed('@tensorflow/tfjs-node', 'optional: npm install @tensorflow/tfjs-node'),
    hasSqlite()
      ? { what: 'SQLite', ok: true, detail: 'stores and studies use it' }
      : { what: 'SQLite', ok: false, detail: 'stores use plain files; Node 22.13 or better-sqlite3 brings it' },
  ]
  await tf.setBackend('cpu')
  if (json) return terminal.json(findings)
  for (const line of table(
    findings.map(({ what, ok, detail }) => [ok ? 'yes' : 'no', what, detail]),
    'lll',
  )) {
    terminal.say(line)
  }
}

async function compiled(): Promise<Finding> {
  const what = 'compiled nets'
  try {
    const square = compile((x: tf.Tensor) => tf.square(x))
    const { data } = await square({ dtype: 'float32', shape: [1], data: Float32Array.of(3) })
    const { runtime } = square.explain()[0] ?? {}
    await square.dispose()
    return { what, ok: data[0] === 9, detail: `by ${String(runtime ?? 'the eager backend')}` }
  } catch (error) {
    return { what, ok: false, detail: (error as Error).message.split('\n')[0]! }
  }
}

async function backend(name: 'wasm' | 'webgpu'): Promise<Finding> {
  try {
    const { reason } = await useBackend(name)
    return { what: `backend ${name}`, ok: true, detail: reason }
  } catch (error) {
    return { what: `backend ${name}`, ok: false, detail: (error as Error).message.split('\n')[0]! }
  }
}

function installed(name: string, hint: string): Finding {
  try {
    const { version } = createRequire(import.meta.url)(`${name}/package.json`) as { version: string }
    return { what: name, ok: true, detail: version }
  } catch {
    return { what: name, ok: false, detail: hint }
  }
}
