import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { launchChromium, serveFolder } from '@regimen/testing/browser'
import type { Page } from 'playwright-core'
import type { Problem } from './gate.ts'
import { type Package, shown } from './workspace.ts'

/**
 * Opens an example that is a page, as `npm run build` left it in `dist`, waits until it says that it is ready
 * (`<html data-ready>`), and runs its `check.ts`, which asserts what the page shows. Errors on the console and requests to
 * anywhere else are problems.
 */
export async function openExamplePage(root: string, item: Package, limit: number): Promise<Problem[]> {
  const dist = join(item.dir, 'dist')
  const script = join(item.dir, 'check.ts')
  const [file, checkFile] = [shown(root, join(item.dir, 'index.html')), shown(root, script)]
  if (!existsSync(join(dist, 'index.html'))) return [{ file, message: 'is not built: npm run build' }]
  if (!existsSync(script)) return [{ file: checkFile, message: 'is missing' }]
  if (!/from 'node:assert/.test(readFileSync(script, 'utf8')))
    return [{ file: checkFile, message: 'asserts nothing (node:assert)' }]
  const { default: check } = (await import(pathToFileURL(script).href)) as { default: (page: Page) => Promise<void> }
  const server = await serveFolder(dist)
  const browser = await launchChromium({ gpu: true })
  const troubles: string[] = []
  try {
    const page = await browser.newPage()
    page.on('pageerror', (error) => troubles.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') troubles.push(message.text())
    })
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith(server.url) && !/^(blob|data):/.test(url)) troubles.push(`request to ${url}`)
    })
    const begin = performance.now()
    await page.goto(server.url)
    await page.waitForSelector('html[data-ready]', { timeout: limit * 3000 })
    const seconds = (performance.now() - begin) / 1000
    if (seconds > limit) troubles.push(`was ready after ${seconds.toFixed(1)} s, the limit is ${limit} s`)
    await check(page)
  } catch (error) {
    troubles.push(error instanceof Error ? error.message : String(error))
  } finally {
    await browser.close()
    server.close()
  }
  return troubles.length === 0 ? [] : [{ file, message: troubles.join('\n') }]
}
