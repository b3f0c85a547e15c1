import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, expect, test } from 'vitest'
import { compile, useBackend } from '../src/index.ts'

afterAll(() => useBackend('cpu'))

test('a backend asked for by name is used', async () => {
  for (const name of ['cpu', 'wasm'] as const) {
    const report = await useBackend(name)
    expect([report.backend, tf.getBackend()]).toEqual([name, name])
    expect(report.reason).toContain(`${name} was asked for`)
    expect(Array.from(tf.tidy(() => tf.add([1, 2], [3, 4]).dataSync()))).toEqual([4, 6])
  }
})

test('auto passes over what is not installed and says so', async () => {
  const report = await useBackend('auto')
  expect(report.skipped[0]).toEqual({
    backend: 'node',
    reason: '@tensorflow/tfjs-node is not installed or does not load',
  })
  expect(report.reason).toContain('passed over node')
  // A card that is software, or none, is passed over for WASM.
  if (report.backend !== 'webgpu') {
    expect(report.backend).toBe('wasm')
    expect(report.skipped[1]!.reason).toMatch(/^(there is no WebGPU adapter|its adapter is software)$/)
  }
})

test('what cannot work is refused with the way out', async () => {
  await expect(useBackend('node')).rejects.toThrow('npm install @tensorflow/tfjs-node')
  await expect(useBackend('gpu' as 'cpu')).rejects.toThrow('must be cpu, wasm, webgpu, node or auto, got "gpu"')
})

test('compiled functions work whatever the backend, and leave it as it was', async () => {
  await useBackend('wasm')
  const f = compile((x: tf.Tensor) => tf.square(x))
  const x = tf.tensor1d([3])
  expect(Array.from((await f(x)).data)).toEqual([9])
  expect(tf.getBackend()).toBe('wasm')
  x.dispose()
  await f.dispose()
})
