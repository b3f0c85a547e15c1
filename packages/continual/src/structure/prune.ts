import { check, createRng, describe } from '@regimen/core'
import { flattenTree, type TensorLeaf, unflattenTree } from '@regimen/tensor'
import { largest } from './largest.ts'

/** What {@link pruneByMagnitude} and {@link regenerateWeights} give. */
export interface Pruned<T> {
  /** The parameters, with zeros where they are out of use. */
  readonly params: T
  /** In the order of the leaves: 1 where a parameter is in use, 0 where it is not. */
  readonly mask: Float32Array
}

/** Options of {@link pruneByMagnitude}. */
export interface PruneOptions {
  /** Share of the weights in use that is set to zero, 0 up to 1 (not included). */
  share: number
  /**
   * `layer` takes the share from every layer by itself; `net` ranks all weights together, so that large layers, whose weights are
   * small and many, give more. @default 'layer'
   */
  scope?: 'layer' | 'net'
  /**
   * Importance of every parameter, at least 0, as `fisherDiagonal` measures it: weights are ranked by w² Ω, what the loss is
   * expected to rise without them, instead of by size. @default all alike
   */
  importance?: ArrayLike<number>
  /** What was in use before, as an earlier pruning gave it. @default all */
  mask?: ArrayLike<number>
}

/**
 * Sets the weights that are smallest in size to zero, or with an importance those with the smallest w² Ω; biases and norms (fewer
 * than two axes) stay. Open a trainer with the parameters and `maskedRule(rule, mask)` and learn remembered samples for an epoch or
 * two: that wins back most of what pruning cost. To use the room again take `regenerateWeights`.
 *
 * ```ts
 * import { pruneByMagnitude } from '@regimen/continual'
 *
 * const kernel = { dtype: 'float32', shape: [2, 2], data: Float32Array.of(3, -1, 0.5, -2) } as const
 * Array.from(pruneByMagnitude({ kernel }, { share: 0.5 }).mask) // => [1, 0, 0, 1]
 * ```
 *
 * References: Han et al. 2015 (pruning and retraining); LeCun, Denker and Solla 1989 (w² Ω).
 */
export function pruneByMagnitude<T>(params: T, options: PruneOptions): Pruned<T> {
  const where = 'continual/prune-by-magnitude'
  const { share, scope = 'layer', importance } = options
  check(share >= 0 && share < 1, where, () => `share must be from 0 up to 1, got ${describe(share)}.`)
  check(scope === 'layer' || scope === 'net', where, () => `scope must be layer or net, got ${describe(scope)}.`)
  const { leaves, structure } = flattenTree<TensorLeaf>(params)
  const mask = maskOf(leaves, options.mask, where)
  const scores = scoresOf(leaves, importance, where)
  const keep = (places: readonly number[]) => largest(scores, places, places.length - Math.round(share * places.length))
  const layers: number[][] = []
  eachLayer(leaves, mask, (_, part, at) => {
    layers.push(placesOf(part, 1).map((i) => at + i))
  })
  const kept = new Set(scope === 'net' ? keep(layers.flat()) : layers.flatMap(keep))
  const made = eachLayer(leaves, mask, (data, part, at) => {
    for (const i of placesOf(part, 1)) {
      if (kept.has(at + i)) continue
      data[i] = 0
      part[i] = 0
    }
  })
  return { params: unflattenTree(structure, made) as T, mask }
}

/** Options of {@link regenerateWeights}. */
export interface RegenerateOptions {
  /** Share of the weights in use that is exchanged in every layer, 0 to 1. */
  share: number
  /** What is in use. */
  mask: ArrayLike<number>
  /** Slope of the loss by every parameter: the unused weights where it is largest come back. @default by chance */
  gradient?: ArrayLike<number>
  /** @default 0 */
  seed?: number | string
}

/**
 * Exchanges weights of a pruned net: in every layer the smallest ones in use are dropped and as many of those that were unused
 * come back at zero, so the number in use stays the same and new ones move the outputs by nothing. With a gradient those come
 * back that would lower the loss fastest, else a seeded choice. For nets that go on learning; dropping needs training afterwards.
 *
 * ```ts
 * import { regenerateWeights } from '@regimen/continual'
 *
 * const kernel = { dtype: 'float32', shape: [2, 2], data: Float32Array.of(3, 0, 0, -2) } as const
 * const exchange = { share: 0.5, mask: [1, 0, 0, 1], gradient: [0, 0.1, -0.7, 0] }
 * Array.from(regenerateWeights({ kernel }, exchange).mask) // => [1, 0, 1, 0]
 * ```
 *
 * Reference: Evci et al. 2020, RigL.
 */
export function regenerateWeights<T>(params: T, options: RegenerateOptions): Pruned<T> {
  const where = 'continual/regenerate-weights'
  const { share, gradient, seed = 0 } = options
  check(share >= 0 && share <= 1, where, () => `share must be from 0 to 1, got ${describe(share)}.`)
  const { leaves, structure } = flattenTree<TensorLeaf>(params)
  const mask = maskOf(leaves, options.mask, where)
  check(
    gradient === undefined || gradient.length === mask.length,
    where,
    () => `gradient must hold ${mask.length} numbers, got ${gradient?.length}.`,
  )
  const rng = createRng(`${seed}/regenerate`)
  const made = eachLayer(leaves, mask, (data, part, at) => {
    const [used, unused] = [placesOf(part, 1), placesOf(part, 0)]
    const count = Math.min(unused.length, Math.round(share * used.length))
    const slopes = gradient ? Float64Array.from(part, (_, i) => gradient[at + i]!) : part.map(() => rng.uniform())
    const kept = new Set(largest(data, used, used.length - count))
    for (const i of used) {
      if (kept.has(i)) continue
      data[i] = 0
      part[i] = 0
    }
    for (const i of largest(slopes, unused, count)) part[i] = 1
  })
  return { params: unflattenTree(structure, made) as T, mask }
}

/** Changes a copy of every leaf of at least two axes, beside its part of the mask. */
function eachLayer(
  leaves: readonly TensorLeaf[],
  mask: Float32Array,
  change: (data: Float32Array, part: Float32Array, at: number) => void,
): TensorLeaf[] {
  let at = 0
  return leaves.map((leaf) => {
    const data = Float32Array.from(leaf.data as Float32Array)
    if (leaf.shape.length >= 2) change(data, mask.subarray(at, at + data.length), at)
    at += data.length
    return { dtype: 'float32' as const, shape: leaf.shape, data }
  })
}

/** |w| √Ω of every parameter, which ranks as w² Ω does. */
function scoresOf(
  leaves: readonly TensorLeaf[],
  importance: ArrayLike<number> | undefined,
  where: string,
): Float64Array {
  const scores = Float64Array.from(leaves.flatMap((leaf) => Array.from(leaf.data as Float32Array)))
  if (!importance) return scores
  check(
    importance.length === scores.length,
    where,
    () => `importance must hold ${scores.length} numbers, got ${importance.length}.`,
  )
  for (let i = 0; i < scores.length; i++) {
    check(importance[i]! >= 0, where, () => `importance must be at least 0, got ${importance[i]} at ${i}.`)
    scores[i]! *= Math.sqrt(importance[i]!)
  }
  return scores
}

function maskOf(leaves: readonly TensorLeaf[], mask: ArrayLike<number> | undefined, where: string): Float32Array {
  const size = leaves.reduce((sum, leaf) => sum + leaf.data.length, 0)
  check(mask === undefined || mask.length === size, where, () => `mask must hold ${size} numbers, got ${mask?.length}.`)
  check(
    leaves.every((leaf) => leaf.dtype === 'float32' && leaf.data.every((value) => Number.isFinite(value))),
    where,
    () => 'every parameter must be a finite float32 number.',
  )
  return mask ? Float32Array.from(mask) : new Float32Array(size).fill(1)
}

function placesOf(part: Float32Array, wanted: number): number[] {
  const places: number[] = []
  for (let i = 0; i < part.length; i++) if (part[i] === wanted) places.push(i)
  return places
}
