// Is TPE as good as Optuna's? Best values after 100 and 200 trials on eight problems. Each cell (problem, side, seed) is one line
// of the file given by --results, so that this long benchmark can be continued and split over processes; the verdict is
// computed from those lines.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { openStudy, tpe } from '@regimen/bayes'
import { holm, median, normalCdf } from '@regimen/core/math'
import { problems } from './bayes-problems.lib.ts'
import { bench, type Figure } from './harness.ts'

const CHECKPOINTS = [100, 200]
const SIDES = ['regimen', 'optuna'] as const
/** Seeds that one start of the peer runs. */
const BLOCK = 5

interface Cell {
  readonly problem: string
  readonly side: (typeof SIDES)[number]
  readonly seed: number
  /** Best value, without its noise, after each checkpoint. */
  readonly values: readonly number[]
}

async function search(name: string, seed: number): Promise<number[]> {
  const problem = problems.find((one) => one.name === name)!
  const study = openStudy({ direction: 'minimize', sampler: tpe(), seed })
  await study.optimize((trial) => problem.run(trial, seed), { trials: CHECKPOINTS.at(-1)! })
  return CHECKPOINTS.map((n) => {
    const best = study.completed.slice(0, n).reduce((a, b) => (b.value < a.value ? b : a))
    return (best.attributes.clean as number | undefined) ?? best.value
  })
}

/** Share of all pairs in which b is better, ties half: our mean rank is 1 plus it, the other's 2 minus it. */
function beaten(a: readonly number[], b: readonly number[]): number {
  let sum = 0
  for (const x of a) for (const y of b) sum += y < x ? 1 : y === x ? 0.5 : 0
  return sum / (a.length * b.length)
}

/** Two-sided p of the rank-sum test (Wilcoxon, Mann–Whitney): the share of pairs is normal for samples of this size. */
function rankSum(share: number, n: number, m: number): number {
  return 2 * normalCdf(-Math.abs(share - 0.5) / Math.sqrt((n + m + 1) / (12 * n * m)))
}

export default bench({
  name: 'bayes-quality',
  description:
    'best values after 100 and 200 trials beside Optuna: rank tests corrected by Holm (--seeds 5, --full: 50, --first 0, --problem NAME, --side regimen|optuna, --results FILE)',
  async run(context) {
    const seeds = context.number('seeds', context.flag('full') ? 50 : 5)
    const first = context.number('first', 0)
    const option = (name: string): string | undefined => {
      const at = context.args.indexOf(`--${name}`)
      return at < 0 ? undefined : context.args[at + 1]
    }
    const [file, only, side] = [option('results'), option('problem'), option('side')]
    const names = problems.map(({ name }) => name).filter((name) => only === undefined || name === only)
    const cells: Cell[] =
      file && existsSync(file)
        ? readFileSync(file, 'utf8')
            .split('\n')
            .filter(Boolean)
            .map((line) => JSON.parse(line) as Cell)
        : []
    const keep = (cell: Cell): void => {
      cells.push(cell)
      if (file) appendFileSync(file, `${JSON.stringify(cell)}\n`)
    }
    const missing = (problem: string, of: Cell['side']): number[] =>
      Array.from({ length: seeds }, (_, i) => first + i).filter(
        (seed) => !cells.some((cell) => cell.problem === problem && cell.side === of && cell.seed === seed),
      )
    let absent: string | undefined
    for (const problem of names) {
      if (side !== 'optuna') {
        for (const seed of missing(problem, 'regimen'))
          keep({ problem, side: 'regimen', seed, values: await search(problem, seed) })
      }
      while (side !== 'regimen' && absent === undefined) {
        const todo = missing(problem, 'optuna')
        if (todo.length === 0) break
        let count = 1
        while (count < Math.min(BLOCK, todo.length) && todo[count] === todo[0]! + count) count++
        const answer = await context.python<{ [name: string]: number[][] }>('peers/bayes_optuna.py', {
          needs: ['optuna'],
          args: [String(todo[0]), String(count), problem],
          timeout: 3600,
        })
        absent = answer.absent
        if (answer.absent === undefined)
          for (const [i, values] of answer.value[problem]!.entries())
            keep({ problem, side: 'optuna', seed: todo[0]! + i, values })
      }
      context.log(`${problem} done`)
    }
    const figures: { [name: string]: Figure } = {}
    const theirs: { [name: string]: Figure } = {}
    const compared: { name: string; p: number; beaten: number }[] = []
    for (const problem of names) {
      for (const [k, n] of CHECKPOINTS.entries()) {
        const [a, b] = SIDES.map((of) =>
          cells
            .filter(
              (cell) => cell.problem === problem && cell.side === of && cell.seed >= first && cell.seed < first + seeds,
            )
            .map(({ values }) => values[k]!),
        ) as [number[], number[]]
        const name = `${problem}@${n}`
        if (b.length > 0) theirs[name] = median(b)
        if (a.length === 0) continue
        if (b.length === 0) {
          figures[name] = median(a)
          continue
        }
        const share = beaten(a, b)
        const p = rankSum(share, a.length, b.length)
        compared.push({ name, p, beaten: share })
        figures[name] = {
          value: median(a),
          note: `better in ${(100 * (1 - share)).toFixed(0)} % of ${a.length} × ${b.length} pairs, p ${p.toPrecision(2)}`,
        }
      }
    }
    if (compared.length > 0) {
      const corrected = holm(compared.map(({ p }) => p))
      const significant = compared.filter((_, i) => corrected[i]! < 0.05)
      const worse = significant.filter((cell) => cell.beaten > 0.5)
      const better = significant.filter((cell) => cell.beaten < 0.5)
      figures.significantlyWorse = { value: worse.length, note: worse.map(({ name }) => name).join(' ') }
      figures.significantlyBetter = { value: better.length, note: better.map(({ name }) => name).join(' ') }
      for (const n of CHECKPOINTS) {
        const own = compared.filter(({ name }) => name.endsWith(`@${n}`))
        figures[`rankDifference@${n}`] = {
          value: own.reduce((sum, cell) => sum + 2 * cell.beaten - 1, 0) / own.length,
          note: `mean rank (1 the better, 2 the worse) minus Optuna's over ${own.length} problems, at most 0.05`,
        }
      }
    }
    const peer = Object.keys(theirs).length > 0 || absent === undefined ? theirs : { absent }
    return { figures, peers: { optuna: peer } }
  },
})
