import { arrayLeaf, createSnapshot, type Snapshot } from '@regimen/core'
import { averageSnapshots, type SwarmOptions, trainSwarm } from '@regimen/evolve'
import { describe, expect, it } from 'vitest'

const starts = [3, 7, 4, 6]
const open = (member: number, from: Snapshot | undefined) => {
  const state = { w: from ? Number(from.state) : starts[member]!, disposed: 0 }
  return {
    state,
    snapshot: () => createSnapshot({ id: 'example/number', version: 1, config: {}, state: state.w }),
    dispose: () => {
      state.disposed++
    },
  }
}
type Member = ReturnType<typeof open>
const base: SwarmOptions<Member> = {
  members: 4,
  rounds: 2,
  direction: 'minimize',
  open,
  train: ({ state }) => (state.w - 5) ** 2,
}
const mean: NonNullable<SwarmOptions<Member>['merge']> = (own, peers) =>
  averageSnapshots([own, ...peers].map(({ snapshot }) => snapshot))
const states = (result: { members: readonly { snapshot: Snapshot }[] }) =>
  result.members.map(({ snapshot }) => Number(snapshot.state))

describe('sharing', () => {
  it('on a ring: each with its two neighbours, from the states before', async () => {
    // 3 hears 6 and 7, 7 hears 3 and 4, 4 hears 7 and 6, 6 hears 4 and 3.
    const result = await trainSwarm({ ...base, merge: mean })
    const expected = [16 / 3, 14 / 3, 17 / 3, 13 / 3]
    states(result).forEach((w, k) => {
      expect(w).toBeCloseTo(expected[k]!, 14)
    })
    expect(Array.from(result.history[0]!)).toEqual([4, 4, 1, 1])
    // (1/3)² for the first two, (2/3)² for the others: the first of the best.
    expect(result.best.member).toBe(0)
    expect(result.best.value).toBeCloseTo(1 / 9, 14)
  })

  it('with everybody, and not after the last round', async () => {
    expect(states(await trainSwarm({ ...base, topology: 'all', merge: mean }))).toEqual([5, 5, 5, 5])
    expect(states(await trainSwarm({ ...base, rounds: 1, topology: 'all', merge: mean }))).toEqual(starts)
  })

  it('every so many rounds', async () => {
    const { history } = await trainSwarm({ ...base, rounds: 5, shareEvery: 2, topology: 'all', merge: mean })
    expect(history.map(([first]) => first)).toEqual([4, 4, 0, 0, 0])
  })

  it('with others drawn anew each time, the same ones for one seed', async () => {
    const run = async (seed: number): Promise<string> => {
      const heard: number[][] = []
      await trainSwarm({
        ...base,
        rounds: 6,
        topology: 'random',
        degree: 2,
        seed,
        merge: (own, peers) => {
          const others = peers.map(({ member }) => member)
          expect(new Set([own.member, ...others]).size).toBe(3)
          heard.push(others)
          return own.snapshot
        },
      })
      expect(heard).toHaveLength(20)
      expect(new Set(heard.map(String)).size).toBeGreaterThan(6)
      return String(heard)
    }
    expect(await run(1)).toBe(await run(1))
    expect(await run(1)).not.toBe(await run(2))
  })

  it('by distillation, in place', async () => {
    // Each moves half of the way to the best of its peers, if that one is better.
    const opened: Member[] = []
    const result = await trainSwarm({
      ...base,
      topology: 'all',
      open: (member, from) => {
        opened.push(open(member, from))
        return opened.at(-1)!
      },
      distill: (live, own, peers) => {
        const best = peers.reduce((a, b) => (b.value < a.value ? b : a))
        if (best.value < own.value) live.state.w += (Number(best.snapshot.state) - live.state.w) / 2
      },
    })
    // The best are 4 and 6; the first of them is 4.
    expect(states(result)).toEqual([3.5, 5.5, 4, 6])
    expect(opened).toHaveLength(4)
    for (const { state } of opened) expect(state.disposed).toBe(1)
  })

  it('does not listen to a peer whose round failed', async () => {
    const result = await trainSwarm({
      ...base,
      topology: 'all',
      train: ({ state }, member, round) => {
        if (member === 1 && round === 0) throw new Error('the feed broke')
        return (state.w - 5) ** 2
      },
      merge: mean,
    })
    // The others leave 7 out: (3 + 4 + 6)/3; the one that failed hears all: 20/4.
    const expected = [13 / 3, 5, 13 / 3, 13 / 3]
    states(result).forEach((w, k) => {
      expect(w).toBeCloseTo(expected[k]!, 14)
    })
    expect(result.history[0]![1]).toBeNaN()
    expect(result.best.member).toBe(1)
  })
})

describe('averageSnapshots', () => {
  const snapshot = (state: object, children = {}): Snapshot =>
    createSnapshot({ id: 'example/net', version: 1, config: { size: 2 }, state: state as never, children })

  it('weighs arrays and numbers, leaves the rest, and goes into children', () => {
    const make = (a: number, count: number, name: string) =>
      snapshot(
        {
          w: arrayLeaf('float32', [2], Float32Array.of(a, 2 * a)),
          steps: arrayLeaf('int32', [1], Int32Array.of(count)),
          list: [a, { bias: a }],
          width: 3,
          name,
        },
        { inner: snapshot({ v: a }) },
      )
    // Weights 3 and 1: 3/4·1 + 1/4·5 = 2.
    const merged = averageSnapshots([make(1, 7, 'first'), make(5, 9, 'second')], [3, 1])
    expect(merged.state).toEqual({
      w: arrayLeaf('float32', [2], Float32Array.of(2, 4)),
      steps: arrayLeaf('int32', [1], Int32Array.of(7)),
      list: [2, { bias: 2 }],
      width: 3,
      name: 'first',
    })
    expect(merged.children.inner!.state).toEqual({ v: 2 })
    expect(merged.config).toEqual({ size: 2 })
  })

  it('refuses what does not match', () => {
    const net = (w: number[]) => snapshot({ w: arrayLeaf('float64', [w.length], w) })
    expect(() => averageSnapshots([])).toThrow('there must be at least one snapshot')
    expect(() => averageSnapshots([net([1]), net([1, 2])])).toThrow(
      'state.w must have the dtype float64 and the shape [1]',
    )
    expect(() => averageSnapshots([snapshot({ a: 1 }), snapshot({ a: 'x' })])).toThrow('state.a must be a number')
    expect(() => averageSnapshots([net([1]), net([2])], [1, -1])).toThrow('weights must be 2 numbers')
    expect(() => averageSnapshots([net([1]), { ...net([2]), version: 2 }])).toThrow(
      'all must be snapshots of example/net 1',
    )
    expect(() => averageSnapshots([snapshot({ a: 1 }, { k: net([1]) }), snapshot({ a: 1 })])).toThrow('"k" is missing')
  })
})

describe('bad input', () => {
  it('is refused', async () => {
    await expect(trainSwarm(base)).rejects.toThrow('either merge or distill must say how members share, got neither')
    await expect(trainSwarm({ ...base, merge: mean, distill: () => {} })).rejects.toThrow('got both')
    await expect(trainSwarm({ ...base, merge: mean, members: 1 })).rejects.toThrow('members must be an integer from 2')
    await expect(trainSwarm({ ...base, merge: mean, degree: 4 })).rejects.toThrow(
      'degree must be an integer from 1 to 3',
    )
    await expect(trainSwarm({ ...base, merge: mean, topology: 'star' as never })).rejects.toThrow('topology must be')
    await expect(trainSwarm({ ...base, merge: mean, train: () => Number.NaN })).rejects.toThrow('every member failed')
    await expect(trainSwarm({ ...base, merge: mean, signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    )
  })
})
