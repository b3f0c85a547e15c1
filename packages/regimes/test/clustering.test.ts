import { createRng } from '@regimen/core'
import { fitDbscan, fitKMeans, fitKMedoids, fitMiniBatchKMeans } from '@regimen/regimes'
import { describe, expect, it } from 'vitest'

const rng = createRng('clusters')
const x = Array.from({ length: 300 }, (_, t) => [rng.normal((t % 3) * 8), rng.normal((t % 3) * -5)])

describe('clustering', () => {
  it('mini-batches come within three percent of k-means', () => {
    const full = fitKMeans(x, { clusters: 3 })
    const batches = fitMiniBatchKMeans(x, { clusters: 3, steps: 100 })
    expect(batches.inertia).toBeGreaterThanOrEqual(full.inertia * (1 - 1e-9))
    expect(batches.inertia).toBeLessThan(full.inertia * 1.03)
  })

  it('medoids are the cheapest of all pairs of rows', () => {
    const few = Array.from({ length: 12 }, () => rng.normal(0, 3))
    let best = Number.POSITIVE_INFINITY
    for (let a = 0; a < 12; a++)
      for (let b = 0; b < a; b++)
        best = Math.min(
          best,
          few.reduce((sum, v) => sum + Math.min(Math.abs(v - few[a]!), Math.abs(v - few[b]!)), 0),
        )
    const costs = [0, 1, 2, 3].map((seed) => fitKMedoids(few, { clusters: 2, seed }).cost)
    expect(Math.min(...costs)).toBeCloseTo(best, 12)
  })

  it('density clusters leave a stranger as noise and reach border rows', () => {
    // 0, 0.4 and 0.8 chain together; 1.2 is within reach of 0.8 but has too few neighbours of its own.
    const model = fitDbscan([0, 0.4, 0.8, 1.2, 9], { radius: 0.5, neighbours: 3 })
    expect(model.labels).toEqual([0, 0, 0, 0, -1])
    expect(model.core).toEqual([1, 2])
    expect(model.clusters).toBe(1)
    expect(() => fitDbscan(x, { radius: 0 })).toThrow('radius must be finite and above 0, got 0')
  })

  it('stops when it is told to and says how far it is', () => {
    const signal = AbortSignal.abort(new Error('enough'))
    expect(() => fitMiniBatchKMeans(x, { clusters: 3, signal })).toThrow('enough')
    expect(() => fitKMedoids(x, { clusters: 3, signal })).toThrow('enough')
    expect(() => fitDbscan(x, { radius: 1, signal })).toThrow('enough')
    const heard = (fit: (onProgress: (progress: { done: number; total?: number }) => void) => unknown) => {
      const seen: (readonly [number, number | undefined])[] = []
      fit(({ done, total }) => seen.push([done, total]))
      return seen
    }
    expect(heard((onProgress) => fitMiniBatchKMeans(x, { clusters: 2, steps: 3, onProgress }))).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ])
    const passes = heard((onProgress) => fitKMedoids(x, { clusters: 3, onProgress }))
    expect(passes.at(-1)![0]).toBe(passes.at(-1)![1])
    // Every row's neighbourhood is searched once: noise, core and border alike.
    expect(heard((onProgress) => fitDbscan([0, 0.4, 0.8, 1.2, 9], { radius: 0.5, onProgress })).at(-1)).toEqual([5, 5])
  })
})
