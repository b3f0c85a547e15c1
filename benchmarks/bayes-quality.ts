import { openStudy, tpe } from '@regimen/bayes'
import { holm, median, ranks, wilcoxon } from '@regimen/core/math'
import { problems } from './bayes-problems.lib.ts'
import { bench } from './harness.ts'

const CHECKPOINTS = [100, 200]

/** Best value, without its noise, after 100 and 200 trials. */
async function run(name: string, seed: number): Promise<number[]> {
  const problem = problems.find((one) => one.name === name)!
  const study = openStudy({ direction: 'minimize', sampler: tpe(), seed })
  await study.optimize((trial) => problem.run(trial, seed), { trials: 200 })
  return CHECKPOINTS.map((n) => {
    const best = study.completed.slice(0, n).reduce((a, b) => (b.value < a.value ? b : a))
    return (best.attributes.clean as number | undefined) ?? best.value
  })
}

export default bench({
  name: 'bayes-quality',
  description: 'Best values after 100 and 200 trials beside Optuna: rank tests corrected by Holm (--full: 50 seeds)',
  async run(context) {
    const seeds = context.number('seeds', context.flag('full') ? 50 : 5)
    const first = context.number('first', 0)
    const names = problems.map((problem) => problem.name)
    const ours: { [name: string]: number[][] } = {}
    for (const name of names) {
      ours[name] = []
      for (let seed = first; seed < first + seeds; seed++) ours[name].push(await run(name, seed))
      context.log(`${name} done`)
    }
    const peer = await context.python<{ [name: string]: number[][] }>('peers/bayes_optuna.py', {
      needs: ['optuna'],
      args: [String(first), String(seeds), names.join(',')],
      timeout: 36_000,
    })
    const figures: { [name: string]: number | { value: number; note: string } } = {}
    const theirs: { [name: string]: number } = {}
    const cells: { name: string; p: number; worse: boolean }[] = []
    let rankOurs = 0
    let rankTheirs = 0
    for (const name of names) {
      for (const [k, n] of CHECKPOINTS.entries()) {
        const a = ours[name]!.map((row) => row[k]!)
        figures[`${name}@${n}`] = median(a)
        if (peer.absent !== undefined) continue
        const b = peer.value[name]!.map((row) => row[k]!)
        theirs[`${name}@${n}`] = median(b)
        // Ranks of the pooled values, as shares: ½ each where both are alike; times two, so that 1 and 2 are the extremes.
        const pooled = ranks([...a, ...b])
        const mean = (from: number): number =>
          Array.from(pooled.slice(from, from + seeds)).reduce((sum, rank) => sum + rank, 0) / seeds
        rankOurs += 1 + mean(0) / (2 * seeds)
        rankTheirs += 1 + mean(seeds) / (2 * seeds)
        cells.push({ name: `${name}@${n}`, p: wilcoxon(a, b).pValue, worse: median(a) > median(b) })
      }
    }
    if (cells.length > 0) {
      const corrected = holm(cells.map(({ p }) => p))
      const worse = cells.filter(({ worse }, i) => worse && corrected[i]! < 0.05)
      const better = cells.filter(({ worse }, i) => !worse && corrected[i]! < 0.05)
      figures.significantlyWorse = { value: worse.length, note: worse.map(({ name }) => name).join(' ') }
      figures.significantlyBetter = { value: better.length, note: better.map(({ name }) => name).join(' ') }
      figures.rankDifference = {
        value: (rankOurs - rankTheirs) / cells.length,
        note: `mean rank minus Optuna's over ${cells.length} cells, at most 0.05; ${seeds} seeds`,
      }
    }
    return { figures, peers: { optuna: peer.absent === undefined ? theirs : { absent: peer.absent } } }
  },
})
