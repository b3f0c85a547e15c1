import '@tensorflow/tfjs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RegimenError } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test, vi } from 'vitest'
import { openTraceBackend } from '../src/compile/trace-backend.ts'
import { compile, random, type TensorLeaf, withRandom } from '../src/index.ts'
import { floats, ints, relativeError } from './support/arrays.ts'

const full = process.env.REGIMEN_FULL === '1'

async function codeOf(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await promise
  } catch (error) {
    if (error instanceof RegimenError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('calling', () => {
  test('numbers, typed arrays, leaves and tensors go in, plain numbers come out', async () => {
    const line = compile((p: { w: tf.Tensor; b: tf.Tensor }, x: tf.Tensor) => ({ y: tf.add(tf.mul(p.w, x), p.b) }))
    const x = tf.tensor1d([10, 20])
    const { y } = await line({ w: { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) }, b: 0.5 }, x)
    x.dispose()
    expect(y.shape).toEqual([2])
    expect(Array.from(y.data)).toEqual([10.5, 40.5])
    const again = await line({ w: y, b: -1 }, new Float32Array([1, 1]))
    expect(Array.from(again.y.data)).toEqual([9.5, 39.5])
    await line.dispose()
  })

  test('inputs are not changed, and results are not overwritten by the next call', async () => {
    const double = compile((x: tf.Tensor) => tf.mul(x, 2))
    const x = Float32Array.of(1, 2)
    const first = await double(x)
    await double(Float32Array.of(8, 9))
    expect(Array.from(x)).toEqual([1, 2])
    expect(Array.from(first.data)).toEqual([2, 4])
    await double.dispose()
  })

  test('an input, a constant and one result twice may be returned', async () => {
    const odd = compile((x: tf.Tensor) => {
      const y = tf.neg(x)
      return [x, tf.tensor1d([4, 5]), y, y, 'kept', null] as const
    })
    const [same, constant, y, twice, text, nothing] = await odd(Float32Array.of(1, 2))
    expect(Array.from(same.data)).toEqual([1, 2])
    expect(Array.from(constant.data)).toEqual([4, 5])
    expect(Array.from(y.data)).toEqual([-1, -2])
    expect(Array.from(twice.data)).toEqual([-1, -2])
    expect([text, nothing]).toEqual(['kept', null])
    await odd.dispose()
  })

  test('flags and strings are part of the form: each value is recorded by itself', async () => {
    const act = compile((x: tf.Tensor, training: boolean) => (training ? tf.neg(x) : tf.square(x)))
    expect(Array.from((await act(Float32Array.of(3), true)).data)).toEqual([-3])
    expect(Array.from((await act(Float32Array.of(3), false)).data)).toEqual([9])
    expect(act.explain().length).toBe(2)
    await act.dispose()
  })

  test('tensors come back where asked for, and only those are left', async () => {
    const before = tf.memory().numTensors
    const f = compile((x: tf.Tensor) => tf.square(x), { outputs: 'tensors' })
    const y = await f(Float32Array.of(3))
    expect(Array.from(y.dataSync())).toEqual([9])
    expect(tf.memory().numTensors).toBe(before + 1)
    y.dispose()
    await f.dispose()
  })

  // Adam with β₁ = 0.9, β₂ = 0.999, rate 0.1 on f(w) = w² from w = 1: the gradient is 2.
  // m = 0.2, v = 0.004; corrected 0.2 / 0.1 = 2 and 0.004 / 0.001 = 4, so w ← 1 - 0.1 · 2 / 2 = 0.9.
  // Then the gradient is 1.8: m = 0.36, v = 0.004 · 0.999 + 0.00324 = 0.007236; corrected 0.36 / 0.19 = 1.8947368 and
  // 0.007236 / 0.001999 = 3.6198099 with root 1.9025798, so w ← 0.9 - 0.1 · 0.9958777 = 0.8004122.
  test('two steps of Adam, worked by hand', async () => {
    type State = { w: tf.Tensor; m: tf.Tensor; v: tf.Tensor; t: tf.Tensor }
    const step = compile(({ w, m, v, t }: State): State => {
      const g = tf.grad((x: tf.Tensor) => tf.sum(tf.square(x)))(w)
      const count = tf.add(t, 1)
      const m1 = tf.add(tf.mul(m, 0.9), tf.mul(g, 0.1))
      const v1 = tf.add(tf.mul(v, 0.999), tf.mul(tf.square(g), 0.001))
      const mHat = tf.div(m1, tf.sub(1, tf.pow(0.9, count)))
      const vHat = tf.div(v1, tf.sub(1, tf.pow(0.999, count)))
      return { w: tf.sub(w, tf.div(tf.mul(mHat, 0.1), tf.add(tf.sqrt(vHat), 1e-8))), m: m1, v: v1, t: count }
    })
    const first = await step({ w: Float32Array.of(1), m: Float32Array.of(0), v: Float32Array.of(0), t: 0 })
    expect(first.w.data[0]).toBeCloseTo(0.9, 5)
    const second = await step(first)
    // float32 keeps 1 - 0.999² to four digits only.
    expect(second.w.data[0]).toBeCloseTo(0.8004122, 4)
    await step.dispose()
  })
})

describe('what would be frozen is refused', () => {
  test('captured tensors, with their shape', async () => {
    const outside = tf.zeros([3, 2])
    const error = await codeOf(compile((x: tf.Tensor) => tf.add(x, outside))(new Float32Array(2)))
    expect(error.code).toBe('CAPTURED_TENSOR')
    expect(error.message).toContain('shape [3, 2]')
    expect((await codeOf(compile(() => outside)())).code).toBe('CAPTURED_TENSOR')
    expect(outside.dataSync().length).toBe(6)
    outside.dispose()
  })

  test('reading numbers inside', async () => {
    const f = compile((x: tf.Tensor) => (tf.sum(x).dataSync()[0]! > 0 ? x : tf.neg(x)))
    expect((await codeOf(f(new Float32Array(2)))).code).toBe('DATA_READ_INSIDE')
  })

  test('random numbers of tfjs, and those of JavaScript', async () => {
    const noisy = compile((x: tf.Tensor) => tf.add(x, tf.randomNormal([2])))
    expect((await codeOf(noisy(new Float32Array(2)))).code).toBe('FROZEN_RANDOMNESS')
    let calls = 0
    const counting = compile((x: tf.Tensor) => tf.mul(x, ++calls))
    expect((await codeOf(counting(new Float32Array(2)))).code).toBe('FROZEN_RANDOMNESS')
    const clipped = compile((x: tf.Tensor) => tf.clipByValue(x, 0, ++calls))
    expect((await codeOf(clipped(new Float32Array(2)))).message).toContain('tf.clipByValue')
  })

  test('promises, unknown kernels and other dtypes', async () => {
    const later = compile(async (x: tf.Tensor) => x)
    expect((await codeOf(later(new Float32Array(2)))).code).toBe('ASYNC_FUNCTION')
    const unknown = await codeOf(compile((x: tf.Tensor) => tf.unique(x).values)(new Float32Array(2)))
    expect(unknown.code).toBe('UNSUPPORTED_KERNEL')
    expect(unknown.message).toContain('Unique')
    expect(unknown.message).toContain('tf.unique')
    const text = compile((x: tf.Tensor) => [x, tf.tensor(['a'])])
    expect((await codeOf(text(new Float32Array(2)))).code).toBe('DTYPE')
    const identity = compile((x: tf.Tensor) => x)
    expect((await codeOf(identity(new Float64Array(2) as never))).code).toBe('DTYPE')
    expect((await codeOf(identity({ dtype: 'float32', shape: [3], data: new Float32Array(2) }))).code).toBe(
      'INVALID_ARGUMENT',
    )
  })

  test('an unsupported kernel whose result nobody needs does no harm', async () => {
    const f = compile((x: tf.Tensor) => {
      tf.unique(x)
      return tf.neg(x)
    })
    expect(Array.from((await f(Float32Array.of(1))).data)).toEqual([-1])
    await f.dispose()
  })

  test('too many forms, naming the axis that varies', async () => {
    const f = compile((p: { w: tf.Tensor }, x: tf.Tensor) => tf.mul(p.w, x), { maxSignatures: 3 })
    for (const n of [1, 2, 3]) await f({ w: 2 }, new Float32Array(n))
    const error = await codeOf(f({ w: 2 }, new Float32Array(4)))
    expect(error.code).toBe('TOO_MANY_SIGNATURES')
    expect(error.message).toContain('axis 0 at "1"')
    expect(error.message).not.toContain('0.w')
    await f({ w: 2 }, new Float32Array(3))
    await f.dispose()
  })

  test('calls after dispose, and options out of range', async () => {
    const f = compile((x: tf.Tensor) => x)
    await f.dispose()
    expect((await codeOf(f(1))).code).toBe('DISPOSED')
    expect(() => compile((x: tf.Tensor) => x, { threads: 0 })).toThrow(
      'threads must be an integer from 1 to 256, got 0',
    )
  })

  test('the app keeps its backend and its tensors after an error', async () => {
    const [backend, tensors] = [tf.getBackend(), tf.memory().numTensors]
    const error = await codeOf(
      compile((x: tf.Tensor) => tf.grad((v: tf.Tensor) => tf.sum(tf.unique(v).values))(x))(new Float32Array(2)),
    )
    expect(error.message).toContain('tfjs has no gradient for Unique')
    expect([tf.getBackend(), tf.memory().numTensors]).toEqual([backend, tensors])
  })
})

describe('random inputs', () => {
  const draws = (x: tf.Tensor): tf.Tensor[] => [
    tf.add(x, random.normal([3], { mean: 1, deviation: 2 })),
    random.uniform([2], { low: -1, high: 1 }),
    random.dropout(x, 0.5),
  ]

  test('advance at every call, the same compiled and eager', async () => {
    const compiled = compile(draws, { seed: 5 })
    const eager = compile(draws, { seed: 5, execution: 'eager' })
    const x = Float32Array.of(1, 2, 3)
    const seen = new Set<number>()
    for (let call = 0; call < 3; call++) {
      const [a, b] = [await compiled(x), await eager(x)]
      a.forEach((leaf, i) => {
        expect(relativeError(leaf.data, b[i]!.data)).toBeLessThan(1e-6)
      })
      seen.add(a[0]!.data[0] as number)
    }
    expect(seen.size).toBe(3)
    await compiled.dispose()
  })

  test('continue from a saved state', async () => {
    const f = compile(draws, { seed: 'a' })
    const x = Float32Array.of(1, 2, 3)
    await f(x)
    const state = f.randomState()
    const expected = await f(x)
    f.restoreRandom(state)
    expect(await f(x)).toEqual(expected)
    await f.dispose()
  })

  test('dropped elements are zero and the rest doubled; means and deviations are those asked for', () => {
    const kept = tf.tidy(() => withRandom(1, () => random.mask([10_000], 0.5).dataSync()))
    const zeros = kept.filter((v) => v === 0).length
    expect(kept.every((v) => v === 0 || v === 2)).toBe(true)
    // Binomial(10000, 1/2): five standard deviations are 250.
    expect(Math.abs(zeros - 5000)).toBeLessThan(250)
    const normal = tf.tidy(() =>
      withRandom(1, () => random.normal([10_000], { mean: 3, deviation: 2 }).dataSync<'float32'>()),
    )
    const mean = normal.reduce((a, b) => a + b, 0) / 10_000
    expect(Math.abs(mean - 3)).toBeLessThan(0.1)
    const spread = Math.sqrt(normal.reduce((a, b) => a + (b - mean) ** 2, 0) / 10_000)
    expect(Math.abs(spread - 2)).toBeLessThan(0.1)
  })

  test('drawing outside is an error that says how', () => {
    expect(() => random.normal([1])).toThrow('withRandom(seed, fn)')
  })
})

describe('signatures', () => {
  const weighted = (w: tf.Tensor, batch: { x: tf.Tensor; y: tf.Tensor; weights: tf.Tensor }) => {
    const predictions = tf.mul(batch.x, w)
    const errors = tf.square(tf.sub(predictions, batch.y))
    return { loss: tf.div(tf.sum(tf.mul(errors, batch.weights)), tf.sum(batch.weights)), predictions }
  }

  test('buckets pad inputs with zeros and cut results, with one graph for many sizes', async () => {
    const padded = compile(weighted, { buckets: { sizes: [4, 8], inputs: { '1': 0 }, outputs: { predictions: 0 } } })
    const eager = compile(weighted, { execution: 'eager' })
    for (const n of [1, 3, 4, 7]) {
      const data = (seed: number): Float32Array => floats([n], seed).data as Float32Array
      const batch = { x: data(1), y: data(2), weights: data(3).map(Math.abs) }
      const [a, b] = [await padded(2, batch), await eager(2, batch)]
      expect(a.predictions.shape).toEqual([n])
      expect(relativeError(a.predictions.data, b.predictions.data)).toBeLessThan(1e-6)
      expect(relativeError(a.loss.data, b.loss.data)).toBeLessThan(1e-6)
    }
    expect(padded.explain().length).toBe(2)
    const nine = new Float32Array(9)
    expect((await codeOf(padded(2, { x: nine, y: nine, weights: nine }))).message).toContain('9 samples fit no bucket')
    const mixed = { x: nine, y: new Float32Array(8), weights: nine }
    expect((await codeOf(padded(2, mixed))).message).toContain('differ: 9 samples before, 8 at "1.y"')
    await padded.dispose()
  })

  test('padding an inner axis keeps every row in its place', async () => {
    const f = compile((x: tf.Tensor) => tf.add(x, 1), {
      buckets: { sizes: [4], inputs: { '0': 1 }, outputs: { '': 1 } },
    })
    const y = await f({ dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) })
    expect([y.shape, Array.from(y.data)]).toEqual([
      [2, 3],
      [2, 3, 4, 5, 6, 7],
    ])
    await f.dispose()
  })

  test('sessions over the limit are closed and come back on demand', async () => {
    const f = compile((x: tf.Tensor) => tf.mul(x, 3), { maxSessions: 1 })
    for (const n of [1, 2, 3, 1, 2, 3]) expect((await f(new Float32Array(n).fill(1))).data[n - 1]).toBe(3)
    expect(f.explain().length).toBe(3)
    await f.dispose()
  })

  test('calls that run at the same time get their own results', async () => {
    const f = compile((x: tf.Tensor) => tf.mul(x, 3), { maxSessions: 1 })
    const results = await Promise.all([1, 2, 3, 4, 2, 1].map((n) => f(new Float32Array(n).fill(n))))
    expect(results.map((y) => y.data[0])).toEqual([3, 6, 9, 12, 6, 3])
    await f.dispose()
  })

  test('warmup prepares forms without numbers', async () => {
    const f = compile((x: tf.Tensor) => tf.neg(x))
    await f.warmup([[{ dtype: 'float32', shape: [2] }], [{ dtype: 'int32', shape: [3] }]])
    expect(f.explain().map(({ signature }) => signature)).toEqual(['0: float32[2]', '0: int32[3]'])
    expect(f.explain().every(({ milliseconds }) => milliseconds.start > 0)).toBe(true)
    expect(Array.from((await f(Int32Array.of(1, 2, 3))).data)).toEqual([-1, -2, -3])
    expect(f.explain().length).toBe(2)
    await f.dispose()
  })
})

describe('over many steps', () => {
  test('nothing leaks', async () => {
    const steps = full ? 10_000 : 500
    const step = compile((p: { w: tf.Tensor; b: tf.Tensor }, x: tf.Tensor) => {
      const loss = (w: tf.Tensor, b: tf.Tensor): tf.Scalar =>
        tf.mean(tf.square(tf.sub(tf.tanh(tf.add(tf.matMul(x, w), b)), 0.5)))
      const [gw, gb] = tf.grads(loss as (...p: tf.Tensor[]) => tf.Scalar)([p.w, p.b])
      return { w: tf.sub(p.w, tf.mul(gw!, 0.05)), b: tf.sub(p.b, tf.mul(gb!, 0.05)) }
    })
    const x = floats([32, 45])
    let params: { w: TensorLeaf; b: TensorLeaf } = { w: floats([45, 64], 2, -0.1, 0.1), b: floats([64], 3) }
    // Garbage that is merely not collected yet is no leak.
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    for (let i = 0; i < 1000; i++) params = await step(params, x)
    collect()
    const [tensors, memory] = [tf.memory().numTensors, process.memoryUsage.rss()]
    for (let i = 0; i < steps; i++) params = await step(params, x)
    collect()
    expect(tf.memory().numTensors).toBe(tensors)
    expect(process.memoryUsage.rss() - memory).toBeLessThan(20 * 2 ** 20)
    await step.dispose()
  })
})

test('zeros and ones of a gradient are not made while it is recorded', async () => {
  const made = vi.spyOn(await openTraceBackend(), 'write')
  // 100 × 100 inside, 100 outside.
  const total = (x: tf.Tensor) => {
    const square = tf.mul(x, tf.transpose(x))
    return tf.add(tf.sum(tf.relu(square)), tf.mean(tf.abs(square)))
  }
  const curvature = compile((x: tf.Tensor) => tf.grad((v: tf.Tensor) => tf.sum(tf.grad(total)(v)))(x))
  await curvature.warmup([[{ dtype: 'float32', shape: [100, 1] }]])
  const sizes = made.mock.calls.map(([values]) => values.length)
  made.mockRestore()
  await curvature.dispose()
  expect(Math.max(...sizes)).toBe(100)
})

test('whole numbers and truth values keep their types through a graph', async () => {
  const f = compile((i: tf.Tensor, x: tf.Tensor) => ({
    positive: tf.greater(x, 0),
    picked: tf.gather(x, i),
    sum: tf.sum(i),
  }))
  const { positive, picked, sum } = await f(ints([3], [2, 0, 2]), Float32Array.of(-1, 5, 7))
  expect([positive.dtype, picked.dtype, sum.dtype]).toEqual(['bool', 'float32', 'int32'])
  expect([...positive.data, ...picked.data, ...sum.data]).toEqual([0, 1, 1, 7, -1, 7, 4])
  await f.dispose()
})
