import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { api } from '../gates/api.ts'
import { docs } from '../gates/docs.ts'
import { lint } from '../gates/lint.ts'
import { orphans } from '../gates/orphans.ts'
import { types } from '../gates/types.ts'
import { unit } from '../gates/unit.ts'
import { format, type GateContext } from '../lib/gate.ts'
import { newAlgorithm, newPackage } from '../lib/scaffold.ts'
import { ROOT, walk } from '../lib/workspace.ts'
import { fixture } from './fixture.ts'

/** A workspace of two real packages, linked, beside what the scaffolds write. */
function workspace(): GateContext {
  const vitest = `export default {
  ssr: { resolve: { conditions: ['@regimen/source', 'node', 'import', 'default'] } },
  resolve: { conditions: ['@regimen/source', 'node', 'import', 'default'] },
  test: { projects: [{ extends: true, test: { name: 'demo', root: 'packages/demo', include: ['test/*.test.ts'] } }] },
}
`
  const context = fixture({
    'vitest.config.mjs': vitest,
    'tsconfig.base.json': readFileSync(join(ROOT, 'tsconfig.base.json'), 'utf8'),
    'tsconfig.json': JSON.stringify({
      extends: './tsconfig.base.json',
      compilerOptions: {
        noEmit: true,
        customConditions: ['@regimen/source'],
        isolatedDeclarations: false,
        declaration: false,
      },
      include: ['packages/demo/src', 'packages/demo/test'],
    }),
  })
  mkdirSync(join(context.root, 'packages'))
  for (const name of ['core', 'testing']) link(join(ROOT, 'packages', name), join(context.root, 'packages', name))
  link(join(ROOT, 'node_modules'), join(context.root, 'node_modules'))
  link(join(ROOT, 'packages', 'core'), join(context.root, 'packages/demo/node_modules/@regimen/core'))
  return { ...context, package: 'demo' }
}

function link(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  symlinkSync(from, to, 'junction')
}

/** What the package's build does. */
async function buildDemo(root: string): Promise<void> {
  const dir = join(root, 'packages/demo')
  const entryPoints = [join(dir, 'src/index.ts')]
  await build({ entryPoints, bundle: true, format: 'esm', packages: 'external', outfile: join(dir, 'dist/index.js') })
  for (const file of walk(join(dir, 'src'), (path) => path.endsWith('.ts'))) {
    const { outputText } = ts.transpileDeclaration(readFileSync(file, 'utf8'), {
      fileName: file,
      compilerOptions: { isolatedDeclarations: true, declaration: true, verbatimModuleSyntax: true },
    })
    writeFileSync(join(dir, 'dist', file.slice(join(dir, 'src').length).replace(/\.ts$/, '.d.ts')), outputText)
  }
}

function edit(root: string, path: string, replace: (text: string) => string): void {
  writeFileSync(join(root, path), replace(readFileSync(join(root, path), 'utf8')))
}

describe('scaffolds', () => {
  it('refuse what cannot be a name, and never overwrite', () => {
    const { root } = workspace()
    expect(() => newPackage(root, 'SlowMean')).toThrow('kebab-case')
    expect(() => newAlgorithm(root, 'nowhere', 'slow-mean')).toThrow('pnpm new package nowhere')
    expect(() => newPackage(root, 'core')).toThrow('exists already')
  })

  it('are red as written and green when filled in', async () => {
    const context = workspace()
    const { root } = context
    const written = [...newPackage(root, 'demo'), ...newAlgorithm(root, 'demo', 'slow-mean')]
    for (const path of written) expect(existsSync(join(root, path))).toBe(true)
    await buildDemo(root)

    const red = await unit.run(context)
    expect(red.problems.map(format).join()).toContain('slow-mean agrees with an example worked by hand')
    expect((await lint.run(context)).problems.map(format).join()).toMatch(/slow-mean\.ts:\d+ TODO stays in nothing/)
    expect((await docs.run(context)).problems.map(format).join()).toContain("expected 'TODO', got 0")
    expect((await api.run(context)).problems).toHaveLength(1)

    edit(root, 'packages/demo/src/slow-mean.ts', (text) =>
      text
        .replace('value += 0 // TODO: equation (1).', 'value += rate * (x - value)')
        .replace("// => 'TODO'", '// => 1')
        .replace(
          "TODO: one paragraph that starts with a verb. Name the paper's symbols.",
          'Follows the level of a series.',
        )
        .replace('TODO: equation (1), symbol by symbol.', 'mₜ = mₜ₋₁ + α (xₜ − mₜ₋₁), α the rate.')
        .replace(/TODO:? ?/g, 'As the text says: '),
    )
    edit(root, 'packages/demo/test/slow-mean.test.ts', (text) =>
      text
        .replace(
          'TODO: derive two steps from the formula here.',
          'm₁ = 0 + (2 − 0) / 2 = 1, m₂ = 1 + (4 − 1) / 2 = 2.5',
        )
        .replace('Number.NaN', '2.5'),
    )
    await buildDemo(root)
    await api.run({ ...context, update: true })
    for (const gate of [lint, types, orphans, api, docs, unit]) {
      const verdict = await gate.run(context)
      expect([gate.name, ...verdict.problems.map(format)]).toEqual([gate.name])
      expect([gate.name, verdict.passed > 0]).toEqual([gate.name, true])
    }
  })
})
