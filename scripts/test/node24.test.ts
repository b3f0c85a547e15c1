import { expect, test } from 'vitest'
import { filesForNode } from '../gates/node24.ts'
import { ROOT } from '../lib/workspace.ts'

test('Node 24 runs what reaches for Node: whole packages, the pipeline, and single files of the others', () => {
  const files = filesForNode(ROOT)
  const of = (name: string): string[] => files.filter((file) => file.startsWith(`packages/${name}/`))
  // Files, databases and processes; native addons; the families together.
  for (const name of ['core', 'tensor', 'store', 'bayes', 'cli', 'pipeline'])
    expect(of(name).length, name).toBeGreaterThan(3)
  // A process that is killed while it writes.
  expect(files).toContain('packages/continual/test/spilled.test.ts')
  // Arithmetic alone.
  expect(files).not.toContain('packages/continual/test/replay.test.ts')
  expect(of('evolve')).toEqual([])
  // A process whose memory is measured.
  expect(of('meta')).toEqual(['packages/meta/test/resident.test.ts'])
  expect(files).toContain('scripts/test/bootstrap.test.ts')
})
