import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { systemClock } from '@regimen/core'
import type { Browser } from 'playwright-core'
import { build, defaultClientConditions, type Plugin } from 'vite'
import { serveFolder } from './browser.ts'
import type { PageAnswer } from './page/run.ts'

const PAGE = fileURLToPath(new URL('./page', import.meta.url))
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** A test file of a package, by its path from the repository's root. */
export interface SuiteFile {
  readonly package: string
  readonly file: string
  /** Why it cannot run in a page; undefined where it can. */
  readonly left?: string
}

/** Test files of a package: those that a page can run, and the others with the reason. */
export function suiteFiles(short: string): SuiteFile[] {
  const folder = join(ROOT, 'packages', short, 'test')
  return readdirSync(folder)
    .filter((name) => /\.(test|browser)\.ts$/.test(name))
    .sort()
    .map((name) => {
      const left = reasonToLeave(join(folder, name))
      const file = shown(join(folder, name))
      return { package: short, file, ...(left === undefined ? {} : { left }) }
    })
}

/** Follows the relative imports of a file until one needs Node. */
function reasonToLeave(start: string): string | undefined {
  const seen = new Set<string>()
  const open = [start]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file) || !existsSync(file)) continue
    seen.add(file)
    const text = readFileSync(file, 'utf8').replace(/^import type .*$/gm, '')
    const node = /from '(node:[\w/]+|playwright-core|onnxruntime-node)'/.exec(text)
    if (node) return `${file === start ? '' : `${shown(file)} `}imports ${node[1]}`
    if (/import \{[^}]*\bvi\b[^}]*\} from 'vitest'/.test(text)) return 'replaces modules, which a bundle has no more'
    if (/toMatch(Inline|File)?Snapshot/.test(text)) return 'compares with a recorded file'
    if (/new URL\('\.\/fixtures\/[\w-]+\.(mjs|ts)'/.test(text)) return 'starts a file as a worker of Node'
    for (const [, path] of text.matchAll(/from '(\.[^']+)'/g)) open.push(join(dirname(file), path!))
  }
  return undefined
}

function shown(path: string): string {
  return relative(ROOT, path).split(sep).join('/')
}

/** Builds one page for all test files with Vite, as an app would be built, each file a chunk of its own. */
export async function buildSuite(files: readonly SuiteFile[], out: string, full: boolean): Promise<void> {
  const suite: Plugin = {
    name: 'suite',
    enforce: 'pre',
    resolveId: (id) => (id === 'virtual:suite' ? '\0suite' : id === 'vitest' ? join(PAGE, 'vitest.ts') : undefined),
    async load(id) {
      // A package may compute a constant while it is built, from Node's files; a page gets the value.
      if (id.endsWith('.source.ts')) {
        const values = Object.entries((await import(pathToFileURL(id).href)) as object)
        return values.map(([name, value]) => `export const ${name} = ${JSON.stringify(value)}`).join('\n')
      }
      if (id !== '\0suite') return undefined
      const entries = files.map(
        ({ file }) => `${JSON.stringify(file)}: () => import(${JSON.stringify(join(ROOT, file))})`,
      )
      const tensor = JSON.stringify(join(ROOT, 'packages', 'tensor', 'src', 'index.ts'))
      return `export const files = {${entries.join(',\n')}}
export const prepare = async (device) =>
  device === '' ? '' : (await (await import(${tensor})).useBackend(device)).backend`
    },
  }
  await build({
    root: PAGE,
    configFile: false,
    logLevel: 'error',
    plugins: [suite],
    define: { 'process.env.REGIMEN_FULL': JSON.stringify(full ? '1' : ''), 'process.env.REGIMEN_DATA': 'undefined' },
    resolve: { conditions: ['@regimen/source', ...defaultClientConditions] },
    // Names of functions are part of what tests compare.
    esbuild: { keepNames: true },
    build: {
      outDir: out,
      emptyOutDir: true,
      target: 'esnext',
      minify: false,
      modulePreload: false,
      reportCompressedSize: false,
    },
  })
}

/** How a file went in a page. */
export interface SuiteReport extends PageAnswer {
  readonly file: string
  readonly device: string
  readonly seconds: number
}

/** Runs files in pages of their own, as vitest gives each a world of its own, two at a time. */
export async function runSuite(
  browser: Browser,
  folder: string,
  runs: readonly { readonly file: string; readonly device: string; readonly only?: string }[],
  seconds = 400,
): Promise<SuiteReport[]> {
  const server = await serveFolder(folder)
  const context = await browser.newContext()
  const reports: SuiteReport[] = []
  const queue = [...runs]
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const begin = systemClock.monotonic()
      const page = await context.newPage()
      let answer: PageAnswer
      try {
        await page.goto(`${server.url}?${new URLSearchParams({ ...next })}`)
        await page.waitForFunction(() => window.answer !== undefined, undefined, { timeout: seconds * 1000 })
        answer = await page.evaluate(() => window.answer!)
      } catch (error) {
        answer = { tests: [], on: '', error: error instanceof Error ? error.message : String(error) }
      }
      await page.close()
      reports.push({
        ...answer,
        file: next.file,
        device: next.device,
        seconds: (systemClock.monotonic() - begin) / 1000,
      })
    }
  }
  try {
    await Promise.all([lane(), lane()])
  } finally {
    await context.close()
    server.close()
  }
  return reports
}
