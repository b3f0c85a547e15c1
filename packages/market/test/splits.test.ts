import { createRng } from '@regimen/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { combinatorialPurged, purgedKFold, type Split, walkForward } from '../src/index.ts'

/** Random spans as a triple barrier makes them: of different lengths, unknown towards the end. */
function spans(seed: number, n: number, longest: number): Int32Array {
  const rng = createRng(seed)
  return Int32Array.from({ length: n }, (_, i) => {
    const end = i + rng.int(0, longest + 1)
    return end < n ? end : -1
  })
}

/** No training label may overlap the span of a run of consecutive test rows, nor begin within the embargo after it. */
function leaks(split: Split, end: Int32Array, embargo: number): boolean {
  const test = Array.from(split.test)
  for (const t of test) {
    for (const i of split.train) {
      if (i <= end[t]! + embargo && end[i]! >= t) return true
    }
  }
  return Array.from(split.train).some((i) => test.includes(i) || end[i] === -1) || test.some((t) => end[t] === -1)
}

describe('worked by hand', () => {
  test('walk-forward: expanding, sliding, embargo', () => {
    const end = [1, 2, 3, 4, 5, 6, 7, 8, 9, -1]
    const rows = (splits: Split[]) => splits.map(({ train, test }) => [Array.from(train), Array.from(test)])
    expect(rows(walkForward({ end }, { trainSize: 4, testSize: 3 }))).toEqual([
      [
        [0, 1, 2],
        [4, 5, 6],
      ],
      [
        [0, 1, 2, 3, 4, 5],
        [7, 8],
      ],
    ])
    expect(rows(walkForward({ end }, { trainSize: 4, testSize: 3, window: 'sliding', embargo: 1 }))).toEqual([
      [
        [0, 1],
        [4, 5, 6],
      ],
      [
        [3, 4],
        [7, 8],
      ],
    ])
  })

  test('combinatorial: four groups, two at a time, three paths', () => {
    const end = Array.from({ length: 8 }, (_, i) => i)
    const { splits, paths } = combinatorialPurged({ end }, { groups: 4, testGroups: 2 })
    expect(splits.map((split) => split.groups.join(''))).toEqual(['01', '02', '03', '12', '13', '23'])
    expect(Array.from(splits[1]!.test)).toEqual([0, 1, 4, 5])
    expect(Array.from(splits[1]!.train)).toEqual([2, 3, 6, 7])
    expect(paths).toEqual([
      [0, 0, 1, 2],
      [1, 3, 3, 4],
      [2, 4, 5, 5],
    ])
  })
})

test('no training label overlaps a test label or its embargo, whatever the spans', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 30, max: 90 }),
      fc.integer({ min: 0, max: 9 }),
      fc.integer({ min: 0, max: 6 }),
      (seed, n, longest, embargo) => {
        const end = spans(seed, n, longest)
        for (const split of purgedKFold({ end }, { folds: 5, embargo })) expect(leaks(split, end, embargo)).toBe(false)
        for (const split of combinatorialPurged({ end }, { groups: 6, testGroups: 2, embargo }).splits) {
          expect(leaks(split, end, embargo)).toBe(false)
        }
        for (const window of ['expanding', 'sliding'] as const) {
          for (const split of walkForward({ end }, { trainSize: 12, testSize: 7, window, embargo })) {
            expect(leaks(split, end, embargo)).toBe(false)
            for (const i of split.train) expect(end[i]).toBeLessThan(split.test[0]! - embargo)
          }
        }
      },
    ),
    { numRuns: process.env.REGIMEN_FULL === '1' ? 1000 : 60, seed: 4 },
  )
})

test('nothing is purged that need not be, and every labelled row is tested once', () => {
  const end = spans(5, 100, 6)
  const labelled = end.filter((e) => e >= 0).length
  const splits = purgedKFold({ end }, { folds: 4, embargo: 3 })
  expect(splits.reduce((sum, split) => sum + split.test.length, 0)).toBe(labelled)
  for (const { train, test } of splits) {
    const last = Math.max(...Array.from(test, (t) => end[t]!))
    for (let i = 0; i < 100; i++) {
      const free = end[i]! >= 0 && (end[i]! < test[0]! || i > last + 3)
      expect(train.includes(i)).toBe(free)
    }
  }
  const { splits: many, paths } = combinatorialPurged({ end }, { groups: 6, testGroups: 3 })
  expect(many).toHaveLength(20)
  expect(paths).toHaveLength(10)
  for (const path of paths) for (const [g, s] of path.entries()) expect(many[s]!.groups).toContain(g)
  for (let g = 0; g < 6; g++) expect(new Set(paths.map((path) => path[g])).size).toBe(10)
})

test('refuses impossible cuts', () => {
  const end = [0, 1, 2]
  expect(() => purgedKFold({ end }, { folds: 1 })).toThrow('folds must be a whole number from 2, got 1')
  expect(() => purgedKFold({ end: [5, 1] }, { folds: 2 })).toThrow(
    'end of row 0 must be -1 or a row from 0 to 1, got 5',
  )
  expect(() => walkForward({ end }, { trainSize: 1, testSize: 0 })).toThrow('testSize')
  expect(() => combinatorialPurged({ end }, { groups: 3, testGroups: 3 })).toThrow('testGroups must be below groups 3')
})
