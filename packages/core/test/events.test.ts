import {
  collectEvents,
  createEvent,
  filterEvents,
  hashTree,
  type RegimenEvent,
  type Tree,
  teeEvents,
} from '@regimen/core'
import { describe, expect, it } from 'vitest'

const base = { type: 'regimes/switch', time: 5, reason: 'Volatility doubled.', data: { to: 1 } }
const of = (type: string): RegimenEvent => createEvent({ ...base, type })

describe('createEvent', () => {
  it('freezes what it checked', () => {
    const event = createEvent({ ...base, inputs: { bars: hashTree([1, 2]) } })
    expect(Object.isFrozen(event)).toBe(true)
    expect(Object.isFrozen(event.inputs)).toBe(true)
    expect(event).toMatchObject(base)
    expect('inputs' in createEvent(base)).toBe(false)
  })

  it.each([
    [{ type: 'switch' }, 'type must read "package/verb", got "switch"'],
    [{ time: Number.NaN }, 'time must be epoch milliseconds, got NaN'],
    [{ reason: ' ' }, 'reason must be a sentence'],
    [{ inputs: { bars: 'abc' } }, 'inputs.bars must be a sha-256, got "abc"'],
    [{ data: { f: (() => 1) as unknown as Tree } }, 'data.f is a function'],
  ])('refuses %o', (wrong, problem) => {
    expect(() => createEvent({ ...base, ...wrong } as RegimenEvent)).toThrow(problem)
  })
})

describe('sinks', () => {
  it('collect, tee and filter in order', () => {
    const [all, regimes, promotions, late] = [collectEvents(), collectEvents(), collectEvents(), collectEvents()]
    const sink = teeEvents(
      all,
      filterEvents(regimes, 'regimes/*'),
      filterEvents(promotions, 'store/promote'),
      filterEvents(late, (event) => event.time > 5),
    )
    for (const type of ['regimes/switch', 'store/promote', 'regimes/fit', 'regimesX/fit']) sink.emit(of(type))
    expect(all.events).toHaveLength(4)
    expect(regimes.events.map(({ type }) => type)).toEqual(['regimes/switch', 'regimes/fit'])
    expect(promotions.events.map(({ type }) => type)).toEqual(['store/promote'])
    expect(late.events).toEqual([])
    all.clear()
    expect(all.events).toEqual([])
  })

  it('a sink that throws does not rob the others', () => {
    const behind = collectEvents()
    const broken = {
      emit() {
        throw new Error('disk full')
      },
    }
    expect(() => teeEvents(broken, behind).emit(of('store/promote'))).toThrow('disk full')
    expect(behind.events).toHaveLength(1)
  })
})
