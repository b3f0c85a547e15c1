import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onGpu, useSoftwareVulkan } from '@regimen/testing/gpu'
import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, describe, expect, test } from 'vitest'
import { readArguments, signatureOf } from '../src/compile/signature.ts'
import { openTracer } from '../src/compile/trace.ts'
import { compile, type TensorLeaf, useBackend } from '../src/index.ts'
import { floats, relativeError } from './support/arrays.ts'
import { KERNEL_CASES } from './support/kernel-cases.ts'
import { settledRss } from './support/node-memory.ts'

useSoftwareVulkan()
const chosen = await useBackend('webgpu').catch((error: Error) => error)
const adapter = !(chosen instanceof Error)
const full = process.env.REGIMEN_FULL === '1'

afterAll(() => useBackend('cpu'))

test.runIf(adapter)(onGpu('useBackend makes navigator.gpu in Node and computes on it', adapter), async () => {
  const report = await useBackend('webgpu')
  expect(report).toMatchObject({ requested: 'webgpu', backend: 'webgpu', skipped: [] })
  expect(tf.getBackend()).toBe('webgpu')
  expect(Array.from(await tf.tidy(() => tf.matMul([[1, 2]], [[3], [4]])).data())).toEqual([11])
})

test.runIf(!adapter)('without an adapter the backend is refused with the reason', () => {
  expect(chosen).toMatchObject({ code: 'BACKEND_UNAVAILABLE' })
  expect((globalThis as { navigator?: { gpu?: unknown } }).navigator?.gpu).toBeUndefined()
})

// tfjs's shader compares the number of a box's image with the number of boxes, so the box of an image that is not there
// reads what lies beyond; the other cases of the kernel have such a box.
const readsBeyond = (kernel: string, note?: string): boolean => kernel === 'CropAndResize' && note !== 'to one pixel'

describe.runIf(adapter)(onGpu('every kernel that the backend has, eager, against the CPU', adapter), () => {
  const has = new Set(adapter ? tf.getKernelsForBackend('webgpu').map(({ kernelName }) => kernelName) : [])
  const seen = new Set<string>()
  for (const { kernel, note, fn, inputs } of KERNEL_CASES) {
    if (!has.has(kernel) || (seen.has(kernel) && !full) || readsBeyond(kernel, note)) continue
    seen.add(kernel)
    test(note ? `${kernel} ${note}` : kernel, async ({ skip }) => {
      const tracer = await openTracer()
      const signature = signatureOf(inputs, readArguments(inputs).key)
      const called = tracer.trace(fn as (...args: never[]) => unknown, signature).nodes.map((node) => node.kernel)
      const missing = called.filter((name) => !has.has(name))
      if (missing.length > 0) skip(`the backend has no ${missing.join(', ')}`)
      const eager = compile(fn, { execution: 'eager' })
      await tf.setBackend('webgpu')
      const actual = [await eager(...inputs)].flat() as TensorLeaf[]
      await tf.setBackend('cpu')
      const expected = [await eager(...inputs)].flat() as TensorLeaf[]
      actual.forEach((result, i) => {
        expect([result.dtype, [...result.shape]]).toEqual([expected[i]!.dtype, [...expected[i]!.shape]])
        expect(relativeError(result.data, expected[i]!.data)).toBeLessThan(3e-4)
      })
    })
  }
})

const steps = full ? 10_000 : 300
test.runIf(adapter)(
  onGpu(`${steps} steps of descent leak nothing`, adapter),
  async () => {
    await useBackend('webgpu')
    const x = tf.tensor2d(floats([8, 4], 1).data as Float32Array, [8, 4])
    const w = tf.variable(tf.tensor2d(floats([4, 2], 2).data as Float32Array, [4, 2]))
    const loss = (): tf.Scalar => tf.mean(tf.square(tf.matMul(x, w))) as tf.Scalar
    const rule = tf.train.sgd(0.1)
    const step = async (count: number): Promise<number> => {
      for (let i = 0; i < count; i++) {
        rule.minimize(loss)
        // The card works behind: what is not waited for piles up in its queue.
        if (i % 50 === 49) await w.data()
      }
      const value = tf.tidy(loss)
      const [number] = await value.data()
      value.dispose()
      return number!
    }
    const first = await step(50)
    await step(steps / 5)
    const rss = settledRss()
    const before = { ...(tf.memory() as tf.MemoryInfo & { numBytesInGPU: number }) }
    const last = await step(steps)
    // Dawn's own caches take a thousand steps to fill.
    if (full) expect(settledRss() - rss).toBeLessThan(20 * 2 ** 20)
    const after = tf.memory() as typeof before
    expect([after.numTensors, after.numDataBuffers]).toEqual([before.numTensors, before.numDataBuffers])
    expect(after.numBytesInGPU).toBe(before.numBytesInGPU)
    expect(last).toBeLessThan(first)
    tf.dispose([x, w])
    rule.dispose()
  },
  1_800_000,
)

test.runIf(adapter)(
  onGpu('a process that used it ends by itself', adapter),
  () => {
    const program = `
    import { useBackend } from '@regimen/tensor'
    import * as tf from '@tensorflow/tfjs'
    await useBackend('webgpu')
    console.log((await tf.square(3).data())[0])
  `
    const { stdout, status, signal } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--conditions=@regimen/source', '--input-type=module', '--eval', program],
      { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8', timeout: 60_000 },
    )
    expect([stdout.trim(), status, signal]).toEqual(['9', 0, null])
  },
  90_000,
)
