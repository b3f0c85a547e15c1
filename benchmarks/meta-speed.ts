import '@tensorflow/tfjs'
import { maml, metaTrain, sampleFamily, sinusoids } from '@regimen/meta'
import { mlp } from '@regimen/tensor'
import { bench, timing } from './harness.ts'

const TASKS = 25
const SHOTS = 10

/** Milliseconds of meta-iterations as a user has them: sampling, checks, inner loops, meta-gradient and Adam. */
async function ours(steps: number, iterations: number): Promise<number[]> {
  const net = mlp({ sizes: [1, 40, 40, 1], initializer: 'pytorchLinear', biasInitializer: 'pytorchLinear' })
  const times: number[] = []
  let last = 0
  await metaTrain(maml({ net, steps }), sampleFamily(sinusoids({ shots: SHOTS }), { seed: 1 }), {
    iterations: iterations + 50,
    tasksPerBatch: TASKS,
    onReport({ iteration }) {
      const now = performance.now()
      if (iteration > 50) times.push(now - last)
      last = now
    },
  })
  return times
}

/** The same in PyTorch: one task after another as tutorials have it, batched by hand, and learn2learn where it imports. */
const TORCH = `
import json, math, time, torch
torch.set_num_threads(1)
T, K, RATE = ${TASKS}, ${SHOTS}, 0.01

def fresh():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(1, 40), torch.nn.ReLU(), torch.nn.Linear(40, 40), torch.nn.ReLU(), torch.nn.Linear(40, 1))

def sample():
    a = 0.1 + 4.9 * torch.rand(T, 1, 1); p = math.pi * torch.rand(T, 1, 1)
    x, q = 10 * torch.rand(T, K, 1) - 5, 10 * torch.rand(T, K, 1) - 5
    return x, a * torch.sin(x + p), q, a * torch.sin(q + p)

def forward(p, x):
    h = torch.relu(torch.nn.functional.linear(x, p[0], p[1]))
    h = torch.relu(torch.nn.functional.linear(h, p[2], p[3]))
    return torch.nn.functional.linear(h, p[4], p[5])

def batched_forward(p, x):
    h = torch.relu(torch.baddbmm(p[1].unsqueeze(1), x, p[0].transpose(1, 2)))
    h = torch.relu(torch.baddbmm(p[3].unsqueeze(1), h, p[2].transpose(1, 2)))
    return torch.baddbmm(p[5].unsqueeze(1), h, p[4].transpose(1, 2))

def serial(steps):
    net = fresh(); params = list(net.parameters()); opt = torch.optim.Adam(params, 1e-3)
    def step():
        x, y, q, r = sample(); total = 0.
        for t in range(T):
            own = params
            for _ in range(steps):
                g = torch.autograd.grad(((forward(own, x[t]) - y[t]) ** 2).mean(), own, create_graph=True)
                own = [p - RATE * d for p, d in zip(own, g)]
            total = total + ((forward(own, q[t]) - r[t]) ** 2).mean()
        opt.zero_grad(); (total / T).backward(); opt.step()
    return step

def batched(steps):
    net = fresh(); params = list(net.parameters()); opt = torch.optim.Adam(params, 1e-3)
    def step():
        x, y, q, r = sample(); own = [p.expand(T, *p.shape) for p in params]
        for _ in range(steps):
            loss = ((batched_forward(own, x) - y) ** 2).mean((1, 2)).sum()
            g = torch.autograd.grad(loss, own, create_graph=True)
            own = [p - RATE * d for p, d in zip(own, g)]
        loss = ((batched_forward(own, q) - r) ** 2).mean((1, 2)).sum() / T
        opt.zero_grad(); loss.backward(); opt.step()
    return step

def learn2learn(steps):
    import learn2learn as l2l
    maml = l2l.algorithms.MAML(fresh(), lr=RATE); opt = torch.optim.Adam(maml.parameters(), 1e-3)
    mse = torch.nn.MSELoss()
    def step():
        x, y, q, r = sample(); total = 0.
        for t in range(T):
            own = maml.clone()
            for _ in range(steps): own.adapt(mse(own(x[t]), y[t]))
            total = total + mse(own(q[t]), r[t])
        opt.zero_grad(); (total / T).backward(); opt.step()
    return step

def median(step, runs):
    for _ in range(5): step()
    times = []
    for _ in range(runs):
        s = time.perf_counter(); step(); times.append(time.perf_counter() - s)
    return sorted(times)[len(times) // 2] * 1e3

out = dict(torch1=median(serial(1), 40), torch5=median(serial(5), 15), batched1=median(batched(1), 150), batched5=median(batched(5), 60))
try: out.update(l2l1=median(learn2learn(1), 30), l2l5=median(learn2learn(5), 10))
except ImportError: pass
print(json.dumps(out))
`

interface TorchAnswer {
  torch1: number
  torch5: number
  batched1: number
  batched5: number
  l2l1?: number
  l2l5?: number
}

export default bench({
  name: 'meta-speed',
  description:
    'a meta-iteration of MAML, sampling and Adam included: 25 sinusoids × 10 shots, MLP 1-40-40-1, one thread',
  async run(context) {
    const runs = context.number('runs', 400)
    const one = timing(await ours(1, runs))
    const five = timing(await ours(5, runs))
    const torch = await context.python<TorchAnswer>(TORCH, { needs: ['torch'] })
    // Again after the peer, so that a noisy moment does not hit one side alone.
    const [oneAgain, fiveAgain] = [timing(await ours(1, runs)), timing(await ours(5, runs))]
    const ms = (value: number, spread?: number) => ({ value, unit: 'ms', ...(spread === undefined ? {} : { spread }) })
    const ours1 = Math.min(one.median, oneAgain.median)
    const ours5 = Math.min(five.median, fiveAgain.median)
    const figures = { ours1_ms: ms(ours1, one.spread), ours5_ms: ms(ours5, five.spread) }
    if (torch.absent !== undefined) return { figures, peers: { torch1_ms: torch, torch5_ms: torch } }
    const { torch1, torch5, batched1, batched5, l2l1, l2l5 } = torch.value
    const none = { absent: 'learn2learn does not import' }
    return {
      figures: {
        ...figures,
        torch1_ratio: torch1 / ours1,
        torch5_ratio: torch5 / ours5,
        batched1_ratio: batched1 / ours1,
        batched5_ratio: batched5 / ours5,
        ...(l2l1 && l2l5 ? { learn2learn1_ratio: l2l1 / ours1, learn2learn5_ratio: l2l5 / ours5 } : {}),
      },
      peers: {
        torch1_ms: ms(torch1),
        torch5_ms: ms(torch5),
        torch_batched1_ms: ms(batched1),
        torch_batched5_ms: ms(batched5),
        learn2learn1_ms: l2l1 ? ms(l2l1) : none,
        learn2learn5_ms: l2l5 ? ms(l2l5) : none,
      },
    }
  },
})
