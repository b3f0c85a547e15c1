import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  chromiumPath,
  inChromium,
  launchChromium,
  luminance,
  type OpenReport,
  openReport,
  rightEdge,
} from '@regimen/testing/browser'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { renderReport } from '../src/index.ts'
import { demoReport } from './demo.ts'

describe.skipIf(!chromiumPath)(inChromium('in headless Chromium'), () => {
  const folder = mkdtempSync(join(tmpdir(), 'regimen-report-'))
  const file = pathToFileURL(join(folder, 'report.html')).href
  let browser: Browser

  beforeAll(async () => {
    writeFileSync(join(folder, 'report.html'), await renderReport(demoReport(400)))
    browser = await launchChromium()
  }, 60_000)

  afterAll(async () => {
    await browser?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const open = (options: BrowserContextOptions): Promise<OpenReport> => openReport(browser, file, options)

  test('draws every chart in view offline, hovers, searches, sorts and opens tabs without an error', async () => {
    const { page, troubles } = await open({ viewport: { width: 1280, height: 900 }, offline: true })
    const visible = await page.locator('.plot:visible').count()
    expect(visible).toBe(7)
    expect(await page.locator('.plot:visible .main-svg').count()).toBeGreaterThanOrEqual(visible)
    expect(await page.locator('.plot').first().locator('.scatterlayer .trace').count()).toBeGreaterThan(8)

    const plot = page.locator('.plot').first()
    await plot.hover({ position: { x: 500, y: 500 } })
    await expect.poll(() => plot.locator('.hoverlayer').textContent()).toMatch(/open.*close.*vol.*adaptive/)

    await page.getByRole('tab', { name: 'Store' }).click()
    await page.waitForSelector('#tabs-1-panel-1 .plot[data-drawn] .main-svg')
    expect(await page.locator('#tabs-1-panel-0').isVisible()).toBe(false)

    const log = page.locator('#table-2')
    expect(await log.locator('tbody tr').count()).toBe(25)
    await log.getByRole('searchbox').fill('rollback v2')
    const rows = await log.locator('tbody tr').allInnerTexts()
    expect(rows.length).toBeGreaterThan(5)
    expect(rows.every((row) => row.includes('rollback') && row.includes('v2'))).toBe(true)
    await log.getByRole('button', { name: 'Gain' }).click()
    const gains = (await log.locator('tbody tr td:nth-child(4)').allInnerTexts()).map(Number)
    expect(gains).toEqual([...gains].sort((a, b) => b - a))

    const legend = page.locator('.legend').first().getByRole('button', { name: 'static' })
    await legend.click()
    expect(await legend.getAttribute('aria-pressed')).toBe('false')
    expect(await page.locator('.modebar-btn[data-title*="loud"]').count()).toBe(0)
    expect(troubles).toEqual([])
    await page.close()
  })

  test('follows the system theme and the button', async () => {
    const { page, troubles } = await open({ colorScheme: 'dark', viewport: { width: 1000, height: 800 } })
    expect(await luminance(page)).toBeLessThan(0.2)
    const ink = (): Promise<string> =>
      page
        .locator('.plot')
        .first()
        .locator('.xtick text')
        .first()
        .evaluate((node) => getComputedStyle(node).fill)
    const before = await ink()
    await page.getByRole('button', { name: 'Switch between light and dark' }).click()
    expect(await luminance(page)).toBeGreaterThan(0.9)
    await expect.poll(ink).not.toBe(before)
    expect(troubles).toEqual([])
    await page.close()
  })

  test('fits a phone 375 pixels wide and keeps every chart inside', async () => {
    const { page, troubles } = await open({ viewport: { width: 375, height: 800 }, isMobile: true, hasTouch: true })
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(375)
    expect(await rightEdge(page)).toBeLessThanOrEqual(375)
    expect(troubles).toEqual([])
    await page.close()
  })

  test('prints light, with every tab open and drawn', async () => {
    const { page, troubles } = await open({ colorScheme: 'dark', viewport: { width: 1000, height: 800 } })
    expect((await page.pdf()).byteLength).toBeGreaterThan(50_000)
    expect(await page.locator('.plot:not([data-drawn])').count()).toBe(0)
    expect(await luminance(page)).toBeLessThan(0.2)
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')))
    expect(await luminance(page)).toBeGreaterThan(0.9)
    expect(await page.locator('.plot:visible').count()).toBe(await page.locator('.plot').count())
    expect(troubles).toEqual([])
    await page.close()
  })

  test('is readable without scripts: tables instead of drawings', async () => {
    const page = await browser.newPage({ javaScriptEnabled: false })
    await page.goto(file)
    expect(await page.locator('noscript').count()).toBe(1)
    expect(await page.locator('.plot').first().isVisible()).toBe(false)
    expect(await page.locator('#table-1 tbody tr').count()).toBe(4)
    expect(await page.locator('table.heat td[class]').count()).toBeGreaterThan(30)
    await page.close()
  })
})
