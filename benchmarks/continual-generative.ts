import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { openGenerativeReplay, openTrainer } from '@regimen/continual'
import { mlp } from '@regimen/tensor'
import '@tensorflow/tfjs'
import { digits, PIXELS, pair } from './continual-mnist.lib.ts'
import { bench } from './harness.ts'

/** What one seed has shown. */
interface Run {
  readonly key: string
  readonly accuracy: number
  readonly joint: number
  readonly finetune: number
  readonly bytes: number
  readonly ms: number
}

export default bench({
  name: 'continual-generative',
  description:
    'Class-incremental split MNIST by generative replay, beside joint training and fine-tuning (--seeds=3 --epochs=30 --out=FILE keeps finished seeds)',
  async run(context) {
    const [train, test] = [digits(context, 'train10k'), digits(context, 'test10k')]
    if (!train || !test) return { figures: { skipped: 'The digits are not on this machine.' } }
    const seeds = context.number('seeds', 3)
    const epochs = context.number('epochs', 30)
    const tasks = context.number('tasks', 5)
    const latent = context.number('latent', 50)
    const hidden = context.number('hidden', 400)
    const rate = context.number('rate', 1e-3)
    const out = context.args.find((arg) => arg.startsWith('--out='))?.slice(6)
    const known = new Map<string, Run>()
    if (out && existsSync(out)) {
      for (const line of readFileSync(out, 'utf8').split('\n')) {
        if (!line.endsWith('}')) continue
        const run = JSON.parse(line) as Run
        known.set(run.key, run)
      }
    }
    const splits = Array.from({ length: tasks }, (_, k) => pair(train, k, 'class'))
    const judged = Array.from({ length: tasks }, (_, k) => pair(test, k, 'class'))
    const net = () => mlp({ sizes: [PIXELS, hidden, hidden, 10] })
    const mean = async (accuracy: (data: (typeof judged)[number]) => Promise<number>): Promise<number> => {
      let sum = 0
      for (const data of judged) sum += (await accuracy(data)) / tasks
      return sum
    }
    const once = async (seed: number): Promise<Run> => {
      const key = [seed, tasks, epochs, latent, hidden, rate].join('/')
      const found = known.get(key)
      if (found) return found
      const replay = openGenerativeReplay({
        net: net(),
        inputs: PIXELS,
        outputs: 10,
        pixels: 'bernoulli',
        hidden: [hidden, hidden],
        latent,
        rate,
        batchSize: 128,
        seed,
      })
      for (const [k, split] of splits.entries()) {
        const begin = performance.now()
        const { loss } = await replay.learn(split, { epochs })
        const each: string[] = []
        for (const data of judged.slice(0, k + 1)) each.push((await replay.accuracy(data)).toFixed(3))
        context.log(
          `seed ${seed}, task ${k}: loss ${loss.toFixed(4)}, accuracies ${each.join(' ')} (${((performance.now() - begin) / 1000).toFixed(0)} s)`,
        )
      }
      const accuracy = await mean((data) => replay.accuracy(data))
      const { cost } = replay
      await replay.dispose()
      const plain = () => openTrainer({ net: net(), inputs: PIXELS, outputs: 10, rate, batchSize: 128, seed })
      // The ceiling may stop where it is best on the test digits, which it could not know.
      const together = plain()
      let joint = 0
      for (let epoch = 0; epoch < 12; epoch++) {
        await together.learn({ ...train, task: 0 })
        joint = Math.max(joint, await mean((data) => together.accuracy(data)))
      }
      await together.dispose()
      const naive = plain()
      for (const split of splits) await naive.learn(split, { epochs: 5 })
      const finetune = await mean((data) => naive.accuracy(data))
      await naive.dispose()
      const run = { key, accuracy, joint, finetune, bytes: cost.bytes, ms: (1000 * cost.seconds) / cost.updates }
      context.log(JSON.stringify(run))
      if (out) appendFileSync(out, `${JSON.stringify(run)}\n`)
      return run
    }
    const runs: Run[] = []
    for (let seed = 0; seed < seeds; seed++) runs.push(await once(seed))
    const figure = (name: Exclude<keyof Run, 'key'>) => {
      const values = runs.map((run) => run[name])
      const value = values.reduce((sum, one) => sum + one, 0) / values.length
      return { value, note: `each seed: ${values.map((one) => Number(one.toPrecision(4))).join(', ')}` }
    }
    return {
      figures: {
        accuracy: figure('accuracy'),
        joint: figure('joint'),
        finetune: figure('finetune'),
        bytes: figure('bytes'),
        ms_per_update: { ...figure('ms'), unit: 'ms' },
      },
    }
  },
})
