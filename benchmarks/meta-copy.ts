import '@tensorflow/tfjs'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRng, createSnapshot, snapshotFromJson, snapshotToJson, type Tree } from '@regimen/core'
import { ntm } from '@regimen/meta'
import {
  adam,
  binaryCrossEntropy,
  clipByGlobalNorm,
  compile,
  cosineDecay,
  paramsFromSnapshot,
  type RuleState,
  type TensorLeaf,
  valueAndGradient,
} from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import { bench, type Figure } from './harness.ts'

const BITS = 8
/** Lengths to which sequences are padded, so that few graphs serve all. */
const LENGTHS = [4, 8, 12, 16, 20, 40]
const BATCH = 4

const net = ntm({ inputs: BITS + 1, outputs: BITS, hidden: 100, slots: 128, width: 20 })
type Params = Parameters<typeof net.apply>[0]
type Fetched = ReturnType<typeof net.init>

interface Batch {
  readonly x: TensorLeaf
  readonly y: TensorLeaf
  /** 1 where an answer is wanted, [n, steps]. */
  readonly weights: TensorLeaf
}

/** Random bits, a mark, then silence in which they are to be repeated; padded behind. */
function copyBatch(length: number, count: number, seed: string): Batch {
  const rng = createRng(seed)
  const steps = 2 * LENGTHS.find((size) => size >= length)! + 1
  const x = new Float32Array(count * steps * (BITS + 1))
  const y = new Float32Array(count * steps * BITS)
  const weights = new Float32Array(count * steps)
  for (let i = 0; i < count; i++) {
    for (let t = 0; t < length; t++) {
      for (let b = 0; b < BITS; b++) {
        const bit = rng.int(0, 2)
        x[(i * steps + t) * (BITS + 1) + b] = bit
        y[(i * steps + length + 1 + t) * BITS + b] = bit
      }
      weights[i * steps + length + 1 + t] = 1
    }
    x[(i * steps + length) * (BITS + 1) + BITS] = 1
  }
  const leaf = (data: Float32Array, ...shape: number[]): TensorLeaf => ({ dtype: 'float32', shape, data })
  return {
    x: leaf(x, count, steps, BITS + 1),
    y: leaf(y, count, steps, BITS),
    weights: leaf(weights, count, steps),
  }
}

/** Natural logarithm to bits, mean over the wanted bits. */
const bitsOf = (loss: number): number => loss / Math.LN2

interface Training {
  readonly sequences: number
  readonly file: string | undefined
  readonly log: (line: string) => void
}

/** Trains on lengths 1 to 20 and measures bits per element on fresh sequences of 20 and 40. */
async function follow(seed: number, { sequences, file, log }: Training): Promise<{ at20: number; at40: number }> {
  const rule = adam()
  const updates = Math.ceil(sequences / BATCH)
  const rate = cosineDecay({ from: RATE, to: RATE / 50, steps: updates })
  const lossOf = (params: Params, { x, y, weights }: { x: tf.Tensor; y: tf.Tensor; weights: tf.Tensor }): tf.Tensor =>
    binaryCrossEntropy(net.apply(params, x), y, { weights })
  type Sets = { x: tf.Tensor; y: tf.Tensor; weights: tf.Tensor }
  const step = compile((params: Params, state: RuleState<tf.Tensor>, batch: Sets, speed: tf.Tensor) => {
    const { value, gradient } = valueAndGradient((p: Params) => lossOf(p, batch), params)
    const next = rule.apply(params, { gradients: clipByGlobalNorm(gradient, 10), state, rate: speed })
    return { loss: value, params: next.params, state: next.state }
  })
  const judge = compile(lossOf)
  const root = createRng(`meta-copy/${seed}`)
  let params: Fetched = net.init(root.split('init'))
  let state = rule.init(params)
  let update = 0
  const path = file && `${file}.${seed}.json`
  if (path && existsSync(path)) {
    const saved = snapshotFromJson(readFileSync(path, 'utf8'))
    const stored = paramsFromSnapshot(saved, { params, state })
    ;({ params, state } = stored)
    update = Number((saved.state as { [name: string]: Tree }).update)
  }
  const measure = async (length: number): Promise<number> =>
    bitsOf((await judge(params as never, copyBatch(length, 50, `test/${length}`) as never)).data[0]!)
  let recent = 0
  while (update < updates) {
    const length = root.split('length').split(update).int(1, 21)
    const batch = copyBatch(length, BATCH, `train/${seed}/${update}`)
    const next = await step(params as never, state as never, batch as never, rate(update) as never)
    params = next.params as Fetched
    state = next.state
    update++
    recent += bitsOf(next.loss.data[0]!) / EVERY
    if (update % EVERY !== 0 && update !== updates) continue
    log(`seed ${seed}, ${update * BATCH} sequences: ${recent.toFixed(4)} bits, ${(await measure(20)).toFixed(4)} at 20`)
    recent = 0
    if (!path) continue
    const content = { params, state, update } as unknown as Tree
    writeFileSync(
      path,
      snapshotToJson(createSnapshot({ id: 'bench/meta-copy', version: 1, config: {}, state: content })),
    )
  }
  const [at20, at40] = [await measure(20), await measure(40)]
  await Promise.all([step.dispose(), judge.dispose()])
  return { at20, at40 }
}

const RATE = 1e-3
/** Updates between reports and checkpoints. */
const EVERY = 50

export default bench({
  name: 'meta-copy',
  description:
    'a neural Turing machine learns to copy 1 to 20 random bytes: bits per element at lengths 20 and 40 (--sequences 30000, --seeds 3, --seed N for one; --out=FILE keeps checkpoints and goes on from them)',
  async run(context) {
    const sequences = context.number('sequences', 30_000)
    const one = context.number('seed', 0)
    const seeds = one > 0 ? [one] : Array.from({ length: context.number('seeds', 3) }, (_, i) => i + 1)
    const file = context.args.find((arg) => arg.startsWith('--out='))?.slice(6)
    const figures: { [name: string]: Figure } = {}
    const results: { at20: number; at40: number }[] = []
    for (const seed of seeds) {
      const result = await follow(seed, { sequences, file, log: context.log })
      results.push(result)
      figures[`seed${seed}_bits_at_20`] = result.at20
      figures[`seed${seed}_bits_at_40`] = result.at40
    }
    const best = results.reduce((a, b) => (b.at20 + b.at40 < a.at20 + a.at40 ? b : a))
    figures.best_bits_at_20 = { value: best.at20, note: 'bits per element, of the best seed' }
    figures.best_bits_at_40 = { value: best.at40, note: 'the same seed' }
    return { figures }
  },
})
