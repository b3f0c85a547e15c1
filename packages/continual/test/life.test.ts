import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { expect, it } from 'vitest'
import { live } from './killed.ts'
import { openLife, saveLife, stepLife } from './lives.ts'

it('a net that dreams and its library, killed anywhere, end where a life without a death ends', {
  timeout: 3_600_000,
}, async () => {
  const kills = process.env.REGIMEN_FULL === '1' ? 100 : 1
  const steps = 16 + 4 * kills
  const folder = mkdtempSync(join(tmpdir(), 'regimen-life-'))
  const file = join(folder, 'life.snapshot')
  const rng = createRng('kills of lives')
  const life = { child: 'life-child', args: [file, String(steps)] }
  try {
    let died = 0
    for (let kill = 0; kill < kills; kill++)
      if ((await live({ ...life, kill: { after: rng.int(1, 9), wait: rng.uniform(0, 20) } })) === 'SIGKILL') died++
    expect(died).toBeGreaterThan(kills / 2)
    expect(await live(life)).toBe(null)
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
