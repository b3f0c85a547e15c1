// A net that has practised on sine waves fits a new one from ten points in one step; a net that has not, does not.
import assert from 'node:assert/strict'
import '@tensorflow/tfjs'
import { adapt, evaluate, metaSgd, metaTrain, sampleFamily, sinusoids } from '@regimen/meta'
import { mlp } from '@regimen/tensor'

const family = sinusoids({ shots: 10, queries: 20 })
const learner = metaSgd({ net: mlp({ sizes: [1, 40, 40, 1] }), rate: 0.01 })

// 1. Practise: every iteration sees 16 sine waves that never come back.
const { model, iterations, stopped } = await metaTrain(learner, sampleFamily(family, { seed: 'train' }), {
  iterations: 600,
  tasksPerBatch: 16,
  rate: 3e-3,
  seed: 7,
})
console.log(`trained for ${iterations} iterations (${stopped})`)

// 2. Judge it on 200 new waves, and beside it the same net before any practice.
const test = await sampleFamily(family, { seed: 'test' }).batch(0, 200)
const untrained = await metaTrain(learner, sampleFamily(family), {
  iterations: 1,
  tasksPerBatch: 1,
  seed: 7,
  rate: 1e-9,
})
const [after, before] = [await evaluate(model, test), await evaluate(untrained.model, test)]
for (const step of [0, 1]) {
  const { mean, interval } = after.losses[step]!
  console.log(
    `after ${step} steps: error ${mean.toFixed(2)} ± ${interval.toFixed(2)}, without practice ${before.losses[step]!.mean.toFixed(2)}`,
  )
}
assert(after.losses[1]!.mean + after.losses[1]!.interval < 0.5 * before.losses[1]!.mean)

// 3. Adapt to one of them and look at what changed.
const task = test[0]!
const adapted = await adapt(model, task.support)
const changes = await adapted.explain()
for (const { path, relative } of changes) console.log(`${path.padEnd(9)} moved by ${(100 * relative).toFixed(1)} %`)
assert(adapted.lossAfter < adapted.lossBefore)
