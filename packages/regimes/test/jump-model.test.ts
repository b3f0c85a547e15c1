import { fitJumpModel, jumpFilter } from '@regimen/regimes'
import { describe, expect, it } from 'vitest'
import { reference } from './reference.ts'

describe('jump model', () => {
  it('finds the cheapest of all paths for its centroids', () => {
    const x = [0.2, 3, 0.1, 0.4, 2.5, 2.9, 3.1, 0.3]
    const model = fitJumpModel(x, { states: 2, penalty: 1.5 })
    const [a, b] = model.centroids.data
    let best = Number.POSITIVE_INFINITY
    for (let code = 0; code < 256; code++) {
      let cost = 0
      for (let t = 0; t < 8; t++) {
        const s = (code >> t) & 1
        cost += 0.5 * (x[t]! - (s === 0 ? a! : b!)) ** 2
        if (t > 0 && s !== ((code >> (t - 1)) & 1)) cost += 1.5
      }
      best = Math.min(best, cost)
    }
    expect(model.objective).toBeCloseTo(best, 12)
  })

  it('finds the best of all paths with the best centroids of each', () => {
    // Every one of the 2^12 paths with its own means: the global minimum of the objective.
    const x = Array.from({ length: 12 }, (_, t) => Math.sin(t * t) + (t % 6 < 3 ? 0 : 2.5))
    let best = { cost: Number.POSITIVE_INFINITY, path: [] as number[] }
    for (let code = 0; code < 4096; code++) {
      const path = x.map((_, t) => (code >> t) & 1)
      let cost = path.reduce((sum, s, t) => sum + (t > 0 && s !== path[t - 1] ? 0.6 : 0), 0)
      for (const s of [0, 1]) {
        const own = x.filter((_, t) => path[t] === s)
        const mean = own.reduce((a, b) => a + b, 0) / own.length
        cost += own.reduce((sum, value) => sum + 0.5 * (value - mean) ** 2, 0)
      }
      if (cost < best.cost) best = { cost, path }
    }
    const model = fitJumpModel(x, { states: 2, penalty: 0.6, restarts: 20 })
    expect(model.objective).toBeCloseTo(best.cost, 10)
    const flip = best.path[0] === model.path.data[0] ? 0 : 1
    expect([...model.path.data]).toEqual(best.path.map((s) => s ^ flip))
    expect(best.path.reduce((n, s, t) => n + (t > 0 && s !== best.path[t - 1] ? 1 : 0), 0)).toBeGreaterThan(1)
  })

  it('stops when it is told to and says how far it is', () => {
    const signal = AbortSignal.abort(new Error('enough'))
    expect(() => fitJumpModel([0, 1, 2], { states: 2, signal })).toThrow('enough')
    const done: number[] = []
    fitJumpModel([0, 1, 2], { states: 2, restarts: 3, onProgress: (progress) => done.push(progress.done) })
    expect(done).toEqual([1, 2, 3])
  })

  it('without a penalty is k-means, with a high one a single state', () => {
    const x = [0, 1, 10, 11, 0, 10, 1]
    expect([...fitJumpModel(x, { states: 2, penalty: 0 }).path.data]).toEqual([0, 0, 1, 1, 0, 1, 0])
    expect(new Set(fitJumpModel(x, { states: 2, penalty: 1e6 }).path.data).size).toBe(1)
  })

  it('filters without looking ahead', () => {
    const x = Array.from({ length: 60 }, (_, t) => (t % 20 < 10 ? 0 : 4) + Math.sin(t * t))
    const model = fitJumpModel(x, { states: 2, penalty: 5 })
    const all = jumpFilter(model, x)
    for (const n of [1, 12, 33]) expect([...jumpFilter(model, x.slice(0, n))]).toEqual([...all.slice(0, n)])
  })

  const csv = reference('NDX.csv')
  it.skipIf(!csv)('reaches the published centroids of the Nasdaq 100 to 1e-5', () => {
    const published = JSON.parse(reference('jump_model_ndx.json')!) as {
      bull: number[]
      bear: number[]
      in_sample_switches: number
    }
    const rows = csv!
      .trim()
      .split(/\r?\n/)
      .slice(1)
      .map((row) => row.split(','))
    const days = rows.filter((row) => row[2] !== '' && row[2] !== undefined)
    const features: number[][] = []
    // Exponentially weighted means of r and of min(r, 0)², adjusted for their start.
    const state = [5, 20, 60].map((halflife) => ({ keep: 0.5 ** (1 / halflife), weight: 0, mean: 0, down: 0 }))
    const dates: string[] = []
    for (const [date, , ret] of days) {
      const r = Number(ret)
      features.push(
        state.flatMap((s) => {
          s.weight = s.weight * s.keep + 1
          s.mean = s.mean * s.keep + r
          s.down = s.down * s.keep + Math.min(r, 0) ** 2
          const mean = s.mean / s.weight
          const deviation = Math.sqrt(s.down / s.weight)
          return [mean, Math.log(deviation), mean / deviation]
        }),
      )
      dates.push(date!)
    }
    const kept = features.filter((_, t) => dates[t]! >= '2007-01-03' && dates[t]! <= '2021-12-31')
    expect(kept.length).toBe(3777)
    const clipped = standardize(kept, (z) => Math.max(-3, Math.min(3, z)), true)
    const model = fitJumpModel(
      standardize(clipped, (z) => z, false),
      { states: 2, penalty: 50, restarts: 5 },
    )
    const switches = model.path.data.reduce((n, s, t) => n + (t > 0 && s !== model.path.data[t - 1] ? 1 : 0), 0)
    expect(switches).toBe(published.in_sample_switches)
    ;[...published.bull, ...published.bear].forEach((value, i) => {
      expect(Math.abs(model.centroids.data[i]! - value)).toBeLessThan(1e-5)
    })
  })
})

/** Clips in units of the deviation (restoring the scale) or standardizes. */
function standardize(rows: number[][], f: (z: number) => number, restore: boolean): number[][] {
  const out = rows.map((row) => row.slice())
  for (let j = 0; j < rows[0]!.length; j++) {
    const mean = rows.reduce((s, row) => s + row[j]!, 0) / rows.length
    const deviation = Math.sqrt(rows.reduce((s, row) => s + (row[j]! - mean) ** 2, 0) / rows.length)
    for (const row of out) {
      const z = f((row[j]! - mean) / deviation)
      row[j] = restore ? mean + deviation * z : z
    }
  }
  return out
}
