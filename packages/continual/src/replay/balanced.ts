import { type ArrayLeaf, arrayLeaf, type Snapshot, schema, type Tree } from '@regimen/core'
import { openStore, type Policy, type PolicyKind, type ReplayBuffer, type ReplayOptions } from './store.ts'

interface Group {
  /** Samples of the group that were offered. */
  seen: number
  /** Slots that hold the group's samples. */
  readonly slots: number[]
}

type SavedGroup = { readonly group: number; readonly seen: number; readonly slots: ArrayLeaf<'int32'> }

const BALANCED: PolicyKind = {
  id: 'continual/balanced-replay',
  // A slot's number in its group's list.
  bytesPerSample: 8,
  state: schema.list(
    schema.object({
      group: schema.integer({ min: 0 }),
      seen: schema.integer({ min: 0 }),
      slots: schema.leaf('int32', [null]),
    }),
  ),
  open: (_, saved) => openBalanced(saved),
}

/**
 * Opens a buffer that gives every group (class, regime, task) the same room, whatever its share of the stream: when full, a
 * sample of a group smaller than the largest replaces a random one of the largest; a sample of a largest group enters as in a
 * reservoir of that group alone, with probability kept / seen. It learns of groups as they come.
 *
 * ```ts
 * import { balancedReplay } from '@regimen/continual'
 *
 * const buffer = balancedReplay({ bytes: 20 * 10, width: 1 })
 * for (let i = 0; i < 1000; i++) buffer.add({ x: [i], y: 0, group: i % 100 === 0 ? 1 : 0 })
 * buffer.draw(1000).groups.filter((group) => group === 1).length > 350 // => true
 * ```
 *
 * Reference: Chrysakis and Moens 2020, class-balancing reservoir sampling.
 */
export function balancedReplay(from: ReplayOptions | Snapshot): ReplayBuffer {
  return openStore(BALANCED, from).buffer
}

function openBalanced(saved: Tree | undefined): Policy {
  const groups = new Map<number, Group>()
  for (const one of (saved ?? []) as readonly SavedGroup[]) {
    groups.set(one.group, { seen: one.seen, slots: Array.from(one.slots.data) })
  }
  return {
    place({ size, capacity, rng }, id) {
      let own = groups.get(id)
      if (!own) {
        own = { seen: 0, slots: [] }
        groups.set(id, own)
      }
      own.seen++
      if (size < capacity) {
        own.slots.push(size)
        return size
      }
      let largest = own
      for (const other of groups.values()) if (other.slots.length > largest.slots.length) largest = other
      if (largest === own) {
        const place = rng.int(0, own.seen)
        return place < own.slots.length ? own.slots[place]! : -1
      }
      const place = rng.int(0, largest.slots.length)
      const slot = largest.slots[place]!
      largest.slots[place] = largest.slots[largest.slots.length - 1]!
      largest.slots.pop()
      own.slots.push(slot)
      return slot
    },
    state: () =>
      [...groups].map(([group, { seen, slots }]) => ({
        group,
        seen,
        slots: arrayLeaf('int32', [slots.length], slots),
      })),
  }
}
