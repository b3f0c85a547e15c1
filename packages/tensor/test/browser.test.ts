import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const full = process.env.REGIMEN_FULL === '1'
const why = !full ? ' (skipped: runs with --full)' : chromium ? '' : ' (skipped: no Chromium here)'

// An app as a user would write it: no path of a wasm file anywhere.
const APP = `
import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { compile, useBackend } from '@regimen/tensor'

const report = (answer) => fetch('/answer', { method: 'POST', body: JSON.stringify(answer) })
try {
  const { backend } = await useBackend('wasm')
  const eager = Array.from(await tf.square(tf.tensor1d([1, 2, 3])).data())
  const slope = compile((x) => tf.grad((v) => tf.sum(tf.square(v)))(x))
  const { data } = await slope(new Float32Array([1, 2, 3]))
  const { runtime } = slope.explain()[0]
  await report({ backend, eager, compiled: Array.from(data), runtime })
} catch (error) {
  await report({ error: String(error.stack ?? error) })
}
`

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

const root = fileURLToPath(new URL('..', import.meta.url))
const made: string[] = []
let browser: ChildProcess | undefined

afterEach(() => {
  browser?.kill('SIGKILL')
  for (const directory of made) rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
})

/** Serves a directory, and hears the page's answer. */
async function serve(directory: string): Promise<{ url: string; answer: Promise<unknown>; close: () => void }> {
  let resolve: (value: unknown) => void = () => {}
  const answer = new Promise((done) => {
    resolve = done
  })
  const server = createServer((request, response) => {
    if (request.method === 'POST') {
      let body = ''
      request.on('data', (part) => {
        body += part
      })
      request.on('end', () => {
        response.end()
        resolve(JSON.parse(body))
      })
      return
    }
    const path = request.url === '/' ? '/index.html' : request.url!.split('?')[0]!
    const file = join(directory, path)
    if (!existsSync(file)) {
      response.statusCode = 404
      response.end()
      return
    }
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream')
    response.end(readFileSync(file))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/`, answer, close: () => server.close() }
}

test.runIf(full && chromium)(
  `a Vite build finds the wasm files by itself and runs in Chromium${why}`,
  async () => {
    const { build, defaultClientConditions } = await import('vite')
    // Inside the package, so that its dependencies are found as in an app that installed them.
    const app = mkdtempSync(join(root, '.browser-'))
    made.push(app)
    writeFileSync(join(app, 'index.html'), '<!doctype html><script type="module" src="./app.js"></script>')
    writeFileSync(join(app, 'app.js'), APP)
    const out = join(app, 'dist')
    await build({
      root: app,
      configFile: false,
      logLevel: 'error',
      resolve: { conditions: ['@regimen/source', ...defaultClientConditions] },
      build: { outDir: out, target: 'esnext', minify: false },
    })
    console.log('BUILT', Date.now())
    const assets = readdirSync(join(out, 'assets')).join(' ')
    expect(assets).toMatch(/tfjs-backend-wasm-simd-[\w-]+\.wasm/)
    expect(assets).toMatch(/ort-wasm-[\w.-]+\.wasm/)

    const profile = mkdtempSync(join(tmpdir(), 'regimen-chromium-'))
    made.push(profile)
    const { url, answer, close } = await serve(out)
    browser = spawn(chromium!, ['--headless=new', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`, url], {
      stdio: 'ignore',
    })
    expect(await answer).toEqual({
      backend: 'wasm',
      eager: [1, 4, 9],
      compiled: [2, 4, 6],
      runtime: expect.stringContaining('onnxruntime-web'),
    })
    close()
  },
  300_000,
)
