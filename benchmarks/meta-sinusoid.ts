import '@tensorflow/tfjs'
import {
  anil,
  cavia,
  evaluate,
  fomaml,
  type MetaLearner,
  type MetaNet,
  maml,
  metaSgd,
  metaTrain,
  reptile,
  sampleFamily,
  sinusoids,
} from '@regimen/meta'
import { mlp } from '@regimen/tensor'
import { type BenchContext, type BenchResult, bench, type Figure } from './harness.ts'

const PYTORCH = { initializer: 'pytorchLinear', biasInitializer: 'pytorchLinear' } as const
const net = (context = 0): MetaNet => mlp({ sizes: [1 + context, 40, 40, 1], ...PYTORCH })

/** Each method with its rates; Reptile anneals its meta-step. */
function methods(iterations: number): { [name: string]: { learner: MetaLearner; rate?: (update: number) => number } } {
  return {
    maml: { learner: maml({ net: net(), rate: 0.01 }) },
    fomaml: { learner: fomaml({ net: net(), rate: 0.01 }) },
    anil: { learner: anil({ net: net(), rate: 0.01 }) },
    meta_sgd: { learner: metaSgd({ net: net(), rate: 0.01 }) },
    cavia: { learner: cavia({ net: net(4), context: 4, rate: 1 }) },
    reptile: { learner: reptile({ net: net(), steps: 5, rate: 0.01 }), rate: (i) => 1 - i / iterations },
  }
}

export default bench({
  name: 'meta-sinusoid',
  description:
    'query error on 600 fixed sinusoids after 0, 1, 5 and 10 steps; --iterations 30000 for the full training (2000 else), --method maml --shots 10 for one row, --seeds 5 --learn2learn for the comparison with its published figures (--train-steps 1 for half of it)',
  async run(context) {
    const iterations = context.number('iterations', 2000)
    const figures: { [name: string]: Figure } = { iterations }
    if (context.flag('learn2learn')) return compare(context.number('seeds', 5), context)
    const [only, wanted] = [option(context.args, 'method'), context.number('shots', 0)]
    for (const shots of wanted ? [wanted] : [5, 10]) {
      const test = await sampleFamily(sinusoids({ shots, queries: 100 }), { seed: 'test' }).batch(0, 600)
      for (const [name, { learner, rate }] of Object.entries(methods(iterations))) {
        if (only !== undefined && only !== name) continue
        const { model } = await metaTrain(learner, sampleFamily(sinusoids({ shots, queries: 10 }), { seed: 'train' }), {
          iterations,
          seed: context.number('seed', 1),
          ...(rate ? { rate } : {}),
        })
        const { losses } = await evaluate(model, test, { steps: 10 })
        for (const step of [0, 1, 5, 10]) {
          const { mean, interval } = losses[step]!
          figures[`${name}_${shots}shot_${step}`] = { value: mean, note: `± ${interval.toFixed(3)} (95 %)` }
          context.log(`${name}, ${shots} shots, ${step} steps: ${mean.toFixed(3)} ± ${interval.toFixed(3)}`)
        }
      }
    }
    return { figures }
  },
})

function option(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(`--${name}`)
  return at < 0 ? undefined : args[at + 1]
}

/** The same training in PyTorch, tasks batched by hand, judged on the same test tasks. */
const TORCH = `
import json, math, sys, torch
torch.set_num_threads(1)
given = json.load(sys.stdin)
T, K, RATE = 25, 10, 0.01
test = [torch.tensor(given[k]) for k in ('x', 'y', 'q', 'r')]

def fresh(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(1, 40), torch.nn.ReLU(), torch.nn.Linear(40, 40), torch.nn.ReLU(), torch.nn.Linear(40, 1))

def sample():
    a = 0.1 + 4.9 * torch.rand(T, 1, 1); p = math.pi * torch.rand(T, 1, 1)
    x, q = 10 * torch.rand(T, K, 1) - 5, 10 * torch.rand(T, K, 1) - 5
    return x, a * torch.sin(x + p), q, a * torch.sin(q + p)

def forward(p, x):
    h = torch.relu(torch.baddbmm(p[1].unsqueeze(1), x, p[0].transpose(1, 2)))
    h = torch.relu(torch.baddbmm(p[3].unsqueeze(1), h, p[2].transpose(1, 2)))
    return torch.baddbmm(p[5].unsqueeze(1), h, p[4].transpose(1, 2))

def adapt(params, x, y, steps, graph):
    own = [p.expand(len(x), *p.shape) for p in params]
    if not graph: own = [p.detach().requires_grad_() for p in own]
    for _ in range(steps):
        g = torch.autograd.grad(((forward(own, x) - y) ** 2).mean((1, 2)).sum(), own, create_graph=graph)
        own = [p - RATE * d for p, d in zip(own, g)]
    return own

def run(steps, seed):
    net = fresh(seed); params = list(net.parameters()); opt = torch.optim.Adam(params, 1e-3)
    for _ in range(2000):
        x, y, q, r = sample()
        loss = ((forward(adapt(params, x, y, steps, True), q) - r) ** 2).mean()
        opt.zero_grad(); loss.backward(); opt.step()
    x, y, q, r = test
    return [((forward(adapt(params, x, y, k, False), q) - r) ** 2).mean().item() for k in (0, 1, 5, 10)]

print(json.dumps(run(given['steps'], given['seed'])))
`

/**
 * 10 shots, 2,000 iterations, inner rate 0.01: learn2learn gave 2.83 / .90 / .48 / .41 and 2.87 / 1.15 / .40 / .31 on test tasks of
 * its own. Those have an error of their own, so PyTorch is run here on ours.
 */
async function compare(seeds: number, context: BenchContext): Promise<BenchResult> {
  const test = await sampleFamily(sinusoids({ shots: 10, queries: 100 }), { seed: 'test' }).batch(0, 600)
  const rows = (part: 'support' | 'query', key: 'x' | 'y') =>
    test.map((task) => Array.from(task[part][key].data, (value) => [value]))
  const input = { x: rows('support', 'x'), y: rows('support', 'y'), q: rows('query', 'x'), r: rows('query', 'y') }
  const [ours, torch]: { [steps: string]: number[][] }[] = [{}, {}]
  const wanted = context.number('train-steps', 0)
  for (const steps of wanted ? [wanted] : [1, 5]) {
    for (let seed = 0; seed < seeds; seed++) {
      const sampler = sampleFamily(sinusoids({ shots: 10 }), { seed: `train/${seed}` })
      const learner = maml({ net: net(), steps, rate: 0.01, bound: Number.POSITIVE_INFINITY })
      const { model } = await metaTrain(learner, sampler, { iterations: 2000, seed, clip: Number.POSITIVE_INFINITY })
      const { losses } = await evaluate(model, test, { steps: 10 })
      const show = (who: string, row: number[]) =>
        context.log(`${who}, ${steps}-step training, seed ${seed}: ${row.map((loss) => loss.toFixed(2)).join(' / ')}`)
      const row = STEPS.map((step) => losses[step]!.mean)
      ours![steps] = [...(ours![steps] ?? []), row]
      show('ours', row)
      const peer = await context.python<number[]>(TORCH, { needs: ['torch'], input: { ...input, steps, seed } })
      if (peer.absent !== undefined) continue
      torch![steps] = [...(torch![steps] ?? []), peer.value]
      show('PyTorch', peer.value)
    }
  }
  return { figures: { iterations: 2000, seeds, ...summary('', ours!) }, peers: summary('torch_', torch!) }
}

const STEPS = [0, 1, 5, 10]

function summary(prefix: string, results: { [steps: string]: number[][] }): { [name: string]: Figure } {
  const figures: { [name: string]: Figure } = {}
  for (const [steps, rows] of Object.entries(results)) {
    STEPS.forEach((after, i) => {
      const values = rows.map((row) => row[i]!)
      const mean = values.reduce((a, b) => a + b, 0) / values.length
      const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
      const deviation = Math.sqrt(square / Math.max(1, values.length - 1))
      const note = `deviation over ${values.length} seeds ${deviation.toFixed(3)}`
      figures[`${prefix}trained${steps}_after${after}`] = { value: mean, note }
    })
  }
  return figures
}
