import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  adam,
  adamW,
  clipByGlobalNorm,
  compile,
  constantRate,
  cosineDecay,
  exponentialDecay,
  globalNorm,
  lion,
  momentum,
  rmsProp,
  sgd,
  stepDecay,
  toArrays,
  toTensors,
  type UpdateRule,
  valueAndGradient,
  warmup,
} from '../src/index.ts'

beforeAll(() => tf.setBackend('cpu'))

/** Runs updates with the given gradients from w = 1 and returns w after each. */
function path(rule: UpdateRule, gradients: number[], rate: number, start = 1): number[] {
  return tf.tidy(() => {
    let params: { w: tf.Tensor } = { w: tf.tensor1d([start]) }
    let state = toTensors(rule.init(params)) as { [slot: string]: tf.Tensor }
    return gradients.map((gradient) => {
      const next = rule.apply(params, { gradients: { w: tf.tensor1d([gradient]) }, state, rate })
      params = next.params
      state = next.state as { [slot: string]: tf.Tensor }
      return params.w.dataSync()[0]!
    })
  })
}

describe('two steps by hand, from w = 1', () => {
  test('Adam with β₁ = 0.9, β₂ = 0.999, rate 0.1, gradients 0.5 and −1', () => {
    // t = 1: m = 0.1 · 0.5 = 0.05, v = 0.001 · 0.25 = 0.00025
    //        m̂ = 0.05 / 0.1 = 0.5, v̂ = 0.00025 / 0.001 = 0.25, move 0.1 · 0.5 / 0.5 = 0.1       → w = 0.9
    // t = 2: m = 0.9 · 0.05 − 0.1 = −0.055, v = 0.999 · 0.00025 + 0.001 = 0.00124975
    //        m̂ = −0.055 / 0.19 = −0.28947368, v̂ = 0.00124975 / 0.001999 = 0.62518759
    //        move 0.1 · −0.28947368 / 0.79068804 = −0.03661036                                → w = 0.93661036
    const [first, second] = path(adam(), [0.5, -1], 0.1)
    expect(first).toBeCloseTo(0.9, 6)
    expect(second).toBeCloseTo(0.93661036, 6)
  })

  test('AdamW decays by the rate alone; Adam with l2 puts the decay through the root', () => {
    // AdamW, λ = 0.1, rate 0.1, gradient 0.5: 1 · (1 − 0.01) − 0.1 = 0.89
    expect(path(adamW({ weightDecay: 0.1 }), [0.5], 0.1)[0]).toBeCloseTo(0.89, 6)
    // Adam + l2: the gradient becomes 0.5 + 0.1 and the first move is the rate, whatever its size: 0.9
    expect(path(adam({ l2: 0.1 }), [0.5], 0.1)[0]).toBeCloseTo(0.9, 6)
    // No gradient: AdamW still decays to 0.99, Adam + l2 takes a whole step
    expect(path(adamW({ weightDecay: 0.1 }), [0], 0.1)[0]).toBeCloseTo(0.99, 6)
    expect(path(adam({ l2: 0.1 }), [0], 0.1)[0]).toBeCloseTo(0.9, 5)
  })

  test('SGD: 1 − 0.1 · 2, then + 0.1; with l2 = 0.5: 1 − 0.1 (2 + 0.5)', () => {
    expect(path(sgd(), [2, -1], 0.1).map((w) => w.toFixed(6))).toEqual(['0.800000', '0.900000'])
    expect(path(sgd({ l2: 0.5 }), [2], 0.1)[0]).toBeCloseTo(0.75, 6)
  })

  test('momentum 0.5: v = 2, then 0.5 · 2 − 1 = 0; Nesterov moves by g + 0.5 v', () => {
    expect(path(momentum({ momentum: 0.5 }), [2, -1], 0.1).map((w) => w.toFixed(6))).toEqual(['0.800000', '0.800000'])
    // g + μ v = 2 + 1 = 3; then −1 + 0
    const nesterov = path(momentum({ momentum: 0.5, nesterov: true }), [2, -1], 0.1)
    expect(nesterov.map((w) => w.toFixed(6))).toEqual(['0.700000', '0.800000'])
  })

  test('RMSProp ρ = 0.75: s = 1, move 2/1; s = 0.75 + 0.25 = 1, move −1', () => {
    const moves = path(rmsProp({ decay: 0.75, epsilon: 0 }), [2, -1], 0.1)
    expect(moves[0]).toBeCloseTo(0.8, 6)
    expect(moves[1]).toBeCloseTo(0.9, 6)
  })

  test('Lion: sign(0.1 · 2); m = 0.02, sign(0.9 · 0.02 − 0.1 · 0.1) = +; decay 1 − 0.1 · 0.5', () => {
    expect(path(lion(), [2, -0.1], 0.1).map((w) => w.toFixed(6))).toEqual(['0.900000', '0.800000'])
    expect(path(lion({ weightDecay: 0.5 }), [2], 0.1)[0]).toBeCloseTo(0.85, 6)
  })
})

describe('rules on trees', () => {
  const rules: [string, UpdateRule][] = [
    ['sgd', sgd()],
    ['momentum', momentum()],
    ['adam', adam()],
    ['adamW', adamW()],
    ['rmsProp', rmsProp()],
    ['lion', lion()],
  ]

  test.each(rules)('%s: every leaf moves as it would alone, and compiled equals eager', async (_, rule) => {
    const leaf = (shape: number[], data: number[]) => ({
      dtype: 'float32' as const,
      shape,
      data: Float32Array.from(data),
    })
    const params = { a: leaf([2, 2], [1, -2, 3, 4]), b: [leaf([], [0.5])], c: leaf([3], [1, 1, 1]) }
    const gradients = { a: leaf([2, 2], [0.1, 0, -3, 2]), b: [leaf([], [-1])], c: leaf([3], [5, -0.5, 0.2]) }
    const step = (p: typeof tensors, s: { [slot: string]: tf.Tensor }, g: typeof tensors, rate: tf.Tensor) =>
      rule.apply(p, { gradients: g, state: s, rate })
    const tensors = toTensors(params)
    const state = rule.init(params)
    const eager = toArrays(step(tensors, toTensors(state) as never, toTensors(gradients), tf.scalar(0.1)).params)
    const compiled = compile(step)
    const native = await compiled(params, state as never, gradients, 0.1)
    await compiled.dispose()
    const numbers = (tree: { a: { data: unknown }; b: { data: unknown }[]; c: { data: unknown } }) =>
      [tree.a, tree.b[0]!, tree.c].flatMap(({ data }) => Array.from(data as Float32Array))
    const [before, slopes, after] = [numbers(params), numbers(gradients), numbers(eager)]
    before.forEach((w, i) => {
      expect(after[i]).toBeCloseTo(path(rule, [slopes[i]!], 0.1, w)[0]!, 6)
      expect(numbers(native.params)[i]).toBeCloseTo(after[i]!, 6)
    })
  })

  test.each(rules.slice(1))('%s: its state is one vector per moment', (_, rule) => {
    const state = rule.init({ a: tf.zeros([2, 3]), b: tf.zeros([4]) })
    for (const [slot, { shape }] of Object.entries(state)) expect(shape).toEqual(slot.endsWith('Weight') ? [] : [10])
  })

  test('Adam can be differentiated where gradients are exactly zero', () => {
    const rule = adam()
    const slope = tf.grad((g: tf.Tensor) => {
      const state = toTensors(rule.init({ w: g })) as { [slot: string]: tf.Tensor }
      return tf.sum(rule.apply({ w: tf.tensor1d([1, 1]) }, { gradients: { w: g }, state, rate: 0.1 }).params.w)
    })(tf.tensor1d([0, 2]))
    expect(Array.from(slope.dataSync()).every(Number.isFinite)).toBe(true)
  })

  test('refusals name the option', () => {
    expect(() => adam({ beta1: 1 })).toThrow('[tensor/adam] beta1 must be from 0 up to 1, got 1')
    expect(() => momentum({ momentum: -0.1 })).toThrow('momentum must be from 0 up to 1, got -0.1')
    expect(() => sgd().init({})).toThrow('hold no tensors')
  })
})

describe('clipping', () => {
  test('3 and 4 have the norm 5: limit 1 scales by 0.2, limit 10 leaves them', () => {
    const tree = { a: tf.scalar(3), b: tf.tensor1d([4]) }
    expect(globalNorm(tree).dataSync()[0]).toBeCloseTo(5, 6)
    expect(clipByGlobalNorm(tree, 1).b.dataSync()[0]).toBeCloseTo(0.8, 6)
    expect(clipByGlobalNorm(tree, 10).b.dataSync()[0]).toBeCloseTo(4, 6)
  })

  test('gradients through both are finite at zero', () => {
    const zero = { w: tf.zeros([3]) }
    for (const fn of [globalNorm, (p: { w: tf.Tensor }) => tf.sum(clipByGlobalNorm(p, 2).w)]) {
      const { gradient } = valueAndGradient(fn as (p: { w: tf.Tensor }) => tf.Tensor, zero)
      expect(Array.from(gradient.w.dataSync()).every(Number.isFinite)).toBe(true)
    }
  })
})

describe('schedules', () => {
  test('by hand', () => {
    const cosine = cosineDecay({ from: 1, to: 0.2, steps: 10 })
    expect([cosine(0), cosine(5), cosine(10), cosine(99)].map((r) => r.toFixed(6))).toEqual([
      '1.000000',
      '0.600000',
      '0.200000',
      '0.200000',
    ])
    expect([9, 10, 20].map(stepDecay({ from: 1, factor: 0.5, every: 10 }))).toEqual([1, 0.5, 0.25])
    expect(exponentialDecay({ from: 2, factor: 0.5 })(3)).toBe(0.25)
    const warm = warmup({ steps: 2, after: stepDecay({ from: 1, factor: 0.5, every: 1 }) })
    expect([0, 1, 2, 3].map(warm)).toEqual([0.5, 1, 1, 0.5])
    expect(constantRate(0.3)(7)).toBe(0.3)
    expect(() => cosineDecay({ from: 1, steps: 0 })).toThrow('steps must be ≥ 1, got 0')
  })
})
