import { fisherDiagonal } from '@regimen/continual'
import { createRng } from '@regimen/core'
import { mlp } from '@regimen/tensor'
import { bench, timing } from './harness.ts'

const PEER = `
import json, sys, time, torch
torch.set_num_threads(1)
given = json.loads(sys.stdin.read())
net = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
x = torch.rand(given['samples'], 784)
count = given['measured']
fisher = [torch.zeros_like(p) for p in net.parameters()]
begin = time.perf_counter()
for i in range(count):
    log_p = torch.log_softmax(net(x[i:i + 1]), 1)[0]
    p = log_p.detach().exp()
    for c in range(10):
        gradients = torch.autograd.grad(log_p[c], list(net.parameters()), retain_graph=c < 9)
        for f, g in zip(fisher, gradients):
            f.addcmul_(g, g, value=float(p[c]))
print(json.dumps({'ms': (time.perf_counter() - begin) * 1000 * given['samples'] / count}))
`

export default bench({
  name: 'continual-fisher',
  description: 'exact diagonal Fisher information of MLP 784-256-10 on 2,000 samples, against a PyTorch loop',
  async run(context) {
    const n = context.number('samples', 2000)
    const runs = context.number('runs', 3)
    const net = mlp({ sizes: [784, 256, 10] })
    const params = net.init(createRng(1))
    const rng = createRng(2)
    const x = Float32Array.from({ length: n * 784 }, () => rng.uniform())
    const times: number[] = []
    for (let run = 0; run < runs; run++) {
      // Compilation included: this is what a user waits for.
      const begin = performance.now()
      const fisher = await fisherDiagonal(net, { params, samples: { x, width: 784 }, outputs: 10 })
      times.push(performance.now() - begin)
      if (!(fisher[0]! >= 0)) throw new Error('The Fisher information is not a number.')
    }
    const { min, spread } = timing(times)
    const ms = { value: min, unit: 'ms', spread, note: 'compilation included' }
    // The loop is linear in the samples, so a part of them is measured.
    const measured = Math.min(n, context.number('peer-samples', 400))
    const peer = await context.python<{ ms: number }>(PEER, {
      needs: ['torch'],
      input: { samples: n, measured },
      threads: 1,
    })
    if (peer.absent !== undefined) return { figures: { ms }, peers: { torch: { absent: peer.absent } } }
    return {
      figures: { ms, speedup: peer.value.ms / min },
      peers: { torch: { ms: { value: peer.value.ms, unit: 'ms' } } },
    }
  },
})
