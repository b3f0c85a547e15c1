import { createRng } from '@regimen/core'
import { onGpu, useSoftwareVulkan } from '@regimen/testing/gpu'
import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import {
  adam,
  compile,
  type DeviceName,
  flattenTree,
  hessianVectorProduct,
  meanSquaredError,
  mlp,
  type TensorLeaf,
  valueAndGradient,
} from '../src/index.ts'
import { floats, relativeError } from './support/arrays.ts'
import { hasAdapter, profileOnGpu, type Ran } from './support/gpu.ts'
import { KERNEL_CASES } from './support/kernel-cases.ts'
import { distance, leaf, NET_CASES, norm, parameters } from './support/net-cases.ts'

useSoftwareVulkan()
const adapter = await hasAdapter()
const full = process.env.REGIMEN_FULL === '1'

// The precision that WGSL promises for sines and logarithms is far coarser than float32's last bit.
const TOLERANCE = 3e-4

describe.runIf(adapter)(onGpu('every kernel with a lowering, on WebGPU against eager', adapter), () => {
  const seen: Record<string, Ran> = {}

  for (const { kernel, note, fn, inputs } of KERNEL_CASES) {
    // A kernel's first use always; its other sizes and options with --full.
    const isFirst = !Object.hasOwn(seen, kernel)
    seen[kernel] ??= { webgpu: [], cpu: [] }
    test.runIf(isFirst || full)(note ? `${kernel} ${note}` : kernel, async () => {
      const eager = compile(fn, { execution: 'eager' })
      const expected = [await eager(...inputs)].flat() as TensorLeaf[]
      const { results, ran } = await profileOnGpu(fn, inputs)
      if (isFirst) seen[kernel] = ran
      expect(results.length).toBe(expected.length)
      results.forEach((result, i) => {
        expect([result.dtype, [...result.shape]]).toEqual([expected[i]!.dtype, [...expected[i]!.shape]])
        expect(relativeError(result.data, expected[i]!.data)).toBeLessThan(TOLERANCE)
      })
    })
  }

  test('docs/compile-coverage.md says which provider runs each', async () => {
    await expect(`${JSON.stringify(seen, null, 1)}\n`).toMatchFileSnapshot('./support/kernel-providers.json')
  })
})

// Software takes seconds for each of the others; --full runs them.
const SAMPLE = new Set(['mlp', 'image classifier', 'hierarchical timeframes'])

describe.runIf(adapter)(onGpu('nets on WebGPU against the CPU, to second order', adapter), () => {
  for (const { name, net, input, context } of NET_CASES.filter((one) => full || SAMPLE.has(one.name))) {
    test(name, async () => {
      const { tree } = parameters(net, 'params')
      const objective = (params: unknown, at: tf.Tensor): tf.Tensor => {
        const y = net.apply(params, at, context)
        return meanSquaredError(y, tf.cos(tf.reshape(tf.range(0, y.size), y.shape)))
      }
      const all = (params: unknown, at: tf.Tensor) => [
        net.apply(params, at, context),
        valueAndGradient((p) => objective(p, at), params).gradient,
        hessianVectorProduct((p) => objective(p, at), params, params),
      ]
      const run = async (device: DeviceName): Promise<Float32Array[][]> => {
        const compiled = compile(all, { device })
        const parts = await compiled(tree as never, leaf(input, 'x'))
        await compiled.dispose()
        return parts.map((part) => flattenTree<TensorLeaf>(part).leaves.map(({ data }) => data as Float32Array))
      }
      const [card, cpu] = [await run('gpu'), await run('cpu')]
      card.forEach((arrays, order) => {
        const size = norm(cpu[order]!.flatMap((values) => Array.from(values)))
        arrays.forEach((data, i) => {
          expect(distance(data, cpu[order]![i]!)).toBeLessThanOrEqual(TOLERANCE * size)
        })
      })
    })
  }
})

test.runIf(adapter)(onGpu('three steps of Adam end where the CPU ends', adapter), async () => {
  const net = mlp({ sizes: [4, 16, 2], activation: 'tanh' })
  const rule = adam()
  type Params = Parameters<typeof net.apply>[0]
  type State = Parameters<typeof rule.apply>[1]['state']
  const run = async (device: DeviceName): Promise<Float32Array> => {
    const step = compile(
      (params: Params, state: State, x: tf.Tensor, y: tf.Tensor, rate: tf.Tensor) => {
        const { gradient } = valueAndGradient((p) => meanSquaredError(net.apply(p, x), y), params)
        return rule.apply(params, { gradients: gradient, state, rate })
      },
      { device },
    )
    let params = net.init(createRng(1))
    let state = rule.init(params)
    for (let i = 0; i < 3; i++) {
      const next = await step(params, state, floats([8, 4], 3), floats([8, 2], 4), 0.01)
      params = next.params
      state = next.state
    }
    await step.dispose()
    return Float32Array.from(flattenTree<TensorLeaf>(params).leaves.flatMap(({ data }) => Array.from(data)))
  }
  expect(relativeError(await run('gpu'), await run('cpu'))).toBeLessThan(TOLERANCE)
})

test.runIf(!adapter)('without an adapter the real runtime says NO_DEVICE', async () => {
  await expect(compile((x: tf.Tensor) => tf.square(x), { device: 'gpu' })(3)).rejects.toMatchObject({
    code: 'NO_DEVICE',
  })
})

test.runIf(adapter)(onGpu('auto measures the real card', adapter), async () => {
  const f = compile((x: tf.Tensor) => tf.square(x), { device: 'auto' })
  expect((await f(3)).data[0]).toBe(9)
  const { milliseconds, chosen } = f.explain()[0]!.device
  expect(Object.keys(milliseconds)).toEqual(['cpu', 'gpu'])
  expect(['cpu', 'gpu']).toContain(chosen)
  await f.dispose()
})
