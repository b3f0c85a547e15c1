import '@tensorflow/tfjs'
import { preset } from '@regimen/market'
import { evaluate, maml, metaTrain, regimeReturns, sampleFamily, sinusoids, type TaskFamily } from '@regimen/meta'
import { mlp } from '@regimen/tensor'
import { bench, type Figure } from './harness.ts'

const COUNTS = [10, 30, 100, 300, 1000, Number.POSITIVE_INFINITY]

export default bench({
  name: 'meta-convergence',
  description:
    'loss after adaptation against the number of different training tasks, same iterations (--iterations, 1000 by default); figure regime_100_ratio',
  async run(context) {
    const iterations = context.number('iterations', 1000)
    const families: { [name: string]: { family: TaskFamily<unknown>; inputs: number } } = {
      sinusoid: { family: sinusoids({ shots: 10 }) as TaskFamily<unknown>, inputs: 1 },
      // Absolute returns are what an adaptation can learn: the regime's volatility.
      regime: { family: volatilityTasks(), inputs: 9 },
    }
    const figures: { [name: string]: Figure } = { iterations }
    for (const [name, { family, inputs }] of Object.entries(families)) {
      const test = await sampleFamily(family, { seed: 'test' }).batch(0, context.number('tests', 200))
      const net = mlp({ sizes: [inputs, 40, 40, 1], initializer: 'pytorchLinear', biasInitializer: 'pytorchLinear' })
      const learner = maml({ net, steps: 1, rate: 0.01 })
      const means = new Map<number, number>()
      for (const tasks of COUNTS) {
        const sampler = sampleFamily(family, { seed: 'train', tasks })
        const { model } = await metaTrain(learner, sampler, { iterations, tasksPerBatch: 10, seed: 1 })
        const { mean, interval } = (await evaluate(model, test)).losses[1]!
        means.set(tasks, mean)
        context.log(`${name}, ${tasks} tasks: ${mean.toFixed(3)} ± ${interval.toFixed(3)}`)
        figures[`${name}_${tasks === Number.POSITIVE_INFINITY ? 'unlimited' : tasks}`] = {
          value: mean,
          note: `± ${interval.toFixed(3)} (95 %)`,
        }
      }
      figures[`${name}_100_ratio`] = means.get(100)! / means.get(Number.POSITIVE_INFINITY)!
    }
    return { figures }
  },
})

function volatilityTasks(): TaskFamily<unknown> {
  const returns = regimeReturns({ market: preset('forex-daily'), shots: 16, queries: 16 })
  return {
    draw: (rng) => returns.draw(rng),
    task(spec, rng) {
      const { support, query, ...rest } = returns.task(spec as never, rng)
      for (const { y } of [support, query]) for (let i = 0; i < y.data.length; i++) y.data[i] = Math.abs(y.data[i]!)
      return { support, query, ...rest }
    },
  }
}
