import { type Snapshot, schema } from '@regimen/core'
import { openStore, type PolicyKind, type ReplayBuffer, type ReplayOptions } from './store.ts'

const RESERVOIR: PolicyKind = {
  id: 'continual/reservoir-replay',
  bytesPerSample: 0,
  state: schema.literal(null),
  open: () => ({
    place({ seen, size, capacity, rng }) {
      if (size < capacity) return size
      const slot = rng.int(0, seen)
      return slot < capacity ? slot : -1
    },
    state: () => null,
  }),
}

/**
 * Opens a buffer that is at any time a uniform sample of everything it was ever offered: after n offers each is kept with
 * probability capacity / n. It needs no task boundaries; the default for streams. Where some regimes are rare take
 * {@link balancedReplay}.
 *
 * ```ts
 * import { reservoirReplay } from '@regimen/continual'
 *
 * const buffer = reservoirReplay({ bytes: 1200, width: 1, seed: 1 })
 * for (let x = 0; x < 5000; x++) buffer.add({ x: [x], y: 0 })
 * buffer.size // => 100
 * buffer.seen // => 5000
 * ```
 *
 * Reference: Vitter 1985, algorithm R.
 */
export function reservoirReplay(from: ReplayOptions | Snapshot): ReplayBuffer {
  return openStore(RESERVOIR, from).buffer
}
