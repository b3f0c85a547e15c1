import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** Text of a published reference file, or undefined where the optional data is absent. */
export function reference(name: string): string | undefined {
  const roots = [process.env.REGIMEN_DATA, resolve(here, '../../../../shared/data')]
  for (const root of roots) {
    if (root === undefined) continue
    const path = join(root, 'reference', name)
    if (existsSync(path)) return readFileSync(path, 'utf8')
  }
  process.stderr.write(`skipped: ${name} of the optional reference data is not here\n`)
  return undefined
}
