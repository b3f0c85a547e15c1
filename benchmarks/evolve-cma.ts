import { cmaEs } from '@regimen/evolve'
import { bench, timing } from './harness.ts'

const DIMENSION = 20
const PEER = `import json, sys, time
import cma
seconds, evaluations = [], []
for seed in range(1, int(sys.argv[1]) + 1):
    begin = time.perf_counter()
    es = cma.CMAEvolutionStrategy(${DIMENSION} * [0.1], 0.3, {'seed': seed, 'ftarget': 1e-8, 'verbose': -9})
    es.optimize(cma.ff.rosen)
    seconds.append(time.perf_counter() - begin)
    evaluations.append(int(es.result.evaluations))
print(json.dumps({'seconds': seconds, 'evaluations': evaluations}))`

export default bench({
  name: 'evolve-cma',
  description: 'CMA-ES on Rosenbrock in 20-D to 1e-8, beside pycma',
  async run(context) {
    const runs = context.number('runs', 11)
    const times: number[] = []
    const evaluations: number[] = []
    const each: number[] = []
    solve(0)
    for (let seed = 1; seed <= runs; seed++) {
      const begin = performance.now()
      const count = solve(seed)
      times.push(performance.now() - begin)
      evaluations.push(count)
      each.push((times.at(-1)! * 1000) / count)
    }
    const objective = objectiveTime()
    const ours = timing(times)
    const figures = {
      seconds: { value: ours.median / 1000, unit: 's', spread: ours.spread },
      evaluations: median(evaluations),
      overhead_us: { value: median(each) - objective, unit: 'µs', note: 'per evaluation, without the objective' },
    }
    context.log('pycma')
    const peer = await context.python<{ seconds: number[]; evaluations: number[] }>(PEER, {
      needs: ['cma'],
      args: [String(runs)],
    })
    if (peer.absent !== undefined) return { figures, peers: { pycma: { absent: peer.absent } } }
    const theirs = median(peer.value.seconds)
    return {
      figures: { ...figures, speedup: { value: (theirs * 1000) / ours.median, unit: '×' } },
      peers: {
        pycma: { seconds: { value: theirs, unit: 's' }, evaluations: median(peer.value.evaluations) },
      },
    }
  },
})

function solve(seed: number): number {
  const optimizer = cmaEs.open({
    space: { dimension: DIMENSION },
    direction: 'minimize',
    start: new Array<number>(DIMENSION).fill(0.1),
    sigma: 0.3,
    seed,
  })
  while (optimizer.best === undefined || optimizer.best.value > 1e-8) {
    optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: rosenbrock(point) })))
  }
  return optimizer.evaluations
}

function rosenbrock(x: Float64Array): number {
  let total = 0
  for (let i = 0; i + 1 < x.length; i++) {
    const a = x[i]! * x[i]! - x[i + 1]!
    const b = x[i]! - 1
    total += 100 * a * a + b * b
  }
  return total
}

/** Microseconds that the objective itself takes. */
function objectiveTime(): number {
  const x = new Float64Array(DIMENSION).fill(0.3)
  let sink = 0
  const begin = performance.now()
  for (let i = 0; i < 1e6; i++) {
    x[i % DIMENSION] = i * 1e-6
    sink += rosenbrock(x)
  }
  return Number.isNaN(sink) ? 0 : (performance.now() - begin) / 1000
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}
