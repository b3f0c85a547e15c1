import {
  fisherDiagonal,
  maskedRule,
  openPackNet,
  openProgressiveNet,
  openTrainer,
  pruneByMagnitude,
  type TaskNet,
  type UpdateCost,
} from '@regimen/continual'
import { adam, mlp } from '@regimen/tensor'
import '@tensorflow/tfjs'
import { type Digits, digits, PIXELS, pair } from './continual-mnist.lib.ts'
import { type BenchResult, bench } from './harness.ts'

const TASKS = [0, 1, 2, 3, 4]
const HIDDEN = [100, 100]
const shared = { inputs: PIXELS, outputs: 10, batchSize: 128, rate: 0.002 }

interface Run {
  readonly train: Digits
  readonly test: Digits
  readonly epochs: number
}

/** Accuracy with the task told, and how many outputs on earlier tasks differ in any bit from those just after their learning. */
async function followTold(net: TaskNet, { train, test, epochs }: Run) {
  const first: Float32Array[] = []
  let changed = 0
  let accuracy = 0
  for (const k of TASKS) {
    await net.learn(pair(train, k, 'task'), { epochs })
    first.push(await net.predict(pair(test, k, 'task').x, k))
  }
  for (const k of TASKS) {
    const data = pair(test, k, 'task')
    const now = new Uint32Array((await net.predict(data.x, k)).buffer)
    const then = new Uint32Array(first[k]!.buffer)
    for (let i = 0; i < now.length; i++) if (now[i] !== then[i]) changed++
    accuracy += (await net.accuracy(data)) / TASKS.length
  }
  const { cost } = net
  await net.dispose()
  return { accuracy, changed, cost }
}

/** Ways to prune half of the weights: how they are ranked, and whether what remains is retrained on the memory of replay. */
const PRUNINGS = {
  layer: { note: 'the same share of every layer by size, no training after it' },
  net: { scope: 'net', note: 'all weights ranked together by size, no training after it' },
  importance: {
    scope: 'net',
    weigh: true,
    note: 'all weights ranked together by w² F, F on the memory, no training after it',
  },
  retrained: {
    retrain: 3,
    note: 'by size, then three passes of the 1,000 remembered samples through maskedRule (Han et al. 2015)',
  },
} as const

/** Class-incremental with replay; half of the weights pruned at the end in every way. */
async function followPruned({ train, test, epochs }: Run, seed: string) {
  const bytes = 1000 * (4 * (PIXELS + 1) + 4)
  const net = mlp({ sizes: [PIXELS, ...HIDDEN, 10] })
  const trainer = openTrainer({ ...shared, net, seed, resetRule: false, strategy: { replay: { bytes } } })
  for (const k of TASKS) await trainer.learn(pair(train, k, 'class'), { epochs })
  const whole = await trainer.accuracy(test)
  const params = trainer.params()
  const memory = trainer.replay!.draw(1000)
  const importance = await fisherDiagonal(net, { params, samples: { x: memory.x, width: PIXELS }, outputs: 10 })
  const half: { [way: string]: number } = {}
  for (const [name, way] of Object.entries(PRUNINGS)) {
    const pruned = pruneByMagnitude(params, {
      share: 0.5,
      ...('scope' in way ? { scope: way.scope } : {}),
      ...('weigh' in way ? { importance } : {}),
    })
    const lean = openTrainer({ ...shared, net, params: pruned.params, rule: maskedRule(adam(), pruned.mask), seed })
    if ('retrain' in way) await lean.learn(memory, { epochs: way.retrain })
    half[name] = await lean.accuracy(test)
    await lean.dispose()
  }
  await trainer.dispose()
  return { whole, half }
}

export default bench({
  name: 'continual-structure',
  description:
    'split MNIST: nets that are told the task (accuracy, changed bits, memory, samples) and what pruning half of a net costs. --only NAME runs pack_net, progressive or pruned alone',
  async run(context): Promise<BenchResult> {
    const [train, test] = [digits(context, 'train10k'), digits(context, 'test10k')]
    if (!train || !test) return { figures: { skipped: 'no digits found; set REGIMEN_DATA' } }
    const run: Run = { train, test, epochs: context.number('epochs', 5) }
    const seeds = context.number('seeds', 3)
    const at = context.args.indexOf('--only')
    const only = context.args.find((arg) => arg.startsWith('--only='))?.slice(7) ?? context.args[at < 0 ? -1 : at + 1]
    const results: { [name: string]: number[] } = {}
    const add = (name: string, value: number): void => {
      results[name] = [...(results[name] ?? []), value]
    }
    const costs: { [name: string]: UpdateCost } = {}
    for (let seed = 0; seed < seeds; seed++) {
      const nets: { readonly [name: string]: () => TaskNet } = {
        pack_net: () => openPackNet({ ...shared, seed, net: mlp({ sizes: [PIXELS, ...HIDDEN, 10] }) }),
        progressive: () => openProgressiveNet({ ...shared, seed, hidden: HIDDEN }),
      }
      for (const [name, open] of Object.entries(nets)) {
        if (only !== undefined && only !== name) continue
        const { accuracy, changed, cost } = await followTold(open(), run)
        add(`task_${name}`, accuracy)
        add(`changed_outputs_${name}`, changed)
        costs[name] = cost
        context.log(`${name}/${seed}: ${accuracy.toFixed(4)}, ${changed} changed outputs`)
      }
      if (only !== undefined && only !== 'pruned') continue
      const { whole, half } = await followPruned(run, String(seed))
      add('class_er', whole)
      for (const [way, accuracy] of Object.entries(half)) add(`points_lost_${way}`, 100 * (whole - accuracy))
      context.log(`er/${seed}: ${whole.toFixed(4)}, half of it ${JSON.stringify(half)}`)
    }
    const figures: { [name: string]: number | { value: number; note: string } } = {}
    for (const [name, values] of Object.entries(results)) {
      const value = values.reduce((sum, one) => sum + one, 0) / values.length
      const way = PRUNINGS[name.replace('points_lost_', '') as keyof typeof PRUNINGS]
      const note = `${seeds} seeds, ${Math.min(...values)} to ${Math.max(...values)}${way ? `; ${way.note}` : ''}`
      figures[name] = { value, note }
    }
    for (const [name, { bytes, samples, updates, seconds }] of Object.entries(costs)) {
      figures[`megabytes_${name}`] = bytes / 1e6
      figures[`samples_an_update_${name}`] = samples / updates
      figures[`milliseconds_an_update_${name}`] = (1000 * seconds) / updates
    }
    return { figures }
  },
})
