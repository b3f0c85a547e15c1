import {
  chooseRobust,
  deflatedSharpe,
  judgeWinner,
  medianPruner,
  nestedSearch,
  openStudy,
  overfittingProbability,
  randomSampler,
  reevaluate,
  type Trial,
  walkForwardObjective,
} from '@regimen/bayes'
import { Rng } from '@regimen/core'
import { normalCdf } from '@regimen/core/math'
import { describe, expect, it } from 'vitest'

describe('deflated Sharpe ratio', () => {
  it('reproduces the example of its paper', () => {
    // Bailey and López de Prado (2014): annual SR 2.5 over 1250 days, 100 trials with V = ½ annual, skewness −3, kurtosis 10:
    // SR₀ = .1132, DSR = .9004; with 46 trials DSR = .9505.
    const options = {
      sharpe: 2.5 / Math.sqrt(250),
      observations: 1250,
      variance: 0.5 / 250,
      skewness: -3,
      kurtosis: 10,
    }
    const { benchmark, probability } = deflatedSharpe({ ...options, trials: 100 })
    expect(benchmark).toBeCloseTo(0.1132, 4)
    expect(probability).toBeCloseTo(0.9004, 4)
    expect(deflatedSharpe({ ...options, trials: 46 }).probability).toBeCloseTo(0.9505, 4)
  })

  it('is the probabilistic Sharpe ratio for a single trial', () => {
    // Normal returns: √(n − 1)·SR / √(1 + SR²/2) = √99·.1/√1.005.
    const { probability } = deflatedSharpe({ sharpe: 0.1, observations: 100, trials: 1, variance: 0 })
    expect(probability).toBeCloseTo(normalCdf((Math.sqrt(99) * 0.1) / Math.sqrt(1.005)), 12)
  })
})

describe('probability of overfitting', () => {
  it('counts by hand on two blocks', () => {
    // Block one: A earns 1, 3 (Sharpe 2), B earns −1, 1 (0). Block two: A earns −1, 1 (0), B earns 1, 3 (2). Either half chooses
    // the one that is last in the other: rank 1 of 2, ω = 1/3, logit ln ½.
    const returns = [
      [1, -1],
      [3, 1],
      [-1, 1],
      [1, 3],
    ]
    const { probability, logits } = overfittingProbability(returns, { blocks: 2 })
    expect(probability).toBe(1)
    expect(Array.from(logits)).toEqual([expect.closeTo(Math.log(0.5), 12), expect.closeTo(Math.log(0.5), 12)])
  })

  it('is about a half for luck and near nothing for skill', () => {
    const rng = new Rng(3)
    let luck = 0
    for (let k = 0; k < 20; k++)
      luck +=
        overfittingProbability(Array.from({ length: 300 }, () => Array.from({ length: 12 }, () => rng.normal())))
          .probability / 20
    expect(Math.abs(luck - 0.5)).toBeLessThan(0.12)
    const skill = Array.from({ length: 300 }, () => Array.from({ length: 12 }, (_, j) => rng.normal(j === 4 ? 0.4 : 0)))
    expect(overfittingProbability(skill).probability).toBeLessThan(0.02)
  })
})

describe('the judged winner', () => {
  /** Forty strategies; those of `skill` earn more the nearer x is to ½. */
  const search = async (skill: number, pruned = 0) => {
    const rng = new Rng(`s${skill}`)
    const study = openStudy({ direction: 'maximize', sampler: randomSampler(), seed: 1 })
    const objective = (trial: Trial) => {
      const edge = skill * (1 - 2 * Math.abs(trial.float('x', 0, 1) - 0.5))
      const returns = Array.from({ length: 400 }, () => edge + rng.normal() ** 3)
      trial.setAttribute('returns', returns)
      return returns.reduce((a, b) => a + b) / 400
    }
    await study.optimize(objective, { trials: 40 })
    for (let k = 0; k < pruned; k++) study.tell(study.ask(), { pruned: true })
    study.tell(study.ask(), { failed: 'no data' })
    return study
  }

  it('has the deflated Sharpe ratio and the probability of overfitting of its pieces', async () => {
    const study = await search(1, 10)
    const report = judgeWinner(study, { blocks: 6 })
    expect(report.trial.number).toBe(chooseRobust(study).trial.number)
    const columns = study.completed.map((trial) => trial.attributes.returns as number[])
    const moment = (list: readonly number[], k: number) => {
      const center = list.reduce((a, b) => a + b) / list.length
      return list.reduce((sum, r) => sum + (r - center) ** k, 0) / list.length
    }
    const sharpe = (list: readonly number[]) =>
      list.reduce((a, b) => a + b) / list.length / Math.sqrt((moment(list, 2) * 400) / 399)
    const ratios = columns.map(sharpe)
    const own = columns[report.trial.number]!
    expect(report.sharpe).toBeCloseTo(sharpe(own), 12)
    // Fifty tried: forty complete, ten pruned; the failed one was none.
    expect(report.trials).toBe(50)
    const { benchmark, probability } = deflatedSharpe({
      sharpe: sharpe(own),
      observations: 400,
      trials: 50,
      variance: (moment(ratios, 2) * 40) / 39,
      skewness: moment(own, 3) / moment(own, 2) ** 1.5,
      kurtosis: moment(own, 4) / moment(own, 2) ** 2,
    })
    expect(report.benchmark).toBeCloseTo(benchmark, 12)
    expect(report.deflated).toBeCloseTo(probability, 10)
    const table = own.map((_, t) => columns.map((column) => column[t]!))
    expect(report.overfitting).toBe(overfittingProbability(table, { blocks: 6 }).probability)
  })

  it('trusts skill and distrusts luck', async () => {
    const lucky = judgeWinner(await search(0))
    const skilled = judgeWinner(await search(3))
    expect(lucky.deflated).toBeLessThan(0.9)
    expect(lucky.overfitting).toBeGreaterThan(0.3)
    expect(skilled.overfitting).toBeLessThan(0.1)
    expect(skilled.sharpe).toBeGreaterThan(3 * Math.abs(lucky.sharpe))
  })

  it('says which trial lacks returns', async () => {
    const study = await search(0)
    expect(() => judgeWinner(study, { returns: ({ number }) => (number === 7 ? [] : [1, 2]) })).toThrow(
      'trial 7 has 0 returns, the first one has 2',
    )
  })
})

describe('walk-forward search', () => {
  const bowl = (trial: Trial) => (trial.float('x', 0, 1) - 0.6) ** 2

  it('reports fold by fold, prunes, and keeps the folds', async () => {
    const evaluated: number[] = []
    const objective = walkForwardObjective([1, 2, 3], (trial, fold, index) => {
      evaluated.push(index)
      return trial.float('x', 0, 1) * fold
    })
    const study = openStudy({
      direction: 'minimize',
      sampler: randomSampler(),
      pruner: medianPruner({ startup: 4 }),
      seed: 2,
    })
    const { complete, pruned } = await study.optimize(objective, { trials: 30 })
    expect(pruned).toBeGreaterThan(5)
    expect(evaluated.length).toBeLessThan(3 * (complete + pruned))
    const { x } = study.best!.params as { x: number }
    expect(study.best!.value).toBeCloseTo(2 * x, 12)
    expect(study.best!.attributes.folds).toEqual([x, 2 * x, 3 * x])
  })

  it('chooses by posterior mean better than by the luckiest evaluation', async () => {
    let lucky = 0
    let robust = 0
    for (let seed = 0; seed < 12; seed++) {
      const rng = new Rng(`n${seed}`)
      const study = openStudy({ direction: 'minimize', sampler: randomSampler(), seed })
      await study.optimize((trial) => 4 * bowl(trial) + 0.3 * rng.normal(), { trials: 60 })
      const regret = (x: unknown) => ((x as number) - 0.6) ** 2
      lucky += regret(study.best!.params.x)
      robust += regret(chooseRobust(study).trial.params.x)
    }
    expect(robust).toBeLessThan(0.6 * lucky)
  })

  it('evaluates the best points again, each once in the list', async () => {
    const study = openStudy({ direction: 'minimize', sampler: randomSampler(), seed: 1 })
    await study.optimize(bowl, { trials: 12 })
    const best = [...study.completed].sort((a, b) => a.value - b.value)
    await reevaluate(study, bowl, { top: 3, times: 2 })
    const again = study.trials.slice(12)
    expect(again.map((t) => t.attributes.repeats)).toEqual([0, 0, 1, 1, 2, 2].map((k) => best[k]!.number))
    expect(again[0]!.params).toEqual(best[0]!.params)
  })

  it('never searches the fold that it tests', async () => {
    // The set of folds that an evaluation has seen: a search for fold k sees 0 … k − 1 only, and k once.
    const seen: number[][] = [[], [], [], []]
    let tested = 0
    const results = await nestedSearch(
      [0.1, 0.2, 0.3, 0.4],
      (trial, target, index) => {
        seen[index]!.push(trial.number)
        if (index === 3) tested++
        return (trial.float('x', 0, 1) - target) ** 2
      },
      { direction: 'minimize', trials: 25, seed: 1 },
    )
    expect(results.map(({ fold }) => fold)).toEqual([2, 3])
    expect(tested).toBe(1)
    expect(seen[2]!.length).toBe(25 + 1)
    // Searched on .1 and .2 the best is .15, and on .3 it then loses about .15².
    expect(results[0]!.outOfSample).toBeCloseTo(0.0225, 1)
    expect(results[0]!.outOfSample).toBeGreaterThan(results[0]!.inSample)
  })
})
