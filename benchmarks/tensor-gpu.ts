import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { sampleFamily, sinusoids } from '@regimen/meta'
import {
  adam,
  compile,
  type DeviceName,
  dense,
  type Fetched,
  mlp,
  type Net,
  type RuleState,
  sequential,
  softmaxCrossEntropy,
  transformerBlock,
  useBackend,
  valueAndGradient,
} from '@regimen/tensor'
import { useSoftwareVulkan } from '@regimen/testing/gpu'
import * as tf from '@tensorflow/tfjs-core'
import { bench, type Figure, interleave, runHere, timing } from './harness.ts'
import { metaGradient } from './tensor-metagradient.lib.ts'

const SIZES = [25, 250, 2500, 25_000]
const DEVICES = ['cpu', 'gpu'] as const
/** Sizes at which one call is expected to take longer are left out. */
const LONGEST_MS = 60_000

type Figures = { [name: string]: Figure }

/** What computes for `gpu`, by the name that Dawn gives it; undefined where nothing does. */
async function nameAdapter(): Promise<string | undefined> {
  useSoftwareVulkan()
  try {
    await useBackend('webgpu')
    const { gpu } = navigator as unknown as Adapters
    const info = (await gpu.requestAdapter({ powerPreference: 'high-performance' }))!.info
    const name = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(' ')
    return `${name} (${isSoftware(name) ? 'software' : 'card'})`
  } catch (error) {
    if ((error as { code?: string }).code === 'BACKEND_UNAVAILABLE') return undefined
    throw error
  } finally {
    await tf.setBackend('cpu')
  }
}

const isSoftware = (adapter = ''): boolean => /swiftshader|llvmpipe|lavapipe|basic render/i.test(adapter)

type Adapters = { gpu: { requestAdapter(options: object): Promise<{ info: Record<string, string> } | null> } }

/** Median of as many calls as a few seconds hold, after one that warms up. */
async function time(call: () => Promise<unknown>, runs: number): Promise<number> {
  await call()
  const times: number[] = []
  const begin = performance.now()
  while (times.length < runs && (times.length < 3 || performance.now() - begin < 5000)) {
    const start = performance.now()
    await call()
    times.push(performance.now() - start)
    if (times[0]! > 5000) break
  }
  return timing(times).median
}

/** One training step with Adam, parameters in and out. */
function training<P>(net: Net<P>, shape: number[], device: DeviceName): () => Promise<unknown> {
  const rule = adam()
  const rng = createRng(1)
  const step = compile(
    (params: P, state: RuleState<tf.Tensor>, x: tf.Tensor, y: tf.Tensor) => {
      const { value, gradient } = valueAndGradient((p: P) => softmaxCrossEntropy(net.apply(p, x), y), params)
      return { loss: value, ...rule.apply(params, { gradients: gradient, state, rate: tf.scalar(1e-3) }) }
    },
    { device },
  )
  const size = shape.reduce((a, b) => a * b, 1)
  const x = { dtype: 'float32' as const, shape, data: Float32Array.from({ length: size }, () => rng.normal()) }
  const y = Int32Array.from({ length: shape[0]! }, () => rng.int(0, 3))
  const params: Fetched<P> = net.init(rng)
  const state = rule.init(params)
  return () => step(params as never, state, x, y)
}

function sizesOf(args: readonly string[]): number[] {
  const at = args.findIndex((arg) => arg === '--sizes' || arg.startsWith('--sizes='))
  if (at < 0) return SIZES
  const text = args[at]!.includes('=') ? args[at]!.split('=')[1]! : (args[at + 1] ?? '')
  const sizes = text.split(',').map(Number)
  if (sizes.some((size) => !Number.isInteger(size) || size < 1)) throw new Error(`--sizes must be counts, got ${text}.`)
  return sizes
}

export default bench({
  name: 'tensor-gpu',
  description:
    'CPU against GPU: meta-gradient of --sizes 25,250,2500,25000 tasks, training steps, memory with remat (--record keeps them)',
  async run(context) {
    const adapter = await nameAdapter()
    const devices = adapter === undefined ? (['cpu'] as const) : DEVICES
    const figures: Figures = { adapter: adapter ?? 'none: there is no WebGPU adapter, so only the CPU is measured' }
    const runs = context.number('runs', 20)
    const measured: { [name: string]: number } = {}
    const measure = async (name: string, call: () => Promise<unknown>): Promise<void> => {
      try {
        measured[name] = await time(call, runs)
        const note = name.includes('gpu') ? `on ${isSoftware(adapter) ? 'software' : 'the card'}` : 'one thread'
        figures[name] = { value: measured[name], unit: 'ms', note }
      } catch (error) {
        figures[name] = `failed: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`
      }
      context.log(`${name}: ${measured[name]?.toFixed(2) ?? figures[name]}`)
    }
    const family = sampleFamily(sinusoids({ shots: 10 }), { seed: 1 })
    const sizes = sizesOf(context.args).sort((a, b) => a - b)
    const compared: number[] = []
    for (const [i, size] of sizes.entries()) {
      const tasks = await family.batch(0, size)
      for (const device of devices) {
        const name = `metagrad_${size}_${device}_ms`
        const before = sizes[i - 1]
        if (before !== undefined) {
          const expected = (measured[`metagrad_${before}_${device}_ms`] ?? Number.POSITIVE_INFINITY) * (size / before)
          if (!(expected <= LONGEST_MS)) {
            const reason = Number.isFinite(expected)
              ? `about ${(expected / 1000).toFixed(0)} s a call expected`
              : 'as before'
            figures[name] = `left out: ${reason}`
            context.log(`${name}: ${figures[name]}`)
            continue
          }
        }
        const { step, call } = metaGradient(1, false, device)
        await measure(name, () => call(tasks))
        await step.dispose()
      }
      const [cpu, gpu] = [measured[`metagrad_${size}_cpu_ms`], measured[`metagrad_${size}_gpu_ms`]]
      if (cpu !== undefined && gpu !== undefined) {
        compared.push(size)
        figures[`metagrad_${size}_gpu_over_cpu`] = gpu / cpu
        if (gpu < cpu && figures.crossing_tasks === undefined) {
          figures.crossing_tasks = { value: size, unit: 'tasks', note: 'the fewest at which the GPU was faster' }
        }
      }
    }
    figures.crossing_tasks ??=
      compared.length === 0
        ? 'not known: no size ran on both'
        : `none: the CPU was faster at every size that ran on both (${compared.join(', ')})`
    const perceptron = mlp({ sizes: [45, 128, 64, 3] })
    const block = { features: 32, heads: 4, hidden: 64, causal: true }
    const transformer = sequential([transformerBlock(block), dense({ inputs: 32, outputs: 3 })])
    for (const device of devices) {
      await measure(`mlp_${device}_ms`, training(perceptron, [64, 45], device))
      const last: typeof transformer = {
        ...transformer,
        apply: (params, x, more) => tf.mean(transformer.apply(params, x, more), 1),
      }
      await measure(`transformer_${device}_ms`, training(last, [16, 24, 32], device))
    }
    const [steps, count] = [context.number('remat-steps', 10), context.number('remat-tasks', 250)]
    const tasks = await family.batch(0, count)
    const [kept, remat] = [metaGradient(steps, false, 'cpu'), metaGradient(steps, true, 'cpu')]
    const { timings, ratios } = await interleave(
      { kept: () => kept.call(tasks), remat: () => remat.call(tasks) },
      { runs, warmup: 2 },
    )
    const note = `${steps} inner steps, ${count} tasks`
    for (const [label, { step }] of Object.entries({ kept, remat })) {
      const { median, spread } = timings[label as keyof typeof timings]
      figures[`${label}_ms`] = { value: median, unit: 'ms', spread, note }
      const megabytes = step.explain()[0]!.peakBytes / 1e6
      figures[`${label}_megabytes`] = { value: megabytes, unit: 'MB', note: 'values alive at once in the graph' }
      await step.dispose()
      const { megabytes: resident } = await runHere<{ megabytes: number }>('tensor-remat.lib.ts', [
        steps,
        2500,
        label === 'remat' ? 1 : 0,
      ])
      const own = '2,500 tasks in a process of its own, over what one task takes'
      figures[`${label}_resident_megabytes`] = { value: resident, unit: 'MB', note: own }
    }
    figures.remat_over_kept = ratios.remat
    return { figures }
  },
})
