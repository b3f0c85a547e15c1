import { decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { dense, type TensorLeaf } from '@regimen/tensor'
import { testNoLeak } from '@regimen/testing'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { describeTask, openSkills, openTrainer, skillNet } from '../src/index.ts'
import { contradicting } from './tasks.ts'

const kernel = (...values: number[]) => ({
  kernel: { dtype: 'float32', shape: [1, values.length], data: Float32Array.from(values) } as TensorLeaf,
})

describe('skillNet', () => {
  it('measures the loss of every sample', async () => {
    const nets = skillNet({ net: dense({ inputs: 1, outputs: 2, bias: false }), inputs: 1, outputs: 2 })
    const model = nets.save(kernel(0, Math.log(3)))
    // softmax(0, log 3) = (1/4, 3/4); of the input −1 the other way round.
    const losses = await nets.losses(model, { x: [1, 1, -1], y: [0, 1, 1] })
    for (const [i, p] of [1 / 4, 3 / 4, 1 / 4].entries()) expect(losses[i]).toBeCloseTo(-Math.log(p), 6)
    expect((await nets.predict(model, [2]))[1]).toBeCloseTo(2 * Math.log(3), 6)
    await nets.dispose()
    await expect(nets.losses(model, { x: [1], y: [0] })).rejects.toThrow('disposed')
    const two = skillNet({
      net: dense({ inputs: 1, outputs: 2, bias: false }),
      inputs: 1,
      outputs: 2,
      likelihood: 'gaussian',
    })
    // Half of the mean of (1 − 0)² and (2 − 4)².
    expect((await two.losses(two.save(kernel(1, 2)), { x: [1], y: [0, 4] }))[0]).toBeCloseTo(1.25, 6)
    await two.dispose()
  })

  it('stores a copy and gives it back, and refuses what is not its own', async () => {
    const nets = skillNet({ net: dense({ inputs: 1, outputs: 2, bias: false }), inputs: 1, outputs: 2 })
    const params = kernel(1, 2)
    const model = nets.save(params)
    params.kernel.data[0] = 9
    expect(nets.load(decodeSnapshot(encodeSnapshot(model)))).toEqual(kernel(1, 2))
    expect(() => nets.load({ ...model, id: 'other/net' })).toThrow('a snapshot of other/net')
    await expect(nets.losses(model, { x: [1], y: [2] })).rejects.toThrow('classes from 0 to 1')
    expect(() => skillNet({ net: dense({ inputs: 1, outputs: 2 }), inputs: 1, outputs: 0 })).toThrow('outputs must be')
    await nets.dispose()
  })

  it('stores trained nets as skills, from which the right one is a better start than none', async () => {
    const net = dense({ inputs: 2, outputs: 2 })
    const options = { net, inputs: 2, outputs: 2, rate: 0.05, batchSize: 16, seed: 1 }
    const nets = skillNet(options)
    const library = openSkills({ inputs: 2, features: 10, losses: nets.losses })
    for (let k = 0; k < 3; k++) {
      const trainer = openTrainer(options)
      await trainer.learn(contradicting(k, 256, k), { epochs: 6 })
      const samples = contradicting(k, 64, 10 + k)
      await library.add({
        name: `task ${k}`,
        kind: 'task',
        model: nets.save(trainer.params()),
        descriptor: describeTask(samples, options),
        samples,
        time: k,
      })
      await trainer.dispose()
    }
    for (let k = 0; k < 3; k++) {
      const few = contradicting(k, 8, 20 + k)
      const [match] = await library.retrieve(few, { descriptor: describeTask(few, options), shortlist: 2 })
      expect(match!.skill.name).toBe(`task ${k}`)
      const trainer = openTrainer({ ...options, params: nets.load(match!.skill.model) })
      expect(await trainer.accuracy(contradicting(k, 128, 30 + k))).toBeGreaterThan(0.95)
      await trainer.dispose()
    }
    await nets.dispose()
  })
})

testNoLeak('skillNet', {
  count: () => tf.memory().numTensors,
  async run() {
    const nets = skillNet({ net: dense({ inputs: 1, outputs: 2 }), inputs: 1, outputs: 2 })
    const model = nets.save({ ...kernel(1, 2), bias: { dtype: 'float32', shape: [2], data: new Float32Array(2) } })
    await nets.losses(model, { x: [1, 2, 3], y: [0, 1, 0] })
    await nets.dispose()
  },
})
