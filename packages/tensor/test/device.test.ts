import { type Clock, RegimenError, type RegimenEvent, systemClock } from '@regimen/core'
import * as tf from '@tensorflow/tfjs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Graph } from '../src/compile/graph.ts'
import { narrowSplits } from '../src/compile/passes/narrow.ts'
import { asDeviceError } from '../src/compile/runtime/device-error.ts'
import {
  activation,
  compile,
  dense,
  dropout,
  sequential,
  type TensorLeaf,
  type TrainCheckpoint,
  train,
} from '../src/index.ts'
import { floats, relativeError } from './support/arrays.ts'
import type { FakeCard } from './support/fake-runtime.ts'
import { KERNEL_CASES } from './support/kernel-cases.ts'

// What the real runtimes throw, word for word.
const NO_ADAPTER =
  '/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters\n'
const LOST = 'WebGPU device lost (1): Device was lost.'
const MEMORY = 'Non-zero status code returned while running MatMul node. Status Message: Out of memory'

const { card } = vi.hoisted(() => ({ card: {} as FakeCard }))
vi.mock('../src/compile/runtime/onnxruntime.ts', async (load) => {
  const real = await load<typeof import('../src/compile/runtime/onnxruntime.ts')>()
  const { fakeRuntimes } = await import('./support/fake-runtime.ts')
  return { ...real, findRuntime: fakeRuntimes(card, real.findRuntime) }
})

const square = (x: tf.Tensor): tf.Tensor => tf.square(x)
const input = Float32Array.of(1, 2, 3)
const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: RegimenError) => error.code,
  )

beforeEach(() => {
  for (const key of Object.keys(card)) delete (card as unknown as Record<string, unknown>)[key]
  Object.assign(card, { started: 0, disposed: 0, runs: 0 })
})
afterEach(() => vi.restoreAllMocks())

describe('a device asked for by name', () => {
  test('runs the graph, and explain() says so', async () => {
    const f = compile(square, { device: 'gpu' })
    expect(Array.from((await f(input)).data)).toEqual([1, 4, 9])
    expect(f.explain()[0]!.device).toEqual({
      chosen: 'gpu',
      provider: 'webgpu',
      reason: 'gpu was asked for.',
      milliseconds: {},
    })
    await f.dispose()
    expect([card.started, card.disposed]).toEqual([1, 1])
    const plain = compile(square)
    await plain(input)
    expect(plain.explain()[0]!.device).toMatchObject({ chosen: 'cpu', provider: 'cpu' })
    await plain.dispose()
    const nvidia = compile(square, { device: 'cuda' })
    await nvidia(input)
    expect(nvidia.explain()[0]!.device).toMatchObject({ chosen: 'cuda', provider: 'cuda' })
    await nvidia.dispose()
  })

  test('without an adapter it is NO_DEVICE, with the way out', async () => {
    card.failStart = NO_ADAPTER
    const f = compile(square, { device: 'gpu' })
    await expect(f(input)).rejects.toThrow(
      "[tensor/compile] the device gpu cannot be used here: Failed to get a WebGPU adapter: No supported adapters. Use a machine, browser or driver that offers one, or { device: 'auto' }, which takes the CPU where there is none.",
    )
    expect(await code(f(input))).toBe('NO_DEVICE')
    // A driver that arrives later is used.
    delete card.failStart
    expect(Array.from((await f(input)).data)).toEqual([1, 4, 9])
    await f.dispose()
  })

  test('a full card is DEVICE_MEMORY and keeps its session', async () => {
    Object.assign(card, { failRun: MEMORY })
    const f = compile(square, { device: 'gpu' })
    await expect(f(input)).rejects.toThrow('the device gpu ran out of memory: Out of memory. Use smaller batches')
    expect(Array.from((await f(input)).data)).toEqual([1, 4, 9])
    expect(card.started).toBe(1)
    await f.dispose()
  })

  test('a lost card is DEVICE_LOST, and the next call starts anew', async () => {
    Object.assign(card, { failRun: LOST, runsBefore: 1 })
    const f = compile(square, { device: 'gpu' })
    await f(input)
    await expect(f(input)).rejects.toThrow('the device gpu was lost while it worked: WebGPU device lost')
    expect(Array.from((await f(input)).data)).toEqual([1, 4, 9])
    expect([card.started, card.disposed]).toEqual([2, 1])
    await f.dispose()
  })

  test('a device of another name is refused', () => {
    expect(() => compile(square, { device: 'tpu' as 'cpu' })).toThrow(
      'device must be one of cpu, gpu, cuda, auto, got "tpu"',
    )
  })
})

describe('what a card runs instead of operations that WebGPU lacks, here on the CPU', () => {
  for (const { kernel, note, fn, inputs } of KERNEL_CASES.filter((one) => /Pool|Backprop/.test(one.kernel))) {
    test(`${kernel} ${note}`, async () => {
      const eager = compile(fn, { execution: 'eager' })
      const compiled = compile(fn, { device: 'gpu' })
      const expected = [await eager(...inputs)].flat() as TensorLeaf[]
      const actual = [await compiled(...inputs)].flat() as TensorLeaf[]
      await compiled.dispose()
      actual.forEach((result, i) => {
        expect([...result.shape]).toEqual([...expected[i]!.shape])
        expect(relativeError(result.data, expected[i]!.data)).toBeLessThan(1e-5)
      })
    })
  }

  test('of equal maxima the first gets the gradient, as on the CPU', async () => {
    const pool = (x: tf.Tensor): tf.Tensor => tf.grad((v: tf.Tensor) => tf.maxPool(v as tf.Tensor4D, 2, 1, 'same'))(x)
    const x: TensorLeaf = { dtype: 'float32', shape: [1, 2, 3, 1], data: Float32Array.of(5, 5, 1, 5, -2, -2) }
    const [card, cpu] = [compile(pool, { device: 'gpu' }), compile(pool)]
    // Windows start at every place and hang over at the right and below; the first 5 wins the first window, and so on.
    expect(Array.from((await card(x)).data)).toEqual([1, 1, 1, 1, 1, 1])
    expect((await cpu(x)).data).toEqual((await card(x)).data)
    await card.dispose()
    await cpu.dispose()
  })

  test('no split has more parts than a shader may touch', async () => {
    const parts = (x: tf.Tensor) => {
      const columns = tf.split(x, 60, 1)
      return { columns, back: tf.concat([...columns].reverse(), 1) }
    }
    const x = floats([2, 60], 5)
    const f = compile(parts, { device: 'gpu' })
    const { columns, back } = await f(x)
    await f.dispose()
    columns.forEach(({ data }, i) => {
      expect(Array.from(data)).toEqual([x.data[i], x.data[60 + i]])
    })
    expect(Array.from(back.data.subarray(0, 60))).toEqual(Array.from(x.data.subarray(0, 60)).reverse())
    const add = (graph: Graph, shape: number[]): number =>
      graph.values.push({ id: graph.values.length, shape, type: 'float32' }) - 1
    const graph: Graph = { values: [], nodes: [], inputs: [], outputs: [] }
    const whole = add(graph, [60])
    const sizes = add(graph, [60])
    graph.nodes = [
      {
        op: 'Split',
        inputs: [whole, sizes],
        outputs: Array.from({ length: 60 }, () => add(graph, [1])),
        attrs: { axis: 0 },
      },
    ]
    const { outputs } = graph.nodes[0]!
    narrowSplits(graph)
    expect(Math.max(...graph.nodes.map((node) => node.outputs.length))).toBeLessThanOrEqual(7)
    const made = new Set(graph.nodes.flatMap((node) => node.outputs))
    expect(outputs.every((id) => made.has(id))).toBe(true)
  })
})

describe('the words of the runtimes', () => {
  test.each([
    ['NO_DEVICE', NO_ADAPTER],
    [
      'NO_DEVICE',
      'no available backend found. ERR: [webgpu] Error: Failed to get GPU adapter. navigator.gpu is undefined',
    ],
    ['NO_DEVICE', 'Failed to load library libonnxruntime_providers_cuda.so with error: cannot open shared object file'],
    ['NO_DEVICE', 'CUDA failure 100: no CUDA-capable device is detected'],
    ['DEVICE_MEMORY', 'CUDA failure 2: out of memory ; GPU=0'],
    ['DEVICE_MEMORY', 'Error: Buffer size (4294967296) exceeds the max buffer size limit (268435456).'],
    ['DEVICE_MEMORY', 'std::bad_alloc'],
    ['DEVICE_LOST', 'vkQueueSubmit failed with VK_ERROR_DEVICE_LOST'],
    ['DEVICE_LOST', 'Failed to allocate memory: the device was lost.'],
  ])('%s: %s', (expected, message) => {
    expect(asDeviceError(new Error(message), 'gpu')).toMatchObject({ code: expected, where: 'tensor/compile' })
  })

  test('what is no fault of the device stays as it was', () => {
    const other = new Error('Invalid rank for input: 0')
    const own = new RegimenError('mine', { code: 'DTYPE', where: 'tensor/compile' })
    expect(asDeviceError(other, 'gpu')).toBe(other)
    expect(asDeviceError(own, 'gpu')).toBe(own)
    const memory = new Error('out of memory')
    expect(asDeviceError(memory, 'cpu')).toBe(memory)
  })
})

describe('auto', () => {
  /** Every call of a device takes as many milliseconds as given here. */
  const timed = (cost: Readonly<Partial<Record<string, number>>>): void => {
    let time = 0
    card.onRun = (device) => {
      time += cost[device] ?? 0
    }
    vi.spyOn(systemClock as Clock, 'monotonic').mockImplementation(() => time)
  }

  test('keeps the faster, measured once for a form of arguments', async () => {
    timed({ gpu: 2 })
    const slow = compile(square, { device: 'auto' })
    expect(Array.from((await slow(input)).data)).toEqual([1, 4, 9])
    expect(slow.explain()[0]!.device).toEqual({
      chosen: 'cpu',
      provider: 'cpu',
      reason: 'cpu is the fastest that works here (cpu 0.000 ms, gpu 2.000 ms a call).',
      milliseconds: { cpu: 0, gpu: 2 },
    })
    await slow(input)
    expect([card.started, card.disposed]).toEqual([1, 1])
    await slow.dispose()
    timed({ gpu: -2 })
    const fast = compile(square, { device: 'auto', maxSessions: 1 })
    await fast.warmup([[{ dtype: 'float32', shape: [3] }]])
    expect(fast.explain()[0]!.device).toMatchObject({ chosen: 'gpu', provider: 'webgpu' })
    // Another form closes the session; opened again, it is not measured again.
    await fast(new Float32Array(4))
    const started = card.started
    await fast(input)
    expect(card.started - started).toBe(1)
    await fast.dispose()
    expect(card.disposed).toBe(card.started)
  })

  test('counts the best of the calls after the first, which warms up', async () => {
    // Warm-up, then 3, 1 and 60 ms; the last passes the 50 ms that a device is measured for.
    const costs = [0.5, 3, 1, 60]
    let time = 0
    card.onRun = (device) => {
      if (device === 'gpu') time += costs.shift() ?? 1000
    }
    vi.spyOn(systemClock as Clock, 'monotonic').mockImplementation(() => time)
    const f = compile(square, { device: 'auto' })
    await f(input)
    expect(f.explain()[0]!.device.milliseconds).toEqual({ cpu: 0, gpu: 1 })
    expect(costs).toEqual([])
    await f.dispose()
  })

  test('works without an adapter', async () => {
    card.failStart = NO_ADAPTER
    const f = compile(square, { device: 'auto' })
    expect(Array.from((await f(input)).data)).toEqual([1, 4, 9])
    const { chosen, reason } = f.explain()[0]!.device
    expect(chosen).toBe('cpu')
    expect(reason).toContain('passed over gpu NO_DEVICE')
    await f.dispose()
  })

  test.each([
    ['DEVICE_LOST', LOST],
    ['DEVICE_MEMORY', MEMORY],
  ])('goes on with the CPU at %s', async (name, message) => {
    timed({ gpu: -2 })
    const f = compile(square, { device: 'auto' })
    await f(input)
    expect(f.explain()[0]!.device.chosen).toBe('gpu')
    Object.assign(card, { failRun: message, runs: 0 })
    expect(Array.from((await f(input)).data)).toEqual([1, 4, 9])
    expect(f.explain()[0]!.device).toMatchObject({
      chosen: 'cpu',
      provider: 'cpu',
      reason: `cpu took over when gpu failed (${name}).`,
    })
    await f.dispose()
    expect(card.disposed).toBe(card.started)
  })
})

describe('training over a lost device', () => {
  const net = sequential([
    dense({ inputs: 3, outputs: 4 }),
    activation('tanh'),
    dropout(0.4),
    dense({ inputs: 4, outputs: 1 }),
  ])
  const data = { x: floats([20, 3], 1), y: floats([20, 1], 2) }
  const options = { epochs: 6, batchSize: 8, rate: 0.02, seed: 5, compile: { device: 'gpu' as const } }

  test('repeats the step, and ends where it would have ended', async () => {
    const whole = await train(net, data, options)
    Object.assign(card, { failRun: LOST, runsBefore: 7 })
    const events: RegimenEvent[] = []
    const result = await train(net, data, { ...options, onEvent: (event) => events.push(event) })
    expect(result.params).toEqual(whole.params)
    expect(result.recoveries).toBe(1)
    // 3 batches an epoch: the eighth step is the second of epoch 3.
    expect(events).toMatchObject([{ type: 'tensor/device-lost', data: { epoch: 3, update: 7 } }])
  })

  test('repeats all parts of an update, with the same draws', async () => {
    const parts = { ...options, accumulate: 2 }
    const whole = await train(net, data, parts)
    // An epoch runs part, part, update, part, update: the eighth run is the first update of epoch 2.
    Object.assign(card, { failRun: LOST, runsBefore: 7 })
    const events: RegimenEvent[] = []
    const result = await train(net, data, { ...parts, onEvent: (event) => events.push(event) })
    expect(result.params).toEqual(whole.params)
    expect(events).toMatchObject([{ type: 'tensor/device-lost', data: { epoch: 2, update: 2 } }])
  })

  test('goes on from the last checkpoint in another process, on another device', async () => {
    const whole = await train(net, data, options)
    Object.assign(card, { failRun: LOST, runsBefore: 7 })
    let last: TrainCheckpoint<Parameters<typeof net.apply>[0]> | undefined
    const onCheckpoint = (checkpoint: typeof last): void => {
      last = checkpoint
    }
    expect(await code(train(net, data, { ...options, recoveries: 0, onCheckpoint }))).toBe('DEVICE_LOST')
    expect(last!.epochs).toHaveLength(2)
    const resumed = await train(net, data, { ...options, compile: {}, resume: structuredClone(last!) })
    expect(resumed.params).toEqual(whole.params)
    expect(resumed.state).toEqual(whole.state)
    expect(resumed.epochs).toEqual(whole.epochs)
  })
})
