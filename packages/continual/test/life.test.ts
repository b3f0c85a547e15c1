import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { expect, it } from 'vitest'
import { openLife, saveLife, stepLife } from './lives.ts'

const CHILD = fileURLToPath(new URL('./life-child.ts', import.meta.url))

it('a net that dreams and its library, killed anywhere, end where a life without a death ends', {
  timeout: 3_600_000,
}, async () => {
  const kills = process.env.REGIMEN_FULL === '1' ? 100 : 1
  const steps = 16 + 4 * kills
  const folder = mkdtempSync(join(tmpdir(), 'regimen-life-'))
  const file = join(folder, 'life.snapshot')
  const rng = createRng('kills of lives')
  const live = (killAfter: number | undefined): Promise<NodeJS.Signals | null> =>
    new Promise((resolve, reject) => {
      const node = ['--conditions=@regimen/source', '--import', 'tsx', CHILD, file, String(steps)]
      const child = spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'inherit'] })
      const wait = rng.uniform(0, 20)
      let taken = 0
      child.stdout.on('data', (bytes: Buffer) => {
        const before = taken
        taken += bytes.length
        if (killAfter !== undefined && before < killAfter && taken >= killAfter)
          setTimeout(() => child.kill('SIGKILL'), wait)
      })
      child.on('error', reject)
      child.on('close', (_, signal) => resolve(signal))
    })
  try {
    let died = 0
    for (let kill = 0; kill < kills; kill++) if ((await live(rng.int(1, 9))) === 'SIGKILL') died++
    expect(died).toBeGreaterThan(kills / 2)
    expect(await live(undefined)).toBe(null)
    let whole = openLife()
    while (whole.steps < steps) whole = await stepLife(whole)
    expect(decodeSnapshot(readFileSync(file))).toEqual(decodeSnapshot(encodeSnapshot(saveLife(whole))))
    expect(whole.net.tasks).toBe(steps)
    expect(whole.library.skills).toHaveLength(3)
    await whole.net.dispose()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
