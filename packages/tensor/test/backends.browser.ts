import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { compile, useBackend } from '../src/index.ts'

/** What the test asks of WebGPU itself. */
interface Gpu {
  requestAdapter(): Promise<{ readonly info: { readonly architecture: string; readonly description: string } } | null>
}

// Runs in a page only: see the gate `browser`.

test('the wasm files are found without configuration, and compiled functions run on onnxruntime-web', async () => {
  const { backend } = await useBackend('wasm')
  expect([backend, tf.getBackend()]).toEqual(['wasm', 'wasm'])
  const squares = tf.tidy(() => tf.square(tf.tensor1d([1, 2, 3])).dataSync())
  expect(Array.from(squares)).toEqual([1, 4, 9])
  const slope = compile((x: tf.Tensor) => tf.grad((v: tf.Tensor) => tf.sum(tf.square(v)))(x))
  const { data } = await slope(Float32Array.of(1, 2, 3))
  expect(Array.from(data)).toEqual([2, 4, 6])
  expect(slope.explain()[0]!.runtime).toContain('onnxruntime-web')
  await slope.dispose()
})

test('auto takes WebGPU where the browser has a real card, else WebAssembly, and says why', async () => {
  const adapter = (await (navigator as { gpu?: Gpu }).gpu?.requestAdapter()) ?? undefined
  const card = adapter && !/swiftshader|llvmpipe/i.test(`${adapter.info.architecture} ${adapter.info.description}`)
  const { backend, skipped } = await useBackend('auto')
  if (card) expect([backend, skipped]).toEqual(['webgpu', []])
  else {
    const reason = adapter ? 'its adapter is software' : expect.stringMatching(/missing|no WebGPU adapter/)
    expect([backend, skipped]).toEqual(['wasm', [{ backend: 'webgpu', reason }]])
  }
})

test('what needs Node is refused', async () => {
  await expect(useBackend('node')).rejects.toThrow('this is not Node')
})
