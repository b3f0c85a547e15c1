import { collectEvents, createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { mlp, sgd } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { afterEach, describe, expect, it } from 'vitest'
import { type OnlineLearner, type OnlineOptions, openOnlineLearner } from '../src/index.ts'

const opened: { dispose(): Promise<void> }[] = []
function open<P>(options: OnlineOptions<P>, from?: ReturnType<OnlineLearner<P>['snapshot']>): OnlineLearner<P> {
  const learner = openOnlineLearner(options, from)
  opened.push(learner)
  return learner
}
afterEach(async () => {
  for (const learner of opened.splice(0)) await learner.dispose()
})

const base = {
  net: mlp({ sizes: [2, 12, 2] }),
  inputs: 2,
  outputs: 2,
  batchSize: 8,
  rate: 0.03,
  seed: 3,
  strategy: {
    replay: { bytes: 4000 },
    penalty: { kind: 'ewc' as const, lambda: 1, anchors: 'latest' as const, decay: 0.5 },
  },
}
const gate = { bytes: 2000, every: 5, samples: 32, tolerance: 0 }

const bar = (t: number): { x: number[]; y: number } => {
  const rng = createRng(`bar/${t}`)
  const x = [rng.normal(), rng.normal()]
  return { x, y: x[0]! + x[1]! > 0 ? 1 : 0 }
}

/** Feeds bars `from` to `until`, whose labels come `delay` bars later; ids are the bars' numbers. */
async function feed(
  learner: OnlineLearner<unknown>,
  from: number,
  until: number,
  delay = 3,
  flip = false,
): Promise<void> {
  for (let t = from; t < until; t++) {
    await learner.observe(bar(t).x)
    if (t >= delay) await learner.label(t - delay, flip ? 1 - bar(t - delay).y : bar(t - delay).y, t)
  }
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
    const run = async (gated: boolean) => {
      const events = collectEvents()
      // Without momentum, which would go on in the right direction for a while.
      const options = { ...base, strategy: {}, rule: sgd(), rate: 0.3, events }
      const learner = open(gated ? { ...options, gate } : options)
      await feed(learner, 0, 240, 0)
      const updates = learner.report().updatesRefused
      await feed(learner, 240, 320, 0, true)
      let right = 0
      for (let t = 1000; t < 1200; t++) {
        const made = await learner.predict(bar(t).x)
        if ((made[1]! > made[0]! ? 1 : 0) === bar(t).y) right++
      }
      return { accuracy: right / 200, refused: learner.report().updatesRefused - updates, events: events.events }
    }
    const [open_, gated] = [await run(false), await run(true)]
    expect(open_.refused).toBe(0)
    expect(gated.refused).toBeGreaterThan(0)
    expect(gated.accuracy).toBeGreaterThan(open_.accuracy)
    const refusal = gated.events.find((event) => event.type === 'continual/update-refused')!
    expect(refusal.reason).toContain('taken back')
    expect(refusal.time).toBeGreaterThanOrEqual(0)
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

  it('killed anywhere, continues from its last snapshot to the identical next state', {
    timeout: 600_000,
  }, async () => {
    const kills = process.env.REGIMEN_FULL === '1' ? 200 : 4
    const options = { ...base, gate, consolidateEvery: 4 }
    const whole = open(options)
    const bars = 12 * kills
    await feed(whole, 0, bars)
    const rng = createRng('kills')
    let saved = open(options).snapshot()
    let done = 0
    for (let kill = 0; kill < kills; kill++) {
      // What the next life does after its last snapshot is lost, even in the middle of an update.
      const life = open(options, decodeSnapshot(encodeSnapshot(saved)))
      const reached = kill === kills - 1 ? bars : Math.min(bars, done + rng.int(0, 24))
      await feed(life, done, reached)
      saved = life.snapshot()
      done = reached
      const lost = feed(life, done, done + rng.int(1, 12)).catch(() => undefined)
      if (rng.uniform() < 0.5) await lost
      await life.dispose()
      await lost
    }
    expect(done).toBe(bars)
    expect(saved).toEqual(whole.snapshot())
  })
})
