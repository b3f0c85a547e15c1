import { describe, expect, it } from 'vitest'
import { unit } from '../gates/unit.ts'
import { format } from '../lib/gate.ts'
import { fixture } from './fixture.ts'

describe('unit gate', () => {
  it('names the failing test, its file, and a file that does not load', async () => {
    const context = fixture({
      'vitest.config.mjs': 'export default { test: { globals: true } }\n',
      'good.test.js': "it('adds', () => expect(1 + 1).toBe(2))\n",
      'bad.test.js': "it('adds wrongly', () => expect(1 + 1).toBe(3))\n",
      'broken.test.js': "throw new Error('does not load')\n",
    })
    const verdict = await unit.run(context)
    expect(verdict.passed).toBe(1)
    const found = verdict.problems.map(format).sort()
    expect(found).toHaveLength(2)
    expect(found[0]).toContain('bad.test.js adds wrongly: AssertionError: expected 2 to be 3')
    expect(found[1]).toContain('broken.test.js')
  })
})
