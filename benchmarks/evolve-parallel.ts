import { minimize } from '@regimen/evolve'
import { parallelEvaluator } from '@regimen/evolve/parallel'
import { bench, interleave } from './harness.ts'

type Point = { x: number; y: number }

// Five milliseconds of arithmetic that cannot be slept through.
// Encoded, because a URL loses its line ends.
const MODULE = `data:text/javascript,${encodeURIComponent(`export const handle = ({ x, y }) => {
  const until = performance.now() + 5;
  let sink = 0;
  while (performance.now() < until) sink += Math.sqrt(x * x + y * y);
  return (x - 1) ** 2 + y * y + (sink > 0 ? 0 : 1e-300);
}`)}`

const SPACE = { x: { type: 'float', low: -2, high: 2 }, y: { type: 'float', low: -2, high: 2 } } as const

export default bench({
  name: 'evolve-parallel',
  description: 'an objective of 5 ms on two workers beside one',
  async run(context) {
    const evaluations = context.number('evaluations', 240)
    const options = { evaluations, options: { populationSize: 24 } }
    const pools = [1, 2].map((workers) => parallelEvaluator<Point>({ module: MODULE, workers }))
    const run = (workers: number): Promise<unknown> => minimize(pools[workers - 1]!, SPACE, options)
    const { timings, ratios } = await interleave(
      { 'two workers': () => run(2), 'one worker': () => run(1) },
      { runs: context.number('runs', 5), warmup: 1 },
    )
    await Promise.all(pools.map((pool) => pool.dispose()))
    return {
      figures: {
        speedup: { value: ratios['one worker'], unit: '×', spread: timings['two workers'].spread },
        seconds: { value: timings['two workers'].median / 1000, unit: 's' },
      },
    }
  },
})
