import { type BanditPolicy, openBandit } from '@regimen/bayes'
import { Rng } from '@regimen/core'
import { describe, expect, it } from 'vitest'

const policies: BanditPolicy[] = ['thompson', 'ucb', 'exp3', 'sliding-window']

describe('bandits', () => {
  it.each(policies)('%s plays the best arm most', (policy) => {
    const bandit = openBandit({ arms: 3, policy, seed: 2, window: 500 })
    const rng = new Rng(5)
    for (let t = 0; t < 2000; t++) {
      const arm = bandit.choose()
      bandit.reward(arm, rng.uniform() < [0.2, 0.8, 0.4][arm]! ? 1 : 0)
    }
    expect(bandit.counts[1]).toBeGreaterThan(1000)
  })

  it.each(policies)('%s goes on identically from its snapshot', (policy) => {
    const play = (bandit: ReturnType<typeof openBandit>, from: number) =>
      Array.from({ length: 30 }, (_, i) => {
        const arm = bandit.choose()
        bandit.reward(arm, (((from + i) * 7 + arm * 3) % 11) / 11)
        return arm
      })
    const bandit = openBandit({ arms: 4, policy, seed: 1, window: 20 })
    play(bandit, 0)
    const copy = openBandit(bandit.snapshot())
    expect(play(copy, 30)).toEqual(play(bandit, 30))
  })

  it('ucb follows its formula', () => {
    // After rewards 1, 0 on arms 0 and 1 and .2 more on arm 0 (mean .6, n = 2): bounds at t = 3 are
    // .6 + √(2 ln 3 / 2) = 1.648 and 0 + √(2 ln 3) = 1.482, so arm 0; then mean .4, n = 3, t = 4:
    // .4 + √(2 ln 4 / 3) = 1.361 against √(2 ln 4) = 1.665, so arm 1.
    const bandit = openBandit({ arms: 2, policy: 'ucb' })
    for (const [arm, value] of [
      [0, 1],
      [1, 0],
      [0, 0.2],
    ] as const)
      bandit.reward(arm, value)
    expect(bandit.choose()).toBe(0)
    bandit.reward(0, 0)
    expect(bandit.choose()).toBe(1)
  })

  it('the sliding window forgets', () => {
    const bandit = openBandit({ arms: 2, policy: 'sliding-window', window: 40, width: 0.3 })
    const late: number[] = []
    for (let t = 0; t < 600; t++) {
      const arm = bandit.choose()
      bandit.reward(arm, arm === (t < 300 ? 0 : 1) ? 1 : 0)
      if (t >= 400) late.push(arm)
    }
    expect(late.filter((arm) => arm === 1).length).toBeGreaterThan(150)
  })

  it('refuses what is no reward', () => {
    expect(() => openBandit({ arms: 2, policy: 'exp3' }).reward(0, 2)).toThrow('exp3 needs rewards in [0, 1], got 2')
    expect(() => openBandit({ arms: 2, policy: 'ucb' }).reward(2, 0)).toThrow('there is no arm 2')
    expect(() => openBandit({ arms: 0, policy: 'ucb' })).toThrow('arms must be a whole number from 1')
  })
})
