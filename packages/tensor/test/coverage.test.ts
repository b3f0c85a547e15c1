import { expect, test } from 'vitest'
import { coveragePage } from './support/coverage.ts'

test('docs/compile-coverage.md says for every kernel of the CPU backend how it compiles, or why not', async () => {
  const page = await coveragePage()
  expect(page).not.toContain('UNEXPLAINED')
  await expect(page).toMatchFileSnapshot('../../../docs/compile-coverage.md')
})
