import { check, type Snapshot, schema } from '@regimen/core'
import { herdingSelection } from './herding.ts'
import { openStore, type PolicyKind, type ReplayBuffer, type ReplayOptions, type ReplaySample } from './store.ts'

/** A buffer that is filled with the best samples of whole groups. */
export interface ExemplarReplay extends ReplayBuffer {
  /**
   * Takes a finished group (class, regime, task): every group's share shrinks to capacity / groups, and this one is given
   * as much, chosen by herding in the features (one row a sample). Returns how many are kept of it.
   */
  addGroup(samples: readonly ReplaySample[], features: ArrayLike<number>): number
}

const EXEMPLARS: PolicyKind = {
  id: 'continual/exemplar-replay',
  bytesPerSample: 0,
  state: schema.literal(null),
  open: () => ({
    place: ({ size, capacity }) => (size < capacity ? size : -1),
    state: () => null,
  }),
}

/**
 * Opens a buffer of exemplars: after each group it keeps the samples whose mean feature is nearest to the group's, in the
 * order of {@link herdingSelection}, so that shrinking a group keeps its best. For a few samples a group and known boundaries;
 * on a stream without boundaries take {@link balancedReplay}. `add` fills what is free, in order.
 *
 * ```ts
 * import { exemplarReplay } from '@regimen/continual'
 *
 * const buffer = exemplarReplay({ bytes: 24, width: 1 })
 * const group = (id: number, values: number[]) => values.map((x) => ({ x: [x], y: 0, group: id }))
 * buffer.addGroup(group(0, [1, 3, 4, 8]), [1, 3, 4, 8]) // => 2
 * buffer.addGroup(group(1, [20, 21, 22]), [20, 21, 22]) // => 1
 * [...new Set(buffer.draw(50).x)].sort((a, b) => a - b) // => [4, 21]
 * ```
 *
 * Reference: Rebuffi et al. 2017 (iCaRL), algorithms 4 and 5.
 */
export function exemplarReplay(from: ReplayOptions | Snapshot): ExemplarReplay {
  const { buffer, shelf } = openStore(EXEMPLARS, from)
  const { columns, capacity } = shelf
  const addGroup = (samples: readonly ReplaySample[], features: ArrayLike<number>): number => {
    const where = EXEMPLARS.id
    const id = samples[0]?.group ?? 0
    check(samples.length > 0, where, () => 'a group must hold at least one sample, got none.')
    check(
      samples.every((sample) => (sample.group ?? 0) === id),
      where,
      () => 'the samples are of several groups.',
      'Add one group after the other.',
    )
    const width = features.length / samples.length
    const order = herdingSelection(features, { width, count: samples.length })
    const others = new Set(columns.group.subarray(0, shelf.size))
    others.delete(id)
    const share = Math.floor(capacity / (others.size + 1))
    check(share >= 1, where, () => `${capacity} slots are too few for ${others.size + 1} groups.`, 'Pass more bytes.')
    shrink(share, id)
    const before = shelf.size
    for (const i of order) if (shelf.size - before < share) buffer.add(samples[i]!)
    return shelf.size - before
  }
  // Groups lie in the order of herding, so the first of each are its best; the replaced group goes entirely.
  const shrink = (share: number, replaced: number): void => {
    const kept = new Map<number, number>([[replaced, share]])
    let to = 0
    for (let slot = 0; slot < shelf.size; slot++) {
      const group = columns.group[slot]!
      const count = kept.get(group) ?? 0
      if (count >= share) continue
      kept.set(group, count + 1)
      for (const column of [columns.x, columns.y, columns.extra, columns.group]) {
        const width = column.length / capacity
        column.copyWithin(to * width, slot * width, (slot + 1) * width)
      }
      to++
    }
    shelf.size = to
  }
  return Object.defineProperty(buffer, 'addGroup', { value: addGroup, enumerable: true }) as ExemplarReplay
}
