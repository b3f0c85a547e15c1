import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's root. */
export const ROOT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export interface Manifest {
  name: string
  version?: string
  private?: boolean
  exports?: { [subpath: string]: string | { [condition: string]: string } }
  dependencies?: { [name: string]: string }
  devDependencies?: { [name: string]: string }
  peerDependencies?: { [name: string]: string }
  optionalDependencies?: { [name: string]: string }
}

export interface Package {
  /** Folder name: `core`. */
  readonly short: string
  /** Published name: `@regimen/core`. */
  readonly name: string
  /** Absolute folder. */
  readonly dir: string
  readonly manifest: Manifest
}

/** Packages under `folder`, in alphabetical order. */
export function listPackages(root: string, folder = 'packages'): Package[] {
  const base = join(root, folder)
  if (!existsSync(base)) return []
  return readdirSync(base)
    .filter((short) => existsSync(join(base, short, 'package.json')))
    .sort()
    .map((short) => {
      const dir = join(base, short)
      const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest
      return { short, name: manifest.name, dir, manifest }
    })
}

/** Packages that are published. */
export function publicPackages(root: string): Package[] {
  return listPackages(root).filter((item) => !item.manifest.private)
}

/** Files under `dir` for which `keep` holds, absolute and sorted; never inside dist or node_modules. */
export function walk(dir: string, keep: (path: string) => boolean): string[] {
  if (!existsSync(dir)) return []
  const found: string[] = []
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules' && entry.name !== 'dist') found.push(...walk(path, keep))
    } else if (keep(path)) found.push(path)
  }
  return found.sort()
}

/** `path` relative to `root`, with forward slashes. */
export function shown(root: string, path: string): string {
  return relative(root, path).split(sep).join('/')
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Both streams, in the order in which they came. */
  readonly output: string
}

/** Runs a program to its end and keeps what it said. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; seconds?: number; shell?: boolean } = {},
): Promise<Ran> {
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: options.env ?? toolEnv(),
      timeout: (options.seconds ?? 600) * 1000,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: options.shell ?? false,
    })
    let stdout = ''
    let stderr = ''
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
      output += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
      output += chunk
    })
    child.on('error', (error) => done({ code: 127, stdout, stderr, output: `${output}${error.message}` }))
    child.on('close', (code) => done({ code: code ?? 1, stdout, stderr, output }))
  })
}

/** The environment for tools: the workspace's programs first on the PATH, no telemetry, no colours. */
export function toolEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const path = process.env.PATH ?? process.env.Path ?? ''
  return {
    ...process.env,
    PATH: [join(ROOT, 'node_modules', '.bin'), path].join(delimiter),
    TURBO_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
    NO_COLOR: '1',
    FORCE_COLOR: undefined,
    ...extra,
  }
}

/** Runs a program of an installed npm package with this Node, on any platform and without a shell. */
export function runTool(
  tool: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; seconds?: number; bin?: string } = {},
): Promise<Ran> {
  const dir = join(ROOT, 'node_modules', tool)
  const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as {
    bin?: string | { [name: string]: string }
  }
  const bins = typeof manifest.bin === 'string' ? { [tool]: manifest.bin } : (manifest.bin ?? {})
  const file = bins[options.bin ?? tool] ?? Object.values(bins)[0]
  if (file === undefined) throw new Error(`${tool} has no program ${options.bin ?? tool}.`)
  return run(process.execPath, [join(dir, file), ...args], options)
}

/** Builds what changed. */
export async function build(): Promise<void> {
  const built = await runTool('turbo', [
    'run',
    'build',
    '--continue',
    '--output-logs=errors-only',
    '--log-order=grouped',
  ])
  if (built.code !== 0) throw new Error(`The build failed.\n${built.output.slice(-4000)}`)
}
