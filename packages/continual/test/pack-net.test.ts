import { createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { mlp, type TensorLeaf } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { openPackNet } from '../src/index.ts'
import { contradicting } from './tasks.ts'

const base = { net: mlp({ sizes: [2, 32, 2] }), inputs: 2, outputs: 2, rate: 0.02, batchSize: 16, seed: 3 }
const probe = Float32Array.from({ length: 40 }, () => 0)
for (let i = 0, rng = createRng('probe'); i < probe.length; i++) probe[i] = rng.normal()

describe('openPackNet', () => {
  it('learns tasks that contradict each other, and keeps the outputs of earlier ones bit for bit', async () => {
    const packed = openPackNet(base)
    const kept: Float32Array[] = []
    for (let k = 0; k < 3; k++) {
      await packed.learn(contradicting(k, 512, k), { epochs: 15 })
      kept.push(await packed.predict(probe, k))
      for (let j = 0; j <= k; j++) expect(await packed.predict(probe, j), `task ${j} after ${k}`).toEqual(kept[j])
      // Half of what was free is taken: 1/2, 1/4, 1/8 of 128 weights.
      expect(packed.free()).toBe(0.5 ** (k + 1))
      expect(await packed.accuracy({ ...contradicting(k, 128, 50 + k), task: k }), `task ${k}`).toBeGreaterThan(0.95)
    }
    expect(kept[0]).not.toEqual(kept[1])
    await packed.dispose()
  })

  it('keeps the largest weights of each layer, and zeros the rest', async () => {
    const packed = openPackNet({ ...base, keep: 0.25, retrain: 0 })
    const all = openPackNet({ ...base, keep: 1, retrain: 0 })
    await packed.learn(contradicting(0, 64, 0), { epochs: 2 })
    await all.learn(contradicting(0, 64, 0), { epochs: 2 })
    const [some, every] = [packed.params(0), all.params(0)]
    for (const layer of [0, 1]) {
      const dense = (every[layer]!.kernel as TensorLeaf).data as Float32Array
      const sparse = (some[layer]!.kernel as TensorLeaf).data as Float32Array
      const sizes = [...dense].map(Math.abs).sort((a, b) => b - a)
      expect(sparse.filter((value) => value !== 0)).toHaveLength(16)
      for (const [i, value] of dense.entries()) expect(sparse[i]).toBe(Math.abs(value) >= sizes[15]! ? value : 0)
    }
    expect(all.free()).toBe(0)
    await packed.dispose()
    await all.dispose()
  })

  it('continues from a snapshot to the identical state', async () => {
    const packed = openPackNet(base)
    await packed.learn({ ...contradicting(0, 48, 0), classes: [0, 1] }, { epochs: 2 })
    const copy = openPackNet(base, decodeSnapshot(encodeSnapshot(packed.snapshot())))
    for (const one of [packed, copy]) await one.learn(contradicting(1, 48, 1), { epochs: 2 })
    expect(copy.snapshot()).toEqual(packed.snapshot())
    expect(() => openPackNet({ ...base, keep: 0.3 }, packed.snapshot())).toThrow('other options')
    await packed.dispose()
    await copy.dispose()
  })

  it('is as before where learning fails, is aborted or is given what does not fit', async () => {
    const packed = openPackNet(base)
    await packed.learn(contradicting(0, 48, 0))
    const before = packed.snapshot()
    const stop = new AbortController()
    const learning = packed.learn(contradicting(1, 48, 1), {
      epochs: 4,
      signal: stop.signal,
      onProgress: ({ done }) => done === 8 && stop.abort(),
    })
    await expect(learning).rejects.toThrow('abort')
    await expect(packed.learn({ x: [1, 2, 3], y: [0] })).rejects.toThrow('rows of 2')
    await expect(packed.learn({ x: [1, 2], y: [5] })).rejects.toThrow('classes from 0 to 1')
    await expect(packed.learn({ x: [Number.NaN, 2], y: [1] })).rejects.toThrow('none of the 1 samples is finite')
    await expect(packed.learn({ x: [1, 2], y: [1], task: 0 })).rejects.toThrow('the next is 1, got 0')
    await expect(packed.predict([1, 2], 1)).rejects.toThrow('one of the 1 tasks learned, got 1')
    await expect(packed.accuracy({ x: [1, 2], y: [1] })).rejects.toThrow('Pass { task }')
    expect(packed.snapshot()).toEqual(before)
    // A sample that is not finite is set aside and counted.
    await packed.learn({ x: [1, 2, Number.POSITIVE_INFINITY, 0], y: [1, 0] })
    expect(packed.refused).toBe(1)
    expect(() => openPackNet({ ...base, keep: 0 })).toThrow('keep must be above 0')
    expect(() => openPackNet({ ...base, rate: -1 })).toThrow('rate must be above 0')
    await packed.dispose()
    await expect(packed.predict([1, 2], 0)).rejects.toThrow('disposed')
  })

  it('says that a rate is too large, without a change', async () => {
    const packed = openPackNet({ ...base, likelihood: 'gaussian', rate: 1e30 })
    const before = packed.snapshot()
    await expect(packed.learn({ x: [1e18, 1e18], y: [-1e18, 1] }, { epochs: 8 })).rejects.toThrow('not finite')
    expect(packed.snapshot()).toEqual(before)
    await packed.dispose()
  })
})
