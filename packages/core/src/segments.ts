import { check } from './errors.ts'

/** A half-open stretch [start, end) of a series that carries one label. */
export interface Segment<Label = number> {
  readonly start: number
  readonly end: number
  readonly label: Label
}

/**
 * Turns labels, one an observation, into the stretches of equal labels, in order and without gaps.
 *
 * ```ts
 * import { toSegments } from '@regimen/core'
 *
 * toSegments([7, 7, 8]) // => [{ start: 0, end: 2, label: 7 }, { start: 2, end: 3, label: 8 }]
 * ```
 */
export function toSegments<Label>(labels: ArrayLike<Label>): Segment<Label>[] {
  const segments: Segment<Label>[] = []
  for (let start = 0; start < labels.length; ) {
    const label = labels[start]!
    let end = start + 1
    while (end < labels.length && Object.is(labels[end], label)) end++
    segments.push({ start, end, label })
    start = end
  }
  return segments
}

/**
 * Turns segments back into labels, one an observation. The segments must be in order, without gaps or overlaps.
 *
 * ```ts
 * import { toLabels } from '@regimen/core'
 *
 * toLabels([{ start: 0, end: 2, label: 'calm' }, { start: 2, end: 3, label: 'wild' }]) // => ['calm', 'calm', 'wild']
 * ```
 */
export function toLabels<Label>(segments: readonly Segment<Label>[]): Label[] {
  const labels: Label[] = []
  for (const { start, end, label } of segments) {
    check(
      start === labels.length && Number.isInteger(end) && end > start,
      'core/segments',
      () => `segments must follow one another from 0, got [${start}, ${end}) after ${labels.length}.`,
    )
    for (let i = start; i < end; i++) labels.push(label)
  }
  return labels
}

/**
 * Lists the change points of a segmentation: the first observation of every segment but the first.
 *
 * ```ts
 * import { changePoints, toSegments } from '@regimen/core'
 *
 * changePoints(toSegments([0, 0, 1, 1, 0])) // => [2, 4]
 * ```
 */
export function changePoints(segments: readonly Segment<unknown>[]): number[] {
  return segments.slice(1).map((segment) => segment.start)
}
