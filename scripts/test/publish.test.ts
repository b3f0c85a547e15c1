import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { chromiumPath, inChromium } from '@regimen/testing/browser'
import { describe, expect, it } from 'vitest'
import { attw } from '../gates/attw.ts'
import { verifyApp } from '../gates/consumer.ts'
import { runExamples } from '../gates/examples.ts'
import { knip } from '../gates/knip.ts'
import { publint } from '../gates/publint.ts'
import { shake } from '../gates/shake.ts'
import { size } from '../gates/size.ts'
import { types } from '../gates/types.ts'
import type { GateContext } from '../lib/gate.ts'
import { format } from '../lib/gate.ts'
import { publicPackages } from '../lib/workspace.ts'
import { demoPackage, fixture, write } from './fixture.ts'

const messages = (verdict: { problems: readonly { message: string }[] }): string =>
  verdict.problems.map(format).join('\n')

describe('publint and attw gates', () => {
  it('pass a package that is whole and fail one whose code or types are missing', async () => {
    const whole = fixture(demoPackage('demo'))
    expect(messages(await publint.run(whole))).toBe('')
    expect(messages(await attw.run(whole))).toBe('')

    const broken = fixture(demoPackage('demo'))
    rmSync(join(broken.root, 'packages/demo/dist'), { recursive: true })
    expect(messages(await publint.run(broken))).toContain('does not exist')
    expect(messages(await attw.run(broken))).not.toBe('')
  })
})

describe('size gate', () => {
  it('fails over the budget and without one', async () => {
    const context = fixture(demoPackage('demo'))
    write(context.root, { 'scripts/budgets.json': '{}' })
    expect(messages(await size.run(context))).toMatch(/@regimen\/demo \(\d+ bytes\) has no budget/)
    await size.run({ ...context, update: true })
    expect(messages(await size.run(context))).toBe('')
    // Pseudo-random hexadecimal digits do not compress to less than half.
    let noise = ''
    for (let i = 1; noise.length < 4000; i++) noise += ((i * 2654435761) % 4294967296).toString(16)
    write(context.root, { 'packages/demo/dist/index.js': `export const increment = () => '${noise}'\n` })
    expect(messages(await size.run(context))).toMatch(/@regimen\/demo is \d+ bytes, its budget \d+/)
  })
})

describe('shake gate', () => {
  const files = {
    'src/double.ts': 'export const double = (value: number): number => 2 * value\n',
    'src/index.ts': "export { double } from './double.ts'\nexport { increment } from './increment.ts'\n",
  }
  const shaken =
    'export const double = (value) => 2 * value\nexport function increment(value) {\n  return value + 1\n}\n'

  it('passes where the other algorithm drops out and fails where it is held', async () => {
    const context = fixture(demoPackage('demo', { ...files, 'dist/index.js': shaken }))
    expect(await shake.run(context)).toEqual({ passed: 1, problems: [] })
    write(context.root, { 'packages/demo/dist/index.js': `${shaken}globalThis.registry = [increment]\n` })
    expect(messages(await shake.run(context))).toContain(
      'a bundle of { double } from @regimen/demo still holds increment',
    )
  })
})

describe('types gate', () => {
  it('fails with file and line', async () => {
    const context = fixture({
      'tsconfig.json': '{ "compilerOptions": { "strict": true, "types": [] }, "include": ["packages"] }',
      'packages/demo/src/bad.ts': "export const a = 1\nexport const b: number = 'two'\n",
    })
    expect(messages(await types.run(context))).toMatch(/^packages\/demo\/src\/bad\.ts:2 TS2322/)
  })
})

describe('knip gate', () => {
  it('fails on a file and a dependency that nobody uses', async () => {
    const context = fixture({
      'package.json':
        '{ "name": "x", "type": "module", "main": "src/index.js", "dependencies": { "left-pad": "1.0.0" } }',
      'src/index.js': 'export const a = 1\n',
      'src/orphan.js': 'export const b = 1\n',
    })
    const found = messages(await knip.run(context))
    expect(found).toContain('orphan.js')
    expect(found).toContain('left-pad')
  })
})

describe('examples gate, pages', () => {
  const page = (says: string, script = ''): GateContext =>
    fixture({
      'examples/demo/package.json': '{ "name": "demo", "type": "module" }',
      'examples/demo/index.html': '',
      'examples/demo/dist/index.html': `<html lang="en" data-ready><link rel="icon" href="data:," /><p>${says}</p>${script}</html>`,
      'examples/demo/check.ts': `import assert from 'node:assert/strict'
export default async (page: { textContent(selector: string): Promise<string> }) =>
  assert.equal(await page.textContent('p'), 'ready')`,
    })

  it.skipIf(!chromiumPath)(inChromium('opens the built page and runs its check'), async () => {
    expect(await runExamples(page('ready'), 10)).toEqual({ passed: 1, problems: [] })
    expect(messages(await runExamples(page('broken'), 10))).toContain('Expected values to be strictly equal')
    const failing = page(
      'ready',
      "<script>fetch('https://example.invalid/').catch(() => {}); throw new Error('lost')</script>",
    )
    const said = messages(await runExamples(failing, 10))
    expect(said).toContain('request to https://example.invalid')
    expect(said).toContain('lost')
  })

  it('wants it built', async () => {
    const context = fixture({ 'examples/demo/package.json': '{ "name": "demo" }', 'examples/demo/index.html': '' })
    const { problems, note } = await runExamples(context, 10)
    if (chromiumPath) expect(problems[0]!.message).toContain('npm run build')
    else expect(note).toContain('no Chromium here')
  })
})

describe('examples gate', () => {
  const example = (code: string): GateContext =>
    fixture({ 'examples/demo/package.json': '{ "name": "demo", "type": "module" }', 'examples/demo/src/main.ts': code })
  const good = "import assert from 'node:assert/strict'\nassert.equal(1, 1)\nconsole.log('one')\n"

  it('passes an example that prints and asserts', async () => {
    expect(await runExamples(example(good), 10)).toEqual({ passed: 1, problems: [] })
  })

  it.each([
    ['throws', "throw new Error('boom')", 'boom'],
    ['asserts nothing', "console.log('one')", 'asserts nothing'],
    ['prints nothing', "import assert from 'node:assert/strict'\nassert(true)", 'prints nothing'],
  ])('fails one that %s', async (_, code, message) => {
    expect(messages(await runExamples(example(code), 10))).toContain(message)
  })

  it('fails one that takes longer than its limit', async () => {
    expect(messages(await runExamples(example(good), 0.001))).toMatch(/took|exit code/)
  })
})

describe('consumer gate', () => {
  const app = async (files: { [path: string]: string }): Promise<string> => {
    const context = fixture({
      ...demoPackage('core', files),
      'app/package.json': '{ "name": "app", "type": "module" }',
    })
    const folder = join(context.root, 'app')
    const packages = publicPackages(context.root)
    cpSync(join(context.root, 'packages/core'), join(folder, 'node_modules/@regimen/core'), { recursive: true })
    return messages(await verifyApp(folder, packages))
  }

  it('passes a package that loads everywhere', async () => {
    expect(await app({})).toBe('')
  })

  it('fails where require, the types or the browser cannot have it', async () => {
    const found = await app({
      'dist/index.js':
        "import { hostname } from 'node:os'\nawait Promise.resolve()\nexport const increment = () => hostname()\n",
      'dist/index.d.ts': "export { increment } from './missing.js';\n",
    })
    expect(found).toContain('require.cjs @regimen/core does not load')
    expect(found).toMatch(/@regimen\/core\/dist\/index\.d\.ts:1 TS2307/)
    expect(found).toMatch(/imports node:os in a browser|vite build/)
  })

  it('fails where an import is missing', async () => {
    expect(await app({ 'dist/index.js': "export { a } from './missing.js'\n" })).toContain(
      'esm.mjs @regimen/core does not load',
    )
  })
})
