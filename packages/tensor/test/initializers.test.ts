import { createRng } from '@regimen/core'
import { describe, expect, test } from 'vitest'
import { type InitializerName, initialize } from '../src/index.ts'

// Fan in 3 · 40 = 120, fan out 3 · 60 = 180, 7,200 · 10 numbers.
const shape = [3, 40, 60]
const [fanIn, fanOut] = [120, 180]
const draw = (name: InitializerName, options = {}) => {
  const all: number[] = []
  for (let i = 0; i < 10; i++) all.push(...initialize(name, shape, createRng(i), options).data)
  return all
}
const variance = (xs: number[]) => xs.reduce((sum, x) => sum + x * x, 0) / xs.length

describe('variance as the formula says, mean zero, uniform ones inside their limit', () => {
  test.each<[InitializerName, number]>([
    ['xavierUniform', 2 / (fanIn + fanOut)],
    ['xavierNormal', 2 / (fanIn + fanOut)],
    ['glorotUniform', 2 / (fanIn + fanOut)],
    ['glorotNormal', 2 / (fanIn + fanOut)],
    ['kaimingUniform', 2 / fanIn],
    ['kaimingNormal', 2 / fanIn],
    ['heUniform', 2 / fanIn],
    ['heNormal', 2 / fanIn],
    ['lecunUniform', 1 / fanIn],
    ['lecunNormal', 1 / fanIn],
    // PyTorch's layers: kaiming with a = √5, U(±1/√fan in), variance 1/(3 fan in)
    ['pytorchLinear', 1 / (3 * fanIn)],
    ['uniform', 0.05 ** 2 / 3],
    ['normal', 0.05 ** 2],
    // a normal cut at two deviations has the variance 0.7737
    ['truncatedNormal', 0.05 ** 2 * 0.8796256610342398 ** 2],
  ])('%s', (name, expected) => {
    const xs = draw(name)
    // 72,000 numbers: the variance is known to 0.5 %, four deviations are 2.5 %
    expect(variance(xs) / expected).toBeGreaterThan(0.975)
    expect(variance(xs) / expected).toBeLessThan(1.025)
    expect(Math.abs(xs.reduce((a, b) => a + b, 0) / xs.length)).toBeLessThan(4 * Math.sqrt(expected / xs.length))
    const largest = Math.max(...xs.map(Math.abs)) / Math.sqrt(variance(xs))
    if (name.endsWith('niform') || name === 'pytorchLinear') expect(largest).toBeLessThan(Math.sqrt(3) * 1.02)
    else if (['glorotNormal', 'heNormal', 'lecunNormal', 'truncatedNormal'].includes(name))
      expect(largest).toBeLessThan(2.32)
    else expect(largest).toBeGreaterThan(3.5)
  })
})

test('gain scales the deviation', () => {
  expect(variance(draw('xavierNormal', { gain: 5 / 3 })) / (2 / (fanIn + fanOut))).toBeCloseTo(25 / 9, 1)
})

test.each([[[5, 8]], [[8, 5]], [[6, 6]]])('orthogonal [%s]: the shorter side is orthonormal', (size) => {
  const [rows, columns] = size as [number, number]
  const { data } = initialize('orthogonal', [rows, columns], createRng(1))
  const at = (i: number, j: number) => data[i * columns + j]!
  const count = Math.min(rows, columns)
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < count; b++) {
      let dot = 0
      for (let k = 0; k < Math.max(rows, columns); k++)
        dot += rows < columns ? at(a, k) * at(b, k) : at(k, a) * at(k, b)
      expect(dot).toBeCloseTo(a === b ? 1 : 0, 5)
    }
  }
})

test('constants, and the error for a name that is none', () => {
  expect(Array.from(initialize('zeros', [2], createRng(1)).data)).toEqual([0, 0])
  expect(Array.from(initialize('ones', [2], createRng(1)).data)).toEqual([1, 1])
  expect(() => initialize('xavier' as InitializerName, [2, 2], createRng(1))).toThrow('unknown initializer "xavier"')
})
