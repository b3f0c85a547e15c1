import { check, describe, encodeSnapshot, RegimenError, type Snapshot, type Tree } from '@regimen/core'
import type { BlobRef } from './blobs/blobs.ts'
import type {
  AliasEntry,
  CheckResult,
  Metrics,
  ModelEntry,
  ModelSignature,
  Split,
  SplitArm,
  TrainingData,
  Version,
} from './catalogue.ts'
import { asTree } from './catalogue.ts'
import type { Engine } from './engine.ts'
import { moveDraft } from './engine.ts'
import { checkFileName, checkKey, checkName, checkReason, parseRef } from './names.ts'
import { decidePromotion, type Promotion, type PromotionPolicy } from './promotion/policy.ts'
import { type Assignment, assignArm, checkArms } from './promotion/split.ts'
import type { Reader } from './reader.ts'
import { openReference, type VersionReference } from './reference.ts'
import { encodeSamples, type SampleArrays } from './samples.ts'

/** What {@link Model.publish} takes. Something to keep (a snapshot or files) and the reason are enough. */
export interface PublishOptions {
  /** Why this version exists, as a sentence. */
  reason: string
  /** The model. */
  snapshot?: Snapshot
  /** Files beside it (safetensors, ONNX, reports), by name; a stream for what is too big for memory. */
  files?: { readonly [name: string]: Uint8Array | AsyncIterable<Uint8Array> }
  /** Version of the training code: a commit, a package version. */
  code?: string
  /** Parameters of the training. @default {} */
  params?: Tree
  data?: TrainingData
  /** Metrics by dataset and name. @default {} */
  metrics?: Metrics
  /** Metrics per sample, by dataset and name, for paired tests against another version. @default {} */
  samples?: { readonly [dataset: string]: { readonly [name: string]: SampleArrays } }
  /** Results of checks that ran before publishing. @default {} */
  checks?: { readonly [name: string]: CheckResult }
  /** Versions it was trained from: numbers of this model, or `model@number`. @default [] */
  parents?: readonly (number | string)[]
  /** @default {} */
  tags?: { readonly [name: string]: string }
  signature?: ModelSignature
  /** Versions of what it ran on. @default the Node version and the platform */
  environment?: { readonly [name: string]: string }
  /** The run that produced it. */
  run?: string
}

/** Reason and safety of an alias's move. */
export interface MoveOptions {
  reason: string
  /**
   * The version that the alias must point at now (null: at none), or the move is refused.
   * @default where it points when the call begins
   */
  expect?: number | null
  /** Moves a protected alias too. @default false */
  override?: boolean
}

/** One entry of an alias's history. */
export interface AliasMoveRecord {
  readonly seq: number
  readonly time: number
  readonly actor: string
  readonly reason: string
  readonly from: number | null
  readonly to: number | null
  readonly rollback: boolean
}

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
export interface Model {
  readonly name: string
  /** Stores a new version and gives it back once it is durable. */
  publish(options: PublishOptions): Promise<Version>
  /** A version by number or alias; looked up when it is used, so it follows the alias. */
  at(ref: string | number): VersionReference
  /** Versions, newest first. */
  list(options?: ListOptions): Promise<Version[]>
  /** Number of the newest version, 0 when there is none. */
  readonly latest: number
  /** Where the aliases point, as this process knows it. */
  readonly aliases: { readonly [alias: string]: number }
  /** Points an alias at a version. */
  promote(version: number, alias: string, options: MoveOptions): Promise<Version>
  /** Points an alias at nothing. */
  unset(alias: string, options: MoveOptions): Promise<void>
  /** Points an alias at where it was before its last move that was not itself undone. */
  rollback(alias: string, options: MoveOptions): Promise<Version>
  /** Every move of an alias, oldest first. */
  history(alias: string): Promise<AliasMoveRecord[]>
  /** Refuses moves of an alias without `override`, or allows them again. */
  protect(alias: string, options: { reason: string; protected?: boolean }): Promise<void>
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
  /** Marks a version as deleted; garbage collection then frees its bytes. Refused while an alias or child needs it. */
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
  /** Called when a look fails, a disk being away for example. The next look follows. @default ignored */
  onError?: (error: unknown) => void
}

/** Opens the face of one model. */
export function openModel(name: string, engine: Engine, reader: Reader): Model {
  checkName('a model', name)
  const entry = (): ModelEntry | undefined => engine.catalogue.models.get(name)
  const alias = (of: string): AliasEntry | undefined => entry()?.aliases.get(of)
  const living = (version: number): void => void reader.entry(name, version)

  const move = async (
    of: string,
    options: MoveOptions,
    decide: (present: AliasEntry | undefined) => { to: number | null; rollback: boolean },
  ): Promise<void> => {
    checkName('an alias', of)
    checkReason(options.reason)
    await engine.refresh()
    const expected = options.expect === undefined ? (alias(of)?.to ?? null) : options.expect
    await engine.commit(() => {
      const present = alias(of)
      const from = present?.to ?? null
      if (from !== expected) throw moved(name, of, expected, from)
      if (present?.protected && !options.override) throw isProtected(name, of)
      const { to, rollback } = decide(present)
      if (to !== null) living(to)
      if (to === from && !rollback) return []
      return [moveDraft({ model: name, alias: of, from, to, rollback }, options.reason)]
    })
  }

  const model: Model = {
    name,
    get latest() {
      return entry()?.versions.length ?? 0
    },
    get aliases() {
      const set = [...(entry()?.aliases ?? [])].filter(([, { to }]) => to !== null)
      return Object.fromEntries(set.map(([of, { to }]) => [of, to!]))
    },
    async publish(options) {
      const { reason, snapshot, files = {}, samples = {}, parents = [], metrics = {}, checks = {} } = options
      checkReason(reason)
      checkMetrics(metrics)
      check(
        snapshot !== undefined || Object.keys(files).length > 0,
        'store/publish',
        () => 'there is nothing to publish.',
        'Pass a snapshot or files.',
      )
      const lineage = parents.map((parent) => (typeof parent === 'number' ? `${name}@${parent}` : parent))
      await engine.refresh()
      for (const parent of lineage) reader.entry(...parseRef(parent))
      if (options.run !== undefined && !engine.catalogue.runs.has(options.run)) throw unknownRun(options.run)

      const kept: { ref: BlobRef; bytes: Uint8Array }[] = []
      const keep = async (bytes: Uint8Array): Promise<BlobRef> => {
        await reader.checkQuota(bytes.length)
        const ref = await engine.blobs.put(bytes)
        kept.push({ ref, bytes })
        return ref
      }
      const fileRefs: { [name: string]: BlobRef } = {}
      for (const [file, content] of Object.entries(files)) {
        checkFileName(file)
        fileRefs[file] = content instanceof Uint8Array ? await keep(content) : await engine.blobs.putStream(content)
      }
      const sampleRefs: { [dataset: string]: { [name: string]: BlobRef } } = {}
      for (const [dataset, byName] of Object.entries(samples)) {
        checkKey(dataset)
        const refs: { [name: string]: BlobRef } = {}
        for (const [metric, values] of Object.entries(byName)) {
          checkKey(metric)
          refs[metric] = await keep(encodeSamples(metric, values))
        }
        sampleRefs[dataset] = refs
      }
      const body = snapshot && {
        ...(await keep(encodeSnapshot(snapshot))),
        id: snapshot.id,
        version: snapshot.version,
        library: snapshot.library,
      }
      const { code, params, data, tags, signature, run } = options
      const environment = options.environment ?? {
        node: process.versions.node,
        platform: `${process.platform}-${process.arch}`,
      }
      const [record] = await engine.commit(() => [
        {
          type: 'store/publish',
          reason,
          data: defined({
            model: name,
            version: (entry()?.versions.length ?? 0) + 1,
            snapshot: body,
            files: asTree(fileRefs),
            samples: asTree(sampleRefs),
            code,
            params: params ?? {},
            data: data && defined({ ...data }),
            metrics,
            checks: asTree(checks),
            parents: lineage,
            tags: tags ?? {},
            signature: signature && asTree(signature),
            environment,
            run,
          }),
        },
      ])
      // Garbage collection may have taken an old blob between our finding it and our record's naming it.
      for (const { ref, bytes } of kept) if (!(await engine.blobs.has(ref.blob))) await engine.blobs.put(bytes)
      return reader.fromRecord(record!)
    },
    at: (ref) => openReference(name, ref, engine, reader),
    async list({ before, limit = 50, tags = {} } = {}) {
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
    async promote(version, of, options) {
      await move(of, options, () => ({ to: version, rollback: false }))
      return reader.version(name, version)
    },
    unset: (of, options) => move(of, options, () => ({ to: null, rollback: false })),
    async rollback(of, options) {
      let target: number | null = null
      await move(of, options, (present) => {
        target = present?.trail.at(-1) ?? null
        if (target === null) throw nowhereToGo(name, of)
        return { to: target, rollback: true }
      })
      return reader.version(name, target!)
    },
    async history(of) {
      await engine.refresh()
      const history: AliasMoveRecord[] = []
      for (const seq of alias(of)?.moves ?? []) {
        const [record] = await engine.records(seq, 1)
        const { time, actor, reason } = record!
        const { from, to, rollback = false } = record!.data as never as AliasMoveRecord
        history.push({ seq, time, actor, reason, from, to, rollback })
      }
      return history
    },
    async protect(of, { reason, protected: on = true }) {
      checkName('an alias', of)
      checkReason(reason)
      await engine.commit(() => [{ type: 'store/protect', reason, data: { model: name, alias: of, protected: on } }])
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
        const previous: Split | undefined = entry()?.splits.get(split)
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
        if (type === 'store/alias' && data.model === name && data.alias === of) listener(data.to as number | null)
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

/** Drops what is undefined, which a record cannot hold. */
function defined(data: { readonly [key: string]: Tree | undefined }): { [key: string]: Tree } {
  return Object.fromEntries(Object.entries(data).filter((pair): pair is [string, Tree] => pair[1] !== undefined))
}

function checkMetrics(metrics: Metrics): void {
  for (const [dataset, byName] of Object.entries(metrics)) {
    checkKey(dataset)
    for (const [metric, value] of Object.entries(byName)) {
      checkKey(metric)
      check(
        typeof value === 'number' && Number.isFinite(value),
        'store/publish',
        () => `metrics.${dataset}.${metric} must be a finite number, got ${describe(value)}.`,
        'Leave out what could not be measured.',
      )
    }
  }
}

function moved(model: string, alias: string, expected: number | null, found: number | null): RegimenError {
  const show = (version: number | null): string => (version === null ? 'nothing' : `version ${version}`)
  return new RegimenError(`${model}: ${alias} should point at ${show(expected)} and points at ${show(found)}.`, {
    code: 'ALIAS_MOVED',
    where: 'store/alias',
    hint: 'Somebody else moved it: look at history(alias) and decide again.',
  })
}

function isProtected(model: string, alias: string): RegimenError {
  return new RegimenError(`${model}: ${alias} is protected.`, {
    code: 'PROTECTED_ALIAS',
    where: 'store/alias',
    hint: 'Promote by a policy, or pass { override: true }.',
  })
}

function nowhereToGo(model: string, alias: string): RegimenError {
  return new RegimenError(`${model}: ${alias} pointed at nothing before.`, {
    code: 'NO_EARLIER_VERSION',
    where: 'store/rollback',
    hint: 'Promote a version, or unset the alias.',
  })
}

function unknownRun(run: string): RegimenError {
  return new RegimenError(`there is no run ${describe(run)}.`, {
    code: 'UNKNOWN_RUN',
    where: 'store/publish',
    hint: 'Start it with store.run(name).',
  })
}
