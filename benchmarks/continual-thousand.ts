import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import {
  type ContinualMetrics,
  continualMetrics,
  openModularNet,
  openPackNet,
  openProgressiveNet,
  openTrainer,
  type Strategy,
  type TaskData,
  type TaskNet,
} from '@regimen/continual'
import { createRng } from '@regimen/core'
import { type MarketParameters, preset, simulate } from '@regimen/market'
import { mlp } from '@regimen/tensor'
import '@tensorflow/tfjs'
import { bench } from './harness.ts'

const WINDOW = 64
const WIDTH = 2
const REGIMES = 52

/**
 * Markets of one regime each, in four bands of volatility: every other band trends, the others return to the mean, so that the
 * same last return has opposite labels and only the window's volatility tells which.
 */
function market(k: number): MarketParameters {
  const band = k % 4
  const place = k >> 2
  const strength = 0.9 + 0.003 * place
  const regime = {
    name: `regime-${k}`,
    drift: 0,
    volatility: 0.05 * 4 ** band * (1 + 0.02 * (place - 6)),
    autoregression: band % 2 === 0 ? strength : -strength,
    duration: 1000,
  }
  return { ...preset('separable'), name: regime.name, regimes: [regime], transitions: [] }
}

/** A window's last return in units of its deviation, and that deviation's logarithm; the label is the sign of the next return. */
function task(k: number, seed: string, samples: number): TaskData {
  const { bars } = simulate(market(k), { bars: samples / 2 + WINDOW + 2, seed })
  const returns = Array.from({ length: bars.close.length - 1 }, (_, t) => Math.log(bars.close[t + 1]! / bars.close[t]!))
  const x = new Float32Array(samples * WIDTH)
  const y = new Int32Array(samples)
  for (let i = 0; i < samples / 2; i++) {
    const window = returns.slice(i, i + WINDOW)
    const deviation = Math.sqrt(window.reduce((sum, value) => sum + value * value, 0) / WINDOW) + 1e-12
    // Each window also stands mirrored, which balances the classes exactly.
    for (const side of [0, 1]) {
      const row = 2 * i + side
      x[row * WIDTH] = ((side ? -1 : 1) * window[WINDOW - 1]!) / deviation
      x[row * WIDTH + 1] = Math.log(deviation) + 4
      y[row] = returns[i + WINDOW]! > 0 === (side === 0) ? 1 : 0
    }
  }
  return { x, y }
}

const NET = { inputs: WIDTH, outputs: 2, batchSize: 64, rate: 0.008 }

/** Further methods beside plain replay; `told` ones are told the task in the test, `tasks` is as far as they go. */
const ROWS: {
  readonly [name: string]: {
    readonly strategy?: Strategy
    readonly net?: (seed: number) => TaskNet
    readonly told?: boolean
    readonly tasks?: number
    readonly note: string
  }
} = {
  gradient_diverse: {
    strategy: { replay: { bytes: 4e6, batch: 128, labels: 2, buffer: 'diverse' } },
    note: 'replay of 4 MB, GSS-greedy',
  },
  kronecker_ewc: {
    strategy: { penalty: { kind: 'ewc', lambda: 1, fisher: 'kronecker' } },
    note: 'no replay; the tasks contradict each other and are not named',
  },
  modular: {
    net: (seed) => openModularNet({ ...NET, seed, hidden: [16], bar: 0.8 }),
    note: 'modules of 16 neurons, the task found by the input',
  },
  pack_net: {
    net: (seed) => openPackNet({ ...NET, seed, net: mlp({ sizes: [WIDTH, 128, 128, 2] }), keep: 0.02 }),
    told: true,
    note: 'told the task; 2-128-128-2, a task keeps 2 % of what is free',
  },
  progressive: {
    net: (seed) => openProgressiveNet({ ...NET, seed, hidden: [8], adapter: 2, sources: 2 }),
    told: true,
    tasks: 100,
    note: 'told the task; columns of 8 neurons, the first 100 tasks only: a column draws on all before it through others',
  },
}

/** What one seed of such a method has shown. */
interface Row {
  readonly seed: number
  readonly retention: number
  readonly final: number
  readonly bytes: number
  readonly milliseconds: number
  readonly samples_per_update: number
}

/** What one seed has shown. */
interface Run {
  readonly seed: number
  readonly retention: number
  readonly learned: number
  readonly final: number
  readonly joint: number
  readonly finetune_retention: number
  readonly finetune_learned: number
  readonly bytes: number
  readonly seconds: number
  readonly slowdown: number
  readonly samples_per_update: number
}

/** Time of a task in the last tenth over that in the first one; more than this is not constant. */
const SLOWEST = 1.5

const open = (strategy: Strategy, rate: number, seed: number) =>
  openTrainer({
    net: mlp({ sizes: [WIDTH, 48, 48, 2] }),
    inputs: WIDTH,
    outputs: 2,
    batchSize: 64,
    resetRule: false,
    rate,
    seed,
    strategy,
  })

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!

export default bench({
  name: 'continual-thousand',
  description:
    '1,000 tasks of 52 market regimes with contradicting labels, no task identity: what is retained of all. --only NAME[,NAME] runs these rows, replay the first ones; --out=FILE keeps finished seeds and goes on from them',
  async run(context) {
    const tasks = context.number('tasks', 1000)
    const samples = context.number('samples', 256)
    const epochs = context.number('epochs', 16)
    const seeds = context.number('seeds', 3)
    const rate = context.number('rate', 0.008)
    const out = context.args.find((arg) => arg.startsWith('--out='))?.slice(6)
    const key = [tasks, samples, epochs, rate].join('/')
    const at = context.args.indexOf('--only')
    const only = (
      context.args.find((arg) => arg.startsWith('--only='))?.slice(7) ?? (at < 0 ? undefined : context.args[at + 1])
    )?.split(',')
    const known = new Map<number, Run>()
    const knownRows = new Map<string, Row>()
    if (out && existsSync(out)) {
      for (const line of readFileSync(out, 'utf8').split('\n')) {
        if (!line.endsWith('}')) continue
        const saved = JSON.parse(line) as (Run | Row) & { key: string; method?: string }
        if (saved.key !== key) continue
        if (saved.method) knownRows.set(`${saved.method}/${saved.seed}`, saved as Row)
        else known.set(saved.seed, saved as Run)
      }
    }
    const regimes: number[] = []
    const orderOf = (seed: number): number[] => {
      const rng = createRng(seed + 1)
      return Array.from({ length: tasks }, (_, i) => (i < REGIMES ? i : rng.int(0, REGIMES)))
    }
    const dataOf = (seed: number) => {
      const order = orderOf(seed)
      return {
        train: order.map((k, i) => task(k, `train-${seed}-${i}`, samples)),
        test: order.map((k, i) => task(k, `test-${seed}-${i}`, 128)),
      }
    }
    const followRow = async (name: string, seed: number): Promise<Row> => {
      const found = knownRows.get(`${name}/${seed}`)
      if (found) return found
      const { strategy, net, told = false, tasks: most = tasks } = ROWS[name]!
      const { train, test } = dataOf(seed)
      const count = Math.min(tasks, most)
      const one = net ? net(seed) : open(strategy!, rate, seed)
      const judge = (j: number): Promise<number> => one.accuracy(told ? { ...test[j]!, task: j } : test[j]!)
      const matrix = Array.from({ length: count }, () => new Float64Array(count).fill(Number.NaN))
      for (let i = 0; i < count; i++) {
        await one.learn(train[i]!, { epochs })
        matrix[i]![i] = await judge(i)
        if (i % 100 === 99) context.log(`${name}: ${i + 1} tasks`)
      }
      for (let j = 0; j < count; j++) matrix[count - 1]![j] = await judge(j)
      const metrics: ContinualMetrics = continualMetrics(matrix, { chance: 0.5, cost: one.cost })
      await one.dispose()
      const row: Row = {
        seed,
        retention: metrics.retention,
        final: metrics.averageAccuracy,
        bytes: metrics.bytes ?? 0,
        milliseconds: 1000 * (metrics.secondsPerUpdate ?? 0),
        samples_per_update: metrics.samplesPerUpdate ?? 0,
      }
      context.log(`${name}: ${JSON.stringify(row)}`)
      if (out) appendFileSync(out, `${JSON.stringify({ key, method: name, ...row })}\n`)
      return row
    }
    const once = async (seed: number): Promise<Run> => {
      const order = orderOf(seed)
      regimes.push(new Set(order).size)
      const found = known.get(seed)
      if (found) return found
      const { train, test } = dataOf(seed)
      const follow = async (strategy: Strategy) => {
        const begin = performance.now()
        const trainer = open(strategy, rate, seed)
        const matrix = order.map(() => new Float64Array(tasks).fill(Number.NaN))
        const times: number[] = []
        for (let i = 0; i < tasks; i++) {
          const started = process.cpuUsage()
          await trainer.learn(train[i]!, { epochs })
          const { user, system } = process.cpuUsage(started)
          times.push(user + system)
          matrix[i]![i] = await trainer.accuracy(test[i]!)
          if (i % 100 === 99) context.log(`${i + 1} tasks`)
        }
        for (let j = 0; j < tasks; j++) matrix[tasks - 1]![j] = await trainer.accuracy(test[j]!)
        const metrics = continualMetrics(matrix, { chance: 0.5, cost: trainer.cost })
        await trainer.dispose()
        const part = Math.max(1, Math.floor(tasks / 10))
        return {
          ...metrics,
          seconds: (performance.now() - begin) / 1000,
          // The first task compiles the graphs.
          slowdown: median(times.slice(-part)) / median(times.slice(1, 1 + part)),
        }
      }
      const ours = await follow({ replay: { bytes: 4e6, batch: 128, labels: 2 } })
      if (ours.slowdown > SLOWEST) throw new Error(`The time of a task grew by ${ours.slowdown.toFixed(2)}.`)
      const plain = await follow({})
      const run = {
        seed,
        retention: ours.retention,
        learned: ours.learnedAccuracy,
        final: ours.averageAccuracy,
        joint: await together(train, test, seed),
        finetune_retention: plain.retention,
        finetune_learned: plain.learnedAccuracy,
        bytes: ours.bytes ?? 0,
        seconds: ours.seconds,
        slowdown: ours.slowdown,
        samples_per_update: ours.samplesPerUpdate ?? 0,
      }
      context.log(JSON.stringify(run))
      if (out) appendFileSync(out, `${JSON.stringify({ key, ...run })}\n`)
      return run
    }
    const rows: { [figure: string]: { value: number; unit?: string; note: string } } = {}
    for (const [name, { note }] of Object.entries(ROWS)) {
      if (only && !only.includes(name)) continue
      const made: Row[] = []
      for (let seed = 0; seed < seeds; seed++) made.push(await followRow(name, seed))
      const mean = (field: Exclude<keyof Row, 'seed'>): number => made.reduce((sum, row) => sum + row[field] / seeds, 0)
      const each = `each seed: ${made.map(({ final }) => final.toFixed(4)).join(', ')}`
      rows[`final_${name}`] = { value: mean('final'), note: `${note}; ${each}` }
      rows[`retention_${name}`] = { value: mean('retention'), note: '' }
      rows[`megabytes_${name}`] = { value: mean('bytes') / 1e6, note: '' }
      rows[`samples_per_update_${name}`] = { value: mean('samples_per_update'), note: '' }
      rows[`milliseconds_per_update_${name}`] = { value: mean('milliseconds'), unit: 'ms', note: '' }
    }
    if (only && !only.includes('replay')) return { figures: rows }
    const runs: Run[] = []
    for (let seed = 0; seed < seeds; seed++) runs.push(await once(seed))
    const figure = (name: Exclude<keyof Run, 'seed'>, note = '') => {
      const values = runs.map((run) => run[name])
      const value = values.reduce((sum, one) => sum + one, 0) / values.length
      return { value, note: `${note}each seed: ${values.map((one) => Number(one.toPrecision(4))).join(', ')}` }
    }
    const ratios = runs.map((run) => run.final / run.joint)
    return {
      figures: {
        retention: figure('retention'),
        learned: figure('learned'),
        final: figure('final'),
        vs_joint: {
          value: ratios.reduce((sum, one) => sum + one, 0) / ratios.length,
          note: `each seed: ${ratios.map((one) => one.toFixed(4)).join(', ')}`,
        },
        joint: figure('joint', 'the best of four epochs on all samples; '),
        finetune_retention: figure('finetune_retention'),
        finetune_learned: figure('finetune_learned'),
        bytes: figure('bytes'),
        seconds: { ...figure('seconds'), unit: 's' },
        slowdown: figure('slowdown', 'CPU time of a task in the last tenth over the first; '),
        samples_per_update: figure('samples_per_update'),
        tasks,
        regimes: Math.min(...regimes),
        ...rows,
      },
    }
  },
})

/** Accuracy of a net that learned all samples of all tasks in one sitting, shuffled: after the best of four epochs. */
async function together(train: readonly TaskData[], test: readonly TaskData[], seed: number): Promise<number> {
  const joined = (parts: readonly TaskData[]): TaskData => ({
    x: Float32Array.from(parts.flatMap((part) => Array.from(part.x))),
    y: Int32Array.from(parts.flatMap((part) => Array.from(part.y))),
  })
  const [all, judged] = [joined(train), joined(test)]
  const joint = open({}, 0.002, seed)
  let best = 0
  for (let epoch = 0; epoch < 4; epoch++) {
    await joint.learn(all)
    best = Math.max(best, await joint.accuracy(judged))
  }
  await joint.dispose()
  return best
}
