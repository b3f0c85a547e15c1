import { check, describe, encodeSnapshot, RegimenError, type Snapshot, type Tree } from '@regimen/core'
import type { BlobRef } from './blobs/blobs.ts'
import {
  asTree,
  type CheckResult,
  type Metrics,
  type ModelSignature,
  type TrainingData,
  type Version,
} from './catalogue.ts'
import type { Engine } from './engine.ts'
import { checkFileName, checkKey, checkReason, parseRef } from './names.ts'
import type { Reader } from './reader.ts'
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

/** Stores what a version consists of, then the record that names it. */
export async function publish(
  model: string,
  options: PublishOptions,
  engine: Engine,
  reader: Reader,
): Promise<Version> {
  const { reason, snapshot, files = {}, samples = {}, parents = [], metrics = {}, checks = {} } = options
  checkReason(reason)
  checkMetrics(metrics)
  check(
    snapshot !== undefined || Object.keys(files).length > 0,
    'store/publish',
    () => 'there is nothing to publish.',
    'Pass a snapshot or files.',
  )
  const lineage = parents.map((parent) => (typeof parent === 'number' ? `${model}@${parent}` : parent))
  await engine.refresh()
  for (const parent of lineage) reader.entry(...parseRef(parent))
  if (options.run !== undefined && !engine.catalogue.runs.has(options.run)) throw unknownRun(options.run)

  const kept: { ref: BlobRef; bytes: Uint8Array }[] = []
  const keep = async (bytes: Uint8Array): Promise<BlobRef> => {
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
        model,
        version: (engine.catalogue.models.get(model)?.versions.length ?? 0) + 1,
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
}

/** Drops what is undefined, which a record cannot hold. */
function defined(data: { readonly [key: string]: Tree | undefined }): { [key: string]: Tree } {
  return Object.fromEntries(Object.entries(data).filter((pair): pair is [string, Tree] => pair[1] !== undefined))
}

/** Refuses metrics that no comparison could use. */
export function checkMetrics(metrics: Metrics): void {
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

function unknownRun(run: string): RegimenError {
  return new RegimenError(`there is no run ${describe(run)}.`, {
    code: 'UNKNOWN_RUN',
    where: 'store/publish',
    hint: 'Start it with store.run(name).',
  })
}
