import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { api } from '../gates/api.ts'
import { orphans } from '../gates/orphans.ts'
import { format } from '../lib/gate.ts'
import { demoPackage, fixture, write } from './fixture.ts'

describe('api gate', () => {
  it('is green after an update and red when a declaration changes or an export goes', async () => {
    const context = fixture(demoPackage('demo'))
    expect((await api.run(context)).problems.map(format)).toEqual([
      'docs/api/demo.md is missing. Record it with `pnpm check api --update`.',
    ])
    await api.run({ ...context, update: true })
    expect((await api.run(context)).problems).toEqual([])
    expect(readFileSync(join(context.root, 'docs/api/demo.md'), 'utf8')).toContain(
      'export function increment(value: number): number;',
    )

    write(context.root, {
      'packages/demo/dist/increment.d.ts': 'export declare function increment(value: number, by: number): number;\n',
    })
    const [changed] = (await api.run(context)).problems
    expect(changed?.message).toContain('- export function increment(value: number): number;')
    expect(changed?.message).toContain('+ export function increment(value: number, by: number): number;')

    write(context.root, { 'packages/demo/dist/index.d.ts': 'export {};\n' })
    expect((await api.run(context)).problems).toHaveLength(1)
  })
})

describe('orphans gate', () => {
  it('passes a name with doc, example, README row and test', async () => {
    expect((await orphans.run(fixture(demoPackage('demo')))).problems).toEqual([])
  })

  it.each([
    [
      'doc',
      'src/increment.ts',
      'export function increment(value: number): number {\n  return value + 1\n}\n',
      'increment has no doc',
    ],
    [
      'example',
      'src/increment.ts',
      '/** Adds one */\nexport function increment(value: number): number {\n  return value + 1\n}\n',
      'increment has no example (a ts fence) in its doc',
    ],
    ['README row', 'README.md', '# demo\n\nincrement\n', "increment has no row in the package's README"],
    ['test', 'test/increment.test.ts', 'incrementally\n', 'increment is in no test'],
  ])('fails without the %s', async (_, path, text, message) => {
    const context = fixture(demoPackage('demo', { [path]: text }))
    expect((await orphans.run(context)).problems.map((problem) => problem.message)).toContain(message)
  })

  it('fails where a learner runs through no contract suite', async () => {
    const learner = [
      '/**',
      ' * Counts.',
      ' *',
      ' * ```ts',
      " * import { increment } from '@regimen/demo'",
      ' * ```',
      ' */',
      'export const increment: { id: string; version: number; open(from: object): object } = {',
      "  id: 'demo/increment',",
      '  version: 1,',
      '  open: (from) => from,',
      '}',
    ].join('\n')
    const context = fixture(demoPackage('demo', { 'src/increment.ts': learner }))
    expect((await orphans.run(context)).problems.map(format)).toEqual([
      'packages/demo/src/increment.ts:8 increment runs through no contract suite of @regimen/testing',
    ])
    write(context.root, {
      'packages/demo/test/increment.test.ts': "import { testLive } from '@regimen/testing'\ntestLive(increment, {})\n",
    })
    expect((await orphans.run(context)).problems).toEqual([])
  })
})
