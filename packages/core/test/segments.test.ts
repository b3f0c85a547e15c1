import { changePoints, toLabels, toSegments } from '@regimen/core'
import { describe, expect, it } from 'vitest'

describe('segments', () => {
  it('go there and back', () => {
    const labels = [2, 2, 0, 0, 0, 2, 1]
    const segments = toSegments(Int32Array.from(labels))
    expect(segments).toEqual([
      { start: 0, end: 2, label: 2 },
      { start: 2, end: 5, label: 0 },
      { start: 5, end: 6, label: 2 },
      { start: 6, end: 7, label: 1 },
    ])
    expect(toLabels(segments)).toEqual(labels)
    expect(changePoints(segments)).toEqual([2, 5, 6])
    expect(toSegments([])).toEqual([])
    expect(toSegments([Number.NaN, Number.NaN])).toHaveLength(1)
  })

  it('refuse gaps and overlaps', () => {
    expect(() => toLabels([{ start: 1, end: 2, label: 0 }])).toThrow(
      '[core/segments] segments must follow one another from 0, got [1, 2) after 0.',
    )
    expect(() => toLabels([{ start: 0, end: 0, label: 0 }])).toThrow('got [0, 0) after 0')
  })
})
