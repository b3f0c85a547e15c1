import { arrayLeaf, check, describe, type Snapshot, schema, type Tree } from '@regimen/core'
import { openStore, type Policy, type PolicyKind, type ReplayBuffer, type ReplayOptions, type Shelf } from './store.ts'
import { openSumTree } from './sum-tree.ts'

/** Options of {@link prioritizedReplay}. */
export interface PrioritizedOptions extends ReplayOptions {
  /** How strongly errors decide, 0 (uniform) to 1 (in proportion). @default 0.6 */
  alpha?: number
  /** How far weights undo the bias of the draw at the start, 0 to 1. @default 0.4 */
  beta?: number
  /** Draws until β has grown to 1. @default 100000 */
  betaDraws?: number
  /** Added to every error, so that none is forgotten, > 0. @default 1e-3 */
  floor?: number
}

/** A buffer that draws by priority. */
export interface PrioritizedReplay extends ReplayBuffer {
  /** β of the next draw. */
  readonly beta: number
  /** Gives drawn samples new priorities: (|error| + floor)^α. An error that is not finite leaves the priority as it is. */
  update(slots: Int32Array, errors: ArrayLike<number>): void
}

type Prioritize = { readonly alpha: number; readonly beta: number; readonly betaDraws: number; readonly floor: number }

type PrioritizedState = {
  readonly options: Prioritize
  readonly draws: number
  readonly highest: number
  readonly priorities: { readonly data: Float64Array }
}

const fraction = schema.number({ min: 0, max: 1 })
const stateSchema = schema.object({
  options: schema.object({
    alpha: fraction,
    beta: fraction,
    betaDraws: schema.number({ min: 1 }),
    floor: schema.number({ min: 0 }),
  }),
  draws: schema.integer({ min: 0 }),
  highest: schema.number({ min: 0 }),
  priorities: schema.leaf('float64', [null]),
})

/**
 * Opens a buffer that draws samples in proportion to a priority, usually their last error: P(i) = pᵢ / Σ p with
 * pᵢ = (|δᵢ| + floor)^α. A draw is stratified over the total, and its weights (n P(i))^−β over their maximum undo the bias;
 * β grows from its start to 1 over `betaDraws` draws. New samples get the highest priority so far; a full buffer overwrites
 * its oldest. A draw and an update cost log₂ n each. For errors that differ widely; else {@link reservoirReplay}.
 *
 * ```ts
 * import { prioritizedReplay } from '@regimen/continual'
 *
 * const buffer = prioritizedReplay({ bytes: 28 * 4, width: 1, alpha: 1, floor: 1e-9 })
 * for (let x = 0; x < 4; x++) buffer.add({ x: [x], y: 0 })
 * buffer.update(Int32Array.of(0, 1, 2, 3), [0, 0, 0, 1])
 * buffer.draw(8).x // => [3, 3, 3, 3, 3, 3, 3, 3]
 * ```
 *
 * Reference: Schaul et al. 2016, Prioritized Experience Replay.
 */
export function prioritizedReplay(from: PrioritizedOptions | Snapshot): PrioritizedReplay {
  const options = 'bytes' in from ? readOptions(from) : undefined
  const live: { policy?: PrioritizedPolicy } = {}
  const kind: PolicyKind = {
    id: 'continual/prioritized-replay',
    bytesPerSample: 16,
    state: stateSchema,
    open(shelf, saved) {
      live.policy = openPrioritized(shelf, saved as PrioritizedState | undefined, options)
      return live.policy
    },
  }
  const { buffer } = openStore(kind, from)
  const policy = live.policy!
  // Object.assign would read the getters once and for all.
  return Object.defineProperties(buffer, {
    beta: { get: policy.beta, enumerable: true },
    update: { value: policy.update, enumerable: true },
  }) as PrioritizedReplay
}

interface PrioritizedPolicy extends Policy {
  beta(): number
  update(slots: Int32Array, errors: ArrayLike<number>): void
}

function readOptions(options: PrioritizedOptions): Prioritize {
  const { alpha = 0.6, beta = 0.4, betaDraws = 100_000, floor = 1e-3 } = options
  const where = 'continual/prioritized-replay'
  check(alpha >= 0 && alpha <= 1, where, () => `alpha must lie from 0 to 1, got ${describe(alpha)}.`)
  check(beta >= 0 && beta <= 1, where, () => `beta must lie from 0 to 1, got ${describe(beta)}.`)
  check(betaDraws >= 1, where, () => `betaDraws must be at least 1, got ${describe(betaDraws)}.`)
  check(floor > 0, where, () => `floor must be above 0, got ${describe(floor)}.`)
  return { alpha, beta, betaDraws, floor }
}

function openPrioritized(
  shelf: Shelf,
  saved: PrioritizedState | undefined,
  given: Prioritize | undefined,
): PrioritizedPolicy {
  const { alpha, beta, betaDraws, floor } = (saved?.options ?? given)!
  const tree = openSumTree(shelf.capacity)
  let points = new Float64Array(0)
  let draws = saved?.draws ?? 0
  let highest = saved?.highest ?? 1
  saved?.priorities.data.forEach((priority, i) => {
    tree.set(i, priority)
  })
  const nextBeta = (): number => Math.min(1, beta + (1 - beta) * (draws / betaDraws))
  return {
    beta: nextBeta,
    place({ seen, capacity }) {
      const slot = (seen - 1) % capacity
      tree.set(slot, highest)
      return slot
    },
    choose({ size, rng }, draw) {
      const { count, slots, weights } = draw
      const power = -nextBeta()
      const { total } = tree
      const step = total / count
      if (points.length !== count) points = new Float64Array(count)
      for (let i = 0; i < count; i++) points[i] = (i + rng.uniform()) * step
      tree.find(points, slots)
      let heaviest = 0
      for (let i = 0; i < count; i++) {
        const slot = Math.min(size - 1, slots[i]!)
        // Half the time of the operator for powers.
        const weight = Math.exp(power * Math.log((size * tree.get(slot)) / total))
        slots[i] = slot
        weights[i] = weight
        if (weight > heaviest) heaviest = weight
      }
      for (let i = 0; i < count; i++) weights[i]! /= heaviest
      draws++
    },
    update(slots, errors) {
      for (let i = 0; i < slots.length; i++) {
        const error = Math.abs(errors[i]!)
        const slot = slots[i]!
        if (!(error < Number.POSITIVE_INFINITY) || slot < 0 || slot >= shelf.size) continue
        const priority = Math.exp(alpha * Math.log(error + floor))
        if (priority > highest) highest = priority
        tree.set(slot, priority)
      }
    },
    state: (): Tree => ({
      options: { alpha, beta, betaDraws, floor },
      draws,
      highest,
      priorities: arrayLeaf(
        'float64',
        [shelf.size],
        Float64Array.from({ length: shelf.size }, (_, i) => tree.get(i)),
      ),
    }),
  }
}
