// The promises about saving, over everything that learns whole tasks, and a death in the middle.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { testSnapshot } from '@regimen/testing'
import { expect, it } from 'vitest'
import { live } from './killed.ts'
import { NETS, openNets, saveNets, stepNets, taskOf } from './nets.ts'

for (const [name, open] of Object.entries(NETS)) {
  testSnapshot<ReturnType<typeof open>>(name, {
    open,
    steps: 3,
    async step(net, i) {
      await net.learn(taskOf(i))
      return [...(await net.predict([0.5, -1, 1, 2]))]
    },
    snapshot: (net) => net.snapshot(),
    dispose: (net) => void net.dispose(),
  })
}

it('nets of every structure, killed anywhere, end where a life without a death ends', {
  timeout: 3_600_000,
}, async () => {
  const kills = process.env.REGIMEN_FULL === '1' ? 60 : 1
  const steps = 5 + 2 * kills
  const folder = mkdtempSync(join(tmpdir(), 'regimen-nets-'))
  const file = join(folder, 'nets.snapshot')
  const rng = createRng('kills of nets')
  const life = { child: 'nets-child', args: [file, String(steps)] }
  try {
    let died = 0
    for (let kill = 0; kill < kills; kill++)
      if ((await live({ ...life, kill: { after: rng.int(1, 4), wait: rng.uniform(0, 40) } })) === 'SIGKILL') died++
    expect(died).toBeGreaterThan(kills / 2)
    expect(await live(life)).toBe(null)
    let whole = openNets()
    while (whole.steps < steps) whole = await stepNets(whole)
    expect(decodeSnapshot(readFileSync(file))).toEqual(decodeSnapshot(encodeSnapshot(saveNets(whole))))
    for (const net of Object.values(whole.nets)) await net.dispose()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
