import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { openTrainer, type Strategy, type TaskData } from '@regimen/continual'
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
}

const METHODS: { readonly [name: string]: (tasks: number, lambda: number) => Strategy } = {
  none: () => ({}),
  ewc: (_, lambda) => ({ penalty: { kind: 'ewc', lambda } }),
  online_ewc: (_, lambda) => ({ penalty: { kind: 'ewc', lambda, anchors: 'latest', decay: 1 } }),
  si: (_, lambda) => ({ penalty: { kind: 'si', lambda } }),
  lwf: () => ({ distill: { weight: 1 } }),
  a_gem: (tasks) => ({ constraint: { kind: 'a-gem', bytes: tasks * (MEMORY + 1600) } }),
  gem: () => ({ constraint: { kind: 'gem', bytes: MEMORY, batch: 128 } }),
  er: (tasks) => ({ replay: { bytes: tasks * MEMORY } }),
  der_plus_plus: (tasks) => ({ replay: { bytes: tasks * (MEMORY + 8000), logits: 0.5, labels: 1 } }),
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

async function follow(
  splits: readonly Split[],
  strategy: Strategy | 'joint',
  outputs: number,
  run: Run,
): Promise<number> {
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
  try {
    if (strategy === 'joint') await trainer.learn(joined(splits), { epochs: run.epochs })
    else for (const split of splits) await trainer.learn(split.train(), { epochs: run.epochs })
    let sum = 0
    for (const split of splits) sum += (await trainer.accuracy(split.test())) / splits.length
    return sum
  } catch (error) {
    // λ too large for the rate: a candidate that loses, not a failed benchmark.
    if ((error as { code?: string }).code === 'DIVERGED') return 0
    throw error
  } finally {
    await trainer.dispose()
  }
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
}

const part = ({ x, y }: Digits, from: number, to: number): Digits => ({
  x: x.subarray(from * PIXELS, to * PIXELS),
  y: y.subarray(from, to),
})

export default bench({
  name: 'continual-mnist',
  description:
    'permuted and split MNIST: what each strategy keeps, beside joint training. --out=FILE keeps finished cells and goes on from them, --minutes=N stops early',
  async run(context): Promise<BenchResult> {
    const [train, test] = [digits(context, 'train10k'), digits(context, 'test10k')]
    if (!train || !test) return { figures: { skipped: 'no digits found; set REGIMEN_DATA' } }
    const quick = context.flag('quick')
    const seeds = context.number('seeds', quick ? 1 : 5)
    const epochs = context.number('epochs', quick ? 1 : 5)
    const counts = { permuted: context.number('tasks', quick ? 3 : 10), task: 5, domain: 5, class: 5 }
    const until = performance.now() + 60_000 * context.number('minutes', 1e6)
    const list = (name: string): string[] | undefined =>
      context.args
        .find((arg) => arg.startsWith(`--${name}=`))
        ?.slice(name.length + 3)
        .split(',')
    const scenarios = (Object.keys(counts) as Scenario[]).filter((one) => list('scenario')?.includes(one) ?? true)
    const methods = [...Object.keys(METHODS), 'joint'].filter((name) => list('only')?.includes(name) ?? true)
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
    const cellOf = async (key: string, compute: () => Promise<number>): Promise<number | undefined> => {
      const found = known.get(key)
      if (found) return found.accuracy
      late ||= performance.now() > until
      if (late) return undefined
      const begin = process.cpuUsage()
      const accuracy = await compute()
      const used = process.cpuUsage(begin)
      const cell = { key, accuracy, cpu: (used.user + used.system) / 1e6 }
      known.set(key, cell)
      if (out) appendFileSync(out, `${JSON.stringify(cell)}\n`)
      context.log(`${key}: ${accuracy.toFixed(4)} (${cell.cpu.toFixed(1)} CPU s)`)
      return accuracy
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
        scores.push(score)
      }
      return candidates[scores.indexOf(Math.max(...scores))]!
    }
    const figures: { [name: string]: number | { value: number; note: string } } = {}
    const means: { [name: string]: number } = {}
    const results = new Map<string, number[]>()
    for (let seed = 0; seed < seeds; seed++) {
      for (const scenario of scenarios) {
        const splits = tasksOf(scenario, counts[scenario], String(seed), train, test)
        for (const method of methods) {
          const lambda = method === 'joint' ? 0 : await lambdaOf(scenario, method)
          if (lambda === undefined) continue
          const key = `${scenario}/${counts[scenario]}x${epochs}/${method}/${lambda}/${seed}`
          const strategy = method === 'joint' ? 'joint' : METHODS[method]!(splits.length, lambda)
          const accuracy = await cellOf(key, () =>
            follow(splits, strategy, outputsOf(scenario), { seed: String(seed), epochs }),
          )
          const name = `${scenario}_${method}`
          if (accuracy !== undefined) results.set(name, [...(results.get(name) ?? []), accuracy])
        }
      }
    }
    for (const [name, values] of results) {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      const deviation = Math.sqrt(
        values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1),
      )
      means[name] = mean
      figures[name] = { value: mean, note: `${values.length} seeds, standard deviation ${deviation.toFixed(4)}` }
    }
    if (means.permuted_ewc && means.permuted_joint) figures.ewc_vs_joint = means.permuted_ewc / means.permuted_joint
    figures.cpu_minutes = [...known.values()].reduce((sum, cell) => sum + cell.cpu / 60, 0)
    figures.unfinished = seeds * scenarios.length * methods.length - [...results.values()].flat().length
    return { figures }
  },
})
