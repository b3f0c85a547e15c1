import { describe, expect, it } from 'vitest'
import { floorRefuses, lint } from '../gates/lint.ts'
import { format } from '../lib/gate.ts'
import { demoPackage, fixture, write } from './fixture.ts'

// Written in pieces, so that the gate does not find it in this file.
const HOME = ['', 'home', 'someone', 'x.csv'].join('/')

describe('lint gate', () => {
  it('passes what keeps the rules', async () => {
    const context = fixture({
      ...demoPackage('core', {
        'src/clock.ts': 'export const now = (): number => Date.now()\n',
        'src/pool.node.ts': "import { Worker } from 'node:worker_threads'\nexport { Worker }\n",
        'src/when.ts': 'export const when = (ms: number): Date => new Date(ms)\n',
      }),
    })
    expect((await lint.run(context)).problems).toEqual([])
  })

  it('finds ambient time and randomness, node: imports, top-level await and machine paths', async () => {
    const context = fixture({
      ...demoPackage('meta', {
        'src/bad.ts': [
          "import { readFileSync } from 'fs'",
          'export const a = Math.random() + Date.now() + performance.now()',
          'export const b = new Date()',
          'await Promise.resolve(readFileSync)',
        ].join('\n'),
      }),
      'README.md': `Data lie in ${HOME}.\n`,
    })
    expect((await lint.run(context)).problems.map(format)).toEqual([
      'packages/meta/src/bad.ts:1 fs does not exist in a browser. Put it into a *.node.ts file behind a conditional export.',
      "packages/meta/src/bad.ts:2 Math.random is ambient. Take a seed and use core's Rng.",
      'packages/meta/src/bad.ts:2 Date.now is ambient. Take a Clock.',
      'packages/meta/src/bad.ts:2 performance.now is ambient. Take a Clock.',
      'packages/meta/src/bad.ts:3 new Date() is ambient. Take a Clock.',
      'packages/meta/src/bad.ts:4 top-level await keeps require() from loading the package.',
      `README.md:1 names a path of a machine: ${HOME.slice(0, 13)}`,
    ])
  })

  it('finds imports against the floors, deep imports and undeclared dependencies', async () => {
    const context = fixture({
      ...demoPackage('core', {
        'src/up.ts': "export { increment } from '@regimen/meta'\n",
        'src/deep.ts': "export type { X } from '../../meta/src/x.ts'\n",
      }),
      ...demoPackage('meta'),
    })
    write(context.root, { 'examples/a/src/main.ts': "import '@regimen/meta/src/increment.ts'\n" })
    expect((await lint.run(context)).problems.map(format)).toEqual([
      'packages/core/src/deep.ts:1 ../../meta/src/x.ts leaves the package. Import a published name.',
      'packages/core/src/up.ts:1 @regimen/meta is not among the dependencies of @regimen/core.',
      'packages/core/src/up.ts:1 core (floor 0) may not import meta (floor 2).',
      'examples/a/src/main.ts:1 @regimen/meta/src/increment.ts reaches into a package. Import a published name.',
    ])
  })

  it('knows the house', () => {
    const refused = [
      ['core', 'market'],
      ['meta', 'continual'],
      ['store', 'regimes'],
      ['pipeline', 'regimes'],
      ['evolve', 'tensor'],
      ['core', 'testing'],
    ] as const
    for (const [from, to] of refused) expect([from, to, floorRefuses(from, to)]).not.toContain(undefined)
    const allowed = [
      ['market', 'core'],
      ['meta', 'tensor'],
      ['pipeline', 'store'],
      ['cli', 'meta'],
      ['regimes', 'report'],
    ] as const
    for (const [from, to] of allowed) expect(floorRefuses(from, to)).toBeUndefined()
  })
})
