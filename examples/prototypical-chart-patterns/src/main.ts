// A net that has learned to compare chart patterns names five it has never seen, from five examples of each.
import assert from 'node:assert/strict'
import '@tensorflow/tfjs'
import {
  adapt,
  type ChartPattern,
  chartPatternNames,
  chartPatterns,
  evaluate,
  metaTrain,
  prototypical,
  sampleFamily,
} from '@regimen/meta'
import { mlp } from '@regimen/tensor'

const unseen: readonly ChartPattern[] = [
  'double-top',
  'inverse-head-and-shoulders',
  'bull-flag',
  'falling-wedge',
  'v-bottom',
]
const known = chartPatternNames.filter((name) => !unseen.includes(name))

// 1. Train on eleven patterns, five at a time.
const train = chartPatterns({ shots: 5, patterns: known })
const learner = prototypical({ net: mlp({ sizes: [32, 64, 16] }), ways: 5, embedding: 16 })
const { model } = await metaTrain(learner, sampleFamily(train, { seed: 'train' }), {
  iterations: 400,
  tasksPerBatch: 8,
  rate: 2e-3,
})

// 2. Judge it on the five it has not seen.
const family = chartPatterns({ shots: 5, patterns: unseen })
const tasks = await sampleFamily(family, { seed: 'test' }).batch(0, 100)
const { accuracies } = await evaluate(model, tasks)
const { mean, interval } = accuracies!.at(-1)!
console.log(
  `unseen patterns named right: ${(100 * mean).toFixed(1)} % ± ${(100 * interval).toFixed(1)} (guessing: 20 %)`,
)
assert(mean - interval > 0.6)

// 3. Name one window, then let the prototypes learn from its label.
const { support, query } = tasks[0]!
const adapted = await adapt(model, support)
const first = { ...query.x, shape: [1, 32], data: query.x.data.slice(0, 32) as Float32Array, dtype: 'float32' as const }
const logits = async (who: typeof adapted) => (await who.predict(first)).data
const before = await logits(adapted)
const label = { dtype: 'int32' as const, shape: [1], data: Int32Array.of(query.y.data[0]!) }
const after = await logits(await adapted.observe({ x: first, y: label }))
const margin = (scores: ArrayLike<number>) =>
  scores[label.data[0]!]! - Math.max(...Array.from(scores).filter((_, i) => i !== label.data[0]))
console.log(`margin of the right class: ${margin(before).toFixed(2)}, after its label ${margin(after).toFixed(2)}`)
assert(margin(after) > margin(before))
