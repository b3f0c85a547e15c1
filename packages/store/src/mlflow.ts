import { readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { check, describe, RegimenError } from '@regimen/core'
import { codeOf } from './files.ts'
import type { RunInfo, RunOptions, StepMetrics } from './runs.ts'
import type { Store } from './store.ts'

/** What {@link importMlflow} did. */
export interface MlflowImport {
  /** Ids of the runs that were added, `experiment-1` for example. */
  readonly added: readonly string[]
  /** MLflow ids of runs that were there from an earlier import. */
  readonly present: readonly string[]
  /** MLflow ids of runs that were left out: deleted ones, and ones that are still running. */
  readonly skipped: readonly string[]
}

const WHERE = 'store/import-mlflow'
const ORIGIN = 'mlflow.run_id'
const FINISHED = '3'
const OPEN = new Set(['1', '2'])

/**
 * Imports the runs of an MLflow folder (`mlruns`, its file store): parameters, tags, the metrics of every step, artifacts.
 * Experiments keep their names and artifacts their paths as far as names go here; what does not fit becomes a dash, and `/` in
 * an artifact's path becomes `__`. A second import adds only what is new. Registered models are not imported: publish the artifact
 * that you want as a version.
 *
 * ```ts no-run
 * import { importMlflow, openStore } from '@regimen/store'
 *
 * const store = await openStore('models')
 * const { added } = await importMlflow(store, 'mlruns')
 * const info = await store.runInfo(added[0]!)
 * ```
 *
 * Reference: https://mlflow.org/docs/latest/tracking.html
 */
export async function importMlflow(store: Store, folder: string): Promise<MlflowImport> {
  const added: string[] = []
  const present: string[] = []
  const skipped: string[] = []
  const experiments = await folders(folder)
  check(experiments.length > 0, WHERE, () => `${describe(folder)} holds no experiments.`, 'Pass the folder mlruns.')
  await store.refresh()
  for (const experiment of experiments) {
    const about = await readMeta(join(folder, experiment))
    if (about === undefined) continue
    const name = plain(about.name ?? experiment, /[^A-Za-z0-9._-]+/g)
    const known = await imported(store, name)
    for (const id of await folders(join(folder, experiment))) {
      const path = join(folder, experiment, id)
      const meta = await readMeta(path)
      if (meta === undefined) continue
      if (known.has(id)) present.push(id)
      else if (about.lifecycle_stage === 'deleted' || meta.lifecycle_stage === 'deleted' || OPEN.has(meta.status ?? ''))
        skipped.push(id)
      else added.push(await importRun(store, name, id, path, meta))
    }
  }
  return { added, present, skipped }
}

async function importRun(store: Store, experiment: string, id: string, path: string, meta: Meta): Promise<string> {
  const texts = async (kind: string): Promise<{ [name: string]: string }> => {
    const read = (await filesOf(join(path, kind))).map(async (name) => [name, await text(join(path, kind, name))])
    return Object.fromEntries(await Promise.all(read)) as { [name: string]: string }
  }
  const options: RunOptions = {
    params: await texts('params'),
    tags: { ...(await texts('tags')), [ORIGIN]: id, 'mlflow.start_time': meta.start_time ?? '' },
    reason: `Imported from the MLflow run ${id}.`,
  }
  const steps = new Map<number, { [metric: string]: number }>()
  const last: { [metric: string]: number } = {}
  for (const [metric, lines] of Object.entries(await texts('metrics'))) {
    for (const { step, value } of readMetric(lines, join(path, 'metrics', metric))) {
      steps.set(step, { ...steps.get(step), [metric]: value })
      // As in MLflow the value of a run is the one that was noted last.
      last[metric] = value
    }
  }
  const files: { [name: string]: Uint8Array } = {}
  for (const file of await filesOf(join(path, 'artifacts'))) {
    const name = plain(file.replaceAll('/', '__'), /[^A-Za-z0-9 ._-]+/g)
    check(!Object.hasOwn(files, name), WHERE, () => `two artifacts of run ${id} would be called ${describe(name)}.`)
    files[name] = new Uint8Array(await readFile(join(path, 'artifacts', file)))
  }
  const run = await store.run(experiment, options)
  const ordered: StepMetrics[] = [...steps].map(([step, metrics]) => ({ step, metrics }))
  for (const { step, metrics } of ordered.sort((a, b) => a.step - b.step)) await run.log(step, metrics)
  const finite = Object.fromEntries(Object.entries(last).filter(([, value]) => Number.isFinite(value)))
  const status: RunInfo['status'] = meta.status === FINISHED ? 'finished' : 'failed'
  await run.finish({ status, reason: `MLflow says that it ${status}.`, metrics: finite, files })
  return run.id
}

/** MLflow ids of the runs that an earlier import finished. */
async function imported(store: Store, experiment: string): Promise<Set<string>> {
  const ids = new Set<string>()
  for (const run of store.runs(experiment)) {
    const { tags, status } = await store.runInfo(run)
    if (tags[ORIGIN] !== undefined && status !== 'running') ids.add(tags[ORIGIN])
  }
  return ids
}

/** Lines of a metric's file: time, value, step. */
function readMetric(lines: string, path: string): { step: number; value: number }[] {
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, text = '', step = '0'] = line.split(' ')
      const value = SPECIAL[text.toLowerCase()] ?? (text === '' ? Number.NaN : Number(text))
      const spoken = text.toLowerCase() === 'nan' || !Number.isNaN(value)
      check(spoken && Number.isFinite(Number(step)), WHERE, () => `${path} has the line ${describe(line)}.`)
      return { step: Number(step), value }
    })
}

const SPECIAL: { readonly [text: string]: number } = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
}

interface Meta {
  readonly [key: string]: string
}

/** A `meta.yaml`: MLflow writes one scalar a line, quoted where YAML would misread it. */
async function readMeta(folder: string): Promise<Meta | undefined> {
  const yaml = await text(join(folder, 'meta.yaml')).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (yaml === undefined) return undefined
  const meta: { [key: string]: string } = {}
  for (const line of yaml.split('\n')) {
    const parts = /^([a-z_]+): ?(.*)$/.exec(line)
    if (parts) meta[parts[1]!] = unquoted(parts[2]!)
  }
  return meta
}

function unquoted(value: string): string {
  if (value.startsWith("'")) return value.slice(1, -1).replaceAll("''", "'")
  if (!value.startsWith('"')) return value
  try {
    return JSON.parse(value) as string
  } catch {
    return value.slice(1, -1)
  }
}

async function folders(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .sort()
  } catch (cause) {
    throw new RegimenError(`${path} cannot be read.`, { code: 'STORE_IO', where: WHERE, cause, hint: 'Pass mlruns.' })
  }
}

/** Regular files below a folder, by their path with slashes; links are not followed. */
async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .sort()
}

const text = (path: string): Promise<string> => readFile(path, 'utf8')

/** A name that the store takes. */
function plain(name: string, odd: RegExp): string {
  return (
    name
      .replace(odd, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 128) || 'unnamed'
  )
}
