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

export default bench({
  name: 'continual-thousand',
  description: '1,000 tasks of 52 market regimes with contradicting labels, no task identity: what is retained of all',
  async run(context) {
    const tasks = context.number('tasks', 1000)
    const samples = context.number('samples', 256)
    const epochs = context.number('epochs', 16)
    const rng = createRng(1)
    const order = Array.from({ length: tasks }, (_, i) => (i < REGIMES ? i : rng.int(0, REGIMES)))
    const train = order.map((k, i) => task(k, `train-${i}`, samples))
    const test = order.map((k, i) => task(k, `test-${i}`, 128))
    const open = (strategy: Strategy, rate: number) =>
      openTrainer({
        net: mlp({ sizes: [WIDTH, 48, 48, 2] }),
        inputs: WIDTH,
        outputs: 2,
        batchSize: 64,
        resetRule: false,
        rate,
        strategy,
      })
    const follow = async (strategy: Strategy) => {
      const begin = performance.now()
      const trainer = open(strategy, context.number('rate', 0.008))
      const matrix = order.map(() => new Float64Array(tasks).fill(Number.NaN))
      const times: number[] = []
      for (let i = 0; i < tasks; i++) {
        const started = performance.now()
        await trainer.learn(train[i]!, { epochs })
        times.push(performance.now() - started)
        matrix[i]![i] = await trainer.accuracy(test[i]!)
        if (i % 100 === 99) context.log(`${i + 1} tasks`)
      }
      for (let j = 0; j < tasks; j++) matrix[tasks - 1]![j] = await trainer.accuracy(test[j]!)
      const { bytes } = trainer
      await trainer.dispose()
      const part = Math.max(1, Math.floor(tasks / 10))
      const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1]!
      return {
        ...continualMetrics(matrix, { chance: 0.5 }),
        bytes,
        seconds: (performance.now() - begin) / 1000,
        slowdown: median(times.slice(-part)) / median(times.slice(part, 2 * part)),
      }
    }
    const ours = await follow({ replay: { bytes: 4e6, batch: 128, labels: 2 } })
    const plain = await follow({})
    // All samples in one sitting, shuffled.
    const joint = open({}, 0.002)
    const all = { x: new Float32Array(tasks * samples * WIDTH), y: new Int32Array(tasks * samples) }
    for (const [i, one] of train.entries()) {
      all.x.set(one.x, i * samples * WIDTH)
      all.y.set(one.y, i * samples)
    }
    await joint.learn(all, { epochs: Math.min(3, epochs) })
    let together = 0
    for (const one of test) together += (await joint.accuracy(one)) / tasks
    await joint.dispose()
    return {
      figures: {
        retention: ours.retention,
        learned: ours.learnedAccuracy,
        final: ours.averageAccuracy,
        vs_joint: ours.averageAccuracy / together,
        joint: together,
        finetune_retention: plain.retention,
        finetune_learned: plain.learnedAccuracy,
        bytes: ours.bytes,
        seconds: { value: ours.seconds, unit: 's' },
        slowdown: { value: ours.slowdown, note: 'time of a task at the end over that near the start' },
        tasks,
        regimes: new Set(order).size,
      },
    }
  },
})
