import '@tensorflow/tfjs'
import {
  anil,
  cavia,
  evaluate,
  fomaml,
  type MetaLearner,
  type MetaNet,
  maml,
  metaSgd,
  metaTrain,
  reptile,
  sampleFamily,
  sinusoids,
} from '@regimen/meta'
import { mlp } from '@regimen/tensor'
import { bench, type Figure } from './harness.ts'

const PYTORCH = { initializer: 'pytorchLinear', biasInitializer: 'pytorchLinear' } as const
const net = (context = 0): MetaNet => mlp({ sizes: [1 + context, 40, 40, 1], ...PYTORCH })

/** Each method with its rates; Reptile anneals its meta-step. */
function methods(iterations: number): { [name: string]: { learner: MetaLearner; rate?: (update: number) => number } } {
  return {
    maml: { learner: maml({ net: net(), rate: 0.01 }) },
    fomaml: { learner: fomaml({ net: net(), rate: 0.01 }) },
    anil: { learner: anil({ net: net(), rate: 0.01 }) },
    meta_sgd: { learner: metaSgd({ net: net(), rate: 0.01 }) },
    cavia: { learner: cavia({ net: net(4), context: 4, rate: 1 }) },
    reptile: { learner: reptile({ net: net(), steps: 5, rate: 0.01 }), rate: (i) => 1 - i / iterations },
  }
}

export default bench({
  name: 'meta-sinusoid',
  description:
    'query error on 600 fixed sinusoids after 0, 1, 5 and 10 steps; --iterations 30000 for the full training (2000 else), --method maml --shots 10 for one row, --seeds 5 --learn2learn for the comparison with its published figures',
  async run(context) {
    const iterations = context.number('iterations', 2000)
    const figures: { [name: string]: Figure } = { iterations }
    if (context.flag('learn2learn')) {
      await compare(context.number('seeds', 5), figures, context.log)
      return { figures }
    }
    const [only, wanted] = [option(context.args, 'method'), context.number('shots', 0)]
    for (const shots of wanted ? [wanted] : [5, 10]) {
      const test = await sampleFamily(sinusoids({ shots, queries: 100 }), { seed: 'test' }).batch(0, 600)
      for (const [name, { learner, rate }] of Object.entries(methods(iterations))) {
        if (only !== undefined && only !== name) continue
        const { model } = await metaTrain(learner, sampleFamily(sinusoids({ shots, queries: 10 }), { seed: 'train' }), {
          iterations,
          seed: context.number('seed', 1),
          ...(rate ? { rate } : {}),
        })
        const { losses } = await evaluate(model, test, { steps: 10 })
        for (const step of [0, 1, 5, 10]) {
          const { mean, interval } = losses[step]!
          figures[`${name}_${shots}shot_${step}`] = { value: mean, note: `± ${interval.toFixed(3)} (95 %)` }
          context.log(`${name}, ${shots} shots, ${step} steps: ${mean.toFixed(3)} ± ${interval.toFixed(3)}`)
        }
      }
    }
    return { figures }
  },
})

function option(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(`--${name}`)
  return at < 0 ? undefined : args[at + 1]
}

/** 10 shots, 2,000 iterations, inner rate 0.01: learn2learn gave 2.83 / .90 / .48 / .41 and 2.87 / 1.15 / .40 / .31. */
async function compare(seeds: number, figures: { [name: string]: Figure }, log: (line: string) => void): Promise<void> {
  const test = await sampleFamily(sinusoids({ shots: 10, queries: 100 }), { seed: 'test' }).batch(0, 600)
  for (const steps of [1, 5]) {
    const all: number[][] = []
    for (let seed = 0; seed < seeds; seed++) {
      const sampler = sampleFamily(sinusoids({ shots: 10 }), { seed: `train/${seed}` })
      const learner = maml({ net: net(), steps, rate: 0.01, bound: Number.POSITIVE_INFINITY })
      const { model } = await metaTrain(learner, sampler, { iterations: 2000, seed, clip: Number.POSITIVE_INFINITY })
      const { losses } = await evaluate(model, test, { steps: 10 })
      const row = [0, 1, 5, 10].map((step) => losses[step]!.mean)
      log(`${steps}-step training, seed ${seed}: ${row.map((loss) => loss.toFixed(2)).join(' / ')}`)
      all.push(row)
    }
    ;[0, 1, 5, 10].forEach((step, i) => {
      const values = all.map((row) => row[i]!)
      const mean = values.reduce((a, b) => a + b, 0) / seeds
      const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, seeds - 1))
      figures[`trained${steps}_after${step}`] = {
        value: mean,
        note: `deviation over ${seeds} seeds ${deviation.toFixed(3)}`,
      }
    })
  }
}
