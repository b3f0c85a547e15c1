import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A measured number: bare, or with its unit, its spread and a remark for the table. */
export type Figure =
  | number
  | string
  | boolean
  | { readonly value: number; readonly unit?: string; readonly spread?: number; readonly note?: string }

/** What a peer reached on the same machine in the same sitting, or why it could not run. */
export type Peer = 'absent' | Figure | { readonly absent: string } | { readonly [figure: string]: Figure }

export interface BenchResult {
  readonly figures: { readonly [name: string]: Figure }
  readonly peers?: { readonly [name: string]: Peer }
}

export interface PythonOptions {
  /** Modules that must import, for example `['torch']`. */
  readonly needs?: readonly string[]
  /** Arguments, `sys.argv[1:]`. */
  readonly args?: readonly string[]
  /** Text or JSON value given on standard input. */
  readonly input?: unknown
  /** Threads that the peer's libraries may use. @default 1 */
  readonly threads?: number
  /** Seconds until the peer is stopped. @default 600 */
  readonly timeout?: number
}

/** A Python peer's answer: the JSON of its last line of output; or the reason why it is absent. */
export type PythonAnswer<T> =
  | { readonly absent: string }
  | {
      readonly absent: undefined
      readonly value: T
      readonly python: string
      readonly versions: { [name: string]: string }
    }

export interface BenchContext {
  /** What followed the benchmark's name, without `--json`. */
  readonly args: readonly string[]
  /** `--name value` or `--name=value` as a number, or the default. */
  number(name: string, fallback: number): number
  /** True where `--name` is given. */
  flag(name: string): boolean
  /**
   * Runs a Python peer: a script file (`peers/maml.py`, relative to `benchmarks/`) or the source itself. The
   * interpreter is `REGIMEN_PYTHON`, else the first of `python3` and `/usr/bin/python3` that imports what it needs.
   */
  python<T = unknown>(script: string, options?: PythonOptions): Promise<PythonAnswer<T>>
  /** Path of a file of the optional real data, or undefined where it is not present. */
  data(path: string): string | undefined
  /** Tells progress on standard error. */
  log(message: string): void
}

export interface BenchDefinition {
  readonly name: string
  /** One line for the list. */
  readonly description: string
  run(context: BenchContext): Promise<BenchResult> | BenchResult
}

/** Declares a benchmark; the default export of `benchmarks/NAME.ts`. */
export function bench(definition: BenchDefinition): BenchDefinition {
  return definition
}

/** Times of one contestant, in milliseconds. */
export interface Timing {
  readonly median: number
  readonly min: number
  readonly max: number
  /** Half of the interquartile range over the median: 0.05 reads as ± 5 %. */
  readonly spread: number
  readonly times: readonly number[]
}

export interface InterleaveOptions {
  /** Measured rounds. @default 15 */
  readonly runs?: number
  /** Rounds run before measuring. @default 3 */
  readonly warmup?: number
}

export interface Interleaved<Name extends string> {
  readonly timings: { readonly [K in Name]: Timing }
  /** Median time of each contestant over that of the first: above 1, the first is faster. */
  readonly ratios: { readonly [K in Name]: number }
}

/**
 * Runs the contestants in turn, round after round, so that a noisy moment of the machine hits all of them, and rotates
 * who goes first.
 */
export async function interleave<Name extends string>(
  contestants: { readonly [K in Name]: () => unknown },
  options: InterleaveOptions = {},
): Promise<Interleaved<Name>> {
  const { runs = 15, warmup = 3 } = options
  const names = Object.keys(contestants) as Name[]
  const times = new Map<Name, number[]>(names.map((name) => [name, []]))
  for (let round = 0; round < warmup + runs; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length]!
      const begin = performance.now()
      const result = contestants[name]()
      if (result instanceof Promise) await result
      const elapsed = performance.now() - begin
      if (round >= warmup) times.get(name)!.push(elapsed)
    }
  }
  const timings = Object.fromEntries(names.map((name) => [name, timing(times.get(name)!)])) as { [K in Name]: Timing }
  const first = timings[names[0]!].median
  const ratios = Object.fromEntries(names.map((name) => [name, timings[name].median / first])) as {
    [K in Name]: number
  }
  return { timings, ratios }
}

/** Summarizes times: median, extremes and relative spread. */
export function timing(times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b)
  const median = quantile(sorted, 0.5)
  return {
    median,
    min: sorted[0]!,
    max: sorted[sorted.length - 1]!,
    spread: (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / median,
    times,
  }
}

function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1)
  const low = sorted[Math.floor(at)]!
  return low + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - low)
}

const HERE = dirname(fileURLToPath(import.meta.url))

/** Makes the context that a benchmark runs in. */
export function createContext(args: readonly string[], environment: NodeJS.ProcessEnv = process.env): BenchContext {
  const option = (name: string): string | undefined => {
    const inline = args.find((arg) => arg.startsWith(`--${name}=`))
    if (inline !== undefined) return inline.slice(name.length + 3)
    const at = args.indexOf(`--${name}`)
    return at < 0 ? undefined : args[at + 1]
  }
  return {
    args,
    number(name, fallback) {
      const text = option(name)
      if (text === undefined) return fallback
      const value = Number(text)
      if (text === '' || !Number.isFinite(value)) throw new Error(`--${name} must be a number, got ${text}.`)
      return value
    },
    flag: (name) => args.includes(`--${name}`),
    python: (script, options = {}) => python(script, options, environment),
    data(path) {
      const file = resolve(environment.REGIMEN_DATA ?? join(HERE, '..', '..', 'shared', 'data'), path)
      return existsSync(file) ? file : undefined
    },
    log: (message) => process.stderr.write(`${message}\n`),
  }
}

async function python<T>(
  script: string,
  options: PythonOptions,
  environment: NodeJS.ProcessEnv,
): Promise<PythonAnswer<T>> {
  const { needs = [], args = [], input, threads = 1, timeout = 600 } = options
  const env: NodeJS.ProcessEnv = { ...environment, PYTHONDONTWRITEBYTECODE: '1' }
  for (const name of ['OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'NUMEXPR_NUM_THREADS']) {
    env[name] = String(threads)
  }
  const versions = `import importlib, json, sys
found = {'python': sys.version.split()[0]}
for name in sys.argv[1:]: found[name] = str(getattr(importlib.import_module(name), '__version__', '?'))
print(json.dumps(found))`
  const configured = environment.REGIMEN_PYTHON
  const candidates = configured ? [configured] : ['python3', '/usr/bin/python3']
  for (const interpreter of candidates) {
    const probe = await execute(interpreter, ['-c', versions, ...needs], env, '', 120)
    if (probe.code !== 0) continue
    const source = script.endsWith('.py') ? [resolve(HERE, script)] : ['-c', script]
    const stdin = input === undefined ? '' : typeof input === 'string' ? input : JSON.stringify(input)
    const answer = await execute(interpreter, [...source, ...args], env, stdin, timeout)
    if (answer.code !== 0) throw new Error(`The Python peer failed (${interpreter}):\n${answer.stderr.slice(-2000)}`)
    const last = answer.stdout.trimEnd().split('\n').at(-1) ?? ''
    return {
      absent: undefined,
      value: JSON.parse(last) as T,
      python: interpreter,
      versions: JSON.parse(probe.stdout) as { [name: string]: string },
    }
  }
  return { absent: `no Python among ${candidates.join(', ')} imports ${needs.join(', ') || 'anything'}` }
}

/** Runs a script of this folder in a process of its own, and returns the JSON of its last line. */
export async function runHere<T>(script: string, args: readonly (string | number)[]): Promise<T> {
  const ended = await execute(process.execPath, ['--import', 'tsx', script, ...args.map(String)], process.env, '', 600)
  if (ended.code !== 0) throw new Error(`${script} failed:\n${ended.stderr.slice(-2000)}`)
  return JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!) as T
}

function execute(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  stdin: string,
  seconds: number,
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    const child = spawn(command, args, { env, timeout: seconds * 1000, cwd: HERE })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
    })
    child.on('error', (error) => done({ code: 127, stdout, stderr: error.message }))
    child.on('close', (code) => done({ code: code ?? 1, stdout, stderr }))
    child.stdin.on('error', () => {})
    child.stdin.end(stdin)
  })
}

/** The one line that machines read: figures and peers as plain values. */
export function toJson(name: string, result: BenchResult): string {
  const plain = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if ('absent' in value) return 'absent'
    if ('value' in value) return value.value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
  }
  return JSON.stringify({ bench: name, figures: plain(result.figures), peers: plain(result.peers ?? {}) })
}

/** The table that people read. */
export function toTable(name: string, result: BenchResult): string {
  const rows: string[][] = [['figure', 'value', 'unit', 'spread', 'note']]
  const add = (label: string, figure: Figure): void => {
    if (typeof figure !== 'object') rows.push([label, show(figure), '', '', ''])
    else {
      const spread = figure.spread === undefined ? '' : `± ${(figure.spread * 100).toFixed(0)} %`
      rows.push([label, show(figure.value), figure.unit ?? '', spread, figure.note ?? ''])
    }
  }
  for (const [label, figure] of Object.entries(result.figures)) add(label, figure)
  for (const [peer, value] of Object.entries(result.peers ?? {})) {
    if (typeof value !== 'object' || 'value' in value) add(peer, value as Figure)
    else if ('absent' in value) rows.push([peer, 'absent', '', '', String(value.absent)])
    else for (const [label, figure] of Object.entries(value)) add(`${peer}: ${label}`, figure)
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return [
    name,
    '',
    line(rows[0]!),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...rows.slice(1).map(line),
  ].join('\n')
}

function show(value: number | string | boolean): string {
  if (typeof value !== 'number') return String(value)
  if (Number.isInteger(value)) return String(value)
  return Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3
    ? value.toExponential(3)
    : String(Number(value.toPrecision(4)))
}
