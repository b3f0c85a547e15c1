import { check, describe } from '../errors.ts'
import type { Rng } from '../rng.ts'

/** A uniform sample of a stream of unknown length: plain data. */
export interface Reservoir<Item> {
  readonly capacity: number
  /** How many items the stream has offered so far. */
  seen: number
  /** The sample, at most `capacity` items. */
  readonly items: Item[]
}

/**
 * Opens a reservoir that keeps a uniform sample of everything it is offered.
 *
 * ```ts
 * import { createReservoir, createRng, offer } from '@regimen/core'
 *
 * const rng = createRng(1)
 * const sample = createReservoir<number>(3)
 * for (let i = 0; i < 1000; i++) offer(sample, i, rng)
 * sample.items.length // => 3
 * ```
 */
export function createReservoir<Item>(capacity: number): Reservoir<Item> {
  check(
    Number.isInteger(capacity) && capacity >= 1,
    'core/reservoir',
    () => `capacity must be an integer from 1, got ${describe(capacity)}.`,
  )
  return { capacity, seen: 0, items: [] }
}

/**
 * Offers one item to a reservoir and returns the slot it took, or −1 if it was passed over. After n offers every item
 * is in the sample with probability capacity / n.
 *
 * ```ts
 * import { createReservoir, createRng, offer } from '@regimen/core'
 *
 * offer(createReservoir<string>(2), 'first', createRng(1)) // => 0
 * ```
 *
 * Reference: J. S. Vitter, "Random sampling with a reservoir" (algorithm R), 1985.
 */
export function offer<Item>(reservoir: Reservoir<Item>, item: Item, rng: Rng): number {
  reservoir.seen++
  const slot = reservoir.items.length < reservoir.capacity ? reservoir.items.length : rng.int(0, reservoir.seen)
  if (slot >= reservoir.capacity) return -1
  reservoir.items[slot] = item
  return slot
}
