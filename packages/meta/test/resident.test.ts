import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** What a process of its own came to, and what the graph says must be alive at once. */
async function resident(...args: readonly string[]): Promise<{ bytes: number; alive: number }> {
  const file = fileURLToPath(new URL('./resident.ts', import.meta.url))
  const node = ['--conditions=@regimen/source', '--import', 'tsx', file, ...args]
  const { stdout } = await promisify(execFile)(process.execPath, node)
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

test('a process needs what its graph has alive, and much less of it with remat', { timeout: 120_000 }, async () => {
  const kept = await resident('1200')
  const remat = await resident('1200', 'remat')
  expect(remat.alive).toBeLessThan(0.5 * kept.alive)
  expect(kept.bytes).toBeLessThan(1.4 * kept.alive)
  expect(remat.bytes).toBeLessThan(1.7 * remat.alive)
  expect(remat.bytes).toBeLessThan(0.85 * kept.bytes)
})
