import { createRng } from '@regimen/core'
import { expect, test } from 'vitest'
import { BBOB_NAMES, bbobProblem } from '../src/bbob.ts'

test.each(BBOB_NAMES.map((name, i) => [i + 1, name] as const))(
  'f%i, %s, is 0 at its optimum and above it elsewhere',
  (id) => {
    for (const d of [2, 5]) {
      for (const instance of [1, 2, 3]) {
        const { evaluate, optimum } = bbobProblem(id, d, instance)
        expect(Math.abs(evaluate(optimum))).toBeLessThan(1e-9)
        expect(Math.max(...optimum.map(Math.abs))).toBeLessThanOrEqual(5)
        const rng = createRng(`${id}/${instance}`)
        for (let i = 0; i < 200; i++) {
          expect(evaluate(Float64Array.from({ length: d }, () => rng.uniform(-5, 5)))).toBeGreaterThan(0)
        }
      }
    }
  },
)

test('an instance is the same every time, and another one is another', () => {
  const [one, again, other] = [1, 1, 2].map((instance) => bbobProblem(15, 5, instance))
  const x = [1, 2, 3, 4, 5]
  expect(one!.evaluate(x)).toBe(again!.evaluate(x))
  expect(one!.evaluate(x)).not.toBe(other!.evaluate(x))
})

test('a rotation keeps the length, so the sphere of distances is the same in all directions', () => {
  // f1 has no rotation: the squared distance to the optimum itself.
  const { evaluate, optimum } = bbobProblem(1, 4, 1)
  expect(evaluate(optimum.map((v, i) => v + i))).toBeCloseTo(0 + 1 + 4 + 9, 9)
  // f14 in the first principal direction has exponent 2 under the root: never above the distance, for small ones.
  const powers = bbobProblem(14, 4, 1)
  expect(powers.evaluate(powers.optimum.map((v, i) => v + (i === 0 ? 1e-3 : 0)))).toBeLessThanOrEqual(1e-3 + 1e-12)
})
