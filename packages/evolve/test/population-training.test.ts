import { collectEvents, createSnapshot, manualClock, type Snapshot } from '@regimen/core'
import { type MemberReport, populationTraining, trainPopulation } from '@regimen/evolve'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const space = { rate: { type: 'float', low: 1e-4, high: 1, log: true } } as const
const checkpoint = (name: number): Snapshot =>
  createSnapshot({ id: 'example/net', version: 1, config: {}, state: name })
const reports = (values: (number | undefined)[], without: number[] = []): MemberReport[] =>
  values.map((value, member) => ({
    member,
    ...(value === undefined ? {} : { value }),
    ...(value === undefined || without.includes(member) ? {} : { checkpoint: checkpoint(member) }),
  }))

describe('who copies whom', () => {
  it('the worst quarter copies from the best quarter', () => {
    const population = populationTraining({ space, direction: 'maximize', members: 8, seed: 1 })
    const moves = population.report(reports([5, 1, 7, 3, 8, 2, 6, 4]))
    expect(moves.map(({ member }) => member)).toEqual([1, 5])
    for (const { from, checkpoint: copied } of moves) {
      expect([2, 4]).toContain(from)
      expect(copied.state).toBe(from)
    }
    expect(population.best!.value).toBe(8)
  })

  it('a member without a checkpoint is never copied; the next best is', () => {
    const population = populationTraining({ space, direction: 'minimize', members: 4, seed: 1 })
    expect(population.report(reports([1, 2, 3, 4], [0]))).toMatchObject([{ member: 3, from: 1 }])
    // Nobody has one: nobody moves.
    expect(population.report(reports([1, 2, 3, 4], [0, 1, 2, 3]))).toEqual([])
  })

  it('nobody copies what is no better, and who failed copies', () => {
    const population = populationTraining({ space, direction: 'minimize', members: 4, seed: 1 })
    // Only the worst has a checkpoint.
    expect(population.report(reports([1, 2, 3, 4], [0, 1, 2]))).toEqual([])
    expect(population.report(reports([5, 5, 5, 5]))).toEqual([])
    const moves = population.report(reports([undefined, 1, undefined, 2]))
    expect(moves.map(({ member, from }) => [member, from])).toEqual([
      [0, 1],
      [2, 1],
    ])
  })

  it('whatever is reported, only better members that have a checkpoint are copied', () => {
    const value = fc.option(fc.integer({ min: -9, max: 9 }), { nil: undefined })
    fc.assert(
      fc.property(fc.array(fc.tuple(value, fc.boolean()), { minLength: 6, maxLength: 6 }), fc.nat(), (drawn, seed) => {
        const population = populationTraining({ space, direction: 'minimize', members: 6, quantile: 0.34, seed })
        const told = reports(
          drawn.map(([one]) => one),
          drawn.flatMap(([, has], member) => (has ? [] : [member])),
        )
        for (const { member, from, checkpoint: copied } of population.report(told)) {
          expect(copied).toBe(told[from]!.checkpoint)
          expect(told[from]!.value).toBeLessThan(told[member]!.value ?? Number.POSITIVE_INFINITY)
        }
      }),
      { seed: 8, numRuns: 200 },
    )
  })
})

describe('new hyperparameters', () => {
  it('lie a factor away from those that were copied', () => {
    const mixed = {
      rate: { type: 'float', low: 0.001, high: 1000 },
      depth: { type: 'int', low: 1, high: 9 },
      wide: { type: 'int', low: 0, high: 1000, step: 10 },
      side: { type: 'categorical', choices: ['long', 'short'] },
    } as const
    let checked = 0
    for (let seed = 0; seed < 40; seed++) {
      const population = populationTraining({
        space: mixed,
        direction: 'minimize',
        members: 4,
        resample: 0,
        factor: 1.05,
        seed,
      })
      const before = population.members.map(({ params }) => params)
      const [move] = population.report(reports([1, 2, 3, 4]))
      const [old, now] = [before[move!.from]!, move!.params]
      const free = old.rate < 900 && old.rate > 0.002
      if (free) expect([1.05, 1 / 1.05].some((factor) => Math.abs(now.rate / old.rate / factor - 1) < 1e-9)).toBe(true)
      // 5 % of at most 9 is less than one: a whole number moves by one all the same, within its bounds.
      if (old.depth > 1 && old.depth < 9) expect(Math.abs(now.depth - old.depth)).toBe(1)
      expect(now.depth).toBeGreaterThanOrEqual(1)
      expect(now.depth).toBeLessThanOrEqual(9)
      expect(now.wide % 10).toBe(0)
      expect(now.side).toBe(old.side)
      if (free) checked++
    }
    expect(checked).toBeGreaterThan(30)
  })

  it('are drawn anew where that was asked', () => {
    const population = populationTraining({
      space,
      direction: 'minimize',
      members: 2,
      quantile: 0.5,
      resample: 1,
      seed: 2,
    })
    const seen = new Set<number>()
    for (let round = 0; round < 30; round++) seen.add(population.report(reports([1, 2]))[0]!.params.rate)
    const all = [...seen]
    expect(all).toHaveLength(30)
    // Uniform on the logarithm: about half lie below 1e-2.
    expect(all.filter((rate) => rate < 1e-2).length).toBeGreaterThan(8)
    expect(all.filter((rate) => rate > 1e-2).length).toBeGreaterThan(8)
  })
})

describe('lineage', () => {
  it('tells every life that led to a member', () => {
    const population = populationTraining({ space, direction: 'minimize', members: 2, quantile: 0.5, seed: 3 })
    population.report(reports([1, 2])) // 1 copies 0: life 2
    population.report(reports([4, 3])) // 0 copies 1: life 3
    population.report(reports([2, 9])) // 1 copies 0: life 4
    expect(population.lineage(1).map(({ id, member, round, parent }) => [id, member, round, parent])).toEqual([
      [0, 0, 0, undefined],
      [2, 1, 1, 0],
      [3, 0, 2, 2],
      [4, 1, 3, 3],
    ])
    expect(population.lives).toHaveLength(5)
    expect(() => population.lineage(2)).toThrow('member must be an integer from 0 to 1')
  })
})

describe('snapshots', () => {
  it('continue identically, children and all', () => {
    const rounds = [
      [3, 1, 2, 4],
      [1, 2, 3, 4],
      [9, 7, 8, 6],
    ]
    const whole = populationTraining({ space, direction: 'minimize', members: 4, seed: 5 })
    whole.report(reports(rounds[0]!))
    const resumed = populationTraining<typeof space>(whole.snapshot())
    expect(resumed.members).toEqual(whole.members)
    for (const values of rounds.slice(1)) expect(resumed.report(reports(values))).toEqual(whole.report(reports(values)))
    expect(resumed.snapshot()).toEqual(whole.snapshot())
  })

  it('are refused where a life does not fit', () => {
    const saved = populationTraining({ space, direction: 'minimize', members: 2, seed: 5 }).snapshot()
    const state = saved.state as { lives: { id: number }[]; members: never[] }
    const open = (changed: object) => () =>
      populationTraining({ ...saved, state: { ...state, ...changed } } as Snapshot)
    expect(open({ members: [] })).toThrow('state.members must be 2 members')
    expect(open({ lives: [{ ...state.lives[0], id: 7 }, state.lives[1]] })).toThrow('state.lives[0]')
    expect(open({ lives: [{ ...state.lives[0], params: { rate: 5 } }, state.lives[1]] })).toThrow('rate')
    expect(open({ rng: 3 })).toThrow('state.rng')
  })
})

describe('bad input', () => {
  it('is refused, and changes nothing', () => {
    const open = (options: object) => () => populationTraining({ space, direction: 'minimize', ...options })
    expect(open({ members: 1 })).toThrow('members must be an integer from 2')
    expect(open({ quantile: 0.6 })).toThrow('quantile must be a number from')
    expect(open({ factor: 1 })).toThrow('factor must be above 1, got 1')
    expect(open({ direction: 'up' })).toThrow("direction must be 'minimize' or 'maximize'")
    expect(open({ space: {} })).toThrow('at least one dimension')
    const population = populationTraining({ space, direction: 'minimize', members: 2 })
    const before = population.snapshot()
    expect(() => population.report(reports([1]))).toThrow('every one of 2 members must report, got 1')
    expect(() => population.report(reports([1, Number.NaN]))).toThrow('the value of member 1 must be a finite number')
    expect(() => population.report([{ member: 0 }, { member: 0 }])).toThrow('got 0 twice')
    expect(() => population.report([{ member: 0 }, { member: 2 }])).toThrow(
      'every member from 0 to 1 reports once, got 2',
    )
    expect(population.snapshot()).toEqual(before)
  })
})

// A net of one weight that descends (w − 3)² at a rate; its whole state is the weight.
const net = (from: Snapshot | undefined) => {
  const state = { w: from ? Number(from.state) : 0, disposed: 0 }
  return {
    state,
    snapshot: () => createSnapshot({ id: 'example/net', version: 1, config: {}, state: state.w }),
    dispose: () => {
      state.disposed++
    },
  }
}
type Net = ReturnType<typeof net>
const learn = ({ state }: Net, { rate }: { rate: number }): number => {
  for (let step = 0; step < 3; step++) state.w -= rate * 2 * (state.w - 3)
  return (state.w - 3) ** 2
}

describe('trainPopulation', () => {
  const common = { space, direction: 'minimize', members: 6, seed: 4 } as const

  it('finds a schedule that no fixed rate of the first draw has', async () => {
    const first = populationTraining(common).members.map(({ params }) => params)
    const events = collectEvents()
    const {
      value,
      checkpoint: state,
      lineage,
      history,
      lives,
    } = await trainPopulation({
      ...common,
      rounds: 15,
      open: (_, from) => net(from),
      train: learn,
      events,
      clock: manualClock(0),
    })
    const alone = first.map((params) => {
      const one = net(undefined)
      for (let round = 0; round < 15; round++) learn(one, params)
      return (one.state.w - 3) ** 2
    })
    expect(value).toBeLessThanOrEqual(Math.min(...alone))
    expect((Number(state!.state) - 3) ** 2).toBe(value)
    expect(history).toHaveLength(15)
    expect(lineage.at(-1)!.params).toBeDefined()
    expect(lives.length).toBe(6 + events.events.length)
    expect(events.events[0]).toMatchObject({ type: 'evolve/exploit', reason: expect.stringContaining('copies member') })
  })

  it('does not depend on who finishes first', async () => {
    const run = (delay: (member: number) => number) =>
      trainPopulation({
        ...common,
        rounds: 6,
        open: (_, from) => net(from),
        train: async (live, params, round) => {
          for (let turn = delay(Math.round(live.state.w * 1e6) + round) % 7; turn > 0; turn--) await Promise.resolve()
          return learn(live, params)
        },
      })
    expect(await run((k) => k)).toEqual(await run((k) => 3 * k + 5))
  })

  it('resumes as if it had never stopped', async () => {
    const run = (rounds: number, resume?: Snapshot) =>
      trainPopulation({ ...common, rounds, open: (_, from) => net(from), train: learn, ...(resume ? { resume } : {}) })
    const whole = await run(9)
    const part = await run(4)
    const rest = await run(9, part.snapshot)
    expect(rest.snapshot).toEqual(whole.snapshot)
    expect(rest.lineage).toEqual(whole.lineage)
    expect([...part.history, ...rest.history]).toEqual(whole.history)
  })

  it('counts what failed, lets it copy, and disposes of everybody', async () => {
    const opened: Net[] = []
    const { failed, history, value } = await trainPopulation({
      ...common,
      rounds: 5,
      open: (_, from) => {
        opened.push(net(from))
        return opened.at(-1)!
      },
      train: (live, params, round) => {
        if (live === opened[0] && round === 0) throw new Error('the feed broke')
        if (live === opened[1] && round === 0) return Number.NaN
        return learn(live, params)
      },
    })
    expect(failed).toBe(2)
    expect(Array.from(history[0]!.subarray(0, 2))).toEqual([Number.NaN, Number.NaN])
    expect(Number.isFinite(value)).toBe(true)
    expect(opened.length).toBeGreaterThan(7)
    for (const { state } of opened) expect(state.disposed).toBe(1)
  })

  it('is an error when nobody finishes, and stops for a signal', async () => {
    const options = { ...common, rounds: 2, open: (_: object, from: Snapshot | undefined) => net(from) }
    await expect(trainPopulation({ ...options, train: () => Number.NaN })).rejects.toThrow(
      'no member finished its last round',
    )
    await expect(trainPopulation({ ...options, rounds: 0, train: learn })).rejects.toThrow('rounds must be an integer')
    await expect(
      trainPopulation({ ...options, train: learn, signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough')
  })
})
