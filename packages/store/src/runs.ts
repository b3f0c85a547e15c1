import { check, describe, RegimenError, type Tree } from '@regimen/core'
import type { BlobRef } from './blobs/blobs.ts'
import type { RunStatus } from './catalogue.ts'
import type { Draft, Engine } from './engine.ts'
import { dataOf } from './log.ts'
import { checkFileName, checkKey, checkName } from './names.ts'

/** How a run begins. */
export interface RunOptions {
  /** Parameters of the run. @default {} */
  params?: Tree
  /** @default {} */
  tags?: { readonly [name: string]: string }
  /** Why it runs. @default 'A run of EXPERIMENT.' */
  reason?: string
  /** Points that are held in memory before they are written. @default 1000 */
  buffer?: number
}

/** A run that is going on. */
export interface Run {
  /** `experiment-1`, `experiment-2`, …; pass it to `publish({ run })`. */
  readonly id: string
  /** Notes metrics of a step; written in chunks, at the latest by `finish`. */
  log(step: number, metrics: { readonly [metric: string]: number }): Promise<void>
  /** Ends the run, with what it produced. */
  finish(options?: {
    status?: 'finished' | 'failed'
    reason?: string
    metrics?: { readonly [metric: string]: number }
    files?: { readonly [name: string]: Uint8Array }
  }): Promise<void>
}

/** What is known of a run. */
export interface RunInfo {
  readonly id: string
  readonly experiment: string
  readonly status: RunStatus
  readonly started: number
  readonly ended: number | undefined
  readonly params: Tree
  readonly tags: { readonly [name: string]: string }
  readonly metrics: { readonly [metric: string]: number }
  readonly files: { readonly [name: string]: BlobRef }
}

/** Metrics of one step. */
export interface StepMetrics {
  readonly step: number
  readonly metrics: { readonly [metric: string]: number }
}

/** Starts a run under the next free number. */
export async function startRun(engine: Engine, experiment: string, options: RunOptions): Promise<Run> {
  const { params = {}, tags = {}, reason = `A run of ${experiment}.`, buffer = 1_000 } = options
  checkName('an experiment', experiment)
  check(Number.isInteger(buffer) && buffer >= 1, 'store/run', () => `buffer must be from 1, got ${describe(buffer)}.`)
  let id = ''
  await engine.commit(() => {
    let number = 1
    while (engine.catalogue.runs.has(`${experiment}-${number}`)) number++
    id = `${experiment}-${number}`
    return [{ type: 'store/run', reason, data: { run: id, experiment, params, tags } }]
  })
  let points: StepMetrics[] = []
  let ended = false
  const open = (): void => {
    if (ended) throw new RegimenError(`the run ${id} has ended.`, { code: 'RUN_ENDED', where: 'store/run' })
  }
  const flush = async (): Promise<Draft[]> => {
    if (points.length === 0) return []
    const chunk = points
    points = []
    const ref = await engine.blobs.put(new TextEncoder().encode(JSON.stringify(chunk, writeNumber)))
    return [{ type: 'store/steps', reason: `${chunk.length} steps.`, data: { run: id, ...ref, count: chunk.length } }]
  }
  return {
    id,
    async log(step, metrics) {
      open()
      check(Number.isFinite(step), 'store/run', () => `step must be a finite number, got ${describe(step)}.`)
      for (const key of Object.keys(metrics)) checkKey(key)
      points.push({ step, metrics: { ...metrics } })
      if (points.length < buffer) return
      const drafts = await flush()
      await engine.commit(() => drafts)
    },
    async finish({ status = 'finished', reason: why = `The run ${status}.`, metrics = {}, files = {} } = {}) {
      open()
      ended = true
      const refs: { [name: string]: Tree } = {}
      for (const [name, bytes] of Object.entries(files)) {
        checkFileName(name)
        refs[name] = { ...(await engine.blobs.put(bytes)) }
      }
      const drafts = await flush()
      await engine.commit(() => [
        ...drafts,
        { type: 'store/run-end', reason: why, data: { run: id, status, metrics, files: refs } },
      ])
    },
  }
}

/** Reads a run from the log. */
export async function readRun(engine: Engine, id: string): Promise<RunInfo> {
  const entry = runEntry(engine, id)
  const begin = await engine.record(entry.seq)
  const end = entry.endSeq === undefined ? undefined : await engine.record(entry.endSeq)
  const result = (end?.data ?? {}) as { metrics?: RunInfo['metrics']; files?: RunInfo['files'] }
  return {
    id,
    experiment: entry.experiment,
    status: entry.status,
    started: begin.time,
    ended: end?.time,
    params: begin.data.params ?? {},
    tags: dataOf<{ tags?: RunInfo['tags'] }>(begin).tags ?? {},
    metrics: result.metrics ?? {},
    files: result.files ?? {},
  }
}

/** Reads the steps that a run has written so far. */
export async function* readSteps(engine: Engine, id: string): AsyncGenerator<StepMetrics> {
  for (const { blob } of runEntry(engine, id).chunks) {
    const text = new TextDecoder().decode(await engine.blobs.get(blob))
    for (const point of JSON.parse(text, readNumber) as StepMetrics[]) yield point
  }
}

/** A loss that diverged must be seen: NaN and the infinities are written as text, which no step's metric is. */
function writeNumber(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

function readNumber(_: string, value: unknown): unknown {
  return typeof value === 'string' ? Number(value) : value
}

function runEntry(engine: Engine, id: string) {
  const entry = engine.catalogue.runs.get(id)
  if (entry) return entry
  throw new RegimenError(`there is no run ${describe(id)}.`, {
    code: 'UNKNOWN_RUN',
    where: 'store/run',
    hint: 'store.runs() lists them.',
  })
}
