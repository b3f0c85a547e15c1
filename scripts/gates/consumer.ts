import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Gate, Problem, Verdict } from '../lib/gate.ts'
import { pack } from '../lib/packs.ts'
import { type Package, publicPackages, ROOT, run, runTool, toolEnv } from '../lib/workspace.ts'

/** Packages that an app in a browser may import. */
const IN_BROWSERS = new Set(['core', 'tensor', 'market', 'report', 'regimes', 'meta', 'continual', 'evolve', 'bayes'])

/** The packed packages, installed into an empty app outside the workspace, work as a user would use them. */
export const consumer: Gate = {
  name: 'consumer',
  description: 'packed packages in an empty app: Node ESM, require, nodenext types, a Vite build, a worker',
  scoped: false,
  async run(context) {
    const packages = publicPackages(context.root)
    const app = realpathSync(mkdtempSync(join(tmpdir(), 'regimen consumer ')))
    try {
      const installed = await install(app, packages)
      if (installed !== undefined) return { passed: 0, problems: [{ message: installed }] }
      return await verifyApp(app, packages)
    } finally {
      rmSync(app, { recursive: true, force: true })
    }
  },
}

async function install(app: string, packages: readonly Package[]): Promise<string | undefined> {
  const tarballs: { [name: string]: string } = {}
  const dependencies: { [name: string]: string } = {}
  for (const item of packages) {
    tarballs[item.name] = `file:${(await pack(item)).split('\\').join('/')}`
    // The tfjs peers are plain JavaScript; the native runtimes stay away, as in an app that never asked for them.
    for (const [name, range] of Object.entries(item.manifest.peerDependencies ?? {})) {
      if (name.startsWith('@tensorflow/')) dependencies[name] = pinned(item, name) ?? range
    }
  }
  Object.assign(dependencies, tarballs, { '@types/node': rootVersion('@types/node') })
  const manifest = { name: 'app', private: true, type: 'module', dependencies, pnpm: { overrides: tarballs } }
  writeFileSync(join(app, 'package.json'), JSON.stringify(manifest, null, 2))
  writeFileSync(join(app, 'pnpm-workspace.yaml'), 'packages: []\n')
  writeFileSync(join(app, '.npmrc'), 'auto-install-peers=false\nstrict-peer-dependencies=false\n')
  const args = [
    'install',
    '--prefer-offline',
    '--ignore-scripts',
    '--no-optional',
    '--no-frozen-lockfile',
    '--reporter=append-only',
  ]
  const ended = await runTool('pnpm', args, { cwd: app, env: toolEnv({ CI: 'true' }) })
  return ended.code === 0 ? undefined : `the app does not install:\n${ended.output.slice(-3000)}`
}

function rootVersion(name: string): string {
  const file = join(ROOT, 'node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function pinned(item: Package, name: string): string | undefined {
  const file = join(item.dir, 'node_modules', name, 'package.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : undefined
}

/** Importable names of the packages: roots and subpaths of code. Browsers leave out those that are said to be Node's. */
function specifiers(packages: readonly Package[], browser = false): string[] {
  return packages.flatMap((item) =>
    Object.entries(item.manifest.exports ?? {})
      .filter(([, target]) => typeof target !== 'string' && target.types !== undefined)
      .filter(([, target]) => !(browser && typeof target !== 'string' && target.types?.endsWith('.node.d.ts')))
      .map(([subpath]) => item.name + subpath.slice(1)),
  )
}

/** Runs an app in whose node_modules the packages are installed, in every way in which they can be loaded. */
export async function verifyApp(app: string, packages: readonly Package[]): Promise<Verdict> {
  const all = specifiers(packages)
  const problems: Problem[] = []
  let passed = 0
  const count = (found: readonly Problem[], of: number): void => {
    problems.push(...found)
    passed += Math.max(0, of - found.length)
  }
  count(await load(app, all, 'esm.mjs', (name) => `await import(${JSON.stringify(name)})`), all.length)
  count(await load(app, all, 'require.cjs', (name) => `require(${JSON.stringify(name)})`), all.length)
  count(await declarations(app, all), 1)
  count(await worker(app, all), 1)
  const browser = packages.filter((item) => IN_BROWSERS.has(item.short))
  if (browser.length > 0) count(await vite(app, specifiers(browser, true)), 1)
  return { passed, problems, note: `${all.length} entries` }
}

/** Loads every entry in one process; each one that throws is a problem. */
async function load(
  app: string,
  names: readonly string[],
  file: string,
  call: (name: string) => string,
): Promise<Problem[]> {
  const lines = names.map(
    (name) => `try { const m = ${call(name)}; if (typeof m !== 'object') throw new Error('exports nothing') }
catch (error) { console.log(JSON.stringify([${JSON.stringify(name)}, String(error && error.message)])) }`,
  )
  writeFileSync(join(app, file), `${lines.join('\n')}\nconsole.log('done')\nprocess.exit(0)\n`)
  const ended = await run(process.execPath, ['--no-warnings', file], { cwd: app, env: toolEnv({ NODE_OPTIONS: '' }) })
  const problems: Problem[] = []
  for (const line of ended.stdout.split('\n').filter((text) => text.startsWith('["'))) {
    const [name, message] = JSON.parse(line) as [string, string]
    problems.push({ file, message: `${name} does not load: ${message}` })
  }
  if (!/^done$/m.test(ended.stdout)) problems.push({ file, message: ended.output.slice(-1500) })
  return problems
}

async function declarations(app: string, names: readonly string[]): Promise<Problem[]> {
  const imports = names.map((name, index) => `import * as m${index} from '${name}'`)
  writeFileSync(
    join(app, 'index.ts'),
    `${imports.join('\n')}\nexport const all = [${names.map((_, i) => `m${i}`).join(', ')}]\n`,
  )
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2023', 'DOM', 'DOM.AsyncIterable'],
    module: 'nodenext',
    moduleResolution: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: existsSync(join(app, 'node_modules', '@types', 'node')) ? ['node'] : [],
  }
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['index.ts'] }))
  const ended = await runTool('typescript', ['-p', 'tsconfig.json', '--pretty', 'false'], { bin: 'tsc', cwd: app })
  const found = [...ended.stdout.matchAll(/^(.+?)\((\d+),\d+\): error (TS\d+: .*)$/gm)]
  // Other people's declarations are not ours to mend.
  return found
    .map((match) => ({ file: match[1]!.split('\\').join('/'), line: Number(match[2]), message: match[3]! }))
    .filter(({ file }) => file === 'index.ts' || /@regimen[+/]/.test(file.split('node_modules/').at(-1) ?? ''))
}

async function worker(app: string, names: readonly string[]): Promise<Problem[]> {
  const file = 'worker.mjs'
  const list = JSON.stringify(names)
  writeFileSync(
    join(app, file),
    `import { isMainThread, parentPort, Worker } from 'node:worker_threads'
const loaded = []
for (const name of ${list}) loaded.push(Object.keys(await import(name)).sort().join())
const text = loaded.join('\\n')
if (!isMainThread) parentPort.postMessage(text)
else {
  const thread = new Worker(new URL(import.meta.url))
  thread.on('message', (other) => { console.log(other === text ? 'same' : 'different'); process.exit(0) })
  thread.on('error', (error) => { console.log(error); process.exit(1) })
}
`,
  )
  const ended = await run(process.execPath, ['--no-warnings', file], { cwd: app, seconds: 120 })
  return ended.stdout.trim() === 'same' ? [] : [{ file, message: ended.output.slice(-1500) }]
}

async function vite(app: string, names: readonly string[]): Promise<Problem[]> {
  const imports = names.map((name, index) => `import * as m${index} from '${name}'`)
  const use = names.map((_, index) => `Object.keys(m${index}).length`).join(', ')
  writeFileSync(join(app, 'main.js'), `${imports.join('\n')}\ndocument.title = String([${use}])\n`)
  writeFileSync(join(app, 'index.html'), '<!doctype html><script type="module" src="/main.js"></script>\n')
  const ended = await runTool('vite', ['build', '--minify', 'false', '--logLevel', 'info'], { cwd: app, seconds: 180 })
  const problems: Problem[] = []
  if (ended.code !== 0) problems.push({ file: 'vite build', message: ended.output.slice(-2000) })
  for (const match of ended.output.matchAll(/Module "([^"]+)" has been externalized.*imported by "([^"]+)"/g)) {
    if (/@regimen[+/]/.test(match[2]!))
      problems.push({ file: 'vite build', message: `${match[2]} imports ${match[1]} in a browser` })
  }
  if (problems.length === 0 && !readdirSync(join(app, 'dist', 'assets')).some((name) => name.endsWith('.js'))) {
    problems.push({ file: 'vite build', message: 'wrote no script' })
  }
  return problems
}
