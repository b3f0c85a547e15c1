import { collectEvents, createRng, createSnapshot, decodeSnapshot, encodeSnapshot, type Snapshot } from '@regimen/core'
import { testCausal, testSnapshot } from '@regimen/testing'
import { describe, expect, it } from 'vitest'
import { openSkills, type SkillLibrary, type SkillSamples, type SkillsOptions } from '../src/index.ts'

/** A model that says the same of everything; its loss is the distance from the label. */
const constant = (value: number): Snapshot =>
  createSnapshot({ id: 'test/constant', version: 1, config: {}, state: { value } })

let measured = 0
const base: SkillsOptions = {
  inputs: 1,
  features: 2,
  async losses(model, { y }) {
    measured++
    const { value } = model.state as { value: number }
    return Float64Array.from(y, (label) => Math.abs(label - value))
  },
}

/** Labels around a level. */
function around(level: number, n: number, seed: number | string): SkillSamples {
  const rng = createRng(seed)
  return { x: new Float64Array(n), y: Float64Array.from({ length: n }, () => level + rng.normal(0, 0.1)) }
}

const skill = (name: string, level: number, descriptor = [level, 0], n = 40) => ({
  name,
  model: constant(level),
  descriptor,
  samples: around(level, n, name),
  time: 0,
})

async function filled(levels: readonly number[], options: Partial<SkillsOptions> = {}): Promise<SkillLibrary> {
  const library = openSkills({ ...base, ...options })
  for (const [i, level] of levels.entries()) await library.add({ ...skill(`level ${level}`, level), time: i })
  return library
}

describe('retrieval', () => {
  it('finds the model with the least loss, among all or among the nearest by descriptor', async () => {
    const library = await filled([0, 1, 5])
    // Distances from 0.9: 0.9, 0.1, 4.1.
    const all = await library.retrieve({ x: [0, 0], y: [0.9, 0.9] }, { count: 3 })
    expect(all.map(({ skill: { name } }) => name)).toEqual(['level 1', 'level 0', 'level 5'])
    for (const [i, loss] of [0.1, 0.9, 4.1].entries()) expect(all[i]!.loss).toBeCloseTo(loss, 6)
    expect(all[0]!.distance).toBeUndefined()
    // The descriptor is wrong: with a short list the true one is not measured, with a long one it wins by its loss.
    measured = 0
    const descriptor = [5, 0]
    const [near] = await library.retrieve({ x: [0], y: [0.9] }, { descriptor, shortlist: 1 })
    expect([near!.skill.name, near!.distance, measured]).toEqual(['level 5', 0, 1])
    const [right] = await library.retrieve({ x: [0], y: [0.9] }, { descriptor, shortlist: 2 })
    expect(right!.skill.name).toBe('level 1')
    // Root of the mean of (5 − 1)² and 0².
    expect(right!.distance).toBeCloseTo(Math.sqrt(8), 12)
    expect(library.nearest([0.6, 0], 2).map(({ skill: { name } }) => name)).toEqual(['level 1', 'level 0'])
  })

  it('answers nothing from nothing, and leaves out what decayed where that is wanted', async () => {
    expect(await openSkills(base).retrieve({ x: [0], y: [0] })).toEqual([])
    const library = await filled([0, 1])
    library.hold('level 1', around(3, 60, 'drift'))
    expect((await library.validate(9)).find(({ name }) => name === 'level 1')!.alarm).toBe(true)
    const samples = { x: [0], y: [1] }
    expect((await library.retrieve(samples))[0]!.skill.name).toBe('level 1')
    expect((await library.retrieve(samples, { healthy: true }))[0]!.skill.name).toBe('level 0')
  })
})

describe('validation', () => {
  it('judges every held-back sample once, and stays calm while nothing changes', async () => {
    const events = collectEvents()
    const library = await filled([0, 1, 2, 3], { events, falseAlarms: 0.01 })
    for (let t = 0; t < 40; t++) {
      for (const level of [0, 1, 2, 3]) library.hold(`level ${level}`, around(level, 5, `hold ${t} ${level}`))
      const verdicts = await library.validate(t)
      expect(verdicts.map(({ samples }) => samples)).toEqual([5, 5, 5, 5])
      expect(await library.validate(t)).toEqual([])
    }
    expect(library.skills.map(({ judged }) => judged)).toEqual([200, 200, 200, 200])
    expect(events.events.every(({ type }) => type === 'continual/skill-added')).toBe(true)
  })

  it('raises an alarm on decay, once, and begins anew with a better model', async () => {
    const events = collectEvents()
    const library = await filled([0, 1], { events })
    let alarms = 0
    let samples = 0
    for (let t = 10; t < 30; t++) {
      library.hold('level 0', around(0, 4, `calm ${t}`))
      library.hold('level 1', around(1.3, 4, `moved ${t}`))
      for (const verdict of await library.validate(t)) {
        if (verdict.name === 'level 1') samples += verdict.samples
        if (verdict.alarm) {
          alarms++
          expect(verdict.name).toBe('level 1')
          expect(verdict.evidence).toBeGreaterThanOrEqual(100)
        }
      }
    }
    expect(alarms).toBe(1)
    expect(samples).toBeLessThan(40)
    const decayed = library.get('level 1')!
    const alarm = events.events.find(({ type }) => type === 'continual/skill-decayed')!
    expect(alarm.time).toBe(decayed.decayed)
    expect(alarm.reason).toContain('losses have grown')
    expect(alarm.inputs!.model).toMatch(/^[0-9a-f]{64}$/)
    // A model that is worse on what is held back is refused, the right one taken.
    expect((await library.replace('level 1', constant(2), 40)).accepted).toBe(false)
    expect(library.get('level 1')!.model).toEqual(constant(1))
    const { accepted, before, after } = await library.replace('level 1', constant(1.3), 41)
    expect(accepted).toBe(true)
    expect(after).toBeLessThan(before)
    expect(library.get('level 1')).toMatchObject({ decayed: null, evidence: 1, loss: after })
    library.hold('level 1', around(1.3, 30, 'on'))
    expect((await library.validate(42))[0]!.samples).toBe(30)
    expect(library.get('level 1')!.decayed).toBe(null)
  })

  it('takes a loss that is not finite for the worst', async () => {
    const library = await filled([1], {
      losses: async (model, { x, y }) =>
        Float64Array.from(y, (label, i) =>
          x[i]! > 0 ? Number.NaN : Math.abs(label - (model.state as { value: number }).value),
        ),
    })
    library.hold('level 1', { x: new Float64Array(30).fill(1), y: new Float64Array(30) })
    expect((await library.validate(1))[0]!.alarm).toBe(true)
  })

  it('keeps the latest samples where too many are held back', async () => {
    const library = await filled([0], { held: 50 })
    library.hold('level 0', around(9, 30, 'early'))
    library.hold('level 0', around(0, 50, 'late'))
    const [verdict] = await library.validate(1)
    expect(verdict).toMatchObject({ samples: 50, alarm: false })
    expect(verdict!.loss).toBeLessThan(0.2)
  })
})

describe('held-back samples', () => {
  it('keep inputs beside their labels: through the limit, what is set aside, and a merge', async () => {
    // Two inputs (l, −l) to a label l: any slip between them costs.
    const pairs = (from: number, n: number) => {
      const y = Float64Array.from({ length: n }, (_, i) => from + i)
      return { x: Array.from(y).flatMap((label) => [label, -label]), y }
    }
    const calls: SkillSamples[] = []
    const library = openSkills({
      ...base,
      inputs: 2,
      held: 10,
      capacity: 2,
      async losses(_, samples) {
        calls.push(samples)
        return Float64Array.from(samples.y, (label, i) => {
          expect([samples.x[2 * i], samples.x[2 * i + 1]]).toEqual([label, -label])
          return 1
        })
      },
    })
    for (const [name, from] of [
      ['a', 0],
      ['b', 100],
    ] as const)
      await library.add({ name, model: constant(0), descriptor: [from, 0], samples: pairs(from, 12), time: 0 })
    expect(Array.from(calls[0]!.y)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    library.hold('a', { x: [50, -50, Number.NaN, 1, 51, -51], y: [50, 1, 51] })
    await library.validate(1)
    expect(Array.from(calls.at(-1)!.y)).toEqual([50, 51])
    // Half the room each, the latest of both.
    await library.add({ name: 'c', model: constant(0), descriptor: [1, 0], samples: pairs(200, 12), time: 2 })
    expect(Array.from(calls.at(-1)!.y)).toEqual([9, 10, 11, 50, 51, 207, 208, 209, 210, 211])
  })
})

describe('a full library', () => {
  it('merges the two nearest into the one that answers both better', async () => {
    const events = collectEvents()
    // 1 and 1.2 are nearest. On the samples of both (40 and 20 of them) the first is better: it has more.
    const library = openSkills({ ...base, capacity: 3, events })
    await library.add(skill('far', 5))
    await library.add(skill('one', 1, [1, 0], 40))
    await library.add(skill('other', 9))
    const { skill: stands, removed } = await library.add(skill('like one', 1.2, [1.3, 0.6], 20))
    expect(removed).toEqual({ name: 'like one', into: 'one' })
    expect(stands.name).toBe('one')
    expect(library.skills.map(({ name }) => name)).toEqual(['far', 'one', 'other'])
    // Means weighted by 40 and 20 samples.
    expect(Array.from(stands.descriptor, (value) => Number(value.toFixed(12)))).toEqual([1.1, 0.2])
    expect(stands.absorbed).toEqual(['like one'])
    expect(library.get('like one')).toBe(library.get('one'))
    expect(events.events.map(({ type }) => type.split('/')[1])).toEqual([
      'skill-added',
      'skill-added',
      'skill-added',
      'skill-added',
      'skill-merged',
    ])
    expect(events.events.at(-1)!.data).toMatchObject({ skill: 'like one', into: 'one' })
    // Its samples now hold for both: the next ones from either are no surprise.
    library.hold('one', {
      x: new Float64Array(30),
      y: [...(around(1, 20, 'a').y as Float64Array), ...(around(1.2, 10, 'b').y as Float64Array)],
    })
    expect((await library.validate(1))[0]!.alarm).toBe(false)
  })

  it('drives the one out that decayed first', async () => {
    const library = await filled([0, 1, 2], { capacity: 3 })
    for (const [level, time] of [
      [2, 10],
      [0, 11],
    ] as const) {
      library.hold(`level ${level}`, around(level + 3, 60, level))
      await library.validate(time)
    }
    const { removed } = await library.add({ ...skill('new', 1.01), time: 12 })
    expect(removed).toEqual({ name: 'level 2', into: null })
    expect(library.skills.map(({ name }) => name)).toEqual(['level 0', 'level 1', 'new'])
    library.remove('new', 13)
    expect(library.get('new')).toBeUndefined()
  })

  it('never holds more than its capacity, nor more samples than it may', async () => {
    const rng = createRng('many')
    const library = openSkills({ ...base, capacity: 4, held: 16 })
    for (let i = 0; i < 30; i++) {
      await library.add({ ...skill(`s${i}`, rng.normal()), time: i })
      expect(library.skills.length).toBeLessThanOrEqual(4)
    }
    const { skills } = library.snapshot().state as { skills: readonly { y: { shape: readonly number[] } }[] }
    for (const { y } of skills) expect(y.shape[0]).toBeLessThanOrEqual(16)
    const names = library.skills.flatMap(({ name, absorbed }) => [name, ...absorbed])
    expect(new Set(names).size).toBe(30)
  })
})

describe('what does not fit', () => {
  it('is refused, without a change', async () => {
    const library = await filled([0, 1])
    library.hold('level 0', around(0, 4, 'some'))
    const before = library.snapshot()
    const given = skill('new', 2)
    for (const name of ['level 0', ''])
      await expect(library.add({ ...given, name })).rejects.toThrow(`name must be a new one, got "${name}"`)
    await expect(library.add({ ...given, descriptor: [1] })).rejects.toThrow('descriptor must hold 2 finite numbers')
    await expect(library.add({ ...given, descriptor: [1, Number.NaN] })).rejects.toThrow('2 finite numbers')
    await expect(library.add({ ...given, time: Number.NaN })).rejects.toThrow('time must be epoch milliseconds')
    await expect(library.add({ ...given, metrics: { a: Number.NaN } })).rejects.toThrow('metrics.a must be a finite')
    await expect(library.add({ ...given, samples: { x: [0], y: [0, 1] } })).rejects.toThrow('y must hold 1 numbers')
    await expect(library.add({ ...given, samples: { x: [0, Number.NaN], y: [0, 0] } })).rejects.toThrow('got 1')
    await expect(library.add({ ...given, model: constant(Number.POSITIVE_INFINITY) })).rejects.toThrow('not finite')
    await expect(library.replace('none', constant(1), 0)).rejects.toThrow('there is no skill "none"')
    await expect(library.retrieve({ x: [Number.NaN], y: [0] })).rejects.toThrow('none of the samples is finite')
    await expect(library.retrieve({ x: [0], y: [0] }, { count: 0 })).rejects.toThrow('count must be')
    await expect(library.validate(Number.NaN)).rejects.toThrow('time must be')
    expect(() => library.hold('none', around(0, 1, 0))).toThrow('there is no skill')
    expect(() => library.nearest([0])).toThrow('2 finite numbers')
    expect(library.hold('level 0', { x: [Number.NaN], y: [0] })).toBe(1)
    expect(library.snapshot()).toEqual(before)
    for (const [options, message] of [
      [{ capacity: 0 }, 'capacity must be an integer from 1, got 0'],
      [{ held: 1 }, 'held must be an integer from 2'],
      [{ falseAlarms: 1 }, 'falseAlarms must lie between 0 and 1'],
      [{ links: -1 }, 'links must be an integer from 0'],
    ] as const)
      expect(() => openSkills({ ...base, ...options })).toThrow(message)
    expect(() => openSkills({ ...base, capacity: 9 }, before)).toThrow('other options')
  })

  it('is refused when losses fail, and two changes never cross', async () => {
    let fails = true
    const library = openSkills({
      ...base,
      async losses(model, samples) {
        if (fails) throw new Error('out of memory')
        return base.losses(model, samples)
      },
    })
    await expect(library.add(skill('a', 0))).rejects.toThrow('out of memory')
    expect(library.skills).toEqual([])
    fails = false
    const first = library.add(skill('a', 0))
    expect(() => library.hold('a', around(0, 1, 0))).toThrow('Await one change')
    await expect(library.add(skill('b', 1))).rejects.toThrow('Await one change before the next')
    await first
    library.hold('a', around(0, 3, 0))
    const before = library.snapshot()
    fails = true
    await expect(library.validate(1)).rejects.toThrow('out of memory')
    expect(library.snapshot()).toEqual(before)
    const short = openSkills({ ...base, losses: async () => [0] })
    await expect(short.add(skill('a', 0))).rejects.toThrow('losses must give 40 numbers')
  })
})

/** A life of a library by steps: regimes come back, drift, and are retrieved by their first samples. */
async function live(library: SkillLibrary, t: number): Promise<unknown> {
  const level = (t * 7) % 5
  const samples = around(level + (t > 12 && level === 2 ? 4 : 0), 12, `life ${t}`)
  const found = await library.retrieve(
    { x: samples.x, y: Array.from(samples.y).slice(0, 12) },
    { count: 2, ...(t % 2 ? { descriptor: [level, t % 3], shortlist: 3 } : {}) },
  )
  const known = library.get(`level ${level}`)
  if (!known) await library.add({ ...skill(`level ${level}`, level, [level, t % 3], 12), time: t })
  else {
    library.hold(known.name, samples)
    if (t % 3 === 0) await library.validate(t)
    if (known.decayed !== null) await library.replace(known.name, constant(level + 4), t)
  }
  return {
    found: found.map(({ skill: { name }, loss, distance }) => [name, loss ?? null, distance ?? null]),
    skills: library.skills.map(({ name, evidence, decayed, judged }) => [name, evidence, decayed, judged]),
  }
}

testCausal('openSkills', {
  series: Array.from({ length: 30 }, (_, t) => t),
  async run(prefix) {
    const library = openSkills({ ...base, capacity: 4 })
    const outputs: unknown[] = []
    for (const t of prefix) outputs.push(await live(library, t))
    return outputs
  },
})

testSnapshot('openSkills', {
  id: 'continual/skills',
  open: (from) => openSkills({ ...base, capacity: 4 }, from),
  step: live,
  snapshot: (library) => library.snapshot(),
  steps: 24,
})

it('keeps its models in a snapshot, and needs them', async () => {
  const library = await filled([0, 1])
  const saved = decodeSnapshot(encodeSnapshot(library.snapshot()))
  expect(openSkills(base, saved).get('level 1')!.model.state).toEqual({ value: 1 })
  const { 'skill-1': _, ...children } = saved.children
  expect(() => openSkills(base, { ...saved, children })).toThrow('no model of the skill level 1')
})
