import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { record, slug } from '../lib/record.ts'

test('--record keeps figures, command, machine and versions in a file named after the card', () => {
  const folder = mkdtempSync(join(tmpdir(), 'regimen-record-'))
  try {
    const figures = { adapter: 'nvidia ada RTX 4070 (card)', mlp_gpu_ms: { value: 0.5, unit: 'ms', spread: 0.1 } }
    const file = record(folder, 'tensor-gpu', ['--sizes', '25'], { figures }, '2026-01-31')
    expect(file).toBe('tensor-gpu-nvidia-ada-rtx-4070-2026-01-31.json')
    const kept = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    expect(kept).toMatchObject({
      bench: 'tensor-gpu',
      command: 'npx tsx scripts/bench.ts tensor-gpu --sizes 25',
      date: '2026-01-31',
      machine: { card: 'nvidia ada RTX 4070 (card)' },
      versions: { node: process.versions.node, '@tensorflow/tfjs-core': expect.stringMatching(/^4\./) },
      figures: { adapter: 'nvidia ada RTX 4070 (card)', mlp_gpu_ms: 0.5 },
      peers: {},
    })
    expect(kept.machine.cores).toBeGreaterThan(0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a machine without a card is named after its processor', () => {
  expect(slug('Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz')).toBe('intel-xeon-platinum-8481c')
})
