import {
  halvingPruner,
  hyperbandPruner,
  medianPruner,
  openStudy,
  type Pruner,
  patiencePruner,
  percentilePruner,
  randomSampler,
  type Study,
  wilcoxonPruner,
} from '@regimen/bayes'
import { describe, expect, it } from 'vitest'

const open = (pruner: Pruner, direction: 'minimize' | 'maximize' = 'minimize') =>
  openStudy({ direction, pruner, sampler: randomSampler() })

/** Reports values at 0, 1, …; the step at which it was pruned, or undefined after a complete trial. */
function play(study: Study, values: readonly number[]): number | undefined {
  const trial = study.ask()
  for (const [step, value] of values.entries()) {
    trial.report(value, step)
    if (!trial.shouldPrune()) continue
    study.tell(trial, { pruned: true })
    return step
  }
  study.tell(trial, values.at(-1)!)
  return undefined
}

describe('median and percentile', () => {
  it('compare the best report so far with the others at the same step', () => {
    const study = open(medianPruner({ startup: 3 }))
    for (const v of [1, 2, 3]) expect(play(study, [v, v])).toBeUndefined()
    // The median is 2: 2 is not worse than it, 2.5 is.
    expect(play(study, [2, 2])).toBeUndefined()
    expect(play(study, [2.5, 0])).toBe(0)
    // A good beginning saves a bad continuation: best so far 1.5 against the median 2 of 1, 2, 3, 2.
    expect(play(study, [1.5, 9])).toBeUndefined()
    expect(play(study, [Number.NaN, 0])).toBe(0)
  })

  it('keep a quarter, wait for the warm-up, and turn round when maximizing', () => {
    const study = open(percentilePruner(25, { startup: 5, warmup: 1 }), 'maximize')
    for (const v of [1, 2, 3, 4, 5]) play(study, [v, v])
    // The upper quartile is 4; step 0 is not judged.
    expect(play(study, [0, 3.9])).toBe(1)
    expect(play(study, [0, 4.1])).toBeUndefined()
  })
})

describe('successive halving', () => {
  it('lets the best third of all that came pass each rung', () => {
    // Rungs after 1, 3 and 9 reports. At the first: 5 passes (first of all), 4 is best of 2, 6 is worst of 3, 3 is best of 4.
    const study = open(halvingPruner({ factor: 3 }))
    expect(play(study, [5, 5])).toBeUndefined()
    expect(play(study, [4, 4])).toBeUndefined()
    expect(play(study, [6, 0])).toBe(0)
    expect(play(study, [3, 3, 3])).toBeUndefined()
    // Of five only the best passes, of six (5, 4, 6, 3, 3.5 and itself) the best two: 3 and 3.2.
    expect(play(study, [3.5, 3.5])).toBe(0)
    expect(play(study, [3.2, 3.2])).toBeUndefined()
    // Second rung: 3 stands there; 3.1 is second of two.
    expect(play(study, [2, 2, 3.1])).toBe(2)
  })

  it('deals trials out to brackets, the aggressive one first', () => {
    // most 9, factor 3: brackets with the first decision after 1, 3, 9 reports and 9, 5, 3 trials.
    const study = open(hyperbandPruner({ most: 9 }))
    play(study, [0, 0])
    expect(play(study, [9, 9])).toBe(0)
    for (let i = 2; i < 9; i++) play(study, [5 + i])
    // Number 9 opens the second bracket; number 10 is judged after three reports only.
    expect(play(study, [1, 1, 1])).toBeUndefined()
    expect(play(study, [9, 9, 9])).toBe(2)
  })
})

describe('Wilcoxon', () => {
  it('compares fold by fold with the best trial', () => {
    // Five folds all worse: the two-sided exact p is 2/2⁵ = .0625, one-sided .03125 < .1; after four, .0625 < .1 too.
    const study = open(wilcoxonPruner({ significance: 0.1, warmup: 3 }))
    const hard = [10, 1, 7, 3, 9, 2]
    play(study, hard)
    expect(
      play(
        study,
        hard.map((v) => v + 0.1),
      ),
    ).toBe(3)
    expect(
      play(
        study,
        hard.map((v, i) => v + (i % 2 === 0 ? 0.1 : -0.2)),
      ),
    ).toBeUndefined()
    expect(play(open(wilcoxonPruner({ significance: 0.05 })), hard)).toBeUndefined()
  })
})

describe('patience', () => {
  it('waits for an improvement worth the name', () => {
    const study = open(patiencePruner(2, { least: 0.1 }))
    expect(play(study, [5, 4, 3.95, 3.92])).toBe(3)
    expect(play(study, [5, 4, 3.95, 3.8, 3.75])).toBeUndefined()
  })

  it('asks the inner pruner too', () => {
    const never: Pruner = { name: 'never', prune: () => false }
    expect(play(open(patiencePruner(1, { inner: never })), [1, 2, 3])).toBeUndefined()
  })
})
