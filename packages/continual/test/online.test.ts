import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ArrayLeaf, collectEvents, createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { adam, sgd, type UpdateRule } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { afterEach, describe, expect, it } from 'vitest'
import { type OnlineLearner, type OnlineOptions, openOnlineLearner } from '../src/index.ts'
import { live } from './killed.ts'
import { bar, base, feed, gate, killed } from './stream.ts'

const opened: { dispose(): Promise<void> }[] = []
function open<P>(options: OnlineOptions<P>, from?: ReturnType<OnlineLearner<P>['snapshot']>): OnlineLearner<P> {
  const learner = openOnlineLearner(options, from)
  opened.push(learner)
  return learner
}
afterEach(async () => {
  for (const learner of opened.splice(0)) await learner.dispose()
})

async function accuracy(learner: OnlineLearner<unknown>): Promise<number> {
  let right = 0
  for (let t = 1000; t < 1200; t++) {
    const made = await learner.predict(bar(t).x)
    if ((made[1]! > made[0]! ? 1 : 0) === bar(t).y) right++
  }
  return right / 200
}

describe('openOnlineLearner', () => {
  it('tests before it trains, with labels that come late', async () => {
    const learner = open(base)
    const { id, outputs } = await learner.observe([1, 1])
    const likely = outputs[1]! > outputs[0]! ? 1 : 0
    expect(await learner.label(id, likely, 0)).toBe(true)
    expect(learner.report()).toMatchObject({ observed: 1, labelled: 1, accuracy: 1, updates: 0 })
    // −log softmax of the outputs from before.
    const gap = outputs[1 - likely]! - outputs[likely]!
    expect(learner.report().loss).toBeCloseTo(Math.log(1 + Math.exp(gap)), 5)
    expect(await learner.label(id, likely, 0)).toBe(false)
    const fresh = open(base)
    await feed(fresh, 0, 320, 7)
    const report = fresh.report()
    // 313 labels in batches of 8.
    expect(report).toMatchObject({ observed: 320, labelled: 313, pending: 7, updates: 39, updatesRefused: 0 })
    expect(report.accuracy).toBeGreaterThan(0.85)
  })

  it('refuses updates on wrong labels that would worsen what it is held to, with an event', async () => {
    const run = async (gated: boolean, rule: UpdateRule, rate: number) => {
      const events = collectEvents()
      const options = { ...base, strategy: {}, rule, rate, events }
      const learner = open(gated ? { ...options, gate } : options)
      await feed(learner, 0, 240, 0)
      const updates = learner.report().updatesRefused
      await feed(learner, 240, 320, 0, true)
      const refused = learner.report().updatesRefused - updates
      return { accuracy: await accuracy(learner), refused, events: events.events }
    }
    // Adam's momentum goes on in the right direction for a while, so its first wrong updates do no harm.
    for (const [rule, rate] of [
      [sgd(), 0.3],
      [adam(), 0.1],
    ] as const) {
      const [open_, gated] = [await run(false, rule, rate), await run(true, rule, rate)]
      expect(open_.refused).toBe(0)
      expect(gated.refused).toBeGreaterThan(0)
      expect(gated.accuracy).toBeGreaterThan(open_.accuracy)
      const refusal = gated.events.find((event) => event.type === 'continual/update-refused')!
      expect(refusal.reason).toContain('taken back')
      expect(refusal.time).toBeGreaterThanOrEqual(0)
    }
  })

  it('learns through labels of which every fourth is wrong', async () => {
    const learner = open({ ...base, gate: { ...gate, tolerance: 0.05 } })
    const rng = createRng('noise')
    for (let t = 0; t < 400; t++) {
      await learner.observe(bar(t).x)
      await learner.label(t, rng.uniform() < 0.25 ? 1 - bar(t).y : bar(t).y, t)
    }
    expect(await accuracy(learner)).toBeGreaterThan(0.9)
  })

  it('remembers rare regimes as well as frequent ones, by the group of an observation', async () => {
    // 24 bytes a sample: room for twenty.
    const replay = { bytes: 480, buffer: 'balanced' as const }
    const learner = open({ ...base, strategy: { replay } })
    for (let t = 0; t < 160; t++) {
      await learner.observe(bar(t).x, t % 16 === 0 ? 7 : 1)
      await learner.label(t, bar(t).y, t)
    }
    const { group } = learner.snapshot().children.trainer!.children.replay!.state as { readonly group: ArrayLeaf }
    const groups = Array.from(group.data as Int32Array)
    expect(groups.filter((one) => one === 7).length).toBe(10)
    expect(groups.length).toBe(20)
    await expect(learner.observe(bar(0).x, -1)).rejects.toThrow('group must be a whole number')
    const { bytes, updates, samples } = learner.cost
    // 20 updates of 8; after the first, 8 remembered ones beside each.
    expect({ bytes, updates, samples }).toEqual({ bytes: learner.bytes, updates: 20, samples: 20 * 8 + 19 * 8 })
  })

  it('sets aside what is not finite, expires what never comes, refuses what does not fit', async () => {
    const learner = open({ ...base, expireAfter: 5 })
    const clean = open({ ...base, expireAfter: 5 })
    await learner.observe([Number.NaN, 1])
    const { id } = await learner.observe([1, 1])
    expect(await learner.label(0, 1, 0)).toBe(false)
    expect(await learner.label(id, Number.NaN, 0)).toBe(false)
    expect(learner.report()).toMatchObject({ refused: 2, labelled: 0, pending: 0 })
    for (let t = 0; t < 8; t++) await learner.observe([t, 1])
    // Eight wait, of which those older than five observations are given up.
    expect(learner.report()).toMatchObject({ pending: 5, expired: 3 })
    expect(await learner.label(2, 1, 0)).toBe(false)
    expect(learner.params()).toEqual(clean.params())
    const before = learner.snapshot()
    await expect(learner.observe([1])).rejects.toThrow('must hold 2 numbers')
    await expect(learner.label(99, 1, 0)).rejects.toThrow('one that observe returned')
    await expect(learner.label(9, 2, 0)).rejects.toThrow('class from 0 to 1, got 2')
    expect(learner.snapshot()).toEqual(before)
    expect(() => open({ ...base, gate: { bytes: 3 } })).toThrow('too small for one sample')
  })

  it('resumes from any snapshot to the identical next state', async () => {
    const whole = open(killed)
    let life = open(killed)
    for (const [from, until] of [
      [0, 5],
      [5, 29],
      [29, 60],
    ] as const) {
      await feed(life, from, until)
      life = open(killed, decodeSnapshot(encodeSnapshot(life.snapshot())))
    }
    await feed(whole, 0, 60)
    expect(life.snapshot()).toEqual(whole.snapshot())
  })

  it('killed by the system anywhere, ends where a life without a death ends', { timeout: 3_600_000 }, async () => {
    const kills = process.env.REGIMEN_FULL === '1' ? 200 : 1
    const bars = 24 + 4 * kills
    const folder = mkdtempSync(join(tmpdir(), 'regimen-kill-'))
    const file = join(folder, 'learner.snapshot')
    const rng = createRng('kills')
    const life = { child: 'stream-child', args: [file, String(bars)] }
    try {
      let died = 0
      for (let kill = 0; kill < kills; kill++) {
        const wait = rng.uniform(0, 8)
        if ((await live({ ...life, kill: { after: rng.int(1, 12), wait } })) === 'SIGKILL') died++
      }
      // A life may reach the end before it is killed.
      expect(died).toBeGreaterThan(kills / 2)
      expect(await live(life)).toBe(null)
      const whole = open(killed)
      await feed(whole, 0, bars)
      expect(decodeSnapshot(readFileSync(file))).toEqual(decodeSnapshot(encodeSnapshot(whole.snapshot())))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
