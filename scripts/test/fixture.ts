import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach } from 'vitest'
import type { GateContext } from '../lib/gate.ts'

const made: string[] = []

afterEach(() => {
  for (const root of made.splice(0)) rmSync(root, { recursive: true, force: true })
})

/** Writes the files into a new temporary folder (removed after the test) and returns a gate's context for it. */
export function fixture(files: { readonly [path: string]: string }): GateContext {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'regimen gate ')))
  made.push(root)
  write(root, files)
  return { root, update: false, full: false }
}

/** Writes more files into a fixture. */
export function write(root: string, files: { readonly [path: string]: string }): void {
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
}

/** A tiny public package `@regimen/NAME` as it looks after a build. */
export function demoPackage(name: string, files: { readonly [path: string]: string } = {}): { [path: string]: string } {
  const manifest = {
    name: `@regimen/${name}`,
    version: '0.1.0',
    license: 'MIT',
    type: 'module',
    sideEffects: false,
    files: ['dist', 'src'],
    exports: {
      '.': { '@regimen/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
    },
  }
  const source = [
    '/**',
    ' * Adds one.',
    ' *',
    ' * ```ts',
    ` * import { increment } from '@regimen/${name}'`,
    ' *',
    ' * increment(1) // => 2',
    ' * ```',
    ' */',
    'export function increment(value: number): number {',
    '  return value + 1',
    '}',
    '',
  ].join('\n')
  const all: { [path: string]: string } = {
    'package.json': JSON.stringify(manifest, null, 2),
    'README.md': `# @regimen/${name}\n\n| name | what |\n| --- | --- |\n| \`increment\` | adds one |\n`,
    'src/increment.ts': source,
    'src/index.ts': "export { increment } from './increment.ts'\n",
    'dist/index.js': 'export function increment(value) {\n  return value + 1\n}\n',
    'dist/increment.d.ts': 'export declare function increment(value: number): number;\n',
    'dist/index.d.ts': "export { increment } from './increment.js';\n",
    'test/increment.test.ts': `import { increment } from '@regimen/${name}'\n`,
    ...files,
  }
  return Object.fromEntries(Object.entries(all).map(([path, text]) => [`packages/${name}/${path}`, text]))
}
