// One process that meta-learns with or without rematerialization and says how much memory it came to: tensor-gpu starts it
// twice, because what a process once took it rarely gives back.
import '@tensorflow/tfjs'
import { sampleFamily, sinusoids } from '@regimen/meta'
import { metaGradient } from './tensor-metagradient.lib.ts'

const [steps, count, remat] = process.argv.slice(2).map(Number) as [number, number, number]
const tasks = await sampleFamily(sinusoids({ shots: 10 }), { seed: 1 }).batch(0, count)
const { call, step } = metaGradient(steps, remat === 1, 'cpu')
// A single task records and starts the same code, so what comes on top is the batch's.
await call(tasks.slice(0, 1))
const before = process.resourceUsage().maxRSS
for (let i = 0; i < 3; i++) await call(tasks)
const after = process.resourceUsage().maxRSS
console.log(JSON.stringify({ megabytes: ((after - before) * 1024) / 1e6 }))
await step.dispose()
