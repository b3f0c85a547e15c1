// A process that takes meta-gradients of many tasks and says how many bytes it came to beyond what one task takes.
import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { compile, mlp } from '@regimen/tensor'
import { maml, sampleFamily, sinusoids, stackTasks } from '../src/index.ts'

const [count, remat] = process.argv.slice(2)
const tasks = await sampleFamily(sinusoids({ shots: 10 }), { seed: 1 }).batch(0, Number(count))
const learner = maml({ net: mlp({ sizes: [1, 40, 40, 1] }), steps: 10, rate: 0.01, remat: remat === 'remat' })
const params = learner.init(createRng(1))
const step = compile(((weights: never, batch: never, innerRate: never, stepWeights: never) => {
  return learner.metaGradient(weights, batch, { innerRate, stepWeights, secondOrder: true }).gradient
}) as (...args: readonly unknown[]) => unknown)
const call = (some: typeof tasks): Promise<unknown> =>
  step(
    params as never,
    stackTasks(some) as never,
    learner.innerRate as never,
    learner.controls(0, 1).stepWeights as never,
  )

await call(tasks.slice(0, 1))
const before = process.resourceUsage().maxRSS
for (let i = 0; i < 3; i++) await call(tasks)
const bytes = (process.resourceUsage().maxRSS - before) * 1024
console.log(JSON.stringify({ bytes, alive: step.explain().at(-1)!.peakBytes }))
await step.dispose()
