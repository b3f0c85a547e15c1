import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { chromiumPath, launchChromium } from '@regimen/testing/browser'
import type { SuiteFile, SuiteReport } from '@regimen/testing/browser-suite'
import type { Gate, GateContext, Problem, Verdict } from '../lib/gate.ts'

/** Files of each package that always run in a page; `--full` runs all that can. */
const SAMPLE: Readonly<Record<string, readonly string[]>> = {
  core: ['clock', 'events', 'learner', 'linear-algebra', 'progress', 'restore', 'rng', 'safetensors', 'snapshot'],
  tensor: ['backends', 'differentiate', 'empty-axes', 'files', 'leaks', 'losses', 'lower', 'optimizers', 'webgpu'],
  market: ['backtest', 'bars', 'indicators', 'metrics', 'scaler', 'splits'],
  report: ['charts', 'downsample'],
  regimes: ['change-points', 'kernels', 'live-detectors', 'route'],
  meta: ['adapt', 'reptile', 'tasks'],
  continual: ['charts', 'masked-rule', 'replay'],
  evolve: ['charts', 'learning-swarm', 'minimize', 'population-training'],
  bayes: ['bandit', 'pruners', 'study', 'tpe'],
}

/** tfjs's backend for what a package runs eagerly. The core's suites compare with the reference backend. */
const BACKEND: Readonly<Record<string, string>> = { tensor: 'cpu', meta: 'wasm', continual: 'wasm' }

/** These test how gradients are registered when nothing else was imported before. */
const ALONE = /gradients-(alone|late-import)/

/** What is known to fail in a page, each with the reason; a failure that is gone must leave the list. */
const KNOWN: Readonly<Record<string, string>> = {
  'packages/tensor/test/backends.test.ts > auto passes over what is not installed and says so':
    "it asserts Node's order; the order of browsers is asserted in backends.browser.ts",
}

/** Tests of the packages for browsers run in headless Chromium, bundled by Vite. */
export const browser: Gate = {
  name: 'browser',
  description: 'packages for browsers build with Vite and pass their own tests in headless Chromium',
  scoped: true,
  alone: true,
  async run(context) {
    // What it imports is built by the gate before.
    const { buildSuite, runSuite, suiteFiles } = await import('@regimen/testing/browser-suite')
    const files = filesInScope(context, suiteFiles)
    if (files.length === 0) return { passed: 0, problems: [], note: 'no package for browsers' }
    if (!chromiumPath) return { passed: 0, problems: [], note: 'skipped: no Chromium here, set CHROMIUM_PATH' }
    const able = files.filter(({ left }) => left === undefined)
    const out = mkdtempSync(join(tmpdir(), 'regimen-browser-'))
    const chromium = await launchChromium({ gpu: true })
    try {
      await buildSuite(able, out, context.full)
      const runs = able.map(({ file, package: name }) => ({
        file,
        device: ALONE.test(file) ? '' : (BACKEND[name] ?? ''),
      }))
      return judge(files, await runSuite(chromium, out, runs, context.full ? 3600 : 400))
    } finally {
      await chromium.close()
      rmSync(out, { recursive: true, force: true, maxRetries: 5 })
    }
  },
}

function filesInScope(context: GateContext, suiteFiles: (name: string) => SuiteFile[]): SuiteFile[] {
  return Object.keys(SAMPLE)
    .filter((name) => !context.package || name === context.package)
    .flatMap((name) => {
      const sample = SAMPLE[name]!
      return suiteFiles(name).filter(
        ({ file }) => context.full || sample.includes(basename(file).replace(/\.(test|browser)\.ts$/, '')),
      )
    })
}

/** Counts tests, and makes a problem of each that failed without being known to. */
export function judge(files: readonly SuiteFile[], reports: readonly SuiteReport[]): Verdict {
  const problems: Problem[] = []
  let passed = 0
  let known = 0
  for (const { file, tests, error, seconds } of reports) {
    if (error !== undefined) problems.push({ file, message: `does not load in a page: ${error}` })
    else if (tests.length === 0) problems.push({ file, message: 'runs no test in a page' })
    for (const { name, state, message } of tests) {
      const reason = KNOWN[`${file} > ${name}`]
      if (state === 'pass' && reason === undefined) passed++
      else if (state === 'pass') problems.push({ file, message: `${name} passes, but is listed as failing: ${reason}` })
      else if (state === 'fail' && reason !== undefined) known++
      else if (state === 'fail') problems.push({ file, message: `${name}: ${message}` })
    }
    if (process.env.REGIMEN_TIMES === '1') console.log(`  ${seconds.toFixed(1)} s ${file}`)
  }
  const left = files.filter((file) => file.left !== undefined)
  const notes = [`${reports.length} files`]
  if (left.length > 0) notes.push(`${left.length} left to Node (${left.map(({ file }) => basename(file)).join(', ')})`)
  if (known > 0) notes.push(`${known} known to fail`)
  return { passed, problems, note: notes.join('; ') }
}
