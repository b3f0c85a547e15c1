import { hashBytes, RegimenError } from '@regimen/core'
import type { Runtime, Session, SessionOptions } from './runtime/runtime.ts'

/** Graphs as the runtime optimized them, kept in a directory under the hash of what was compiled. */
export interface DiskCache {
  start(
    runtime: Runtime,
    model: Uint8Array,
    options: SessionOptions,
    onFound: (cached: boolean) => void,
  ): Promise<Session>
}

/** Opens the directory. Node only; asked for through the process, so that bundles for browsers carry no file system. */
export function openDiskCache(directory: string, runtime: string): DiskCache {
  const builtin = typeof process === 'object' ? process.getBuiltinModule : undefined
  if (!builtin) {
    throw new RegimenError('the cache directory needs a file system.', {
      code: 'NO_FILE_SYSTEM',
      where: 'tensor/compile',
      hint: 'Leave cache out in browsers.',
    })
  }
  const fs = builtin('node:fs')
  const { join } = builtin('node:path')
  const platform = `${runtime} ${process.platform} ${process.arch}`
  return {
    async start(runtime, model, options, onFound) {
      fs.mkdirSync(directory, { recursive: true })
      const key = hashBytes(new TextEncoder().encode(`${platform} ${hashBytes(model)}`))
      const file = join(directory, `${key}.onnx`)
      if (fs.existsSync(file)) {
        onFound(true)
        return runtime.start(fs.readFileSync(file), { ...options, rewrite: false })
      }
      onFound(false)
      // Written under another name first, so that a killed process leaves no half file.
      const part = `${file}.${process.pid}.part`
      const session = await runtime.start(model, { ...options, saveOptimized: part })
      fs.renameSync(part, file)
      return session
    },
  }
}
