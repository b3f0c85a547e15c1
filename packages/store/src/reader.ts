import { describe, RegimenError } from '@regimen/core'
import type { BlobRef } from './blobs/blobs.ts'
import type { CheckResult, Metrics, Version, VersionEntry } from './catalogue.ts'
import type { Engine } from './engine.ts'
import { dataOf, type LogRecord } from './log.ts'
import { parseRef } from './names.ts'

/** Reading the catalogue: versions, lineage, and verified bytes through a cache. */
export interface Reader {
  /** The index's entry of a version that exists and was not deleted; otherwise an error that says which exist. */
  entry(model: string, version: number): VersionEntry
  /** A version in full, read from the log. */
  version(model: string, version: number): Promise<Version>
  fromRecord(record: LogRecord): Version
  /** The number behind a reference. */
  resolve(model: string, ref: string | number): number
  /** Verified bytes of a blob; those used last are held in memory. Callers must not write into them. */
  bytes(ref: BlobRef): Promise<Uint8Array>
  lineage(ref: string, direction: 'ancestors' | 'descendants'): string[]
  /** Why a version must stay: an alias, a split or a descendant; undefined when nothing holds it. */
  neededBy(model: string, version: number): string | undefined
}

/** Opens the reading side over an engine. */
export function openReader(engine: Engine, options: { cacheBytes: number }): Reader {
  const { catalogue } = engine
  const cache = new Map<string, Uint8Array>()
  let cached = 0

  const reader: Reader = {
    entry(model, version) {
      const versions = catalogue.models.get(model)?.versions
      const found = versions?.[version - 1]
      if (found && !found.deleted) return found
      const problem = found
        ? 'was deleted'
        : versions?.length
          ? `does not exist; there are 1 to ${versions.length}`
          : 'does not exist; the model has no versions'
      throw new RegimenError(`${model}@${describe(version)} ${problem}.`, {
        code: found ? 'DELETED_VERSION' : 'UNKNOWN_VERSION',
        where: 'store',
        hint: 'store.models() and model.list() tell what there is.',
      })
    },
    async version(model, number) {
      const { seq, measures } = reader.entry(model, number)
      const version = reader.fromRecord(await engine.record(seq))
      if (measures.length === 0) return version
      const metrics: { [dataset: string]: { readonly [metric: string]: number } } = { ...version.metrics }
      let checks: { readonly [name: string]: CheckResult } = version.checks
      for (const at of measures) {
        const data = dataOf<{ metrics: Metrics; checks: typeof checks }>(await engine.record(at))
        for (const [dataset, values] of Object.entries(data.metrics)) {
          metrics[dataset] = { ...metrics[dataset], ...values }
        }
        checks = { ...checks, ...data.checks }
      }
      return { ...version, metrics, checks }
    },
    fromRecord(record) {
      const { seq, time, actor, reason } = record
      const { snapshot, code, data: training, signature, run, ...rest } = dataOf<Version>(record)
      return { ...rest, seq, time, actor, reason, snapshot, code, data: training, signature, run }
    },
    resolve(model, ref) {
      if (typeof ref === 'number') return ref
      const to = catalogue.models.get(model)?.aliases.get(ref)?.to ?? null
      if (to !== null) return to
      const known = [...(catalogue.models.get(model)?.aliases ?? [])].filter(([, entry]) => entry.to !== null)
      throw new RegimenError(`${model} has no alias ${describe(ref)}.`, {
        code: 'UNKNOWN_ALIAS',
        where: 'store',
        hint: known.length
          ? `It has ${known.map(([name]) => name).join(', ')}.`
          : 'Set it with promote(version, alias, { reason }).',
      })
    },
    async bytes({ blob }) {
      const found = cache.get(blob)
      if (found) {
        cache.delete(blob)
        cache.set(blob, found)
        return found
      }
      const bytes = await engine.blobs.get(blob)
      if (bytes.length > options.cacheBytes) return bytes
      cache.set(blob, bytes)
      cached += bytes.length
      for (const [oldest, { length }] of cache) {
        if (cached <= options.cacheBytes) break
        cache.delete(oldest)
        cached -= length
      }
      return bytes
    },
    lineage(ref, direction) {
      const next = direction === 'ancestors' ? parentsOf : childrenOf()
      const found = new Set<string>()
      let frontier = next(ref)
      while (frontier.length > 0) {
        const fresh = frontier.filter((item) => !found.has(item))
        for (const item of fresh) found.add(item)
        frontier = fresh.flatMap(next)
      }
      return [...found]
    },
    neededBy(model, version) {
      for (const [alias, { to }] of catalogue.models.get(model)?.aliases ?? []) {
        if (to === version) return `the alias ${alias} points at it`
      }
      for (const [split, { arms }] of catalogue.models.get(model)?.splits ?? []) {
        if (Object.values(arms).some(({ ref }) => ref === version)) return `the split ${split} names it`
      }
      const child = childrenOf()(`${model}@${version}`)[0]
      return child && `${child} was trained from it`
    },
  }

  function parentsOf(ref: string): readonly string[] {
    const [model, version] = parseRef(ref)
    return catalogue.models.get(model)?.versions[version - 1]?.parents ?? []
  }

  function childrenOf(): (ref: string) => readonly string[] {
    const children = new Map<string, string[]>()
    for (const [model, { versions }] of catalogue.models) {
      versions.forEach(({ parents, deleted }, index) => {
        if (deleted) return
        for (const parent of parents) {
          const list = children.get(parent)
          if (list) list.push(`${model}@${index + 1}`)
          else children.set(parent, [`${model}@${index + 1}`])
        }
      })
    }
    return (ref) => children.get(ref) ?? []
  }
  return reader
}
