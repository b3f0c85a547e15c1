import { openStudy, type Study, type Trial, walkForwardObjective } from '@regimen/bayes'
import { workerObjective } from '@regimen/bayes/workers'
import { describe, expect, it } from 'vitest'

const module = new URL('./fixtures/objective.mjs', import.meta.url)
const space = { x: { type: 'float', low: 0, high: 1 } } as const
const open = (): Study => openStudy({ direction: 'minimize', seed: 4, worker: 'w' })
const outcome = (study: Study) => study.trials.map(({ state, params, values }) => ({ state, params, values }))

describe('the order of results', () => {
  /** Runs 40 trials, four at once, whose evaluations end in the given order within each handful that waits. */
  const run = async (ordered: boolean, pick: (waiting: number) => number): Promise<Study> => {
    const study = open()
    const waiting: (() => void)[] = []
    const finished = study.optimize(
      (trial: Trial) => {
        const x = trial.float('x', 0, 1)
        return new Promise<number>((resolve) => waiting.push(() => resolve((x - 0.3) ** 2)))
      },
      { trials: 40, concurrency: 4, ordered },
    )
    let done = false
    finished.then(() => {
      done = true
    })
    while (!done) {
      await new Promise((resolve) => setImmediate(resolve))
      if (waiting.length > 0) waiting.splice(pick(waiting.length), 1)[0]!()
    }
    return study
  }

  it('does not matter to the study', async () => {
    const first = await run(true, () => 0)
    const last = await run(true, (waiting) => waiting - 1)
    expect(outcome(last)).toEqual(outcome(first))
    expect(first.completed.length).toBe(40)
  })

  it('matters where results are told at once', async () => {
    const first = await run(false, () => 0)
    const last = await run(false, (waiting) => waiting - 1)
    expect(last.completed.length).toBe(40)
    expect(outcome(last)).not.toEqual(outcome(first))
    // Told in order, four at once, both ways are one.
    expect(outcome(first)).toEqual(outcome(await run(true, () => 0)))
  })
})

describe('workerObjective', () => {
  it('gives the study that one thread gives, whichever worker ends first', async () => {
    const objective = workerObjective({ module, space, workers: 3, data: { late: true } })
    const parallel = open()
    await parallel.optimize(objective, { trials: 30 })
    await objective.dispose()
    const alone = open()
    await alone.optimize((trial) => (trial.float('x', 0, 1) - 0.3) ** 2, { trials: 30, concurrency: 3 })
    expect(outcome(parallel)).toEqual(outcome(alone))
  })

  it.each(['throw', 'exit'])('tries again what fails by %s, then records why', async (fail) => {
    for (const until of [1, 2]) {
      const objective = workerObjective({ module, space, workers: 2, retries: 1, data: { fail, until } })
      const study = open()
      const result = await study.optimize(objective, { trials: 4 })
      await objective.dispose()
      expect(result).toMatchObject(until === 1 ? { complete: 4, failed: 0 } : { complete: 3, failed: 1 })
      if (until === 2)
        expect(study.trials[1]!.error).toMatch(fail === 'throw' ? /the feed broke/ : /exited with code 3/)
    }
  })

  it('terminates what hangs, by its own limit and when aborted', async () => {
    const data = { fail: 'hang', until: 9 }
    const limited = workerObjective({ module, space, workers: 2, retries: 0, timeoutMs: 800, data })
    const study = open()
    expect(await study.optimize(limited, { trials: 4 })).toMatchObject({ complete: 3, failed: 1 })
    expect(study.trials[1]!.error).toContain('longer than 800 ms')
    await limited.dispose()

    const objective = workerObjective({ module, space, workers: 1, retries: 0, data })
    const stop = new AbortController()
    const aborted = open()
    const run = aborted.optimize(objective, {
      signal: stop.signal,
      onProgress: () => setImmediate(() => stop.abort(new Error('enough'))),
    })
    expect(await run).toEqual({ complete: 1, pruned: 0, failed: 1, stopped: 'aborted' })
    expect(aborted.trials[1]!.error).toBe('aborted: enough')
    // The only worker hung; what follows is proof that it was replaced.
    expect(await aborted.optimize(objective, { trials: 2 })).toMatchObject({ complete: 2 })
    await objective.dispose()
  })

  it('takes constraints and attributes back', async () => {
    const objective = workerObjective({ module, space, workers: 2, data: { rich: true } })
    const study = open()
    await study.optimize(objective, { trials: 30 })
    await objective.dispose()
    expect(study.best!.params.x).toBeGreaterThanOrEqual(0.5)
    expect(study.trials[0]!.violations).toEqual([0.5 - (study.trials[0]!.params.x as number)])
    expect(study.trials[0]!.attributes).toEqual({ attempt: 1, index: 0 })
  })

  it('sends fold by fold, so that a trial can be pruned between two', async () => {
    const objective = workerObjective({ module, space, workers: 2 })
    const study = openStudy({
      direction: 'minimize',
      seed: 4,
      worker: 'w',
      pruner: { name: 'far', prune: (trial) => trial.reports.get(0)! > 0.04 },
    })
    await study.optimize(walkForwardObjective([0, 0.1, 0.2], objective), { trials: 20, concurrency: 2 })
    await objective.dispose()
    for (const { state, params, values, reports } of study.trials) {
      const base = ((params.x as number) - 0.3) ** 2
      expect(state).toBe(base > 0.04 ? 'pruned' : 'complete')
      expect(reports.size).toBe(base > 0.04 ? 1 : 3)
      if (values) expect(values[0]).toBeCloseTo(base + 0.1, 12)
    }
    expect(study.completed.length).toBeGreaterThan(0)
    expect(study.completed.length).toBeLessThan(20)
  })

  it('refuses what is no module', () => {
    expect(() => workerObjective({ module: 'backtest.js', space })).toThrow('module must be a full URL')
  })
})
