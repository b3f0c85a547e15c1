import { check, describe } from '@regimen/core'
import type { Draft, Engine } from '../engine.ts'
import type { Reader } from '../reader.ts'

/** Which versions stay. Aliased versions, the way back of every alias, splits' versions and ancestors of what stays always do. */
export interface RetentionPolicy {
  /** Models it applies to. @default all */
  models?: readonly string[]
  /** The newest so many of each model. @default 10 */
  keepLast?: number
  /** Milliseconds: younger versions stay. @default 0 */
  keepFor?: number
  /** How many earlier positions of an alias stay, so that it can be rolled back. @default 5 */
  keepRollbacks?: number
  /** Only tells what would go. @default false */
  dryRun?: boolean
}

const BATCH = 500

/** Marks old versions as deleted; their bytes go with the next garbage collection. Gives what went: `model@number`. */
export async function retain(engine: Engine, reader: Reader, policy: RetentionPolicy = {}): Promise<string[]> {
  const { keepLast = 10, keepFor = 0, keepRollbacks = 5, dryRun = false } = policy
  for (const [name, value] of Object.entries({ keepLast, keepFor, keepRollbacks })) {
    check(value >= 0, 'store/retain', () => `${name} must be at least 0, got ${describe(value)}.`)
  }
  const choose = (): string[] => {
    const kept = new Set<string>()
    const all: string[] = []
    const now = engine.clock.now()
    for (const [model, { versions, aliases, splits }] of engine.catalogue.models) {
      const affected = policy.models === undefined || policy.models.includes(model)
      versions.forEach(({ time, deleted }, index) => {
        if (deleted) return
        const ref = `${model}@${index + 1}`
        all.push(ref)
        if (!affected || index >= versions.length - keepLast || now - time < keepFor) kept.add(ref)
      })
      for (const { to, trail } of aliases.values()) {
        for (const version of [to, ...(keepRollbacks > 0 ? trail.slice(-keepRollbacks) : [])])
          kept.add(`${model}@${version}`)
      }
      for (const { arms } of splits.values()) {
        for (const { ref } of Object.values(arms)) if (typeof ref === 'number') kept.add(`${model}@${ref}`)
      }
    }
    for (const ref of [...kept]) {
      if (!ref.endsWith('@null')) for (const ancestor of reader.lineage(ref, 'ancestors')) kept.add(ancestor)
    }
    return all.filter((ref) => !kept.has(ref))
  }
  await engine.refresh()
  if (dryRun) return choose()
  const gone: string[] = []
  for (;;) {
    let batch: string[] = []
    await engine.commit(() => {
      batch = choose().slice(0, BATCH)
      return batch.map((ref): Draft => {
        const at = ref.lastIndexOf('@')
        const data = { model: ref.slice(0, at), version: Number(ref.slice(at + 1)) }
        return {
          type: 'store/delete',
          reason: `Retention: neither recent nor needed by an alias or a descendant.`,
          data,
        }
      })
    })
    gone.push(...batch)
    if (batch.length < BATCH) return gone
  }
}
