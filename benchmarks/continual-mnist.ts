import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import {
  openGenerativeReplay,
  openModularNet,
  openPackNet,
  openProgressiveNet,
  openTrainer,
  type Strategy,
  type TaskData,
  type TaskNet,
} from '@regimen/continual'
import { createRng } from '@regimen/core'
import { mlp } from '@regimen/tensor'
import '@tensorflow/tfjs'
import { type Digits, digits, PIXELS, pair, permuted, type Scenario, type Split } from './continual-mnist.lib.ts'
import { type BenchResult, bench } from './harness.ts'

// Bytes of 200 remembered samples a task.
const MEMORY = 200 * (4 * (PIXELS + 1) + 4)
/** λ to choose from. */
const LAMBDAS: { readonly [method: string]: readonly number[] } = {
  ewc: [10, 30, 100],
  online_ewc: [10, 30, 100],
  si: [0.3, 1, 3],
  kronecker_ewc: [1, 10, 100],
}

const METHODS: { readonly [name: string]: (tasks: number, lambda: number) => Strategy } = {
  none: () => ({}),
  ewc: (_, lambda) => ({ penalty: { kind: 'ewc', lambda } }),
  online_ewc: (_, lambda) => ({ penalty: { kind: 'ewc', lambda, anchors: 'latest', decay: 1 } }),
  kronecker_ewc: (_, lambda) => ({ penalty: { kind: 'ewc', lambda, fisher: 'kronecker' } }),
  si: (_, lambda) => ({ penalty: { kind: 'si', lambda } }),
  lwf: () => ({ distill: { weight: 1 } }),
  a_gem: (tasks) => ({ constraint: { kind: 'a-gem', bytes: tasks * (MEMORY + 1600) } }),
  gem: () => ({ constraint: { kind: 'gem', bytes: MEMORY, batch: 128 } }),
  er: (tasks) => ({ replay: { bytes: tasks * MEMORY } }),
  gradient_diverse: (tasks) => ({ replay: { bytes: tasks * (MEMORY + 1600), buffer: 'diverse' } }),
  der_plus_plus: (tasks) => ({ replay: { bytes: tasks * (MEMORY + 8000), logits: 0.5, labels: 1 } }),
}

const SIZES = { inputs: PIXELS, batchSize: 128, rate: 0.002 }
type Learned = Pick<TaskNet, 'learn' | 'accuracy' | 'cost' | 'dispose'>
/** Nets of a structure of their own. Where they are told the task at prediction the test tells it. */
const NETS: {
  readonly [name: string]: {
    readonly told: readonly Scenario[]
    readonly untold: readonly Scenario[]
    open(outputs: number, seed: string): Learned
  }
} = {
  pack_net: {
    told: ['permuted', 'task'],
    untold: [],
    open: (outputs, seed) => openPackNet({ ...SIZES, outputs, seed, net: mlp({ sizes: [PIXELS, 100, 100, outputs] }) }),
  },
  progressive: {
    told: ['permuted', 'task'],
    untold: [],
    open: (outputs, seed) => openProgressiveNet({ ...SIZES, outputs, seed, hidden: [100, 100] }),
  },
  // With as many epochs as the others; see continual-generative for what more of them give.
  generative_replay: {
    told: [],
    untold: ['permuted', 'domain', 'class'],
    open: (outputs, seed) =>
      openGenerativeReplay({
        ...SIZES,
        outputs,
        seed,
        net: mlp({ sizes: [PIXELS, 100, 100, outputs] }),
        pixels: 'bernoulli',
      }),
  },
  modular: {
    told: ['task'],
    untold: ['permuted', 'domain', 'class'],
    open: (outputs, seed) => openModularNet({ ...SIZES, outputs, seed, hidden: [100, 100] }),
  },
}

/** Tasks of a scenario; a seed names its permutations. */
function tasksOf(scenario: Scenario, count: number, seed: string, train: Digits, test: Digits): Split[] {
  return Array.from({ length: count }, (_, k) => {
    if (scenario !== 'permuted') {
      return { train: () => pair(train, k, scenario), test: () => pair(test, k, scenario) }
    }
    const order = createRng(`permutation/${seed}/${k}`).permutation(PIXELS)
    return { train: () => permuted(train, order), test: () => permuted(test, order) }
  })
}

interface Followed {
  readonly accuracy: number
  readonly bytes: number
  readonly samplesPerUpdate: number
}

async function follow(
  splits: readonly Split[],
  strategy: Strategy | 'joint',
  outputs: number,
  run: Run,
): Promise<Followed> {
  const trainer = openTrainer({
    net: mlp({ sizes: [PIXELS, 100, 100, outputs] }),
    inputs: PIXELS,
    outputs,
    batchSize: 128,
    rate: 0.002,
    resetRule: false,
    seed: run.seed,
    strategy: strategy === 'joint' ? {} : strategy,
  })
  const end = (accuracy: number): Followed => {
    const { bytes, samples, updates } = trainer.cost
    return { accuracy, bytes, samplesPerUpdate: samples / Math.max(1, updates) }
  }
  try {
    if (strategy === 'joint') await trainer.learn(joined(splits), { epochs: run.epochs })
    else for (const split of splits) await trainer.learn(split.train(), { epochs: run.epochs })
    let sum = 0
    for (const split of splits) sum += (await trainer.accuracy(split.test())) / splits.length
    return end(sum)
  } catch (error) {
    // λ too large for the rate: a candidate that loses, not a failed benchmark.
    if ((error as { code?: string }).code === 'DIVERGED') return end(0)
    throw error
  } finally {
    await trainer.dispose()
  }
}

/** The same for a net of a structure of its own. */
async function followNet(splits: readonly Split[], net: Learned, told: boolean, { epochs }: Run): Promise<Followed> {
  for (const split of splits) await net.learn(split.train(), { epochs })
  let accuracy = 0
  for (const [task, split] of splits.entries()) {
    const { x, y } = split.test()
    accuracy += (await net.accuracy(told ? { x, y, task } : { x, y })) / splits.length
  }
  const { bytes, samples, updates } = net.cost
  await net.dispose()
  return { accuracy, bytes, samplesPerUpdate: samples / Math.max(1, updates) }
}

/** All tasks as one; in the task scenario it may answer with every class in training and with a task's own in the test. */
function joined(splits: readonly Split[]): TaskData {
  const all = splits.map((split) => split.train())
  const x = new Float32Array(all.reduce((sum, one) => sum + one.x.length, 0))
  const y = new Uint8Array(x.length / PIXELS)
  let at = 0
  for (const one of all) {
    x.set(one.x, at * PIXELS)
    y.set(one.y, at)
    at += one.y.length
  }
  return { x, y }
}

interface Run {
  readonly seed: string
  readonly epochs: number
}

interface Cell {
  readonly key: string
  readonly accuracy: number
  readonly cpu: number
  /** Absent in cells of files from before these were kept. */
  readonly bytes?: number
  readonly samplesPerUpdate?: number
}

const part = ({ x, y }: Digits, from: number, to: number): Digits => ({
  x: x.subarray(from * PIXELS, to * PIXELS),
  y: y.subarray(from, to),
})

export default bench({
  name: 'continual-mnist',
  description:
    'permuted and split MNIST: what each strategy keeps and costs, beside joint training. --only NAME[,NAME] runs these rows, --out=FILE keeps finished cells and goes on from them, --minutes=N stops early',
  async run(context): Promise<BenchResult> {
    const [train, test] = [digits(context, 'train10k'), digits(context, 'test10k')]
    if (!train || !test) return { figures: { skipped: 'no digits found; set REGIMEN_DATA' } }
    const quick = context.flag('quick')
    const seeds = context.number('seeds', quick ? 1 : 5)
    const epochs = context.number('epochs', quick ? 1 : 5)
    const counts = { permuted: context.number('tasks', quick ? 3 : 10), task: 5, domain: 5, class: 5 }
    const until = performance.now() + 60_000 * context.number('minutes', 1e6)
    const list = (name: string): string[] | undefined => {
      const at = context.args.indexOf(`--${name}`)
      const inline = context.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3)
      return (inline ?? (at < 0 ? undefined : context.args[at + 1]))?.split(',')
    }
    const scenarios = (Object.keys(counts) as Scenario[]).filter((one) => list('scenario')?.includes(one) ?? true)
    const methods = [...Object.keys(METHODS), ...Object.keys(NETS), 'joint'].filter(
      (name) => list('only')?.includes(name) ?? true,
    )
    const out = list('out')?.[0]
    const known = new Map<string, Cell>()
    if (out && existsSync(out)) {
      // A line that a kill cut short is computed again.
      for (const line of readFileSync(out, 'utf8').split('\n')) {
        if (!line.endsWith('}')) continue
        const cell = JSON.parse(line) as Cell
        known.set(cell.key, cell)
      }
    }
    let late = false
    const cellOf = async (key: string, compute: () => Promise<Followed>): Promise<Cell | undefined> => {
      const found = known.get(key)
      if (found) return found
      late ||= performance.now() > until
      if (late) return undefined
      const begin = process.cpuUsage()
      const made = await compute()
      const used = process.cpuUsage(begin)
      const cell = { key, ...made, cpu: (used.user + used.system) / 1e6 }
      known.set(key, cell)
      if (out) appendFileSync(out, `${JSON.stringify(cell)}\n`)
      context.log(`${key}: ${made.accuracy.toFixed(4)} (${cell.cpu.toFixed(1)} CPU s)`)
      return cell
    }
    const outputsOf = (scenario: Scenario): number => (scenario === 'domain' ? 2 : 10)
    /** The best λ on other permutations and on training digits that were held back; the test digits are not looked at. */
    const lambdaOf = async (scenario: Scenario, method: string): Promise<number | undefined> => {
      const candidates = LAMBDAS[method]
      if (!candidates || quick) return candidates?.[1] ?? 0
      const scores: number[] = []
      const held = train.y.length - 2000
      const splits = tasksOf(
        scenario,
        counts[scenario],
        'choice',
        part(train, 0, held),
        part(train, held, train.y.length),
      )
      for (const lambda of candidates) {
        const score = await cellOf(`choice/${scenario}/${counts[scenario]}x${epochs}/${method}/${lambda}`, () =>
          follow(splits, METHODS[method]!(splits.length, lambda), outputsOf(scenario), { seed: 'choice', epochs }),
        )
        if (score === undefined) return undefined
        scores.push(score.accuracy)
      }
      return candidates[scores.indexOf(Math.max(...scores))]!
    }
    const figures: { [name: string]: number | { value: number; note: string } } = {}
    const means: { [name: string]: number } = {}
    const results = new Map<string, Cell[]>()
    let wanted = 0
    for (let seed = 0; seed < seeds; seed++) {
      for (const scenario of scenarios) {
        const splits = tasksOf(scenario, counts[scenario], String(seed), train, test)
        const run = { seed: String(seed), epochs }
        for (const method of methods) {
          const net = NETS[method]
          if (net && ![...net.told, ...net.untold].includes(scenario)) continue
          wanted++
          const outputs = outputsOf(scenario)
          const lambda = method === 'joint' || net ? 0 : await lambdaOf(scenario, method)
          if (lambda === undefined) continue
          const key = `${scenario}/${counts[scenario]}x${epochs}/${method}/${lambda}/${seed}`
          const cell = await cellOf(key, () =>
            net
              ? followNet(splits, net.open(outputs, run.seed), net.told.includes(scenario), run)
              : follow(splits, method === 'joint' ? 'joint' : METHODS[method]!(splits.length, lambda), outputs, run),
          )
          const name = `${scenario}_${method}`
          if (cell) results.set(name, [...(results.get(name) ?? []), cell])
        }
      }
    }
    for (const [name, cells] of results) {
      const mean = cells.reduce((sum, { accuracy }) => sum + accuracy, 0) / cells.length
      const deviation = Math.sqrt(
        cells.reduce((sum, { accuracy }) => sum + (accuracy - mean) ** 2, 0) / Math.max(1, cells.length - 1),
      )
      const { bytes, samplesPerUpdate } = cells.at(-1)!
      means[name] = mean
      const cost =
        bytes === undefined ? '' : `; ${(bytes / 1e6).toFixed(2)} MB, ${samplesPerUpdate!.toFixed(0)} samples an update`
      figures[name] = { value: mean, note: `${cells.length} seeds, standard deviation ${deviation.toFixed(4)}${cost}` }
      if (bytes !== undefined) figures[`${name}_megabytes`] = bytes / 1e6
      if (samplesPerUpdate !== undefined) figures[`${name}_samples_an_update`] = samplesPerUpdate
    }
    if (means.permuted_ewc && means.permuted_joint) figures.ewc_vs_joint = means.permuted_ewc / means.permuted_joint
    figures.cpu_minutes = [...known.values()].reduce((sum, cell) => sum + cell.cpu / 60, 0)
    figures.unfinished = wanted - [...results.values()].flat().length
    return { figures }
  },
})
