import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { openTrainer, type Strategy, type TaskData } from '@regimen/continual'
import { createRng } from '@regimen/core'
import { mlp } from '@regimen/tensor'
import '@tensorflow/tfjs'
import { type BenchContext, type BenchResult, bench } from './harness.ts'

const PIXELS = 784

interface Digits {
  readonly x: Float32Array
  readonly y: Uint8Array
}

interface Split {
  readonly train: TaskData
  readonly test: TaskData
}

function digits(context: BenchContext, part: string): Digits | undefined {
  const [images, labels] = ['images-idx3-ubyte.gz', 'labels-idx1-ubyte.gz'].map((kind) =>
    context.data(`mnist/${part}-${kind}`),
  )
  if (!images || !labels) return undefined
  const y = new Uint8Array(gunzipSync(readFileSync(labels)).subarray(8))
  return { x: Float32Array.from(gunzipSync(readFileSync(images)).subarray(16), (byte) => byte / 255), y }
}

/** Each task shuffles the pixels in its own way. */
function permuted({ x, y }: Digits, order: ArrayLike<number>): TaskData {
  const moved = new Float32Array(x.length)
  for (let i = 0; i < y.length; i++) {
    for (let j = 0; j < PIXELS; j++) moved[i * PIXELS + j] = x[i * PIXELS + order[j]!]!
  }
  return { x: moved, y }
}

type Scenario = 'task' | 'domain' | 'class'

/** Digits 0 and 1, then 2 and 3, …: the class, or in the domain scenario which of the two. */
function pair({ x, y }: Digits, k: number, scenario: Scenario): TaskData {
  const rows = Array.from(y.keys()).filter((i) => y[i]! >> 1 === k)
  const data = new Float32Array(rows.length * PIXELS)
  for (const [to, i] of rows.entries()) data.set(x.subarray(i * PIXELS, (i + 1) * PIXELS), to * PIXELS)
  const labels = rows.map((i) => (scenario === 'domain' ? y[i]! & 1 : y[i]!))
  return { x: data, y: labels, task: k, ...(scenario === 'task' ? { classes: [2 * k, 2 * k + 1] } : {}) }
}

// Bytes of 200 remembered samples a task.
const MEMORY = 200 * (4 * (PIXELS + 1) + 4)
const METHODS: { readonly [name: string]: (tasks: number, lambda: number) => Strategy } = {
  none: () => ({}),
  ewc: (_, lambda) => ({ penalty: { kind: 'ewc', lambda } }),
  online_ewc: (_, lambda) => ({ penalty: { kind: 'ewc', lambda, anchors: 'latest', decay: 1 } }),
  si: () => ({ penalty: { kind: 'si', lambda: 1 } }),
  lwf: () => ({ distill: { weight: 1 } }),
  a_gem: (tasks) => ({ constraint: { kind: 'a-gem', bytes: tasks * (MEMORY + 1600) } }),
  gem: () => ({ constraint: { kind: 'gem', bytes: MEMORY, batch: 128 } }),
  er: (tasks) => ({ replay: { bytes: tasks * MEMORY } }),
  der_plus_plus: (tasks) => ({ replay: { bytes: tasks * (MEMORY + 8000), logits: 0.5, labels: 1 } }),
}

async function follow(splits: readonly Split[], strategy: Strategy, sizes: number[], epochs: number, seed: number) {
  const trainer = openTrainer({
    net: mlp({ sizes }),
    inputs: PIXELS,
    outputs: sizes.at(-1)!,
    batchSize: 64,
    seed,
    strategy,
  })
  for (const { train } of splits) await trainer.learn(train, { epochs })
  let sum = 0
  for (const { test } of splits) sum += (await trainer.accuracy(test)) / splits.length
  await trainer.dispose()
  return sum
}

function joined(splits: readonly Split[]): TaskData {
  const count = splits.reduce((sum, { train }) => sum + train.y.length, 0)
  const x = new Float32Array(count * PIXELS)
  const y = new Uint8Array(count)
  let at = 0
  for (const { train } of splits) {
    x.set(train.x, at * PIXELS)
    y.set(train.y, at)
    at += train.y.length
  }
  return { x, y }
}

export default bench({
  name: 'continual-mnist',
  description: 'permuted and split MNIST: what each strategy keeps, beside joint training',
  async run(context): Promise<BenchResult> {
    const [train, test] = [digits(context, 'train10k'), digits(context, 'test10k')]
    if (!train || !test) return { figures: { skipped: 'no digits found; set REGIMEN_DATA' } }
    const quick = context.flag('quick')
    const seeds = context.number('seeds', quick ? 1 : 5)
    const tasks = context.number('tasks', quick ? 3 : 10)
    const epochs = context.number('epochs', quick ? 2 : 5)
    const lambda = context.number('lambda', 100)
    const only = context.args
      .find((arg) => arg.startsWith('--only='))
      ?.slice(7)
      .split(',')
    const methods = Object.entries(METHODS).filter(([name]) => !only || only.includes(name))
    const figures: { [name: string]: number } = {}
    const add = (name: string, value: number): void => {
      figures[name] = (figures[name] ?? 0) + value / seeds
      context.log(`${name}: ${value.toFixed(4)}`)
    }
    for (let seed = 0; seed < seeds; seed++) {
      const splits = Array.from({ length: tasks }, (_, k) => {
        const order = createRng(`permutation/${seed}/${k}`).permutation(PIXELS)
        return { train: permuted(train, order), test: permuted(test, order) }
      })
      const sizes = [PIXELS, 100, 100, 10]
      for (const [name, strategy] of methods) {
        add(`permuted_${name}`, await follow(splits, strategy(tasks, lambda), sizes, epochs, seed))
      }
      const all = { train: joined(splits), test: splits[0]!.test }
      const joint = openTrainer({ net: mlp({ sizes }), inputs: PIXELS, outputs: 10, batchSize: 64, seed })
      await joint.learn(all.train, { epochs })
      let together = 0
      for (const split of splits) together += (await joint.accuracy(split.test)) / tasks
      await joint.dispose()
      add('permuted_joint', together)
      if (context.flag('permuted')) continue
      for (const scenario of ['task', 'domain', 'class'] as const) {
        const pairs = Array.from({ length: 5 }, (_, k) => ({
          train: pair(train, k, scenario),
          test: pair(test, k, scenario),
        }))
        const outputs = scenario === 'domain' ? 2 : 10
        for (const [name, strategy] of methods) {
          add(
            `${scenario}_${name}`,
            await follow(pairs, strategy(5, lambda), [PIXELS, 100, 100, outputs], epochs, seed),
          )
        }
      }
    }
    const ratio = figures.permuted_ewc && figures.permuted_joint ? figures.permuted_ewc / figures.permuted_joint : 0
    return { figures: { ...figures, ...(ratio ? { ewc_vs_joint: ratio } : {}) } }
  },
})
