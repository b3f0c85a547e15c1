import '@tensorflow/tfjs'
import { compile, useBackend } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { bench, interleave } from './harness.ts'

const TASKS = 25
const SHOTS = 10
const RATE = 0.01
const SIZES = [1, 40, 40, 1]

type Params = tf.Tensor[]

/** The tasks' batch: inputs and targets to adapt on, inputs and targets to be judged on, [tasks, shots, 1] each. */
type Batch = [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]

/** Weights without a task axis are shared by all tasks. */
function net(params: Params, x: tf.Tensor): tf.Tensor {
  const [w1, b1, w2, b2, w3, b3] = params as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
  const h1 = tf.relu(tf.add(tf.matMul(x, w1), b1))
  const h2 = tf.relu(tf.add(tf.matMul(h1, w2), b2))
  return tf.add(tf.matMul(h2, w3), b3)
}

/** Mean squared error of each task, summed over tasks. */
const lossSum = (params: Params, x: tf.Tensor, y: tf.Tensor): tf.Scalar =>
  tf.sum(tf.mean(tf.square(tf.sub(net(params, x), y)), [1, 2]))

/** MAML: adapt every task by gradient descent, then differentiate the loss after adaptation in the shared start. */
function metaGradient(steps: number): (params: Params, batch: Batch) => { loss: tf.Tensor; grads: tf.Tensor[] } {
  return (params, [x, y, queryX, queryY]) => {
    const metaLoss = (...shared: tf.Tensor[]): tf.Scalar => {
      // Adding zeros of the target shape gives every task its own copy, whose gradient is a plain sum.
      let own = shared.map((p) => tf.add(p, tf.zeros([TASKS, ...p.shape.slice(1)])))
      for (let step = 0; step < steps; step++) {
        const grads = tf.grads((...p: tf.Tensor[]) => lossSum(p, x, y))(own)
        own = own.map((p, i) => tf.sub(p, tf.mul(grads[i]!, RATE)))
      }
      return tf.div(lossSum(own, queryX, queryY), TASKS)
    }
    const { value, grads } = tf.valueAndGrads(metaLoss)(params)
    return { loss: value, grads }
  }
}

interface Leaf {
  dtype: 'float32'
  shape: number[]
  data: Float32Array
}

/** A small congruential generator, which the Python peer repeats. */
function uniforms(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296
    return state / 4294967296
  }
}

function problem(): { params: Leaf[]; batch: Leaf[] } {
  const next = uniforms(7)
  const leaf = (shape: number[], make: () => number): Leaf => ({
    dtype: 'float32',
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, make),
  })
  const params: Leaf[] = []
  for (let layer = 0; layer + 1 < SIZES.length; layer++) {
    const bound = 1 / Math.sqrt(SIZES[layer]!)
    params.push(leaf([1, SIZES[layer]!, SIZES[layer + 1]!], () => bound * (2 * next() - 1)))
    params.push(leaf([1, 1, SIZES[layer + 1]!], () => bound * (2 * next() - 1)))
  }
  const tasks = Array.from({ length: TASKS }, () => ({ amplitude: 0.1 + 4.9 * next(), phase: Math.PI * next() }))
  const pair = (): Leaf[] => {
    const x = leaf([TASKS, SHOTS, 1], () => 10 * next() - 5)
    const y = {
      ...x,
      data: x.data.map((v, i) => {
        const { amplitude, phase } = tasks[Math.floor(i / SHOTS)]!
        return amplitude * Math.sin(v + phase)
      }),
    }
    return [x, y]
  }
  return { params, batch: [...pair(), ...pair()] }
}

const tensors = (leaves: Leaf[]): tf.Tensor[] => leaves.map(({ data, shape }) => tf.tensor(data, shape, 'float32'))

/** A meta-gradient of plain tfjs on the backend in use, as a function that returns the gradients. */
function eager(): () => Float32Array[] {
  const { params, batch } = problem()
  const [p, b] = [tensors(params), tensors(batch) as Batch]
  const fn = metaGradient(1)
  return () => tf.tidy(() => fn(p, b).grads.map((g) => g.dataSync().slice() as Float32Array))
}

function tenTimes(fn: () => unknown): () => Promise<void> {
  return async () => {
    for (let i = 0; i < 10; i++) await fn()
  }
}

/** The same in PyTorch: one task after another, and batched by hand. One thread. */
const TORCH = `
import json, sys, time, math, torch
torch.set_num_threads(1)
d = json.load(sys.stdin)
params = [torch.tensor(v).reshape(s) for v, s in d['params']]
X, Y, QX, QY = [torch.tensor(v).reshape(s) for v, s in d['batch']]
T, rate = X.shape[0], d['rate']

def forward(p, x):
    h = torch.relu(x @ p[0] + p[1])
    h = torch.relu(h @ p[2] + p[3])
    return h @ p[4] + p[5]

def serial(steps):
    shared = [p[0].clone().requires_grad_(True) for p in params]
    total = 0.
    for t in range(T):
        own = shared
        for _ in range(steps):
            loss = ((forward(own, X[t]) - Y[t]) ** 2).mean()
            g = torch.autograd.grad(loss, own, create_graph=True)
            own = [p - rate * q for p, q in zip(own, g)]
        total = total + ((forward(own, QX[t]) - QY[t]) ** 2).mean()
    return torch.autograd.grad(total / T, shared)

def batched(steps):
    shared = [p.clone().requires_grad_(True) for p in params]
    own = [p.expand(T, *p.shape[1:]) for p in shared]
    for _ in range(steps):
        loss = ((torch_forward(own, X) - Y) ** 2).mean((1, 2)).sum()
        g = torch.autograd.grad(loss, own, create_graph=True)
        own = [p - rate * q for p, q in zip(own, g)]
    total = ((torch_forward(own, QX) - QY) ** 2).mean((1, 2)).sum() / T
    return torch.autograd.grad(total, shared)

def torch_forward(p, x):
    h = torch.relu(torch.baddbmm(p[1], x, p[0]))
    h = torch.relu(torch.baddbmm(p[3], h, p[2]))
    return torch.baddbmm(p[5], h, p[4])

def median(fn, runs):
    for _ in range(max(3, runs // 10)): fn()
    times = []
    for _ in range(runs):
        s = time.perf_counter(); fn(); times.append(time.perf_counter() - s)
    return sorted(times)[len(times) // 2] * 1e3

grads = [g.reshape(-1).tolist() for g in batched(1)]
alone = [g.reshape(-1).tolist() for g in serial(1)]
print(json.dumps(dict(serial=median(lambda: serial(1), 60), batched=median(lambda: batched(1), 300),
  serial5=median(lambda: serial(5), 20), grads=grads, alone=alone)))
`

interface TorchAnswer {
  serial: number
  batched: number
  serial5: number
  grads: number[][]
}

function largestDifference(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  let worst = 0
  a.forEach((list, i) => {
    for (let j = 0; j < list.length; j++) worst = Math.max(worst, Math.abs(list[j]! - b[i]![j]!))
  })
  return worst
}

export default bench({
  name: 'tensor-metagrad',
  description: 'second-order MAML gradient, 25 sinusoid tasks × 10 shots, MLP 1-40-40-1, one thread, ms',
  async run(context) {
    const { params, batch } = problem()
    const one = compile(metaGradient(1))
    const five = compile(metaGradient(5))
    const leaves = batch as [Leaf, Leaf, Leaf, Leaf]
    const result = await one(params, leaves)
    // In turn, so that a noisy moment hits all of them, ten calls at a time, as PyTorch is measured, so that none finds
    // the caches full of another's data. Compiled functions do not use the backend.
    await useBackend('wasm')
    const { timings } = await interleave(
      {
        one: tenTimes(() => one(params, leaves)),
        five: tenTimes(() => five(params, leaves)),
        wasm: tenTimes(eager()),
      },
      { runs: context.number('runs', 40), warmup: 5 },
    )
    await useBackend('cpu')
    const onCpu = eager()
    const expected = onCpu()
    const cpu = await interleave({ onCpu }, { runs: 20, warmup: 3 })
    const torch = await context.python<TorchAnswer>(TORCH, {
      needs: ['torch'],
      input: {
        params: params.map(({ data, shape }) => [Array.from(data), shape]),
        batch: batch.map(({ data, shape }) => [Array.from(data), shape]),
        rate: RATE,
      },
    })
    const grads = result.grads.map(({ data }) => data)
    const ms = (value: number, spread?: number): { value: number; unit: string; spread?: number } => ({
      value,
      unit: 'ms',
      ...(spread === undefined ? {} : { spread }),
    })
    const compiled = timings.one.median / 10
    const compiled5 = timings.five.median / 10
    const wasm = timings.wasm.median / 10
    const ratios = torch.absent === undefined && {
      torch_serial_ratio: torch.value.serial / compiled,
      torch_batched_ratio: torch.value.batched / compiled,
      torch_serial5_ratio: torch.value.serial5 / compiled5,
      difference_from_torch: largestDifference(torch.value.grads, grads),
    }
    return {
      figures: {
        compiled_ms: ms(compiled, timings.one.spread),
        compiled5_ms: ms(compiled5, timings.five.spread),
        eager_wasm_ms: ms(wasm, timings.wasm.spread),
        eager_cpu_ms: ms(cpu.timings.onCpu.median),
        wasm_ratio: wasm / compiled,
        ...(ratios || {}),
        difference_from_eager: largestDifference(expected, grads),
        nodes: one.explain()[0]!.passes.at(-1)!.nodes,
      },
      peers:
        torch.absent === undefined
          ? {
              torch_serial_ms: ms(torch.value.serial),
              torch_batched_ms: ms(torch.value.batched),
              torch_serial5_ms: ms(torch.value.serial5),
            }
          : { torch_serial_ms: torch, torch_batched_ms: torch, torch_serial5_ms: torch },
    }
  },
})
