import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { continualMetrics, openTrainer, type Strategy, type TaskData } from '@regimen/continual'
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
    '1,000 tasks of 52 market regimes with contradicting labels, no task identity: what is retained of all. --out=FILE keeps finished seeds and goes on from them',
  async run(context) {
    const tasks = context.number('tasks', 1000)
    const samples = context.number('samples', 256)
    const epochs = context.number('epochs', 16)
    const seeds = context.number('seeds', 3)
    const rate = context.number('rate', 0.008)
    const out = context.args.find((arg) => arg.startsWith('--out='))?.slice(6)
    const key = [tasks, samples, epochs, rate].join('/')
    const known = new Map<number, Run>()
    if (out && existsSync(out)) {
      for (const line of readFileSync(out, 'utf8').split('\n')) {
        if (!line.endsWith('}')) continue
        const saved = JSON.parse(line) as Run & { key: string }
        if (saved.key === key) known.set(saved.seed, saved)
      }
    }
    const regimes: number[] = []
    const once = async (seed: number): Promise<Run> => {
      const rng = createRng(seed + 1)
      const order = Array.from({ length: tasks }, (_, i) => (i < REGIMES ? i : rng.int(0, REGIMES)))
      regimes.push(new Set(order).size)
      const found = known.get(seed)
      if (found) return found
      const train = order.map((k, i) => task(k, `train-${seed}-${i}`, samples))
      const test = order.map((k, i) => task(k, `test-${seed}-${i}`, 128))
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
