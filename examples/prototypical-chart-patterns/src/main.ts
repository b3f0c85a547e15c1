// A net that has learned to compare shapes that nobody has named tells five textbook chart patterns apart, from five examples each.
import assert from 'node:assert/strict'
import '@tensorflow/tfjs'
import { adapt, chartPatternNames, chartPatterns, evaluate, metaTrain, prototypical, sampleFamily } from '@regimen/meta'
import { mlp } from '@regimen/tensor'

// 1. Train on zigzags drawn at random, five new ones in every task: the textbook's patterns are not among them.
const train = chartPatterns({ shots: 5, patterns: 'drawn', span: [0.9, 1] })
const learner = prototypical({ net: mlp({ sizes: [64, 128, 32] }), ways: 5, embedding: 32 })
const { model } = await metaTrain(learner, sampleFamily(train, { seed: 'train' }), {
  iterations: 300,
  tasksPerBatch: 8,
  rate: 2e-3,
})

// 2. Judge it on the textbook's sixteen, five in each task.
const family = chartPatterns({ shots: 5, patterns: chartPatternNames, span: [0.9, 1] })
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
const first = { ...query.x, shape: [1, 64], data: query.x.data.slice(0, 64) as Float32Array, dtype: 'float32' as const }
const logits = async (who: typeof adapted) => (await who.predict(first)).data
const before = await logits(adapted)
const label = { dtype: 'int32' as const, shape: [1], data: Int32Array.of(query.y.data[0]!) }
const after = await logits(await adapted.observe({ x: first, y: label }))
const margin = (scores: ArrayLike<number>) =>
  scores[label.data[0]!]! - Math.max(...Array.from(scores).filter((_, i) => i !== label.data[0]))
console.log(`margin of the right class: ${margin(before).toFixed(2)}, after its label ${margin(after).toFixed(2)}`)
assert(margin(after) > margin(before))
