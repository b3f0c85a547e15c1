import type { SuiteReport } from '@regimen/testing/browser-suite'
import { expect, test } from 'vitest'
import { judge } from '../gates/browser.ts'

const report = (file: string, tests: SuiteReport['tests'], error?: string): SuiteReport => ({
  file,
  tests,
  device: '',
  on: '',
  seconds: 0,
  ...(error === undefined ? {} : { error }),
})
const known = 'auto passes over what is not installed and says so'
const backends = 'packages/tensor/test/backends.test.ts'

test('a failure in a page is a failure of the gate, and so is a file that does not load or runs nothing', () => {
  const verdict = judge(
    [],
    [
      report('a', [
        { name: 'holds', state: 'pass' },
        { name: 'broke', state: 'fail', message: '1 is not 2' },
        { name: 'waits', state: 'skip' },
      ]),
      report('b', [], 'no such export'),
      report('c', []),
    ],
  )
  expect(verdict.passed).toBe(1)
  expect(verdict.problems.map(({ file }) => file)).toEqual(['a', 'b', 'c'])
  expect(verdict.problems[0]!.message).toBe('broke: 1 is not 2')
})

test('what is known to fail is counted and named, and must leave the list when it passes', () => {
  const failing = judge([], [report(backends, [{ name: known, state: 'fail', message: 'other order' }])])
  expect([failing.passed, failing.problems]).toEqual([0, []])
  expect(failing.note).toContain('1 known to fail')
  const mended = judge([], [report(backends, [{ name: known, state: 'pass' }])])
  expect(mended.problems[0]!.message).toContain('is listed as failing')
})
