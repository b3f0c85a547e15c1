import { describe, RegimenError } from '@regimen/core'
import { type Aliases, openAliases } from './aliases.ts'
import type { CheckResult, Metrics, ModelEntry, SplitArm, Version } from './catalogue.ts'
import { asTree } from './catalogue.ts'
import type { Engine } from './engine.ts'
import { checkName, checkReason } from './names.ts'
import { decidePromotion, type Promotion, type PromotionPolicy } from './promotion/policy.ts'
import { type Assignment, assignArm, checkArms } from './promotion/split.ts'
import { checkMetrics, type PublishOptions, publish } from './publish.ts'
import type { Reader } from './reader.ts'
import { openReference, type VersionReference } from './reference.ts'

/** Which versions {@link Model.list} gives. */
export interface ListOptions {
  /** Versions below this number. @default all */
  before?: number
  /** At most this many. @default 50 */
  limit?: number
  /** Only versions with all of these tags. */
  tags?: { readonly [name: string]: string }
}

/** A model of the store: its versions, its aliases and how they move. */
export interface Model extends Aliases {
  readonly name: string
  /** Stores a new version and gives it back once it is durable. */
  publish(options: PublishOptions): Promise<Version>
  /** A version by number or alias; looked up when it is used, so it follows the alias. */
  at(ref: string | number): VersionReference
  /** Versions, newest first. */
  list(options?: ListOptions): Promise<Version[]>
  /** Number of the newest version, 0 when there is none. */
  readonly latest: number
  /** Adds metrics or check results that became known after publishing; what was published stays. */
  measure(
    version: number,
    options: { reason: string; metrics?: Metrics; checks?: { readonly [name: string]: CheckResult } },
  ): Promise<void>
  /** Decides by a policy, and promotes unless `dryRun`. Without a candidate the newest version that passes is chosen. */
  promoteBy(policy: PromotionPolicy, options?: { candidate?: number; dryRun?: boolean }): Promise<Promotion>
  /** Splits keys between versions: A/B tests and shadows. `null` ends the split. */
  split(name: string, arms: { readonly [arm: string]: SplitArm } | null, options: { reason: string }): Promise<void>
  /** The arm of a key: always the same one while the split stands. */
  assign(split: string, key: string): Assignment
  /** Marks a version as deleted; garbage collection then frees its bytes. Refused while an alias, a split or a child needs it. */
  remove(version: number, options: { reason: string }): Promise<void>
  /** Ancestors, or descendants, of a version: `spy-direction@3`, nearest first. */
  lineage(version: number, direction?: 'ancestors' | 'descendants'): string[]
  /** Calls back when an alias points elsewhere, also when another process moved it. Gives the function that ends it. */
  watch(alias: string, listener: (version: number | null) => void, options?: WatchOptions): () => void
}

/** How {@link Model.watch} looks. */
export interface WatchOptions {
  /** Milliseconds between looks at what other processes wrote. @default 500 */
  interval?: number
  /** Called when a look fails, a disk being away for example, or the listener does. The next look follows. @default ignored */
  onError?: (error: unknown) => void
}

/** Opens the face of one model. */
export function openModel(name: string, engine: Engine, reader: Reader): Model {
  checkName('a model', name)
  const entry = (): ModelEntry | undefined => engine.catalogue.models.get(name)
  const living = (version: number): void => void reader.entry(name, version)

  const aliases = openAliases(name, engine, reader)
  const model: Model = {
    ...aliases,
    name,
    get aliases() {
      return aliases.aliases
    },
    get latest() {
      return entry()?.versions.length ?? 0
    },
    publish: (options) => publish(name, options, engine, reader),
    at: (ref) => openReference(name, ref, engine, reader),
    async list({ before, limit = 50, tags = {} } = {}) {
      await engine.refresh()
      const versions = entry()?.versions ?? []
      const found: Version[] = []
      for (let number = Math.min(versions.length, (before ?? versions.length + 1) - 1); number >= 1; number--) {
        if (found.length >= limit) break
        if (versions[number - 1]!.deleted) continue
        const version = await reader.version(name, number)
        if (Object.entries(tags).every(([tag, value]) => version.tags[tag] === value)) found.push(version)
      }
      return found
    },
    async measure(version, { reason, metrics = {}, checks = {} }) {
      checkReason(reason)
      checkMetrics(metrics)
      await engine.commit(() => {
        living(version)
        return [{ type: 'store/measure', reason, data: { model: name, version, metrics, checks: asTree(checks) } }]
      })
    },
    promoteBy: (policy, options) => decidePromotion(model, policy, engine, reader, options),
    async split(split, arms, { reason }) {
      checkName('a split', split)
      checkReason(reason)
      if (arms) checkArms(arms)
      await engine.commit(() => {
        const previous = entry()?.splits.get(split)
        // The salt stays while arms change, so that as few keys as possible change their arm.
        const data = { model: name, split, arms: arms && asTree(arms), salt: previous?.salt ?? `${name}/${split}` }
        return [{ type: 'store/split', reason, data }]
      })
    },
    assign(split, key) {
      const found = entry()?.splits.get(split)
      if (!found) {
        throw new RegimenError(`${name} has no split ${describe(split)}.`, {
          code: 'UNKNOWN_SPLIT',
          where: 'store/assign',
          hint: 'Create it with split(name, arms, { reason }).',
        })
      }
      return assignArm(found, key)
    },
    async remove(version, { reason }) {
      checkReason(reason)
      await engine.commit(() => {
        living(version)
        const needed = reader.neededBy(name, version)
        if (needed) {
          throw new RegimenError(`${name}@${version} cannot be removed: ${needed}.`, {
            code: 'VERSION_IN_USE',
            where: 'store/remove',
            hint: 'Move the alias or remove the descendants first.',
          })
        }
        return [{ type: 'store/delete', reason, data: { model: name, version } }]
      })
    },
    lineage: (version, direction = 'ancestors') => reader.lineage(`${name}@${version}`, direction),
    watch(of, listener, { interval = 500, onError = () => {} } = {}) {
      checkName('an alias', of)
      const stop = engine.onRecord(({ type, data }) => {
        if (type !== 'store/alias' || data.model !== name || data.alias !== of) return
        try {
          listener(data.to as number | null)
        } catch (error) {
          // The move stands, whatever a listener makes of it.
          onError(error)
        }
      })
      const timer = setInterval(() => void engine.refresh().catch(onError), interval)
      timer.unref()
      return () => {
        clearInterval(timer)
        stop()
      }
    },
  }
  return model
}
