import { hypervolume } from '@regimen/core/math'
import { nsga2 } from '@regimen/evolve'
import { bench, timing } from './harness.ts'

const POPULATION = 100
const EVALUATIONS = 25_000

export default bench({
  name: 'evolve-nsga2',
  description: 'NSGA-II on ZDT1 in 30-D, 25,000 evaluations, beside DEAP',
  async run(context) {
    const runs = context.number('runs', 5)
    const times: number[] = []
    const volumes: number[] = []
    solve(0)
    for (let seed = 1; seed <= runs; seed++) {
      const begin = performance.now()
      const front = solve(seed)
      times.push(performance.now() - begin)
      volumes.push(hypervolume(front, [1.1, 1.1]))
    }
    const ours = timing(times)
    context.log('DEAP')
    const peer = await context.python<{ seconds: number[]; fronts: number[][][] }>('peers/deap_nsga2.py', {
      needs: ['deap'],
      args: [String(Math.min(runs, 3))],
    })
    const figures = {
      seconds: { value: ours.median / 1000, unit: 's', spread: ours.spread },
      evaluation_us: { value: (ours.median * 1000) / EVALUATIONS, unit: 'µs' },
      hypervolume: { value: median(volumes), note: `median of ${runs} seeds, reference point (1.1, 1.1)` },
    }
    if (peer.absent !== undefined) return { figures, peers: { deap: { absent: peer.absent } } }
    const theirs = median(peer.value.seconds)
    return {
      figures: { ...figures, speedup: { value: (theirs * 1000) / ours.median, unit: '×', note: 'DEAP / ours' } },
      peers: {
        deap: {
          seconds: { value: theirs, unit: 's', note: `DEAP ${peer.versions.deap}` },
          hypervolume: { value: median(peer.value.fronts.map((front) => hypervolume(front, [1.1, 1.1]))) },
        },
      },
    }
  },
})

function solve(seed: number): number[][] {
  const optimizer = nsga2.open({
    space: { dimension: 30, lower: 0, upper: 1 },
    direction: ['minimize', 'minimize'],
    populationSize: POPULATION,
    seed,
  })
  while (optimizer.evaluations < EVALUATIONS) {
    const asked = optimizer.ask()
    optimizer.tell(asked.map(({ id, point }) => ({ id, value: zdt1(point) })))
  }
  return optimizer.front().map(({ values }) => [...values])
}

function zdt1(x: Float64Array): [number, number] {
  let tail = 0
  for (let i = 1; i < x.length; i++) tail += x[i]!
  const g = 1 + (9 * tail) / (x.length - 1)
  return [x[0]!, g * (1 - Math.sqrt(x[0]! / g))]
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}
