import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'

/** What the page must say once it is ready; run by the gate `examples` in headless Chromium. */
export default async function check(page: Page): Promise<void> {
  const text = async (selector: string): Promise<string> => (await page.locator(selector).textContent()) ?? ''
  assert.match(await text('#milliseconds'), /^\d+\.\d ms$/)
  assert.match(await text('#ran-on'), /3 steps on 32 bars, WebAssembly/)
  assert.match(await text('#regime'), /^(calm|lively|wild)$/)
  // An adaptation that does not lower the loss on its own bars is none.
  const [before, after] = (await text('#losses')).split(' → ').map(Number)
  assert(after! < before!, `the loss went from ${before} to ${after}`)
  // The stream goes on, and forecasts are judged.
  await page.waitForFunction(() =>
    /^-?\d+\.\d\d vs -?\d+\.\d\d$/.test(document.getElementById('score')!.textContent ?? ''),
  )
  const webgpu = page.locator('input[value=gpu]')
  if (await webgpu.isEnabled()) {
    await webgpu.check()
    await page.waitForFunction(() => document.getElementById('ran-on')!.textContent?.includes('WebGPU'))
    const cells = await page.locator('#adaptations tr', { hasText: 'WebGPU' }).first().locator('td').allTextContents()
    assert(Number(cells[5]) < Number(cells[4]), `on the card the loss went from ${cells[4]} to ${cells[5]}`)
  }
  console.log(`${await text('#regime')}: adapted in ${await text('#milliseconds')} (${await text('#ran-on')})`)
}
