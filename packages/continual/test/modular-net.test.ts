import { createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import '@tensorflow/tfjs-core'
import { afterEach, describe, expect, it } from 'vitest'
import { type ModularNet, type ModularNetOptions, openModularNet, type TaskData } from '../src/index.ts'
import { openRouter } from '../src/structure/router.ts'
import { contradicting } from './tasks.ts'

const opened: ModularNet[] = []
function open(options: ModularNetOptions, from?: Parameters<typeof openModularNet>[1]): ModularNet {
  const net = openModularNet(options, from)
  opened.push(net)
  return net
}
afterEach(async () => {
  for (const one of opened.splice(0)) await one.dispose()
})

const base = { hidden: [12], inputs: 2, outputs: 2, rate: 0.02, batchSize: 16, seed: 3 }
const rng = createRng('probe')
const probe = Float32Array.from({ length: 40 }, () => rng.normal())

/** The same task in another part of the plane, so that an input tells where it belongs. */
function moved(task: number, n: number, seed: number): TaskData {
  const { x, y } = contradicting(task, n, seed)
  return { x: Float32Array.from(x, (value, i) => value + (i % 2 === 0 ? 0 : 6 * (task - 1))), y }
}

describe('openModularNet', () => {
  it('takes an old module where it fits to the bar, makes one where none does, and changes none', async () => {
    const net = open(base)
    const kept: Float32Array[] = []
    const sequence = [0, 1, 0, 2, 1, 0]
    for (const [k, task] of sequence.entries()) {
      const { updates } = await net.learn(contradicting(task, 256, k), { epochs: 8 })
      // 256 samples in batches of 16, eight times; nothing where the task is known.
      expect(updates, `task ${k}`).toBe(sequence.indexOf(task) === k ? 128 : 0)
      kept.push(await net.predict(probe, k))
      for (let j = 0; j <= k; j++) expect(await net.predict(probe, j), `task ${j} after ${k}`).toEqual(kept[j])
      expect(await net.accuracy({ ...contradicting(task, 128, 50 + k), task: k }), `task ${k}`).toBeGreaterThan(0.95)
    }
    expect(net.modules()).toEqual([{ tasks: [0, 2, 5] }, { tasks: [1, 4] }, { tasks: [3] }])
    // A module holds (2 + 1)·12 + (12 + 1)·2 = 62 numbers; a place 4 + 2 + 1 of eight bytes, and its module.
    expect(net.bytes).toBe(3 * 62 * 4 + 6 * (7 * 8 + 4))
  })

  it('decides by the loss over that of the best constant answer', async () => {
    // Of a task of one class in four, a constant answer loses −¼ ln ¼ − ¾ ln ¾ = 0.562; an unlearned module about ln 2 or more.
    const { x } = contradicting(0, 64, 1)
    const rare = { x, y: Array.from({ length: 64 }, (_, i) => (i % 4 === 0 ? 1 : 0)) }
    const all = open({ ...base, rate: 1e-9, bar: 1 })
    const none = open({ ...base, bar: 0 })
    for (const net of [all, none]) {
      await net.learn(contradicting(0, 64, 0))
      await net.learn(rare)
    }
    const loss = await all.loss({ ...rare, task: 0 })
    const constant = 0.25 * Math.log(4) + 0.75 * Math.log(4 / 3)
    expect(constant).toBeCloseTo(0.5623, 4)
    expect(all.modules().length).toBe(loss <= constant ? 1 : 2)
    expect(none.modules()).toHaveLength(2)
    // Gaussian: targets 1 and 3 have variance 1, so a constant loses ½; a net of rate 0 whose outputs are not near loses more.
    const line = { ...base, outputs: 1, likelihood: 'gaussian' as const }
    const learned = open({ ...line, bar: 0.5, rate: 0.05 })
    const data = { x: [1, 0, -1, 0, 2, 0, -2, 0], y: [1, 3, 1, 3] }
    await learned.learn(data, { epochs: 150 })
    await learned.learn({ ...data, y: [1.1, 3.1, 1.1, 3.1] })
    await learned.learn({ ...data, y: [3, 1, 3, 1] })
    expect(learned.modules()).toEqual([{ tasks: [0, 1] }, { tasks: [2] }])
    // At a loss of ½ · 0.6² = 0.18 the bar of a half of ½ is met, at ½ · 0.8² = 0.32 it is not.
    await learned.learn({ ...data, y: [1.6, 3.6, 1.6, 3.6] })
    await learned.learn({ ...data, y: [1.8, 3.8, 1.8, 3.8] })
    expect(learned.modules().map(({ tasks }) => tasks)).toEqual([[0, 1, 3], [2], [4]])
  })

  it('finds the task of an input that names none', async () => {
    const net = open(base)
    for (let k = 0; k < 3; k++) await net.learn(moved(k, 256, k), { epochs: 20 })
    const test = moved(1, 128, 70)
    const routes = net.route(test.x)
    expect([...routes].filter((task) => task === 1).length).toBeGreaterThan(120)
    for (let k = 0; k < 3; k++) expect(await net.accuracy(moved(k, 128, 60 + k))).toBeGreaterThan(0.95)
    // Rows of several tasks in one call are each answered by their own.
    const mixed = Array.from(test.x)
      .slice(0, 4)
      .concat(Array.from(moved(0, 2, 9).x))
    const made = await net.predict(mixed)
    expect(made.subarray(0, 4)).toEqual(await net.predict(mixed.slice(0, 4), 1))
    expect(made.subarray(4)).toEqual(await net.predict(mixed.slice(4), 0))
    expect(await net.loss({ ...test })).toBeCloseTo(await net.loss({ ...test, task: 1 }), 1)
  })

  it('continues from a snapshot to the identical state', async () => {
    const net = open(base)
    await net.learn({ ...moved(0, 48, 0), classes: [0, 1] }, { epochs: 2 })
    const copy = open(base, decodeSnapshot(encodeSnapshot(net.snapshot())))
    for (const one of [net, copy]) await one.learn(moved(1, 48, 1), { epochs: 2 })
    expect(copy.snapshot()).toEqual(net.snapshot())
    expect(await copy.predict(probe)).toEqual(await net.predict(probe))
    const { state } = net.snapshot() as unknown as { state: { method: { modules: unknown[]; places: unknown[] } } }
    const damaged = { ...net.snapshot(), state: { ...state, method: { ...state.method, modules: [] } } }
    expect(() => open(base, damaged as never)).toThrow('0 modules, but a task names another')
  })

  it('is as before where it is aborted or given what does not fit', async () => {
    const net = open(base)
    expect(() => net.route([1, 2])).toThrow('no task was learned')
    await net.learn(contradicting(0, 48, 0))
    const before = net.snapshot()
    const stop = new AbortController()
    const onProgress = (): void => stop.abort()
    const learning = net.learn(contradicting(1, 48, 1), { epochs: 4, signal: stop.signal, onProgress })
    await expect(learning).rejects.toThrow('abort')
    await expect(net.learn({ x: [Number.NaN, 2], y: [1] })).rejects.toThrow('none of the 1 samples is finite')
    await expect(net.predict([1, 2], 1)).rejects.toThrow('one of the 1 tasks learned, got 1')
    await expect(net.predict([1, 2, 3])).rejects.toThrow('rows of 2, got 3')
    expect(net.snapshot()).toEqual(before)
    expect(() => open({ ...base, bar: 2 })).toThrow('bar must be from 0 to 1, got 2')
    expect(() => open({ ...base, embedding: 0 })).toThrow('embedding must be an integer from 1, got 0')
  })
})

describe('a router', () => {
  it('takes the place of the highest density, variance and all', () => {
    const router = openRouter({ width: 1, embedding: 4, seed: 's' })
    expect(router.size).toBe(1)
    // Deviations 1 and 10 about 0: N(0, 1) is the denser up to |x| = √(2 ln 10 / (1 − 1/100)) = 2.157 (the ridge moves it by 2 %).
    const narrow = router.placeOf([-1, 1], [0, 1])
    const wide = router.placeOf([-10, 10], [0, 1])
    expect([...router.route([0, 2, -2, 2.4, -2.4], [narrow, wide])]).toEqual([0, 0, 0, 1, 1])
  })

  it('projects wide inputs, by its seed', () => {
    const router = openRouter({ width: 50, embedding: 8, seed: 's' })
    expect([router.size, router.bytes, router.bytesPerPlace]).toEqual([8, 50 * 8 * 8, 8 * 73 + 4])
    const random = createRng('r')
    const cloud = (shift: number) => Float32Array.from({ length: 50 * 40 }, () => random.normal() + shift)
    const [a, b] = [cloud(0), cloud(2)]
    const rows = Int32Array.from({ length: 40 }, (_, i) => i)
    const places = [router.placeOf(a, rows), router.placeOf(b, rows)]
    const again = openRouter({ width: 50, embedding: 8, seed: 's' })
    expect(again.placeOf(a, rows)).toEqual(places[0])
    expect([...router.route(cloud(0), places)].filter((k) => k === 0).length).toBeGreaterThan(36)
    expect([...router.route(cloud(2), places)].filter((k) => k === 1).length).toBeGreaterThan(36)
  })
})
