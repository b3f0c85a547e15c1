import { onGpu, useSoftwareVulkan } from '@regimen/testing/gpu'
import * as tf from '@tensorflow/tfjs'
import * as ort from 'onnxruntime-node'
import { describe, expect, test, vi } from 'vitest'
import {
  compile,
  DeviceArray,
  type DeviceName,
  disposeArrays,
  fetchArrays,
  mapTree,
  type TensorLeaf,
} from '../src/index.ts'
import { relativeError } from './support/arrays.ts'
import { hasAdapter } from './support/gpu.ts'
import { collect, settledRss } from './support/node-memory.ts'
import { batch, rule, start, update } from './support/small-step.ts'

useSoftwareVulkan()
const adapter = await hasAdapter()
const full = process.env.REGIMEN_FULL === '1'

describe.each<DeviceName>(['cpu', 'gpu'])('state that stays on the %s', (device) => {
  const here = device === 'cpu' || adapter
  const on = (name: string): string => (device === 'cpu' ? name : onGpu(name, adapter))

  test.runIf(here)(
    on('goes from step to step and ends with the numbers of plain arrays'),
    async () => {
      const plain = compile(update)
      const kept = compile(update, { device, outputs: 'device' })
      let [p, s] = [start, rule.init(start)]
      for (let i = 0; i < 5; i++) {
        const next = await plain(p, s, ...batch)
        p = next.params
        s = next.state
      }
      let last = await kept(start, rule.init(start), ...batch)
      for (let i = 1; i < 5; i++) {
        const next = await kept(last.params, last.state, ...batch)
        disposeArrays(last)
        last = next
      }
      expect(last.loss.device).toBe(device)
      expect([last.loss.dtype, [...last.loss.shape]]).toEqual(['float32', []])
      const numbers = (tree: unknown): number[] => {
        const all: number[] = []
        mapTree((leaf: TensorLeaf) => all.push(...leaf.data), tree)
        return all
      }
      expect(relativeError(numbers(await fetchArrays(last.params)), numbers(p))).toBeLessThan(3e-4)
      // One form of arguments: what the first step took from plain arrays and what it gave back fit the same graph.
      expect(kept.explain().length).toBe(1)
      await plain.dispose()
      await kept.dispose()
      // The numbers outlive the function.
      expect((await last.loss.data()).length).toBe(1)
      disposeArrays(last)
    },
    120_000,
  )

  test.runIf(here)(on('keeps every dtype and shape, also an empty one'), async () => {
    const f = compile(
      (x: tf.Tensor, n: tf.Tensor, b: tf.Tensor) => [
        tf.neg(x),
        tf.add(n, tf.scalar(1, 'int32')),
        tf.logicalNot(b),
        tf.slice(x, [0, 0], [0, 2]),
      ],
      { device, outputs: 'device' },
    )
    const inputs = [
      { dtype: 'float32' as const, shape: [2, 2], data: Float32Array.of(1, -2, 3, -4) },
      Int32Array.of(5, -7, 100_000),
      Uint8Array.of(1, 0, 1, 1, 0),
    ] as const
    const results = await f(...inputs)
    const twice = await f(results[0]!, results[1]!, results[2]!)
    const read = await fetchArrays([...results, ...twice])
    expect(read.map(({ dtype, shape, data }) => [dtype, [...shape], Array.from(data)])).toEqual([
      ['float32', [2, 2], [-1, 2, -3, 4]],
      ['int32', [3], [6, -6, 100_001]],
      ['bool', [5], [0, 1, 0, 0, 1]],
      ['float32', [0, 2], []],
      ['float32', [2, 2], [1, -2, 3, -4]],
      ['int32', [3], [7, -5, 100_002]],
      ['bool', [5], [1, 0, 1, 1, 0]],
      ['float32', [0, 2], []],
    ])
    disposeArrays([results, twice])
    await f.dispose()
  })

  test.runIf(here)(on('can be passed to functions of any device and kind, and not after it was freed'), async () => {
    const kept = compile((x: tf.Tensor) => tf.square(x), { device, outputs: 'device' })
    const square = await kept(Float32Array.of(1, 2, 3))
    expect(square).toBeInstanceOf(DeviceArray)
    for (const options of [{}, { device }, { execution: 'eager' as const }]) {
      const sum = compile((x: tf.Tensor) => tf.sum(x), options)
      expect((await sum(square)).data[0]).toBe(14)
      await sum.dispose()
    }
    square.dispose()
    square.dispose()
    await expect(kept(square)).rejects.toMatchObject({ code: 'DISPOSED' })
    await kept.dispose()
  })

  test.runIf(here)(
    on('gives the memory of 300 results of a megabyte back'),
    async () => {
      const kept = compile((x: tf.Tensor) => tf.add(x, 1), { device, outputs: 'device' })
      let last = await kept(new Float32Array(2 ** 18))
      const before = settledRss()
      for (let i = 0; i < 300; i++) {
        const next = await kept(last)
        last.dispose()
        last = next
      }
      expect(settledRss() - before).toBeLessThan(100 * 2 ** 20)
      expect((await last.data())[2 ** 18 - 1]).toBe(301)
      last.dispose()
      await kept.dispose()
    },
    300_000,
  )

  const steps = full ? 10_000 : 300
  test.runIf(here)(
    on(`does not leak over ${steps} steps`),
    async () => {
      const kept = compile(update, { device, outputs: 'device' })
      let last = await kept(start, rule.init(start), ...batch)
      const first = (await last.loss.data())[0]!
      const tensors = tf.memory().numTensors
      const run = async (count: number): Promise<number> => {
        for (let i = 0; i < count; i++) {
          const next = await kept(last.params, last.state, ...batch)
          disposeArrays(last)
          last = next
        }
        return settledRss()
      }
      const before = await run(steps / 5)
      const grown = (await run(steps)) - before
      expect(tf.memory().numTensors).toBe(tensors)
      // The runtime's own caches take a thousand steps to fill.
      if (full) expect(grown).toBeLessThan(20 * 2 ** 20)
      expect((await last.loss.data())[0]).toBeLessThan(first)
      disposeArrays(last)
      await kept.dispose()
    },
    1_800_000,
  )
})

test.runIf(adapter)(
  onGpu('a loop that reads nothing waits for the card at every 32nd call', adapter),
  async () => {
    const kept = compile((x: tf.Tensor) => [tf.neg(x), tf.sum(x)], { device: 'gpu', outputs: 'device' })
    let last = await kept(Float32Array.of(1, 2, 4))
    const run = vi.spyOn((ort.InferenceSession as unknown as { prototype: ort.InferenceSession }).prototype, 'run')
    for (let i = 1; i < 64; i++) {
      const next = await kept(last[0]!)
      disposeArrays(last)
      last = next
    }
    // 63 calls, and two that copy the smallest result: the sum, which is one number.
    expect(run).toHaveBeenCalledTimes(63 + 2)
    const copied = run.mock.calls.flatMap(([feeds]) => (feeds.in ? [feeds.in.dims] : []))
    expect(copied).toEqual([[1], [1]])
    run.mockRestore()
    expect(Array.from(await last[0]!.data())).toEqual([1, 2, 4])
    disposeArrays(last)
    await kept.dispose()
  },
  120_000,
)

test('memory is given back once: at dispose, or when a forgotten array is collected', async () => {
  const freed = { disposed: 0, forgotten: 0 }
  const make = (name: keyof typeof freed) =>
    new DeviceArray('float32', [1], 'gpu', {
      handle: undefined,
      read: async () => Float32Array.of(1),
      free: () => {
        freed[name]++
      },
    })
  const own = make('disposed')
  own.dispose()
  expect(freed.disposed).toBe(1)
  own.dispose()
  // Nobody holds these any more; more of them than one, as the last may still lie on the stack.
  const forget = (): void => {
    for (let i = 0; i < 100; i++) {
      make('forgotten')
      make('disposed').dispose()
    }
  }
  forget()
  for (let turn = 0; turn < 1000 && freed.forgotten < 99; turn++) {
    collect()
    await new Promise(setImmediate)
  }
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  expect(freed.forgotten).toBeGreaterThanOrEqual(99)
  expect(freed.disposed).toBe(101)
})

test('without a runtime the face is the same', async () => {
  const f = compile((x: tf.Tensor) => tf.square(x), { execution: 'eager', outputs: 'device' })
  const square = await f(Float32Array.of(3))
  expect(square.device).toBe('cpu')
  expect(Array.from(await square.data())).toEqual([9])
})

test('arrays that stay cannot be padded', () => {
  expect(() =>
    compile((x: tf.Tensor) => x, { outputs: 'device', buckets: { sizes: [4], inputs: { '0': 0 } } }),
  ).toThrow("outputs: 'device' cannot be padded to buckets")
})
