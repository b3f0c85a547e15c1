import { type ArrayLeaf, collectEvents, createRng, decodeSnapshot, encodeSnapshot, manualClock } from '@regimen/core'
import { mlp } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { afterEach, describe, expect, it } from 'vitest'
import { flatNet } from '../src/flat.ts'
import { type GrowingTrainerOptions, openGrowingTrainer } from '../src/index.ts'
import { growSnapshot } from '../src/structure/grow-snapshot.ts'
import { openTrainer } from '../src/trainer.ts'
import { contradicting } from './tasks.ts'

const opened: { dispose(): Promise<void> }[] = []
function open(options: GrowingTrainerOptions, from?: Parameters<typeof openGrowingTrainer>[1]) {
  const trainer = openGrowingTrainer(options, from)
  opened.push(trainer)
  return trainer
}
afterEach(async () => {
  for (const one of opened.splice(0)) await one.dispose()
})

const base = { inputs: 2, hidden: [3, 2], outputs: 2, rate: 0.02, batchSize: 16, seed: 2, clock: manualClock(7) }
// Rate 1e-9: the loss stays where it is, so every measurement after the first is one that has not fallen.
const still = { ...base, rate: 1e-9 }
const probe = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i * 1.7))

describe('openGrowingTrainer', () => {
  it('grows after so many losses that did not fall, the narrowest layer first, and says why', async () => {
    const events = collectEvents()
    const trainer = open({ ...still, events, grow: { maximum: 4, patience: 2, by: 2 } })
    const before = await trainer.predict(probe)
    // Losses of nine epochs, the last of which decides nothing. The first is the best, the next two grow layer 1 (2 < 3) to 4; then
    // again one and two, and layer 0 grows by what is left to the maximum, 3 to 4; then both are full.
    await trainer.learn(contradicting(0, 32, 0), { epochs: 3 })
    expect(trainer.hidden).toEqual([3, 2])
    await trainer.learn(contradicting(0, 32, 0), { epochs: 4 })
    expect(trainer.hidden).toEqual([3, 4])
    await trainer.learn(contradicting(0, 32, 0), { epochs: 10 })
    expect(trainer.hidden).toEqual([4, 4])
    expect(trainer.growths).toBe(2)
    expect(trainer.tasks).toBe(3)
    expect(trainer.cost.updates).toBe(2 * (3 + 4 + 10))
    const after = await trainer.predict(probe)
    for (let i = 0; i < after.length; i++) expect(after[i]).toBeCloseTo(before[i]!, 6)
    expect(events.events.map(({ type, time, data }) => [type, time, data.layer, data.from, data.to])).toEqual([
      ['continual/grow', 7, 1, 2, 4],
      ['continual/grow', 7, 0, 3, 4],
    ])
    expect(events.events[0]!.reason).toMatch(/has not fallen by 1 % below .* for 2 measurements: hidden layer 1 grows/)
  })

  it('does not grow while the loss falls, nor where it is low enough', async () => {
    const falls = open({ ...base, grow: { maximum: 9, patience: 1, tolerance: 0 } })
    await falls.learn(contradicting(0, 64, 0), { epochs: 4 })
    expect(falls.hidden).toEqual([3, 2])
    const enough = open({ ...still, grow: { maximum: 9, patience: 1, wanted: 100 } })
    await enough.learn(contradicting(0, 64, 0), { epochs: 6 })
    expect(enough.hidden).toEqual([3, 2])
  })

  it('in a stream takes the mean loss of a window of updates', async () => {
    const trainer = open({ ...still, grow: { maximum: 3, patience: 1, window: 2 } })
    const data = contradicting(0, 8, 0)
    for (let i = 0; i < 3; i++) await trainer.step(data)
    expect(trainer.growths).toBe(0)
    await trainer.step(data)
    // Half of two neurons is one.
    expect(trainer.hidden).toEqual([3, 3])
    for (let i = 0; i < 8; i++) await trainer.step(data)
    expect(trainer.growths).toBe(1)
  })

  it('learns with the new neurons what was too much for the old', { timeout: 30_000 }, async () => {
    // A band: class 1 where the first input is of size below 0.7; one ReLU cannot say so.
    const band = (n: number, seed: string) => {
      const rng = createRng(seed)
      const x = Float32Array.from({ length: 2 * n }, () => rng.uniform(-2, 2))
      return { x, y: Int32Array.from({ length: n }, (_, i) => (Math.abs(x[2 * i]!) < 0.7 ? 1 : 0)) }
    }
    const options = { ...base, hidden: [1], rate: 0.03 }
    const fixed = open({ ...options, grow: { maximum: 1 } })
    const grows = open({ ...options, grow: { maximum: 12, patience: 2, tolerance: 0.02, wanted: 0.05 } })
    for (const one of [fixed, grows]) await one.learn(band(256, 'train'), { epochs: 60 })
    expect(fixed.growths).toBe(0)
    expect(await fixed.accuracy(band(256, 'test'))).toBeLessThan(0.9)
    expect(await grows.accuracy(band(256, 'test'))).toBeGreaterThan(0.95)
  })

  it('keeps moments, importances, anchors and the teacher on the old weights', async () => {
    const strategy = { penalty: { kind: 'si' as const, lambda: 1 }, distill: { weight: 1 }, replay: { bytes: 500 } }
    const sizes = [2, 3, 2]
    const trainer = openTrainer({ net: mlp({ sizes }), inputs: 2, outputs: 2, rate: 0.02, strategy })
    opened.push(trainer)
    for (const k of [0, 1]) await trainer.learn(contradicting(k, 64, k), { epochs: 2 })
    const saved = trainer.snapshot()
    const grown = growSnapshot(saved, { sizes, layer: 0, by: 2, seed: 'g' })
    const leaves = (from: typeof saved) => {
      const { rule, ...rest } = from.state as { readonly [name: string]: ArrayLeaf } & {
        rule: { [s: string]: ArrayLeaf }
      }
      return { ...rest, mean: rule.mean, square: rule.square } as { readonly [name: string]: ArrayLeaf | undefined }
    }
    const [old, wide] = [leaves(saved), leaves(grown)]
    const flat = flatNet(mlp({ sizes: [2, 5, 2] }))
    for (const name of ['vector', 'mean', 'square', 'importance', 'anchor', 'path', 'start', 'teacher']) {
      const [a, b] = [
        flatNet(mlp({ sizes })).toParams(Float32Array.from(old[name]!.data as Float32Array)),
        flat.toParams(Float32Array.from(wide[name]!.data as Float32Array)),
      ]
      const cut = (layer: number, of: typeof a) => [...(of[layer]!.kernel.data as Float32Array)]
      // [2, 5] keeps columns 0 to 2 of each row, [5, 2] rows 0 to 2.
      expect(
        cut(0, b).filter((_, i) => i % 5 < 3),
        name,
      ).toEqual(cut(0, a))
      expect(cut(1, b).slice(0, 6), name).toEqual(cut(1, a))
      expect([...b[0]!.bias!.data].slice(0, 3), name).toEqual([...a[0]!.bias!.data])
      expect(b[1]!.bias!.data, name).toEqual(a[1]!.bias!.data)
      const added = cut(0, b).filter((_, i) => i % 5 >= 3)
      if (['mean', 'square', 'importance', 'path'].includes(name)) expect(added).toEqual([0, 0, 0, 0])
      else
        expect(added).toEqual(
          cut(0, flat.toParams(Float32Array.from(wide.vector!.data as Float32Array))).filter((_, i) => i % 5 >= 3),
        )
    }
    const wider = openTrainer({ net: mlp({ sizes: [2, 5, 2] }), inputs: 2, outputs: 2, rate: 0.02, strategy }, grown)
    opened.push(wider)
    const [before, after] = [await trainer.predict(probe), await wider.predict(probe)]
    for (let i = 0; i < after.length; i++) expect(after[i]).toBeCloseTo(before[i]!, 6)
  })

  it('continues from a snapshot to the identical state, also across a growth', async () => {
    const options = {
      ...base,
      rate: 0.001,
      strategy: { replay: { bytes: 800 } },
      grow: { maximum: 6, patience: 1, tolerance: 0.5 },
    }
    const whole = open(options)
    await whole.learn(contradicting(0, 48, 0), { epochs: 3 })
    expect(whole.growths).toBeGreaterThan(0)
    const copy = open(options, decodeSnapshot(encodeSnapshot(whole.snapshot())))
    for (const one of [whole, copy]) await one.learn(contradicting(1, 48, 1), { epochs: 4 })
    expect(copy.hidden).toEqual(whole.hidden)
    expect(copy.snapshot()).toEqual(whole.snapshot())
    expect(() => open({ ...options, grow: { maximum: 7 } }, whole.snapshot())).toThrow('other options')
  })

  it('refuses what does not fit', async () => {
    expect(() => open({ ...base, hidden: [], grow: { maximum: 4 } })).toThrow('at least one layer')
    expect(() => open({ ...base, grow: { maximum: 4, patience: 0 } })).toThrow(
      'patience must be an integer from 1, got 0',
    )
    expect(() => open({ ...base, grow: { maximum: 4, tolerance: 1 } })).toThrow('grow.tolerance must be from 0 up to 1')
    expect(() => open({ ...base, grow: { maximum: 4, wanted: -1 } })).toThrow('grow.wanted must be at least 0')
    const trainer = open({ ...base, grow: { maximum: 4 } })
    const before = trainer.snapshot()
    await expect(trainer.learn({ x: [1, 2, 3], y: [0] })).rejects.toThrow('rows of 2')
    await expect(trainer.learn({ x: [1, 2], y: [0] }, { epochs: 0 })).rejects.toThrow(
      'epochs must be an integer from 1',
    )
    expect((await trainer.step({ x: [Number.NaN, 1], y: [0] })).accepted).toBe(false)
    expect({ ...trainer.snapshot(), children: {} }).toEqual({ ...before, children: {} })
  })
})
