import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Package, runTool } from './workspace.ts'

const packed = new Map<string, Promise<string>>()
let folder: string | undefined

/** Packs a package as it would be published, once a process, and returns the tarball's path. */
export function pack(item: Package): Promise<string> {
  let tarball = packed.get(item.dir)
  if (!tarball) {
    tarball = packNow(item)
    packed.set(item.dir, tarball)
  }
  return tarball
}

async function packNow(item: Package): Promise<string> {
  folder ??= mkdtempSync(join(tmpdir(), 'regimen-packs-'))
  const target = join(folder, `${packed.size}-${item.short}`)
  mkdirSync(target)
  const ended = await runTool('pnpm', ['pack', '--pack-destination', target], { cwd: item.dir })
  const file = ended.code === 0 ? readdirSync(target).find((name) => name.endsWith('.tgz')) : undefined
  if (file === undefined) throw new Error(`${item.name} does not pack:\n${ended.output.slice(-2000)}`)
  return join(target, file)
}
