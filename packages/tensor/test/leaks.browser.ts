import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { adam, compile, mlp, valueAndGradient } from '../src/index.ts'
import { floats } from './support/arrays.ts'

const steps = process.env.REGIMEN_FULL === '1' ? 10_000 : 300

/** What the page's scripts hold, in bytes; Chromium rounds it coarsely. */
const heap = (): number => (performance as Performance & { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize

test(`${steps} compiled training steps hold no tensor and no memory, and learn`, async () => {
  const net = mlp({ sizes: [8, 16, 1] })
  const rule = adam()
  const step = compile((params: ReturnType<typeof net.init>, state: { [slot: string]: tf.Tensor }, x: tf.Tensor) => {
    const { value, gradient } = valueAndGradient(
      (p: typeof params) => tf.mean(tf.square(tf.sub(net.apply(p as never, x), tf.sum(x, 1, true)))),
      params,
    )
    return { loss: value, ...rule.apply(params, { gradients: gradient, state, rate: tf.scalar(1e-2) }) }
  })
  const x = floats([32, 8])
  let params: unknown = net.init(createRng(1))
  let state: unknown = rule.init(params as never)
  const losses: number[] = []
  const once = async (): Promise<void> => {
    const next = await step(params as never, state as never, x)
    params = next.params
    state = next.state
    losses.push(next.loss.data[0]!)
  }
  for (let i = 0; i < 50; i++) await once()
  const before = { tensors: tf.memory().numTensors, heap: heap() }
  for (let i = 0; i < steps; i++) await once()
  expect(tf.memory().numTensors).toBe(before.tensors)
  expect(heap() - before.heap).toBeLessThan(20e6)
  expect(losses.at(-1)!).toBeLessThan(losses[0]! / 20)
  await step.dispose()
}, 300_000)
