import { cmaEs, denoise, minimize } from '@regimen/evolve'
import { describe, expect, it } from 'vitest'
import { rankChange } from '../src/noise/denoise.ts'

type Vector = Float64Array
const sphere = (x: Vector): number => x.reduce((sum, v) => sum + v * v, 0)
const candidates = (values: number[]) => values.map((x, id) => ({ id, point: x }))

describe('rankChange', () => {
  it('is below 0 where ranks stay and above where they are shuffled', () => {
    // Nothing changes: rank changes of 0 less the sign's 0, minus two limits that are at least 0.
    expect(rankChange([1, 2, 3, 4], [1, 2], 1)).toBeLessThanOrEqual(0)
    expect(rankChange([1, 2, 3, 4], [40, 30], 0)).toBeGreaterThan(0)
  })

  it('follows the equation', () => {
    // All: 1, 2, 3 and again 5. Ranks: the old 1 has rank 1, the new 5 rank 4; Δ = 3 − 1 = 2. With no tolerance the limits are the smallest
    // of |k − R|, k = 1 … 3, for R = 4 − 1 = 3 and R = 1: both 0. So 2·2 = 4.
    expect(rankChange([1, 2, 3], [5], 0)).toBe(4)
    // Tolerance 1 takes the median: {2, 1, 0} for R = 3 and {0, 1, 2} for R = 1, both 1: 4 − 1 − 1 = 2.
    expect(rankChange([1, 2, 3], [5], 1)).toBe(2)
  })
})

describe('denoise', () => {
  it('gives the mean of what was measured', async () => {
    // Two candidates, both evaluated again: each value is a mean of two.
    const seen: number[][] = [[], []]
    const noisy = denoise<number>((x, rng) => {
      const value = x + rng.normal()
      seen[x]!.push(value)
      return value
    })
    const results = await noisy.evaluate(candidates([0, 1]))
    expect(seen.map((list) => list.length)).toEqual([2, 2])
    results.forEach((one, k) => {
      expect('value' in one && one.value).toBeCloseTo((seen[k]![0]! + seen[k]![1]!) / 2, 14)
    })
    expect(noisy.calls).toBe(4)
  })

  it('asks once where there is no noise, and more and more often where there is nothing else', async () => {
    const quiet = denoise<number>((x) => x)
    const loud = denoise<number>((_, rng) => rng.normal(), { maxRepeats: 8 })
    for (let round = 0; round < 20; round++) {
      const ten = candidates(Array.from({ length: 10 }, (_, k) => k)).map((one) => ({
        ...one,
        id: one.id + 10 * round,
      }))
      await quiet.evaluate(ten)
      await loud.evaluate(ten)
    }
    expect(quiet.repeats).toBe(1)
    // Ten candidates and two again.
    expect(quiet.calls).toBe(20 * 12)
    expect(loud.repeats).toBeGreaterThanOrEqual(6)
  })

  it('gets nearer than taking each answer for the truth, at the same number of calls', async () => {
    const space = { dimension: 5 } as const
    const options = { sigma: 1, restarts: 'none', tolFun: 1e-300, tolX: 1e-300 } as const
    let [with_, without] = [0, 0]
    for (const seed of [1, 2, 3, 4, 5]) {
      const noisy = denoise<Vector>((x, rng) => sphere(x) + rng.normal(), { seed })
      const start = [3, 3, 3, 3, 3]
      await minimize(noisy, space, {
        options,
        start,
        seed,
        evaluations: 1e6,
        onGeneration: () => noisy.calls < 6000,
      }).then(({ snapshot }) => {
        with_ += sphere((snapshot.state as unknown as { engine: { mean: { data: Vector } } }).engine.mean.data)
      })
      const plain = denoise<Vector>((x, rng) => sphere(x) + rng.normal(), { seed, maxRepeats: 1 })
      const optimizer = cmaEs.open({ space, direction: 'minimize', start, seed, ...options })
      while (plain.calls < 6000 && optimizer.stopped === undefined)
        optimizer.tell(await plain.evaluate(optimizer.ask()))
      without += sphere(
        (optimizer.snapshot().state as unknown as { engine: { mean: { data: Vector } } }).engine.mean.data,
      )
    }
    expect(with_).toBeLessThan(without / 2)
  })

  it('continues exactly from its snapshot', async () => {
    const objective = (x: number, rng: { normal(): number }): number => x + 2 * rng.normal()
    const batches = Array.from({ length: 6 }, (_, b) =>
      candidates([1, 2, 3, 4, 5]).map((one) => ({ ...one, id: one.id + 5 * b })),
    )
    const whole = denoise<number>(objective, { seed: 7 })
    for (const batch of batches.slice(0, 3)) await whole.evaluate(batch)
    const resumed = denoise<number>(objective, { resume: whole.snapshot() })
    for (const batch of batches.slice(3)) expect(await resumed.evaluate(batch)).toEqual(await whole.evaluate(batch))
    expect(resumed.snapshot()).toEqual(whole.snapshot())
  })

  it('averages violations, and a failure is a failure', async () => {
    let call = 0
    const noisy = denoise<number>(
      (x) => {
        if (x === 2) throw new Error('the feed broke')
        if (x === 3) return Number.NaN
        return { value: x, violations: [call++ % 2] }
      },
      { share: 1 },
    )
    const results = await noisy.evaluate(candidates([0, 1, 2, 3]))
    expect(results[2]).toEqual({ id: 2, failed: 'the feed broke' })
    expect(results[3]).toEqual({ id: 3, failed: 'the objective gave NaN' })
    expect(results[0]).toMatchObject({ value: 0 })
  })

  it('refuses bad input, and stops for a signal', async () => {
    expect(() => denoise(undefined as never)).toThrow('the objective must be a function')
    expect(() => denoise(() => 1, { share: 0 })).toThrow('share must be a number from')
    expect(() => denoise(() => 1, { maxRepeats: 0 })).toThrow('maxRepeats must be a number from 1')
    await expect(
      denoise<number>(() => 1).evaluate(candidates([1]), AbortSignal.abort(new Error('enough'))),
    ).rejects.toThrow('enough')
  })
})
