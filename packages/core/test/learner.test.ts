import {
  arrayLeaf,
  createLifetime,
  createSnapshot,
  hashSnapshot,
  isSnapshot,
  type Live,
  type LiveFactory,
  RegimenError,
  restore,
  schema,
  toAsyncFactory,
  toAsyncLive,
  toLearner,
} from '@regimen/core'
import { testLive } from '@regimen/testing'
import { describe, expect, it } from 'vitest'

const state = schema.object({ mean: schema.leaf('float64', [1]) })
let open = 0

/** An exponential mean: m ← m + rate·(x − m). */
const exponentialMean: LiveFactory<{ rate: number }, number, undefined, number> = {
  id: 'example/exponential-mean',
  version: 1,
  open(from): Live<number, undefined, number> {
    const life = createLifetime('example/exponential-mean')
    const saved = isSnapshot(from)
      ? restore(from, {
          id: 'example/exponential-mean',
          version: 1,
          config: schema.object({ rate: schema.number() }),
          state,
        })
      : createSnapshot({ id: 'a/b', version: 1, config: { ...from }, state: { mean: arrayLeaf('float64', [1]) } })
    const { rate } = saved.config
    const mean = saved.state.mean.data
    open++
    return {
      update(x) {
        life.check()
        if (!Number.isFinite(x)) {
          throw new RegimenError(`x must be finite, got ${x}.`, { code: 'INVALID_ARGUMENT', where: 'example' })
        }
        mean[0]! += rate * (x - mean[0]!)
      },
      predict() {
        life.check()
        return mean[0]!
      },
      snapshot: () =>
        createSnapshot({
          id: 'example/exponential-mean',
          version: 1,
          config: { rate },
          state: { mean: arrayLeaf('float64', [1], mean) },
        }),
      dispose: () => {
        if (life.end()) open--
      },
    }
  },
}

testLive('the example of these tests', {
  factory: exponentialMean,
  config: { rate: 0.5 },
  stream: [1, 2, 3, 5, 8, 13, 21, 34].map((x) => ({ x })),
  countResources: () => open,
})

describe('toLearner', () => {
  const learner = toLearner(exponentialMean)

  it('gives pure functions that agree with the live object', () => {
    // 0 → 0 + (4 − 0)/2 = 2 → 2 + (6 − 2)/2 = 4.
    const s0 = learner.init({ rate: 0.5 })
    const s1 = learner.update(s0, 4)
    const s2 = learner.update(s1, 6)
    expect([s0, s1, s2].map((s) => learner.predict(s, 0))).toEqual([0, 2, 4])
    const live = exponentialMean.open({ rate: 0.5 })
    live.update(4)
    live.update(6)
    expect(hashSnapshot(live.snapshot())).toBe(hashSnapshot(s2))
    live.dispose()
  })

  it('branches from one state and leaves nothing open, even after an error', () => {
    const s0 = learner.init({ rate: 0.5 })
    expect(learner.predict(learner.update(s0, 2), 0)).toBe(1)
    expect(learner.predict(learner.update(s0, 8), 0)).toBe(4)
    expect(() => learner.update(s0, Number.NaN)).toThrow('x must be finite, got NaN')
    expect(open).toBe(0)
  })
})

describe('toAsyncLive', () => {
  it('answers as the synchronous object does, and turns what it throws into a rejection', async () => {
    const live = toAsyncLive(exponentialMean.open({ rate: 0.5 }))
    await live.update(4)
    expect(await live.predict(0)).toBe(2)
    await expect(live.update(Number.NaN)).rejects.toThrow('x must be finite')
    const copy = await toAsyncFactory(exponentialMean).open(await live.snapshot())
    expect(await copy.predict(0)).toBe(2)
    live.dispose()
    await expect(live.predict(0)).rejects.toThrow('[example/exponential-mean] it was disposed.')
    copy.dispose()
    expect(open).toBe(0)
  })
})
