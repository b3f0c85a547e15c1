import { createRng } from '@regimen/core'
import {
  adam,
  compile,
  dense,
  type Fetched,
  lstm,
  mlp,
  type Net,
  sequential,
  softmaxCrossEntropy,
  valueAndGradient,
} from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import { bench, type Timing, timing } from './harness.ts'

interface Batch {
  readonly x: { dtype: 'float32'; shape: number[]; data: Float32Array }
  readonly y: { dtype: 'int32'; shape: number[]; data: Int32Array }
}

function batch(shape: number[], classes: number): Batch {
  const rng = createRng(1)
  const size = shape.reduce((product, dim) => product * dim, 1)
  return {
    x: { dtype: 'float32', shape, data: Float32Array.from({ length: size }, () => rng.normal()) },
    y: {
      dtype: 'int32',
      shape: [shape[0]!],
      data: Int32Array.from({ length: shape[0]! }, () => rng.int(0, classes)),
    },
  }
}

/** Times whole training steps, typed arrays in and out: loss, gradient and Adam in one graph. */
async function measure<P>(
  net: Net<P>,
  { x, y }: Batch,
  runs: number,
): Promise<Timing & { first: number; last: number }> {
  const rule = adam()
  const step = compile(
    (params: P, state: { [slot: string]: tf.Tensor }, input: tf.Tensor, target: tf.Tensor, rate: tf.Tensor) => {
      const { value, gradient } = valueAndGradient((p: P) => softmaxCrossEntropy(net.apply(p, input), target), params)
      return { loss: value, ...rule.apply(params, { gradients: gradient, state, rate }) }
    },
  )
  let params: Fetched<P> = net.init(createRng(2))
  let state = rule.init(params) as { [slot: string]: Fetched<tf.Tensor> }
  const times: number[] = []
  const losses: number[] = []
  for (let i = 0; i < runs + 20; i++) {
    const begin = performance.now()
    const result = await step(params as never, state, x, y, 1e-3)
    const elapsed = performance.now() - begin
    params = result.params as Fetched<P>
    state = result.state
    losses.push(result.loss.data[0]!)
    if (i >= 20) times.push(elapsed)
  }
  await step.dispose()
  return { ...timing(times), first: losses[0]!, last: losses.at(-1)! }
}

const PEER = `
import json, sys, time, torch
torch.set_num_threads(1)
torch.manual_seed(0)

class Sequence(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(45, 64, batch_first=True)
        self.head = torch.nn.Linear(64, 3)
    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])

def measure(net, shape, runs):
    x, y = torch.randn(*shape), torch.randint(0, 3, (shape[0],))
    optimizer, loss_of = torch.optim.Adam(net.parameters(), lr=1e-3), torch.nn.CrossEntropyLoss()
    times = []
    for i in range(runs + 20):
        begin = time.perf_counter()
        optimizer.zero_grad()
        loss_of(net(x), y).backward()
        optimizer.step()
        times.append((time.perf_counter() - begin) * 1000)
    times = sorted(times[20:])
    return times[len(times) // 2]

N = torch.nn
mlp = N.Sequential(N.Linear(45, 128), N.ReLU(), N.Linear(128, 64), N.ReLU(), N.Linear(64, 3))
result = {"mlp": measure(mlp, (64, 45), int(sys.argv[1])), "lstm": measure(Sequence(), (32, 60, 45), int(sys.argv[2]))}
print(json.dumps(result))
`

export default bench({
  name: 'tensor-train',
  description: 'one training step with Adam, MLP 45-128-64-3 and LSTM 45→64 over 60 steps, against PyTorch',
  async run(context) {
    const rounds = context.number('rounds', 3)
    const runs = { mlp: context.number('mlp-runs', 500), lstm: context.number('lstm-runs', 60) }
    const ours = { mlp: [] as number[], lstm: [] as number[] }
    const theirs = { mlp: [] as number[], lstm: [] as number[] }
    let absent: string | undefined
    const perceptron = mlp({ sizes: [45, 128, 64, 3] })
    const recurrent = sequential([lstm({ inputs: 45, hidden: 64 }), dense({ inputs: 64, outputs: 3 })])
    for (let round = 0; round < rounds; round++) {
      context.log(`round ${round + 1} of ${rounds}`)
      ours.mlp.push((await measure(perceptron, batch([64, 45], 3), runs.mlp)).median)
      ours.lstm.push((await measure(recurrent, batch([32, 60, 45], 3), runs.lstm)).median)
      const args = [String(runs.mlp), String(runs.lstm)]
      const peer = await context.python<{ mlp: number; lstm: number }>(PEER, { needs: ['torch'], args, threads: 1 })
      if (peer.absent !== undefined) absent = peer.absent
      else {
        theirs.mlp.push(peer.value.mlp)
        theirs.lstm.push(peer.value.lstm)
      }
    }
    const best = (times: number[]) => Math.min(...times)
    const figures = { mlp_ms: best(ours.mlp), lstm_ms: best(ours.lstm) }
    if (absent !== undefined) return { figures, peers: { torch: { absent } } }
    const torch = { mlp_ms: best(theirs.mlp), lstm_ms: best(theirs.lstm) }
    const ratios = { mlp_ratio: figures.mlp_ms / torch.mlp_ms, lstm_ratio: figures.lstm_ms / torch.lstm_ms }
    return { figures: { ...figures, ...ratios }, peers: { torch } }
  },
})
