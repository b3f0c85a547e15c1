import { createRng } from '@regimen/core'
import {
  assign,
  crowdingDistance,
  dominates,
  hypervolume,
  nonDominatedSort,
  paretoFilter,
  toRows,
} from '@regimen/core/math'
import { describe, expect, it } from 'vitest'

const rng = createRng(1)

function points(n: number, m: number, grid: number) {
  const data = rng.fillUniform(new Float64Array(n * m)).map((v) => (grid > 0 ? Math.floor(v * grid) / grid : v))
  return { rows: n, cols: m, data }
}

describe('non-dominated sort', () => {
  it('peels fronts as the definition does, with ties, in 1 to 5 objectives', () => {
    for (const m of [1, 2, 3, 5]) {
      for (const grid of [0, 3, 10]) {
        const set = points(40, m, grid)
        const rank = nonDominatedSort(set)
        // By definition: rank r are those not dominated by anything of rank ≥ r.
        let left = Array.from({ length: 40 }, (_, i) => i)
        for (let r = 0; left.length > 0; r++) {
          const front = left.filter((i) => !left.some((j) => dominates(set.data, m, j, i)))
          for (const i of front) expect(rank[i]).toBe(r)
          left = left.filter((i) => !front.includes(i))
        }
        expect(Array.from(paretoFilter(set))).toEqual(
          Array.from({ length: 40 }, (_, i) => i).filter((i) => rank[i] === 0),
        )
      }
    }
    expect(() => nonDominatedSort([[1, Number.NaN]])).toThrow('objectives must be numbers, got NaN in row 0')
  })

  it('measures crowding by hand', () => {
    // f₁ range 10: point (2, 5) has neighbours 0 and 10 → 1; f₂ range 8: neighbours 8 and 0 → 1.
    expect(
      Array.from(
        crowdingDistance([
          [0, 8],
          [2, 5],
          [10, 0],
        ]),
      ),
    ).toEqual([Infinity, 2, Infinity])
    expect(
      Array.from(
        crowdingDistance([
          [1, 1],
          [1, 1],
        ]),
      ),
    ).toEqual([0, 0])
  })
})

describe('hypervolume', () => {
  it('matches hand-worked staircases', () => {
    expect(
      hypervolume(
        [
          [1, 3],
          [2, 2],
          [3, 1],
        ],
        [4, 4],
      ),
    ).toBe(6) // 3·1 + 2·1 + 1·1
    expect(hypervolume([[0, 0, 0]], [1, 2, 3])).toBe(6)
    // Two unit-overlap boxes of 2·2·1 and 1·1·2: 4 + 2 − 1.
    expect(
      hypervolume(
        [
          [0, 0, 1],
          [1, 1, 0],
        ],
        [2, 2, 2],
      ),
    ).toBe(5)
    expect(hypervolume([[5, 5]], [4, 4])).toBe(0)
    expect(hypervolume([], [1, 1])).toBe(0)
    expect(() => hypervolume([[1, 2]], [1])).toThrow('the reference must have 2 numbers, got 1')
  })

  it('equals inclusion–exclusion in 2 to 6 objectives, with ties and dominated points', () => {
    for (const m of [2, 3, 4, 5, 6]) {
      for (const grid of [0, 4]) {
        const set = points(9, m, grid)
        const rows = toRows(set)
        let expected = 0
        for (let subset = 1; subset < 1 << 9; subset++) {
          let volume = 1
          let bits = 0
          for (let i = 0; i < 9; i++) if (subset & (1 << i)) bits++
          for (let k = 0; k < m; k++) {
            let worst = 0
            for (let i = 0; i < 9; i++) if (subset & (1 << i)) worst = Math.max(worst, rows[i]![k]!)
            volume *= Math.max(0, 1.1 - worst)
          }
          expected += bits % 2 === 1 ? volume : -volume
        }
        expect(hypervolume(set, new Array(m).fill(1.1))).toBeCloseTo(expected, 12)
      }
    }
  })
})

describe('assignment', () => {
  it('finds what trying every permutation finds, square and rectangular', () => {
    const permutations = (items: number[]): number[][] =>
      items.length === 0
        ? [[]]
        : items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]))
    for (const [rows, cols] of [
      [1, 1],
      [4, 4],
      [3, 5],
      [5, 3],
      [5, 5],
    ] as const) {
      for (let round = 0; round < 5; round++) {
        const costs = points(rows, cols, 6)
        costs.data.forEach((value, i) => {
          costs.data[i] = value - 0.5
        })
        const { columns, cost } = assign(costs)
        const long = Array.from({ length: Math.max(rows, cols) }, (_, i) => i)
        const brute = Math.min(
          ...permutations(long).map((order) => {
            let total = 0
            for (let i = 0; i < Math.min(rows, cols); i++)
              total += rows <= cols ? costs.data[i * cols + order[i]!]! : costs.data[order[i]! * cols + i]!
            return total
          }),
        )
        expect(cost).toBeCloseTo(brute, 12)
        const used = Array.from(columns).filter((j) => j >= 0)
        expect(used.length).toBe(Math.min(rows, cols))
        expect(new Set(used).size).toBe(used.length)
        const recomputed = used.length && columns.reduce((t, j, i) => t + (j >= 0 ? costs.data[i * cols + j]! : 0), 0)
        expect(recomputed).toBeCloseTo(cost, 12)
      }
    }
    expect(() => assign([[Number.NaN]])).toThrow('costs must be finite, got NaN')
  })
})
