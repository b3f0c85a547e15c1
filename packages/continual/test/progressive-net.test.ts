import { createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { openProgressiveNet } from '../src/index.ts'
import { contradicting } from './tasks.ts'

const base = { hidden: [12, 8], inputs: 2, outputs: 2, rate: 0.02, batchSize: 16, seed: 3, use: 0 }
const rng = createRng('probe')
const probe = Float32Array.from({ length: 40 }, () => rng.normal())

describe('openProgressiveNet', () => {
  it('learns tasks that contradict each other, and keeps the outputs of earlier ones bit for bit', async () => {
    const net = openProgressiveNet(base)
    const kept: Float32Array[] = []
    for (let k = 0; k < 3; k++) {
      await net.learn(contradicting(k, 512, k), { epochs: 8 })
      kept.push(await net.predict(probe, k))
      for (let j = 0; j <= k; j++) expect(await net.predict(probe, j), `task ${j} after ${k}`).toEqual(kept[j])
      expect(await net.accuracy({ ...contradicting(k, 128, 50 + k), task: k }), `task ${k}`).toBeGreaterThan(0.95)
    }
    for (const [k, { sources, use }] of net.columns().entries()) {
      for (const source of sources) expect(source).toBeLessThan(k)
      for (const saved of use) expect(saved).toBeGreaterThanOrEqual(0)
      expect(use).toHaveLength(sources.length)
    }
    await net.dispose()
  })

  it('draws on a column that knows the task, and drops one that knows nothing of it', async () => {
    // Task 0 is noise, task 1 the side of a line, task 2 the same line with few samples.
    const noise = contradicting(0, 256, 8)
    const coin = createRng('coin')
    const net = openProgressiveNet({ ...base, use: 0.5 })
    await net.learn({ x: noise.x, y: Array.from(noise.y, () => coin.int(0, 2)) }, { epochs: 1 })
    await net.learn(contradicting(1, 512, 1), { epochs: 10 })
    await net.learn(contradicting(1, 32, 2), { epochs: 6 })
    expect(net.columns()[2]!.sources).toEqual([1])
    // A column that draws on nothing holds (2 + 1)·12 + (12 + 1)·8 + (8 + 1)·2 numbers; an adapter 12·8 + 8·8 + 8·8 + 8·2.
    const plain = 36 + 104 + 18
    const connected = net.columns().reduce((sum, { sources }) => sum + sources.length, 0)
    expect(net.bytes).toBe(4 * (3 * plain + connected * 240))
    await net.dispose()
  })

  it('without sources is as many nets as tasks', async () => {
    const alone = openProgressiveNet({ ...base, sources: 0 })
    await alone.learn(contradicting(0, 64, 0))
    await alone.learn(contradicting(1, 64, 1))
    expect(alone.columns()).toEqual([
      { sources: [], use: [] },
      { sources: [], use: [] },
    ])
    await alone.dispose()
  })

  it('continues from a snapshot to the identical state', async () => {
    const net = openProgressiveNet(base)
    await net.learn(contradicting(0, 48, 0), { epochs: 2 })
    const copy = openProgressiveNet(base, decodeSnapshot(encodeSnapshot(net.snapshot())))
    for (const one of [net, copy]) await one.learn(contradicting(1, 48, 1), { epochs: 2 })
    expect(copy.snapshot()).toEqual(net.snapshot())
    expect(await copy.predict(probe, 1)).toEqual(await net.predict(probe, 1))
    const damaged = {
      ...net.snapshot(),
      state: {
        ...(net.snapshot().state as object),
        method: [
          { sources: [0], use: [1], vector: { dtype: 'float32' as const, shape: [1], data: new Float32Array(1) } },
        ],
      },
    }
    expect(() => openProgressiveNet(base, damaged)).toThrow('column 0 must hold')
    await net.dispose()
    await copy.dispose()
  })

  it('is as before where it is aborted or given what does not fit', async () => {
    const net = openProgressiveNet(base)
    await net.learn(contradicting(0, 48, 0))
    const before = net.snapshot()
    const stop = new AbortController()
    const onProgress = ({ done }: { done: number }): void => {
      if (done === 5) stop.abort()
    }
    const learning = net.learn(contradicting(1, 48, 1), { epochs: 4, signal: stop.signal, onProgress })
    await expect(learning).rejects.toThrow('abort')
    await expect(net.learn({ x: [Number.NaN, 2], y: [1] })).rejects.toThrow('none of the 1 samples is finite')
    await expect(net.predict([1, 2], 1)).rejects.toThrow('one of the 1 tasks learned, got 1')
    expect(net.snapshot()).toEqual(before)
    expect(() => openProgressiveNet({ ...base, hidden: [] })).toThrow('at least one layer')
    expect(() => openProgressiveNet({ ...base, use: 2 })).toThrow('use must be from 0 to 1, got 2')
    expect(() => openProgressiveNet({ ...base, sources: -1 })).toThrow('sources must be an integer from 0')
    await net.dispose()
  })
})
