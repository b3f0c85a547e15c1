import { describe, expect, it } from 'vitest'
import { docs } from '../gates/docs.ts'
import { findFences, tolerance, toRunnable } from '../lib/fences.ts'
import { format } from '../lib/gate.ts'
import { demoPackage, fixture } from './fixture.ts'

const FENCE = '```'

describe('fences', () => {
  it('are found in JSDoc and Markdown with the line on which their code begins', () => {
    const source = ['/**', ' * Text.', ' *', ` * ${FENCE}ts`, ' * f() // => 1', ` * ${FENCE}`, ' */', 'export {}'].join(
      '\n',
    )
    expect(findFences('a.ts', source)).toEqual([{ file: 'a.ts', line: 5, code: 'f() // => 1', noRun: false }])
    const page = [`${FENCE}sh`, 'ls', FENCE, `${FENCE}ts no-run`, 'g()', FENCE].join('\n')
    expect(findFences('a.md', page)).toEqual([{ file: 'a.md', line: 5, code: 'g()', noRun: true }])
  })

  it('become assertions on the same lines', () => {
    const { code, assertions, problems } = toRunnable('const a = 1 // => 1\na + 1 // => 2\nconsole.log(a) // ≈ 1.00\n')
    expect(code.split('\n').slice(0, 3)).toEqual([
      'const a = __expect((1), (1), "1", 0) // => 1',
      ';__expect((a + 1), (2), "2", 1) // => 2',
      'console.log(__expect((a), (__expect.near(1.00, 0.010000000010000001)), "1.00", 2)) // ≈ 1.00',
    ])
    expect([assertions, problems.length]).toEqual([3, 0])
  })

  it('are refused where nothing can be asserted', () => {
    expect(toRunnable('// => 2').problems).toHaveLength(1)
    expect(toRunnable('f() // => about two').problems[0]?.message).toBe('`about two` is not an expression')
  })

  it('compare as precisely as the digits that are written', () => {
    expect(tolerance('0.123')).toBeCloseTo(1e-3, 9)
    expect(tolerance('-1.5e-4')).toBeCloseTo(1e-5, 9)
    expect(tolerance('2000')).toBe(2)
    // All 17 digits of a double differ between machines, so they promise nine.
    expect(tolerance('1.9287498479639178e-22')).toBeCloseTo(1.9287e-31, 35)
  })
})

describe('docs gate', () => {
  it('passes where every fence holds', async () => {
    const page = `${FENCE}ts\nimport { increment } from '@regimen/demo'\n\nawait Promise.resolve(increment(1)) // ≈ 2.0\n${FENCE}\n`
    const verdict = await docs.run(fixture({ ...demoPackage('demo'), 'README.md': page }))
    expect(verdict.problems).toEqual([])
    expect(verdict.passed).toBe(2)
  })

  it('fails with file and line where a value, a type, a throw or an exit breaks a fence', async () => {
    const page = [
      `${FENCE}ts`,
      "import { increment } from '@regimen/demo'",
      'increment(1) // => 3',
      FENCE,
      `${FENCE}ts`,
      "import { increment } from '@regimen/demo'",
      "increment('1')",
      FENCE,
      `${FENCE}ts`,
      'interface Dropped {',
      '  a: number',
      '}',
      'export const value: Dropped = { a: 1 }',
      "throw new Error('boom')",
      FENCE,
      `${FENCE}ts`,
      'process.exit(3)',
      FENCE,
      `${FENCE}ts`,
      '[new Float64Array([1, 2]), { a: -0.5 }] // ≈ [[1, 2.0], { a: -0.5 }]',
      FENCE,
      `${FENCE}ts`,
      '0.4 // ≈ 0.52',
      FENCE,
      `${FENCE}ts no-run`,
      "throw new Error('never run')",
      FENCE,
    ].join('\n')
    const verdict = await docs.run(fixture({ ...demoPackage('demo'), 'docs/page.md': page }))
    expect(verdict.problems.map(format)).toEqual([
      'docs/page.md:3 expected 3, got 2',
      "docs/page.md:7 TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.",
      'docs/page.md:14 threw boom',
      'docs/page.md:17 ended the process (exit code 3)',
      'docs/page.md:23 expected 0.52, got 0.4',
    ])
    expect(verdict.passed).toBe(3)
  })
})
