import '@tensorflow/tfjs'
import { pairedT } from '@regimen/core/math'
import { expect, test } from 'vitest'
import { chooseLearner, type MetaModel, matching, prototypical, relation, type Weights } from '../src/index.ts'
import { column, fixed, labels, leaf, line, taskAt } from './support/learners.ts'

test('the best mean leads, with paired differences and intervals by hand', async () => {
  // Targets 1, 2, 3: from w = 2 losses 1, 0, 1; from w = 3 losses 4, 1, 0; from w = 9 losses 64, 49, 36.
  const { even } = await chooseLearner(
    { far: fixed(9), high: fixed(3), middle: fixed(2) },
    { families: { even: [1, 2, 3].map(taskAt) } },
  )
  expect(even).toMatchObject({ family: 'even', chosen: 'middle', measure: 'loss', settled: false })
  expect(even!.scores.map(({ name, tied }) => [name, tied])).toEqual([
    ['middle', true],
    ['high', true],
    ['far', false],
  ])
  // Behind by 3, 1, −1: mean 1, error 2 / √3, and t(0.975, 2) = 4.302653.
  const { behind } = even!.scores[1]!
  expect(behind.mean).toBeCloseTo(1, 6)
  expect(behind.high).toBeCloseTo(1 + (4.302653 * 2) / Math.sqrt(3), 4)
  expect(behind.low).toBeCloseTo(1 - (4.302653 * 2) / Math.sqrt(3), 4)
  expect(even!.explanation).toBe(
    'even: middle. middle has the best loss, 0.667 ± 0.653 over 3 tasks. high is 1.000 higher (95 % from -3.968 to 5.968): not told apart. far is 49.000 higher (95 % from 14.222 to 83.778): worse. More validation tasks could change the choice.',
  )
  // Told apart exactly where the paired t-test says so.
  const [best, , far] = even!.scores
  expect(pairedT(far!.score.values, best!.score.values).pValue).toBeLessThan(0.05)
})

test('each family gets its own; the preferred one among those that are not told apart', async () => {
  const candidates = { high: fixed(3), middle: fixed(2) }
  const families = { even: [1, 2, 3].map(taskAt), upper: [3, 3.01, 2.99, 3].map(taskAt) }
  const chosen = await chooseLearner(candidates, { families, prefer: ['high'] })
  expect(chosen.even!.chosen).toBe('high')
  expect(chosen.even!.explanation).toContain('high is chosen because it is not told apart from the best and preferred.')
  expect(chosen.upper).toMatchObject({ chosen: 'high', settled: true })
  expect(chosen.upper!.model).toBe(candidates.high)
  // Provably worse is not chosen, however welcome.
  const other = await chooseLearner(candidates, { families, prefer: ['middle'] })
  expect(other.upper!.chosen).toBe('high')
  expect((await chooseLearner(candidates, { families })).even!.chosen).toBe('middle')
})

test('classes are judged by accuracy, whatever the learners minimize', async () => {
  const flip = (w: number) => ({ net: { kernel: leaf([1, 1], [w]) } }) as Weights
  const near: MetaModel = { learner: prototypical({ net: line, ways: 2, embedding: 1 }), params: flip(1) }
  const attentive: MetaModel = {
    learner: matching({ net: line, ways: 2, embedding: 1, metric: 'euclidean' }),
    params: flip(1),
  }
  // Says the opposite: the score grows with the distance.
  const wrong: MetaModel = {
    learner: relation({ ways: 2, features: ['difference'], scales: [{ net: line, relation: line }] }),
    params: { scales: [{ net: { kernel: leaf([1, 1], [1]) }, relation: { kernel: leaf([1, 1], [1]) } }] } as Weights,
  }
  const task = {
    support: { x: column([0, 4]), y: labels([0, 1]) },
    query: { x: column([1, 3, 5]), y: labels([0, 1, 1]) },
  }
  const { all } = await chooseLearner({ wrong, near, attentive }, { families: { all: [task, task, task] } })
  expect(all!.measure).toBe('accuracy')
  expect(all!.scores.map(({ name, score }) => [name, score.mean])).toEqual([
    ['near', 1],
    ['attentive', 1],
    ['wrong', 0],
  ])
  expect(all!.scores[2]).toMatchObject({ tied: false, behind: { mean: 1, low: 1, high: 1 } })
})

test('bad input is refused', async () => {
  const tasks = [taskAt(1), taskAt(2)]
  const candidates = { one: fixed(1) }
  await expect(chooseLearner({}, { families: { a: tasks } })).rejects.toThrow('[meta/choose-learner] there are no cand')
  await expect(chooseLearner(candidates, { families: {} })).rejects.toThrow('there are no families')
  await expect(chooseLearner(candidates, { families: { a: [taskAt(1)] } })).rejects.toThrow(
    'at least 2 validation tasks',
  )
  await expect(chooseLearner(candidates, { families: { a: tasks }, prefer: ['two'] })).rejects.toThrow(
    'not a candidate',
  )
  await expect(chooseLearner(candidates, { families: { a: tasks }, confidence: 1 })).rejects.toThrow('got 1')
  const lost = { one: fixed(Number.NaN) }
  await expect(chooseLearner(lost, { families: { a: tasks } })).rejects.toThrow('no candidate has a finite loss on "a"')
})
