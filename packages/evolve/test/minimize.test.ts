import { collectEvents, manualClock, RegimenError, type Snapshot } from '@regimen/core'
import { cmaEs, maximize, minimize } from '@regimen/evolve'
import { describe, expect, it } from 'vitest'

const box = { dimension: 3, lower: -2, upper: 4 } as const
const bowl = (x: Float64Array): number => (x[0]! - 1) ** 2 + 2 * (x[1]! + 0.5) ** 2 + x[2]! ** 2

describe('minimize', () => {
  it('finds the bottom of a bowl and says how it got there', async () => {
    const result = await minimize(bowl, box, { seed: 1, target: 1e-10 })
    expect(result.stopped).toBe('target')
    expect(result.point[0]).toBeCloseTo(1, 4)
    expect(result.point[1]).toBeCloseTo(-0.5, 4)
    const { evaluations, best } = result.history
    expect(evaluations.at(-1)).toBe(result.evaluations)
    // The incumbent never gets worse.
    for (let i = 1; i < best.length; i++) expect(best[i]).toBeLessThanOrEqual(best[i - 1]!)
  })

  it('spends exactly its evaluations', async () => {
    let calls = 0
    const count = (x: Float64Array): number => {
      calls++
      return bowl(x)
    }
    const result = await minimize(count, box, { evaluations: 101 })
    expect([calls, result.evaluations, result.stopped]).toEqual([101, 101, 'evaluations'])
  })

  it('continues exactly from a checkpoint', async () => {
    const whole = await minimize(bowl, box, { seed: 4, evaluations: 200 })
    const checkpoints: Snapshot[] = []
    await minimize(bowl, box, {
      seed: 4,
      evaluations: 200,
      onGeneration: ({ generation, snapshot }) => {
        if (generation === 9) checkpoints.push(snapshot())
        return generation < 12
      },
    })
    const resumed = await minimize(bowl, box, { resume: checkpoints[0]!, evaluations: 200 })
    expect(resumed.snapshot).toEqual(whole.snapshot)
    expect(resumed.point).toEqual(whole.point)
  })

  it('is maximize with the sign turned', async () => {
    const down = await minimize(bowl, box, { seed: 2, evaluations: 150 })
    const up = await maximize((x) => -bowl(x), box, { seed: 2, evaluations: 150 })
    expect(up.point).toEqual(down.point)
    expect(up.value).toBe(-down.value)
  })

  it('takes asynchronous objectives and constraints', async () => {
    const space = { x: { type: 'float', low: -5, high: 5 } } as const
    const result = await minimize(async ({ x }) => ({ value: x * x, violations: [1 - x] }), space, { evaluations: 600 })
    expect(result.point.x).toBeGreaterThanOrEqual(1)
    expect(result.point.x).toBeCloseTo(1, 3)
  })
})

describe('failures', () => {
  it('records what throws or gives NaN and goes on', async () => {
    let call = 0
    const events = collectEvents()
    const result = await minimize(
      (x) => {
        call++
        if (call % 5 === 0) throw new Error('the feed broke')
        return call % 5 === 1 ? Number.NaN : bowl(x)
      },
      box,
      { evaluations: 700, events, clock: manualClock(1000) },
    )
    expect(result.failed).toBe(280)
    expect(result.value).toBeLessThan(1e-4)
    const types = new Set(events.events.map(({ type }) => type))
    expect([...types].sort()).toEqual(['evolve/failed', 'evolve/improved', 'evolve/stopped'])
  })

  it('is an error that quotes the first failure when nothing works at all', async () => {
    const broken = minimize(() => Number.NaN, box)
    await expect(broken).rejects.toThrow(RegimenError)
    await expect(broken).rejects.toThrow('every evaluation of the first generation failed: the objective gave NaN')
  })

  it('says so when nothing is feasible', async () => {
    const result = minimize(() => ({ value: 1, violations: [1] }), box, { evaluations: 50 })
    await expect(result).rejects.toThrow('no feasible point was found')
  })

  it('refuses nonsense at the door', async () => {
    await expect(minimize(bowl, box, { evaluations: 0 })).rejects.toThrow(
      'evaluations must be an integer from 1, got 0',
    )
    await expect(minimize('f' as never, box)).rejects.toThrow('the objective must be a function or an evaluator')
    await expect(minimize(bowl, box, { start: [9, 0, 0] })).rejects.toThrow('start must lie within the bounds')
    const { snapshot } = await minimize(bowl, box, { evaluations: 20 })
    await expect(maximize(bowl, box, { resume: snapshot })).rejects.toThrow('Call minimize instead')
  })

  it('stops for a signal', async () => {
    const stop = new AbortController()
    const run = minimize(bowl, box, {
      signal: stop.signal,
      optimizer: cmaEs,
      onGeneration: () => stop.abort(new Error('enough')),
    })
    await expect(run).rejects.toThrow('enough')
  })
})
