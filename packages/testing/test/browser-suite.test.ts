import { expect, test } from 'vitest'
import { suiteFiles } from '../src/browser-suite.ts'

const left = (name: string, file: string): string | undefined => {
  const found = suiteFiles(name).find((item) => item.file === `packages/${name}/test/${file}`)
  if (!found) throw new Error(`${file} was not found`)
  return found.left
}

test('files that need Node are left out, each with the reason, also where a helper needs it', () => {
  expect(left('core', 'sqlite.test.ts')).toBe('imports node:fs')
  expect(left('regimes', 'hmm.test.ts')).toBe('packages/regimes/test/reference.ts imports node:fs')
  expect(left('market', 'kernel.test.ts')).toContain('replaces modules')
  expect(left('core', 'workers.test.ts')).toContain('worker of Node')
})

test('the others run in a page, those written for pages included', () => {
  expect(left('core', 'snapshot.test.ts')).toBeUndefined()
  // Its sources name onnxruntime-node as a type only.
  expect(left('tensor', 'lower.test.ts')).toBeUndefined()
  expect(left('tensor', 'backends.browser.ts')).toBeUndefined()
})
