import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Files that a scaffold wrote or changed, relative to the root. */
export type Written = readonly string[]

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/

function refuseName(name: string): void {
  if (!NAME.test(name)) throw new Error(`A name is kebab-case, like slow-mean, got ${JSON.stringify(name)}.`)
}

function put(root: string, path: string, text: string): string {
  const file = join(root, path)
  if (existsSync(file)) throw new Error(`${path} exists already.`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return path
}

/** Writes the skeleton of a package on the family floor. */
export function newPackage(root: string, name: string): Written {
  refuseName(name)
  const { version } = JSON.parse(readFileSync(join(root, 'packages/core/package.json'), 'utf8')) as { version: string }
  const manifest = {
    name: `@regimen/${name}`,
    version,
    description: 'TODO: one line',
    license: 'MIT',
    type: 'module',
    sideEffects: false,
    repository: { type: 'git', url: 'git+https://github.com/regimen-js/regimen.git', directory: `packages/${name}` },
    engines: { node: '>=20.19.0' },
    files: ['dist', 'src'],
    exports: {
      '.': { '@regimen/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
    },
    scripts: { build: 'tsup && tsc -p tsconfig.build.json' },
    dependencies: { '@regimen/core': 'workspace:*' },
  }
  const build = {
    extends: '../../tsconfig.base.json',
    compilerOptions: { rootDir: 'src', outDir: 'dist', emitDeclarationOnly: true },
    include: ['src'],
  }
  const base = `packages/${name}`
  return [
    put(root, `${base}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`),
    put(root, `${base}/tsconfig.build.json`, `${JSON.stringify(build, null, 2)}\n`),
    put(
      root,
      `${base}/tsup.config.ts`,
      "import { library } from '../../scripts/tsup.ts'\n\nexport default library()\n",
    ),
    put(root, `${base}/src/index.ts`, 'export {}\n'),
    put(root, `${base}/README.md`, readme(name)),
    put(root, `.changeset/new-${name}.md`, `---\n"@regimen/${name}": minor\n---\n\nTODO: what a user can do now.\n`),
  ]
}

function readme(name: string): string {
  return `# @regimen/${name}

TODO: what it is for, in two sentences.

\`\`\`sh
npm install @regimen/${name}
\`\`\`

## What is inside

| name | what it does, and when to choose it |
| --- | --- |

## Gotchas

TODO

## Design

TODO

## References

TODO
`
}

/** Writes the skeleton of a streaming algorithm: it compiles, and its worked example is red. */
export function newAlgorithm(root: string, owner: string, name: string): Written {
  refuseName(name)
  const base = `packages/${owner}`
  if (owner === 'core') throw new Error('core holds no learners; its functions are written by hand.')
  if (!existsSync(join(root, base, 'package.json')))
    throw new Error(`There is no ${base}. Write it with: pnpm new package ${owner}`)
  const camel = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  const pascal = camel[0]!.toUpperCase() + camel.slice(1)
  return [
    put(root, `${base}/src/${name}.ts`, source(owner, name, camel, pascal)),
    put(root, `${base}/test/${name}.test.ts`, test(owner, name, camel)),
    put(
      root,
      `.changeset/${owner}-${name}.md`,
      `---\n"@regimen/${owner}": minor\n---\n\nTODO: what \`${camel}\` lets a user do.\n`,
    ),
    exportFrom(root, `${base}/src/index.ts`, name, camel, pascal),
    addRow(root, `${base}/README.md`, `| \`${camel}\` | TODO: one line, and when to choose it |`),
  ]
}

function exportFrom(root: string, path: string, name: string, camel: string, pascal: string): string {
  const file = join(root, path)
  const before = readFileSync(file, 'utf8').replace(/^export \{\}\n$/, '')
  const types = `export type { ${pascal}Options, ${pascal}State } from './${name}.ts'\n`
  writeFileSync(file, `${before}${types}export { ${camel} } from './${name}.ts'\n`)
  return path
}

function addRow(root: string, path: string, row: string): string {
  const file = join(root, path)
  const lines = readFileSync(file, 'utf8').split('\n')
  const head = lines.findIndex((line) => /^\|[\s|:-]+\|$/.test(line))
  if (head < 0) lines.push('| name | what it does, and when to choose it |', '| --- | --- |', row, '')
  else {
    let at = head + 1
    while (lines[at]?.startsWith('|')) at++
    lines.splice(at, 0, row)
  }
  writeFileSync(file, lines.join('\n'))
  return path
}

function source(owner: string, name: string, camel: string, pascal: string): string {
  return `import { check, createSnapshot, describe, isSnapshot, type LiveFactory, RegimenError, restore, schema } from '@regimen/core'

/** Configuration of {@link ${camel}}. */
export interface ${pascal}Options {
  /**
   * TODO: what it does, its unit and range.
   * @default 0.1
   */
  rate?: number
}

/** State of {@link ${camel}}. */
export type ${pascal}State = {
  /** Observations seen. */
  readonly count: number
  /** TODO: what is learned. */
  readonly value: number
}

const ID = '${owner}/${name}'
const VERSION = 1
const CONFIG = schema.object({ rate: schema.number({ min: 0, max: 1 }) })
const STATE = schema.object({ count: schema.integer({ min: 0 }), value: schema.number() })

/**
 * TODO: one paragraph that starts with a verb. Name the paper's symbols.
 *
 * **Formula.** TODO: equation (1), symbol by symbol.
 *
 * **When to use it.** TODO: and when its sibling.
 *
 * **Gotchas.** TODO: memory, warm-up, cost per update, look-ahead.
 *
 * \`\`\`ts
 * import { ${camel} } from '@regimen/${owner}'
 *
 * const live = ${camel}.open({ rate: 0.5 })
 * live.update(2)
 * live.predict(2) // => 'TODO'
 * \`\`\`
 *
 * **Reference.** TODO: authors, title, year, equation.
 */
export const ${camel}: LiveFactory<${pascal}Options, number, undefined, number> = {
  id: ID,
  version: VERSION,
  open(from) {
    const saved = isSnapshot(from) ? restore(from, { id: ID, version: VERSION, config: CONFIG, state: STATE }) : undefined
    const { rate = 0.1 } = isSnapshot(from) ? saved!.config : from
    check(rate > 0 && rate <= 1, ID, () => \`rate must be above 0 and at most 1, got \${describe(rate)}.\`, 'Pass { rate: 0.1 }.')
    let count = saved?.state.count ?? 0
    let value = saved?.state.value ?? 0
    let disposed = false
    const alive = (): void => {
      if (disposed) throw new RegimenError('it was disposed.', { code: 'DISPOSED', where: ID, hint: 'Open another.' })
    }
    return {
      update(x) {
        alive()
        check(Number.isFinite(x), ID, () => \`x must be a finite number, got \${describe(x)}.\`, 'Drop or fill it first.')
        count++
        value += 0 // TODO: equation (1).
      },
      predict() {
        alive()
        return value
      },
      snapshot() {
        alive()
        return createSnapshot({ id: ID, version: VERSION, config: { rate }, state: { count, value } })
      },
      dispose() {
        disposed = true
      },
    }
  },
}
`
}

function test(owner: string, name: string, camel: string): string {
  return `import { testCausal, testLive } from '@regimen/testing'
import { ${camel} } from '@regimen/${owner}'
import { describe, expect, it } from 'vitest'

describe('${name}', () => {
  it('agrees with an example worked by hand', () => {
    // TODO: derive two steps from the formula here.
    const live = ${camel}.open({ rate: 0.5 })
    live.update(2)
    live.update(4)
    expect(live.predict(4)).toBeCloseTo(Number.NaN, 12)
  })

  it('refuses a rate outside its range', () => {
    expect(() => ${camel}.open({ rate: 2 })).toThrow('[${owner}/${name}] rate must be above 0 and at most 1, got 2.')
  })
})

const series = [3, 1, 4, 1, 5, 9, 2, 6]
testLive('${name}', { factory: ${camel}, config: { rate: 0.5 }, stream: series.map((x) => ({ x })) })
testCausal('${name}', {
  series,
  run(prefix) {
    const live = ${camel}.open({ rate: 0.5 })
    return prefix.map((x) => {
      live.update(x)
      return live.predict(x)
    })
  },
})
`
}
