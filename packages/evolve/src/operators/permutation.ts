import type { Rng } from '@regimen/core'

/**
 * Crosses two permutations of 0 … n − 1 by PMX: the child takes a stretch of the first parent and keeps the places of the second
 * wherever they do not clash. For orders in which the place of an item matters; {@link orderCrossover} where the
 * neighbours do. `where` is scratch space of n.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { pmxCrossover } from '@regimen/evolve'
 *
 * const [a, b] = [Float64Array.of(0, 1, 2, 3), Float64Array.of(3, 2, 1, 0)]
 * const child = new Float64Array(4)
 * pmxCrossover(createRng(1), a, b, child, new Int32Array(4))
 * Array.from(child).sort() // => [0, 1, 2, 3]
 * ```
 *
 * Reference: D. Goldberg & R. Lingle, "Alleles, loci and the traveling salesman problem", 1985.
 */
export function pmxCrossover(rng: Rng, a: Float64Array, b: Float64Array, child: Float64Array, where: Int32Array): void {
  const n = a.length
  const [from, to] = stretch(rng, n)
  where.fill(-1)
  for (let i = from; i < to; i++) where[a[i]!] = i
  for (let i = 0; i < n; i++) {
    if (i >= from && i < to) {
      child[i] = a[i]!
      continue
    }
    let item = b[i]!
    // Follow the mapping of the stretch until the item is free.
    while (where[item]! >= 0) item = b[where[item]!]!
    child[i] = item
  }
}

/**
 * Crosses two permutations by order crossover: a stretch of the first parent stays in place, the other items follow in the order
 * of the second. For tours and schedules, where neighbours matter; {@link pmxCrossover} where places do.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { orderCrossover } from '@regimen/evolve'
 *
 * const [a, b] = [Float64Array.of(0, 1, 2, 3), Float64Array.of(3, 2, 1, 0)]
 * const child = new Float64Array(4)
 * orderCrossover(createRng(1), a, b, child, new Int32Array(4))
 * Array.from(child).sort() // => [0, 1, 2, 3]
 * ```
 *
 * Reference: L. Davis, "Applying adaptive algorithms to epistatic domains", 1985.
 */
export function orderCrossover(
  rng: Rng,
  a: Float64Array,
  b: Float64Array,
  child: Float64Array,
  where: Int32Array,
): void {
  const n = a.length
  const [from, to] = stretch(rng, n)
  where.fill(-1)
  for (let i = from; i < to; i++) {
    where[a[i]!] = i
    child[i] = a[i]!
  }
  let next = to % n
  for (let k = 0; k < n; k++) {
    const item = b[(to + k) % n]!
    if (where[item]! >= 0) continue
    child[next] = item
    next = (next + 1) % n
  }
}

/**
 * Mutates a permutation in place: exchanges two items, or turns a stretch around, each half of the time.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { permutationMutation } from '@regimen/evolve'
 *
 * const order = Float64Array.of(0, 1, 2, 3)
 * permutationMutation(createRng(1), order)
 * Array.from(order).sort() // => [0, 1, 2, 3]
 * ```
 */
export function permutationMutation(rng: Rng, order: Float64Array): void {
  const n = order.length
  if (rng.uniform() < 0.5) {
    const i = rng.int(0, n)
    const j = rng.int(0, n)
    const held = order[i]!
    order[i] = order[j]!
    order[j] = held
    return
  }
  const [from, to] = stretch(rng, n)
  order.subarray(from, to).reverse()
}

function stretch(rng: Rng, n: number): [number, number] {
  const i = rng.int(0, n)
  const j = rng.int(0, n)
  return i < j ? [i, j + 1] : [j, i + 1]
}
