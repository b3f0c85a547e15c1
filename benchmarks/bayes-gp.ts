import { gp, openStudy } from '@regimen/bayes'
import { hartmann6 } from './bayes-problems.lib.ts'
import { bench, timing } from './harness.ts'

const OPTIMUM = -3.32237

export default bench({
  name: 'bayes-gp',
  description: 'Gaussian process on Hartmann6: seconds for 200 trials, and the regret after 100 over several seeds',
  async run(context) {
    const runs = context.number('runs', 1)
    const seeds = context.number('seeds', context.flag('full') ? 20 : 5)
    const times: number[] = []
    for (let seed = 0; seed < runs; seed++) {
      const study = openStudy({ direction: 'minimize', sampler: gp(), seed })
      const begin = performance.now()
      await study.optimize(hartmann6, { trials: 200 })
      times.push(performance.now() - begin)
    }
    const regrets: number[] = []
    for (let seed = 0; seed < seeds; seed++) {
      const study = openStudy({ direction: 'minimize', sampler: gp(), seed })
      await study.optimize(hartmann6, { trials: 100 })
      regrets.push(study.best!.value - OPTIMUM)
      context.log(`seed ${seed}: regret ${regrets.at(-1)!.toExponential(2)}`)
    }
    const seconds = timing(times)
    return {
      figures: {
        seconds: { value: seconds.median / 1000, unit: 's', spread: seconds.spread, note: '200 trials, at most 20' },
        medianRegret: { value: timing(regrets).median, note: `100 trials, ${seeds} seeds, at most 0.01` },
        within: { value: regrets.filter((regret) => regret <= 0.01).length, note: `of ${seeds} seeds within 0.01` },
      },
    }
  },
})
