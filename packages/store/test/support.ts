import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { arrayLeaf, createRng, createSnapshot, type Snapshot } from '@regimen/core'
import { afterAll } from 'vitest'

const folders: string[] = []

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A fresh folder that goes when the file's tests are through. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'regimen-store-'))
  folders.push(folder)
  return folder
}

/** A snapshot of `size` random weights; the same seed gives the same bytes. */
export function weights(seed: number, size = 16): Snapshot {
  const data = createRng(seed).fillNormal(new Float64Array(size))
  return createSnapshot({
    id: 'example/linear',
    version: 1,
    config: { size },
    state: { seed, w: arrayLeaf('float64', [size], data) },
  })
}

/** The code of the error that a promise is rejected with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return (error as { code: string }).code
  }
  return 'none'
}
