import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { mlp } from '@regimen/tensor'
import { expect, test } from 'vitest'
import { adapt, chartPatterns, ensemble, matching, prototypical, relation, type Weights } from '../src/index.ts'
import { column, fixed, labels, leaf, line, setOf, taskAt } from './support/learners.ts'

test('answers are averaged, equally or by loss, by hand', async () => {
  const models = [fixed(1), fixed(3)]
  const answer = async (options: Parameters<typeof ensemble>[1]) => {
    const adapted = await (await ensemble(models, options)).adapt(setOf([1], [1.5]))
    return { weights: [...adapted.weights], value: (await adapted.predict(column([10]))).data[0]! }
  }
  expect(await answer({})).toEqual({ weights: [0.5, 0.5], value: 20 })
  // Support losses 0.25 and 2.25: weights in the ratio 1 : exp(−2 / 2).
  const [first, second] = [1 / (1 + Math.exp(-1)), 1 / (1 + Math.E)]
  const bySupport = await answer({ weighting: 'support', temperature: 2 })
  expect(bySupport.weights[0]).toBeCloseTo(first, 6)
  expect(bySupport.value).toBeCloseTo(10 * first + 30 * second, 4)
  // On the validation tasks the other one is better: (4 + 1) / 2 against (0 + 1) / 2.
  const validation = [taskAt(3), taskAt(2)]
  const byValidation = await answer({ weighting: 'validation', validation, temperature: 2 })
  expect(byValidation.weights[1]).toBeCloseTo(first, 6)
})

test('probabilities of classes are averaged, not logits', async () => {
  const flip = (w: number) => ({ net: { kernel: leaf([1, 1], [w]) } }) as Weights
  const learner = prototypical({ net: line, ways: 2, embedding: 1 })
  const team = await ensemble([
    { learner, params: flip(1) },
    { learner, params: flip(2) },
  ])
  const adapted = await team.adapt({ x: column([0, 1]), y: labels([0, 1]) })
  // At 0.25 the logits differ by w² (0.75² − 0.25²) = w² / 2.
  const share = (w: number) => 1 / (1 + Math.exp((-w * w) / 2))
  expect((await adapted.predict(column([0.25]))).data[0]).toBeCloseTo((share(1) + share(2)) / 2, 5)
})

test('its log loss is at most the mean of the members’ (Jensen), members of every kind', async () => {
  const net = mlp({ sizes: [64, 16, 8] })
  const kinds = [
    prototypical({ net, ways: 3, embedding: 8 }),
    matching({ net, ways: 3, embedding: 8 }),
    relation({ ways: 3, scales: [{ net, relation: mlp({ sizes: [16, 8, 1] }) }] }),
  ]
  const models = kinds.map((learner, i) => ({ learner, params: learner.init(createRng(i)) }))
  const family = chartPatterns({ shots: 3, ways: 3, queries: 10 })
  const rng = createRng(5)
  const { support, query } = family.task(family.draw(rng), rng)
  const logLoss = (data: ArrayLike<number>) =>
    Array.from(query.y.data, (label, i) => -Math.log(data[3 * i + label]!)).reduce((a, b) => a + b, 0) / 30
  const of = async (list: typeof models) =>
    logLoss((await (await (await ensemble(list)).adapt(support)).predict(query.x)).data)
  const together = await of(models)
  let mean = 0
  for (const model of models) mean += (await of([model])) / models.length
  expect(together).toBeLessThan(mean)
  expect((await adapt(models[0]!, support)).lossAfter).toBeGreaterThan(0)
})

test('bad input is refused', async () => {
  const models = [fixed(1)]
  await expect(ensemble([])).rejects.toThrow('[meta/ensemble] the list of models is empty')
  await expect(ensemble(models, { weighting: 'best' as 'equal' })).rejects.toThrow('weighting must be')
  await expect(ensemble(models, { temperature: 0 })).rejects.toThrow('temperature must be finite and above 0, got 0')
  await expect(ensemble(models, { weighting: 'validation' })).rejects.toThrow('needs validation tasks')
  const net = mlp({ sizes: [1, 2] })
  const mixed = [
    prototypical({ net, ways: 2, embedding: 2 }),
    relation({ ways: 2, scales: [{ net, relation: mlp({ sizes: [4, 1] }) }] }),
  ]
  const open = mixed.map((learner) => ({ learner, params: learner.init(createRng(1)) }))
  await expect(ensemble(open, { weighting: 'support' })).rejects.toThrow('cannot be compared')
  const other = prototypical({ net, ways: 3, embedding: 2 })
  const uneven = await ensemble([open[0]!, { learner: other, params: other.init(createRng(1)) }])
  const adapted = await uneven.adapt({ x: column([0, 1]), y: labels([0, 1]) })
  await expect(adapted.predict(column([1]))).rejects.toThrow('member 1 answers with shape [1, 3]')
  const lost = await ensemble([fixed(1), fixed(2)], { weighting: 'validation', validation: [taskAt(1)] })
  expect([...(await lost.adapt(setOf([1], [1]))).weights][0]).toBeGreaterThan(0.99)
})
