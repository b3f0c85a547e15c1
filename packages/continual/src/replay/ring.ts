import { type Snapshot, schema } from '@regimen/core'
import { openStore, type PolicyKind, type ReplayBuffer, type ReplayOptions } from './store.ts'

const RING: PolicyKind = {
  id: 'continual/ring-replay',
  bytesPerSample: 0,
  state: schema.literal(null),
  open: () => ({
    place: ({ seen, capacity }) => (seen - 1) % capacity,
    state: () => null,
  }),
}

/**
 * Opens a buffer of the latest samples: a full one overwrites the oldest. For a learner that shall follow a drifting market and
 * only smooth it; whoever must remember old regimes takes {@link reservoirReplay} or {@link balancedReplay}.
 *
 * ```ts
 * import { ringReplay } from '@regimen/continual'
 *
 * const buffer = ringReplay({ bytes: 24, width: 1 }) // 12 bytes a sample
 * for (const x of [1, 2, 3]) buffer.add({ x: [x], y: 0 })
 * buffer.capacity // => 2
 * new Set(buffer.draw(100).x).has(1) // => false
 * ```
 */
export function ringReplay(from: ReplayOptions | Snapshot): ReplayBuffer {
  return openStore(RING, from).buffer
}
