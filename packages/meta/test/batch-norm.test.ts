import '@tensorflow/tfjs'
import { type BatchNormOptions, batchNorm, dense, sequential } from '@regimen/tensor'
import { describe, expect, test } from 'vitest'
import {
  adapt,
  anil,
  cavia,
  evaluate,
  fomaml,
  imaml,
  type MetaLearner,
  type MetaNet,
  maml,
  mamlPlusPlus,
  metaTrain,
  openAdapter,
  prototypical,
  reptile,
  type Task,
  type Weights,
} from '../src/index.ts'
import { column, labels, numbersAt, setOf } from './support/learners.ts'

const net = (statistics: NonNullable<BatchNormOptions['statistics']>, steps = 2): MetaNet =>
  sequential([batchNorm({ features: 1, statistics, steps, momentum: 0.5 }), dense({ inputs: 1, outputs: 1 })])

// The support has mean 2 and variance 2 (unbiased, as the average has it); the query mean 6 and variance 2.
const task: Task = { support: setOf([1, 3], [0, 1]), query: setOf([5, 7], [1, 0]) }
const sampler = { batch: () => [task, task] }

const train = async (learner: MetaLearner, iterations = 1): Promise<Weights> =>
  (await metaTrain(learner, sampler, { iterations, tasksPerBatch: 2 })).model.params

describe('running statistics follow meta-training', () => {
  const learners: { [name: string]: (net: MetaNet) => MetaLearner } = {
    maml: (net) => maml({ net }),
    fomaml: (net) => fomaml({ net }),
    anil: (net) => anil({ net }),
    imaml: (net) => imaml({ net, steps: 1, solverSteps: 1 }),
  }
  for (const [name, make] of Object.entries(learners)) {
    test(`${name}: one average moves by the mean over the passes, by hand`, async () => {
      const params = await train(make(net('running')))
      // From mean 0 and variance 1 with half a share: the support gives +1 and +½, the query +3 and +½.
      expect(numbersAt(params, 'net.0.mean')[0]).toBeCloseTo(2, 5)
      expect(numbersAt(params, 'net.0.variance')[0]).toBeCloseTo(1.5, 5)
    })
  }

  test('per-step statistics: the support moves the row before its step, the query the row after the last', async () => {
    const params = await train(maml({ net: net('perStep') }))
    expect(numbersAt(params, 'net.0.mean')).toEqual([1, 3])
    const second = await train(mamlPlusPlus({ net: net('perStep', 3), steps: 2, firstOrder: 0 }), 2)
    // Rows 0 and 1 see the support twice: 0 → 1 → 1.5; row 2 the query: 0 → 3 → 4.5.
    expect(numbersAt(second, 'net.0.mean')).toEqual([1.5, 1.5, 4.5])
  })

  test('Reptile, CAVIA and prototypical nets, too', async () => {
    // Reptile trains on support and query together, mean 4, and judges the query, mean 6: +2 and +3.
    expect(numbersAt(await train(reptile({ net: net('running'), steps: 1 })), 'net.0.mean')[0]).toBeCloseTo(2.5, 5)
    const wide = sequential([
      batchNorm({ features: 2, statistics: 'running', momentum: 0.5 }),
      dense({ inputs: 2, outputs: 1 }),
    ])
    expect(numbersAt(await train(cavia({ net: wide, context: 1 })), 'net.0.mean')[0]).toBeCloseTo(2, 5)
    const classes = {
      support: { x: column([1, 3]), y: labels([0, 1]) },
      query: { x: column([5, 7]), y: labels([0, 1]) },
    }
    const learner = prototypical({ net: net('running'), ways: 2, embedding: 1 })
    const { model } = await metaTrain(learner, { batch: () => [classes] }, { iterations: 1, tasksPerBatch: 1 })
    expect(numbersAt(model.params, 'net.0.mean')[0]).toBeCloseTo(2, 5)
  })
})

test('prediction relies on the statistics: neither padding nor company changes an answer', async () => {
  for (const statistics of ['running', 'perStep'] as const) {
    const learner = maml({ net: net(statistics), rate: 0.1 })
    const model = { learner, params: await train(learner, 3) }
    const answers = []
    for (const size of [2, 8]) {
      const adapter = openAdapter(model, { sizes: [size] })
      const adapted = await adapter(task.support)
      const [together, alone] = [await adapted.predict(column([5, 7])), await adapted.predict(column([7]))]
      expect(alone.data[0]).toBeCloseTo(together.data[1]!, 5)
      answers.push(together.data[0]!, together.data[1]!)
      await adapter.dispose()
    }
    expect(answers[2]).toBeCloseTo(answers[0]!, 5)
    expect(answers[3]).toBeCloseTo(answers[1]!, 5)
    // Evaluation and adaptation agree: ((a − 1)² + (b − 0)²) / 2.
    const { losses } = await evaluate(model, [task])
    expect(losses[1]!.mean).toBeCloseTo(((answers[0]! - 1) ** 2 + answers[1]! ** 2) / 2, 4)
  }
})

test('more steps than in training go on with the last row', async () => {
  const learner = maml({ net: net('perStep'), rate: 0.1 })
  const { losses } = await evaluate({ learner, params: await train(learner, 2) }, [task], { steps: 4 })
  expect(losses.every(({ mean }) => Number.isFinite(mean))).toBe(true)
})

test('adaptation by gradients leaves the averages as meta-training left them', async () => {
  const learner = maml({ net: net('running'), rate: 0.4, steps: 3 })
  const params = await train(learner, 2)
  const adapted = await adapt({ learner, params }, task.support)
  expect(numbersAt(adapted.own, '0.mean')).toEqual(numbersAt(params, 'net.0.mean'))
  expect(numbersAt(adapted.own, '0.variance')).toEqual(numbersAt(params, 'net.0.variance'))
  expect(numbersAt(adapted.own, '0.scale')).not.toEqual(numbersAt(params, 'net.0.scale'))
})
