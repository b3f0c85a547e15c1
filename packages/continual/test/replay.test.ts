import { type ArrayLeaf, createRng, decodeSnapshot, encodeSnapshot, type Snapshot } from '@regimen/core'
import { chiSquarePValue } from '@regimen/core/math'
import { describe, expect, it } from 'vitest'
import {
  balancedReplay,
  diverseReplay,
  exemplarReplay,
  herdingSelection,
  kCenterSelection,
  prioritizedReplay,
  type ReplayBuffer,
  reservoirReplay,
  ringReplay,
} from '../src/index.ts'
import { openSumTree } from '../src/replay/sum-tree.ts'

const columns = (buffer: ReplayBuffer) => buffer.snapshot().state as { readonly [name: string]: ArrayLeaf }

const KINDS = { ringReplay, reservoirReplay, balancedReplay, prioritizedReplay, exemplarReplay, diverseReplay }

describe('every buffer', () => {
  for (const [name, open] of Object.entries(KINDS)) {
    const reopen = open as (from: { bytes: number; width: number } | Snapshot) => ReplayBuffer
    it(`${name} stays within its bytes, and continues from a snapshot as if nothing had been`, () => {
      const buffer = reopen({ bytes: 1000, width: 3 })
      const feed = (to: ReplayBuffer, from: number, until: number): void => {
        for (let i = from; i < until; i++) to.add({ x: [i, i + 1, i + 2], y: i % 2, group: i % 3 })
      }
      feed(buffer, 0, 90)
      buffer.draw(5)
      expect(buffer.bytes).toBeLessThanOrEqual(1000)
      expect(buffer.size).toBe(buffer.capacity)
      const copy = reopen(decodeSnapshot(encodeSnapshot(buffer.snapshot())))
      feed(buffer, 90, 150)
      feed(copy, 90, 150)
      expect(copy.draw(20)).toEqual(buffer.draw(20))
      expect(copy.snapshot()).toEqual(buffer.snapshot())
    })

    it(`${name} sets aside what is not finite and refuses what does not fit, unchanged`, () => {
      const buffer = reopen({ bytes: 1000, width: 2 })
      buffer.add({ x: [1, 2], y: 0 })
      const before = buffer.snapshot()
      expect(() => buffer.add({ x: [1], y: 0 })).toThrow('x must hold 2 numbers, got 1')
      expect(() => buffer.add({ x: [1, 2], y: [0, 1] })).toThrow('y must hold 1 numbers, got 2')
      expect(() => buffer.add({ x: [1, 2], y: 0, group: -1 })).toThrow('group')
      expect(buffer.snapshot()).toEqual(before)
      expect(buffer.add({ x: [Number.NaN, 2], y: 0 })).toBe(-1)
      expect(buffer.add({ x: [1e39, 2], y: 0 })).toBe(-1)
      expect(buffer.add({ x: [1, 2], y: Number.POSITIVE_INFINITY })).toBe(-1)
      expect([buffer.size, buffer.seen, buffer.refused]).toEqual([1, 1, 3])
      expect(() => reopen({ bytes: 10, width: 2 })).toThrow('too small for one sample')
      expect(() => reopen({ bytes: 1000, width: 2 }).draw(1)).toThrow('empty')
    })
  }
})

describe('ringReplay', () => {
  it('keeps the latest', () => {
    const buffer = ringReplay({ bytes: 12 * 3, width: 1 })
    for (let i = 0; i < 8; i++) buffer.add({ x: [i], y: 0 })
    expect([...new Set(buffer.draw(200).x)].sort()).toEqual([5, 6, 7])
  })
})

describe('reservoirReplay', () => {
  it('keeps each of n samples with probability capacity / n (χ²)', () => {
    // 2,000 reservoirs of 10 out of 100: each sample is expected in 200 of them.
    const kept = new Float64Array(100)
    for (let run = 0; run < 2000; run++) {
      const buffer = reservoirReplay({ bytes: 120, width: 1, seed: run })
      for (let i = 0; i < 100; i++) buffer.add({ x: [i], y: 0 })
      for (const x of columns(buffer).x!.data as Float32Array) kept[x]!++
    }
    // Slots of one reservoir are drawn without replacement, which scales χ² by 1 − 10/100.
    const statistic = kept.reduce((sum, count) => sum + (count - 200) ** 2 / 200, 0) / 0.9
    expect(kept.reduce((a, b) => a + b)).toBe(20_000)
    expect(chiSquarePValue(statistic, 99)).toBeGreaterThan(0.001)
  })
})

describe('balancedReplay', () => {
  it('gives a rare group as much room as a frequent one, and keeps each a uniform sample of its own', () => {
    const firstHalf = [0, 0]
    for (let run = 0; run < 200; run++) {
      const buffer = balancedReplay({ bytes: 20 * 20, width: 1, seed: run })
      for (let i = 0; i < 2000; i++) buffer.add({ x: [i], y: 0, group: i % 20 === 0 ? 7 : 3 })
      const { x, group } = columns(buffer)
      expect(Array.from(group!.data as Int32Array).filter((g) => g === 7).length).toBe(10)
      Array.from(x!.data as Float32Array).forEach((value, i) => {
        if (value < 1000) firstHalf[group!.data[i] === 7 ? 0 : 1]!++
      })
    }
    // 2,000 kept of each group, half of them from the first half of the stream: ± 4 standard deviations of √500 ≈ 22.
    for (const count of firstHalf) expect(Math.abs(count - 1000)).toBeLessThan(90)
  })
})

describe('diverseReplay', () => {
  it('passes over what pulls as remembered ones do, and replaces by the scores (χ²)', () => {
    // Scores 1 and 0.5; a newcomer of cosine −0.5 scores 0.5. Slot 0 is drawn with 2/3 and lost with 1 / 1.5, slot 1 with 1/3 and 0.5 / 1.
    const counts = new Map<number, number>()
    const runs = 3000
    for (let seed = 0; seed < runs; seed++) {
      const buffer = diverseReplay({ bytes: 40, width: 1, seed })
      expect(buffer.add({ x: [0], y: 0 })).toBe(0)
      expect(buffer.add({ x: [1], y: 0, similarity: -0.5 })).toBe(1)
      expect(buffer.add({ x: [2], y: 0, similarity: 0 })).toBe(-1)
      const slot = buffer.add({ x: [3], y: 0, similarity: -0.5 })
      counts.set(slot, (counts.get(slot) ?? 0) + 1)
    }
    const expected = new Map([
      [0, 4 / 9],
      [1, 1 / 6],
      [-1, 1 - 4 / 9 - 1 / 6],
    ])
    let statistic = 0
    for (const [slot, share] of expected) statistic += ((counts.get(slot) ?? 0) - runs * share) ** 2 / (runs * share)
    expect(chiSquarePValue(statistic, 2)).toBeGreaterThan(0.001)
    expect(() => diverseReplay({ bytes: 40, width: 1 }).add({ x: [0], y: 0, similarity: 2 })).toThrow(
      'similarity must be',
    )
  })
})

describe('sum tree', () => {
  it('finds what a linear scan of its own order finds, at every size', () => {
    const rng = createRng(3)
    for (const n of [...Array.from({ length: 33 }, (_, i) => i + 1), 64, 65, 512, 513, 600]) {
      const tree = openSumTree(n)
      const weights = Float64Array.from({ length: n }, () => rng.int(0, 4))
      weights.forEach((weight, i) => {
        tree.set(i, weight)
      })
      const total = weights.reduce((a, b) => a + b)
      expect(tree.total).toBe(total)
      // Whole weights: the points k + ½ hit each index exactly `weight` times.
      const hits = new Float64Array(n)
      const found = new Int32Array(total)
      tree.find(
        Float64Array.from(found, (_, k) => k + 0.5),
        found,
      )
      for (const index of found) hits[index]!++
      expect(hits).toEqual(weights)
    }
  })
})

describe('prioritizedReplay', () => {
  it('draws in proportion to (|error| + floor)^α (χ² against the linear scan)', () => {
    const buffer = prioritizedReplay({ bytes: 28 * 50, width: 1, alpha: 0.5, floor: 1e-12, seed: 5 })
    const errors = Float64Array.from({ length: 50 }, (_, i) => i * i)
    for (let i = 0; i < 50; i++) buffer.add({ x: [i], y: 0 })
    buffer.update(
      Int32Array.from(errors, (_, i) => i),
      errors,
    )
    // √(i²) = i: P(i) = i / 1225. Draws of one are not stratified, so they are independent.
    const ours = new Float64Array(50)
    const scan = new Float64Array(50)
    const rng = createRng(6)
    const n = 40_000
    for (let k = 0; k < n; k++) {
      ours[buffer.draw(1).slots[0]!]!++
      scan[rng.categorical(errors.map(Math.sqrt))]!++
    }
    for (const counts of [ours, scan]) {
      let statistic = 0
      for (let i = 1; i < 50; i++) statistic += (counts[i]! - (n * i) / 1225) ** 2 / ((n * i) / 1225)
      expect(chiSquarePValue(statistic, 48)).toBeGreaterThan(0.001)
    }
  })

  it('weighs a draw by (n P)^−β over the largest, with β growing to 1', () => {
    const buffer = prioritizedReplay({ bytes: 28 * 2, width: 1, alpha: 1, beta: 0.5, betaDraws: 2, floor: 1e-12 })
    buffer.add({ x: [0], y: 0 })
    buffer.add({ x: [1], y: 0 })
    buffer.update(Int32Array.of(0, 1), [1, 4])
    expect(buffer.beta).toBe(0.5)
    // P = 1/5 and 4/5, stratified: slot 0 once in five. w = (2 P)^−½ over that of slot 0: √(1/4) = ½.
    const draw = buffer.draw(5)
    expect(draw.slots).toEqual(Int32Array.of(0, 1, 1, 1, 1))
    draw.weights.forEach((weight, i) => {
      expect(weight).toBeCloseTo(i === 0 ? 1 : 0.5, 6)
    })
    expect(buffer.beta).toBe(0.75)
    buffer.draw(1)
    buffer.draw(1)
    expect(buffer.beta).toBe(1)
    // An error that is not finite changes nothing.
    buffer.update(Int32Array.of(0, 1), [Number.NaN, Number.POSITIVE_INFINITY])
    expect(buffer.draw(5).slots).toEqual(Int32Array.of(0, 1, 1, 1, 1))
    expect(() => prioritizedReplay({ bytes: 100, width: 1, alpha: 2 })).toThrow('alpha must lie from 0 to 1')
  })
})

describe('herding', () => {
  it('keeps the best first, by hand', () => {
    // Mean 4. First 4. Then (4+3)/2 = 3.5 beats 6 and 2.5. Then (7+8)/3 = 5 and (7+1)/3 = 2.67: 5 is nearer by 0.33.
    expect(herdingSelection([1, 3, 4, 8], { width: 1, count: 4 })).toEqual(Int32Array.of(2, 1, 3, 0))
    expect(() => herdingSelection([1, 2, 3], { width: 2, count: 1 })).toThrow('whole rows')
  })

  it('selects corners by k-center', () => {
    // Mean 4.75: 5 first, then 0 and 10 at distance 5 (the first of them), then 10.
    expect(kCenterSelection([0, 4, 5, 10], { width: 1, count: 4 })).toEqual(Int32Array.of(2, 0, 3, 1))
  })

  it('shrinks groups to their best', () => {
    const buffer = exemplarReplay({ bytes: 12 * 6, width: 1 })
    const group = (id: number, values: number[]) => values.map((x) => ({ x: [x], y: 0, group: id }))
    const kept = () => Array.from(columns(buffer).x!.data as Float32Array)
    buffer.addGroup(group(0, [1, 3, 4, 8]), [1, 3, 4, 8])
    expect(kept()).toEqual([4, 3, 8, 1])
    buffer.addGroup(group(1, [10, 20, 30]), [10, 20, 30])
    expect(kept()).toEqual([4, 3, 8, 20, 10, 30])
    buffer.addGroup(group(2, [5, 6]), [5, 6])
    expect(kept()).toEqual([4, 3, 20, 10, 5, 6])
    // The same group anew replaces its old exemplars.
    buffer.addGroup(group(0, [7, 9]), [7, 9])
    expect(kept()).toEqual([20, 10, 5, 6, 7, 9])
    expect(() => buffer.addGroup([...group(1, [1]), ...group(2, [1])], [1, 1])).toThrow('several groups')
  })
})
