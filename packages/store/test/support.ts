import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { arrayLeaf, createRng, createSnapshot } from '@regimen/core'
import { build } from 'esbuild'
import { afterAll } from 'vitest'

const folders: string[] = []

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
})

/** A fresh folder that goes when the file's tests are through. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'regimen-store-'))
  folders.push(folder)
  return folder
}

/** Normal random numbers; the same seed gives the same ones. */
export function noise(seed: number, size: number): Float64Array {
  return createRng(seed).fillNormal(new Float64Array(size))
}

/** A snapshot of `size` random weights; the same seed gives the same bytes. */
export function weights(seed: number, size = 16) {
  const state = { seed, w: arrayLeaf('float64', [size], noise(seed, size)) }
  return createSnapshot({ id: 'example/linear', version: 1, config: { size }, state })
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

/** Bundles a program of `fixtures/`, so that a process of it starts at once, and gives its path. */
export async function bundled(name: string): Promise<string> {
  // Inside the package, so that what stays outside of the bundle is found.
  const outfile = fileURLToPath(new URL(`../node_modules/.test/${process.pid}-${name}.mjs`, import.meta.url))
  folders.push(outfile)
  await build({
    entryPoints: [fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@regimen/source'],
    external: ['better-sqlite3', 'pg', 'aws4fetch'],
    logLevel: 'error',
  })
  return outfile
}
