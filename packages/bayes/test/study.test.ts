import { defineSpace, memoryStorage, openStudy, randomSampler, type SearchPoint, TrialPruned } from '@regimen/bayes'
import { collectEvents, manualClock } from '@regimen/core'
import { describe, expect, it } from 'vitest'

const open = (more: object = {}) =>
  openStudy({ direction: 'minimize', sampler: randomSampler(), seed: 1, worker: 'a', clock: manualClock(), ...more })

describe('define by run', () => {
  it('gives each name one value, inside its range and on its grid', () => {
    const study = open()
    for (let i = 0; i < 50; i++) {
      const trial = study.ask()
      const rate = trial.float('rate', 1e-4, 1, { log: true })
      expect(rate >= 1e-4 && rate <= 1).toBe(true)
      expect(trial.float('rate', 1e-4, 1, { log: true })).toBe(rate)
      expect([0, 0.25, 0.5, 0.75, 1]).toContain(trial.float('share', 0, 1, { step: 0.25 }))
      expect([3, 5, 7]).toContain(trial.int('odd', 3, 7, { step: 2 }))
      expect(['ema', null, true, 7]).toContain(trial.categorical('kind', ['ema', null, true, 7]))
      study.tell(trial, rate)
    }
    expect(Math.min(...study.completed.map((t) => t.value))).toBe(study.best!.value)
  })

  it('refuses impossible ranges by name', () => {
    const trial = open().ask()
    expect(() => trial.float('rate', 0, 1, { log: true })).toThrow(
      'rate.low must be above 0 on a logarithmic scale, got 0',
    )
    expect(() => trial.categorical('kind', [])).toThrow('kind.choices must be different values')
    expect(() => trial.int('n', 5, 2)).toThrow('n needs finite low ≤ high')
    expect(() => trial.float('x', 0, Number.NaN)).toThrow('finite')
  })

  it('refuses a space that changes between trials, and stays usable', () => {
    const study = open()
    study.tell(study.ask(defineSpace({ x: { type: 'float', low: 0, high: 1 } })), 1)
    const trial = study.ask()
    expect(() => trial.float('x', 0, 2)).toThrow(expect.objectContaining({ code: 'SPACE_CHANGED' }))
    expect(() => trial.int('x', 0, 1)).toThrow(expect.objectContaining({ code: 'SPACE_CHANGED' }))
    expect(trial.float('x', 0, 1)).toBeGreaterThanOrEqual(0)
    study.tell(trial, 2)
    expect(study.best!.value).toBe(1)
  })
})

describe('declared spaces', () => {
  const space = defineSpace({
    kind: { type: 'categorical', choices: ['ema', 'sma'] },
    span: { type: 'int', low: 2, high: 100 },
    decay: { type: 'float', low: 0.5, high: 1, when: { kind: 'ema' } },
    tail: { type: 'float', low: 0, high: 1, when: { kind: ['ema'] } },
  })

  it('has a parameter exactly when its condition holds, and its type says so', () => {
    const study = open()
    for (let i = 0; i < 30; i++) {
      const trial = study.ask()
      const point: SearchPoint<typeof space> = trial.suggest(space)
      const kind: 'ema' | 'sma' = point.kind
      const decay: number | undefined = point.decay
      expect(decay !== undefined).toBe(kind === 'ema')
      expect('tail' in point).toBe(kind === 'ema')
      study.tell(trial, 0)
    }
  })

  it('writes each decision once, however often it is asked for', () => {
    const storage = memoryStorage()
    const trial = open({ storage }).ask(space)
    const point = trial.suggest(space)
    expect(trial.suggest(space)).toEqual(point)
    expect(storage.entries.filter(({ t }) => t === 'params').length).toBe(1)
  })

  it('refuses conditions on what is unknown or comes later', () => {
    expect(() => defineSpace({ x: { type: 'float', low: 0, high: 1, when: { y: 1 } } })).toThrow('comes before it')
    expect(() =>
      defineSpace({
        k: { type: 'categorical', choices: ['a'] },
        x: { type: 'float', low: 0, high: 1, when: { k: 'b' } },
      }),
    ).toThrow('must be a choice of k')
  })
})

describe('ask and tell', () => {
  it('records NaN, infinity and a wrong number of values as failures with a reason', () => {
    const study = open()
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, [1, 2]]) study.tell(study.ask(), bad)
    study.tell(study.ask(), 3)
    expect(study.trials.map((t) => t.state)).toEqual(['failed', 'failed', 'failed', 'complete'])
    expect(study.trials[0]!.error).toBe('the objective must be finite, got NaN')
    expect(study.trials[2]!.error).toBe('the objective must return 1 values, got 2')
    expect(study.best!.number).toBe(3)
  })

  it('refuses a second tell and an unknown number', () => {
    const study = open()
    const trial = study.ask()
    study.tell(trial, 1)
    expect(() => study.tell(trial, 2)).toThrow('trial 0 is already complete')
    expect(() => study.tell(7, 2)).toThrow('there is no trial 7')
    expect(study.best!.value).toBe(1)
  })

  it('prefers the best feasible trial', () => {
    const study = open({ direction: 'maximize' })
    for (const [value, violation] of [
      [5, 1],
      [3, 0],
      [4, -1],
    ] as const) {
      const trial = study.ask()
      trial.constrain([violation])
      study.tell(trial, value)
    }
    expect(study.best!.value).toBe(4)
  })

  it('keeps front and hypervolume of several objectives', () => {
    // Maximize f1, minimize f2. As losses: (−1, 1), (−2, 2), (−1, 2): the third is dominated. With reference (0, 3):
    // after one: 1·2 = 2; after two: 2 + 1·1 = 3; the third adds nothing.
    const study = open({ direction: ['maximize', 'minimize'] })
    for (const values of [
      [1, 1],
      [2, 2],
      [1, 2],
    ])
      study.tell(study.ask(), values)
    expect(study.front.map((t) => t.number)).toEqual([0, 1])
    expect(Array.from(study.hypervolumeHistory([0, 3]))).toEqual([2, 3, 3])
    expect(study.best).toBeUndefined()
  })

  it('tries enqueued points first; what they lack is sampled; what does not fit fails that trial alone', async () => {
    const study = open()
    study.enqueue({ x: 0.25 })
    study.enqueue({ x: 9 })
    await study.optimize((trial) => trial.float('x', 0, 1) + 0 * trial.float('y', 0, 1), { trials: 3 })
    expect(study.trials[0]!.params.x).toBe(0.25)
    // What it lacked is the draw that the same study makes without the queue.
    const plain = open()
    await plain.optimize((trial) => trial.float('x', 0, 1) + 0 * trial.float('y', 0, 1), { trials: 1 })
    expect(study.trials[0]!.params.y).toBe(plain.trials[0]!.params.y)
    expect(study.trials.map((t) => t.state)).toEqual(['complete', 'failed', 'complete'])
    expect(study.trials[1]!.error).toContain('x must be inside')
  })

  it('emits an event a trial and keeps attributes and tags', () => {
    const events = collectEvents()
    const study = open({ events })
    study.addTag('night')
    study.addTag('night')
    study.setAttribute('data', { hash: 'abc' })
    const trial = study.ask()
    trial.setAttribute('fold', 3)
    study.tell(trial, 1.5)
    expect(study.tags).toEqual(['night'])
    expect(study.attributes.data).toEqual({ hash: 'abc' })
    expect(study.trials[0]!.attributes).toEqual({ fold: 3 })
    expect(events.events.map((e) => [e.type, e.data.values])).toEqual([['bayes/trial', [1.5]]])
  })
})

describe('optimize', () => {
  it('runs as many at once as asked and counts what happened', async () => {
    const study = open()
    let inFlight = 0
    let most = 0
    const result = await study.optimize(
      async (trial) => {
        most = Math.max(most, ++inFlight)
        await new Promise((resolve) => setTimeout(resolve, 0))
        inFlight--
        if (trial.number === 3) throw new Error('boom')
        return trial.float('x', 0, 1)
      },
      { trials: 12, concurrency: 4 },
    )
    expect(most).toBe(4)
    expect(result).toEqual({ complete: 11, pruned: 0, failed: 1, stopped: 'trials' })
    expect(study.trials[3]!.error).toBe('boom')
  })

  it('records a trial that leaves by itself as pruned, retries or not', async () => {
    const study = open()
    const leave = (): number => {
      throw new TrialPruned(2)
    }
    expect(await study.optimize(leave, { trials: 2, retries: 3 })).toEqual({
      complete: 0,
      pruned: 2,
      failed: 0,
      stopped: 'trials',
    })
    expect(study.best).toBeUndefined()
  })

  it('retries with the same parameters', async () => {
    const study = open()
    const seen: number[] = []
    await study.optimize(
      (trial) => {
        seen.push(trial.float('x', 0, 1))
        if (seen.length < 3) throw new Error('flaky')
        return 1
      },
      { trials: 1, retries: 2 },
    )
    expect(new Set(seen).size).toBe(1)
    expect(study.trials[0]!.state).toBe('complete')
  })

  it('fails a trial whose time is up and goes on', async () => {
    const study = open()
    const result = await study.optimize((trial) => (trial.number === 0 ? new Promise<number>(() => {}) : 1), {
      trials: 2,
      trialTimeoutMs: 5,
    })
    expect(result).toEqual({ complete: 1, pruned: 0, failed: 1, stopped: 'trials' })
    expect(study.trials[0]!.error).toBe('took longer than 5 ms')
  })

  it('stops at the time limit of an injected clock, and when aborted', async () => {
    const clock = manualClock()
    const study = open({ clock })
    const late = await study.optimize(
      () => {
        clock.advance(10)
        return 1
      },
      { timeoutMs: 35 },
    )
    expect(late).toEqual({ complete: 4, pruned: 0, failed: 0, stopped: 'timeout' })
    const stop = new AbortController()
    const aborted = await study.optimize(
      (trial) => {
        if (trial.number === 5) stop.abort(new Error('enough'))
        return 1
      },
      { signal: stop.signal },
    )
    expect(aborted.stopped).toBe('aborted')
    expect(study.trials.length).toBe(6)
    await expect(study.optimize(() => 1, {})).rejects.toThrow('nothing would end the run')
  })
})

describe('continuing', () => {
  const objective = (trial: { float(name: string, low: number, high: number): number }) =>
    trial.float('x', -1, 1) ** 2 + trial.float('y', -1, 1) ** 2

  it('goes on identically after a resume, with TPE', async () => {
    const whole = openStudy({ direction: 'minimize', seed: 5, worker: 'a' })
    await whole.optimize(objective, { trials: 40 })
    const storage = memoryStorage()
    await openStudy({ direction: 'minimize', seed: 5, worker: 'a', storage }).optimize(objective, { trials: 25 })
    const resumed = openStudy({ direction: 'minimize', seed: 5, worker: 'b', storage: memoryStorage(storage.entries) })
    await resumed.optimize(objective, { trials: 15 })
    expect(resumed.trials.map((t) => t.params)).toEqual(whole.trials.map((t) => t.params))
  })

  it('gives up trials of a silent process and enqueues them again', () => {
    const clock = manualClock()
    const storage = memoryStorage()
    const lost = open({ storage, clock }).ask()
    const x = lost.float('x', 0, 1)
    const other = open({ storage: memoryStorage(storage.entries), clock, worker: 'b' })
    clock.advance(50)
    expect(other.reap(100)).toEqual([])
    clock.advance(51)
    expect(other.reap(100, { retry: true })).toEqual([0])
    expect(other.trials[0]!.error).toBe('no sign of life for 100 ms')
    const again = other.ask()
    expect(again.float('x', 0, 1)).toBe(x)
    expect(again.attributes.retryOf).toBe(0)
  })

  it('warm-starts from another study', async () => {
    const old = open({ name: 'old' })
    await old.optimize(objective, { trials: 20 })
    const next = openStudy({ direction: 'minimize', seed: 2 })
    expect(next.warmStart(old, (trial) => trial.value < 0.5)).toBe(old.completed.filter((t) => t.value < 0.5).length)
    expect(next.best!.value).toBe(old.best!.value)
    expect(next.best!.attributes.source).toBe(`old#${old.best!.number}`)
    expect(() => openStudy({ direction: 'maximize' }).warmStart(old)).toThrow('same directions')
  })

  it('refuses a storage of another direction and one that is no study', () => {
    const storage = memoryStorage()
    open({ storage })
    expect(() => open({ direction: 'maximize', storage: memoryStorage(storage.entries) })).toThrow('has the direction')
    expect(() => open({ storage: memoryStorage([{ t: 'beat', worker: 'a', time: 0 }]) })).toThrow(
      expect.objectContaining({ code: 'FOREIGN_STUDY' }),
    )
  })
})
