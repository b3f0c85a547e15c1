import assert from 'node:assert/strict'
import {
  judgeWinner,
  medianPruner,
  nestedSearch,
  openStudy,
  summarizeStudy,
  type Trial,
  tpe,
  walkForwardObjective,
} from '@regimen/bayes'
import { simulate } from '@regimen/market'

// Tunes a moving-average cross on a simulated market, fold by fold, and asks how far the winner can be trusted.
const { bars } = simulate('equity-daily', { bars: 2400, seed: 11 })
const close = Array.from(bars.close)

const FOLD = 400
const folds = Array.from({ length: 5 }, (_, k) => ({ from: 300 + k * FOLD, to: 300 + (k + 1) * FOLD }))

/** Daily returns of holding while the fast mean is above the slow one, decided a bar before. */
function returns(fast: number, slow: number, from: number, to: number): number[] {
  const mean = (end: number, n: number): number => {
    let sum = 0
    for (let i = end - n; i < end; i++) sum += close[i]!
    return sum / n
  }
  const out: number[] = []
  for (let t = from; t < to; t++) {
    const position = mean(t, fast) > mean(t, slow) ? 1 : 0
    out.push(position * (close[t]! / close[t - 1]! - 1))
  }
  return out
}

function sharpe(list: readonly number[]): number {
  const mean = list.reduce((a, b) => a + b, 0) / list.length
  const variance = list.reduce((sum, r) => sum + (r - mean) ** 2, 0) / list.length
  return variance > 0 ? mean / Math.sqrt(variance) : 0
}

const evaluate = (trial: Trial, { from, to }: { from: number; to: number }): number =>
  sharpe(returns(trial.int('fast', 2, 60), trial.int('slow', 61, 280), from, to))

const study = openStudy({ direction: 'maximize', name: 'cross', sampler: tpe(), pruner: medianPruner(), seed: 1 })
await study.optimize(walkForwardObjective(folds, evaluate), { trials: 60 })
console.log(summarizeStudy(study))

// The winner by posterior mean, and how lucky it is: every complete trial's returns over all folds stand beside its own.
const [start, end] = [folds[0]!.from, folds.at(-1)!.to]
const winner = judgeWinner(study, {
  returns: ({ params }) => returns(params.fast as number, params.slow as number, start, end),
})
console.log(
  `winner: fast ${winner.trial.params.fast}, slow ${winner.trial.params.slow}, expected ${winner.mean.toFixed(4)}; deflated Sharpe ratio ${winner.deflated.toFixed(3)}, probability of overfitting ${winner.overfitting.toFixed(3)}`,
)

const nested = await nestedSearch(folds, evaluate, { direction: 'maximize', trials: 20, seed: 1 })
for (const { fold, inSample, outOfSample } of nested)
  console.log(`fold ${fold}: ${inSample.toFixed(4)} searched, ${outOfSample.toFixed(4)} tested`)

assert.equal(study.trials.length, 60)
assert.ok(study.trials.some(({ state }) => state === 'pruned'))
assert.ok(winner.deflated >= 0 && winner.deflated <= 1)
assert.ok(winner.overfitting >= 0 && winner.overfitting <= 1)
assert.deepEqual(
  nested.map(({ fold }) => fold),
  [2, 3, 4],
)
