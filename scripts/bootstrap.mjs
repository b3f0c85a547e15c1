// `npm start` and `npm test` on a machine that has only Node and npm: plain JavaScript without dependencies, because
// nothing is installed yet when it runs.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, delimiter, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const OLDEST_NODE = [20, 19]

/** True where `version` (like `20.19.0`) is new enough. */
export function nodeIsNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])
}

/** Hash of everything that decides what an installation contains. */
export function installStamp(root, node = process.version) {
  const hash = createHash('sha256').update(`${node} ${process.platform} ${process.arch}\n`)
  const manifests = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', '.npmrc']
  for (const folder of ['packages', 'examples']) {
    if (!existsSync(join(root, folder))) continue
    for (const name of readdirSync(join(root, folder)).sort()) manifests.push(`${folder}/${name}/package.json`)
  }
  manifests.push('benchmarks/package.json')
  for (const path of manifests) {
    if (existsSync(join(root, path))) hash.update(`${path}\n`).update(readFileSync(join(root, path)))
  }
  return hash.digest('hex')
}

/** Sums a vitest JSON report; a file that could not even load counts as one failure. */
export function summarize(report) {
  const passed = report.numPassedTests ?? 0
  let failed = report.numFailedTests ?? 0
  for (const file of report.testResults ?? []) {
    const tests = file.assertionResults ?? []
    if (file.status === 'failed' && !tests.some((test) => test.status === 'failed')) failed++
  }
  return { passed, failed, skipped: (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0) }
}

/** The program that `npm start` runs, the command `regimen`, as it was built. */
export function startTarget(root) {
  return join(root, 'packages', 'cli', 'dist', 'bin.js')
}

const env = {
  ...process.env,
  PATH: [join(ROOT, 'node_modules', '.bin'), process.env.PATH ?? process.env.Path ?? ''].join(delimiter),
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
}
if (process.platform === 'win32') delete env.Path
// `npm --silent test` is about npm; why an installation fails is said all the same.
if (env.npm_config_loglevel === 'silent') env.npm_config_loglevel = 'error'

function say(message) {
  console.log(`regimen: ${message}`)
}

function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'], ...options })
    child.on('error', (error) => {
      console.error(`regimen: ${command} did not start: ${error.message}`)
      resolve(1)
    })
    child.on('close', (code) => resolve(code ?? 1))
  })
}

const node = (script, ...args) => run(process.execPath, [join(ROOT, script), ...args])

async function install() {
  const stampFile = join(ROOT, 'node_modules', '.regimen-stamp')
  const stamp = installStamp(ROOT)
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return 0
  const { packageManager } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  say(`installing dependencies from the lockfile with ${packageManager} (once, and again when a manifest changes)`)
  const pnpm = ['--yes', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only']
  const npm = process.env.npm_execpath
  const code =
    npm && /^npm-cli\.[cm]?js$/.test(basename(npm))
      ? await run(process.execPath, [npm, 'exec', pnpm[0], pnpm[1], '--', ...pnpm.slice(2)])
      : await run('npx', pnpm, { shell: process.platform === 'win32' })
  if (code === 0) writeFileSync(stampFile, stamp)
  return code
}

async function build() {
  say('building what changed')
  return node(
    'node_modules/turbo/bin/turbo',
    'run',
    'build',
    '--continue',
    '--output-logs=errors-only',
    '--log-order=grouped',
  )
}

async function test(args, failedBefore) {
  const full = args.includes('--full')
  if (full) env.REGIMEN_FULL = '1'
  const folder = join(ROOT, 'node_modules', '.cache', 'regimen')
  const reportFile = join(folder, 'unit.json')
  mkdirSync(folder, { recursive: true })
  rmSync(reportFile, { force: true })
  say(full ? 'running the unit tests with the long proofs' : 'running the unit tests')
  const code = await node(
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
    ...args.filter((arg) => arg !== '--full'),
  )
  const total = existsSync(reportFile)
    ? summarize(JSON.parse(readFileSync(reportFile, 'utf8')))
    : { passed: 0, failed: 1, skipped: 0 }
  if (code !== 0 && total.failed === 0) total.failed = 1
  total.failed += failedBefore
  if (total.skipped > 0) say(`${total.skipped} tests said that they skipped`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  return total.failed === 0 ? 0 : 1
}

async function start(args) {
  const command = ['run', ...args]
  say(`running regimen ${command.join(' ')}`)
  return run(process.execPath, [startTarget(ROOT), ...command])
}

async function main([command, ...args]) {
  if (!nodeIsNewEnough(process.versions.node)) {
    console.error(
      `regimen: Node ${OLDEST_NODE.join('.')} or newer is needed, this is ${process.version}. Install it from https://nodejs.org.`,
    )
    return 1
  }
  const work = { start, test, build: async () => 0 }[command ?? '']
  if (!work) {
    console.error(`regimen: no command ${command}. Use start, test or build.`)
    return 1
  }
  let code = await install()
  if (code !== 0) {
    console.error('regimen: the installation failed, see above.')
    if (command === 'test') console.log('0 passed, 1 failed')
    return code
  }
  code = await build()
  if (code !== 0) console.error('regimen: the build failed, see above.')
  // The unit tests run on the sources, so they can tell more than that the build failed.
  return code === 0 || command === 'test' ? work(args, code === 0 ? 0 : 1) : code
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = await main(process.argv.slice(2))
