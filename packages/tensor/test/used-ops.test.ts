import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { opCases } from './support/differentiable-ops.ts'

// What has no derivative to be wrong: makers of constants, comparisons, integers, and the machinery of tfjs.
const WITHOUT_DERIVATIVE = new Set(
  [
    'scalar tensor tensor1d tensor2d tensor3d tensor4d zeros ones zerosLike onesLike fill range eye oneHot',
    'greater greaterEqual less lessEqual equal notEqual logicalNot logicalAnd argMax argMin floor sign step',
    'cast clone keep dispose ready tidy engine env grad grads customGrad sequential',
    'getGradient registerGradient unregisterGradient registerKernel registerBackend getKernelsForBackend',
    'getBackend setBackend enableProdMode',
  ]
    .join(' ')
    .split(' '),
)

test('every op that the packages call is in the sweep of second derivatives, or has none', () => {
  const packages = join(import.meta.dirname, '..', '..')
  const swept = opCases.map(({ apply }) => apply.toString()).join('\n')
  const missing = new Set<string>()
  let calls = 0
  for (const name of readdirSync(packages)) {
    const src = join(packages, name, 'src')
    for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue
      // Comments hold examples, which run elsewhere.
      const code = readFileSync(join(src, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
      for (const [, op] of code.matchAll(/\btf\.([a-z]\w*)\(/g)) {
        calls++
        if (!WITHOUT_DERIVATIVE.has(op!) && !new RegExp(`\\.${op}\\)?\\(`).test(swept))
          missing.add(`${op} in ${name}/${file}`)
      }
    }
  }
  expect([...missing]).toEqual([])
  expect(calls).toBeGreaterThan(300)
})
