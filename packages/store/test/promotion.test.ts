import { createRng, manualClock } from '@regimen/core'
import { describe, expect, it } from 'vitest'
import { createGuard, createSequentialTest, memoryBlobs, memoryMetadata, openStore } from '../src/index.ts'
import { codeOf, weights } from './support.ts'

const open = async () => {
  const clock = manualClock(1_000_000)
  const store = await openStore({ metadata: memoryMetadata(), blobs: memoryBlobs() }, { clock })
  return { store, model: store.model('m'), clock }
}

describe('promotion policies', () => {
  it('asks for thresholds, checks and a margin over the incumbent, and records why', async () => {
    const { store, model } = await open()
    const policy = {
      alias: 'champion',
      thresholds: [{ dataset: 'validation', metric: 'drawdown', max: 0.2 }],
      compare: { dataset: 'validation', metric: 'sharpe', direction: 'maximize', margin: 0.1 },
      checks: ['no-leak'],
    } as const
    const publish = async (seed: number, sharpe: number, drawdown: number, passed = true) =>
      model.publish({
        snapshot: weights(seed),
        metrics: { validation: { sharpe, drawdown } },
        checks: { 'no-leak': { passed } },
        reason: 'x',
      })
    expect(await model.promoteBy(policy)).toEqual({
      promoted: false,
      eligible: false,
      candidate: null,
      incumbent: null,
      rules: [],
    })
    await publish(1, 1, 0.1)
    expect(await model.promoteBy(policy)).toMatchObject({ promoted: true, candidate: 1, incumbent: null })
    await publish(2, 1.05, 0.1)
    const refused = await model.promoteBy(policy)
    expect(refused).toMatchObject({ promoted: false, candidate: 2, incumbent: 1 })
    expect(refused.rules.filter(({ passed }) => !passed)).toEqual([
      { rule: 'compare validation.sharpe', passed: false, detail: '1.05 against 1, better by more than 0.1 asked' },
    ])
    await publish(3, 1.3, 0.1)
    await publish(4, 1.6, 0.1)
    await publish(5, 9, 0.3)
    await publish(6, 9, 0.1, false)
    // Of those that pass (3 and 4) the best by the compared metric is chosen; a dry run moves and records nothing.
    const before = store.head
    expect(await model.promoteBy(policy, { dryRun: true })).toMatchObject({
      promoted: false,
      eligible: true,
      candidate: 4,
    })
    expect(store.head).toEqual(before)
    expect(await model.promoteBy(policy)).toMatchObject({ promoted: true, candidate: 4, incumbent: 1 })
    expect(model.aliases).toEqual({ champion: 4 })
    const [move] = (await model.history('champion')).slice(-1)
    expect(move?.reason).toContain('compare validation.sharpe passes (1.6 against 1')
    const decisions = (await store.records()).filter(({ type }) => type === 'store/decision')
    expect(decisions.map(({ data }) => [data.candidate, data.promoted])).toEqual([
      [1, true],
      [2, false],
      [4, true],
    ])
  })

  it('cools down by the clock, and does not take a step back for elapsed time', async () => {
    const { model, clock } = await open()
    for (const seed of [1, 2]) await model.publish({ snapshot: weights(seed), reason: 'x' })
    const policy = { alias: 'champion', coolDown: 1_000 }
    expect((await model.promoteBy(policy, { candidate: 1 })).promoted).toBe(true)
    clock.advance(999)
    expect((await model.promoteBy(policy, { candidate: 2 })).promoted).toBe(false)
    clock.advance(-5_000)
    expect((await model.promoteBy(policy, { candidate: 2 })).promoted).toBe(false)
    clock.advance(5_001)
    expect((await model.promoteBy(policy, { candidate: 2 })).promoted).toBe(true)
    clock.advance(9_999)
    expect((await model.promoteBy(policy, { candidate: 2 })).rules[0]).toMatchObject({
      rule: 'candidate',
      passed: false,
    })
  })

  it('tests samples pair by pair against the incumbent', async () => {
    // Differences 1, 2, 3, so mean 2, s = 1, t = 2·√3 = 3.4641 with 2 degrees of freedom: for those the distribution is
    // F(t) = ½ + t / (2√(2 + t²)), so the one-sided p is ½ − 3.4641 / (2√14) = 0.0371.
    const { model } = await open()
    const publish = (seed: number, values: number[]) =>
      model.publish({ snapshot: weights(seed), samples: { validation: { pnl: values } }, reason: 'x' })
    await publish(1, [1, 2, 3])
    await publish(2, [2, 4, 6])
    await publish(3, [0, 0, 0])
    await publish(4, [9, 9])
    await model.promote(1, 'champion', { reason: 'x' })
    const rule = async (candidate: number, alpha: number, extra = {}) => {
      const paired = {
        dataset: 'validation',
        sample: 'pnl',
        direction: 'maximize',
        alpha,
        minSamples: 3,
        ...extra,
      } as const
      return (await model.promoteBy({ alias: 'champion', paired }, { candidate, dryRun: true })).rules[0]!
    }
    expect(await rule(2, 0.04)).toMatchObject({ passed: true, detail: expect.stringContaining('p = 0.03709') })
    expect((await rule(2, 0.03)).passed).toBe(false)
    expect((await rule(3, 0.5)).passed).toBe(false)
    expect((await rule(3, 0.05, { direction: 'minimize' })).passed).toBe(true)
    expect((await rule(4, 0.5)).detail).toContain('not the same dataset')
    expect((await rule(2, 0.5, { minSamples: 30 })).detail).toBe('3 pairs, 30 asked')
    // Signed ranks of three positive differences: P(W ≤ 0) = 1/8 one-sided.
    expect((await rule(2, 0.13, { test: 'wilcoxon' })).passed).toBe(true)
    expect((await rule(2, 0.12, { test: 'wilcoxon' })).passed).toBe(false)
  })
})

describe('the guard', () => {
  it('rolls back when live values fall below the floor, and the fallen version is not chosen again', async () => {
    const { store, model } = await open()
    for (const seed of [1, 2]) {
      await model.publish({ snapshot: weights(seed), metrics: { v: { sharpe: seed } }, reason: 'x' })
      await model.promote(seed, 'champion', { reason: 'x' })
    }
    await model.protect('champion', { reason: 'Live.' })
    const guard = createGuard(model, { floor: 0, window: 3 })
    const verdicts: string[] = []
    for (const value of [0.2, 0.1, 0, -0.1, -0.2]) verdicts.push((await guard.observe(value)).status)
    // Means of the last three: 0.1, then 0, then −0.1.
    expect(verdicts).toEqual(['watching', 'watching', 'healthy', 'healthy', 'rolled-back'])
    expect(model.aliases.champion).toBe(1)
    expect((await model.history('champion')).at(-1)?.reason).toContain('-0.1, fell below the floor 0')
    // The window begins anew; version 1 has nothing to go back to.
    for (const value of [-1, -1, -1]) verdicts.push((await guard.observe(value)).status)
    expect(verdicts.slice(5)).toEqual(['watching', 'watching', 'stranded'])
    const compare = { dataset: 'v', metric: 'sharpe', direction: 'maximize' } as const
    expect((await model.promoteBy({ alias: 'champion', compare })).candidate).toBeNull()
    expect((await model.promoteBy({ alias: 'champion', compare }, { candidate: 2 })).promoted).toBe(true)
    await expect(guard.observe(Number.NaN)).rejects.toThrow('must be finite')
    expect((await store.verify()).valid).toBe(true)
  })
})

describe('splits', () => {
  it('keeps every key with its arm, and moves only keys of the arm that changed', async () => {
    const { model } = await open()
    const arms = {
      a: { ref: 'champion', weight: 3 },
      b: { ref: 'challenger', weight: 1 },
      c: { ref: 3, weight: 0, shadow: true },
    }
    await model.split('fills', arms, { reason: 'Trial.' })
    const keys = Array.from({ length: 4_000 }, (_, i) => `order-${i}`)
    const before = keys.map((key) => model.assign('fills', key))
    expect(before.map(({ arm }) => arm)).toEqual(keys.map((key) => model.assign('fills', key).arm))
    const share = before.filter(({ arm }) => arm === 'b').length / keys.length
    // Binomial: 0.25 ± 4·√(0.25·0.75/4000) = 0.25 ± 0.027.
    expect(Math.abs(share - 0.25)).toBeLessThan(0.027)
    expect(before[0]?.shadows).toEqual([{ arm: 'c', ref: 3 }])
    await model.split('fills', { ...arms, d: { ref: 4, weight: 1 } }, { reason: 'One more.' })
    const moved = keys
      .map((key, i) => [before[i]!.arm, model.assign('fills', key).arm])
      .filter(([was, is]) => was !== is)
    expect(moved.length).toBeGreaterThan(0)
    expect(new Set(moved.map(([, is]) => is))).toEqual(new Set(['d']))
    await model.split('fills', null, { reason: 'Over.' })
    expect(() => model.assign('fills', 'x')).toThrow('has no split "fills"')
    expect(await codeOf(model.split('f', { a: { ref: 1, weight: 0 } }, { reason: 'x' }))).toBe('INVALID_ARGUMENT')
  })
})

describe('the sequential test', () => {
  it('follows the formula', () => {
    // a: 0, 2 and b: 3, 5: means 1 and 4, variances 2, so V = 2/2 + 2/2 = 2, d = 3. With τ² = 4:
    // Λ = √(2/6) · exp(4·9 / (2·2·6)) = 0.57735 · e^1.5 = 2.58751.
    const test = createSequentialTest({ effect: 2, minSamples: 2 })
    for (const value of [0, 2]) test.observe('a', value)
    for (const value of [3, 5]) test.observe('b', value)
    expect(test.result.pValue).toBeCloseTo(1 / 2.58751, 5)
    expect(test.result).toMatchObject({ difference: 3, winner: null })
    const continued = createSequentialTest({ effect: 2, minSamples: 2 }, test.state())
    expect(continued.observe('a', 1)).toEqual(test.observe('a', 1))
    expect(continued.state()).toEqual(test.state())
  })

  it('seldom calls a winner where there is none, although it looks every time; and finds one where there is', () => {
    const rng = createRng(11)
    const race = (shift: number): 'a' | 'b' | null => {
      const test = createSequentialTest({ effect: 0.3, minSamples: 30 })
      for (let i = 0; i < 600 && test.result.winner === null; i++) {
        test.observe('a', rng.normal())
        test.observe('b', rng.normal() + shift)
      }
      return test.result.winner
    }
    const count = (shift: number, winner: 'a' | 'b') =>
      Array.from({ length: 300 }, () => race(shift)).filter((name) => name === winner).length
    const [falseA, falseB] = [count(0, 'a'), count(0, 'b')]
    // At α = 5 % at most 15 of 300 are expected; a t-test looked at 570 times would call some 100.
    expect(falseA + falseB).toBeLessThan(30)
    expect(count(0.4, 'b')).toBeGreaterThan(290)
    expect(count(-0.4, 'a')).toBeGreaterThan(290)
  })
})
