import { describe, expect, it } from 'vitest'
import { continualMetrics } from '../src/index.ts'

describe('continualMetrics', () => {
  it('worked by hand for three tasks', () => {
    const matrix = [
      [0.9, 0.3, 0.2],
      [0.95, 0.8, 0.4],
      [0.7, 0.6, 0.85],
    ]
    const metrics = continualMetrics(matrix, { chance: 0.5, untrained: [0.1, 0.1, 0.1], joint: [0.95, 0.9, 0.9] })
    expect(metrics.averageAccuracy).toBeCloseTo((0.7 + 0.6 + 0.85) / 3, 12)
    expect(metrics.learnedAccuracy).toBeCloseTo((0.9 + 0.8 + 0.85) / 3, 12)
    // (0.7 − 0.9 + 0.6 − 0.8) / 2
    expect(metrics.backwardTransfer).toBeCloseTo(-0.2, 12)
    // R[0][1] − 0.1 and R[1][2] − 0.1
    expect(metrics.forwardTransfer).toBeCloseTo((0.2 + 0.3) / 2, 12)
    // The best of task 0 was 0.95, after task 1.
    expect(metrics.forgetting).toBeCloseTo((0.25 + 0.2) / 2, 12)
    expect(metrics.intransigence).toBeCloseTo((0.05 + 0.1 + 0.05) / 3, 12)
    expect(metrics.retention).toBeCloseTo((0.2 / 0.4 + 0.1 / 0.3 + 1) / 3, 12)
  })

  it('tells what an update costs, of what a trainer has counted', () => {
    const cost = { bytes: 1000, updates: 4, samples: 640, seconds: 2 }
    expect(continualMetrics([[1]], { cost })).toMatchObject({
      bytes: 1000,
      samplesPerUpdate: 160,
      secondsPerUpdate: 0.5,
    })
    expect(continualMetrics([[1]]).samplesPerUpdate).toBeUndefined()
  })

  it('takes a diagonal and a last row, and skips tasks that were never learned', () => {
    const matrix = [[0.5], [Number.NaN, 0.75], [0.5, 0.625, 1]]
    expect(continualMetrics(matrix, { chance: 0.5 }).retention).toBeCloseTo((0.5 + 1) / 2, 12)
    expect(continualMetrics(matrix).forwardTransfer).toBeUndefined()
    expect(continualMetrics([[0.5]]).forgetting).toBe(0)
    expect(() => continualMetrics([])).toThrow('got none')
    expect(() => continualMetrics([[0.5], [0.5]])).toThrow('R[1][1] must be an accuracy')
    expect(() => continualMetrics([[2]])).toThrow('from 0 to 1, got 2')
    expect(() => continualMetrics([[1]], { joint: [1, 1] })).toThrow('joint must hold 1')
  })
})
