import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { compile, disposeArrays, fetchArrays, useBackend } from '../src/index.ts'
import { floats } from './support/arrays.ts'
import { watchMemory } from './support/page-memory.ts'
import { batch, rule, start, update } from './support/small-step.ts'

const held = watchMemory()
const steps = process.env.REGIMEN_FULL === '1' ? 10_000 : 300
const minutes = process.env.REGIMEN_FULL === '1' ? 20 : 3
const gpu = (navigator as { gpu?: unknown }).gpu !== undefined

/** Runs a few steps, then many, and compares what the page holds after each; tensors to the last one. */
async function expectNoLeak(step: () => Promise<unknown>): Promise<void> {
  const run = async (count: number) => {
    for (let i = 0; i < count; i++) await step()
    return { tensors: tf.memory().numTensors, ...(await held()) }
  }
  const before = await run(steps / 3)
  const after = await run(steps)
  expect(after.tensors).toBe(before.tensors)
  expect(after.heap - before.heap).toBeLessThan(2e6)
  expect(after.wasm - before.wasm).toBeLessThan(2 ** 20)
  expect(after.buffers - before.buffers).toBeLessThan(10)
}

test(
  `${steps} compiled training steps on WebAssembly leave nothing behind, and learn`,
  async () => {
    const step = compile(update)
    let last = await step(start, rule.init(start), ...batch)
    const first = last.loss.data[0]!
    await expectNoLeak(async () => {
      last = await step(last.params, last.state, ...batch)
    })
    expect((await held()).wasm).toBeGreaterThan(2 ** 20)
    expect(last.loss.data[0]).toBeLessThan(first / 2)
    await step.dispose()
  },
  minutes * 60_000,
)

test.runIf(gpu)(
  `${steps} compiled training steps whose state stays on WebGPU leave nothing behind, and learn`,
  async () => {
    const step = compile(update, { device: 'gpu', outputs: 'device' })
    let last = await step(start, rule.init(start), ...batch)
    const first = (await last.loss.data())[0]!
    let done = 0
    await expectNoLeak(async () => {
      const next = await step(last.params, last.state, ...batch)
      disposeArrays(last)
      last = next
      // Reading what goes into the next step must not move it off the card.
      if (++done % 50 === 0) await fetchArrays(last.params)
    })
    expect((await held()).buffers).toBeGreaterThan(0)
    expect((await last.loss.data())[0]).toBeLessThan(first / 2)
    disposeArrays(last)
    await step.dispose()
  },
  minutes * 60_000,
)

test.runIf(gpu)(
  `${steps} steps of descent on tfjs's own WebGPU leave nothing behind, and learn`,
  async () => {
    expect((await useBackend('webgpu')).backend).toBe('webgpu')
    const numbers = (shape: [number, number], seed: number): tf.Tensor2D =>
      tf.tensor2d(floats(shape, seed).data as Float32Array, shape)
    const [x, w] = [numbers([8, 4], 1), tf.variable(numbers([4, 2], 2))]
    const loss = (): tf.Scalar => tf.mean(tf.square(tf.tanh(tf.matMul(x, w)))) as tf.Scalar
    const descent = tf.train.sgd(0.1)
    const read = async (): Promise<number> => {
      const value = tf.tidy(loss)
      const [number] = await value.data()
      value.dispose()
      return number!
    }
    const first = await read()
    let done = 0
    await expectNoLeak(async () => {
      descent.minimize(loss)
      if (++done % 50 === 0) await w.data()
    })
    expect(await read()).toBeLessThan(first)
    tf.dispose([x, w])
    descent.dispose()
    await useBackend('cpu')
  },
  minutes * 60_000,
)
