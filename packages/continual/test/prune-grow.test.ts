import { createRng } from '@regimen/core'
import { adam, mlp, type TensorLeaf } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { growMlp, maskedRule, openTrainer, pruneByMagnitude, regenerateWeights } from '../src/index.ts'
import { contradicting } from './tasks.ts'

const leaf = (shape: number[], ...data: number[]) => ({
  dtype: 'float32' as const,
  shape,
  data: Float32Array.of(...data),
})

describe('pruneByMagnitude', () => {
  it('prunes every layer by itself and never a bias', () => {
    // Sizes 5, 4, 1, 3 and 0.5, 0.1: half of each layer goes, though 0.5 is smaller than all that stays of the first.
    const params = [
      { kernel: leaf([2, 2], 5, -4, 1, -3), bias: leaf([2], 0.01, 0) },
      { kernel: leaf([2, 1], 0.5, 0.1) },
    ]
    const pruned = pruneByMagnitude(params, { share: 0.5 })
    expect([...pruned.mask]).toEqual([1, 1, 0, 0, 1, 1, 1, 0])
    expect([...pruned.params[0]!.kernel.data]).toEqual([5, -4, 0, 0])
    expect([...params[0]!.kernel.data]).toEqual([5, -4, 1, -3])
    // Half of what is left: 5 of 5, 4; of one weight round(0.5) goes.
    expect([...pruneByMagnitude(pruned.params, { share: 0.5, mask: pruned.mask }).mask]).toEqual([
      1, 0, 0, 0, 1, 1, 0, 0,
    ])
    expect(pruneByMagnitude(params, { share: 0 }).params).toEqual(params)
    expect(() => pruneByMagnitude(params, { share: 1 })).toThrow('share must be from 0 up to 1, got 1')
    expect(() => pruneByMagnitude(params, { share: 0.5, mask: [1] })).toThrow('mask must hold 8 numbers, got 1')
    expect(() => pruneByMagnitude([leaf([1, 1], Number.NaN)], { share: 0.5 })).toThrow('finite float32')
  })

  it('ranks all layers together, or by what the loss is expected to rise', () => {
    const params = [{ kernel: leaf([2, 2], 5, -4, 1, -3), bias: leaf([2], 9, 9) }, { kernel: leaf([2, 1], 0.5, 2) }]
    // Of 5, 4, 1, 3 and 0.5, 2 the three largest are 5, 4, 3: the second layer loses all.
    expect([...pruneByMagnitude(params, { share: 0.5, scope: 'net' }).mask]).toEqual([1, 1, 0, 1, 1, 1, 0, 0])
    // w² Ω: 25·0, 16·0.1, 1·4, 9·0.1 = 0, 1.6, 4, 0.9 and 0.25·40, 4·0 = 10, 0. The biases' count for nothing.
    const importance = [0, 0.1, 4, 0.1, 9, 9, 40, 0]
    expect([...pruneByMagnitude(params, { share: 0.5, importance }).mask]).toEqual([0, 1, 1, 0, 1, 1, 1, 0])
    expect([...pruneByMagnitude(params, { share: 0.5, importance, scope: 'net' }).mask]).toEqual([
      0, 1, 1, 0, 1, 1, 1, 0,
    ])
    // A sixth of six is one: the one of size 0, which is the first of them.
    const one = pruneByMagnitude(params, { share: 1 / 6, importance, scope: 'net' })
    expect(one.mask.reduce((a, b) => a + b)).toBe(7)
    expect(() => pruneByMagnitude(params, { share: 0.5, importance: [1] })).toThrow(
      'importance must hold 8 numbers, got 1',
    )
    expect(() => pruneByMagnitude(params, { share: 0.5, importance: importance.map((x) => -x) })).toThrow('at least 0')
    expect(() => pruneByMagnitude(params, { share: 0.5, scope: 'all' as 'net' })).toThrow('layer or net, got "all"')
  })

  it('leaves a net that learns on with what is left', { timeout: 30_000 }, async () => {
    const options = { net: mlp({ sizes: [2, 24, 2] }), inputs: 2, outputs: 2, rate: 0.02, seed: 1 }
    const data = contradicting(1, 256, 1)
    const full = openTrainer(options)
    await full.learn(data, { epochs: 10 })
    const { params, mask } = pruneByMagnitude(full.params(), { share: 0.5 })
    const lean = openTrainer({ ...options, params, rule: maskedRule(adam(), mask) })
    await lean.learn(data, { epochs: 5 })
    const test = contradicting(1, 512, 9)
    expect(await lean.accuracy(test)).toBeGreaterThan((await full.accuracy(test)) - 0.01)
    const used = lean.params().flatMap(({ kernel }) => [...(kernel as TensorLeaf).data])
    expect(used.filter((value) => value !== 0)).toHaveLength(48)
    await full.dispose()
    await lean.dispose()
  })
})

describe('regenerateWeights', () => {
  const params = { kernel: leaf([2, 3], 3, 0, 0, -2, 1, 4) }
  const mask = [1, 0, 0, 1, 1, 1]

  it('drops the smallest and takes back those with the steepest slope, at zero', () => {
    // Half of the four in use: 1 and −2 go; both unused come back whatever their slope, and with a quarter only the steeper.
    const half = regenerateWeights(params, { share: 0.5, mask, gradient: [9, 0.1, -0.2, 9, 9, 9] })
    expect([...half.mask]).toEqual([1, 1, 1, 0, 0, 1])
    expect([...half.params.kernel.data]).toEqual([3, 0, 0, 0, 0, 4])
    const quarter = regenerateWeights(params, { share: 0.25, mask, gradient: [9, 0.1, -0.2, 9, 9, 9] })
    expect([...quarter.mask]).toEqual([1, 0, 1, 1, 0, 1])
  })

  it('chooses by its seed without a gradient, and keeps the number in use', () => {
    const choices = Array.from({ length: 20 }, (_, seed) => [
      ...regenerateWeights(params, { share: 0.25, mask, seed }).mask,
    ])
    for (const choice of choices) expect(choice.reduce((a, b) => a + b)).toBe(4)
    expect(new Set(choices.map(String)).size).toBe(2)
    expect([...regenerateWeights(params, { share: 0.25, mask, seed: 7 }).mask]).toEqual(choices[7])
    expect(() => regenerateWeights(params, { share: 2, mask })).toThrow('share must be from 0 to 1, got 2')
    expect(() => regenerateWeights(params, { share: 0.5, mask, gradient: [1] })).toThrow('gradient must hold 6')
  })
})

describe('growMlp', () => {
  it('does not change one bit of the outputs when it grows, and the new neurons learn', {
    timeout: 30_000,
  }, async () => {
    const options = (width: number) => ({ net: mlp({ sizes: [2, width, 6, 2] }), inputs: 2, outputs: 2, rate: 0.02 })
    const small = openTrainer(options(4))
    await small.learn(contradicting(0, 128, 0), { epochs: 3 })
    const params = growMlp(small.params(), { layer: 0, by: 5, seed: 2 })
    const wide = openTrainer({ ...options(9), params })
    const rng = createRng('x')
    const x = Float32Array.from({ length: 64 }, () => rng.normal())
    expect(await wide.predict(x)).toEqual(await small.predict(x))
    await wide.learn(contradicting(1, 128, 1), { epochs: 2 })
    const outgoing = [...(wide.params()[1]!.kernel as TensorLeaf).data].slice(4 * 6)
    expect(outgoing.filter((value) => value !== 0).length).toBeGreaterThan(15)
    await small.dispose()
    await wide.dispose()
  })

  it('puts old weights where they were: worked by hand', () => {
    const params = [
      { kernel: leaf([2, 1], 1, 2), bias: leaf([1], 7) },
      { kernel: leaf([1, 2], 3, 4), bias: leaf([2], 8, 9) },
    ]
    const [first, second] = growMlp(params, { layer: 0, by: 1 })
    const [, a, , b] = first!.kernel.data as Float32Array
    expect([...(first!.kernel.data as Float32Array)]).toEqual([1, a, 2, b])
    expect(Math.abs(a! * b!)).toBeGreaterThan(0)
    expect([...first!.bias!.data]).toEqual([7, 0])
    expect([...second!.kernel.data]).toEqual([3, 4, 0, 0])
    expect([...second!.bias!.data]).toEqual([8, 9])
    expect(() => growMlp(params, { layer: 1, by: 1 })).toThrow('below 1, got 1')
    expect(() => growMlp(params, { layer: 0, by: 0 })).toThrow('by must be an integer from 1, got 0')
  })
})
