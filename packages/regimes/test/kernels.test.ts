import { createRng } from '@regimen/core'
import { describe, expect, it } from 'vitest'
import { openNearest } from '../src/cluster/nearest.ts'
import { openBlock } from '../src/gaussian/block.ts'

const rng = createRng('kernels')

/** Largest difference relative to size, over the entries that count. */
function distance(a: Float64Array, b: Float64Array): number {
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!) / Math.max(1, Math.abs(b[i]!))), 0)
}

describe('WebAssembly kernels equal the plain ones', () => {
  const shapes = [1, 2, 3, 5, 8, 16].flatMap((d) => [
    { d, diagonal: false },
    { d, diagonal: true },
  ])
  it.each(shapes)('Gaussian block, $d columns, diagonal $diagonal', ({ d, diagonal }) => {
    const k = 3
    const fast = openBlock(k, d, diagonal)
    const plain = openBlock(k, d, diagonal, true)
    // Without the engine this would compare the plain code with itself.
    expect(fast.evaluate.toString()).not.toBe(plain.evaluate.toString())
    fast.rows.forEach((_, i) => {
      fast.rows[i] = rng.normal(0, 2)
    })
    const { parameterSize } = fast.layout
    for (let c = 0; c < k; c++)
      for (let j = 0; j < parameterSize; j++) {
        const value = j < parameterSize - 2 ? rng.normal() : j === parameterSize - 2 ? -1.5 : -0.5
        fast.parameters[c * parameterSize + j] = value
      }
    plain.rows.set(fast.rows)
    plain.parameters.set(fast.parameters)
    for (const engine of [fast, plain]) {
      engine.sums.fill(0)
      for (let c = 0; c < k; c++) engine.evaluate(c)
    }
    expect(distance(fast.work, plain.work)).toBeLessThan(1e-12)
    for (const engine of [fast, plain]) {
      engine.softmax()
      for (let c = 0; c < k; c++) engine.gather(c)
    }
    expect(distance(fast.top, plain.top)).toBeLessThan(1e-12)
    expect(distance(fast.sum, plain.sum)).toBeLessThan(1e-11)
    expect(distance(fast.work, plain.work)).toBeLessThan(1e-11)
    expect(distance(fast.sums, plain.sums)).toBeLessThan(1e-10)
    // Responsibilities add up to one a row, so the counts to the rows of the block.
    const counts = [0, 1, 2].map((c) => fast.sums[c * fast.layout.sumSize]!)
    expect(counts[0]! + counts[1]! + counts[2]!).toBeCloseTo(128, 9)
  })

  it.each([1, 2, 5, 8, 32])('nearest of 7 centres, %i columns', (d) => {
    const n = 300
    const x = Float64Array.from({ length: n * d }, () => rng.normal(0, 3))
    const fast = openNearest(x, n, d, 7)
    const plain = openNearest(x, n, d, 7, true)
    const centres = Float64Array.from({ length: 7 * d }, () => rng.normal(0, 3))
    fast.centres.set(centres)
    plain.centres.set(centres)
    for (let batch = 0; batch < fast.batches; batch++) {
      fast.run(batch)
      plain.run(batch)
      expect([...fast.label]).toEqual([...plain.label])
      expect(distance(fast.first, plain.first)).toBeLessThan(1e-12)
      expect(distance(fast.second, plain.second)).toBeLessThan(1e-12)
    }
    // And both are right: the last batch's first row, by hand.
    const row = Array.from(x.subarray(256 * d, 257 * d))
    const squares = Array.from({ length: 7 }, (_, c) =>
      row.reduce((sum, value, j) => sum + (value - centres[c * d + j]!) ** 2, 0),
    )
    expect(fast.label[0]).toBe(squares.indexOf(Math.min(...squares)))
    expect(fast.first[0]).toBeCloseTo(Math.min(...squares), 9)
  })
})
