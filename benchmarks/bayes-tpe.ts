import { openStudy, tpe } from '@regimen/bayes'
import { hartmann6 } from './bayes-problems.lib.ts'
import { bench, timing } from './harness.ts'

/** Seconds for each stretch of trials of one study. */
async function run(trials: number, seed: number): Promise<{ seconds: number; tail: number; best: number }> {
  const study = openStudy({ direction: 'minimize', sampler: tpe(), seed })
  const tail = Math.min(500, trials / 2)
  const begin = performance.now()
  await study.optimize(hartmann6, { trials: trials - tail })
  const middle = performance.now()
  await study.optimize(hartmann6, { trials: tail })
  const end = performance.now()
  return { seconds: (end - begin) / 1000, tail: (end - middle) / tail, best: study.best!.value }
}

export default bench({
  name: 'bayes-tpe',
  description:
    'TPE on Hartmann6 in memory: 1,000 trials beside Optuna, and the cost of a trial after many (--long 20000, --runs 5, --alone)',
  async run(context) {
    const runs = context.number('runs', 5)
    const long = context.number('long', 20_000)
    await run(300, 99)
    const small = []
    for (let seed = 0; seed < runs; seed++) small.push(await run(1000, seed))
    context.log(`1,000 trials: ${small.map((one) => one.seconds.toFixed(2)).join(', ')} s; now ${long} trials`)
    const large = await run(long, 0)
    const times = timing(small.map((one) => one.seconds * 1000))
    const growth = large.tail / timing(small.map((one) => one.tail)).median
    context.log('now Optuna')
    const peer = context.flag('alone')
      ? { absent: 'left out by --alone' }
      : await context.python<{ seconds: number; best: number }>('peers/bayes_optuna.py', {
          needs: ['optuna'],
          args: ['time', '1000'],
        })
    return {
      figures: {
        seconds: { value: times.median / 1000, unit: 's', spread: times.spread, note: '1,000 trials' },
        best: small[0]!.best,
        perTrialAt1000: { value: timing(small.map((one) => one.tail)).median, unit: 'ms' },
        perTrialAtEnd: { value: large.tail, unit: 'ms', note: `${long} trials` },
        longSeconds: { value: large.seconds, unit: 's', note: `${long} trials` },
        growth: { value: growth, note: 'at most 3' },
        ...(peer.absent === undefined
          ? { speedup: { value: (peer.value.seconds * 1000) / times.median, note: 'at least 25' } }
          : {}),
      },
      peers: {
        optuna:
          peer.absent === undefined
            ? {
                seconds: { value: peer.value.seconds, unit: 's', note: `Optuna ${peer.versions.optuna}` },
                best: peer.value.best,
              }
            : { absent: peer.absent },
      },
    }
  },
})
