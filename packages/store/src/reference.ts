import { decodeSnapshot, describe, RegimenError, type Snapshot } from '@regimen/core'
import type { Version } from './catalogue.ts'
import type { Engine } from './engine.ts'
import type { Reader } from './reader.ts'

/** A version by number or alias. Nothing is read until a method is called, and an alias is followed anew each time. */
export interface VersionReference {
  /** What is known of it. */
  info(): Promise<Version>
  /** Its number. */
  number(): Promise<number>
  /** The snapshot, verified; a copy that belongs to the caller. */
  snapshot(): Promise<Snapshot>
  /** The snapshot, opened: pass a factory's `open`, or any function of a snapshot. */
  load<T>(open: (snapshot: Snapshot) => T | Promise<T>): Promise<T>
  /** A file, verified. */
  file(name: string): Promise<Uint8Array>
  /** A file chunk by chunk; damage is an error at its end. */
  stream(name: string): AsyncIterable<Uint8Array>
}

/** Opens a reference; aliases are looked up in the newest state. */
export function openReference(model: string, ref: string | number, engine: Engine, reader: Reader): VersionReference {
  const number = async (): Promise<number> => {
    await engine.refresh()
    const version = reader.resolve(model, ref)
    reader.entry(model, version)
    return version
  }
  const info = async (): Promise<Version> => reader.version(model, await number())
  const snapshot = async (): Promise<Snapshot> => {
    const { snapshot: body, version } = await info()
    if (!body) throw absent(`${model}@${version} has no snapshot`, 'It consists of files; read them with file(name).')
    return decodeSnapshot(await reader.bytes(body))
  }
  const fileRef = async (name: string) => {
    const { files, version } = await info()
    const found = Object.hasOwn(files, name) ? files[name] : undefined
    if (!found) {
      const names = Object.keys(files)
      throw absent(
        `${model}@${version} has no file ${describe(name)}`,
        names.length ? `It has ${names.join(', ')}.` : 'It has none.',
      )
    }
    return found
  }
  return {
    number,
    info,
    snapshot,
    load: async (open) => open(await snapshot()),
    file: async (name) => (await reader.bytes(await fileRef(name))).slice(),
    async *stream(name) {
      yield* engine.blobs.getStream((await fileRef(name)).blob)
    },
  }
}

function absent(problem: string, hint: string): RegimenError {
  return new RegimenError(`${problem}.`, { code: 'NOT_IN_VERSION', where: 'store', hint })
}
