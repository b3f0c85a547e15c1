import { openStudy, type TpeOptions, tpe } from '@regimen/bayes'
import { Rng } from '@regimen/core'
import { hypervolume, nonDominatedSort, normalCdf, normalPdf } from '@regimen/core/math'
import { describe, expect, it } from 'vitest'
import { Axis, type ParzenSettings, smoothCategories } from '../src/tpe/axis.ts'
import { Column } from '../src/tpe/column.ts'
import { chooseByDominance, type Ranked, referenceOf, volumeShares } from '../src/tpe/dominance.ts'
import { Joint } from '../src/tpe/joint.ts'
import { createMixture, densityAt, finishMixture, massAt, neighbourWidths } from '../src/tpe/mixture.ts'
import { Ranking } from '../src/tpe/ranking.ts'

function mixtureOf(points: readonly number[], prior: number, magicClip: boolean) {
  const mixture = createMixture(8)
  mixture.size = points.length
  mixture.mu.set(points)
  mixture.weight.fill(1)
  neighbourWidths(mixture, prior, points.length - 1, magicClip)
  finishMixture(mixture, false)
  return mixture
}

describe('the Parzen density', () => {
  it('takes as width the larger gap to a neighbour', () => {
    // Points .1, .2 and the prior's .5 (σ = 1), .9. Gaps: .1 | .1, .3 | prior | .4. Without the clip σ = .1, .3, 1, .4.
    expect(Array.from(mixtureOf([0.1, 0.2, 0.5, 0.9], 2, false).sigma.slice(0, 4))).toEqual([
      expect.closeTo(0.1, 12),
      expect.closeTo(0.3, 12),
      1,
      expect.closeTo(0.4, 12),
    ])
    // With it, 3 observations allow no less than 1 / min(100, 3 + 2) = .2.
    expect(mixtureOf([0.1, 0.2, 0.5, 0.9], 2, true).sigma[0]).toBeCloseTo(0.2, 12)
  })

  it('is the mean of the truncated kernels', () => {
    // One observation at .2 and the prior: σ = .3 (the gap) and 1, weight ½ each.
    const mixture = mixtureOf([0.2, 0.5], 1, false)
    const kernel = (x: number, mu: number, s: number) =>
      normalPdf((x - mu) / s) / s / (normalCdf((1 - mu) / s) - normalCdf(-mu / s))
    for (const x of [0, 0.2, 0.7, 1])
      expect(densityAt(mixture, x)).toBeCloseTo((kernel(x, 0.2, 0.3) + kernel(x, 0.5, 1)) / 2, 12)
    // By hand at x = .2: φ(0)/.3 = 1.32981, inside mass Φ(8/3) − Φ(−2/3) = .99617 − .25249 = .74368, so 1.78815; the
    // prior: φ(−.3) = .38139 over Φ(.5) − Φ(−.5) = .38292, so .99599. The mean is 1.39207.
    expect(densityAt(mixture, 0.2)).toBeCloseTo(1.39207, 4)
    // Stretches of a grid sum to one.
    let total = 0
    for (let k = 0; k < 10; k++) total += massAt(mixture, k / 10, (k + 1) / 10)
    expect(total).toBeCloseTo(1, 12)
  })

  it('smooths choices by the prior', () => {
    // Two observations of a, one of c, prior weight 1: each of the 4 kernels spreads 1/4 over all choices and is divided by
    // 1 + 3/4 = 7/4. Kernel of a: (5/7, 1/7, 1/7). Mean with the uniform kernel: a = (2·5/7 + 1/7 + 1/3)/4 = 10/21,
    // b = (3/7 + 1/3)/4 = 4/21, c = (2·1/7 + 5/7 + 1/3)/4 = 1/3.
    const shares = Float64Array.of(2, 0, 1)
    smoothCategories(shares, 3, 1)
    expect(shares[0]).toBeCloseTo(10 / 21, 12)
    expect(shares[1]).toBeCloseTo(4 / 21, 12)
    expect(shares[2]).toBeCloseTo(1 / 3, 12)
  })
})

describe('the split into good and bad', () => {
  it('follows a full sort, observation by observation', () => {
    const rng = new Rng(4)
    const losses = Array.from({ length: 300 }, () => Math.round(rng.normal() * 20))
    const gamma = (n: number) => Math.min(Math.ceil(0.1 * n), 25)
    const ranking = new Ranking(gamma, (id) => ({ tier: 0, major: losses[id]!, minor: 0 }))
    const below = new Map<number, boolean>()
    for (let id = 0; id < losses.length; id++) {
      ranking.add(id, (moved, side) => below.set(moved, side))
      const sorted = Array.from({ length: id + 1 }, (_, i) => i).sort((a, b) => losses[a]! - losses[b]! || a - b)
      const good = new Set(sorted.slice(0, gamma(id + 1)))
      expect(sorted.filter((i) => below.get(i) !== good.has(i))).toEqual([])
    }
  })
})

describe('the split by several objectives', () => {
  const ranked = (losses: number[][], reference = referenceOf(losses)): Ranked => ({
    losses,
    ranks: nonDominatedSort(losses),
    reference,
  })

  it('thins the front that does not fit to the largest volume, and weighs by what each adds', () => {
    // Volumes alone to (5, 5): 4, 9, 7, 4.5, so (2, 2) is first. To that, (1, 4) adds a strip of 1, (3, 1.5) one of 2·½ = 1 and
    // (4, ½) one of 1·1½ = 1.5. To both, (1, 4) adds 1 and (3, 1.5) ½. (4.5, 4.5) is dominated and comes last.
    const points = [
      [1, 4],
      [2, 2],
      [3, 1.5],
      [4, 0.5],
      [4.5, 4.5],
    ]
    const five = ranked(points, [5, 5])
    const all = [0, 1, 2, 3, 4]
    expect(chooseByDominance(five, all, 3)).toEqual([1, 3, 0])
    expect(chooseByDominance(five, all, 5)).toEqual([0, 1, 2, 3, 4])
    expect(chooseByDominance(five, [0, 2, 4], 2)).toEqual([0, 2])
    // All three dominate 11.5. Without (2, 2), 4 + 4.5 − 1 = 7.5, so it adds 4; (4, ½) adds 1.5, (1, 4) adds 1.
    const shares = volumeShares(five, [1, 3, 0])
    for (const [k, share] of [1, 1.5 / 4, 1 / 4].entries()) expect(shares[k]).toBeCloseTo(share, 12)
    // What is dominated adds nothing, and counts next to nothing.
    expect(volumeShares(five, [1, 4])).toEqual([1, 1e-12])
    // A tenth of the range beyond the worst: 4.5 + .35 and 4.5 + .4.
    expect(referenceOf(five.losses)).toEqual([expect.closeTo(4.85, 12), expect.closeTo(4.9, 12)])
  })

  it.each([2, 3])('chooses as a greedy search that computes every gain, %i objectives', (m) => {
    const rng = new Rng(m)
    const losses = Array.from({ length: 30 }, () => {
      const row = Array.from({ length: m }, () => Math.abs(rng.normal()))
      const length = Math.hypot(...row)
      return row.map((v) => 1 - v / length)
    })
    const front = ranked(losses)
    const chosen: number[] = []
    while (chosen.length < 8) {
      const volume = (i: number) => {
        const kept = [...chosen, i].map((k) => losses[k]!)
        return hypervolume(kept, front.reference)
      }
      const rest = losses.map((_, i) => i).filter((i) => !chosen.includes(i))
      chosen.push(rest.reduce((a, b) => (volume(b) > volume(a) ? b : a)))
    }
    expect(chooseByDominance(front, Array.from(losses.keys()), 8)).toEqual(chosen)
  })
})

describe('the incremental model', () => {
  const settings: ParzenSettings = {
    candidates: 24,
    priorWeight: 1,
    magicClip: true,
    equalHeights: false,
    gamma: (n) => Math.min(Math.ceil(0.1 * n), 25),
    recent: 25,
  }
  const real = { type: 'float', low: 0, high: 1 } as const

  it('proposes what a model built from scratch proposes', () => {
    // The reference knows no cells. Here every observation has a cell of its own, so both must agree to rounding.
    const rng = new Rng(9)
    const cells = rng.permutation(400)
    const column = new Column(real)
    const losses: number[] = []
    const axis = new Axis(column, settings, (id) => ({ tier: 0, major: losses[id]!, minor: 0 }))
    for (let id = 0; id < 320; id++) {
      const x = (cells[id]! + rng.uniform()) / 400
      column.set(id, x)
      losses.push((x - 0.3) ** 2 + 0.1 * rng.normal())
      axis.add(id)
      if (id >= 20)
        expect(axis.propose(new Rng(`p${id}`), [])).toBeCloseTo(reference(column, losses, id + 1, `p${id}`), 9)
    }
  })

  function reference(column: Column, losses: readonly number[], n: number, seed: string): number {
    const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => losses[a]! - losses[b]! || a - b)
    const goodCount = settings.gamma(n)
    const build = (ids: readonly number[], weightOf: (id: number) => number) => {
      const points = [...ids.map((id) => ({ x: column.at(id), w: weightOf(id) })), { x: 0.5, w: 1 }]
      points.sort((a, b) => a.x - b.x)
      const mixture = createMixture(points.length)
      mixture.size = points.length
      for (const [i, { x, w }] of points.entries()) {
        mixture.mu[i] = x
        mixture.weight[i] = w
      }
      neighbourWidths(
        mixture,
        points.findIndex(({ x }) => x === 0.5),
        ids.length,
        true,
      )
      finishMixture(mixture, false)
      return mixture
    }
    const good = build(order.slice(0, goodCount), () => 1)
    // Weights by age: the last 25 count 1, the others rise linearly from 1/n to 1.
    const ramp = (id: number) => (id >= n - 25 ? 1 : 1 / n + (n - 26 > 0 ? (id * (1 - 1 / n)) / (n - 26) : 0))
    const rest = build(order.slice(goodCount), ramp)
    const rng = new Rng(seed)
    let best = 0
    let bestScore = -1
    for (let k = 0; k < 24; k++) {
      let u = rng.uniform()
      let kernel = good.size - 1
      for (let i = 0; i < good.size - 1; i++) {
        u -= good.weight[i]!
        if (u < 0) {
          kernel = i
          break
        }
      }
      let x = -1
      while (x < 0 || x > 1) x = rng.normal(good.mu[kernel]!, good.sigma[kernel]!)
      const score = densityAt(good, x) / densityAt(rest, x)
      if (score > bestScore) {
        bestScore = score
        best = x
      }
    }
    return best
  }

  it('draws where the weight of the good ones is', () => {
    // Two good trials, at .2 with weight 1 and at .8 with next to none, and a rest without preference.
    const even = { ...settings, recent: Number.POSITIVE_INFINITY }
    for (const make of [
      (column: Column) => new Axis(column, even, () => ({ tier: 0, major: 0, minor: 0 })),
      (column: Column) => new Joint([column], even, 1024, () => ({ tier: 0, major: 0, minor: 0 })),
    ]) {
      const column = new Column(real)
      const model = make(column)
      for (let id = 0; id < 62; id++) {
        column.set(id, id === 60 ? 0.2 : id === 61 ? 0.8 : (id + 0.5) / 60)
        model.add(id)
      }
      const share = (weights: number[]): number => {
        model.split([60, 61], weights)
        let left = 0
        for (let k = 0; k < 200; k++) {
          const x = model.propose(new Rng(`w${k}`), [])
          if ((typeof x === 'number' ? x : x[0]!) < 0.5) left++
        }
        return left / 200
      }
      expect(share([1, 1e-12])).toBeGreaterThan(0.8)
      expect(share([1e-12, 1])).toBeLessThan(0.2)
      expect(Math.abs(share([1, 1]) - 0.5)).toBeLessThan(0.2)
    }
  })

  it('forgets running trials again', () => {
    const column = new Column(real)
    const axis = new Axis(column, settings, (id) => ({ tier: 0, major: id, minor: 0 }))
    for (let id = 0; id < 40; id++) {
      column.set(id, ((id * 7) % 40) / 40)
      axis.add(id)
    }
    const before = axis.propose(new Rng(1), [])
    axis.propose(new Rng(2), [0.1, 0.1, 0.9])
    expect(axis.propose(new Rng(1), [])).toBe(before)
  })

  it('sees an interaction when it models jointly', () => {
    // Good where x = y: with both marginals uniform only a joint model can tell.
    const columns = [new Column(real), new Column(real)]
    const losses: number[] = []
    const joint = new Joint(columns, settings, 1024, (id) => ({ tier: 0, major: losses[id]!, minor: 0 }))
    const rng = new Rng(3)
    for (let id = 0; id < 250; id++) {
      const [x, y] = [rng.uniform(), rng.uniform()]
      columns[0]!.set(id, x)
      columns[1]!.set(id, y)
      losses.push(Math.abs(x - y))
      joint.add(id)
    }
    let gap = 0
    for (let k = 0; k < 200; k++) {
      const [x, y] = joint.propose(new Rng(`j${k}`), [])
      gap += Math.abs(x! - y!) / 200
    }
    // 1/3 for independent uniforms.
    expect(gap).toBeLessThan(0.12)
  })
})

describe('the sampler', () => {
  const variants: [string, TpeOptions][] = [
    ['one by one', { multivariate: false }],
    ['jointly', { multivariate: true, group: false }],
    ['in groups', { multivariate: true, group: true }],
  ]

  it.each(variants)('finds the better branch of a conditional space, %s', async (_, options) => {
    const study = openStudy({ direction: 'minimize', sampler: tpe(options), seed: 2 })
    await study.optimize(
      (trial) => {
        const kind = trial.categorical('kind', ['a', 'b', 'c'])
        if (kind === 'a') return 1 + trial.float('u', 0, 1)
        const depth = trial.int('depth', 1, 16, { log: true })
        const v = trial.float('v', 1e-4, 1, { log: true })
        return (kind === 'b' ? 0 : 0.3) + Math.abs(Math.log10(v) + 2) + 0.2 * Math.abs(depth - 4)
      },
      { trials: 120 },
    )
    expect(study.trials.every((trial) => trial.state === 'complete')).toBe(true)
    expect(study.best!.params.kind).toBe('b')
    expect(study.best!.value).toBeLessThan(0.7)
    const late = study.trials.slice(60)
    expect(late.filter((trial) => trial.params.kind === 'b').length).toBeGreaterThan(35)
  })

  it('keeps to the feasible side of a constraint', async () => {
    // Minimize x + y with x·y ≥ 1/4: the optimum is 1 at (½, ½).
    const study = openStudy({ direction: 'minimize', seed: 1 })
    await study.optimize(
      (trial) => {
        const [x, y] = [trial.float('x', 0, 2), trial.float('y', 0, 2)]
        trial.constrain([0.25 - x * y])
        return x + y
      },
      { trials: 150 },
    )
    expect(study.best!.violations[0]).toBeLessThanOrEqual(0)
    expect(study.best!.value).toBeLessThan(1.1)
    const late = study.completed.slice(75)
    expect(late.filter((t) => t.violations[0]! <= 0).length).toBeGreaterThan(late.length / 3)
  })

  it('covers the front of two objectives better than chance', async () => {
    // ZDT1 in three variables; the front is f2 = 1 − √f1, whose hypervolume to (1.1, 1.1) is 1.21 − 1/3 = .8767.
    const run = async (seed: number, startup: number) => {
      const study = openStudy({ direction: ['minimize', 'minimize'], seed, sampler: tpe({ startup }) })
      await study.optimize(
        (trial) => {
          const x = ['a', 'b', 'c'].map((name) => trial.float(name, 0, 1))
          const g = 1 + 4.5 * (x[1]! + x[2]!)
          return [x[0]!, g * (1 - Math.sqrt(x[0]! / g))]
        },
        { trials: 150 },
      )
      return study.hypervolumeHistory([1.1, 1.1]).at(-1)!
    }
    for (const seed of [1, 2, 3]) expect(await run(seed, 10)).toBeGreaterThan((await run(seed, 1000)) + 0.1)
  })

  it('spreads parallel proposals out', () => {
    // Forty points on a grid, the best at .5; sixteen proposals before any result comes back.
    const gapsOf = (constantLiar: boolean) => {
      const study = openStudy({ direction: 'minimize', seed: 4, sampler: tpe({ constantLiar }) })
      for (let i = 0; i < 40; i++) study.enqueue({ x: i / 39 })
      for (let i = 0; i < 40; i++) {
        const trial = study.ask()
        study.tell(trial, (trial.float('x', 0, 1) - 0.5) ** 2)
      }
      const xs = Array.from({ length: 16 }, () => study.ask().float('x', 0, 1)).sort((a, b) => a - b)
      return xs[15]! - xs[0]!
    }
    expect(gapsOf(true)).toBeGreaterThan(1.5 * gapsOf(false))
  })

  it('learns from pruned trials', async () => {
    // The report at step 0 is the only thing that pruned trials have; they rank below complete ones.
    const study = openStudy({
      direction: 'minimize',
      seed: 3,
      pruner: { name: 'half', prune: (trial) => trial.reports.get(0)! > 0.25 },
    })
    await study.optimize(
      (trial) => {
        const x = trial.float('x', -1, 1)
        trial.report(Math.abs(x), 0)
        trial.pruneIfHopeless()
        return Math.abs(x)
      },
      { trials: 80 },
    )
    const pruned = (from: number, to: number) => study.trials.slice(from, to).filter((t) => t.state === 'pruned').length
    expect(pruned(40, 80)).toBeLessThan(pruned(0, 40))
    expect(study.best!.value).toBeLessThan(0.05)
  })

  it('refuses impossible options', () => {
    expect(() => tpe({ startup: 0 })).toThrow('[bayes/tpe] startup must be a whole number from 1, got 0.')
    expect(() => tpe({ priorWeight: 0 })).toThrow('priorWeight must be above 0')
  })
})
