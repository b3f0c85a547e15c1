import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createContext, interleave, timing, toJson, toTable } from '../../benchmarks/harness.ts'

describe('benchmark harness', () => {
  it('summarizes times by median and half the interquartile range', () => {
    // Sorted 1 2 3 4 5: median 3, quartiles 2 and 4, so the spread is (4 − 2) / 2 / 3 = 1/3.
    const result = timing([5, 1, 4, 2, 3])
    expect([result.median, result.min, result.max]).toEqual([3, 1, 5])
    expect(result.spread).toBeCloseTo(1 / 3, 12)
  })

  it('runs the contestants in turn and rotates who goes first', async () => {
    const order: string[] = []
    const { ratios, timings } = await interleave(
      { ours: () => order.push('a'), peer: async () => order.push('b') },
      { runs: 2, warmup: 1 },
    )
    expect(order.join('')).toBe('abbaab')
    expect(ratios.ours).toBe(1)
    expect(timings.peer.times).toHaveLength(2)
  })

  it('prints one JSON line with plain figures, and absent peers as absent', () => {
    const result = {
      figures: { speedup: 3.5, time: { value: 12, unit: 'ms', spread: 0.04 } },
      peers: { torch: { absent: 'no Python imports torch' }, 'ml-matrix': { time: { value: 42, unit: 'ms' } } },
    }
    expect(toJson('demo', result)).toBe(
      '{"bench":"demo","figures":{"speedup":3.5,"time":12},"peers":{"torch":"absent","ml-matrix":{"time":42}}}',
    )
    expect(toTable('demo', result)).toContain('± 4 %')
    expect(toTable('demo', result)).toMatch(/torch +absent +no Python imports torch/)
  })

  it('reads options and refuses what is no number', () => {
    const context = createContext(['--runs', '7', '--size=9', '--quick'])
    expect([context.number('runs', 1), context.number('size', 1), context.number('other', 5)]).toEqual([7, 9, 5])
    expect([context.flag('quick'), context.flag('slow')]).toEqual([true, false])
    expect(() => createContext(['--runs', 'many']).number('runs', 1)).toThrow('--runs must be a number, got many.')
  })

  it('reports a peer whose modules no interpreter imports as absent', async () => {
    const answer = await createContext([]).python('print(1)', { needs: ['a_module_that_nobody_has'] })
    expect(answer.absent).toContain('a_module_that_nobody_has')
    expect(createContext([], { REGIMEN_DATA: '/nowhere' }).data('x.csv')).toBeUndefined()
    expect(existsSync('/nowhere')).toBe(false)
  })
})
