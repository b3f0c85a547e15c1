import '@tensorflow/tfjs'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createRng } from '@regimen/core'
import { openStore } from '@regimen/store'
import { chromiumPath, inChromium, launchChromium, luminance, openReport, rightEdge } from '@regimen/testing/browser'
import { beforeAll, describe, expect, test } from 'vitest'
import { main } from '../src/main.ts'
import { command, folder } from './support.ts'

const SMALL = [
  ...['run', '--years', '3.6', '--train', '0.5', '--retrain', '200', '--trials', '2', '--meta-epochs', '4'],
  ...['--seed', '3', '--no-baselines', '--support', '16'],
]

describe('a small run', () => {
  const out = join(folder(), 'run')
  let printed = ''
  const same = (other: string, what = ''): void => {
    for (const file of ['result.json', 'checkpoint.bin']) {
      expect(readFileSync(join(other, file)).equals(readFileSync(join(out, file))), `${file} ${what}`).toBe(true)
    }
  }
  beforeAll(async () => {
    const { code, out: text, err } = await command(...SMALL, '--out', out)
    expect([code, err.includes('error')]).toEqual([0, false])
    printed = text
  }, 120_000)

  test('ends with a table and the path of its report', () => {
    expect(printed).toMatch(/\nadaptive +-?\d/)
    expect(printed).toContain('report.html')
    const lines = printed.split('\n').filter((line) => !line.includes('report.html'))
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  test('the report is one file that loads nothing', () => {
    const html = readFileSync(join(out, 'report.html'), 'utf8')
    for (const title of ['Outcome', 'Market and regimes', 'Learning', 'Versions', 'Calibration', 'Decisions']) {
      expect(html).toContain(title)
    }
    // The page forbids itself to load anything.
    expect(html.includes(`content="default-src 'none'`)).toBe(true)
  })

  test.runIf(chromiumPath)(
    inChromium('the report is drawn in light, in dark and on a phone, without an error'),
    async () => {
      const browser = await launchChromium()
      const url = pathToFileURL(join(out, 'report.html')).href
      const shots = process.env.REGIMEN_SHOTS
      try {
        for (const [name, options, width] of [
          ['light', { colorScheme: 'light' }, 1280],
          ['dark', { colorScheme: 'dark' }, 1280],
          ['phone', { isMobile: true, hasTouch: true }, 390],
        ] as const) {
          const { page, troubles } = await openReport(browser, url, { ...options, viewport: { width, height: 900 } })
          expect(await luminance(page), name).toBeCloseTo(name === 'dark' ? 0 : 1, 0)
          expect(await page.evaluate(() => document.documentElement.scrollWidth), name).toBe(width)
          expect(await rightEdge(page), name).toBeLessThanOrEqual(width)
          // Scrolled through, every drawing is drawn.
          const plots = page.locator('.plot:visible')
          for (let i = 0; i < (await plots.count()); i++) {
            await plots.nth(i).scrollIntoViewIfNeeded()
            await plots.nth(i).locator('.main-svg').first().waitFor()
          }
          expect(await plots.count(), name).toBeGreaterThanOrEqual(6)
          if (shots) await page.screenshot({ path: join(shots, `report-${name}.png`), fullPage: true })
          expect(troubles, name).toEqual([])
          await page.close()
        }
      } finally {
        await browser.close()
      }
    },
    60_000,
  )

  test('every training is a version of the store, and the log is whole', async () => {
    const store = await openStore(join(out, 'store'), { readOnly: true })
    const model = store.model('adaptive')
    // Half of the bars are traded, with a training after each 200 of them; the first model came before.
    const { traded } = JSON.parse(readFileSync(join(out, 'result.json'), 'utf8')) as { traded: number }
    expect(model.latest).toBe(1 + Math.floor(traded / 200))
    expect(model.aliases.champion).toBeGreaterThanOrEqual(1)
    expect((await store.verify()).valid).toBe(true)
    const [newest] = await model.list({ limit: 1 })
    expect(Object.keys(newest!.metrics.validation!).sort()).toEqual(['advantage', 'logScore', 'pValue'])
    await store.close()
  })

  test('the store can be looked at by the command', async () => {
    const store = join(out, 'store')
    expect((await command('store', 'list', store)).out).toMatch(/champion/)
    const show = await command('store', 'show', store, 'adaptive', '2')
    expect(JSON.parse(show.out)).toMatchObject({ version: 2, tags: { run: 'run' } })
    expect((await command('store', 'verify', store)).code).toBe(0)
    expect((await command('store', 'show', store, 'adaptive', '99')).err).toContain('adaptive has no version 99')
    expect((await command('store', 'gc', store, '--dry-run')).out).toContain('would remove 0 blobs')
  })

  test('again, it finds itself finished and gives the same result', async () => {
    const before = readFileSync(join(out, 'result.json'))
    expect((await command('report', out)).code).toBe(0)
    expect(readFileSync(join(out, 'result.json'))).toEqual(before)
  })

  test('with JSON, one value', async () => {
    const { out: text } = await command(...SMALL, '--out', out, '--json')
    const result = JSON.parse(text) as { arms: { name: string }[] }
    expect(result.arms.map(({ name }) => name)).toEqual(['adaptive', 'buy and hold', 'true regime'])
  })

  test('interrupted by Ctrl-C it exits with 130 and continues to the same bytes', async () => {
    const other = join(folder(), 'run')
    const abort = new AbortController()
    let err = ''
    const code = await main([...SMALL, '--out', other], {
      out: { write: () => {} },
      err: {
        write(text) {
          err += text
          if (text.includes('50 %')) abort.abort()
        },
      },
      signal: abort.signal,
    })
    expect([code, err.includes('the same command continues')]).toEqual([130, true])
    expect(existsSync(join(other, 'result.json'))).toBe(false)
    await command(...SMALL, '--out', other)
    same(other)
  }, 120_000)

  const kills = process.env.REGIMEN_FULL === '1' ? 20 : 1
  test(
    'killed at random moments it ends in the same bytes',
    async () => {
      const rng = createRng('kill')
      const bin = join(import.meta.dirname, '..', 'src', 'bin.ts')
      const loader = import.meta.resolve('tsx')
      for (let kill = 0; kill < kills; kill++) {
        const other = join(folder(), 'run')
        const args = ['-C', '@regimen/source', '--import', loader, bin, ...SMALL, '--out', other]
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
        const ended = new Promise((resolve) => child.on('close', resolve))
        // Somewhere after the quarter that it tells about: in the middle of a bar, a training, a checkpoint or a publication.
        const quarter = `${25 * rng.int(1, 4)} %`
        const delay = rng.uniform(0, 400)
        child.stderr.on('data', (text: Buffer) => {
          if (text.toString().includes(quarter)) setTimeout(() => child.kill('SIGKILL'), delay)
        })
        await ended
        await command(...SMALL, '--out', other)
        same(other, `after kill ${kill}`)
      }
    },
    kills * 120_000,
  )
})
