import '@tensorflow/tfjs'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import * as ort from 'onnxruntime-node'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { compile } from '../src/index.ts'
import { floats, relativeError } from './support/arrays.ts'

const full = process.env.REGIMEN_FULL === '1'

type Params = { w: tf.Tensor; b: tf.Tensor }
const predict = (p: Params, x: tf.Tensor): tf.Tensor => tf.softmax(tf.add(tf.matMul(x, p.w), p.b))
const params = { w: floats([5, 3], 1), b: floats([3], 2) }
const x = floats([4, 5], 3)

describe('toOnnx', () => {
  test('gives a model that plain onnxruntime runs, with inputs and outputs named by path', async () => {
    const f = compile(predict)
    const expected = await f(params, x)
    const session = await ort.InferenceSession.create(await f.toOnnx())
    expect(session.inputNames).toEqual(['0.w', '0.b', '1'])
    const tensor = ({ data, shape }: typeof x): ort.Tensor => new ort.Tensor('float32', data as Float32Array, shape)
    const results = await session.run({ '0.w': tensor(params.w), '0.b': tensor(params.b), '1': tensor(x) })
    expect(results.out!.data).toEqual(expected.data)
    await f.dispose()
  })

  test('bakes frozen inputs into the file, which then asks for the rest only', async () => {
    const f = compile(predict)
    const expected = await f(params, x)
    const bytes = await f.toOnnx([params, x], { freeze: ['0'] })
    const session = await ort.InferenceSession.create(bytes)
    expect(session.inputNames).toEqual(['1'])
    const results = await session.run({ '1': new ort.Tensor('float32', x.data as Float32Array, [4, 5]) })
    expect(relativeError(results.out!.data as Float32Array, expected.data)).toBeLessThan(1e-6)
    await f.dispose()
  })
})

describe('explain', () => {
  test('says what each pass left', async () => {
    // x · 1 + 0 · twice over: nothing remains but one product and one sum.
    const f = compile((v: tf.Tensor) => {
      const plain = tf.add(tf.mul(tf.reshape(tf.reshape(v, [4]), [2, 2]), tf.onesLike(v)), tf.zerosLike(v))
      return tf.add(tf.square(plain), tf.square(plain))
    })
    const y = await f(floats([2, 2], 5))
    expect(y.shape).toEqual([2, 2])
    const [{ passes, kernels, signature, milliseconds }] = f.explain() as [ReturnType<typeof f.explain>[number]]
    expect(signature).toBe('0: float32[2, 2]')
    expect(kernels).toBeGreaterThanOrEqual(8)
    expect(passes[0]!.pass).toBe('lowered')
    expect(passes[0]!.nodes).toBeGreaterThan(5)
    expect(passes.at(-1)!.nodes).toBe(2)
    expect(milliseconds.trace).toBeGreaterThan(0)
    await f.dispose()
  })
})

describe('the cache directory', () => {
  const directory = mkdtempSync(join(tmpdir(), 'regimen-cache-'))
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  test('keeps optimized graphs between compilers, by content', async () => {
    const first = compile(predict, { cache: directory })
    const expected = await first(params, x)
    expect(first.explain()[0]!.cached).toBe(false)
    expect(readdirSync(directory).length).toBe(1)
    const second = compile(predict, { cache: directory })
    expect(relativeError((await second(params, x)).data, expected.data)).toBeLessThan(1e-6)
    expect(second.explain()[0]!.cached).toBe(true)
    const other = compile((p: Params, v: tf.Tensor) => tf.neg(predict(p, v)), { cache: directory })
    await other(params, x)
    expect(other.explain()[0]!.cached).toBe(false)
    await Promise.all([first.dispose(), second.dispose(), other.dispose()])
  })
})

describe('without a runtime', () => {
  test('functions run eagerly, and say so once with the line that installs one', async () => {
    vi.resetModules()
    vi.doMock('../src/compile/runtime/onnxruntime.ts', () => ({
      findRuntime: async () => undefined,
      isNode: () => true,
    }))
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const { compile: fresh } = await import('../src/compile/compile.ts')
    const f = fresh((v: tf.Tensor) => tf.square(v))
    expect(Array.from((await f(Float32Array.of(3))).data)).toEqual([9])
    await f(Float32Array.of(4))
    const lines = warn.mock.calls.map(([line]) => String(line)).filter((line) => line.includes('tensor/compile'))
    expect(lines.length).toBe(1)
    expect(lines[0]).toContain('npm install onnxruntime-node')
    warn.mockRestore()
    vi.doUnmock('../src/compile/runtime/onnxruntime.ts')
  })
})

describe('large graphs', () => {
  /** An unrolled gated recurrence and its gradient. */
  const recurrence = (cells: number) => (w: tf.Tensor, series: tf.Tensor) =>
    tf.grad((v: tf.Tensor) => {
      let h: tf.Tensor = tf.zeros([4, 8])
      for (let i = 0; i < cells; i++) {
        const input = tf.reshape(tf.slice(series, [0, i % 5, 0], [4, 1, 8]), [4, 8])
        const [a, b, c, d] = tf.split(tf.matMul(tf.concat([input, h], 1), v), 4, 1)
        h = tf.add(tf.mul(tf.sigmoid(a!), tf.tanh(b!)), tf.mul(tf.sigmoid(c!), tf.mul(h, tf.sigmoid(d!))))
      }
      return tf.sum(h)
    })(w)

  // Processor time, since other work may share the machine's cores.
  const compileSeconds = async (cells: number): Promise<{ seconds: number; nodes: number }> => {
    const f = compile(recurrence(cells))
    const before = process.cpuUsage()
    await f.warmup([[floats([16, 32]), floats([4, 5, 8])]])
    const { user, system } = process.cpuUsage(before)
    const nodes = f.explain()[0]!.passes[0]!.nodes
    await f.dispose()
    return { seconds: (user + system) / 1e6, nodes }
  }

  test('cost in proportion to their size', async () => {
    // The first compilation of a process pays for loading the runtime and warming up the code.
    await compileSeconds(30)
    const small = await compileSeconds(30)
    const large = await compileSeconds(90)
    expect(large.nodes).toBeGreaterThan(4000)
    expect(large.seconds / large.nodes).toBeLessThan((3 * small.seconds) / small.nodes)
  })

  test.runIf(full)('5,000 operations in a second', async () => {
    await compileSeconds(110)
    const { seconds, nodes } = await compileSeconds(110)
    expect(nodes).toBeGreaterThan(5000)
    expect(seconds).toBeLessThan(1)
  })

  test.runIf(full)('20,000 operations in six seconds', async () => {
    const { seconds, nodes } = await compileSeconds(430)
    expect(nodes).toBeGreaterThan(20_000)
    expect(seconds).toBeLessThan(6)
  })
})

test('the same bytes run on the runtime for browsers', async () => {
  const web = await import('onnxruntime-web')
  web.env.wasm.numThreads = 1
  const slope = (w: tf.Tensor, v: tf.Tensor): tf.Tensor =>
    tf.grad((p: tf.Tensor) => tf.sum(tf.square(tf.tanh(tf.matMul(v, p)))))(w)
  const f = compile(slope)
  const inputs = [floats([5, 3], 1), floats([4, 5], 2)] as const
  const expected = await f(...inputs)
  const session = await web.InferenceSession.create(await f.toOnnx(), { executionProviders: ['wasm'] })
  const feeds = Object.fromEntries(
    inputs.map(({ data, shape }, i) => [String(i), new web.Tensor('float32', data as Float32Array, shape)]),
  )
  const results = await session.run(feeds)
  expect(relativeError(results.out!.data as Float32Array, expected.data)).toBeLessThan(1e-5)
  await session.release()
  await f.dispose()
})
