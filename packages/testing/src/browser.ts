import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const PATHS = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Path of the Chromium of this machine; undefined where there is none. */
export const chromiumPath: string | undefined = PATHS.find((path) => path !== undefined && existsSync(path))

/** Adds to a test's name why it is skipped, where there is no Chromium. */
export function inChromium(name: string): string {
  return chromiumPath ? name : `${name} (skipped: no Chromium here, set CHROMIUM_PATH)`
}

/**
 * Starts a headless Chromium that talks to nobody. With `gpu` its pages have WebGPU, on SwiftShader's software adapter, so that
 * results do not depend on the machine's card.
 */
export function launchChromium(options: { readonly gpu?: boolean } = {}): Promise<Browser> {
  const quiet = ['first-run', 'sandbox'].map((name) => `--no-${name}`)
  // For tests that compare what a page holds before and after.
  const exact = ['--enable-precise-memory-info', '--js-flags=--expose-gc']
  const off = [...(options.gpu ? [] : ['gpu']), 'background-networking', 'component-update', 'sync']
  const software = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan']
  return chromium.launch({
    executablePath: chromiumPath!,
    args: [
      '--headless=new',
      ...quiet,
      ...exact,
      ...off.map((name) => `--disable-${name}`),
      ...(options.gpu ? software : []),
    ],
    ...(options.gpu ? { ignoreDefaultArgs: ['--disable-gpu'] } : {}),
  })
}

const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

/** Serves a folder of built files to this machine only. */
export async function serveFolder(folder: string): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://localhost').pathname
    const file = join(folder, path === '/' ? 'index.html' : path)
    if (path.includes('..') || !existsSync(file)) {
      response.writeHead(404).end()
      return
    }
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream')
    response.setHeader('Cache-Control', 'max-age=3600')
    response.end(readFileSync(file))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** A report in a page, with everything that went wrong: errors, warnings, and requests to anywhere. */
export interface OpenReport {
  readonly page: Page
  readonly troubles: readonly string[]
}

/** Opens a report's file and waits until it says that it is ready. */
export async function openReport(browser: Browser, url: string, options: BrowserContextOptions): Promise<OpenReport> {
  const page = await browser.newPage(options)
  const troubles: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) troubles.push(message.text())
  })
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('request', (request) => {
    if (!/^(file|data|blob):/.test(request.url())) troubles.push(`request to ${request.url()}`)
  })
  await page.goto(url)
  await page.waitForSelector('html[data-ready]', { timeout: 25_000 })
  return { page, troubles }
}

/** How light the page's ground is, from 0 to 1. */
export function luminance(page: Page): Promise<number> {
  return page.evaluate(() => {
    const numbers = getComputedStyle(document.body).backgroundColor.match(/\d+/g) ?? []
    return numbers.slice(0, 3).reduce((sum, value) => sum + Number(value), 0) / 765
  })
}

/** Right edge of the drawing or card that reaches furthest, in pixels. */
export function rightEdge(page: Page): Promise<number> {
  return page
    .locator('.plot:visible, .card, figure')
    .evaluateAll((nodes) =>
      Math.max(...nodes.filter((node) => node.clientWidth > 0).map((node) => node.getBoundingClientRect().right)),
    )
}
