import { readFileSync } from 'node:fs'
import { createSnapshot } from '@regimen/core'
import { expect, it } from 'vitest'

it('snapshots name the version that package.json states', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  expect(createSnapshot({ id: 'a/b', version: 1, config: null, state: null }).library).toBe(manifest.version)
})
